"""A replacement from its request to its proof, whichever way the venue does it.

Some venues change an order in place; others cancel it and make a new one, under the id that we gave
it. The intention is journaled with the order before it is sent, so that the new order is recognised
whenever it shows itself: in the reply, on the stream, in a query after a crash.
"""

from dataclasses import replace

from core.money import ZERO
from core.orders import Fill, Order, OrderReport, OrderStatus
from daemon.trading.ledger import quantity_left
from daemon.trading.seat import Seat
from daemon.trading.state import Replacement, Tracked


def successor(old: Order, replacement: Replacement, now: int) -> Order:
    """The order that the venue makes of another, as it was asked for."""
    request = replace(
        old.request,
        client_order_id=replacement.client_order_id,
        quantity=quantity_left(old, replacement.quantity),
        price=replacement.price,
    )
    return Order(request, create_time=now, update_time=now)


def adopted(seat: Seat, old: Tracked, report: OrderReport | Fill) -> Tracked:
    """The order that took the place of `old`, now that something was heard of it."""
    replacement = old.state.replacement
    assert replacement is not None
    order = successor(old.order, replacement, seat.ledger.now)
    quantity = report.quantity if isinstance(report, OrderReport) else None
    if quantity is not None and quantity > ZERO:
        order = replace(order, request=replace(order.request, quantity=quantity))
    return seat.ledger.become(old, order, replacement.request_id)


def settle(seat: Seat, tracked: Tracked, report: OrderReport) -> Tracked:
    """Ends a replacement by the venue's word on it; the order that is live afterwards."""
    replacement = tracked.state.replacement
    if replacement is None:  # the stream told of it before the reply came
        after = seat.ledger.known(report.client_order_id) or tracked
        seat.ledger.report(after, report)
        return after
    if report.client_order_id == replacement.client_order_id:
        after = seat.ledger.known(replacement.client_order_id) or adopted(seat, tracked, report)
        seat.ledger.report(after, report)
        return after
    order = tracked.order
    time = max(report.event_time, order.update_time)
    quantity = replacement.quantity if report.quantity is None else report.quantity
    price = replacement.price if report.price is None else report.price
    request = replace(order.request, quantity=quantity, price=price)
    # Said here and not left to the report: fills may have ended the order already.
    if request != order.request:
        order = replace(order, request=request, update_time=time)
    id = replacement.request_id
    done = replace(tracked.state, order=order, replacement=None, replace_request_id=id)
    seat.ledger.change(tracked, done)
    seat.ledger.report(tracked, replace(report, event_time=time))
    return tracked


def drop(seat: Seat, tracked: Tracked) -> None:
    """Ends a replacement that had no effect."""
    if tracked.state.replacement is not None and seat.has_room():
        seat.ledger.change(tracked, replace(tracked.state, replacement=None))
        # What was filled meanwhile may be all of it, now that it stays as it was.
        seat.ledger.status(tracked, tracked.order.status, "")


async def find_out(seat: Seat, tracked: Tracked) -> Tracked | None:
    """Asks the venue whether a replacement took effect: the order that is live (or was last), or
    None while nothing is proven. Raises what the account raises."""
    replacement = tracked.state.replacement
    assert replacement is not None
    account, ledger = seat.account, seat.ledger
    asked = seat.journal.clock.monotonic()
    theirs = {order.client_order_id: order for order in await account.open_orders()}
    made = ledger.known(replacement.client_order_id)
    if made is not None:
        return made  # its own reports came meanwhile
    if replacement.client_order_id in theirs:
        return settle(seat, tracked, as_report(theirs[replacement.client_order_id]))
    candidate = successor(tracked.order, replacement, ledger.now)
    report = await account.query(candidate)
    if report is not None:
        return settle(seat, tracked, replace(report, client_order_id=candidate.client_order_id))
    if tracked.id in theirs:
        report = as_report(theirs[tracked.id])
    else:  # it may have been changed, and have ended since
        report = await account.query(seat.for_venue(tracked.order))
    if report is not None and _is(report, tracked.order, replacement):
        return settle(seat, tracked, replace(report, client_order_id=tracked.id))
    if asked - tracked.sent < account.settle_time:
        return None
    drop(seat, tracked)
    return tracked


def _is(now: OrderReport, before: Order, replacement: Replacement) -> bool:
    """Whether an order that kept its id is what the replacement asked for, and was not before."""
    terms = now.price, now.quantity
    quantities = replacement.quantity, quantity_left(before, replacement.quantity)
    asked = terms[0] == replacement.price and terms[1] in quantities
    return asked and terms != (replacement.old_price, replacement.old_quantity)


def as_report(order: Order) -> OrderReport:
    """What an order of the venue's list says of it."""
    return OrderReport(
        client_order_id=order.client_order_id,
        status=OrderStatus.OPEN if not order.is_final else order.status,
        venue_order_id=order.venue_order_id,
        filled_quantity=order.filled_quantity,
        filled_notional=order.filled_notional or None,
        quantity=order.request.quantity,
        price=order.request.price,
        reason=order.reason,
        event_time=order.update_time,
    )
