"""The states of a book, by the strategies that venues need."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from cex.engine.book_sync import BookSync, Need
from cex.engine.messages import BookMessage
from cex.engine.spec import BookRule, Start, Verdict
from cex.venues.binance import verdict
from core.books import OrderBook
from core.instruments import Instrument, InstrumentKind
from core.market import BookDelta, BookSnapshot, BookState

REST = BookRule(Start.REST, verdict)
BITCOIN = Instrument(
    "venue", "BTC-USD", "BTC/USD", InstrumentKind.SPOT, "BTC", "USD", "USD",
    price_tick=Decimal("0.50"), quantity_step=Decimal("0.001"),
)  # fmt: skip


def message(first: int, last: int, bids: str = "", asks: str = "", **more: object) -> BookMessage:
    def rows(text: str) -> list[tuple[str, str]]:
        return [(p, q) for p, q in (level.split("x") for level in text.split())]

    return BookMessage(rows(bids), rows(asks), last, first, **more)  # type: ignore[arg-type]


def started(rule: BookRule = REST) -> BookSync:
    sync = BookSync("X-Y", rule)
    sync.subscribing()
    sync.subscribed()
    return sync


def live() -> BookSync:
    sync = started()
    assert sync.answer(message(0, 10, "99x1", "101x1"), 5) is not None
    assert sync.state is BookState.LIVE
    return sync


def test_messages_before_the_snapshot_are_kept_and_joined() -> None:
    sync = started()
    assert sync.need is Need.SNAPSHOT
    for step in (message(8, 9, "1x1"), message(10, 12, "98x4"), message(13, 13, "", "101x0 103x1")):
        assert sync.message(step, 5) is None
    snapshot = sync.answer(message(0, 11, "99x1", "101x1"), 6)
    assert snapshot is not None
    assert snapshot.state is BookState.LIVE
    assert snapshot.bids == (["99", "98"], ["1", "4"])
    assert snapshot.asks == (["103"], ["1"])
    assert snapshot.sequence == 13


def test_a_snapshot_older_than_the_stream_is_asked_for_again() -> None:
    sync = started()
    sync.message(message(20, 21, "98x4"), 5)
    assert sync.answer(message(0, 18, "99x1", "101x1"), 6) is None
    assert sync.state is BookState.SYNCING
    assert sync.need is Need.SNAPSHOT
    assert sync.snapshot().bids == ([], [])
    assert sync.answer(message(0, 19, "99x1", "101x1"), 6) is not None
    assert sync.sequence == 21


def test_a_hole_in_the_stream_before_the_snapshot_drops_what_lies_before_it() -> None:
    sync = started()
    for step in (message(11, 11, "98x4"), message(13, 13, "97x1"), message(14, 14, "96x1")):
        sync.message(step, 5)
    assert sync.answer(message(0, 10, "99x1", "101x1"), 6) is None
    snapshot = sync.answer(message(0, 12, "99x1", "101x1"), 6)
    assert snapshot is not None
    assert snapshot.sequence == 14


def test_what_is_known_already_is_not_told_again() -> None:
    sync = live()
    delta = sync.message(message(11, 12, "98x4"), 7)
    assert delta == BookDelta("X-Y", (["98"], ["4"]), ([], []), 12, 0, 7)
    assert sync.message(message(11, 12, "98x4"), 7) is None
    assert sync.message(message(9, 10, "50x1"), 7) is None
    assert sync.state is BookState.LIVE


def test_a_gap_starts_the_book_again_and_keeps_the_message() -> None:
    sync = live()
    epoch = sync.epoch
    told = sync.message(message(12, 12, "98x4"), 7)
    assert isinstance(told, BookSnapshot)
    assert told.state is BookState.SYNCING
    assert "missing" in told.reason
    assert told.bids == ([], [])
    assert sync.need is Need.SNAPSHOT
    assert sync.epoch > epoch
    snapshot = sync.answer(message(0, 11, "99x1", "101x1"), 8)
    assert snapshot is not None
    assert snapshot.bids == (["99", "98"], ["1", "4"])


def test_a_crossed_book_starts_again() -> None:
    sync = live()
    told = sync.message(message(11, 11, "101.0x1"), 7)
    assert isinstance(told, BookSnapshot)
    assert told.state is BookState.SYNCING
    assert "crossed" in told.reason


def test_a_disconnected_book_is_stale_and_shows_its_last_levels() -> None:
    sync = live()
    told = sync.disconnected("gone")
    assert told.state is BookState.STALE
    assert told.reason == "gone"
    assert told.bids == (["99"], ["1"])
    assert sync.message(message(11, 11, "98x1"), 7) is None
    assert sync.answer(message(0, 20, "1x1", "2x1"), 7) is None
    assert sync.state is BookState.STALE
    assert sync.subscribing().state is BookState.SYNCING


def test_what_comes_before_the_confirmation_counts() -> None:
    sync = BookSync("X-Y", REST)
    sync.subscribing()
    sync.message(message(11, 11, "98x4"), 5)
    assert sync.need is Need.NOTHING
    sync.subscribed()
    snapshot = sync.answer(message(0, 10, "99x1", "101x1"), 6)
    assert snapshot is not None
    assert snapshot.sequence == 11
    early = BookSync("X-Y", BookRule(Start.STREAM, follows))
    early.subscribing()
    early.message(message(0, 10, "99x1", "101x1", whole=True), 5)
    early.subscribed()
    assert early.state is BookState.LIVE


def test_the_buffer_has_an_end() -> None:
    sync = started()
    for number in range(1, 20_000):
        sync.message(message(number, number, "98x4"), 5)
    assert len(sync._buffer) == 5000
    assert sync.answer(message(0, 100, "99x1", "101x1"), 6) is None
    assert sync.answer(message(0, 19_998, "99x1", "101x1"), 6) is not None


@pytest.mark.parametrize("bad", ["NaNx1", "1xNaN", "-1x1"])
def test_a_level_that_is_no_number_is_an_error(bad: str) -> None:
    sync = live()
    with pytest.raises(ValueError):
        sync.message(message(11, 11, bad), 7)


# -- other strategies ------------------------------------------------------------------------------


def follows(message: BookMessage, sequence: int, first: bool) -> Verdict:
    return Verdict.APPLY if message.previous == sequence else Verdict.GAP


def checksum(book: OrderBook) -> int:
    return len(book)


def test_a_stream_that_begins_with_its_own_snapshot() -> None:
    sync = started(BookRule(Start.STREAM, follows))
    assert sync.need is Need.NOTHING
    assert sync.message(message(0, 5, "1x1", previous=4), 5) is None
    told = sync.message(message(0, 10, "99x1", "101x1", whole=True), 5)
    assert isinstance(told, BookSnapshot)
    assert told.state is BookState.LIVE
    assert isinstance(sync.message(message(0, 12, "98x1", previous=10), 5), BookDelta)
    broken = sync.message(message(0, 15, "98x1", previous=14), 5)
    assert isinstance(broken, BookSnapshot)
    assert broken.state is BookState.SYNCING
    assert sync.need is Need.SUBSCRIPTION


def test_a_checksum_that_differs_starts_the_book_again() -> None:
    sync = started(BookRule(Start.STREAM, follows, checksum=checksum))
    sync.message(message(0, 10, "99x1", "101x1", whole=True, checksum=2), 5)
    assert sync.state is BookState.LIVE
    sync.message(message(0, 11, "98x1", previous=10, checksum=3), 5)
    assert sync.state is BookState.LIVE
    told = sync.message(message(0, 12, "97x1", previous=11, checksum=77), 5)
    assert isinstance(told, BookSnapshot)
    assert told.reason == "the checksum is 4, the venue's is 77"
    assert sync.need is Need.SUBSCRIPTION


def test_a_stream_of_whole_books() -> None:
    sync = started(BookRule(Start.WHOLE, follows))
    for number in (10, 11):
        told = sync.message(message(0, number, f"{number}x1", "101x1", whole=True), 5)
        assert isinstance(told, BookSnapshot)
        assert told.state is BookState.LIVE
        assert told.bids == ([str(number)], ["1"])


def test_a_book_is_cut_to_the_depth_that_the_venue_keeps() -> None:
    sync = started(BookRule(Start.STREAM, follows, trim=2))
    sync.message(message(0, 10, "99x1 98x1", "101x1 102x1", whole=True), 5)
    told = sync.message(message(0, 11, "99.5x1", "", previous=10), 5)
    assert isinstance(told, BookDelta)
    assert told.bids == (["99.5", "98"], ["1", "0"])
    assert sync.snapshot().bids == (["99.5", "99"], ["1", "1"])


def by_time(message: BookMessage, sequence: int, first: bool) -> Verdict:
    return Verdict.OLD if message.last < sequence else Verdict.APPLY


WHOLE = BookRule(Start.WHOLE, by_time)


def test_every_message_may_be_the_whole_book() -> None:
    sync = started(WHOLE)
    assert sync.need is Need.NOTHING
    sync.message(message(0, 10, "99x1 98x1", "101x1", whole=True), 5)
    assert sync.state is BookState.LIVE
    again = sync.message(message(0, 11, "97x1", "101x2", whole=True), 6)
    assert isinstance(again, BookSnapshot)
    assert again.bids == (["97"], ["1"])
    # One that comes late says how the book was.
    assert sync.message(message(0, 10, "99x1 98x1", "101x1", whole=True), 7) is None
    assert sync.snapshot().bids == (["97"], ["1"])


def test_best_levels_refresh_a_whole_book_and_do_not_begin_one() -> None:
    sync = started(WHOLE)
    assert sync.message(message(0, 9, "99x1", "101x1", best=1), 5) is None
    assert sync.state is BookState.SYNCING
    sync.message(message(0, 10, "99x1 98x1", "101x1 102x1", whole=True), 5)
    change = sync.message(message(0, 11, "98x5", "100x1", best=1), 6)
    assert isinstance(change, BookDelta)
    assert change.bids == (["99", "98"], ["0", "5"])
    assert change.asks == (["100"], ["1"])
    assert sync.message(message(0, 10, "99x1", "101x1", best=1), 7) is None
    assert sync.snapshot().bids == (["98"], ["5"])
    assert sync.snapshot().asks == (["100", "101", "102"], ["1", "1", "1"])


def test_a_crossed_whole_book_waits_for_the_next_message() -> None:
    sync = started(WHOLE)
    sync.message(message(0, 10, "99x1", "101x1", whole=True), 5)
    sync.message(message(0, 11, "101x1", "101x1", whole=True), 6)
    assert sync.state is BookState.SYNCING
    assert sync.need is Need.NOTHING
    sync.message(message(0, 12, "99x1", "101x1", whole=True), 7)
    assert sync.state is BookState.LIVE


def follows_all(message: BookMessage, sequence: int, first: bool) -> Verdict:
    return Verdict.APPLY


def test_a_snapshot_tells_to_which_depth_the_book_is_kept() -> None:
    sync = started(BookRule(Start.STREAM, follows_all, trim=3))
    deep = "99x1 98x1 97x1 96x1"
    sync.message(message(0, 0, deep, whole=True), 5)
    assert sync.snapshot().bids[0] == ["99", "98", "97"]
    sync.message(message(0, 0, deep, whole=True, depth=2), 5)
    assert sync.snapshot().bids[0] == ["99", "98"]
    told = sync.message(message(0, 0, "99.5x1"), 6)
    assert isinstance(told, BookDelta)
    assert told.bids == (["99.5", "98"], ["1", "0"])
    sync.message(message(0, 0, deep, whole=True), 7)
    assert sync.snapshot().bids[0] == ["99", "98", "97"]


def test_a_checksum_may_need_the_instruments_precision() -> None:
    made: list[str] = []

    def checksum_for(instrument: Instrument) -> Callable[[OrderBook], int]:
        made.append(instrument.id)
        return lambda book: len(book) * 10 ** -int(instrument.price_tick.as_tuple().exponent)

    rule = BookRule(Start.STREAM, follows_all, checksum_for=checksum_for).of(BITCOIN)
    sync = started(rule)
    sync.message(message(0, 0, "99x1", "101x1", whole=True, checksum=200), 5)
    assert sync.state is BookState.LIVE
    sync.message(message(0, 0, "98x1", checksum=300), 5)
    assert sync.state is BookState.LIVE
    sync.message(message(0, 0, "97x1", checksum=300), 5)
    assert sync.state is BookState.SYNCING
    assert sync.reason == "the checksum is 400, the venue's is 300"
    assert made == ["BTC-USD"]
    assert REST.of(BITCOIN) is REST
