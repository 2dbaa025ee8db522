"""Market data: books, trades, tickers, candles, funding. Times are nanoseconds."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from core.orders import Side


class BookState(Enum):
    """Whether a book may be traded on; carried by every book message."""

    SYNCING = 1
    LIVE = 2
    STALE = 3


# One side of a book message as two columns of canonical decimal strings: price and quantity.
# Strings, because they go from the venue's bytes to ours without arithmetic; see core.books.
Levels = tuple[list[str], list[str]]


@dataclass(slots=True)
class BookSnapshot:
    """A whole book (to a depth), best price first; discard what came before.

    `pool_block` is the block number for a pool's curve, zero for an order book.
    """

    instrument: str
    state: BookState
    bids: Levels
    asks: Levels
    sequence: int = 0  # the venue's, where it has one
    event_time: int = 0
    receive_time: int = 0
    reason: str = ""  # why it is not live


@dataclass(slots=True)
class BookDelta:
    """Levels that changed; a quantity of "0" removes the level."""

    instrument: str
    bids: Levels
    asks: Levels
    sequence: int = 0
    event_time: int = 0
    receive_time: int = 0


BookUpdate = BookSnapshot | BookDelta


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade; `side` is the taker's."""

    instrument: str
    trade_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    event_time: int
    receive_time: int = 0


@dataclass(frozen=True, slots=True)
class Ticker:
    """The latest prices and a day's statistics; None where the venue does not tell."""

    instrument: str
    bid_price: Decimal | None = None
    bid_quantity: Decimal | None = None
    ask_price: Decimal | None = None
    ask_quantity: Decimal | None = None
    last_price: Decimal | None = None
    high_price: Decimal | None = None  # 24 h
    low_price: Decimal | None = None
    open_price: Decimal | None = None
    volume: Decimal | None = None  # base, 24 h
    quote_volume: Decimal | None = None
    event_time: int = 0
    receive_time: int = 0


@dataclass(frozen=True, slots=True)
class Candle:
    """Open, high, low, close and volume of one interval; `closed` when it is final."""

    instrument: str
    interval: int  # seconds
    open_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    closed: bool


@dataclass(frozen=True, slots=True)
class Funding:
    """A perpetual's funding and reference prices."""

    instrument: str
    rate: Decimal  # a fraction of notional for the running interval
    next_time: int
    mark_price: Decimal
    index_price: Decimal
    open_interest: Decimal | None = None  # base
    event_time: int = 0


MarketEvent = BookSnapshot | BookDelta | Trade | Ticker | Candle | Funding
