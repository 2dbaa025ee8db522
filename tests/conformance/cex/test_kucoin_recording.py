"""A session of KuCoin recorded in 2021, and the documented replies, parsed and kept as books."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync
from cex.engine.caller import read
from cex.engine.messages import Ack
from cex.engine.spec import Scope
from cex.venues.kucoin import VENUE
from core.instruments import Instrument
from core.market import BookState, Candle, Ticker, Trade
from core.ports import Channel
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain

pytestmark = pytest.mark.corpus

SCOPE = Scope("kucoin", "main", dict[str, Instrument]().__getitem__)


def replies(part: str) -> Iterator[tuple[str, bytes]]:
    """URL and body of the recorded replies whose URL has a part."""
    for row in corpus.recording("kucoin"):
        if part in row.get("url", ""):
            yield row["url"], row["data"].encode()


def instruments() -> dict[str, Instrument]:
    """All that the recorded list has, by the venue's symbol."""
    ((_, body),) = replies("/symbols")
    operation = VENUE.operations[commands.ListInstruments]
    found = read(operation, commands.ListInstruments(), SCOPE, body)
    assert len({instrument.id for instrument in found}) == len(found) > 300
    return {instrument.venue_symbol: instrument for instrument in found}


def values() -> Iterator[tuple[str, Any]]:
    """Topics and values in the order of arrival; control frames by their keys."""
    parsers = {
        topic: (instrument, parser)
        for instrument in instruments().values()
        for spec in VENUE.channels.values()
        for topic, parser in spec.topics(instrument, 60).items()
    }
    for row in corpus.recording("kucoin"):
        if row["t"] == "recv":
            for item in VENUE.streams["public"].route(row["data"].encode()):
                if isinstance(item, tuple):
                    instrument, parser = parsers[item[0]]
                    for value in parser(item[1], instrument, 1):
                        yield item[0], value
                else:
                    yield "", item


def test_every_recorded_frame_means_something() -> None:
    counts: Counter[str] = Counter()
    for _, value in values():
        counts["BookMessage" if is_book(value) else type(value).__name__] += 1
        if isinstance(value, Candle):
            assert value.low <= min(value.open, value.close)
            assert value.high >= max(value.open, value.close)
        elif isinstance(value, Trade):
            assert value.price > 0
            assert value.event_time > 1_619_370_000_000_000_000
        elif isinstance(value, Ticker):
            assert value.bid_price
            assert value.ask_price
            assert value.bid_price < value.ask_price
        elif isinstance(value, Ack):
            assert value.key in ("welcome", "1")
    frames = sum(1 for row in corpus.recording("kucoin") if row["t"] == "recv")
    assert sum(counts.values()) == frames
    assert set(counts) == {"BookMessage", "Ticker", "Trade", "Candle", "Ack"}
    assert counts["BookMessage"] > 2000


def test_every_recorded_book_is_continuous_and_never_crossed() -> None:
    rule = VENUE.channels[Channel.BOOK].book
    assert rule is not None
    operation = VENUE.operations[commands.GetBook]
    known = instruments()
    messages: dict[str, list[Any]] = {}
    for topic, value in values():
        if is_book(value):
            messages.setdefault(topic, []).append(value)
    live = 0
    for url, body in replies("/orderbook/level2"):
        symbol = url.partition("symbol=")[2]
        snapshot = read(operation, commands.GetBook(known[symbol], 100), SCOPE, body)
        topic = f"/market/level2:{symbol}"
        sync = BookSync(topic, rule)
        sync.subscribing()
        sync.subscribed()
        told = messages.get(topic, [])
        for place, message in enumerate(told):
            if message.last > snapshot.last and sync.state is BookState.SYNCING:
                assert sync.answer(snapshot, 1) is not None, (topic, place)
            sync.message(message, 1)
            assert sync.state in (BookState.SYNCING, BookState.LIVE), sync.reason
        if sync.state is not BookState.LIVE:
            assert sync.answer(snapshot, 1) is not None
        assert sync.state is BookState.LIVE, (topic, sync.reason)
        assert sync.sequence == max([snapshot.last, *(m.last for m in told)])
        live += 1
    assert live == 9


def test_the_documented_replies_parse_for_every_endpoint_that_we_use() -> None:
    venue = load("kucoin")
    instrument = venue.instruments["BTC-USDT"]
    anything = Scope("kucoin", "main", lambda symbol: instrument)
    by_call: dict[tuple[str, str], commands.Command[Any]] = {}
    for case in venue.cases("requests"):
        path = case["request"]["path"].replace("670fd33bf9406e0007ab3945", "123")
        path = path.replace("CBT7QK2MZ4XEXAMPLE", "123")
        by_call.setdefault((case["request"]["method"], path), venue.command(case["command"]))
    parsed: set[tuple[str, str]] = set()
    partly = set()
    for _name, method, path, body in corpus.examples("kucoin", "spot"):
        if (method, path) in by_call:
            command = by_call[method, path]
            assert VENUE.failure(200, body) is None
            if b'"failedSymbols": [\n    {' in body:
                partly.add(path)
                continue
            plain(read(VENUE.operations[type(command)], command, anything, body))
            parsed.add((method, path))
    assert partly == {"/api/v1/hf/orders/cancelAll"}
    missing = {path for _, path in set(by_call) - parsed} - partly
    assert missing == {
        "/api/v1/timestamp",
        "/api/v1/bullet-public",
        "/api/v1/bullet-private",
        "/api/v1/hf/orders/test",
        "/api/v1/user/api-key",
        "/api/v1/market/orderbook/level2_100",
    }


def test_the_documented_frames_mean_something() -> None:
    venue = load("kucoin")
    instrument = venue.instruments["BTC-USDT"]
    scope = Scope("kucoin", "main", lambda symbol: instrument)
    seen = Counter[str]()
    topics = {
        topic: parser
        for interval in (60, 28800)
        for spec in VENUE.channels.values()
        for topic, parser in spec.topics(instrument, interval).items()
    }
    for path in sorted((corpus.folder() / "examples/kucoin/subscriptions/spot").glob("*.txt")):
        text = path.read_text()
        frame = json.loads(text[text.rindex("\n=") + 2 :] if path.stem != "concurrent" else "{}")
        topic = frame.get("topic", "").replace("snapshot:BTC", "snapshot:BTC-USDT")
        if topic in VENUE.private.topics:
            ((_, payload),) = VENUE.private.stream.route(json.dumps(frame).encode())  # type: ignore[misc]
            assert list(VENUE.private.topics[topic](payload, scope))
            seen[topic] += 1
        elif topic in topics:
            ((_, payload),) = VENUE.streams["public"].route(json.dumps(frame).encode())  # type: ignore[misc]
            assert list(topics[topic](payload, instrument, 1))
            seen[topic] += 1
    assert len(seen) == 7, seen
    assert seen["/spotMarket/tradeOrdersV2"] == 3
