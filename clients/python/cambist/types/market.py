"""Market data, as values. The live book is in `cambist.book`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from cambist.types._enum import WireEnum
from cambist.types.trading import Side


class BookState(WireEnum):
    """Whether a book may be traded on."""

    UNKNOWN = 0
    SYNCING = 1  # Being built; its levels are incomplete.
    LIVE = 2  # As the venue shows it.
    STALE = 3  # Something was missed or the feed is silent; it is being rebuilt.


class EventKind(WireEnum):
    """What an event of a market-data stream is."""

    UNKNOWN = 0
    SNAPSHOT = 1  # The whole state: discard what you had.
    CHANGE = 2  # A change to apply.
    HEARTBEAT = 3  # Nothing happened; the stream is alive.


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade."""

    trade_id: str  # The venue's id of it.
    side: Side  # The taker's side.
    price: Decimal  # Quote a base unit.
    quantity: Decimal  # Base units.
    event_time: datetime | None  # The venue's time.
    receive_time: datetime | None  # When the daemon received it.


@dataclass(frozen=True, slots=True)
class Ticker:
    """Latest prices and 24 hours' statistics; a field is None where the venue does not tell."""

    bid_price: Decimal | None  # The best bid.
    bid_quantity: Decimal | None  # Its quantity in base units.
    ask_price: Decimal | None  # The best ask.
    ask_quantity: Decimal | None  # Its quantity in base units.
    last_price: Decimal | None  # The last trade's price.
    high_price: Decimal | None  # The highest price.
    low_price: Decimal | None  # The lowest price.
    open_price: Decimal | None  # The price 24 hours ago.
    volume: Decimal | None  # Traded base units.
    quote_volume: Decimal | None  # Traded quote units.
    event_time: datetime | None  # The venue's time.
    receive_time: datetime | None  # When the daemon received it.


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices and volume of an interval."""

    open_time: datetime | None  # When the interval began.
    open: Decimal  # The first price.
    high: Decimal  # The highest price.
    low: Decimal  # The lowest price.
    close: Decimal  # The last price.
    volume: Decimal  # Traded base units.
    quote_volume: Decimal  # Traded quote units.
    closed: bool  # Whether it can change no more.
    interval: timedelta | None  # How long the interval is.


@dataclass(frozen=True, slots=True)
class Funding:
    """Funding and reference prices of a perpetual."""

    # The rate of the running interval, a fraction of notional; longs pay when positive.
    rate: Decimal
    next_time: datetime | None  # When it is paid next.
    mark_price: Decimal  # The price that margins are reckoned with.
    index_price: Decimal  # The price of the underlying.
    open_interest: Decimal | None  # Open interest in base units, where the venue tells.
    event_time: datetime | None  # The venue's time.
