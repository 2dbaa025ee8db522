"""What the public sees of one paper market: book, trades, ticker, candles, funding.

After each command `publish` sends each subscriber what changed. Book deltas carry a sequence
without gaps; a reader that joins gets a snapshot with the sequence that the next delta follows.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal

from cex.paper.candles import Candles
from cex.paper.faults import FaultKind, Faults
from cex.paper.matching import MatchingEngine
from core.instruments import Instrument
from core.market import (
    BookDelta,
    BookSnapshot,
    BookState,
    Candle,
    Funding,
    Levels,
    MarketEvent,
    Ticker,
    Trade,
)
from core.money import text
from core.orders import Side
from core.ports import Channel, MarketSink

_TRADES_KEPT = 1_000
_TEXTS_KEPT = 50_000  # remembered strings of prices and quantities

_log = logging.getLogger(__name__)


class PaperFeed:
    """One subscription; `core.ports.Feed`."""

    def __init__(self, tape: "Tape", channel: Channel, sink: MarketSink, interval: int) -> None:
        self._tape = tape
        self.channel = channel
        self.interval = interval
        self._sink = sink

    def snapshot(self) -> MarketEvent | None:
        """The present state."""
        return self._tape.state(self.channel, self.interval)

    async def close(self) -> None:
        """Ends the subscription."""
        self._tape.leave(self)

    def send(self, event: MarketEvent) -> None:
        """Hands an event to the reader, whose failure must not stop the market."""
        try:
            self._sink(event)
        except Exception:  # noqa: BLE001 - the reader's fault
            _log.exception("a reader of %s %s failed", event.instrument, self.channel.value)


class Tape:
    """The public record of one instrument."""

    def __init__(self, instrument: Instrument, now: Callable[[], int], faults: Faults) -> None:
        self.instrument = instrument
        self.candles = Candles(instrument.id)
        self.funding: Funding | None = None
        self.trades: deque[Trade] = deque(maxlen=_TRADES_KEPT)
        self._engine = MatchingEngine()
        self._now = now
        self._faults = faults
        self._feeds: list[PaperFeed] = []
        self._sequence = 0
        self._stale = ""
        self._shown: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._prints: list[Trade] = []
        self._ticker: Ticker | None = None
        self._told_funding: Funding | None = None
        self._prices: dict[int, str] = {}
        self._quantities: dict[int, str] = {}

    # --- what the exchange calls ---

    def show(self, engine: MatchingEngine) -> None:
        """Shows this engine from now on, from a new snapshot on."""
        self._engine = engine
        self._prints.clear()
        self._resync()

    def print(self, trade: Trade) -> None:
        """Keeps a trade for the next `publish`."""
        self._prints.append(trade)

    @property
    def printed(self) -> bool:
        """Whether trades wait for `publish`."""
        return bool(self._prints)

    def publish(self) -> None:
        """Tells the readers what changed since the last call."""
        time = self._now()
        prints, self._prints = self._prints, []
        closed: list[Candle] = []
        for trade in prints:
            self.trades.append(trade)
            closed += self.candles.add(trade.price, trade.quantity, trade.event_time)
        closed += self.candles.roll(time)
        changes = self._engine.take_changes()
        if not self._feeds:
            return
        for trade in prints:
            self._send(Channel.TRADES, trade)
        self._publish_book(changes, time)
        self._publish_rest(closed)

    # --- what the venue calls ---

    def join(self, channel: Channel, sink: MarketSink, interval: int) -> PaperFeed:
        """A new subscription; its present state is sent at once."""
        if channel is Channel.BOOK and not self._reads(Channel.BOOK):
            self._resync()
        feed = PaperFeed(self, channel, sink, interval)
        self._feeds.append(feed)
        state = None if channel is Channel.TRADES else feed.snapshot()
        if state is not None:
            feed.send(state)
        return feed

    def leave(self, feed: PaperFeed) -> None:
        """Ends a subscription; safe to call twice."""
        if feed in self._feeds:
            self._feeds.remove(feed)

    def state(self, channel: Channel, interval: int) -> MarketEvent | None:
        """The newest of a channel."""
        match channel:
            case Channel.BOOK:
                return self.book(0)
            case Channel.TRADES:
                return self.trades[-1] if self.trades else None
            case Channel.TICKER:
                return self.ticker()
            case Channel.CANDLES:
                return self.candles.running(interval)
            case Channel.FUNDING:
                return self.funding

    def book(self, depth: int) -> BookSnapshot:
        """The book to a depth (0: all); a stale feed says so."""
        time = self._now()
        return BookSnapshot(
            self.instrument.id,
            BookState.STALE if self._stale else BookState.LIVE,
            self._columns(self._engine.levels(Side.BUY, depth)),
            self._columns(self._engine.levels(Side.SELL, depth)),
            self._sequence,
            time,
            time,
            self._stale,
        )

    def ticker(self) -> Ticker:
        """Best prices now and the statistics of a day."""
        time, day = self._now(), self.candles.day()
        bids, asks = self._engine.levels(Side.BUY, 1), self._engine.levels(Side.SELL, 1)
        bid = self._exact(*bids[0]) if bids else (None, None)
        ask = self._exact(*asks[0]) if asks else (None, None)
        last = self._engine.last
        return Ticker(
            instrument=self.instrument.id,
            bid_price=bid[0],
            bid_quantity=bid[1],
            ask_price=ask[0],
            ask_quantity=ask[1],
            last_price=None if last is None else last * self.instrument.price_tick,
            high_price=day.high if day else None,
            low_price=day.low if day else None,
            open_price=day.open if day else None,
            volume=day.volume if day else None,
            quote_volume=day.quote_volume if day else None,
            event_time=time,
            receive_time=time,
        )

    # --- inside ---

    def _publish_book(self, changes: dict[Side, set[int]], time: int) -> None:
        if not self._reads(Channel.BOOK):
            return
        if self._stale:
            self._resync()
            return
        bids = self._changed(Side.BUY, changes[Side.BUY])
        asks = self._changed(Side.SELL, changes[Side.SELL])
        if not bids and not asks:
            return
        self._sequence += 1
        id, venue = self.instrument.id, self.instrument.venue
        if self._faults.take(FaultKind.SKIP_SEQUENCE, venue, instrument=id) is not None:
            self._stale = f"sequence {self._sequence} is missing"
            self._send(Channel.BOOK, self.book(0))
            return
        delta = BookDelta(id, self._columns(bids), self._columns(asks), self._sequence, time, time)
        self._send(Channel.BOOK, delta)

    def _publish_rest(self, closed: list[Candle]) -> None:
        if self._reads(Channel.TICKER):
            ticker = self.ticker()
            if self._ticker is None or _differs(self._ticker, ticker):
                self._ticker = ticker
                self._send(Channel.TICKER, ticker)
        for interval in {f.interval for f in self._feeds if f.channel is Channel.CANDLES}:
            running = self.candles.take_changed(interval)
            for candle in [c for c in closed if c.interval == interval]:
                self._send(Channel.CANDLES, candle)
            if running is not None:
                self._send(Channel.CANDLES, running)
        if self.funding is not None and self.funding != self._told_funding:
            self._told_funding = self.funding
            self._send(Channel.FUNDING, self.funding)

    def _resync(self) -> None:
        """Starts the book feed anew: a whole snapshot to whoever reads."""
        self._stale = ""
        self._engine.take_changes()
        self._shown = {side: dict(self._engine.levels(side)) for side in Side}
        self._sequence += 1
        if self._reads(Channel.BOOK):
            self._send(Channel.BOOK, self.book(0))

    def _changed(self, side: Side, prices: Iterable[int]) -> list[tuple[int, int]]:
        shown, changed = self._shown[side], []
        for price in sorted(prices, reverse=side is Side.BUY):
            quantity = self._engine.level(side, price)
            if quantity != shown.get(price, 0):
                changed.append((price, quantity))
                if quantity:
                    shown[price] = quantity
                else:
                    del shown[price]
        return changed

    def _columns(self, levels: list[tuple[int, int]]) -> Levels:
        tick, step = self.instrument.price_tick, self.instrument.quantity_step
        return (
            [_text(self._prices, price, tick) for price, _ in levels],
            [_text(self._quantities, quantity, step) for _, quantity in levels],
        )

    def _exact(self, price: int, quantity: int) -> tuple[Decimal, Decimal]:
        return price * self.instrument.price_tick, quantity * self.instrument.quantity_step

    def _reads(self, channel: Channel) -> bool:
        return any(feed.channel is channel for feed in self._feeds)

    def _send(self, channel: Channel, event: MarketEvent) -> None:
        for feed in list(self._feeds):
            if feed.channel is channel and (
                not isinstance(event, Candle) or event.interval == feed.interval
            ):
                feed.send(event)


def _text(known: dict[int, str], count: int, unit: Decimal) -> str:
    found = known.get(count)
    if found is None:
        if len(known) >= _TEXTS_KEPT:
            known.clear()
        found = known[count] = text(count * unit)
    return found


def _differs(old: Ticker, new: Ticker) -> bool:
    """Whether anything but the time changed."""
    return (
        old.bid_price != new.bid_price
        or old.bid_quantity != new.bid_quantity
        or old.ask_price != new.ask_price
        or old.ask_quantity != new.ask_quantity
        or old.last_price != new.last_price
        or old.volume != new.volume
    )
