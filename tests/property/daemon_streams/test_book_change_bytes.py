"""The quick encoding of a book's change says the same as a message made for it alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist.v1 import market_data_pb2 as pb
from core.market import BookDelta
from daemon.codec import book_changes

TIMES = st.integers(0, 2**62)
SEQUENCES = st.integers(0, 2**63)
TEXT = st.integers(0, 10**40).map(str)
SIDES = st.lists(st.tuples(TEXT, TEXT), max_size=4).map(
    lambda rows: ([price for price, _ in rows], [quantity for _, quantity in rows])
)
DELTAS = st.builds(
    BookDelta,
    instrument=st.just("BTC-USDT"),
    bids=SIDES,
    asks=SIDES,
    sequence=SEQUENCES,
    event_time=TIMES,
    receive_time=TIMES,
)


@settings(max_examples=60)
@given(st.lists(st.tuples(DELTAS, SEQUENCES), max_size=8))
def test_a_run_of_changes_is_as_if_each_were_alone(run: list[tuple[BookDelta, int]]) -> None:
    for delta, sequence in run:
        quick = pb.OrderBook.FromString(book_changes.book_change(delta, sequence))
        assert quick == pb.OrderBook.FromString(book_changes.plain(delta, sequence))


def delta(price: str = "1") -> BookDelta:
    return BookDelta("BTC-USDT", ([price], ["2"]), ([], []), 3, 4, 5)


def test_the_message_that_is_filled_again_is_made_anew_in_time() -> None:
    encode = book_changes.ChangeEncoder().encode
    expected = book_changes.plain(delta(), 7)
    assert all(encode(delta(), 7) == expected for _ in range(1200))


def test_a_change_that_cannot_be_encoded_leaves_nothing_behind() -> None:
    encode = book_changes.ChangeEncoder().encode
    broken = BookDelta("BTC-USDT", (["1"], ["2"]), (["3"], [None]), 3, 4, 5)  # type: ignore[list-item]
    with pytest.raises(TypeError):
        encode(broken, 1)
    assert encode(delta("9"), 2) == book_changes.plain(delta("9"), 2)
