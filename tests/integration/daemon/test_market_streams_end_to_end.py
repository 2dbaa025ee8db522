"""Market data over a real connection: books rebuilt from changes, equal bytes, readers that lag."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import grpc
import psutil
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

import cambist
from cambist import Client, OrderBook, Side
from cambist.v1 import events_pb2, market_data_pb2, system_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.told import told

pytestmark = pytest.mark.asyncio(loop_scope="module")

VENUE = ACCOUNT = "paper"
INSTRUMENT = "ETH-USDC"
WHOLE = 5000  # levels: all of it
BOOK = market_data_pb2.StreamOrderBookRequest(venue=VENUE, instrument=INSTRUMENT)
STREAM = "/cambist.v1.MarketDataService/StreamOrderBook"
CHANGE = market_data_pb2.EVENT_KIND_CHANGE
SNAPSHOT = market_data_pb2.EVENT_KIND_SNAPSHOT
# Little is read ahead, so that a reader that does not read is felt by the daemon soon.
UNBUFFERED = (("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0))
Sides = tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]


@dataclass(frozen=True)
class Place:
    daemon: RunningDaemon
    client: Client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    directory = tmp_path_factory.mktemp("market")
    config = directory / "cambist.toml"
    config.write_text(
        "[server]\nheartbeat_seconds = 1\n[sandbox]\nevm = false\nsolana = false\n"
        '[journal]\nsynchronous = "normal"\n'
    )
    arguments = ("--profile", "sandbox", "--config", str(config), "--tcp", "off")
    async with running_daemon(directory, *arguments) as daemon:
        async with cambist.connect(daemon.connect) as client:
            yield Place(daemon, client)


def levels(book: OrderBook) -> Sides:
    return [tuple(level) for level in book.bids], [tuple(level) for level in book.asks]  # type: ignore[misc]


class Rebuilt:
    """A book made of a stream's bytes, and what it was at each of the venue's sequences."""

    def __init__(self) -> None:
        self.book = OrderBook(VENUE, INSTRUMENT)
        self.at: dict[int, Sides] = {}
        self.events: dict[int, bytes] = {}  # changes by the daemon's sequence
        self.snapshots = 0

    def take(self, raw: bytes) -> None:
        for event in market_data_pb2.StreamOrderBookResponse.FromString(raw).events:
            if event.kind == SNAPSHOT:
                self.snapshots += 1
            elif event.kind == CHANGE:
                self.events[event.sequence] = event.SerializeToString(deterministic=True)
            assert self.book.apply(event), f"{event.sequence} came after {self.book.sequence}"
            if event.venue_sequence:
                self.at[event.venue_sequence] = levels(self.book)


def raw_stream(channel: grpc.aio.Channel, request: Any = BOOK) -> Any:
    """The messages of a book's stream as bytes."""
    return channel.unary_stream(STREAM, request.SerializeToString)(request)


async def until(rebuilt: Rebuilt, stream: Any, look: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not look():
            rebuilt.take(await stream.read())


async def caught_up(rebuilt: Rebuilt, stream: Any, shown: OrderBook) -> None:
    await until(rebuilt, stream, lambda: rebuilt.book.venue_sequence >= shown.venue_sequence)


async def rest(client: Client, number: int) -> None:
    """An order that comes and goes deep in the book: two changes."""
    order = await client.trading.place_order(
        VENUE,
        INSTRUMENT,
        Side.BUY,
        "0.01",
        account=ACCOUNT,
        price=Decimal(2000) + Decimal(number) / 100,
    )
    await client.trading.cancel_order(order.client_order_id, account=ACCOUNT)


async def test_changes_rebuild_what_the_venue_shows(place: Place) -> None:
    client, rebuilt = place.client, Rebuilt()
    async with grpc.aio.insecure_channel(place.daemon.target) as channel:
        stream = raw_stream(channel)
        await until(rebuilt, stream, lambda: rebuilt.snapshots == 1)
        for number in range(12):
            await rest(client, number)
            shown = await client.market.get_order_book(VENUE, INSTRUMENT, depth=WHOLE)
            await caught_up(rebuilt, stream, shown)
            assert rebuilt.at[shown.venue_sequence] == levels(shown)
            assert shown.best_bid is not None
            assert shown.best_ask is not None
            assert shown.best_bid.price < shown.best_ask.price
        stream.cancel()
    assert rebuilt.snapshots == 1
    numbers = list(rebuilt.events)
    assert len(numbers) >= 24
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_all_subscribers_see_the_same_bytes(place: Place) -> None:
    readers = [Rebuilt() for _ in range(3)]
    async with (
        grpc.aio.insecure_channel(place.daemon.target) as one,
        grpc.aio.insecure_channel(place.daemon.target, options=[("grpc.x", 1)]) as other,
    ):
        streams = [raw_stream(channel) for channel in (one, one, other)]
        for number in range(10):
            await rest(place.client, number)
        shown = await place.client.market.get_order_book(VENUE, INSTRUMENT, depth=WHOLE)
        for rebuilt, stream in zip(readers, streams, strict=True):
            await caught_up(rebuilt, stream, shown)
            stream.cancel()
    common = set.intersection(*(set(reader.events) for reader in readers))
    assert len(common) >= 10
    for number in common:
        assert len({reader.events[number] for reader in readers}) == 1
    assert len({str(reader.at[shown.venue_sequence]) for reader in readers}) == 1


async def test_a_reader_that_lags_gets_a_snapshot(place: Place) -> None:
    """It reads nothing while thousands of changes pass; the daemon keeps only so many of them."""
    daemon = psutil.Process(place.daemon.pid)
    request = market_data_pb2.StreamOrderBookRequest(venue=VENUE, instrument="BTC-USDT")
    lagging, keen = Rebuilt(), Rebuilt()
    async with (
        grpc.aio.insecure_channel(place.daemon.target, options=UNBUFFERED) as slow,
        grpc.aio.insecure_channel(place.daemon.target, options=[("grpc.x", 2)]) as fast,
    ):
        late, prompt = raw_stream(slow, request), raw_stream(fast, request)
        await until(lagging, late, lambda: lagging.snapshots == 1)
        await until(keen, prompt, lambda: keen.snapshots == 1)
        before = daemon.memory_info().rss
        reading = asyncio.create_task(until(keen, prompt, lambda: len(keen.events) > 7000))
        await asyncio.gather(*(churn(place.client, n, reading) for n in range(12)))
        await reading
        grown = daemon.memory_info().rss - before
        shown = await place.client.market.get_order_book(VENUE, "BTC-USDT", depth=WHOLE)
        await caught_up(keen, prompt, shown)
        assert keen.at[shown.venue_sequence] == levels(shown)
        # The market goes on, and its last snapshot may be of later than what was shown.
        await caught_up(lagging, late, shown)
        await caught_up(keen, prompt, lagging.book)
        latest = lagging.book.venue_sequence
        assert lagging.at[latest] == keen.at[latest]
        late.cancel()
        prompt.cancel()
    assert keen.snapshots == 1
    assert lagging.snapshots >= 2
    assert len(lagging.events) < len(keen.events)
    assert grown < 64 << 20, f"{grown >> 20} MB"


async def churn(client: Client, number: int, ends: "asyncio.Task[None]") -> None:
    """One order that moves up and down until a task is done."""
    price = Decimal(50_000 + number)
    place = client.trading.place_order
    order = await place(VENUE, "BTC-USDT", Side.BUY, "0.001", account=ACCOUNT, price=price)
    up = False
    while not ends.done():
        up = not up
        await client.trading.replace_order(
            order.client_order_id,
            account=ACCOUNT,
            quantity=order.spec.quantity,
            price=price + Decimal("0.5") * up,
        )
    await client.trading.cancel_order(order.client_order_id, account=ACCOUNT)


async def test_trades_tickers_candles_and_funding_are_told(place: Place) -> None:
    market, client = place.client.market, place.client
    async with (
        told(market.trades(VENUE, INSTRUMENT)) as trades,
        told(market.ticker(VENUE, INSTRUMENT)) as tickers,
        told(market.candles(VENUE, INSTRUMENT, timedelta(minutes=1))) as candles,
        told(market.funding("paper_perpetual", "ETH-USDT-PERP")) as funding,
    ):
        await tickers.until(lambda values: len(values) >= 2)
        assert all(one.bid_price and one.ask_price for one in tickers.values)
        await candles.until(lambda values: len(values) >= 1)
        order = await client.trading.place_order(
            VENUE, INSTRUMENT, Side.BUY, "0.0123", account=ACCOUNT
        )
        ours = await trades.until(
            lambda values: next(
                (one for one in values if one.quantity == order.spec.quantity), None
            )
        )
        assert (ours.side, ours.price) == (Side.BUY, order.average_price)
        listed = await market.list_trades(VENUE, INSTRUMENT)
        assert ours in listed
        assert ours.price <= (await candles.until(lambda values: values[-1:]))[0].high
        await tickers.until(lambda values: values[-1].last_price)
        running = candles.values[-1]
        assert running.low <= running.close <= running.high
        rates = await funding.until(lambda values: values[-1:])
        assert (await market.get_funding("paper_perpetual", "ETH-USDT-PERP")).rate == rates[0].rate


async def test_depth_cuts_the_snapshot(place: Place) -> None:
    request = market_data_pb2.StreamOrderBookRequest(venue=VENUE, instrument=INSTRUMENT, depth=3)
    rebuilt = Rebuilt()
    async with grpc.aio.insecure_channel(place.daemon.target) as channel:
        stream = raw_stream(channel, request)
        await until(rebuilt, stream, lambda: rebuilt.snapshots == 1)
        assert (len(rebuilt.book.bids), len(rebuilt.book.asks)) == (3, 3)
        stream.cancel()


async def test_a_stream_is_never_silent_for_longer_than_said(place: Place) -> None:
    """Of each kind of stream that may be idle, two heartbeats; the interval is a second here."""
    assert place.client.info.limits.heartbeat_milliseconds == 1000
    requests: dict[str, tuple[Any, Any]] = {
        "EventService/StreamEvents": (
            # An account of which nothing is told, whatever happens on the other.
            events_pb2.StreamEventsRequest(account="paper_perpetual"),
            events_pb2.StreamEventsResponse,
        ),
        "SystemService/StreamStatus": (
            system_pb2.StreamStatusRequest(),
            system_pb2.StreamStatusResponse,
        ),
        "MarketDataService/StreamCandles": (
            market_data_pb2.StreamCandlesRequest(
                venue=VENUE, instrument="SOL-USDC", interval=Duration(seconds=86_400)
            ),
            market_data_pb2.StreamCandlesResponse,
        ),
    }

    async def beats(path: str, channel: grpc.aio.Channel) -> None:
        request, response = requests[path]
        stream = channel.unary_stream(
            f"/cambist.v1.{path}", request.SerializeToString, response.FromString
        )(request)
        loop = asyncio.get_running_loop()
        await stream.read()
        for _ in range(2):
            began = loop.time()
            async with asyncio.timeout(5):
                assert isinstance(await stream.read(), response)
            assert loop.time() - began < 2.5
        stream.cancel()

    async with grpc.aio.insecure_channel(place.daemon.target) as channel:
        await asyncio.gather(*(beats(path, channel) for path in requests))


@pytest.mark.parametrize(
    ("venue", "instrument", "error"),
    [
        ("nowhere", INSTRUMENT, cambist.VenueNotFound),
        (VENUE, "ETH-USDX", cambist.InstrumentNotFound),
    ],
)
async def test_a_stream_of_what_is_not_there_says_so(
    place: Place, venue: str, instrument: str, error: type[cambist.Error]
) -> None:
    market = place.client.market
    streams: list[cambist.Stream[Any]] = [
        market.order_book(venue, instrument),
        market.trades(venue, instrument),
        market.ticker(venue, instrument),
        market.candles(venue, instrument, timedelta(minutes=1)),
        market.funding(venue, instrument),
    ]
    for stream in streams:
        with pytest.raises(error):
            await anext(stream)
    with pytest.raises(cambist.UnsupportedByVenue):
        await anext(market.funding(VENUE, INSTRUMENT))
    with pytest.raises(cambist.UnsupportedByVenue, match="86400"):
        await anext(market.candles(VENUE, INSTRUMENT, timedelta(seconds=7)))
