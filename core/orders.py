"""Orders and fills, and how what a venue says about an order changes what we know of it."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum

from core.money import ZERO


class Side(Enum):
    """Which way an order trades, seen from the base asset."""

    BUY = 1
    SELL = 2


class OrderType(Enum):
    """How an order sets its price; the stop kinds rest at the venue until their trigger price."""

    MARKET = 1
    LIMIT = 2
    STOP_MARKET = 3
    STOP_LIMIT = 4
    TAKE_PROFIT_MARKET = 5
    TAKE_PROFIT_LIMIT = 6


class TimeInForce(Enum):
    """How long an order lives."""

    GTC = 1
    IOC = 2
    FOK = 3
    POST_ONLY = 4  # GTC that is refused rather than take liquidity


class OrderStatus(Enum):
    """What is known of an order. The numbers are those of the wire."""

    PENDING = 1  # journaled; the venue has not answered yet
    UNCONFIRMED = 2  # sent, outcome unknown: it may be live; exposure stays reserved
    OPEN = 3
    PARTIALLY_FILLED = 4
    FILLED = 5
    CANCELED = 6
    REJECTED = 7  # proof that it never was live
    EXPIRED = 8  # ended by the venue: IOC remainder, FOK, self-trade, time


FINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)

# How far each status is along an order's life. A report never moves an order back.
_RANK = {
    OrderStatus.PENDING: 0,
    OrderStatus.UNCONFIRMED: 1,
    OrderStatus.OPEN: 2,
    OrderStatus.PARTIALLY_FILLED: 3,
    OrderStatus.REJECTED: 4,
    OrderStatus.EXPIRED: 4,
    OrderStatus.CANCELED: 4,
    OrderStatus.FILLED: 5,
}


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a bot asks for, validated. Quantity in base units, prices in quote a base unit."""

    client_order_id: str
    account: str
    venue: str
    instrument: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    max_slippage: Decimal | None = None  # market orders: a fraction of the best price


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of one order. `filled_quantity` is the venue's cumulative figure."""

    request: OrderRequest
    status: OrderStatus = OrderStatus.PENDING
    venue_order_id: str = ""
    filled_quantity: Decimal = ZERO
    filled_notional: Decimal = ZERO  # quote
    cancel_requested: bool = False
    external: bool = False  # placed outside this daemon
    reason: str = ""  # the venue's words for a rejection, expiry or cancel
    create_time: int = 0  # ns
    update_time: int = 0  # ns, the venue's where it tells

    @property
    def client_order_id(self) -> str:
        """Our id at the venue."""
        return self.request.client_order_id

    @property
    def remaining_quantity(self) -> Decimal:
        """What may still fill, in base units; zero once the order is final."""
        if self.status in FINAL:
            return ZERO
        return self.request.quantity - self.filled_quantity

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What a venue said of an order once; fields that it did not say are None or empty."""

    client_order_id: str
    status: OrderStatus
    venue_order_id: str = ""
    filled_quantity: Decimal | None = None
    filled_notional: Decimal | None = None
    quantity: Decimal | None = None  # after a replace
    price: Decimal | None = None  # after a replace
    reason: str = ""
    event_time: int = 0  # ns


def advance(order: Order, report: OrderReport, whole: Decimal = ZERO) -> Order:
    """The order after a report; the same object when the report tells nothing new.

    Monotone: reports may come late, twice and in any order, and the result does not go back. The
    cumulative quantity only grows; a final status only yields to FILLED (a cancel that raced a
    fill) or to a larger cumulative quantity; rank decides the rest. `whole` is the quantity that a
    replacement may have given the order: until that is known, less than it does not make it FILLED.
    """
    filled, notional = order.filled_quantity, order.filled_notional
    if report.filled_quantity is not None and report.filled_quantity > filled:
        filled = report.filled_quantity
        if report.filled_notional is not None:
            notional = report.filled_notional
    request = order.request
    if not order.is_final and report.event_time >= order.update_time:
        if report.quantity is not None and report.quantity != request.quantity:
            request = replace(request, quantity=report.quantity)
        if report.price is not None and report.price != request.price:
            request = replace(request, price=report.price)
    status = order.status
    if _RANK[report.status] > _RANK[status]:
        status = report.status
    if status is OrderStatus.OPEN and filled > 0:
        status = OrderStatus.PARTIALLY_FILLED
    if filled >= max(request.quantity, whole) > 0:
        status = OrderStatus.FILLED
    after = replace(
        order,
        request=request,
        status=status,
        venue_order_id=order.venue_order_id or report.venue_order_id,
        filled_quantity=filled,
        filled_notional=notional,
        reason=report.reason or order.reason,
        update_time=max(order.update_time, report.event_time),
    )
    return order if after == replace(order, update_time=after.update_time) else after


class Liquidity(Enum):
    """Whether a fill made or took the price."""

    MAKER = 1
    TAKER = 2


@dataclass(frozen=True, slots=True)
class Fill:
    """A fact: a trade of ours, by the venue's trade id or read from a transaction receipt."""

    trade_id: str
    venue: str
    account: str
    instrument: str
    client_order_id: str
    venue_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal  # paid is positive, a rebate negative
    fee_asset: str
    liquidity: Liquidity
    event_time: int  # ns
    details: dict[str, str] = field(default_factory=dict, hash=False)  # gas, quoted price, …
