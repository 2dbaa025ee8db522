"""Looks after live books: their times, and whether a silent market is quiet or forgotten.

A connection answers pings whether a subscription on it lives or not. So a book that was silent for
a while is held against a small snapshot by REST: the same best levels mean that nothing happened,
and the next look comes twice as late, which makes a quiet market cheap. Other levels, and still no
message a moment later, mean that the stream forgot us: the book is no longer live, and its topic is
asked for anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from cex.engine.book_sync import BookSync
from cex.engine.messages import BookMessage
from cex.engine.spec import BookRule, Start
from cex.engine.wire import MALFORMED
from core.books import OrderBook
from core.clock import SECOND, Clock
from core.errors import CambistError
from core.instruments import Instrument
from core.market import BookState

_log = logging.getLogger(__name__)

_LEVELS = 5  # a side, compared
_GRACE = 5 * SECOND  # what REST shows may still be on its way by the stream
_RARELY = 32  # a silent book is looked at no less often than every so many `quiet`

Fetch = Callable[[Instrument, int], Awaitable[BookMessage]]


class Watched(Protocol):
    """A book that is kept from a stream; see cex.engine.feeds.BookUpstream."""

    name: str
    instrument: Instrument
    heard: int  # ns of the last message of its topics
    sync: BookSync

    @property
    def rule(self) -> BookRule: ...

    def silent(self, reason: str) -> None:
        """Its subscription has died."""
        ...


class Silence:
    """Watches the books of one venue. `run` is a task that never ends."""

    def __init__(
        self,
        books: Callable[[], Iterable[Watched]],
        fetch: Fetch,
        fault: Callable[[str, BaseException], None],
        hear: Callable[[int], None],
        clock: Clock,
    ) -> None:
        """`fetch` gets a book by REST to a depth at once or not at all; `hear` is told by how much
        a change's time was ahead of its receipt (ns)."""
        self._books = books
        self._fetch = fetch
        self._fault = fault
        self._hear = hear
        self._clock = clock
        self._looks: dict[int, tuple[int, int]] = {}  # by book: heard then, and due

    async def run(self, step: int) -> None:
        """Looks around every `step` ns."""
        while True:
            await asyncio.sleep(step / SECOND)  # float: asyncio's unit
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - a bug must be loud, and not end the watch
                _log.exception("looking after books failed")

    async def look(self) -> None:
        """Holds the books that are due against the venue."""
        suspects: list[tuple[Watched, int]] = []
        present: set[int] = set()
        for book in list(self._books()):
            present.add(id(book))
            if (ahead := book.sync.ahead) is not None:
                self._hear(ahead)
            if book.sync.state is BookState.LIVE and self._due(book):
                heard = book.heard
                if book.rule.heartbeat:
                    book.silent(f"nothing came for {book.rule.heartbeat // SECOND} s")
                elif not await self._agrees(book) and self._unchanged(book, heard):
                    suspects.append((book, heard))
        for gone in set(self._looks) - present:
            del self._looks[gone]
        if suspects:
            await asyncio.sleep(min(_GRACE, suspects[0][0].rule.quiet) / SECOND)  # float: its unit
            for book, heard in suspects:
                if self._unchanged(book, heard):
                    book.silent("the venue's book moved on, and its stream told nothing")

    def _due(self, book: Watched) -> bool:
        silent = self._clock.now() - book.heard
        rule = book.rule
        if rule.heartbeat:
            return silent >= rule.heartbeat
        heard, due = self._looks.get(id(book), (0, 0))
        if heard != book.heard:
            due = book.heard + rule.quiet
        now = self._clock.now()
        if not rule.quiet or now < due:
            self._looks[id(book)] = (book.heard, due)
            return False
        self._looks[id(book)] = (book.heard, now + min(silent, _RARELY * rule.quiet))
        return True

    def _unchanged(self, book: Watched, heard: int) -> bool:
        return book.heard == heard and book.sync.state is BookState.LIVE

    async def _agrees(self, book: Watched) -> bool:
        """Whether the venue shows what we have; true when it cannot be asked: that proves
        nothing."""
        depth = min(_LEVELS, book.rule.trim or _LEVELS)
        theirs = OrderBook()
        try:
            message = await self._fetch(book.instrument, depth)
            theirs.load(message.bids, message.asks)
        except CambistError:
            return True
        except MALFORMED as error:
            self._fault(book.name, error)
            return True
        sync = book.sync
        if message.last and sync.sequence:
            if message.last == sync.sequence:
                return True
            if book.rule.start is Start.REST and message.last < sync.sequence:
                return True
        shown, ours = theirs.snapshot(depth), sync.book.snapshot(depth)
        if book.rule.rounds:
            return [prices for prices, _ in shown] == [prices for prices, _ in ours]
        return shown == ours
