"""Kraken's books by the checksums that its documentation prints, and by the text on the wire."""

import json
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cex.engine import commands
from cex.engine.book_sync import BookSync, Need
from cex.engine.caller import read
from cex.engine.messages import BookMessage
from cex.engine.spec import Scope
from cex.venues.kraken import VENUE, checksum_for
from core.books import OrderBook
from core.instruments import Instrument
from core.market import BookSnapshot, BookState
from core.ports import Channel
from tests.support.cex_fixtures import load, payload

BOOKS = VENUE.channels[Channel.BOOK]
INSTRUMENTS = load("kraken").instruments

# The worked example of the guide "Book checksum (WebSocket v2)".
ASKS = """45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911
45290.2 0.15890660 45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000 45297.5 0.09945542
45299.5 0.18772827"""
BIDS = """45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000
45280.3 1.54592586 45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000 45277.3 1.54602737
45276.6 0.15445238"""


def levels(spelled: str) -> list[tuple[str, str]]:
    words = spelled.split()
    return list(zip(words[::2], words[1::2], strict=True))


def book_of(instrument: Instrument) -> BookSync:
    """A book that is being subscribed."""
    assert BOOKS.book is not None
    sync = BookSync(instrument.id, BOOKS.book.of(instrument))
    sync.subscribing()
    return sync


def messages(frame: bytes, instrument: Instrument) -> list[Any]:
    """What a frame tells of an instrument's book."""
    ((topic, parser),) = BOOKS.topics(instrument, 0).items()
    found: list[Any] = []
    for item in VENUE.streams["public"].route(frame):
        assert isinstance(item, tuple)
        assert item[0] == topic
        found.extend(parser(item[1], instrument, 1))
    return found


def test_the_checksum_of_the_guides_example() -> None:
    book = OrderBook()
    book.load(levels(BIDS), levels(ASKS))
    assert checksum_for(INSTRUMENTS["BTC-USD"])(book) == 3310070434


def test_the_documented_snapshot_and_its_change_are_reproduced() -> None:
    """The page prints them without the zeros that pad them on the wire: 0.566 is 0.5660."""
    matic = INSTRUMENTS["MATIC-USD"]
    cases = [c for c in load("kraken").cases("frames") if c["stream"] == "BOOK"][:2]
    sync = book_of(matic)
    for case in cases:
        (message,) = messages(payload(case), matic)
        assert message.checksum
        assert sync.message(message, 1) is not None
        assert sync.state is BookState.LIVE, sync.reason
    assert len(sync.book) == 20
    assert sync.snapshot().bids[1][-1] == "1098.3947558"


def test_a_lost_message_shows_in_the_next_checksum() -> None:
    matic = INSTRUMENTS["MATIC-USD"]
    first, second = (
        messages(payload(c), matic)[0]
        for c in [c for c in load("kraken").cases("frames") if c["stream"] == "BOOK"][:2]
    )
    sync = book_of(matic)
    sync.message(first, 1)
    told = sync.message(BookMessage([], [], checksum=second.checksum), 1)
    assert isinstance(told, BookSnapshot)
    assert told.state is BookState.SYNCING
    assert "checksum" in told.reason
    assert sync.need is Need.SUBSCRIPTION


@pytest.mark.parametrize(("size", "depth"), [(10, 10), (25, 25), (9, 0), (400, 0)])
def test_a_snapshot_as_large_as_a_depth_tells_it(size: int, depth: int) -> None:
    rows = ",".join(f'{{"price":{100 + n}.5,"qty":1.00000000}}' for n in range(size))
    data = f'{{"symbol":"BTC/USD","bids":[],"asks":[{rows}],"checksum":1}}'
    frame = f'{{"channel":"book","type":"snapshot","data":[{data}]}}'.encode()
    (message,) = messages(frame, INSTRUMENTS["BTC-USD"])
    assert message.depth == depth


def instrument(pair_decimals: int, lot_decimals: int, tick: str) -> Instrument:
    """As the venue's list of pairs tells it."""
    pair = {
        "altname": "AAAUSD", "wsname": "AAA/USD", "base": "AAA", "quote": "ZUSD",
        "pair_decimals": pair_decimals, "lot_decimals": lot_decimals, "tick_size": tick,
    }  # fmt: skip
    command = commands.ListInstruments()
    operation = VENUE.operations[commands.ListInstruments]
    body = json.dumps({"error": [], "result": {"AAAUSD": pair}}).encode()
    (found,) = read(operation, command, Scope("kraken", "", INSTRUMENTS.__getitem__), body)
    assert isinstance(found, Instrument)
    return found


def theirs(sides: list[list[tuple[str, str]]]) -> int:
    """The checksum, from the text on the wire: asks, then bids."""
    digits = [part.replace(".", "").lstrip("0") for side in sides for row in side for part in row]
    return crc32("".join(digits).encode())


@given(
    st.integers(0, 9),
    st.integers(0, 8),
    st.lists(st.integers(1, 10**12), min_size=2, max_size=30, unique=True),
    st.lists(st.integers(1, 10**12), min_size=30, max_size=30),
    st.booleans(),
)
def test_any_book_has_the_checksum_of_its_text(
    places: int, lots: int, prices: list[int], quantities: list[int], coarse: bool
) -> None:
    """Numbers come padded with zeros; the book keeps them without."""
    step = Decimal(5 if coarse else 1).scaleb(-places)
    made = instrument(places, lots, format(step, "f"))
    rows = [
        (format(step * price, f".{places}f"), format(Decimal(size).scaleb(-lots), f".{lots}f"))
        for price, size in zip(sorted(prices), quantities, strict=False)
    ]
    bids, asks = rows[: len(rows) // 2][::-1], rows[len(rows) // 2 :]
    text = [
        ",".join(f'{{"price":{price},"qty":{quantity}}}' for price, quantity in side)
        for side in (bids, asks)
    ]
    wanted = theirs([asks[:10], bids[:10]])
    data = f'{{"symbol":"AAA/USD","bids":[{text[0]}],"asks":[{text[1]}],"checksum":{wanted}}}'
    frame = f'{{"channel":"book","type":"snapshot","data":[{data}]}}'.encode()
    sync = book_of(made)
    (message,) = messages(frame, made)
    assert sync.message(message, 1) is not None
    assert sync.state is BookState.LIVE, sync.reason


@pytest.mark.parametrize(
    "row",
    [
        '{"price":0.5657,"qty":0.00000012}',
        '{"price": 0.5657, "qty": 1.2E-7}',
        '{"price":"0.5657","qty":"0.00000012"}',
        '{"qty":1.2e-7,"price":0.5657}',
        '{"price":0.5657,"qty":0.00000012,"orders":3}',
    ],
)
def test_a_number_means_the_same_however_it_is_spelled(row: str) -> None:
    frame = (
        '{"type":"update","channel":"book","data":[{"symbol":"MATIC/USD","bids":[' + row + "],"
        '"asks":[ ],"checksum":1,"timestamp":"2026-10-06T17:35:55.440295Z"}]}'
    )
    (message,) = messages(frame.encode(), INSTRUMENTS["MATIC-USD"])
    assert message.bids == [("0.5657", "0.00000012")]
    assert message.asks == []
