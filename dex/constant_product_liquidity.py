"""Shares of constant-product pools, behind core.liquidity.Liquidity. A position's id is its pool.

Native coins are not taken: wrap them first. Fees are a part of what a share is worth.
"""

from collections.abc import Sequence
from decimal import Decimal

from chains.evm import erc20
from chains.evm.abi import address_at, uint_at
from chains.evm.model import Call, CallError
from core.clock import SECOND
from core.errors import Reason, Refused
from core.liquidity import LiquidityPosition, LiquidityQuote, LiquiditySpec
from core.ports import FeeOptions
from core.swaps import ApprovalMethod
from core.tokens import Token
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.families import constant_product_liquidity as pairs
from dex.families.constant_product_abi import decode_reserves
from dex.families.constant_product_liquidity import Shares
from dex.pools import PoolMarket
from dex.providing import (
    ADD,
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
_NOBODY = "0x" + "0" * 40
_READS = 6  # of each pool


class ConstantProductLiquidity:
    """The shares of the venue's pools that a wallet has."""

    def __init__(self, parts: Providing, allowances: Allowances) -> None:
        self._parts = parts
        self._allowances = allowances  # of the router

    # -- what there is

    async def positions(self, owner: str) -> Sequence[LiquidityPosition]:
        owner = self._parts.owner(owner)
        found = await self._described(owner, list(self._parts.directory))
        return [position for position in found if position.liquidity]

    async def position(self, id: str, owner: str) -> LiquidityPosition:
        if not owner:
            raise Refused(
                Reason.FIELD_REQUIRED, "shares of a pool have many owners", {"field": "wallet"}
            )
        market = await self._parts.market(id)
        (found,) = await self._described(self._parts.owner(owner), [market])
        if not found.liquidity:
            raise self._parts.missing(id, f"{owner} has no share of it")
        return found

    # -- quotes

    async def quote_add(self, spec: LiquiditySpec) -> LiquidityQuote:
        market = await self._parts.market(spec.pool)
        shares, block = await self._shares(market)
        return self._quote_add(market, shares, spec, block)

    async def quote_remove(self, id: str, owner: str, fraction: Decimal) -> LiquidityQuote:
        position = await self.position(id, owner)
        market = await self._parts.market(id)
        shares, block = await self._shares(market)
        part = part_of(position.liquidity, fraction)
        return LiquidityQuote(pair(market, shares.worth(part)), part, block)

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
        if position and (await self._parts.market(position)) != market:
            raise invalid("position", position, f"the position is not in pool {spec.pool}")
        shares, block = await self._shares(market)
        taken = self._quote_add(market, shares, spec, block).amounts
        most = in_order(market, spec.base_units, spec.quote_units)
        takes = (
            Takes(market.token0, most[0], taken.units0),
            Takes(market.token1, most[1], taken.units1),
        )
        check_method(approval, market.base, by_permit=False)
        deadline = self._parts.deadline(_DEADLINE)
        allowing = Allowing(owner, intent, approval, deadline)
        async with self._parts.allowed(self._allowances, allowing, takes, fees) as allowed:
            data = pairs.add(
                market.token0.address,
                market.token1.address,
                (allowed.units[0], allowed.units[1]),
                _least((taken.units0, taken.units1), spec.slippage),
                owner,
                deadline,
            )
            details = self._parts.details(market, market.address)
            to = self._parts.spec.deployment.router
            return await self._parts.send(Change(owner, to, data, ADD, intent, details), fees)

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
        check_slippage(slippage)
        owner = self._parts.owner(owner)
        quote = await self.quote_remove(id, owner, fraction)
        if not quote.liquidity:
            raise invalid("fraction", fraction, "so small a part of the position is nothing")
        market = await self._parts.market(id)
        share = Token(market.token0.network, market.address, "LP", 18)
        check_method(approval, share, by_permit=True)
        takes = [Takes(share, quote.liquidity, quote.liquidity)]
        deadline = self._parts.deadline(_DEADLINE)
        allowing = Allowing(owner, intent, approval, deadline)
        async with self._parts.allowed(self._allowances, allowing, takes, fees) as allowed:
            data = pairs.remove(
                market.token0.address,
                market.token1.address,
                quote.liquidity,
                _least((quote.amounts.units0, quote.amounts.units1), slippage),
                owner,
                deadline,
                allowed.permits[0].signature if allowed.permits else None,
            )
            details = self._parts.details(market, market.address) | allowed.details
            to = self._parts.spec.deployment.router
            return await self._parts.send(Change(owner, to, data, REMOVE, intent, details), fees)

    async def collect(self, id: str, owner: str, intent: str, fees: FeeOptions) -> Transaction:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            "the fees of such a pool are a part of its shares: remove liquidity to have them",
            {"venue": self._parts.spec.id, "capability": "collect"},
        )

    # --

    def _quote_add(
        self, market: PoolMarket, shares: Shares, spec: LiquiditySpec, block: int
    ) -> LiquidityQuote:
        if spec.range is not None:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                "liquidity of such a pool works at every price: leave the range out",
                {"venue": self._parts.spec.id, "capability": "range"},
            )
        units = in_order(market, spec.base_units, spec.quote_units)
        if min(units) <= 0:
            raise invalid("amount", min(units), "both amounts must be above zero")
        taken = shares.fitting(*units)
        made = shares.made(*taken)
        if made <= 0:
            raise invalid("amount", min(units), "so little makes no share of the pool; add more")
        return LiquidityQuote(pair(market, taken), made, block)

    async def _shares(self, market: PoolMarket) -> tuple[Shares, int]:
        block = self._parts.network.height
        (found,), _ = await self._read([market], _NOBODY, block)
        return found, block

    async def _described(
        self, owner: str, markets: Sequence[PoolMarket]
    ) -> list[LiquidityPosition]:
        block = self._parts.network.height
        shares, held = await self._read(markets, owner, block)
        return [
            LiquidityPosition(
                venue=self._parts.spec.id,
                id=market.address,
                pool=market.address,
                instrument=market.instrument.id,
                owner=owner,
                liquidity=mine,
                amounts=pair(market, share.worth(mine)),
                uncollected=pair(market, (0, 0)),
                range=None,
                in_range=True,
                block=block,
            )
            for market, share, mine in zip(markets, shares, held, strict=True)
        ]

    async def _read(
        self, markets: Sequence[PoolMarket], owner: str, block: int
    ) -> tuple[list[Shares], list[int]]:
        """Pools, and how many shares of each the owner has; one batched read."""
        calls = [Call(self._parts.spec.deployment.factory, pairs.fee_to())]
        for market in markets:
            calls += [Call(market.address, data) for data in pairs.pair_questions()]
            calls += [
                Call(token.address, erc20.balance_of(market.address))
                for token in (market.token0, market.token1)
            ]
            calls.append(Call(market.address, erc20.balance_of(owner)))
        answers = [_bytes(one) for one in await self._parts.network.multicall(calls, block=block)]
        is_on = address_at(answers[0]) != _NOBODY
        found, held = [], []
        for place in range(len(markets)):
            start = 1 + _READS * place
            reserves, *numbers = answers[start : start + _READS]
            supply, last_k, balance0, balance1, mine = map(uint_at, numbers)
            found.append(
                Shares(
                    *decode_reserves(reserves),
                    balance0,
                    balance1,
                    supply,
                    last_k if is_on else 0,
                    self._parts.spec.protocol.fee_share,
                )
            )
            held.append(mine)
        return found, held


def _least(units: tuple[int, int], slippage: Decimal) -> tuple[int, int]:
    """A fraction less, rounded down."""
    over, under = (1 - slippage).as_integer_ratio()
    return units[0] * over // under, units[1] * over // under


def _bytes(answer: bytes | CallError) -> bytes:
    if isinstance(answer, CallError):
        raise Refused(Reason.POOL_NOT_FOUND, f"the pool did not answer: {answer.reason}")
    return answer
