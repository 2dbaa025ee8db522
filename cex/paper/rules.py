"""Which orders a paper venue takes: checks that need nothing but the order and its instrument."""

from decimal import Decimal

from core.errors import Reason
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.money import ceil_to, floor_to, is_multiple, text
from core.orders import OrderRequest, OrderType, Side, TimeInForce

MAX_OPEN_ORDERS = 500  # an account; keeps the book, and so the memory, bounded
MAX_CLIENT_ID = 64  # characters

STOPS = frozenset(
    {
        OrderType.STOP_MARKET,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)
PRICED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})

BEYOND_SLIPPAGE = "the rest would have cost more than max_slippage allows"

Objection = tuple[Reason, str]


def objection(request: OrderRequest, instrument: Instrument) -> Objection | None:
    """The first rule that an order breaks, in words; None if it keeps all."""
    broken = _broken(request, instrument)
    if broken is not None:
        return Reason.ORDER_RULE_BROKEN, broken
    if request.reduce_only and instrument.kind is not InstrumentKind.PERPETUAL:
        return Reason.UNSUPPORTED_BY_VENUE, "reduce-only orders exist for perpetuals only"
    if instrument.kind is InstrumentKind.PERPETUAL and instrument.settle != instrument.quote:
        return Reason.UNSUPPORTED_BY_VENUE, "paper accounts trade quote-margined perpetuals only"
    return None


def rises(request: OrderRequest) -> bool:
    """Whether a stop order triggers when the last price rises to its trigger price (else falls)."""
    stop = request.type in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
    return stop == (request.side is Side.BUY)


def worst_price(request: OrderRequest, best: Decimal | None, tick: Decimal) -> Decimal | None:
    """The price that an order may trade at when the opposite side's best is `best`: its own, or
    that within a market order's max_slippage; None for any."""
    if request.price is not None or request.max_slippage is None or best is None:
        return request.price
    if request.side is Side.BUY:
        return floor_to(best * (1 + request.max_slippage), tick)
    return ceil_to(best * (1 - request.max_slippage), tick)


def change_objection(
    request: OrderRequest,
    instrument: Instrument,
    filled: Decimal,
    quantity: Decimal,
    price: Decimal,
) -> Objection | None:
    """The first rule that a change of an order breaks."""
    if not (quantity.is_finite() and price.is_finite()):
        return Reason.ORDER_RULE_BROKEN, "quantity and price must be finite numbers"
    if quantity <= filled:
        words = f"quantity {text(quantity)} must be above the {text(filled)} that are filled"
        return Reason.ORDER_RULE_BROKEN, words
    if request.type in PRICED and price <= 0:
        return Reason.ORDER_RULE_BROKEN, "price must be above zero"
    breach = instrument.breach(quantity, price if request.type in PRICED else None)
    return (Reason.ORDER_RULE_BROKEN, breach) if breach else None


def _broken(request: OrderRequest, instrument: Instrument) -> str | None:
    if instrument.status is not InstrumentStatus.TRADING:
        return f"{instrument.id} is not trading now"
    if not 0 < len(request.client_order_id) <= MAX_CLIENT_ID:
        return f"client order id must have 1 to {MAX_CLIENT_ID} characters"
    for name, value in (
        ("quantity", request.quantity),
        ("price", request.price),
        ("trigger_price", request.trigger_price),
    ):
        if value is not None and not (value.is_finite() and value > 0):
            return f"{name} must be a finite number above zero"
    priced = request.type in PRICED
    if priced != (request.price is not None):
        return f"a {request.type.name} order {'needs a' if priced else 'has no'} price"
    stop = request.type in STOPS
    if stop != (request.trigger_price is not None):
        return f"a {request.type.name} order {'needs a' if stop else 'has no'} trigger_price"
    if request.trigger_price is not None and not is_multiple(
        request.trigger_price, instrument.price_tick
    ):
        return f"trigger_price is not a multiple of the tick {text(instrument.price_tick)}"
    if not priced and request.time_in_force is TimeInForce.POST_ONLY:
        return "a market order cannot be post-only"
    if request.max_slippage is not None and not (
        not priced and request.max_slippage.is_finite() and 0 <= request.max_slippage < 1
    ):
        return "max_slippage is for market orders, and must be at least 0 and below 1"
    return instrument.breach(request.quantity, request.price)
