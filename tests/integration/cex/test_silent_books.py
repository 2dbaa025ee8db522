"""A book on which nothing comes: a quiet market stays live, a forgotten subscription is noticed."""

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest

from cex.engine import silence
from cex.engine.market import ExchangeVenue
from cex.engine.spec import VenueSpec
from cex.venues.binance import VENUE
from core.clock import MILLISECOND, SECOND, ManualClock
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.ports import Channel, Feed
from tests.support.binance_server import BinanceServer
from tests.support.local_exchange import Answer, LocalExchange

DEPTH = "GET /api/v3/depth"
QUIET = VENUE.channels[Channel.BOOK].book.quiet  # type: ignore[union-attr]


@dataclass
class Book:
    exchange: LocalExchange
    server: BinanceServer
    market: ExchangeVenue
    clock: ManualClock
    feed: Feed
    told: list[MarketEvent] = field(default_factory=list)

    @property
    def state(self) -> BookState:
        snapshot = self.feed.snapshot()
        assert isinstance(snapshot, BookSnapshot)
        return snapshot.state

    @property
    def looks(self) -> int:
        return sum(1 for seen in self.exchange.asked(DEPTH) if seen.params["limit"] == "5")

    @property
    def subscriptions(self) -> int:
        (socket,) = self.server.market_sockets
        return sum(1 for frame in socket.frames if json.loads(frame)["method"] == "SUBSCRIBE")

    async def pass_time(self, seconds: int) -> None:
        """A look every five seconds, as the venue's task takes it."""
        for _ in range(seconds // 5):
            self.clock.advance(5 * SECOND)
            await self.market.silence.look()


@pytest.fixture
async def opened(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Callable[[VenueSpec], "Opening"]]:
    monkeypatch.setattr(silence, "_GRACE", 20 * MILLISECOND)
    openings: list[Opening] = []

    def make(spec: VenueSpec) -> Opening:
        openings.append(Opening(spec))
        return openings[-1]

    yield make
    for opening in openings:
        await opening.close()


class Opening:
    """A book of a local Binance that is live."""

    def __init__(self, spec: VenueSpec) -> None:
        self._spec = spec
        self._exchange = LocalExchange()
        self._market: ExchangeVenue | None = None

    async def book(self) -> Book:
        exchange = await self._exchange.__aenter__()
        clock = ManualClock(time.time_ns())
        server = BinanceServer(exchange)
        self._market = market = ExchangeVenue(self._spec, clock, server.hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        told: list[MarketEvent] = []
        feed = await market.subscribe(Channel.BOOK, market.instruments["BTC-USDT"], told.append)
        found = Book(exchange, server, market, clock, feed, told)
        await exchange.until(lambda: found.state is BookState.LIVE, "the book")
        return found

    async def close(self) -> None:
        if self._market is not None:
            await self._market.stop()
        await self._exchange.__aexit__(None, None, None)


async def test_a_quiet_market_stays_live_and_costs_little(
    opened: Callable[[VenueSpec], Opening],
) -> None:
    book = await opened(VENUE).book()
    await book.pass_time(4 * 3600)
    assert book.state is BookState.LIVE
    assert 10 < book.looks < 25  # after 30 s, then twice as late each time, at last every 16 min
    assert book.subscriptions == 1
    before = book.looks
    book.server.change({"98.00": "1"}, {})
    await book.exchange.until(lambda: any(isinstance(e, BookDelta) for e in book.told))
    await book.pass_time(QUIET // SECOND - 5)
    assert book.looks == before  # it spoke
    await book.pass_time(15)
    assert book.looks == before + 1


async def test_a_book_that_moved_on_without_a_word_is_subscribed_to_anew(
    opened: Callable[[VenueSpec], Opening],
) -> None:
    book = await opened(VENUE).book()
    book.server.change({"100.50": "3"}, {}, send=False)
    await book.pass_time(QUIET // SECOND - 5)
    assert book.state is BookState.LIVE
    await book.pass_time(10)
    broken = next(
        e for e in book.told if isinstance(e, BookSnapshot) and "told nothing" in e.reason
    )
    assert broken.state is BookState.SYNCING
    await book.exchange.until(lambda: book.state is BookState.LIVE, "the book again")
    assert book.subscriptions == 2
    assert len(book.server.market_sockets) == 1  # the same connection
    assert book.feed.snapshot().bids[0][0] == "100.5"  # type: ignore[union-attr]
    before = book.subscriptions
    await book.pass_time(3600)
    assert book.subscriptions == before


async def test_what_was_only_on_its_way_is_no_silence(
    opened: Callable[[VenueSpec], Opening],
) -> None:
    book = await opened(VENUE).book()

    def late(answer: Answer) -> Answer:
        book.server.tell(frame)  # the stream's message comes right after REST showed it
        return answer

    frame = book.server.change({"100.50": "3"}, {}, send=False)
    told = book.exchange._handlers[DEPTH]
    book.exchange.on(DEPTH, lambda seen: late(told(seen)))  # type: ignore[arg-type]
    await book.pass_time(QUIET // SECOND + 5)
    assert book.looks == 1
    assert book.state is BookState.LIVE
    assert book.subscriptions == 1


@pytest.mark.parametrize("answer", [Answer(b"", 503), Answer(b'{"lastUpdateId": "x"}')])
async def test_a_venue_that_cannot_be_asked_proves_nothing(
    opened: Callable[[VenueSpec], Opening], answer: Answer
) -> None:
    book = await opened(VENUE).book()
    book.server.change({"100.50": "3"}, {}, send=False)
    book.exchange.on(DEPTH, lambda seen: answer)
    await book.pass_time(QUIET // SECOND + 5)
    assert book.looks >= 1
    assert book.state is BookState.LIVE


async def test_where_the_venue_repeats_itself_a_longer_silence_is_enough(
    opened: Callable[[VenueSpec], Opening],
) -> None:
    channel = VENUE.channels[Channel.BOOK]
    assert channel.book is not None
    rule = replace(channel.book, heartbeat=60 * SECOND)
    spec = replace(VENUE, channels={**VENUE.channels, Channel.BOOK: replace(channel, book=rule)})
    book = await opened(spec).book()
    await book.pass_time(55)
    assert book.state is BookState.LIVE
    await book.pass_time(5)
    assert any(
        isinstance(e, BookSnapshot) and "nothing came for 60 s" in e.reason for e in book.told
    )
    await book.exchange.until(lambda: book.state is BookState.LIVE, "the book again")
    assert book.looks == 0


async def test_where_rest_rounds_quantities_only_prices_count(
    opened: Callable[[VenueSpec], Opening],
) -> None:
    channel = VENUE.channels[Channel.BOOK]
    assert channel.book is not None
    rule = replace(channel.book, rounds=True)
    spec = replace(VENUE, channels={**VENUE.channels, Channel.BOOK: replace(channel, book=rule)})
    book = await opened(spec).book()
    snapshot = book.feed.snapshot()
    assert isinstance(snapshot, BookSnapshot)
    book.server.change({snapshot.bids[0][0]: "7.125"}, {}, send=False)
    await book.pass_time(QUIET // SECOND + 5)
    assert book.looks == 1
    assert book.state is BookState.LIVE
    assert book.subscriptions == 1
    book.server.change({"100.50": "3"}, {}, send=False)
    await book.pass_time(2 * QUIET // SECOND)
    await book.exchange.until(lambda: book.subscriptions == 2, "another subscription")


async def test_the_streams_tell_the_venues_clock(opened: Callable[[VenueSpec], Opening]) -> None:
    book = await opened(VENUE).book()
    assert book.market.stream_clock_offset is None
    book.server.skew_ms = 120_000
    book.server.change({"98.00": "1"}, {})
    await book.exchange.until(lambda: any(isinstance(e, BookDelta) for e in book.told))
    await book.market.silence.look()
    ahead = book.market.stream_clock_offset
    assert ahead is not None
    assert abs(ahead - 120 * SECOND) < 60 * SECOND  # the machine may be slow
    assert "set it" in book.market.condition.reason
