"""When a book is right: a state machine over a venue's messages, without I/O.

It says when it needs a snapshot by REST or a fresh subscription; who feeds it, obeys.
"""

from collections import deque
from enum import Enum

from cex.engine.messages import BookMessage
from cex.engine.spec import BookRule, Start, Verdict
from core.books import OrderBook
from core.market import BookDelta, BookSnapshot, BookState, BookUpdate

_LIVE, _APPLY = BookState.LIVE, Verdict.APPLY  # looked up once: every message comes by
_BUFFER = 5000  # messages kept while a snapshot is on its way; the oldest go first


class Need(Enum):
    """What a book waits for."""

    NOTHING = 0
    SNAPSHOT = 1  # by REST
    SUBSCRIPTION = 2  # anew


class BookSync:
    """One book of one venue, kept by its rule."""

    def __init__(self, instrument: str, rule: BookRule) -> None:
        self.instrument = instrument
        self.state = BookState.SYNCING
        self.reason = "waiting for the subscription"
        self.need = Need.NOTHING
        self.book = OrderBook()
        self.sequence = 0
        self.event_time = 0
        self.receive_time = 0
        self.epoch = 0  # grows each time it starts again: an answer to an older question is void
        self._rule = rule
        self._verdict = rule.verdict
        self._trim = rule.trim
        self._first = True
        self._buffer: deque[BookMessage] = deque(maxlen=_BUFFER)

    @property
    def ahead(self) -> int | None:
        """Nanoseconds by which the last change's time was ahead of its receipt: the venue's clock
        less ours, less the way. None after a snapshot, which may show an old time."""
        whole = self._first and self._rule.start is not Start.WHOLE
        if whole or not self.event_time or self.state is not BookState.LIVE:
            return None
        return self.event_time - self.receive_time

    def subscribing(self) -> BookSnapshot:
        """The subscription is asked for; messages may come before its confirmation."""
        return self._restart("waiting for the subscription")

    def subscribed(self) -> None:
        """The subscription is confirmed: what a snapshot by REST leaves out will come."""
        if self._rule.start is Start.REST and self.state is BookState.SYNCING:
            self.reason, self.need = "waiting for a snapshot", Need.SNAPSHOT

    def disconnected(self, reason: str) -> BookSnapshot:
        """No messages come; the levels last known stay visible, marked as stale."""
        self.state, self.reason, self.need = BookState.STALE, reason, Need.NOTHING
        self._buffer.clear()
        return self.snapshot()

    def broke(self, reason: str) -> BookSnapshot:
        """The book is wrong and starts again."""
        again = self._restart(reason)
        whole = self._rule.start is Start.WHOLE  # the next message will do
        rest = self._rule.start is Start.REST
        self.need = Need.SNAPSHOT if rest else Need.NOTHING if whole else Need.SUBSCRIPTION
        return again

    def message(self, message: BookMessage, received: int) -> BookUpdate | None:
        """Takes the next message of the stream; what subscribers are to be told, if anything.

        Raises ValueError when a level is no plain decimal; the caller then calls `broke`.
        """
        if self.state is _LIVE and not message.whole:
            verdict = self._verdict(message, self.sequence, self._first)
            if verdict is _APPLY:
                return self._apply(message, received)
            if verdict is Verdict.OLD:
                return None
            again = self.broke(f"messages after {self.sequence} are missing")
            self._buffer.append(message)
            return again
        if self.state is BookState.STALE:
            return None
        if message.whole:
            late = self.state is BookState.LIVE and self._rule.start is Start.WHOLE
            if late and self._rule.verdict(message, self.sequence, False) is Verdict.OLD:
                return None
            return self._load(message, received)
        if self._rule.start is Start.REST:
            self.receive_time = received
            self._buffer.append(message)
        return None

    def answer(self, snapshot: BookMessage, received: int) -> BookSnapshot | None:
        """Takes a snapshot by REST; None when it is too old to join the stream, and another is
        needed."""
        if self.state is not BookState.SYNCING:
            return None
        self.book.load(snapshot.bids, snapshot.asks)
        self.sequence, self._first = snapshot.last, True
        self.event_time = snapshot.event_time
        for message in self._buffer:
            verdict = self._rule.verdict(message, self.sequence, self._first)
            if verdict is Verdict.GAP:
                if not self._first:
                    # The stream itself has a hole: what lies before it is of no use.
                    while self._buffer[0] is not message:
                        self._buffer.popleft()
                self.book.clear()
                return None
            if verdict is Verdict.APPLY:
                self.book.apply(message.bids, message.asks)
                self.sequence, self.event_time = message.last, message.event_time
                self._first = False
        self._buffer.clear()
        if self.book.crossed:
            return self.broke(self._crossed())
        return self._live(received)

    def snapshot(self, depth: int = 0) -> BookSnapshot:
        """The book as it stands, with its state."""
        bids, asks = self.book.snapshot(depth)
        return BookSnapshot(
            self.instrument,
            self.state,
            bids,
            asks,
            self.sequence,
            self.event_time,
            self.receive_time,
            self.reason,
        )

    def _restart(self, reason: str) -> BookSnapshot:
        self.epoch += 1
        self.state, self.reason = BookState.SYNCING, reason
        self.need = Need.NOTHING
        self.book.clear()
        self.sequence, self.event_time = 0, 0
        self._buffer.clear()
        return self.snapshot()

    def _live(self, received: int) -> BookSnapshot:
        self.state, self.reason, self.need = BookState.LIVE, "", Need.NOTHING
        self.receive_time = received
        return self.snapshot()

    def _load(self, message: BookMessage, received: int) -> BookSnapshot:
        if message.columns is not None:
            self.book.load_columns(*message.columns)
        else:
            self.book.load(message.bids, message.asks)
        self._trim = message.depth or self._rule.trim
        if self._trim:
            self.book.trim(self._trim)
        self.sequence, self.event_time, self._first = message.last, message.event_time, True
        wrong = self._wrong(message)
        return self.broke(wrong) if wrong else self._live(received)

    def _apply(self, message: BookMessage, received: int) -> BookUpdate:
        if message.best:
            bids, asks = self.book.apply_best(message.bids, message.asks, message.best)
        else:
            bids, asks = self.book.apply(message.bids, message.asks)
        if self._trim:
            for side, gone in zip((bids, asks), self.book.trim(self._trim), strict=True):
                if gone:
                    side[0].extend(gone)
                    side[1].extend("0" for _ in gone)
        self.sequence = message.last
        self.event_time = message.event_time
        self.receive_time = received
        self._first = False
        if (self.book.crossed or message.checksum is not None) and (wrong := self._wrong(message)):
            return self.broke(wrong)
        return BookDelta(self.instrument, bids, asks, message.last, message.event_time, received)

    def _wrong(self, message: BookMessage) -> str:
        rule = self._rule
        if self.book.crossed:
            return self._crossed()
        if message.checksum is not None and rule.checksum is not None:
            ours = rule.checksum(self.book)
            if ours != message.checksum:
                return f"the checksum is {ours}, the venue's is {message.checksum}"
        return ""

    def _crossed(self) -> str:
        bid, ask = self.book.best_bid, self.book.best_ask
        return f"the book is crossed: bid {bid and bid[0]}, ask {ask and ask[0]}"
