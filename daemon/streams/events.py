"""The event log as streams: from a token, from the start, or from now on.

Each event is framed once, when it becomes durable, for all readers. A reader that is behind reads
from the store until it has caught up; from then on it reads what the latest events left in memory.
One that has caught up and then falls more than `max_behind` events behind is told SLOW_READER, so
that its bot knows; it resumes with its last token and catches up from the store.
"""

import asyncio
import base64
import binascii
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakSet

from core.errors import CambistError, Reason, Refused
from daemon.journal.events import varint
from daemon.journal.journal import Journal
from daemon.journal.store import EventRow

MAX_BEHIND = 10_000
_CHUNK = 512  # events in one message at most
_EVENTS_TAG = b"\x0a"  # field 1 of StreamEventsResponse, length-delimited
_TOKEN_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Framed:
    sequence: int
    account: str
    frame: bytes


def _frame(row: EventRow) -> _Framed:
    return _Framed(row.sequence, row.account, _EVENTS_TAG + varint(len(row.data)) + row.data)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some events: the bytes of `repeated Event events = 1`, how many, and where they end."""

    data: bytes
    count: int
    resume_token: str


class EventStream:
    """All readers of the event log. Made after the journal is open, or before: no matter."""

    def __init__(self, journal: Journal, *, max_behind: int = MAX_BEHIND) -> None:
        self._journal = journal
        self._max_behind = max_behind
        self._tail: deque[_Framed] = deque(maxlen=max_behind)
        self._changed = asyncio.Event()
        self._unsubscribe = journal.subscribe(self._committed)
        self._readers: WeakSet[EventReader] = WeakSet()
        self.closed = False

    def close(self) -> None:
        """Ends all readers, with SHUTTING_DOWN."""
        self._unsubscribe()
        self.closed = True
        self._changed.set()

    def reader(
        self, *, resume_token: str = "", from_start: bool = False, account: str = ""
    ) -> "EventReader":
        """A reader after a token, from the first event, or (neither) from now on; of one account,
        or of all when empty. RESUME_TOKEN_INVALID for what this log did not give."""
        position = self._journal.sequence
        if resume_token:
            position = self._position(resume_token)
        elif from_start:
            position = 0
        reader = EventReader(self, position, account)
        self._readers.add(reader)
        return reader

    @property
    def behind(self) -> list[int]:
        """How many events each reader has still to read."""
        newest = self._journal.sequence
        return [max(newest - one.position, 0) for one in self._readers]

    def token(self, sequence: int) -> str:
        """The resume token after an event."""
        body = bytes([_TOKEN_VERSION]) + sequence.to_bytes(8, "big")
        return base64.urlsafe_b64encode(body + self._seal(body)).decode()

    def _position(self, token: str) -> int:
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        body, seal = raw[:9], raw[9:]
        sequence = int.from_bytes(body[1:], "big")
        known = len(body) == 9 and body[0] == _TOKEN_VERSION and seal == self._seal(body)
        if not known or sequence > self._journal.sequence:
            raise Refused(
                Reason.RESUME_TOKEN_INVALID,
                "resume_token is not from this stream: start again without it",
            )
        return sequence

    def _seal(self, body: bytes) -> bytes:
        # Against mistakes, not attacks: a token only says where to read on.
        return hashlib.blake2b(body, digest_size=6, key=self._journal.daemon_id.encode()).digest()

    def _committed(self, rows: Sequence[EventRow]) -> None:
        self._tail.extend(map(_frame, rows))
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, deadline: float | None) -> bool:
        """Whether anything was committed before the deadline, in the event loop's time."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._changed.wait()
        except TimeoutError:
            return False

    def _live(self, position: int) -> list[_Framed] | None:
        """What comes next for a reader, [] when it has everything; None when that has left the
        memory."""
        if position >= self._journal.sequence:
            return []
        if not self._tail or self._tail[0].sequence > position + 1:
            return None
        start = position + 1 - self._tail[0].sequence
        end = min(start + _CHUNK, len(self._tail))
        return [self._tail[index] for index in range(start, end)]

    async def _stored(self, position: int) -> list[_Framed]:
        rows = await self._journal.read(lambda store: store.events(position, _CHUNK))
        if position and rows and rows[0].sequence > position + 1:
            raise Refused(
                Reason.RESUME_TOKEN_INVALID,
                f"events {position + 1} to {rows[0].sequence - 1} are not kept any more "
                "(journal.keep_days): start again, and ask for orders and balances",
            )
        return [_frame(row) for row in rows]


class EventReader:
    """One reader, for one consumer."""

    def __init__(self, stream: EventStream, position: int, account: str) -> None:
        self._stream = stream
        self._account = account
        self._caught_up = False
        self.position = position

    @property
    def resume_token(self) -> str:
        """Where the reader is; moves on over events that its filter leaves out, too."""
        return self._stream.token(self.position)

    def __aiter__(self) -> "EventReader":
        return self

    async def __anext__(self) -> Chunk:
        while True:
            chunk = await self.next()
            if chunk is not None:
                return chunk

    async def next(self, timeout: float | None = None) -> Chunk | None:
        """The next events, oldest first; None when none came within `timeout` seconds: time for a
        heartbeat. Raises SLOW_READER (with `resume_token`), SHUTTING_DOWN, JOURNAL_UNAVAILABLE."""
        stream, loop = self._stream, asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            if stream.closed:
                raise Refused(Reason.SHUTTING_DOWN, "the daemon is shutting down")
            events = stream._live(self.position)
            if events is None:
                if self._caught_up:
                    raise self._too_slow()
                events = await stream._stored(self.position)
            if events:
                chunk = self._chunk(events)
                if chunk is not None:
                    return chunk
                await asyncio.sleep(0)  # a long way through what the filter leaves out
                continue
            self._caught_up = True
            if not await stream._wait(deadline):
                return None

    def _chunk(self, events: Sequence[_Framed]) -> Chunk | None:
        self.position = events[-1].sequence
        self._caught_up = self._caught_up or self.position >= self._stream._journal.sequence
        frames = [one.frame for one in events if self._account in ("", one.account)]
        if not frames:
            return None
        return Chunk(b"".join(frames), len(frames), self.resume_token)

    def _too_slow(self) -> CambistError:
        behind = self._stream._journal.sequence - self.position
        return Refused(
            Reason.SLOW_READER,
            f"the reader is {behind} events behind: resume with the last resume_token",
            {"resume_token": self.resume_token},
        )
