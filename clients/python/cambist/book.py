"""Order books: the live one, and the raw updates that it is made of.

The daemon's price strings are canonical, so a level is found by its string. A change costs a
dictionary store; `Decimal` and the order of levels are made only for who looks.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, overload

from cambist.convert import from_timestamp
from cambist.types import BookState, EventKind
from cambist.v1 import market_data_pb2 as v1

# Beyond so many changes since the last look, sorting anew is cheaper than mending.
_MEND = 64

_STATES = {state.value: state for state in BookState}
_KINDS = {kind.value: kind for kind in EventKind}


class Level(NamedTuple):
    """A price, in quote a base unit, and the quantity there, in base units."""

    price: Decimal
    quantity: Decimal


class Levels(Sequence[Level]):
    """One side of a book, the best level first. A live view: copy it (`list`) to keep it."""

    __slots__ = ("_best_is_highest", "_keys", "_prices", "_quantities", "_touched")

    def __init__(self, best_is_highest: bool) -> None:
        self._best_is_highest = best_is_highest
        self._quantities: dict[str, str] = {}
        self._prices: list[Decimal] = []  # ascending
        self._keys: list[str] = []  # the same as strings
        self._touched: set[str] | None = set()  # came or went since the last look; None: sort anew

    def replace(self, prices: Iterable[str], quantities: Iterable[str]) -> None:
        """Takes the levels of a snapshot."""
        self._quantities = dict(zip(prices, quantities, strict=True))
        self._touched = None

    def change(self, prices: Iterable[str], quantities: Iterable[str]) -> None:
        """Takes the levels of a change; the quantity "0" removes one."""
        levels = self._quantities
        touched = self._touched
        for price, quantity in zip(prices, quantities, strict=True):
            if quantity == "0":
                if levels.pop(price, None) is not None and touched is not None:
                    touched.add(price)
            else:
                if touched is not None and price not in levels:
                    touched.add(price)
                levels[price] = quantity
        if touched and len(touched) > _MEND:
            self._touched = None

    def _settle(self) -> None:
        if self._touched is None:
            pairs = sorted((Decimal(key), key) for key in self._quantities)
            self._prices = [price for price, _ in pairs]
            self._keys = [key for _, key in pairs]
        else:
            for key in self._touched:
                price = Decimal(key)
                at = bisect_left(self._prices, price)
                known = at < len(self._prices) and self._prices[at] == price
                if key in self._quantities:
                    if not known:
                        self._prices.insert(at, price)
                        self._keys.insert(at, key)
                elif known:
                    del self._prices[at]
                    del self._keys[at]
        self._touched = set()

    def __len__(self) -> int:
        return len(self._quantities)

    @overload
    def __getitem__(self, index: int) -> Level: ...
    @overload
    def __getitem__(self, index: slice) -> list[Level]: ...
    def __getitem__(self, index: int | slice) -> Level | list[Level]:
        if self._touched is None or self._touched:
            self._settle()
        if isinstance(index, slice):
            return [self._at(place) for place in range(*index.indices(len(self._keys)))]
        return self._at(index)

    def _at(self, index: int) -> Level:
        place = -1 - index if self._best_is_highest else index
        return Level(self._prices[place], Decimal(self._quantities[self._keys[place]]))

    def __iter__(self) -> Iterator[Level]:
        return iter(self[:])

    def quantity(self, price: Decimal) -> Decimal:
        """The quantity at a price, zero where there is no level."""
        text = format(price, "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return Decimal(self._quantities.get(text, "0"))

    def __repr__(self) -> str:
        return f"<{len(self)} levels, best {self[0] if self else None}>"


class OrderBook:
    """A book that follows its venue. The same object changes with each update.

    `state` says whether it may be traded on, `reason` why not. `sequence` counts the daemon's
    updates of this book; `venue_sequence` is the venue's own number, a pool's block.
    """

    __slots__ = ("_latest", "asks", "bids", "instrument", "reason", "sequence", "state", "venue")

    def __init__(self, venue: str, instrument: str) -> None:
        self.venue = venue
        self.instrument = instrument
        self.bids = Levels(best_is_highest=True)
        self.asks = Levels(best_is_highest=False)
        self.state = BookState.SYNCING
        self.reason = ""
        self.sequence = 0
        self._latest = v1.OrderBook()

    @property
    def is_live(self) -> bool:
        """Whether it is as the venue shows it now."""
        return self.state is BookState.LIVE

    @property
    def best_bid(self) -> Level | None:
        """The highest bid."""
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> Level | None:
        """The lowest ask."""
        return self.asks[0] if self.asks else None

    @property
    def mid(self) -> Decimal | None:
        """The middle of best bid and best ask."""
        if not (self.bids and self.asks):
            return None
        return (self.bids[0].price + self.asks[0].price) / 2

    @property
    def venue_sequence(self) -> int:
        """The venue's own sequence; a pool's block number."""
        return self._latest.venue_sequence

    @property
    def event_time(self) -> datetime | None:
        """The venue's time of the last update, where it tells."""
        return _time(self._latest, "event_time")

    @property
    def receive_time(self) -> datetime | None:
        """When the daemon received the last update."""
        return _time(self._latest, "receive_time")

    def apply(self, update: v1.OrderBook) -> bool:
        """Takes an update; False, and nothing is taken, where one before it is missing."""
        kind = update.kind
        if kind == v1.EVENT_KIND_CHANGE:
            if update.sequence != self.sequence + 1:
                return False
            self.bids.change(update.bid_prices, update.bid_quantities)
            self.asks.change(update.ask_prices, update.ask_quantities)
        elif kind == v1.EVENT_KIND_SNAPSHOT:
            self.bids.replace(update.bid_prices, update.bid_quantities)
            self.asks.replace(update.ask_prices, update.ask_quantities)
        else:
            return True
        self.sequence = update.sequence
        self.state = _STATES.get(update.state, BookState.UNKNOWN)
        self.reason = update.reason
        self._latest = update
        return True

    def lose(self, reason: str) -> None:
        """The feed is gone: what is here may be old."""
        self.state = BookState.STALE
        self.reason = reason

    def __repr__(self) -> str:
        return f"<OrderBook {self.venue} {self.instrument} {self.state} {self.bids} {self.asks}>"


class BookUpdate:
    """One update as it came, converted where it is looked at. `raw` is the message itself."""

    __slots__ = ("raw",)

    def __init__(self, raw: v1.OrderBook) -> None:
        self.raw = raw

    @property
    def kind(self) -> EventKind:
        """A snapshot, a change, or a heartbeat."""
        return _KINDS.get(self.raw.kind, EventKind.UNKNOWN)

    @property
    def state(self) -> BookState:
        """Whether the book may be traded on."""
        return _STATES.get(self.raw.state, BookState.UNKNOWN)

    @property
    def sequence(self) -> int:
        """Counts the updates of this book in this daemon, without gaps."""
        return self.raw.sequence

    @property
    def bids(self) -> list[Level]:
        """Levels of bids; the quantity zero in a change removes one."""
        return _levels(self.raw.bid_prices, self.raw.bid_quantities)

    @property
    def asks(self) -> list[Level]:
        """Levels of asks; the quantity zero in a change removes one."""
        return _levels(self.raw.ask_prices, self.raw.ask_quantities)

    @property
    def reason(self) -> str:
        """Why the book is not live."""
        return self.raw.reason

    @property
    def event_time(self) -> datetime | None:
        """The venue's time, where it tells."""
        return _time(self.raw, "event_time")

    @property
    def receive_time(self) -> datetime | None:
        """When the daemon received it."""
        return _time(self.raw, "receive_time")

    def __repr__(self) -> str:
        return f"<BookUpdate {self.sequence} {self.kind} {self.state}>"


class BookUpdates:
    """A batch of updates, oldest first. `raw` is the response as it came, for the fastest."""

    __slots__ = ("raw",)

    def __init__(self, raw: v1.StreamOrderBookResponse) -> None:
        self.raw = raw

    def __len__(self) -> int:
        return len(self.raw.events)

    def __iter__(self) -> Iterator[BookUpdate]:
        return map(BookUpdate, self.raw.events)


def _levels(prices: Sequence[str], quantities: Sequence[str]) -> list[Level]:
    pairs = zip(prices, quantities, strict=True)
    return [Level(Decimal(price), Decimal(quantity)) for price, quantity in pairs]


def _time(message: v1.OrderBook, name: str) -> datetime | None:
    return from_timestamp(getattr(message, name)) if message.HasField(name) else None  # type: ignore[arg-type]
