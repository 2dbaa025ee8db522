"""What can be known of an order before it is sent: the venue's rules, the clock, the money."""

from dataclasses import replace
from decimal import Decimal

from cex.engine.clock_offset import ClockOffset
from cex.engine.spec import VenueSpec
from core.clock import SECOND
from core.errors import Reason, Refused
from core.instruments import Instrument, InstrumentStatus
from core.market import BookSnapshot
from core.money import ZERO, ceil_to, floor_to, text
from core.orders import Order, OrderRequest, Side
from core.ports import VenueKind

_SLIPPAGE = Decimal("0.05")  # of a market order that names none, where the venue wants a price


def rules(spec: VenueSpec, request: OrderRequest, instrument: Instrument) -> None:
    """Raises Refused for the first rule that an order breaks."""
    metadata = {"venue": spec.id, "instrument": instrument.id}
    if (request.type, request.time_in_force) not in spec.order_types:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"{spec.name} has no {request.type.name} order with time in force "
            f"{request.time_in_force.name}",
            metadata,
        )
    if request.reduce_only and spec.kind is VenueKind.SPOT:
        raise Refused(Reason.UNSUPPORTED_BY_VENUE, "a spot order cannot be reduce-only", metadata)
    if instrument.status is not InstrumentStatus.TRADING:
        raise Refused(
            Reason.ORDER_RULE_BROKEN,
            f"{instrument.id} takes no orders now: it is {instrument.status.name}",
            metadata,
        )
    if request.reduce_only:
        # What is left of a position may be worth less than an order must be else.
        instrument = replace(instrument, min_notional=ZERO)
    breach(instrument, request.quantity, request.price)
    if request.trigger_price is not None:
        breach(instrument, request.quantity, request.trigger_price)


def breach(instrument: Instrument, quantity: Decimal, price: Decimal | None) -> None:
    """Raises Refused when quantity or price break a rule of the instrument."""
    broken = instrument.breach(quantity, price)
    if broken is not None:
        raise Refused(
            Reason.ORDER_RULE_BROKEN,
            broken,
            {"venue": instrument.venue, "instrument": instrument.id},
        )


def bound(request: OrderRequest, instrument: Instrument, book: BookSnapshot) -> Decimal:
    """The worst price that a market order may have: so far from the best. Raises Refused where
    there is none."""
    buy = request.side is Side.BUY
    levels, _ = book.asks if buy else book.bids
    if not levels:
        raise Refused(
            Reason.INSUFFICIENT_LIQUIDITY,
            f"nobody {'sells' if buy else 'buys'} {instrument.id} now",
            {"venue": instrument.venue, "instrument": instrument.id},
        )
    best = Decimal(levels[0])
    slippage = _SLIPPAGE if request.max_slippage is None else request.max_slippage
    if buy:
        worst = best * (1 + slippage)
        return max(floor_to(worst, instrument.tick_at(worst)), best)
    worst = best * (1 - slippage)
    return min(ceil_to(worst, instrument.tick_at(worst)), best)


def change(order: Order, instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
    """Raises Refused when an order cannot be changed so; `quantity` counts what is filled."""
    breach(instrument, quantity, price)
    if quantity <= order.filled_quantity:
        raise Refused(
            Reason.FIELD_INVALID,
            f"quantity {text(quantity)} is not above what is filled already, "
            f"{text(order.filled_quantity)}: cancel the order instead",
            {"field": "quantity"},
        )


def skewed(spec: VenueSpec, offset: ClockOffset) -> str:
    """What is wrong with the machine's clock; empty when it can be trusted."""
    skew = offset.skew
    if abs(skew) <= spec.max_skew:
        return ""
    return f"this machine's clock is {abs(skew) // SECOND} s off {spec.name}'s"


def clock(spec: VenueSpec, offset: ClockOffset) -> None:
    """Raises Refused when the machine's clock is too far off to be trusted."""
    if wrong := skewed(spec, offset):
        raise Refused(Reason.CLOCK_SKEW, f"{wrong}: set it before trading", {"venue": spec.id})


def need(
    spec: VenueSpec, request: OrderRequest, instrument: Instrument
) -> tuple[str, Decimal] | None:
    """The asset and amount that an order takes; None where that cannot be known beforehand: a
    market buy has no price to compute with, margin is the venue's to judge."""
    if spec.kind is not VenueKind.SPOT:
        return None
    if request.side is Side.SELL:
        return instrument.base, request.quantity
    if request.price is not None:
        return instrument.quote, request.quantity * request.price
    return None
