"""Placing orders: journaled first, sent once, and never thought rejected without proof."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.errors import CambistError, Reason, Refused, Rejected
from core.ids import client_order_id
from core.orders import Order, OrderRequest, OrderStatus
from core.ports import Batching, Previewing
from core.steps import step
from daemon.access.caller import CALLER
from daemon.trading.batch import Batch, Send
from daemon.trading.checks import check_request
from daemon.trading.office import Office, Station
from daemon.trading.state import UNANSWERED, OrderState, Tracked

_log = structlog.get_logger("desk")


async def place_many(
    office: Office, items: Sequence[tuple[str, OrderRequest]]
) -> list[OrderState | CambistError]:
    """See Desk.place_many."""
    batch = _batch(office, [request for _, request in items])

    async def one(number: int) -> OrderState | CambistError:
        request_id, request = items[number]
        try:
            return await place(
                office, request_id, request, False, batch.send(number) if batch else None
            )
        except CambistError as error:
            return error
        finally:
            if batch is not None:
                batch.leave(number)

    if batch is None:
        return [await one(number) for number in range(len(items))]
    return await asyncio.gather(*(one(number) for number in range(len(items))))


def _batch(office: Office, requests: Sequence[OrderRequest]) -> Batch | None:
    """Where they leave together; None where each goes by itself."""
    if len({(request.account, request.venue) for request in requests}) != 1 or len(requests) < 2:
        return None
    try:
        account = office.station(requests[0].account, requests[0].venue).account
    except CambistError:
        return None  # each is told so
    return Batch(account, len(requests)) if isinstance(account, Batching) else None


async def place(
    office: Office, request_id: str, request: OrderRequest, dry_run: bool, send: Send | None = None
) -> OrderState:
    """See Desk.place; `send` is for orders that leave together."""
    station = office.station(request.account, request.venue)
    earlier = await station.ledger.of_request(request_id)
    if earlier is not None:
        _same_order(request_id, earlier.state, request)
        if not earlier.state.refused:
            return _outcome(earlier.state)
    office.require_open(station)
    check_request(request, office.directory.instrument(request.venue, request.instrument))
    state = _state(office, station, request_id, request, earlier)
    with step("risk.prices"):
        admission = await office.risk.prepare(state.order.request)
    with step("venue.check", venue=request.venue):
        await station.account.check(state.order.request)
    with step("risk.admit"):
        office.risk.admit(admission)
    if dry_run:
        if isinstance(station.account, Previewing):
            await station.account.preview(state.order.request)
        return state
    office.require_open(station)  # the check may have taken its time
    meanwhile = station.ledger.requested(request_id)
    if meanwhile is not None and meanwhile is not earlier:
        return _outcome(meanwhile.state)  # a call with the same id was faster
    office.risk.admit(admission)  # others may have been faster; nothing is awaited from here on
    tracked, written = station.ledger.begin(state)
    office.risk.taken(admission)
    with station.calling(tracked):
        try:
            with step("journal.write"):
                await written
        except BaseException:
            station.ledger.withdraw(tracked)
            raise
        with step("venue.place", venue=request.venue):
            await _send(station, tracked, send or station.account.place)
    return _outcome(tracked.state)


def _state(
    office: Office,
    station: Station,
    request_id: str,
    request: OrderRequest,
    earlier: Tracked | None,
) -> OrderState:
    """A new order. One of the same request that never left the daemon keeps its id to itself."""
    attempt = earlier.state.attempt + 1 if earlier is not None else 0
    rule = station.account.client_id_rule
    # Even numbers: a replacement's order takes the odd one.
    id = client_order_id(office.journal.daemon_id, request_id, rule, 2 * attempt)
    now = office.clock.now()
    if earlier is not None:  # the newest of a request is the one that counts; clocks are set back
        now = max(now, earlier.order.create_time + 1)
    order = Order(replace(request, client_order_id=id), create_time=now, update_time=now)
    return OrderState(order, request_id, attempt=attempt, root=CALLER.get().root)


async def _send(station: Station, tracked: Tracked, send: Send) -> None:
    try:
        report = await send(tracked.order.request)
    except Refused as error:
        _refused(station, tracked, error.message)
        raise
    except Rejected as error:
        if tracked.order.status in UNANSWERED and not tracked.order.filled_quantity:
            _conclude(station, tracked, OrderStatus.REJECTED, error.message)
            raise
        # The stream told that it is live, so the venue contradicts itself: ask.
        tracked.query_needed = True
    except CambistError as error:  # Unconfirmed, or as good as that
        _conclude(station, tracked, OrderStatus.UNCONFIRMED, error.message)
    except Exception:  # noqa: BLE001 - whatever it was, the order may be live
        _log.exception("place_failed", order=tracked.id, venue=station.seat.venue)
        words = "an internal error while it was sent: finding out"
        _conclude(station, tracked, OrderStatus.UNCONFIRMED, words)
    else:
        station.seat.told(tracked, report)


def _refused(station: Station, tracked: Tracked, reason: str) -> None:
    if station.seat.has_room():
        order = replace(
            tracked.order,
            status=OrderStatus.REJECTED,
            reason=f"not sent: {reason}",
            update_time=station.ledger.now,
        )
        station.ledger.change(tracked, replace(tracked.state, order=order, refused=True))


def _conclude(station: Station, tracked: Tracked, status: OrderStatus, why: str) -> None:
    if station.seat.has_room():
        station.ledger.status(tracked, status, why)


def _same_order(request_id: str, state: OrderState, request: OrderRequest) -> None:
    now = state.order.request
    # A venue or a replacement may have changed these; the journal's intents compare the whole body.
    asked = replace(
        request, client_order_id=now.client_order_id, quantity=now.quantity, price=now.price
    )
    if asked != now:
        raise Refused(
            Reason.REQUEST_ID_REUSED,
            f"request_id {request_id!r} was used for another order: take a new one",
            {"request_id": request_id},
        )


def _outcome(state: OrderState) -> OrderState:
    """The state, or the error that a rejection is."""
    if state.order.status is OrderStatus.REJECTED:
        raise Rejected(Reason.ORDER_REJECTED, state.order.reason or "the venue rejected the order")
    return state
