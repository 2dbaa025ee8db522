"""Swapping tokens in pools, with what only a pool has: quotes, approvals, gas."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cambist.convert import decode, optional_text, text
from cambist.services._base import Service, fee_options, new_request_id
from cambist.streams import Reconnecting, Values
from cambist.types import ApprovalMethod, FeeStrategy, Pool, Quote, SwapMode, Transaction
from cambist.v1 import swaps_pb2 as v1
from cambist.v1.swaps_pb2_grpc import SwapServiceStub

if TYPE_CHECKING:
    from cambist.convert import Amount
    from cambist.fees import FeeOptions
    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Swapped(NamedTuple):
    """A swap that was sent: its transaction, None in a dry run, and the quote that it executes."""

    transaction: Transaction | None
    quote: Quote


class Swaps(Service):
    """Pools, quotes and swaps."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = SwapServiceStub(rpc.channel)

    def list_pools(self, venue: str, *, page_size: int = 0) -> Pages[Pool]:
        """The pools of a venue, by instrument."""
        request = v1.ListPoolsRequest(venue=venue, page_size=page_size)
        return self._pages(self._stub.ListPools, request, "pools", Pool)

    async def get_pool(self, venue: str, pool: str, *, timeout: float | None = None) -> Pool:
        """A pool by its address, known beforehand or not, or by our id of its market."""
        request = v1.GetPoolRequest(venue=venue, pool=pool)
        return decode(Pool, (await self._rpc.call(self._stub.GetPool, request, timeout)).pool)

    async def get_quote(
        self,
        venue: str,
        token_in: str,
        token_out: str,
        amount: Amount,
        *,
        mode: SwapMode = SwapMode.EXACT_IN,
        slippage: Amount | None = None,
        limit_price: Amount | None = None,
        partial: bool = False,
        wallet: str = "",
        approval: ApprovalMethod = ApprovalMethod.EXACT,
        timeout: float | None = None,
    ) -> Quote:
        """What a swap would give now. Tokens by address or symbol; `amount` in whole tokens, of
        what goes in (EXACT_IN) or comes out (EXACT_OUT). With a wallet, also what it must approve,
        if it does so in this way, and which ways there are. `limit_price` is the worst price that a
        unit may have, out for one in; `partial` takes what can be had within it.
        """
        swap = _spec(venue, token_in, token_out, amount, mode, slippage, limit_price, partial)
        request = v1.GetQuoteRequest(swap=swap, wallet=wallet, approval=wire_method(approval))
        return decode(Quote, (await self._rpc.call(self._stub.GetQuote, request, timeout)).quote)

    def quotes(
        self,
        venue: str,
        token_in: str,
        token_out: str,
        amount: Amount,
        *,
        mode: SwapMode = SwapMode.EXACT_IN,
        slippage: Amount | None = None,
        limit_price: Amount | None = None,
        partial: bool = False,
    ) -> Values[v1.StreamQuotesResponse, Quote]:
        """A quote at each block."""
        request = v1.StreamQuotesRequest(
            swap=_spec(venue, token_in, token_out, amount, mode, slippage, limit_price, partial)
        )
        source = Reconnecting(self._rpc, self._stub.StreamQuotes, lambda: request)
        return Values(source, _quote)

    async def swap(
        self,
        quote: Quote | str,
        *,
        wallet: str,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        deadline_seconds: int = 0,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
        dry_run: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Swapped:
        """Executes a quote: what it guarantees holds, or nothing happens. The transaction is not
        final yet; the fill comes as an event. `approval` is how the token that goes in is let to be
        taken, where it is not yet.
        """
        request = v1.SwapRequest(
            request_id=new_request_id(request_id),
            wallet=wallet,
            quote_id=quote if isinstance(quote, str) else quote.id,
            fees=fee_options(strategy, max_fee),
            deadline_seconds=deadline_seconds,
            approval=wire_method(approval),
            dry_run=dry_run,
        )
        return await self._swap(request, timeout)

    async def swap_now(
        self,
        venue: str,
        token_in: str,
        token_out: str,
        amount: Amount,
        *,
        wallet: str,
        mode: SwapMode = SwapMode.EXACT_IN,
        slippage: Amount | None = None,
        limit_price: Amount | None = None,
        partial: bool = False,
        strategy: FeeStrategy | FeeOptions | None = None,
        max_fee: Amount | None = None,
        deadline_seconds: int = 0,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
        dry_run: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Swapped:
        """Quotes and swaps in one call; the price may move by `slippage`, 0.005 when left out.
        `limit_price` and `partial` as in `get_quote`: in part, the fill tells what was traded."""
        request = v1.SwapRequest(
            request_id=new_request_id(request_id),
            wallet=wallet,
            swap=_spec(venue, token_in, token_out, amount, mode, slippage, limit_price, partial),
            fees=fee_options(strategy, max_fee),
            deadline_seconds=deadline_seconds,
            approval=wire_method(approval),
            dry_run=dry_run,
        )
        return await self._swap(request, timeout)

    async def _swap(self, request: v1.SwapRequest, timeout: float | None) -> Swapped:
        response = await self._rpc.call(self._stub.Swap, request, timeout)
        transaction = None
        if response.HasField("transaction"):
            transaction = decode(Transaction, response.transaction)
        return Swapped(transaction, decode(Quote, response.quote))


def wire_method(approval: ApprovalMethod) -> v1.ApprovalMethod.ValueType:
    """As requests have it."""
    return v1.ApprovalMethod.ValueType(approval.value)


def _spec(
    venue: str,
    token_in: str,
    token_out: str,
    amount: Amount,
    mode: SwapMode,
    slippage: Amount | None,
    limit_price: Amount | None,
    partial: bool,
) -> v1.SwapSpec:
    return v1.SwapSpec(
        venue=venue,
        token_in=token_in,
        token_out=token_out,
        mode=v1.SwapMode.ValueType(mode.value),
        amount=text(amount),
        slippage=optional_text(slippage),
        limit_price=optional_text(limit_price),
        partial=partial,
    )


def _quote(
    response: v1.StreamQuotesResponse, _: Values[v1.StreamQuotesResponse, Quote]
) -> list[Quote]:
    return [decode(Quote, response.quote)] if response.HasField("quote") else []
