"""Opens a venue's feed when the first subscriber comes, and closes it after the last has left."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from cambist.v1 import market_data_pb2 as pb
from core.errors import Reason
from core.instruments import Instrument
from core.market import (
    BookDelta,
    BookSnapshot,
    BookState,
    Candle,
    Funding,
    MarketEvent,
    Ticker,
    Trade,
)
from core.ports import Channel, Feed, Venue
from daemon.codec import market as codec
from daemon.codec.book_changes import book_change
from daemon.streams.topic import Topic

# A subscriber that comes back soon finds the feed still running.
LINGER_SECONDS = 5

_SNAPSHOT, _CHANGE, _HEARTBEAT = (
    int(pb.EVENT_KIND_SNAPSHOT),
    int(pb.EVENT_KIND_CHANGE),
    int(pb.EVENT_KIND_HEARTBEAT),
)

Key = tuple[str, Channel, str, int]
Value = TypeVar("Value", Trade, Ticker, Candle, Funding)


class _Stream:
    """A topic, the feed that fills it, and how many read it."""

    def __init__(self, channel: Channel) -> None:
        self.topic = _TOPICS[channel](lambda: self.feed)
        self.feed: Feed | None = None
        self.readers = 0
        self.lock = asyncio.Lock()


class Hub:
    """All running market-data streams. `heartbeat` is the longest silence, in nanoseconds."""

    def __init__(self, heartbeat: int) -> None:
        self._heartbeat = heartbeat
        self._streams: dict[Key, _Stream] = {}
        self._lingering: set[asyncio.Task[None]] = set()

    async def read(
        self,
        venue: Venue,
        channel: Channel,
        instrument: Instrument,
        depth: int = 0,
        interval: int = 0,
    ) -> AsyncIterator[bytes]:
        """Messages for one subscriber, each the concatenation of events of the response."""
        async with self._subscribed(venue, channel, instrument, interval) as topic:
            async for message in topic.read(depth, self._heartbeat):
                yield message

    @property
    def readers(self) -> dict[tuple[str, str], int]:
        """How many read a venue's streams, by venue and channel."""
        counts: Counter[tuple[str, str]] = Counter()
        for (venue, channel, _, _), stream in self._streams.items():
            counts[venue, channel.name.lower()] += stream.readers
        return counts

    async def close(self) -> None:
        """Ends every subscription and feed."""
        for task in self._lingering:
            task.cancel()
        for key, stream in list(self._streams.items()):
            stream.topic.close(Reason.SHUTTING_DOWN, "the daemon is shutting down")
            await self._close_feed(key, stream)

    @asynccontextmanager
    async def _subscribed(
        self, venue: Venue, channel: Channel, instrument: Instrument, interval: int
    ) -> AsyncIterator[Topic]:
        key = venue.info.id, channel, instrument.id, interval
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(channel)
        stream.readers += 1
        try:
            async with stream.lock:
                if stream.feed is None:
                    sink = _SINKS[channel](stream.topic)
                    stream.feed = await venue.subscribe(channel, instrument, sink, interval)
            yield stream.topic
        finally:
            stream.readers -= 1
            if stream.readers == 0:
                self._leave(key, stream)

    def _leave(self, key: Key, stream: _Stream) -> None:
        async def linger() -> None:
            await asyncio.sleep(LINGER_SECONDS if stream.feed else 0)
            if stream.readers == 0 and self._streams.get(key) is stream:
                await self._close_feed(key, stream)

        task = asyncio.create_task(linger())
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    async def _close_feed(self, key: Key, stream: _Stream) -> None:
        self._streams.pop(key, None)
        feed, stream.feed = stream.feed, None
        if feed is not None:
            await feed.close()


CurrentFeed = Callable[[], Feed | None]


def _state(feed: CurrentFeed) -> MarketEvent | None:
    current = feed()
    return current.snapshot() if current else None


def _book_topic(feed: CurrentFeed) -> Topic:
    def snapshot(sequence: int, depth: int) -> bytes:
        book = _state(feed)
        if not isinstance(book, BookSnapshot):
            return pb.OrderBook(
                kind=pb.EVENT_KIND_SNAPSHOT,
                state=pb.BOOK_STATE_SYNCING,
                sequence=sequence,
                reason="waiting for the first snapshot",
            ).SerializeToString()
        return codec.book_snapshot(book, sequence, depth).SerializeToString()

    def heartbeat(sequence: int) -> bytes:
        book = _state(feed)
        state = book.state if isinstance(book, BookSnapshot) else BookState.SYNCING
        return codec.book_heartbeat(state, sequence)

    return Topic(snapshot, heartbeat)


def _book_sink(topic: Topic) -> Callable[[MarketEvent], None]:
    def sink(event: MarketEvent) -> None:
        if isinstance(event, BookDelta):
            topic.change(book_change, event)
        else:
            topic.reset()

    return sink


def _value_topic(
    kind: type[Value], encode: Callable[[Value | None, int, int], bytes]
) -> Callable[[CurrentFeed], Topic]:
    """Topics whose state, where the feed has one, is the latest value."""

    def topic(feed: CurrentFeed) -> Topic:
        def snapshot(sequence: int, depth: int) -> bytes:
            state = _state(feed)
            return encode(state if isinstance(state, kind) else None, _SNAPSHOT, sequence)

        return Topic(snapshot, lambda sequence: encode(None, _HEARTBEAT, sequence))

    return topic


def _trade_topic(feed: CurrentFeed) -> Topic:
    return Topic(
        lambda sequence, depth: codec.trade_event(None, _SNAPSHOT, sequence),
        lambda sequence: codec.trade_event(None, _HEARTBEAT, sequence),
    )


def _change_sink(
    kind: type[Value], encode: Callable[[Value | None, int, int], bytes]
) -> Callable[[Topic], Callable[[MarketEvent], None]]:
    """Sinks that append each value."""

    def change(value: Value, sequence: int) -> bytes:
        return encode(value, _CHANGE, sequence)

    def attach(topic: Topic) -> Callable[[MarketEvent], None]:
        def sink(event: MarketEvent) -> None:
            if isinstance(event, kind):
                topic.change(change, event)

        return sink

    return attach


# Tickers and funding are whole states: a reader that is behind needs only the newest.
def _state_sink(topic: Topic) -> Callable[[MarketEvent], None]:
    def sink(event: MarketEvent) -> None:
        topic.reset()

    return sink


_TOPICS: dict[Channel, Callable[[CurrentFeed], Topic]] = {
    Channel.BOOK: _book_topic,
    Channel.TRADES: _trade_topic,
    Channel.TICKER: _value_topic(Ticker, codec.ticker_event),
    Channel.CANDLES: _value_topic(Candle, codec.candle_event),
    Channel.FUNDING: _value_topic(Funding, codec.funding_event),
}
_SINKS: dict[Channel, Callable[[Topic], Callable[[MarketEvent], None]]] = {
    Channel.BOOK: _book_sink,
    Channel.TRADES: _change_sink(Trade, codec.trade_event),
    Channel.TICKER: _state_sink,
    Channel.CANDLES: _change_sink(Candle, codec.candle_event),
    Channel.FUNDING: _state_sink,
}
