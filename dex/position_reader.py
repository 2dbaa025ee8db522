"""Positions of concentrated liquidity as the chain has them: whose they are, what they hold, what
they have earned. Fees are computed from the pool's counters, without asking the contract to
collect."""

from collections.abc import Sequence

from chains.evm.abi import address_at, uint_at
from chains.evm.codec import checksum
from chains.evm.model import Call, CallError
from core.errors import Reason, Refused
from core.liquidity import LiquidityPosition, PriceRange
from dex.concentrated_family import place
from dex.families import concentrated_positions as manager
from dex.families.concentrated_abi import pool_address
from dex.families.concentrated_math_ticks import MAX_TICK, MIN_TICK
from dex.families.concentrated_positions import Held, Surroundings
from dex.pools import PoolMarket
from dex.providing import Providing, pair

_MOST_POSITIONS = 1_000
_EVERYWHERE = 200  # ticks from the end: the widest spacing


class PositionReader:
    """Those of the venue's position manager."""

    def __init__(self, parts: Providing) -> None:
        self._parts = parts
        self._manager = parts.spec.deployment.positions

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
        token = self.token(id)
        whose, held = await self.held(token, block)
        if owner and self._parts.owner(owner) != whose:
            raise self._parts.missing(id, f"it belongs to {whose}")
        (described,) = await self._described(whose, [(token, held)], block)
        return described

    async def owned(self, id: str, owner: str) -> Held:
        """Refused with POSITION_NOT_FOUND where it is somebody else's."""
        whose, held = await self.held(self.token(id), self._parts.network.height)
        if whose != owner:
            raise self._parts.missing(id, f"it belongs to {whose}, not to {owner}")
        return held

    async def held(self, token: int, block: int) -> tuple[str, Held]:
        """The owner and the position."""
        owner, held = await self._ask([manager.owner_of(token), manager.positions(token)], block)
        if isinstance(owner, CallError) or isinstance(held, CallError):
            raise self._parts.missing(str(token), "nobody has it")
        try:
            return address_at(owner), Held.decoded(held)
        except ValueError as error:
            raise self._parts.missing(str(token), str(error)) from error

    async def market(self, held: Held) -> PoolMarket:
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

    def token(self, id: str) -> int:
        """The number of a position; Refused with POSITION_NOT_FOUND for what is none."""
        if not (id.isascii() and id.isdigit() and len(id) < 78):
            raise self._parts.missing(id, "the id is a number, as the list of positions has it")
        return int(id)

    async def _described(
        self, owner: str, held: Sequence[tuple[int, Held]], block: int
    ) -> list[LiquidityPosition]:
        markets = [await self.market(one) for _, one in held]
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

    async def _ask(self, questions: Sequence[bytes], block: int) -> Sequence[bytes | CallError]:
        calls = [Call(self._manager, data) for data in questions]
        return await self._parts.network.multicall(calls, block=block) if calls else []


def _range(market: PoolMarket, held: Held) -> PriceRange | None:
    """Quote a base unit; None for a position that works at every price."""
    if held.lower <= MIN_TICK + _EVERYWHERE and held.upper >= MAX_TICK - _EVERYWHERE:
        return None
    shift = market.token0.decimals - market.token1.decimals
    inverted = not market.base_is_0
    one, other = (manager.price_at(tick, shift, inverted) for tick in (held.lower, held.upper))
    return (other, one) if inverted else (one, other)


def _bytes(answer: bytes | CallError) -> bytes:
    if isinstance(answer, CallError):
        raise Refused(Reason.NODE_UNAVAILABLE, f"the pool did not answer: {answer.reason}")
    return answer
