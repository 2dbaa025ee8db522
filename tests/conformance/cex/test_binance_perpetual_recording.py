"""A recorded session of Binance's perpetuals (2021), and the documented replies, as we read them.

What the wire has gained or lost since is in tests/fixtures/cex/binance_perpetual/SOURCES.md.
"""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync, Need
from cex.engine.caller import read
from cex.engine.market import ExchangeVenue
from cex.engine.messages import BookMessage
from cex.engine.spec import Scope, Verdict
from cex.venues.binance_perpetual import VENUE, verdict
from core.clock import MILLISECOND, SystemClock
from core.instruments import Instrument, InstrumentKind
from core.market import BookDelta, BookSnapshot, BookState, Candle, MarketEvent, Ticker, Trade
from core.ports import Channel, Health
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain, topics_of
from tests.support.local_exchange import Answer, LocalExchange, Socket

NOTHING = Scope("binance_perpetual", "main", dict[str, Instrument]().__getitem__)
RECORDING = "binance_futures"


def instruments() -> dict[str, Instrument]:
    rows = corpus.recording(RECORDING)
    body = next(row["data"] for row in rows if "exchangeInfo" in row.get("url", ""))
    command = commands.ListInstruments()
    found = read(VENUE.operations[commands.ListInstruments], command, NOTHING, body.encode())
    return {instrument.venue_symbol: instrument for instrument in found}


def frames() -> list[bytes]:
    return [row["data"].encode() for row in corpus.recording(RECORDING) if row["t"] == "recv"]


def data_of(frame: bytes) -> list[tuple[str, Any]]:
    """Topics and payloads of a frame, which must be data."""
    items = list(VENUE.streams["public"].route(frame))
    found = [item for item in items if isinstance(item, tuple)]
    assert len(found) == len(items)
    return found


def snapshots() -> dict[str, bytes]:
    return {
        row["url"].split("symbol=")[1].split("&")[0]: row["data"].encode()
        for row in corpus.recording(RECORDING)
        if row["t"] == "http" and "/depth" in row["url"]
    }


@pytest.mark.corpus
def test_every_recorded_frame_means_something() -> None:
    known = instruments()
    assert len(known) > 100
    assert {instrument.kind for instrument in known.values()} == {InstrumentKind.PERPETUAL}
    parsers = {}
    for name in {json.loads(frame)["stream"] for frame in frames()}:
        instrument = known[name.split("@")[0].upper()]
        for channel in VENUE.channels.values():
            for topic, parser in topics_of(channel, instrument, 60).items():
                parsers[topic] = instrument, parser
    counts: Counter[str] = Counter()
    for frame in frames():
        for name, payload in data_of(frame):
            instrument, parser = parsers[name]
            for value in parser(payload, instrument, 1):
                counts[type(value).__name__] += 1
                if isinstance(value, Trade):
                    assert value.price % instrument.price_tick == 0
                    assert value.quantity % instrument.quantity_step == 0
                elif isinstance(value, Ticker):
                    assert value.bid_price is not None
                    assert value.ask_price is not None
                    assert value.bid_price < value.ask_price
                elif isinstance(value, Candle):
                    assert value.low <= value.open <= value.high
    assert counts == {"BookMessage": 764, "Ticker": 613, "Trade": 91, "Candle": 67}


@pytest.mark.corpus
def test_every_recorded_book_is_continuous_and_never_crossed() -> None:
    known = instruments()
    channel = VENUE.channels[Channel.BOOK]
    assert channel.book is not None
    applied = 0
    for symbol, body in snapshots().items():
        (topic, parser), *_ = channel.topics(known[symbol], 0).items()
        sync = BookSync(symbol, channel.book)
        sync.subscribing()
        sync.subscribed()
        messages = [
            message
            for frame in frames()
            for name, payload in data_of(frame)
            if name == topic
            for message in parser(payload, known[symbol], 1)
            if is_book(message)
        ]
        command = commands.GetBook(known[symbol], 1000)
        answer = read(VENUE.operations[commands.GetBook], command, NOTHING, body)
        early = [m for m in messages if m.first <= answer.last]
        for message in early:
            assert sync.message(message, 1) is None
        assert sync.answer(answer, 1) is not None
        for message in messages[len(early) :]:
            assert sync.message(message, 1) is not None
            assert sync.state is BookState.LIVE, sync.reason
            assert not sync.book.crossed
            applied += 1
        assert sync.sequence == messages[-1].last
    assert applied > 700


@pytest.mark.corpus
def test_a_message_that_is_left_out_is_noticed() -> None:
    known, symbol = instruments(), "SUSHIUSDT"
    channel = VENUE.channels[Channel.BOOK]
    assert channel.book is not None
    (topic, parser), *_ = channel.topics(known[symbol], 0).items()
    sync = BookSync(symbol, channel.book)
    sync.subscribing()
    sync.subscribed()
    command = commands.GetBook(known[symbol], 1000)
    operation = VENUE.operations[commands.GetBook]
    sync.answer(read(operation, command, NOTHING, snapshots()[symbol]), 1)
    skipped = 0
    for frame in frames():
        for name, payload in VENUE.streams["public"].route(frame):  # type: ignore[misc]
            if name != topic or sync.state is not BookState.LIVE:
                continue
            for message in parser(payload, known[symbol], 1):
                assert is_book(message)
                skipped += message.last > sync.sequence
                if skipped != 3:  # the third that is new
                    sync.message(message, 1)
    assert sync.state is BookState.SYNCING
    assert sync.need is Need.SNAPSHOT


@pytest.mark.parametrize(
    ("first", "last", "previous", "is_first", "judged"),
    [
        (95, 105, 94, True, Verdict.APPLY),  # holds the snapshot's number
        (101, 105, 100, True, Verdict.APPLY),  # begins right behind it
        (90, 99, 89, True, Verdict.OLD),
        (102, 105, 101, True, Verdict.GAP),
        (150, 160, 100, False, Verdict.APPLY),  # numbers are shared by all symbols
        (95, 105, 94, False, Verdict.GAP),
        (95, 100, 94, False, Verdict.OLD),  # the same once more
    ],
)
def test_which_message_continues_a_book(
    first: int, last: int, previous: int, is_first: bool, judged: Verdict
) -> None:
    message = BookMessage((), (), last, first, previous)
    assert verdict(message, 100, is_first) is judged


@pytest.mark.corpus
async def test_the_recorded_session_through_the_engine() -> None:
    """Each path serves its own kinds of data: what is asked on the wrong one never comes."""
    listed = next(
        row["data"] for row in corpus.recording(RECORDING) if "exchangeInfo" in row.get("url", "")
    )
    books = snapshots()
    public = [frame for frame in frames() if b"@depth" in frame or b"@bookTicker" in frame]
    market_frames = [frame for frame in frames() if frame not in set(public)]
    async with LocalExchange() as exchange:

        def on_frame(socket: Socket, payload: bytes) -> None:
            socket.send(json.dumps({"result": None, "id": json.loads(payload)["id"]}).encode())

        exchange.on_frame = on_frame
        now = SystemClock().now() // MILLISECOND
        exchange.on("GET /fapi/v1/time", json.dumps({"serverTime": now}).encode())
        exchange.on("GET /fapi/v1/exchangeInfo", listed.encode())
        exchange.on("GET /fapi/v1/depth", lambda seen: Answer(books[seen.params["symbol"]]))
        hosts = {"rest": exchange.http, "stream": exchange.ws, "ws_api": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        instrument = market.instruments["SUSHI-USDT-PERP"]
        events: list[MarketEvent] = []
        feed = await market.subscribe(Channel.BOOK, instrument, events.append)
        for channel in (Channel.TRADES, Channel.TICKER):
            await market.subscribe(channel, instrument, events.append)
        await market.subscribe(Channel.CANDLES, instrument, events.append, 60)

        def asked(path: str) -> set[str]:
            return {
                topic
                for socket in exchange.sockets
                if socket.path == path
                for frame in socket.frames
                for topic in json.loads(frame)["params"]
            }

        symbol = "sushiusdt"
        on_public = {f"{symbol}@depth@100ms", f"{symbol}@bookTicker"}
        on_market = {f"{symbol}@{name}" for name in ("aggTrade", "kline_1m", "ticker")}
        await exchange.until(lambda: asked("/public/stream") == on_public, "the public topics")
        await exchange.until(lambda: asked("/market/stream") == on_market, "the others")
        for socket in exchange.sockets:
            socket.send(*(public if socket.path == "/public/stream" else market_frames))

        def count(kind: type) -> int:
            return sum(isinstance(event, kind) for event in events)

        def ended() -> bool:
            return count(Trade) >= 40 and count(Ticker) >= 305 and count(Candle) >= 22

        await exchange.until(ended, "trades, tickers, candles")
        end = max(json.loads(f)["data"]["u"] for f in public if b"sushiusdt@depth" in f[:40])

        def book() -> BookSnapshot:
            told = feed.snapshot()
            assert isinstance(told, BookSnapshot)
            return told

        await exchange.until(lambda: book().sequence == end, "the last change of the book")
        assert book().state is BookState.LIVE
        assert Decimal(book().bids[0][0]) < Decimal(book().asks[0][0])
        states = [e.state.name for e in events if isinstance(e, BookSnapshot)]
        assert states == ["SYNCING", "LIVE"]
        assert count(BookDelta) >= 0
        assert market.condition.health is Health.READY
        await market.stop()


@pytest.mark.corpus
def test_the_documented_replies_parse_for_every_endpoint_that_we_use() -> None:
    venue = load("binance_perpetual")
    instrument = venue.instruments["BTC-USDT-PERP"]
    anything = Scope("binance_perpetual", "main", lambda symbol: instrument)
    by_call: dict[tuple[str, str], list[Any]] = {}
    for case in venue.cases("requests"):
        call = case["request"]["method"], case["request"]["path"]
        by_call.setdefault(call, []).append(venue.command(case["command"]))
    parsed: set[tuple[str, str]] = set()
    for name, method, path, body in corpus.examples("binance", "usdfutures"):
        if name == "keepaliveuserstream":
            continue  # an empty object, as it was
        for command in by_call.get((method, path), ()):
            value = read(VENUE.operations[type(command)], command, anything, body)
            assert plain(value) or value in ([], None), name
            parsed.add((method, path))
    # The corpus has no reply of these.
    assert set(by_call) - parsed <= {
        ("GET", "/fapi/v1/ticker/bookTicker"),
        ("PUT", "/fapi/v1/listenKey"),
        ("GET", "/fapi/v1/positionSide/dual"),
        ("GET", "/sapi/v1/account/apiRestrictions"),  # among those of spot
    }
