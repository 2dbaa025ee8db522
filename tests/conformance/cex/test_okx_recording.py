"""A recorded session of OKX (2022), and the documented replies, through our parsers."""

import json
from collections import Counter
from typing import Any
from zlib import crc32

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync, Need
from cex.engine.caller import read
from cex.engine.messages import BookMessage
from cex.engine.spec import Scope, Verdict
from cex.venues import okx
from cex.venues.okx import VENUE
from core.books import OrderBook
from core.instruments import Instrument
from core.market import BookSnapshot, BookState, Ticker, Trade
from core.ports import Channel
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain

NO_INSTRUMENTS = Scope("okx", "main", dict[str, Instrument]().__getitem__)
BOOKS = VENUE.channels[Channel.BOOK]


def any_instrument(symbol: str) -> Instrument:
    """Futures and swaps are in the recording too; their books are of the same form."""
    base, quote = symbol.split("-")[:2]
    kind = load("okx").instruments["BTC-USDT"]
    return Instrument("okx", symbol, symbol, kind.kind, base, quote, quote, kind.price_tick,
                      kind.quantity_step)  # fmt: skip


def book_of(name: str) -> BookSync:
    """A book that is being subscribed."""
    assert BOOKS.book is not None
    sync = BookSync(name, BOOKS.book)
    sync.subscribing()
    return sync


def recorded(rows: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Topics and values of all data frames, in their order."""
    found: list[tuple[str, Any]] = []
    for row in rows:
        if row["t"] != "recv":
            continue
        for item in VENUE.streams["public"].route(row["data"].encode()):
            if not isinstance(item, tuple):
                continue
            topic, payload = item
            instrument = any_instrument(topic.partition(":")[2])
            for spec in VENUE.channels.values():
                for name, parser in spec.topics(instrument, 60).items():
                    if name == topic:
                        found.extend((topic, value) for value in parser(payload, instrument, 1))
    return found


@pytest.mark.corpus
def test_every_recorded_frame_means_something() -> None:
    rows = corpus.recording("okx")
    counts = Counter(type(value).__name__ for _, value in recorded(rows))
    assert counts == {"BookMessage": 290, "Trade": 74, "Ticker": 28}
    for _, value in recorded(rows):
        if isinstance(value, Ticker) and value.bid_price and value.ask_price:
            assert value.bid_price < value.ask_price
        elif isinstance(value, Trade):
            assert value.price > 0


@pytest.mark.corpus
def test_every_recorded_checksum_is_reproduced() -> None:
    syncs: dict[str, BookSync] = {}
    reproduced = 0
    for topic, message in recorded(corpus.recording("okx")):
        if not is_book(message):
            continue
        if topic not in syncs:
            syncs[topic] = book_of(topic)
        sync = syncs[topic]
        assert message.checksum
        assert sync.message(message, 1) is not None
        assert sync.state is BookState.LIVE, sync.reason
        assert okx.checksum(sync.book) == message.checksum
        reproduced += 1
    assert len(syncs) == 3
    assert reproduced == 290


@pytest.mark.corpus
def test_a_lost_message_shows_in_the_next_checksum() -> None:
    messages = [m for topic, m in recorded(corpus.recording("okx")) if topic == "books:BTC-USDT"]
    near = messages[0].bids[0]
    sync = book_of("BTC-USDT")
    sync.message(messages[0], 1)
    sync.message(BookMessage([(near[0], "123.456")], []), 1)
    told = sync.message(BookMessage([], [], checksum=messages[0].checksum), 1)
    assert isinstance(told, BookSnapshot)
    assert told.state is BookState.SYNCING
    assert "checksum" in told.reason
    assert sync.need is Need.SUBSCRIPTION


@pytest.mark.corpus
def test_the_recorded_instruments_are_read() -> None:
    row = next(r for r in corpus.recording("okx") if "instType=SPOT" in r.get("url", ""))
    command = commands.ListInstruments()
    operation = VENUE.operations[commands.ListInstruments]
    found = read(operation, command, NO_INSTRUMENTS, row["data"].encode())
    assert len(found) == len(json.loads(row["data"])["data"]) > 100
    assert len({instrument.id for instrument in found}) == len(found)


@pytest.mark.corpus
def test_the_documented_replies_parse_for_every_endpoint_that_we_use() -> None:
    venue = load("okx")
    anything = Scope("okx", "main", any_instrument)
    by_call = {}
    for case in venue.cases("requests"):
        by_call[case["request"]["method"], case["request"]["path"]] = venue.command(case["command"])
    parsed: set[tuple[str, str]] = set()
    for name, method, path, body in corpus.examples("okx", "unifiedapi"):
        if (method, path) not in by_call:
            continue
        command = by_call[method, path]
        value = read(VENUE.operations[type(command)], command, anything, body)
        assert plain(value) or value == [], name
        parsed.add((method, path))
    # The corpus has one reply for both places of fills.
    assert set(by_call) - parsed <= {("GET", "/api/v5/trade/fills-history")}


def test_a_checksum_is_of_both_sides_by_turns_and_signed() -> None:
    """The documentation's example of sides that differ in length."""
    book = OrderBook()
    book.load([("3366.1", "7")], [("3372", "8"), ("3366.8", "9"), ("3368", "8")])
    assert okx.checksum(book) == crc32(b"3366.1:7:3366.8:9:3368:8:3372:8") == 831078360
    book.load([("3366.1", "6")], [])
    assert okx.checksum(book) == crc32(b"3366.1:6") - 2**32 < 0


@pytest.mark.parametrize(
    ("previous", "last", "verdict"),
    [
        (100, 107, Verdict.APPLY),
        (100, 100, Verdict.APPLY),  # nothing changed for a minute
        (100, 3, Verdict.APPLY),  # numbers begin again
        (90, 100, Verdict.OLD),  # the same message twice
        (101, 107, Verdict.GAP),
        (3, 9, Verdict.GAP),  # the message that began again is missing
    ],
)
def test_each_message_names_the_one_before(previous: int, last: int, verdict: Verdict) -> None:
    message = BookMessage((), (), last, previous=previous)
    assert okx.verdict(message, 100, False) is verdict


def reply(code: str, *items: str) -> bytes:
    data = [{"ordId": str(n), "clOrdId": "", "sCode": s, "sMsg": s} for n, s in enumerate(items)]
    return json.dumps({"code": code, "msg": "whole", "data": data}).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (reply("0", "0"), None),
        (reply("0", "51008"), "51008"),  # a failure inside a success
        (reply("1", "51400", "50026"), "50026"),  # the one that may have been done counts
        (reply("1", "51400", "51402"), "51400"),
        (reply("2", "0", "51400"), None),  # some were done: the parser says which
        (reply("1", "0"), "1"),  # contradicts itself
        (reply("1"), "1"),
        (reply("50011"), "50011"),
    ],
)
def test_which_failure_counts(body: bytes, code: str | None) -> None:
    failure = VENUE.failure(200, body)
    assert (failure.code if failure else None) == code
