"""How a report or a fill changes an order: core.orders.advance, and whose sums count. Pure.

While a replacement is under way, the order's quantity is the old one or the new one, and fills of
the new one may come ahead of all word of it. So what fills the smaller of the two does not end the
order, and what exceeds the old one proves the new.
"""

from dataclasses import replace
from decimal import Decimal

from core.money import ZERO
from core.orders import Order, OrderReport, OrderStatus, advance
from daemon.trading.state import Tracked


def after_report(tracked: Tracked, report: OrderReport, now: int) -> Order:
    """The order after what the venue said; `now` stands in for a time that it did not tell."""
    order = tracked.order
    if _of_before(tracked, report):
        report = replace(report, quantity=None, price=None)
    if not report.event_time:
        report = replace(report, event_time=max(now, order.update_time))
    after = _proven(tracked, advance(order, report, _whole(tracked)))
    if after is order:
        return order
    if after.filled_quantity > order.filled_quantity and report.filled_notional is None:
        after = replace(after, filled_notional=ZERO)  # not known until the fills are here
    return _with_sums(after, tracked)


def _of_before(tracked: Tracked, report: OrderReport) -> bool:
    """Whether a report's terms may be those of before a change of ours: it knows of fewer fills, or
    does not prove to be newer than the change. The change's own terms came with its answer."""
    order, filled = tracked.order, report.filled_quantity
    if filled is not None and filled < order.filled_quantity:
        return True
    return bool(tracked.state.replace_request_id) and report.event_time <= order.update_time


def after_fills(tracked: Tracked, time: int) -> Order:
    """The order after its fills were counted: where the venue's reports lag, the facts are ahead.
    `time` is the newest fill's."""
    order, filled = tracked.order, tracked.quantity
    if filled <= order.filled_quantity:
        return _with_sums(order, tracked)
    report = OrderReport(
        client_order_id=order.client_order_id,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_quantity=filled,
        filled_notional=tracked.notional,
        event_time=time,
    )
    after = _proven(tracked, advance(order, report, _whole(tracked)))
    return _with_sums(after, tracked)


def _whole(tracked: Tracked) -> Decimal:
    pending = tracked.state.replacement
    return ZERO if pending is None else pending.quantity


def _proven(tracked: Tracked, after: Order) -> Order:
    """The order with its new terms, where it has filled more than it could with the old ones."""
    pending = tracked.state.replacement
    if pending is None or not after.request.quantity < after.filled_quantity <= pending.quantity:
        return after
    request = replace(after.request, quantity=pending.quantity, price=pending.price)
    return replace(after, request=request)


def _with_sums(order: Order, tracked: Tracked) -> Order:
    """Fills are exact; a venue's sum may be rounded. So they count as soon as they are complete."""
    complete = tracked.quantity == order.filled_quantity and tracked.quantity > ZERO
    if complete and order.filled_notional != tracked.notional:
        return replace(order, filled_notional=tracked.notional)
    return order
