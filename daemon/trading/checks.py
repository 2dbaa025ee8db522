"""What can be known of an order before anything is journaled or sent."""

from decimal import Decimal

from core.errors import Reason, Refused
from core.instruments import Instrument, InstrumentStatus
from core.money import ZERO, is_multiple, text
from core.orders import Order, OrderRequest
from daemon.trading.state import UNANSWERED


def check_request(request: OrderRequest, instrument: Instrument) -> None:
    """Raises ORDER_RULE_BROKEN for the first rule of the instrument that a new order breaks."""
    if instrument.status is not InstrumentStatus.TRADING:
        raise _broken(instrument, f"it takes no new orders now: it is {instrument.status.name}")
    breach = instrument.breach(request.quantity, request.price)
    if breach is not None:
        raise _broken(instrument, breach)
    trigger = request.trigger_price
    if trigger is not None and not is_multiple(trigger, instrument.tick_at(trigger)):
        tick = text(instrument.tick_at(trigger))
        raise _broken(
            instrument, f"trigger_price {text(trigger)} is not a multiple of the tick {tick}"
        )


def check_replacement(
    order: Order, instrument: Instrument, quantity: Decimal, price: Decimal
) -> None:
    """Raises Refused for what an order cannot become."""
    breach = instrument.breach(quantity, price)
    if breach is not None:
        raise _broken(instrument, breach)
    if order.request.price is None:
        raise _broken(instrument, f"a {order.request.type.name} order has no price to change")
    if quantity <= order.filled_quantity:
        raise Refused(
            Reason.FIELD_INVALID,
            f"quantity {text(quantity)} is not above what is filled, {text(order.filled_quantity)}:"
            " cancel the order instead",
            {"field": "quantity", "value": text(quantity)},
        )
    if order.status in UNANSWERED:
        raise Refused(
            Reason.OUTCOME_UNKNOWN,
            f"order {order.client_order_id} is not confirmed yet: wait for its event",
            {"order": order.client_order_id},
            retry_after=1_000_000_000,
        )


def final(order: Order) -> tuple[Reason, str, dict[str, str]]:
    """What to say of an order that is done."""
    id, status = order.client_order_id, order.status.name
    remaining = " in part" if ZERO < order.filled_quantity < order.request.quantity else ""
    words = f"order {id} is {status.lower()}"
    if remaining and status != "FILLED":
        words += f" after {text(order.filled_quantity)} were filled"
    return Reason.ORDER_FINAL, words, {"order": id, "status": status}


def not_found(account: str, name: str) -> Refused:
    """The error for an order that nobody knows."""
    return Refused(
        Reason.ORDER_NOT_FOUND, f"no order {name!r} in account {account!r}", {"order": name}
    )


def _broken(instrument: Instrument, words: str) -> Refused:
    metadata = {"venue": instrument.venue, "instrument": instrument.id}
    return Refused(Reason.ORDER_RULE_BROKEN, words, metadata)
