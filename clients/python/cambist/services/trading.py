"""Orders and fills: the same for an exchange and for a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cambist.convert import decode, exact, optional_text, text
from cambist.services._base import Service, new_request_id
from cambist.types import (
    Fill,
    Order,
    OrderSpec,
    OrderStep,
    OrderType,
    PlaceOrdersOutcome,
    Side,
    TimeInForce,
)
from cambist.v1 import trading_pb2 as v1
from cambist.v1.trading_pb2_grpc import TradingServiceStub

if TYPE_CHECKING:
    from cambist.convert import Amount
    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Trading(Service):
    """Placing, changing and following orders.

    Every mutation takes a `request_id`; without one a new one is made. A call that is repeated with
    the same id and the same arguments has its effect once and the same answer: keep the id where a
    restart of the bot must not lose it. An order that is UNCONFIRMED may be live; it is not
    rejected.
    """

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = TradingServiceStub(rpc.channel)

    async def place_order(
        self,
        venue: str,
        instrument: str,
        side: Side,
        quantity: Amount,
        *,
        account: str,
        price: Amount | None = None,
        type: OrderType | None = None,
        trigger_price: Amount | None = None,
        time_in_force: TimeInForce | None = None,
        reduce_only: bool = False,
        max_slippage: Amount | None = None,
        dry_run: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Order:
        """Places an order: a limit order where there is a price, good till canceled unless
        `time_in_force` says otherwise; else a market order. Quantity in base units.
        """
        if type is None:
            if trigger_price is not None:
                raise ValueError("an order with a trigger price needs its type, such as STOP_LIMIT")
            type = OrderType.MARKET if price is None else OrderType.LIMIT
        if time_in_force is None and price is not None:
            time_in_force = TimeInForce.GTC
        spec = OrderSpec(
            account=account,
            venue=venue,
            instrument=instrument,
            side=side,
            type=type,
            quantity=exact(quantity),
            price=None if price is None else exact(price),
            trigger_price=None if trigger_price is None else exact(trigger_price),
            time_in_force=time_in_force,
            reduce_only=reduce_only,
            max_slippage=None if max_slippage is None else exact(max_slippage),
        )
        request = v1.PlaceOrderRequest(
            request_id=new_request_id(request_id), order=_spec(spec), dry_run=dry_run
        )
        return decode(Order, (await self._rpc.call(self._stub.PlaceOrder, request, timeout)).order)

    async def place_orders(
        self,
        orders: Sequence[OrderSpec],
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> list[PlaceOrdersOutcome]:
        """Places several orders of one account and venue, each with its own outcome.

        The n-th order has the request id `<request_id>-<n>`, from 1.
        """
        call_id = new_request_id(request_id)
        items = [
            v1.PlaceOrdersItem(request_id=f"{call_id}-{n}", order=_spec(order))
            for n, order in enumerate(orders, 1)
        ]
        request = v1.PlaceOrdersRequest(request_id=call_id, items=items)
        response = await self._rpc.call(self._stub.PlaceOrders, request, timeout)
        return [decode(PlaceOrdersOutcome, outcome) for outcome in response.outcomes]

    async def replace_order(
        self,
        client_order_id: str,
        *,
        account: str,
        quantity: Amount,
        price: Amount,
        dry_run: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Order:
        """Changes an open order. `quantity` is the new whole, what is filled included."""
        request = v1.ReplaceOrderRequest(
            request_id=new_request_id(request_id),
            account=account,
            client_order_id=client_order_id,
            quantity=text(quantity),
            price=text(price),
            dry_run=dry_run,
        )
        response = await self._rpc.call(self._stub.ReplaceOrder, request, timeout)
        return decode(Order, response.order)

    async def cancel_order(
        self,
        client_order_id: str,
        *,
        account: str,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Order:
        """Asks the venue to cancel; `cancel_requested` is true while it has not confirmed."""
        request = v1.CancelOrderRequest(
            request_id=new_request_id(request_id), account=account, client_order_id=client_order_id
        )
        return decode(Order, (await self._rpc.call(self._stub.CancelOrder, request, timeout)).order)

    async def cancel_all_orders(
        self,
        venue: str,
        *,
        account: str,
        instrument: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> list[Order]:
        """Cancels all open orders of an account on a venue, or of one instrument there."""
        request = v1.CancelAllOrdersRequest(
            request_id=new_request_id(request_id),
            account=account,
            venue=venue,
            instrument=instrument,
        )
        response = await self._rpc.call(self._stub.CancelAllOrders, request, timeout)
        return [decode(Order, order) for order in response.orders]

    async def get_order(
        self,
        client_order_id: str = "",
        *,
        account: str,
        request_id: str = "",
        timeout: float | None = None,
    ) -> Order:
        """One order, by our id of it or by the request that placed it."""
        request = v1.GetOrderRequest(
            account=account, client_order_id=client_order_id, request_id=request_id
        )
        return decode(Order, (await self._rpc.call(self._stub.GetOrder, request, timeout)).order)

    def list_orders(
        self,
        *,
        account: str = "",
        venue: str = "",
        instrument: str = "",
        open_only: bool = False,
        page_size: int = 0,
    ) -> Pages[Order]:
        """Orders, newest first."""
        request = v1.ListOrdersRequest(
            account=account,
            venue=venue,
            instrument=instrument,
            open_only=open_only,
            page_size=page_size,
        )
        return self._pages(self._stub.ListOrders, request, "orders", Order)

    def list_fills(
        self,
        *,
        account: str = "",
        venue: str = "",
        instrument: str = "",
        client_order_id: str = "",
        page_size: int = 0,
    ) -> Pages[Fill]:
        """Fills, newest first."""
        request = v1.ListFillsRequest(
            account=account,
            venue=venue,
            instrument=instrument,
            client_order_id=client_order_id,
            page_size=page_size,
        )
        return self._pages(self._stub.ListFills, request, "fills", Fill)

    async def explain_order(
        self, client_order_id: str, *, account: str, timeout: float | None = None
    ) -> list[OrderStep]:
        """An order's whole story from the journal, oldest step first."""
        request = v1.ExplainOrderRequest(account=account, client_order_id=client_order_id)
        response = await self._rpc.call(self._stub.ExplainOrder, request, timeout)
        return [decode(OrderStep, step) for step in response.steps]


def _spec(order: OrderSpec) -> v1.OrderSpec:
    life = order.time_in_force
    return v1.OrderSpec(
        account=order.account,
        venue=order.venue,
        instrument=order.instrument,
        side=v1.Side.ValueType(order.side.value),
        type=v1.OrderType.ValueType(order.type.value),
        quantity=text(order.quantity),
        price=optional_text(order.price),
        trigger_price=optional_text(order.trigger_price),
        time_in_force=life and v1.TimeInForce.ValueType(life.value),
        reduce_only=order.reduce_only,
        max_slippage=optional_text(order.max_slippage),
    )
