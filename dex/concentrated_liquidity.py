"""Positions of concentrated liquidity, behind core.liquidity.Liquidity.

Native coins are not taken: wrap them first. What a position has earned is computed from the pool's
counters, without asking the contract to collect.
"""

from collections.abc import Sequence
from decimal import Decimal

from chains.evm.abi import address_at, uint_at
from chains.evm.codec import checksum
from chains.evm.model import Call, CallError
from core.clock import SECOND
from core.errors import Reason, Refused
from core.liquidity import LiquidityPosition, LiquidityQuote, LiquiditySpec, PriceRange
from core.ports import FeeOptions
from core.swaps import ApprovalMethod
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.concentrated_family import place
from dex.families import concentrated_positions as manager
from dex.families.concentrated import ConcentratedPool
from dex.families.concentrated_abi import batch, pool_address
from dex.families.concentrated_math_liquidity import MAX_LIQUIDITY, Growth
from dex.families.concentrated_math_ticks import MAX_TICK, MIN_TICK, tick_spacing_bounds
from dex.families.concentrated_positions import Held, Offer, Surroundings
from dex.pools import PoolMarket
from dex.providing import (
    ADD,
    COLLECT,
    REMOVE,
    Allowing,
    Change,
    Providing,
    Takes,
    check_method,
    check_slippage,
    in_order,
    pair,
    part_of,
)
from dex.refusals import invalid

_MOST_POSITIONS = 1_000
_EVERYWHERE = 200  # ticks from the end: the widest spacing
_DEADLINE = 300 * SECOND


class ConcentratedLiquidity:
    """Positions that the venue's position manager keeps."""

    def __init__(self, parts: Providing, allowances: Allowances) -> None:
        self._parts = parts
        self._allowances = allowances  # of the position manager
        self._manager = parts.spec.deployment.positions

    # -- what there is

    async def positions(self, owner: str) -> Sequence[LiquidityPosition]:
        owner = self._parts.owner(owner)
        block = self._parts.network.height
        (count,) = await self._ask([manager.balance_of(owner)], block)
        if isinstance(count, CallError):
            raise self._parts.missing("", count.reason)
        most = min(uint_at(count), _MOST_POSITIONS)
        indexes = [manager.token_of_owner(owner, index) for index in range(most)]
        found = await self._ask(indexes, block)
        tokens = [uint_at(one) for one in found if not isinstance(one, CallError)]
        answers = await self._ask([manager.positions(token) for token in tokens], block)
        held = [
            (token, Held.decoded(answer))
            for token, answer in zip(tokens, answers, strict=True)
            if not isinstance(answer, CallError)
        ]
        return await self._described(owner, held, block)

    async def position(self, id: str, owner: str) -> LiquidityPosition:
        block = self._parts.network.height
        token = self._token(id)
        whose, held = await self._held(token, block)
        if owner and self._parts.owner(owner) != whose:
            raise self._parts.missing(id, f"it belongs to {whose}")
        (described,) = await self._described(whose, [(token, held)], block)
        return described

    # -- quotes

    async def quote_add(self, spec: LiquiditySpec) -> LiquidityQuote:
        market = await self._parts.market(spec.pool)
        pool, block = await self._pool(market)
        return self._quote_add(market, pool, spec, self._ticks(market, spec.range), block)

    async def quote_remove(self, id: str, owner: str, fraction: Decimal) -> LiquidityQuote:
        _, held = await self._held(self._token(id), self._parts.network.height)
        market = await self._market(held)
        pool, block = await self._pool(market)
        liquidity = part_of(held.liquidity, fraction)
        units = manager.amounts(held, pool.sqrt_price, liquidity)
        return LiquidityQuote(pair(market, units), liquidity, block)

    # -- changes

    async def add(
        self,
        spec: LiquiditySpec,
        position: str,
        owner: str,
        intent: str,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        check_slippage(spec.slippage)
        owner = self._parts.owner(owner)
        market = await self._parts.market(spec.pool)
        if position:
            held = await self._owned(position, owner)
            if await self._market(held) != market:
                raise invalid("position", position, f"the position is not in pool {spec.pool}")
            ticks = held.lower, held.upper
        else:
            ticks = self._ticks(market, spec.range)
        pool, block = await self._pool(market)
        quote = self._quote_add(market, pool, spec, ticks, block)
        most = in_order(market, spec.base_units, spec.quote_units)
        takes = (
            Takes(market.token0, most[0], quote.amounts.units0),
            Takes(market.token1, most[1], quote.amounts.units1),
        )
        check_method(approval, market.base, by_permit=True)
        deadline = self._deadline()
        allowing = Allowing(owner, intent, approval, deadline)
        async with self._parts.allowed(self._allowances, allowing, takes, fees) as allowed:
            units = allowed.units[0], allowed.units[1]
            least = manager.least_taken(pool.sqrt_price, *ticks, *units, spec.slippage)
            offer = Offer(*units, *least, deadline)
            if position:
                data = manager.increase(self._token(position), offer)
            else:
                fee = market.fee.pips
                addresses = market.token0.address, market.token1.address
                data = manager.mint(*addresses, fee, *ticks, offer, owner)
            if allowed.permits:
                data = batch([*(permit.data for permit in allowed.permits), data], None)
            details = self._parts.details(market, position) | allowed.details
            change = Change(owner, self._manager, data, ADD, intent, details)
            return await self._parts.send(change, fees)

    async def remove(
        self,
        id: str,
        owner: str,
        fraction: Decimal,
        slippage: Decimal,
        intent: str,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        """No token is taken but those of the position: `approval` is of no account."""
        check_slippage(slippage)
        owner = self._parts.owner(owner)
        held = await self._owned(id, owner)
        token, market = self._token(id), await self._market(held)
        pool, _ = await self._pool(market)
        liquidity = part_of(held.liquidity, fraction)
        calls = []
        if liquidity:
            least = manager.least_amounts(
                pool.sqrt_price, held.lower, held.upper, liquidity, slippage
            )
            calls.append(manager.decrease(token, liquidity, *least, self._deadline()))
        elif fraction < 1:
            raise invalid("fraction", fraction, "so small a part of the position is nothing")
        calls.append(manager.collect(token, owner))
        if fraction == 1:
            calls.append(manager.burn(token))
        details = self._parts.details(market, id)
        change = Change(owner, self._manager, batch(calls, None), REMOVE, intent, details)
        return await self._parts.send(change, fees)

    async def collect(self, id: str, owner: str, intent: str, fees: FeeOptions) -> Transaction:
        owner = self._parts.owner(owner)
        position = await self.position(id, owner)
        if not (position.uncollected.units0 or position.uncollected.units1):
            raise invalid("position", id, "there are no fees to collect yet")
        market = await self._parts.market(position.pool)
        data = manager.collect(self._token(id), owner)
        details = self._parts.details(market, id)
        change = Change(owner, self._manager, data, COLLECT, intent, details)
        return await self._parts.send(change, fees)

    # --

    def _quote_add(
        self,
        market: PoolMarket,
        pool: ConcentratedPool,
        spec: LiquiditySpec,
        ticks: tuple[int, int],
        block: int,
    ) -> LiquidityQuote:
        units = in_order(market, spec.base_units, spec.quote_units)
        if min(units) < 0:
            raise invalid("amount", min(units), "amounts must not be below zero")
        liquidity = manager.liquidity_of(pool.sqrt_price, *ticks, *units)
        if not 0 < liquidity <= MAX_LIQUIDITY:
            raise invalid(
                "amount",
                max(units),
                "these amounts make no liquidity between these prices: below the range it takes "
                "the one token only, above it the other",
            )
        taken = _taken(pool.sqrt_price, ticks, liquidity)
        return LiquidityQuote(pair(market, taken), liquidity, block)

    def _ticks(self, market: PoolMarket, wanted: PriceRange | None) -> tuple[int, int]:
        """The usable ticks about a range of prices, in the contract's direction."""
        if wanted is None:
            return tick_spacing_bounds(market.spacing)
        lower, upper = wanted
        if not (lower.is_finite() and upper.is_finite() and 0 < lower < upper):
            raise invalid("range", lower, "lower_price must be above zero and below upper_price")
        shift = market.quote.decimals - market.base.decimals
        low, high = (_ratio(price, shift) for price in (lower, upper))
        if not market.base_is_0:
            low, high = high[::-1], low[::-1]
        try:
            return manager.usable_ticks(low, high, market.spacing)
        except ValueError as error:
            raise invalid("range", lower, str(error)) from error

    async def _pool(self, market: PoolMarket) -> tuple[ConcentratedPool, int]:
        state = await self._parts.finder.state(market)
        pool = state.content
        assert isinstance(pool, ConcentratedPool)  # the venue's family
        if not pool.sqrt_price:
            raise Refused(
                Reason.INSUFFICIENT_LIQUIDITY,
                f"pool {market.instrument.id} has no price yet: it must be initialised first",
                {"venue": self._parts.spec.id},
            )
        return pool, state.block

    async def _market(self, held: Held) -> PoolMarket:
        """The market of a position's pool; not followed for this alone."""
        deployment = self._parts.spec.deployment
        deployer = deployment.deployer or deployment.factory
        hash = self._parts.spec.init_code_hash
        address = pool_address(deployer, hash, held.token0, held.token1, held.fee)
        known = self._parts.directory.at(address)
        if known is not None:
            return known
        first = await self._parts.lookup.at(checksum(held.token0))
        second = await self._parts.lookup.at(checksum(held.token1))
        spacing = dict(self._parts.spec.protocol.tiers).get(held.fee, 0)
        if not spacing:
            return await self._parts.finder.at(address)
        return self._parts.directory.market(first, second, place(address, held.fee, spacing))

    async def _described(
        self, owner: str, held: Sequence[tuple[int, Held]], block: int
    ) -> list[LiquidityPosition]:
        markets = [await self._market(one) for _, one in held]
        calls = [
            Call(market.address, data)
            for (_, one), market in zip(held, markets, strict=True)
            for data in manager.pool_questions(self._manager, one.lower, one.upper)
        ]
        answers = await self._parts.network.multicall(calls, block=block) if calls else []
        found = []
        for place_, ((token, one), market) in enumerate(zip(held, markets, strict=True)):
            about = answers[6 * place_ : 6 * place_ + 6]
            around = Surroundings.decoded([_bytes(answer) for answer in about])
            found.append(self._described_one(owner, token, one, market, around, block))
        return found

    def _described_one(
        self,
        owner: str,
        token: int,
        held: Held,
        market: PoolMarket,
        around: Surroundings,
        block: int,
    ) -> LiquidityPosition:
        return LiquidityPosition(
            venue=self._parts.spec.id,
            id=str(token),
            pool=market.address,
            instrument=market.instrument.id,
            owner=owner,
            liquidity=held.liquidity,
            amounts=pair(market, manager.amounts(held, around.sqrt_price, held.liquidity)),
            uncollected=pair(market, manager.uncollected(held, around)),
            range=_range(market, held),
            in_range=held.lower <= around.tick < held.upper,
            block=block,
        )

    async def _owned(self, id: str, owner: str) -> Held:
        whose, held = await self._held(self._token(id), self._parts.network.height)
        if whose != owner:
            raise self._parts.missing(id, f"it belongs to {whose}, not to {owner}")
        return held

    async def _held(self, token: int, block: int) -> tuple[str, Held]:
        """The owner and the position."""
        owner, held = await self._ask([manager.owner_of(token), manager.positions(token)], block)
        if isinstance(owner, CallError) or isinstance(held, CallError):
            raise self._parts.missing(str(token), "nobody has it")
        try:
            return address_at(owner), Held.decoded(held)
        except ValueError as error:
            raise self._parts.missing(str(token), str(error)) from error

    async def _ask(self, questions: Sequence[bytes], block: int) -> Sequence[bytes | CallError]:
        calls = [Call(self._manager, data) for data in questions]
        return await self._parts.network.multicall(calls, block=block) if calls else []

    def _token(self, id: str) -> int:
        if not (id.isascii() and id.isdigit() and len(id) < 78):
            raise self._parts.missing(id, "the id is a number, as the list of positions has it")
        return int(id)

    def _deadline(self) -> int:
        return self._parts.deadline(_DEADLINE)


def _taken(sqrt_price: int, ticks: tuple[int, int], liquidity: int) -> tuple[int, int]:
    """What the pool takes for liquidity: rounded up."""
    held = Held("", "", 0, *ticks, liquidity, _NO_GROWTH, 0, 0)
    return manager.amounts(held, sqrt_price, liquidity, up=True)


_NO_GROWTH = Growth(0, 0)


def _range(market: PoolMarket, held: Held) -> PriceRange | None:
    """Quote a base unit; None for a position that works at every price."""
    if held.lower <= MIN_TICK + _EVERYWHERE and held.upper >= MAX_TICK - _EVERYWHERE:
        return None
    shift = market.token0.decimals - market.token1.decimals
    inverted = not market.base_is_0
    one, other = (manager.price_at(tick, shift, inverted) for tick in (held.lower, held.upper))
    return (other, one) if inverted else (one, other)


def _ratio(price: Decimal, shift: int) -> tuple[int, int]:
    """Quote units for base units."""
    over, under = price.as_integer_ratio()
    return (over * 10**shift, under) if shift >= 0 else (over, under * 10**-shift)


def _bytes(answer: bytes | CallError) -> bytes:
    if isinstance(answer, CallError):
        raise Refused(Reason.NODE_UNAVAILABLE, f"the pool did not answer: {answer.reason}")
    return answer
