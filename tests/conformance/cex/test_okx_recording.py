"""A recorded session of OKX (2022), and the documented replies, through our parsers."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync, Need
from cex.engine.caller import read
from cex.engine.messages import BookMessage
from cex.engine.spec import Scope, VenueSpec, Verdict
from cex.venues import okx, okx_perpetual
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
def test_recorded_books_of_contracts_are_kept_in_base_units() -> None:
    """The venue's checksums are of contracts, whatever a contract is here."""
    spec = okx_perpetual.VENUE
    symbol = "UNI-USD-SWAP"
    instrument = replace(any_instrument(symbol), contract_size=Decimal("0.01"))
    channel = spec.channels[Channel.BOOK]
    assert channel.book is not None
    ((topic, parser),) = channel.topics(instrument, 0).items()
    sync = BookSync(symbol, channel.book.of(instrument))
    sync.subscribing()
    plain_books = [m for name, m in recorded(corpus.recording("okx")) if name == f"books:{symbol}"]
    reproduced = 0
    for row in corpus.recording("okx"):
        frame = row.get("data", "").encode()
        if row["t"] != "recv" or b'"data"' not in frame or symbol.encode() not in frame:
            continue
        for item in spec.streams["public"].route(frame):
            assert isinstance(item, tuple)
            if item[0] != topic:
                continue
            for message in parser(item[1], instrument, 1):
                assert is_book(message)
                assert [Decimal(quantity) for _, quantity in message.bids] == [
                    Decimal(quantity) / 100 for _, quantity in plain_books[reproduced].bids
                ]
                sync.message(message, 1)
                assert sync.state is BookState.LIVE, sync.reason
                reproduced += 1
    assert reproduced == len(plain_books) == 93


@pytest.mark.corpus
def test_the_recorded_swaps_are_read() -> None:
    row = next(r for r in corpus.recording("okx") if "instType=SWAP" in r.get("url", ""))
    operation = okx_perpetual.VENUE.operations[commands.ListInstruments]
    found = read(operation, commands.ListInstruments(), NO_INSTRUMENTS, row["data"].encode())
    rows = [one for one in json.loads(row["data"])["data"] if one["ctType"] == "linear"]
    assert len(found) == len(rows) > 80
    assert len({instrument.id for instrument in found}) == len(found)
    btc = next(instrument for instrument in found if instrument.id == "BTC-USDT-PERP")
    assert (btc.quantity_step, btc.contract_size) == (Decimal("0.01"), Decimal("0.01"))


@pytest.mark.corpus
@pytest.mark.parametrize("spec", [okx.VENUE, okx_perpetual.VENUE], ids=lambda spec: str(spec.id))
def test_the_documented_replies_parse_for_every_endpoint_that_we_use(spec: VenueSpec) -> None:
    venue = load(spec.id)
    anything = Scope(spec.id, "main", any_instrument)
    by_call: dict[tuple[str, str], Any] = {}
    for case in venue.cases("requests"):
        by_call[case["request"]["method"], case["request"]["path"]] = venue.command(case["command"])
    parsed: set[tuple[str, str]] = set()
    for name, method, path, body in corpus.examples("okx", "unifiedapi"):
        if (method, path) not in by_call or (path.endswith("instruments") and spec is not VENUE):
            continue  # of instruments, the example is of spot
        command = by_call[method, path]
        value = read(spec.operations[type(command)], command, anything, body)
        assert plain(value) or value in ([], None), name
        parsed.add((method, path))
    # The corpus has one reply for both places of fills.
    assert set(by_call) - parsed <= {
        ("GET", "/api/v5/trade/fills-history"),
        ("GET", "/api/v5/public/instruments"),
    }


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
