"""Positions of concentrated liquidity, quoted and changed, behind core.liquidity.Liquidity.

Native coins are not taken: wrap them first.
"""

from collections.abc import Sequence
from decimal import Decimal

from core.clock import SECOND
from core.errors import Reason, Refused
from core.liquidity import LiquidityPosition, LiquidityQuote, LiquiditySpec, PriceRange
from core.ports import FeeOptions
from core.swaps import ApprovalMethod
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.families import concentrated_positions as manager
from dex.families.concentrated import ConcentratedPool
from dex.families.concentrated_abi import batch
from dex.families.concentrated_math_liquidity import MAX_LIQUIDITY, Growth
from dex.families.concentrated_math_ticks import tick_spacing_bounds
from dex.families.concentrated_positions import Held, Offer
from dex.pools import PoolMarket
from dex.position_reader import PositionReader
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

_DEADLINE = 300 * SECOND


class ConcentratedLiquidity:
    """Positions that the venue's position manager keeps."""

    def __init__(self, parts: Providing, allowances: Allowances) -> None:
        self._parts = parts
        self._allowances = allowances  # of the position manager
        self._manager = parts.spec.deployment.positions
        self.reader = PositionReader(parts)

    # -- what there is

    async def positions(self, owner: str) -> Sequence[LiquidityPosition]:
        return await self.reader.positions(owner)

    async def position(self, id: str, owner: str) -> LiquidityPosition:
        return await self.reader.position(id, owner)

    # -- quotes

    async def quote_add(self, spec: LiquiditySpec) -> LiquidityQuote:
        market = await self._parts.market(spec.pool)
        pool, block = await self._pool(market)
        return self._quote_add(market, pool, spec, self._ticks(market, spec.range), block)

    async def quote_remove(self, id: str, owner: str, fraction: Decimal) -> LiquidityQuote:
        _, held = await self.reader.held(self.reader.token(id), self._parts.network.height)
        market = await self.reader.market(held)
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
            held = await self.reader.owned(position, owner)
            if await self.reader.market(held) != market:
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
                data = manager.increase(self.reader.token(position), offer)
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
        held = await self.reader.owned(id, owner)
        token, market = self.reader.token(id), await self.reader.market(held)
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
        data = manager.collect(self.reader.token(id), owner)
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

    def _deadline(self) -> int:
        return self._parts.deadline(_DEADLINE)


def _taken(sqrt_price: int, ticks: tuple[int, int], liquidity: int) -> tuple[int, int]:
    """What the pool takes for liquidity: rounded up."""
    held = Held("", "", 0, *ticks, liquidity, _NO_GROWTH, 0, 0)
    return manager.amounts(held, sqrt_price, liquidity, up=True)


_NO_GROWTH = Growth(0, 0)


def _ratio(price: Decimal, shift: int) -> tuple[int, int]:
    """Quote units for base units."""
    over, under = price.as_integer_ratio()
    return (over * 10**shift, under) if shift >= 0 else (over, under * 10**-shift)
