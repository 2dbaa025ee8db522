"""A recorded session of Binance (2021), and the documented replies, through our parsers.

What the wire has gained or lost since is in tests/fixtures/cex/binance/SOURCES.md.
"""

import json
from collections import Counter
from typing import Any

import pytest

from cex.engine import commands, wire
from cex.engine.book_sync import BookSync
from cex.engine.caller import read
from cex.engine.messages import BookMessage
from cex.engine.spec import Scope
from cex.venues.binance import INTERVALS, VENUE
from core.instruments import Instrument
from core.market import BookState, Candle, Ticker
from core.ports import Channel
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain

pytestmark = pytest.mark.corpus

NO_INSTRUMENTS = Scope("binance", "main", dict[str, Instrument]().__getitem__)


def instruments(rows: list[dict[str, Any]]) -> dict[str, Instrument]:
    body = next(row["data"] for row in rows if "exchangeInfo" in row.get("url", ""))
    command = commands.ListInstruments()
    operation = VENUE.operations[commands.ListInstruments]
    found = read(operation, command, NO_INSTRUMENTS, body.encode())
    assert len(found) > 1000
    return {instrument.venue_symbol: instrument for instrument in found}


def data_of(frame: bytes) -> list[tuple[str, Any]]:
    """Topics and payloads of a frame, which must be data."""
    items = list(VENUE.streams["public"].route(frame))
    return [item for item in items if isinstance(item, tuple)]


def topics(known: dict[str, Instrument], names: set[str]) -> dict[str, tuple[Instrument, Any]]:
    """Topic → instrument and parser, for every topic that our channels would ask for."""
    found: dict[str, tuple[Instrument, Any]] = {}
    for name in names:
        instrument = known[name.split("@")[0].upper()]
        for channel, spec in VENUE.channels.items():
            for interval in INTERVALS if channel is Channel.CANDLES else [0]:
                for topic, parser in spec.topics(instrument, interval).items():
                    found[topic] = (instrument, parser)
    return found


def test_every_recorded_frame_means_something() -> None:
    rows = corpus.recording("binance")
    frames = [row["data"].encode() for row in rows if row["t"] == "recv"]
    names = {json.loads(frame)["stream"] for frame in frames}
    known = topics(instruments(rows), names)
    counts: Counter[str] = Counter()
    for frame in frames:
        for topic, payload in data_of(frame):
            if topic.endswith("@aggTrade"):  # which we do not subscribe to
                counts["not ours"] += 1
                continue
            instrument, parser = known[topic]
            for value in parser(payload, instrument, 1):
                counts[type(value).__name__] += 1
                if is_book(value):
                    assert value.first <= value.last
                elif isinstance(value, Ticker):
                    assert value.bid_price is not None
                    assert value.ask_price is not None
                    assert value.bid_price < value.ask_price
                elif isinstance(value, Candle):
                    assert value.low <= value.open <= value.high
    assert counts == {"BookMessage": 177, "Ticker": 84, "Candle": 2, "not ours": 2}


def test_every_recorded_book_is_continuous_and_never_crossed() -> None:
    rows = corpus.recording("binance")
    known = instruments(rows)
    book_channel = VENUE.channels[Channel.BOOK]
    assert book_channel.book is not None
    snapshots = {
        row["url"].split("symbol=")[1].split("&")[0]: row["data"].encode()
        for row in rows
        if row["t"] == "http" and "/depth" in row["url"]
    }
    assert len(snapshots) == 4
    applied = 0
    for symbol, body in snapshots.items():
        instrument = known[symbol]
        (topic, parser), *_ = book_channel.topics(instrument, 0).items()
        sync = BookSync(instrument.id, book_channel.book)
        sync.subscribing()
        sync.subscribed()
        frames = [row["data"].encode() for row in rows if row["t"] == "recv"]
        messages = [
            message
            for frame in frames
            for name, payload in data_of(frame)
            if name == topic
            for message in parser(payload, instrument, 1)
            if is_book(message)
        ]
        # The recording fetched its snapshots while the stream was running.
        command = commands.GetBook(instrument, 1000)
        answer = read(VENUE.operations[commands.GetBook], command, NO_INSTRUMENTS, body)
        early = [m for m in messages if m.last <= answer.last]
        for message in early:
            assert sync.message(message, 1) is None
        assert sync.answer(answer, 1) is not None
        for message in messages[len(early) :]:
            assert sync.message(message, 1) is not None
            assert sync.state is BookState.LIVE, sync.reason
            assert not sync.book.crossed
            applied += 1
        assert sync.sequence == max([answer.last, *(m.last for m in messages)])
    assert applied > 150


def test_the_recorded_best_prices_agree_with_the_books() -> None:
    """The book ticker is the venue's own word for the best of the same book."""
    rows = corpus.recording("binance")
    known = instruments(rows)
    book_channel = VENUE.channels[Channel.BOOK]
    assert book_channel.book is not None
    syncs: dict[str, BookSync] = {}
    for row in rows:
        if row["t"] == "http" and "/depth" in row["url"]:
            symbol = row["url"].split("symbol=")[1].split("&")[0]
            sync = syncs[symbol] = BookSync(symbol, book_channel.book)
            sync.subscribing()
            sync.subscribed()
            command = commands.GetBook(known[symbol], 1000)
            operation = VENUE.operations[commands.GetBook]
            sync.answer(read(operation, command, NO_INSTRUMENTS, row["data"].encode()), 1)
    told = {
        (quote["s"], quote["u"]): quote
        for row in rows
        if row["t"] == "recv" and "@bookTicker" in row["data"][:60]
        for quote in [json.loads(row["data"])["data"]]
    }
    compared = 0
    for row in rows:
        if row["t"] != "recv" or "@depth" not in row["data"][:60]:
            continue
        data = json.loads(row["data"])["data"]
        sync = syncs[data["s"]]
        rows_of = {side: [tuple(level) for level in data[side]] for side in "ba"}
        sync.message(BookMessage(rows_of["b"], rows_of["a"], data["u"], data["U"]), 1)
        quote = told.get((data["s"], data["u"]))
        if quote is not None and sync.sequence == data["u"]:
            best_bid, best_ask = sync.book.best_bid, sync.book.best_ask
            assert best_bid is not None
            assert best_ask is not None
            assert [text.rstrip("0").rstrip(".") for text in (quote["b"], quote["a"])] == [
                best_bid[0],
                best_ask[0],
            ]
            compared += 1
    assert compared > 10


def test_the_documented_replies_parse_for_every_endpoint_that_we_use() -> None:
    venue = load("binance")
    instrument = venue.instruments["BTC-USDT"]
    anything = Scope("binance", "main", lambda symbol: instrument)
    commands_by_call = {}
    for case in venue.cases("requests"):
        command = venue.command(case["command"])
        operation = VENUE.operations[type(command)]
        commands_by_call[operation.method, operation.path] = command
    parsed: set[tuple[str, Any]] = set()
    for name, method, path, body in corpus.examples("binance", "spot"):
        if (method, path) not in commands_by_call:
            continue
        command = commands_by_call[method, path]
        operation = VENUE.operations[type(command)]
        if path.endswith("cancelReplace"):  # the corpus keeps it inside a "data"
            body = wire.encode(wire.decode(dict[str, Any], body)["data"])
        value = read(operation, command, anything, body)
        assert plain(value) or value == [], name
        parsed.add((method, path))
    missing = set(commands_by_call) - parsed
    # The corpus has no reply of these two.
    assert missing <= {("GET", "/api/v3/depth"), ("DELETE", "/api/v3/openOrders")}
