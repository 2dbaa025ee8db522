"""TradingService: orders and fills."""

import json
from collections.abc import Sequence

from cambist.v1 import trading_pb2 as pb
from core.errors import CambistError
from daemon.codec import trading as codec
from daemon.codec.scalars import decimal, timestamp
from daemon.registry import Registry
from daemon.rpc.paging import decode_token, encode_token, page_size
from daemon.rpc.rules import invalid, required
from daemon.trading import Desk
from daemon.trading.state import OrderState


class TradingService:
    """Hands everything to the desk."""

    def __init__(self, registry: Registry, desk: Desk) -> None:
        self._registry = registry
        self._desk = desk

    async def place_order(self, request: pb.PlaceOrderRequest) -> pb.PlaceOrderResponse:
        """One order."""
        state = await self._desk.place(
            request.request_id, codec.order_request(request.order), request.dry_run
        )
        return pb.PlaceOrderResponse(order=_encode(state))

    async def place_orders(self, request: pb.PlaceOrdersRequest) -> pb.PlaceOrdersResponse:
        """Several orders of one account, in order, each with its own outcome."""
        first = request.items[0].order
        ids = [item.request_id for item in request.items]
        if len(set(ids)) < len(ids):
            raise invalid("items", "must each have a request_id of its own")
        for item in request.items:
            if (item.order.account, item.order.venue) != (first.account, first.venue):
                raise invalid("items", "must all be of one account and venue")
        return pb.PlaceOrdersResponse(outcomes=await self._place_many(request.items))

    async def replace_order(self, request: pb.ReplaceOrderRequest) -> pb.ReplaceOrderResponse:
        """Changes an open order."""
        self._registry.account_venues(request.account)
        state = await self._desk.replace(
            request.request_id,
            request.account,
            request.client_order_id,
            decimal(request.quantity, "quantity"),
            decimal(request.price, "price"),
            request.dry_run,
        )
        return pb.ReplaceOrderResponse(order=_encode(state))

    async def cancel_order(self, request: pb.CancelOrderRequest) -> pb.CancelOrderResponse:
        """Asks the venue to cancel."""
        self._registry.account_venues(request.account)
        state = await self._desk.cancel(
            request.request_id, request.account, request.client_order_id
        )
        return pb.CancelOrderResponse(order=_encode(state))

    async def cancel_all_orders(
        self, request: pb.CancelAllOrdersRequest
    ) -> pb.CancelAllOrdersResponse:
        """Asks the venue to cancel whatever is open."""
        self._registry.account(request.account, request.venue)
        states = await self._desk.cancel_all(
            request.request_id, request.account, request.venue, request.instrument
        )
        return pb.CancelAllOrdersResponse(orders=[_encode(state) for state in states])

    async def get_order(self, request: pb.GetOrderRequest) -> pb.GetOrderResponse:
        """By our id, or by the request that placed it."""
        self._registry.account_venues(request.account)
        if request.client_order_id:
            state = await self._desk.get(request.account, request.client_order_id)
        elif request.request_id:
            state = await self._desk.of_request(request.account, request.request_id)
        else:
            raise required("client_order_id or request_id")
        return pb.GetOrderResponse(order=_encode(state))

    async def list_orders(self, request: pb.ListOrdersRequest) -> pb.ListOrdersResponse:
        """Newest first."""
        self._check(request.account, request.venue, request.instrument)
        scope = f"orders/{request.account}/{request.venue}/{request.instrument}/{request.open_only}"
        states, position = await self._desk.list_orders(
            account=request.account,
            venue=request.venue,
            instrument=request.instrument,
            open_only=request.open_only,
            size=page_size(request.page_size),
            before=decode_token(scope, request.page_token),
        )
        return pb.ListOrdersResponse(
            orders=[_encode(state) for state in states],
            next_page_token=encode_token(scope, position) if position else "",
        )

    async def list_fills(self, request: pb.ListFillsRequest) -> pb.ListFillsResponse:
        """Newest first."""
        self._check(request.account, request.venue, request.instrument)
        scope = (
            f"fills/{request.account}/{request.venue}/{request.instrument}/"
            f"{request.client_order_id}"
        )
        fills, position = await self._desk.list_fills(
            account=request.account,
            venue=request.venue,
            instrument=request.instrument,
            client_order_id=request.client_order_id,
            size=page_size(request.page_size),
            before=decode_token(scope, request.page_token),
        )
        return pb.ListFillsResponse(
            fills=[codec.fill(fill) for fill in fills],
            next_page_token=encode_token(scope, position) if position else "",
        )

    async def explain_order(self, request: pb.ExplainOrderRequest) -> pb.ExplainOrderResponse:
        """The order's story from the journal."""
        self._registry.account_venues(request.account)
        steps = await self._desk.explain(request.account, request.client_order_id)
        return pb.ExplainOrderResponse(
            steps=[
                pb.OrderStep(
                    time=timestamp(step.time),
                    kind=step.kind,
                    summary=step.summary,
                    detail_json=_as_json(step.detail),
                )
                for step in steps
            ]
        )

    async def _place_many(self, items: Sequence[pb.PlaceOrdersItem]) -> list[pb.PlaceOrdersOutcome]:
        found: dict[str, OrderState | CambistError] = {}
        orders = []
        for item in items:
            try:
                orders.append((item.request_id, codec.order_request(item.order)))
            except CambistError as error:
                found[item.request_id] = error
        states = await self._desk.place_many(orders)
        found.update({id: state for (id, _), state in zip(orders, states, strict=True)})
        return [_outcome(item.request_id, found[item.request_id]) for item in items]

    def _check(self, account: str, venue: str, instrument: str) -> None:
        """A filter that names what does not exist is a mistake, not an empty list."""
        if account:
            self._registry.account_venues(account)
        if venue and instrument:
            self._registry.instrument(venue, instrument)
        elif venue:
            self._registry.venue(venue)


def _outcome(request_id: str, found: OrderState | CambistError) -> pb.PlaceOrdersOutcome:
    if isinstance(found, CambistError):
        return pb.PlaceOrdersOutcome(
            request_id=request_id, error_reason=found.reason, error_message=found.message
        )
    return pb.PlaceOrdersOutcome(request_id=request_id, order=_encode(found))


def _encode(state: OrderState) -> pb.Order:
    return codec.order(state.order, state.request_id)


def _as_json(text: str) -> str:
    """What is JSON already stays as it is; a venue's answer may be anything."""
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text
