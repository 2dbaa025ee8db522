"""Orders and fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cambist.types._enum import WireEnum


class Side(WireEnum):
    """Which way an order trades, seen from the base asset."""

    UNKNOWN = 0
    BUY = 1  # Buys base for quote.
    SELL = 2  # Sells base for quote.


class OrderType(WireEnum):
    """How an order sets its price."""

    UNKNOWN = 0
    MARKET = 1  # At any price.
    LIMIT = 2  # At its price or better.
    STOP_MARKET = 3  # A market order once the price falls (sell) or rises (buy) to the trigger.
    STOP_LIMIT = 4  # A limit order once the price falls (sell) or rises (buy) to the trigger.
    # A market order once the price rises (sell) or falls (buy) to the trigger.
    TAKE_PROFIT_MARKET = 5
    # A limit order once the price rises (sell) or falls (buy) to the trigger.
    TAKE_PROFIT_LIMIT = 6


class TimeInForce(WireEnum):
    """How long an order lives."""

    UNKNOWN = 0
    GTC = 1  # Until it is canceled.
    IOC = 2  # What can fill at once fills, the rest expires.
    FOK = 3  # It fills at once as a whole, or expires.
    POST_ONLY = 4  # Until it is canceled, and refused rather than take liquidity.


class OrderStatus(WireEnum):
    """What is known of an order."""

    UNKNOWN = 0
    PENDING = 1  # Journaled; the venue has not answered yet.
    UNCONFIRMED = 2  # Sent, and no proof either way: it may be live. The daemon is finding out.
    OPEN = 3  # Live at the venue, nothing filled.
    PARTIALLY_FILLED = 4  # Live at the venue, filled in part.
    FILLED = 5  # Filled as a whole.
    CANCELED = 6  # Canceled; it may have filled in part.
    REJECTED = 7  # Proof that it never was live.
    # Ended by the venue: the rest of an IOC, a FOK that could not fill; it may have filled in part.
    EXPIRED = 8


class Liquidity(WireEnum):
    """Whether a fill made or took the price."""

    UNKNOWN = 0
    MAKER = 1  # It rested in the book.
    TAKER = 2  # It met what rested in the book or lay in the pool.


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """What an order should be."""

    account: str  # The account that trades.
    venue: str  # The venue.
    instrument: str  # The instrument.
    side: Side  # Buy or sell.
    type: OrderType  # How it sets its price.
    quantity: Decimal  # How much, in base units.
    # The limit, in quote a base unit. Required for limit orders, forbidden for market orders.
    price: Decimal | None = None
    # The trigger of stop and take-profit orders, in quote a base unit.
    trigger_price: Decimal | None = None
    # How long it lives. Required for limit orders; a market order may leave it out.
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False  # Perpetuals: only reduces a position.
    # Market orders: the worst price against the best, as a fraction. A pool's default is 0.005.
    max_slippage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order."""

    client_order_id: str  # Our id of it at the venue, derived from the request id.
    venue_order_id: str  # The venue's id of it; a pool order's transaction hash.
    request_id: str  # The request that placed it; empty for an external order.
    spec: OrderSpec  # What it is. After a replace, what it is now.
    status: OrderStatus  # What is known of it.
    filled_quantity: Decimal  # Filled so far, in base units.
    remaining_quantity: Decimal  # What may still fill, in base units.
    average_price: Decimal | None  # The average price of its fills; absent while nothing is filled.
    cancel_requested: bool  # Whether a cancel is under way.
    external: bool  # Whether it was placed outside this daemon.
    reason: str  # The venue's words for a rejection, a cancel or an expiry.
    create_time: datetime | None  # When the daemon took it.
    update_time: datetime | None  # When it changed last.


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill: a fact, by the venue's trade id or from a transaction's receipt."""

    trade_id: str  # The venue's id of the trade.
    venue: str  # The venue.
    account: str  # The account.
    instrument: str  # The instrument.
    client_order_id: str  # The order's id of ours.
    venue_order_id: str  # The order's id of the venue.
    side: Side  # Bought or sold.
    price: Decimal  # Quote a base unit.
    quantity: Decimal  # Base units.
    fee: Decimal  # What was paid for it; negative for a rebate.
    fee_asset: str  # What the fee was paid in.
    liquidity: Liquidity  # Made or took.
    event_time: datetime | None  # The venue's time.
    # More facts by name: a swap's "quoted_price", "guaranteed_price", "gas_fee", "block".
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlaceOrdersOutcome:
    """The outcome of one order of several."""

    request_id: str  # The request id of the item.
    order: Order | None  # The order; absent when it was refused or rejected.
    error_reason: str  # Why it was refused or rejected: the reason's name without the prefix.
    error_message: str  # The same in words.


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One step of an order's story."""

    time: datetime | None  # When it happened.
    kind: str  # What: "request", "check", "sent", "reply", "event".
    summary: str  # In words.
    detail_json: str  # The facts, as JSON without secrets.
