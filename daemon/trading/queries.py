"""What can be asked of the orders, fills and payments in the journal."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.json_format import MessageToJson

from cambist.v1 import events_pb2 as pb
from cambist.v1 import trading_pb2
from core.accounts import FundingPayment
from core.orders import Fill
from daemon.journal.positions import Position
from daemon.journal.store import EventRow, Filter, TrafficRow
from daemon.journal.values import unpack
from daemon.trading.checks import not_found
from daemon.trading.office import Office
from daemon.trading.state import OrderState

_STORY = 1000  # steps at most


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order's story; `kind` is "request", "check", "sent", "reply" or
    "event"; `detail` is JSON, or what a venue answered."""

    time: int
    kind: str
    summary: str
    detail: str


async def get(office: Office, account: str, client_order_id: str) -> OrderState:
    """See Desk.get."""
    row = await office.journal.read(
        lambda store: store.order(account, "", client_order_id), after_writes=True
    )
    if row is None:
        raise not_found(account, client_order_id)
    return _newest(office, OrderState.of(row))


async def of_request(office: Office, account: str, request_id: str) -> OrderState:
    """See Desk.of_request."""
    row = await office.journal.read(
        lambda store: store.order_of_request(account, request_id), after_writes=True
    )
    if row is None:
        raise not_found(account, request_id)
    return _newest(office, OrderState.of(row))


async def list_orders(
    office: Office, where: Filter, size: int, before: str
) -> tuple[Sequence[OrderState], str]:
    """See Desk.list_orders."""
    after = Position.parse(before)
    rows = await office.journal.read(
        lambda store: store.orders(where, after, size + 1), after_writes=True
    )
    position = ""
    if len(rows) > size:
        last = rows[size - 1]
        position = Position.text((last.create_time, last.account, last.venue, last.client_order_id))
    states = [_newest(office, OrderState.of(row)) for row in rows[:size]]
    if where.open_only:
        states = [state for state in states if not state.order.is_final]
    return states, position


def _newest(office: Office, state: OrderState) -> OrderState:
    """What memory knows may be ahead of the disk."""
    request = state.order.request
    tracked = office.known(request.account, request.venue, request.client_order_id)
    return tracked.state if tracked is not None else state


async def list_fills(
    office: Office, where: Filter, size: int, before: str
) -> tuple[Sequence[Fill], str]:
    """See Desk.list_fills."""
    after = Position.parse(before)
    rows = await office.journal.read(
        lambda store: store.fills(where, after, size + 1), after_writes=True
    )
    position = ""
    if len(rows) > size:
        last = rows[size - 1]
        position = Position.text((last.event_time, last.account, last.venue, last.trade_id))
    return [unpack(row.data, Fill) for row in rows[:size]], position


async def list_funding_payments(
    office: Office, where: Filter, size: int, before: str
) -> tuple[Sequence[FundingPayment], str]:
    """See Desk.list_funding_payments."""
    after = Position.parse(before)
    rows = await office.journal.read(
        lambda store: store.funding(where, after, size + 1), after_writes=True
    )
    position = ""
    if len(rows) > size:
        last = rows[size - 1]
        position = Position.text((last.event_time, last.account, last.venue, last.payment_id))
    return [unpack(row.data, FundingPayment) for row in rows[:size]], position


async def explain(office: Office, account: str, client_order_id: str) -> Sequence[Step]:
    """See Desk.explain."""
    rows = await office.journal.read(
        lambda store: store.story(account, client_order_id, _STORY), after_writes=True
    )
    if not rows:
        raise not_found(account, client_order_id)
    sent = await office.journal.read(
        lambda store: store.traffic(account, client_order_id, _STORY), after_writes=True
    )
    state = await get(office, account, client_order_id)
    steps = [_step(row, state, first=not number) for number, row in enumerate(rows)]
    if steps[0].kind == "request":
        root = f"the token of {state.root}" if state.root else "its token"
        words = f"{root} allows it; it is within the limits and the instrument's rules; journaled"
        steps.insert(1, Step(steps[0].time, "check", words, "{}"))
    steps += [_exchange(row) for row in sent]
    return sorted(steps, key=lambda step: step.time)


def _exchange(row: TrafficRow) -> Step:
    text = row.data.decode(errors="replace")
    if row.sent:
        return Step(row.time, "sent", f"{row.venue}: {row.summary}", text)
    return Step(row.time, "reply", f"{row.venue}: {row.summary}", text)


def _step(row: EventRow, state: OrderState, first: bool) -> Step:
    event = pb.Event.FromString(row.data)
    detail = MessageToJson(event, preserving_proto_field_name=True, indent=None)
    if event.HasField("fill"):
        fill = event.fill
        side = trading_pb2.Side.Name(fill.side).removeprefix("SIDE_").lower()
        words = f"filled: {side} {fill.quantity} at {fill.price}, fee {fill.fee} {fill.fee_asset}"
        return Step(row.time, "event", words, detail)
    order = event.order
    status = trading_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_")
    words = f"{status.lower()}: {order.filled_quantity} of {order.spec.quantity} filled"
    if order.cancel_requested:
        words += ", cancel requested"
    if order.reason:
        words += f"; {order.reason}"
    kind = "event"
    if first and status == "PENDING":
        kind = "request"
        words = f"request {order.request_id} of {state.root or 'nobody that is known'}"
    return Step(row.time, kind, words, detail)
