"""Any exchange of the catalogue as a local server that tells of one order book, made of its
fixtures (tests.support.scripted_venue, tests.support.running_book), and may misbehave."""

import time
from collections.abc import Callable

from cex.engine import commands
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.ports import Feed
from tests.support.local_exchange import Answer, Socket
from tests.support.running_book import RunningBook
from tests.support.scripted_venue import ScriptedVenue


class BookVenue(ScriptedVenue):
    """`opens` says what a new subscription gets; the book's opening unless a test says else."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.book = RunningBook(self.venue)
        self.book.now = self._rising
        self.opens: Callable[[Socket], list[bytes]] = lambda socket: self.book.opening()
        self.subscribed: list[Socket] = []
        self._last = 0
        self.meets[commands.GetBook] = lambda command: Answer(self.book.snapshot())

    def change(self, tell: bool = True) -> bytes:
        """The book's next frame, sent if `tell`."""
        frame = self.book.change()
        if tell:
            self.tell(frame)
        return frame

    def _rising(self) -> int:
        """Now, in whole milliseconds, none twice: some venues tell books apart by them."""
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        return self._last * 1_000_000

    def _frame(self, socket: Socket, payload: bytes) -> None:
        super()._frame(socket, payload)
        if self.confirmations.subscribes(payload):
            self.book.number = 0  # a connection's own count
            self.subscribed.append(socket)
            socket.send(*self.opens(socket))


class Reader:
    """A subscriber that notes what it was told."""

    def __init__(self) -> None:
        self.feed: Feed | None = None
        self.states: list[BookState] = []
        self.reasons: list[str] = []
        self.changes = 0

    def __call__(self, event: MarketEvent) -> None:
        if isinstance(event, BookSnapshot):
            self.states.append(event.state)
            self.reasons.append(event.reason)
        self.changes += isinstance(event, BookDelta)

    def book(self) -> BookSnapshot:
        """The book as the engine keeps it."""
        assert self.feed is not None
        found = self.feed.snapshot()
        assert isinstance(found, BookSnapshot)
        return found

    def holds(self, server: BookVenue) -> bool:
        """Whether it is live, and what the venue has."""
        found = self.book()
        return found.state is BookState.LIVE and (found.bids, found.asks) == server.book.columns()
