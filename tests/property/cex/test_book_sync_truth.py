"""However messages are lost, doubled and swapped: a book that says LIVE is the venue's book."""

from hypothesis import given
from hypothesis import strategies as st

from cex.engine.book_sync import BookSync, Need
from cex.engine.messages import BookMessage
from cex.venues.binance import VENUE
from core.books import OrderBook
from core.market import BookDelta, BookSnapshot, BookState
from core.ports import Channel

_channel = VENUE.channels[Channel.BOOK]
assert _channel.book is not None
RULE = _channel.book

# Bids below 100, asks above, so that the venue's book is never crossed.
bid = st.tuples(st.integers(90, 99).map(str), st.sampled_from(["0", "1", "2.50"]))
ask = st.tuples(st.integers(101, 110).map(str), st.sampled_from(["0", "1", "2.50"]))
change = st.tuples(st.lists(bid, max_size=3), st.lists(ask, max_size=3), st.integers(1, 3))
# What happens to a message on its way, and whether a snapshot that we asked for comes after it.
fate = st.sampled_from(["arrives", "arrives", "arrives", "arrives", "lost", "doubled", "late"])
journeys = st.lists(st.tuples(change, fate, st.booleans(), st.booleans()), min_size=1, max_size=40)


class Truth:
    """The venue: its book at every sequence."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.sequence = 10
        self.history = {10: self.book.snapshot()}

    def step(
        self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], width: int
    ) -> BookMessage:
        first = self.sequence + 1
        self.sequence += width
        self.book.apply(bids, asks)
        self.history[self.sequence] = self.book.snapshot()
        return BookMessage(bids, asks, self.sequence, first)

    def snapshot(self) -> BookMessage:
        (bid_prices, bid_sizes), (ask_prices, ask_sizes) = self.book.snapshot()
        return BookMessage(
            list(zip(bid_prices, bid_sizes, strict=True)),
            list(zip(ask_prices, ask_sizes, strict=True)),
            self.sequence,
            whole=True,
        )


class Subscriber:
    """A bot that keeps a book of what it is told."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.live = False

    def told(self, update: BookSnapshot | BookDelta | None) -> None:
        if isinstance(update, BookSnapshot):
            self.live = update.state is BookState.LIVE
            self.book.load(
                zip(*update.bids, strict=True),
                zip(*update.asks, strict=True),
            )
        elif isinstance(update, BookDelta):
            assert self.live, "changes to a book that is not live"
            self.book.apply(zip(*update.bids, strict=True), zip(*update.asks, strict=True))


@given(journeys)
def test_a_live_book_is_the_venues_book(
    moves: list[tuple[tuple[list[tuple[str, str]], list[tuple[str, str]], int], str, bool, bool]],
) -> None:
    truth, sync, bot = Truth(), BookSync("X-Y", RULE), Subscriber()
    bot.told(sync.subscribing())
    sync.subscribed()
    late: list[BookMessage] = []
    answers: list[BookMessage] = []
    for (bids, asks, width), way, asked, answered in moves:
        message = truth.step(bids, asks, width)
        arriving = {"lost": [], "late": [], "doubled": [message, message]}.get(way, [message])
        if way != "late":
            arriving += late
            late = []
        else:
            late.append(message)
        for item in arriving:
            bot.told(sync.message(item, 1))
        if asked and sync.need is Need.SNAPSHOT:
            answers.append(truth.snapshot())
        if answered and answers:
            bot.told(sync.answer(answers.pop(0), 1))
        if sync.state is BookState.LIVE:
            assert sync.book.snapshot() == truth.history[sync.sequence]
            assert bot.live
            assert bot.book.snapshot() == sync.book.snapshot()
        else:
            assert not bot.live
            assert sync.need is Need.SNAPSHOT
    # Nothing is lost any more: the book comes to the venue's present.
    for _ in range(3):
        bot.told(sync.message(truth.step([("95", "7")], [], 1), 1))
        if sync.need is Need.SNAPSHOT:
            bot.told(sync.answer(truth.snapshot(), 1))
    assert sync.state is BookState.LIVE
    assert sync.book.snapshot() == truth.book.snapshot() == bot.book.snapshot()
