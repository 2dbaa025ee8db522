"""Providing liquidity to pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cambist.convert import decode, optional_text, text
from cambist.services._base import Service, fee_options, new_request_id
from cambist.services.swaps import wire_method
from cambist.types import (
    ApprovalMethod,
    FeeStrategy,
    LiquidityPosition,
    TokenAmount,
    Transaction,
)
from cambist.v1 import liquidity_pb2 as v1
from cambist.v1.liquidity_pb2_grpc import LiquidityServiceStub

if TYPE_CHECKING:
    from cambist.convert import Amount
    from cambist.fees import FeeOptions
    from cambist.pages import Pages
    from cambist.rpc import Rpc


class LiquidityQuote(NamedTuple):
    """What adding would take, or removing give, at a block. `liquidity` (the pool's own measure) is
    what adding makes, and 0 in a quote for removing."""

    amounts: tuple[TokenAmount, ...]
    liquidity: int
    block: int


class Liquidity(Service):
    """Liquidity positions: opening, changing, collecting, closing.

    `pool` is an address or our id of its market, `position` what `list_liquidity_positions` calls
    `id`. Amounts are in whole tokens, of base and quote; `price_range` is for concentrated
    liquidity, quote a base unit, and None is every price. Transactions are sent and not final yet.
    """

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = LiquidityServiceStub(rpc.channel)

    def list_liquidity_positions(
        self, venue: str, wallet: str, *, page_size: int = 0
    ) -> Pages[LiquidityPosition]:
        """Positions of a wallet, by name, or of any address."""
        request = v1.ListLiquidityPositionsRequest(venue=venue, wallet=wallet, page_size=page_size)
        return self._pages(
            self._stub.ListLiquidityPositions, request, "positions", LiquidityPosition
        )

    async def get_liquidity_position(
        self, venue: str, position: str, *, wallet: str = "", timeout: float | None = None
    ) -> LiquidityPosition:
        """One position; with its owner where the id is a pool."""
        request = v1.GetLiquidityPositionRequest(venue=venue, position=position, wallet=wallet)
        response = await self._rpc.call(self._stub.GetLiquidityPosition, request, timeout)
        return decode(LiquidityPosition, response.position)

    async def quote_add_liquidity(
        self,
        venue: str,
        pool: str,
        base_amount: Amount,
        quote_amount: Amount,
        *,
        price_range: tuple[Amount, Amount] | None = None,
        timeout: float | None = None,
    ) -> LiquidityQuote:
        """What adding would take and give."""
        spec = _spec(venue, pool, base_amount, quote_amount, price_range, None)
        request = v1.QuoteAddLiquidityRequest(liquidity=spec)
        response = await self._rpc.call(self._stub.QuoteAddLiquidity, request, timeout)
        return LiquidityQuote(_amounts(response), int(response.liquidity or 0), response.block)

    async def quote_remove_liquidity(
        self,
        venue: str,
        position: str,
        fraction: Amount,
        *,
        wallet: str = "",
        timeout: float | None = None,
    ) -> LiquidityQuote:
        """What removing would give, fees that wait besides."""
        request = v1.QuoteRemoveLiquidityRequest(
            venue=venue, position=position, wallet=wallet, fraction=text(fraction)
        )
        response = await self._rpc.call(self._stub.QuoteRemoveLiquidity, request, timeout)
        return LiquidityQuote(_amounts(response), 0, response.block)

    async def add_liquidity(
        self,
        venue: str,
        pool: str,
        base_amount: Amount,
        quote_amount: Amount,
        *,
        wallet: str,
        price_range: tuple[Amount, Amount] | None = None,
        position: str = "",
        slippage: Amount | None = None,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Opens a position, or increases `position`."""
        request = v1.AddLiquidityRequest(
            request_id=new_request_id(request_id),
            wallet=wallet,
            liquidity=_spec(venue, pool, base_amount, quote_amount, price_range, slippage),
            position=position,
            fees=fee_options(strategy, max_fee),
            approval=wire_method(approval),
        )
        response = await self._rpc.call(self._stub.AddLiquidity, request, timeout)
        return decode(Transaction, response.transaction)

    async def remove_liquidity(
        self,
        venue: str,
        position: str,
        fraction: Amount,
        *,
        wallet: str,
        slippage: Amount | None = None,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Takes a fraction out, with all fees; 1 closes the position."""
        request = v1.RemoveLiquidityRequest(
            request_id=new_request_id(request_id),
            wallet=wallet,
            venue=venue,
            position=position,
            fraction=text(fraction),
            slippage=optional_text(slippage),
            fees=fee_options(strategy, max_fee),
            approval=wire_method(approval),
        )
        response = await self._rpc.call(self._stub.RemoveLiquidity, request, timeout)
        return decode(Transaction, response.transaction)

    async def collect_fees(
        self,
        venue: str,
        position: str,
        *,
        wallet: str,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Collects a position's fees."""
        request = v1.CollectFeesRequest(
            request_id=new_request_id(request_id),
            wallet=wallet,
            venue=venue,
            position=position,
            fees=fee_options(strategy, max_fee),
        )
        response = await self._rpc.call(self._stub.CollectFees, request, timeout)
        return decode(Transaction, response.transaction)


def _spec(
    venue: str,
    pool: str,
    base_amount: Amount,
    quote_amount: Amount,
    price_range: tuple[Amount, Amount] | None,
    slippage: Amount | None,
) -> v1.LiquiditySpec:
    prices = None
    if price_range is not None:
        lower, upper = price_range
        prices = v1.PriceRange(lower_price=text(lower), upper_price=text(upper))
    return v1.LiquiditySpec(
        venue=venue,
        pool=pool,
        base_amount=text(base_amount),
        quote_amount=text(quote_amount),
        range=prices,
        slippage=optional_text(slippage),
    )


def _amounts(response: Any) -> tuple[TokenAmount, ...]:
    return tuple(decode(TokenAmount, amount) for amount in response.amounts)
