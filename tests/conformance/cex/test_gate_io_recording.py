"""A recorded session of Gate (2021), and the documented replies, through our parsers and books."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync
from cex.engine.caller import read
from cex.engine.spec import Scope
from cex.venues.gate_io import VENUE
from core.instruments import Instrument
from core.market import BookState, Candle, Ticker, Trade
from core.ports import Channel
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain

pytestmark = pytest.mark.corpus

SCOPE = Scope("gate_io", "main", dict[str, Instrument]().__getitem__)


def replies(part: str) -> Iterator[tuple[str, bytes]]:
    """URL and body of the recorded replies whose URL has a part."""
    for row in corpus.recording("gateio"):
        if part in row.get("url", ""):
            yield row["url"], row["data"].encode()


def instruments() -> dict[str, Instrument]:
    """All that the recorded list has, by the venue's symbol."""
    ((_, body),) = replies("/currency_pairs")
    operation = VENUE.operations[commands.ListInstruments]
    found = read(operation, commands.ListInstruments(), SCOPE, body)
    assert len({instrument.id for instrument in found}) == len(found) > 1000
    return {instrument.venue_symbol: instrument for instrument in found}


def values() -> Iterator[tuple[str, Any]]:
    """Topics and values in the order of arrival."""
    parsers = {
        topic: (instrument, parser)
        for instrument in instruments().values()
        for spec in VENUE.channels.values()
        for topic, parser in spec.topics(instrument, 60).items()
    }
    for row in corpus.recording("gateio"):
        if row["t"] == "recv":
            for item in VENUE.streams["public"].route(row["data"].encode()):
                assert isinstance(item, tuple), item
                instrument, parser = parsers[item[0]]
                for value in parser(item[1], instrument, 1):
                    yield item[0], value


def test_every_recorded_frame_means_something() -> None:
    counts: Counter[str] = Counter()
    for _, value in values():
        counts["BookMessage" if is_book(value) else type(value).__name__] += 1
        if isinstance(value, Candle):
            assert value.low <= min(value.open, value.close)
        elif isinstance(value, Trade):
            assert value.price > 0
            assert value.event_time > 1_619_093_000_000_000_000
        elif isinstance(value, Ticker):
            assert value.last_price
            assert not value.bid_price  # a second old there
    # Six candles told what was traded in quote only.
    assert counts == {"BookMessage": 172, "Ticker": 22, "Trade": 9, "Candle": 8}


@pytest.mark.parametrize("early", [0, 5, 10_000])
def test_every_recorded_book_is_continuous(early: int) -> None:
    """`early` of each book's messages come before its snapshot is answered, the rest after."""
    rule = VENUE.channels[Channel.BOOK].book
    assert rule is not None
    snapshots = {}
    operation = VENUE.operations[commands.GetBook]
    known = instruments()
    for url, body in replies("/order_book"):
        symbol = url.partition("currency_pair=")[2].partition("&")[0]
        command = commands.GetBook(known[symbol], 100)
        snapshots[f"spot.order_book_update:{symbol}"] = read(operation, command, SCOPE, body)
    assert len(snapshots) == 10
    messages: dict[str, list[Any]] = {topic: [] for topic in snapshots}
    for topic, value in values():
        if is_book(value):
            messages[topic].append(value)
    for topic, snapshot in snapshots.items():
        sync = BookSync(topic, rule)
        sync.subscribing()
        sync.subscribed()
        # The first messages are older than the snapshot: without them there is no joining.
        joined = next(
            (n for n, m in enumerate(messages[topic]) if m.last > snapshot.last), len(messages)
        )
        for place, message in enumerate(messages[topic]):
            if place == max(early, joined):
                assert sync.answer(snapshot, 1) is not None, topic
            sync.message(message, 1)
        if sync.state is not BookState.LIVE:
            assert sync.answer(snapshot, 1) is not None, topic
        assert sync.state is BookState.LIVE, (topic, sync.reason)
        assert sync.sequence == max([snapshot.last, *(m.last for m in messages[topic])])
        bid, ask = sync.book.best_bid, sync.book.best_ask
        assert bid is not None
        assert ask is not None
        assert bid[0] < ask[0]


def test_the_documented_replies_parse_for_every_endpoint_that_we_use() -> None:
    venue = load("gate_io")
    instrument = venue.instruments["BTC-USDT"]
    anything = Scope("gate_io", "main", lambda symbol: instrument)
    by_call: dict[tuple[str, str], commands.Command[Any]] = {}
    for case in venue.cases("requests"):
        command = venue.command(case["command"])
        by_call.setdefault((case["request"]["method"], case["request"]["path"]), command)
    parsed: set[tuple[str, str]] = set()
    for _name, method, path, body in corpus.examples("gate_io", "spot"):
        call = method, path.replace("/orders/123", "/orders/1852454420")
        if call in by_call:
            command = by_call[call]
            plain(read(VENUE.operations[type(command)], command, anything, body))
            parsed.add(call)
    # The corpus has no reply of the clock's, and names our own id nowhere.
    missing = {path for _, path in set(by_call) - parsed}
    assert missing <= {"/api/v4/spot/time", "/api/v4/spot/orders/t-CBT7QK2MZ4XEXAMPLE"}


def test_the_documented_frames_mean_something() -> None:
    seen = Counter[str]()
    venue = load("gate_io")
    instrument = venue.instruments["BTC-USDT"]
    scope = Scope("gate_io", "main", lambda symbol: instrument)
    for path in sorted((corpus.folder() / "examples/gate_io/subscriptions/spot").glob("*.txt")):
        text = path.read_text()
        frame = text[text.rindex("\n=") + 2 :].strip().encode()
        if path.stem == "concurrent":
            continue
        channel = json.loads(frame)["channel"].replace("spot.orders", "spot.orders_v2")
        frame = frame.replace(b'"spot.orders"', b'"spot.orders_v2"').replace(b"ETH_", b"BTC_")
        topics = {
            topic: parser
            for spec in VENUE.channels.values()
            for topic, parser in spec.topics(instrument, 60).items()
        }
        if channel in VENUE.private.topics:
            ((topic, payload),) = VENUE.private.stream.route(frame)  # type: ignore[misc]
            assert list(VENUE.private.topics[topic](payload, scope))
            seen[topic] += 1
        elif f"{channel}:BTC_USDT" in topics:
            ((topic, payload),) = VENUE.streams["public"].route(frame)  # type: ignore[misc]
            assert list(topics[topic](payload, instrument, 1))
            seen[channel] += 1
    assert len(seen) == 7, seen
