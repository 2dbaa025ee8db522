"""The journal: an ordered, durable log with a thread of its own.

Rows are queued from the event loop and written in the same order, as many as have gathered in one
transaction (group commit). Events get their sequence numbers when they are written, without gaps,
and subscribers see them only when they are durable.

When writing fails the journal is broken until a write succeeds again, and what was queued splits in
two. An *intent* (the default) is withdrawn: its caller is told that nothing was kept, and sends
nothing. A *fact* (something that has happened already: a report, a fill) stays queued and is
written first when writing works again. Both are refused beyond a limit: memory is bounded.
"""

import asyncio
import queue
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog

from core.clock import Clock
from core.errors import Reason, Refused
from core.ports import Condition, Health
from daemon.journal.events import NewEvent, numbered
from daemon.journal.intents import Intents
from daemon.journal.schema import columns
from daemon.journal.store import EventRow, EventsBefore, MetaRow, Row, Store, StoreError
from daemon.journal.transactions import Transactions

T = TypeVar("T")
Entry = Row | NewEvent
Subscriber = Callable[[Sequence[EventRow]], None]

_LARGEST = 2**63 - 1  # what a database's integers hold
_LINGER_SECONDS = 0.002
_READERS = 2  # so that a long list does not hold up the look-up of a request id
_INTEGERS: dict[type, tuple[str, ...]] = {}  # the columns of a kind of row that hold integers
_log = structlog.get_logger("journal")


@dataclass(slots=True)
class _Item:
    """What was appended at once: written together or not at all."""

    entries: tuple[Entry, ...]
    fact: bool
    written: asyncio.Future[int]
    time: int  # monotonic, ns
    sequence: int = 0
    done: bool = False  # durable, or withdrawn


class Journal:
    """The durable log. All methods belong to the event loop that opened it.

    `queue_limit` is how many appends may wait for the disk: intents are refused at half of it, so
    that facts still find room. `batch_limit` is about how many go into one transaction.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        queue_limit: int = 20_000,
        batch_limit: int = 512,
        retry_delay: float = 0.25,
    ) -> None:
        self._store = store
        self._clock = clock
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._retry_delay = retry_delay
        self._queue: queue.SimpleQueue[list[_Item] | None] = queue.SimpleQueue()
        self._gathered: list[_Item] = []  # appended since the writer was told
        self._telling = False
        self._lingering: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._unwritten: deque[_Item] = deque()  # oldest first; what is done leaves from the left
        self._write_time = 0
        self._broken = ""  # why; set by the writer's thread
        self._condition = Condition(Health.STARTING, "not open")
        self._subscribers: list[Subscriber] = []
        self._recovered: list[Callable[[], None]] = []
        self._closing = threading.Event()
        self._closed = True
        self.daemon_id = ""
        self.sequence = 0
        self.intents = Intents(self)
        self.transactions = Transactions(self)

    @property
    def clock(self) -> Clock:
        """Where the times of events come from."""
        return self._clock

    @property
    def condition(self) -> Condition:
        """READY, or DOWN with the reason while it cannot be written."""
        return self._condition

    @property
    def waiting(self) -> int:
        """Appends that are not durable yet."""
        return self._waiting

    @property
    def lag(self) -> int:
        """For how long the oldest of them has waited, in ns; 0 where none does."""
        oldest = next((one for one in self._unwritten if not one.done), None)
        return 0 if oldest is None else max(self._clock.monotonic() - oldest.time, 0)

    @property
    def write_time(self) -> int:
        """What the last transaction took, the disk's part included, in ns."""
        return self._write_time

    @property
    def available(self) -> bool:
        """Whether an intent would be taken now."""
        return not (self._closed or self._broken) and self._waiting < self._queue_limit // 2

    @property
    def has_room(self) -> bool:
        """Whether a fact would be taken now."""
        return not self._closed and self._waiting < self._queue_limit

    # Life.

    async def open(self) -> None:
        """Opens the store; JOURNAL_UNAVAILABLE when that fails."""
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="journal-reader")
        try:
            identity, sequence = await self._loop.run_in_executor(self._pool, self._open)
        except StoreError as error:
            self._pool.shutdown(wait=False)
            self._condition = Condition(Health.DOWN, str(error), self._clock.now())
            raise _unavailable(str(error)) from error
        self.daemon_id, self.sequence = identity, sequence
        self._closing.clear()
        self._closed = False
        self._condition = Condition(Health.READY, "", self._clock.now())
        self._thread = threading.Thread(
            target=self._write_loop, args=(sequence,), name="journal-writer", daemon=True
        )
        self._thread.start()
        await self.intents.open()

    def _open(self) -> tuple[str, int]:
        self._store.open()
        identity = self._store.meta("daemon_id")
        if identity is None:
            identity = secrets.token_hex(8)
            self._store.write([MetaRow("daemon_id", identity)])
        return identity, self._store.last_sequence()

    async def close(self) -> None:
        """Writes what is queued, as far as the store lets it, and closes."""
        if self._closed:
            return
        await self.intents.close()
        self._closed = True
        self._closing.set()
        self._tell_writer()
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        await asyncio.sleep(0)  # the writer's last messages to the loop
        # First whoever still reads: a connection must not be closed under a running query.
        await self._loop.run_in_executor(None, self._pool.shutdown)
        await self._loop.run_in_executor(None, self._store.close)
        self._condition = Condition(Health.DOWN, "closed", self._clock.now())

    # Writing.

    def append(
        self, *entries: Entry, fact: bool = False, hurry: bool = True
    ) -> asyncio.Future[int]:
        """Queues entries; the future resolves when they are durable, to the sequence of the last
        event written by then. What is appended in one turn of the loop is one transaction: each
        costs a wait for the disk. Without `hurry` the entries wait for the next ones, for 2 ms at
        most: for what something else is about to follow.

        JOURNAL_UNAVAILABLE, raised at once or by the future, means for an intent that nothing was
        kept. For a fact, raised by the future, it means "not yet": it will be written when writing
        works again; raised at once, that there was no room and it was not taken. ValueError at once
        for a number that no database takes: queued, it would block everything behind it.
        """
        for entry in entries:
            _check(entry)
        if self._closed:
            raise _unavailable("the journal is closed")
        if self._waiting >= self._queue_limit or not (fact or self.available):
            raise _unavailable(self._broken or "the journal is too far behind the requests")
        item = _Item(entries, fact, self._loop.create_future(), self._clock.monotonic())
        item.written.add_done_callback(_seen)
        self._waiting += 1
        self._gathered.append(item)
        self._unwritten.append(item)
        if hurry and not self._telling:
            self._telling = True
            self._loop.call_soon(self._tell_writer)
        elif not (hurry or self._telling or self._lingering):
            self._lingering = self._loop.call_later(_LINGER_SECONDS, self._tell_writer)
        return item.written

    def _tell_writer(self) -> None:
        self._telling = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Calls `subscriber` with each batch of durable events, in order; returns how to stop."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def on_recovery(self, callback: Callable[[], None]) -> None:
        """Calls `callback` whenever the journal works again after it was broken."""
        self._recovered.append(callback)

    async def forget_events(self, before: int) -> int:
        """Removes the events of before a time (ns), but the newest one; how many. Their links stay
        in the chain, so that what is left can still be verified."""
        first = await self.read(lambda store: store.first_sequence())
        until = min(await self.read(lambda store: store.sequence_at(before)), self.sequence)
        if until <= first:
            return 0
        await self.append(EventsBefore(until), fact=True)
        return until - first

    # Reading.

    async def read(self, query: Callable[[Store], T], *, after_writes: bool = False) -> T:
        """What the store answers, asked in a thread; JOURNAL_UNAVAILABLE when it cannot. With
        `after_writes` everything appended before is in the answer, unless the journal is broken."""
        if self._closed:
            raise _unavailable("the journal is closed")
        if after_writes and self._waiting and self.has_room:
            with suppress(Refused):
                await self.append(fact=True)
        try:
            return await self._loop.run_in_executor(self._pool, query, self._store)
        except StoreError as error:
            raise _unavailable(str(error)) from error

    async def look(self, query: Callable[[Store], T]) -> T:
        """The same for one row by its key. A store that is at hand is asked here and now: the way
        to a thread and back takes ten times as long, and every order looks twice."""
        if self._store.at_hand and not self._closed:
            try:
                return query(self._store)
            except StoreError:
                pass  # asked again where waiting for a lock holds up nobody
        return await self.read(query)

    # The writer's thread.

    def _write_loop(self, sequence: int) -> None:
        kept: list[_Item] = []  # facts that a failed write left
        while True:
            if kept or self._broken:
                self._closing.wait(self._retry_delay)
                batch, last = kept + self._gather(), self._closing.is_set()
            else:
                first = self._queue.get()
                batch = first or []
                if first is not None:
                    batch += self._gather(self._batch_limit - len(batch))
                last = first is None
            kept = []
            try:
                sequence, events = self._write(batch, sequence)
            except StoreError as error:
                kept = self._failed(batch, str(error))
            except Exception as error:  # noqa: BLE001 - a dead writer would look like a slow disk
                kept = self._failed(batch, f"a fault of the daemon: {error!r}")
            else:
                self._succeeded(batch, events)
            if (last or self._closing.is_set()) and (kept or self._queue.empty()):
                if kept:
                    _log.error("journal_closed_with_facts_unwritten", facts=len(kept))
                return

    def _gather(self, limit: int | None = None) -> list[_Item]:
        """What else is queued, as much as brings it to the limit or just beyond."""
        items: list[_Item] = []
        while limit is None or len(items) < limit:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is not None:
                items += more
        return items

    def _write(self, batch: list[_Item], sequence: int) -> tuple[int, Sequence[EventRow]]:
        """The sequence after it, and the events that are yet to be told."""
        rows: list[Row] = []
        for item in batch:
            for entry in item.entries:
                if isinstance(entry, NewEvent):
                    sequence += 1
                    rows.append(numbered(entry, sequence))
                else:
                    rows.append(entry)
            item.sequence = sequence
        if rows:
            started = self._clock.monotonic()
            self._store.write(rows)
            self._write_time = self._clock.monotonic() - started
            events = [row for row in rows if isinstance(row, EventRow)]
        elif self._broken:
            self._store.probe()
            events = []
        else:
            return sequence, ()
        if not self._broken:
            return sequence, events
        self._tell(self._publish, events)  # ahead of the news that it works again
        return sequence, ()

    def _succeeded(self, batch: list[_Item], events: Sequence[EventRow]) -> None:
        recovered, self._broken = bool(self._broken), ""
        self._tell(self._settle, events, batch, recovered)

    def _failed(self, batch: list[_Item], reason: str) -> list[_Item]:
        self._broken = reason
        batch = batch + self._gather()
        self._tell(self._refuse, batch, reason)
        return [item for item in batch if item.fact]

    def _tell(self, what: Callable[..., None], *values: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *values)
        except RuntimeError:  # the loop ended without closing the journal: nobody listens
            self._closing.set()

    # Back on the event loop.

    def _settle(self, events: Sequence[EventRow], batch: Sequence[_Item], recovered: bool) -> None:
        """One message to the loop for both: waking it costs as much as handling it."""
        self._publish(events)
        self._resolve(batch, recovered)

    def _publish(self, events: Sequence[EventRow]) -> None:
        if events:
            self.sequence = events[-1].sequence
            for subscriber in tuple(self._subscribers):
                subscriber(events)

    def _resolve(self, batch: Sequence[_Item], recovered: bool) -> None:
        self._waiting -= len(batch)
        for item in batch:
            item.done = True
            if not item.written.done():
                item.written.set_result(item.sequence)
        self._drop_done()
        if recovered:
            self._condition = Condition(Health.READY, "", self._clock.now())
            _log.info("journal_recovered")
            for callback in tuple(self._recovered):
                callback()

    def _refuse(self, batch: Sequence[_Item], reason: str) -> None:
        if self._condition.health is Health.READY:
            self._condition = Condition(Health.DOWN, reason, self._clock.now())
            _log.error("journal_broken", reason=reason)
        self._waiting -= sum(not item.fact for item in batch)
        for item in batch:
            item.done = item.done or not item.fact
            if not item.written.done():
                item.written.set_exception(_unavailable(reason))
        self._drop_done()

    def _drop_done(self) -> None:
        while self._unwritten and self._unwritten[0].done:
            self._unwritten.popleft()


def _check(entry: Entry) -> None:
    integers = _INTEGERS.get(type(entry))
    if integers is None:
        names = [name for name in columns(type(entry)) if isinstance(getattr(entry, name), int)]
        integers = _INTEGERS[type(entry)] = tuple(names)
    for name in integers:
        if not -_LARGEST <= getattr(entry, name) <= _LARGEST:
            raise ValueError(f"{name} of a {type(entry).__name__} is out of range")


def _unavailable(reason: str) -> Refused:
    return Refused(Reason.JOURNAL_UNAVAILABLE, reason)


def _seen(future: asyncio.Future[int]) -> None:
    """Not everybody waits: a failure that nobody awaits is no bug to be logged."""
    if not future.cancelled():
        future.exception()
