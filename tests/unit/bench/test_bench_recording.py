"""What the benchmarks' local venue plays: a book that is never crossed, in frames without a gap."""

import json
from itertools import pairwise

import pytest

from bench.venue import frames, recording
from bench.venue.recording import ABSENT, Change, Recording
from core.books import OrderBook
from tests.support import corpus


def played(name: str) -> Recording:
    if name == "made":
        return recording.made()
    path = corpus.folder() / "captures" / "binance.jsonl.zst"
    return recording.recorded(path)


@pytest.mark.parametrize("name", ["made", pytest.param("recorded", marks=pytest.mark.corpus)])
def test_a_cycle_ends_where_it_began_and_is_never_crossed(name: str) -> None:
    made = played(name)
    book = OrderBook()
    book.load(made.bids, made.asks)
    before = book.snapshot()
    states = []
    for change in made.cycle:
        book.apply(change.bids, change.asks)
        assert not book.crossed
        states.append(book.snapshot())
    assert book.snapshot() == before
    assert any(state != before for state in states)
    # What the venue answers to a question is the book at that moment.
    bids, asks = made.book_after(17)
    asked = OrderBook()
    asked.load(bids, asks)
    assert asked.snapshot() == states[16]


def payloads(blob: bytes) -> list[bytes]:
    """The text frames in a blob of a server's websocket bytes."""
    found = []
    while blob:
        assert blob[0] == 0x81
        size, start = blob[1], 2
        if size == 126:
            size, start = int.from_bytes(blob[2:4], "big"), 4
        found.append(blob[start : start + size])
        blob = blob[start + size :]
    return found


@pytest.mark.parametrize("stream", ["", "nknusdt@depth@100ms"])
def test_frames_follow_each_other_over_the_end_of_a_cycle(stream: str) -> None:
    cycle = (
        Change((("0.35000000", "7.00000000"),), ()),
        Change((), (("0.36000000", ABSENT), ("0.37000000", "12.50000000"))),
    )
    source = frames.Frames(cycle, stream)
    raw = payloads(source.blob(5, 4, 1_700_000_000_123))
    updates = [json.loads(one) for one in raw]
    if stream:
        assert {update["stream"] for update in updates} == {stream}
        updates = [update["data"] for update in updates]
    numbers = [(update["U"], update["u"]) for update in updates]
    assert numbers[0] == frames.ids(5)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(numbers))
    assert [len(update["b"]) for update in updates] == [0, 1, 0, 1]
    assert updates[0]["a"][0] == ["0.36000000", ABSENT]
    first, second = (updates[place]["b"][0][1] for place in (1, 3))
    assert (first[:2], second[:2]) == ("7.", "7.")
    assert first != second
    assert len({len(one) for one in raw[::2]}) == 1


def test_made_updates_are_the_same_each_time() -> None:
    assert recording.made() == recording.made()
    assert recording.made(seed=8) != recording.made()
