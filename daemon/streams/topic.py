"""One market-data stream, encoded once, read by any number of subscribers at their own pace.

A topic keeps the latest changes as finished bytes. A subscriber is only a cursor: each time that
its connection takes more, it gets everything since its cursor as one message. Who falls behind the
oldest change kept gets a snapshot of now instead: market data is conflated, memory stays bounded.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from itertools import islice

from core.errors import Reason, Refused

# How far a reader may be behind before it gets a snapshot instead: changes, and their bytes. So one
# message stays below the four megabytes that gRPC clients take unless they are told otherwise.
KEPT_CHANGES = 4096
KEPT_BYTES = 2 << 20
# How many changes go into one message at the most, to bound its size.
MAX_BATCH = 2048

Encode = Callable[[int], bytes]  # sequence -> the event's bytes
Snapshot = Callable[[int, int], bytes]  # sequence, depth -> the event's bytes


@lru_cache(maxsize=4096)
def _header(size: int) -> bytes:
    """Tag and length of an element of field 1."""
    header = bytearray(b"\x0a")
    while size > 0x7F:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    header.append(size)
    return bytes(header)


def framed(event: bytes) -> bytes:
    """An event as an element of field 1, so that a response is the concatenation of its events."""
    return _header(len(event)) + event


class Topic:
    """Events of one stream. `snapshot` and `heartbeat` make events of now, for one subscriber."""

    def __init__(self, snapshot: Snapshot, heartbeat: Encode) -> None:
        self._make_snapshot = snapshot
        self._make_heartbeat = heartbeat
        self._changes: deque[bytes] = deque()
        self._bytes = 0  # of the changes
        self._sequence = 0  # of the newest event
        self._waiting: list[asyncio.Future[None]] = []
        self._snapshots: dict[int, tuple[int, bytes]] = {}  # depth -> sequence, bytes
        self._batch: tuple[int, int, bytes] = (0, 0, b"")
        self._closed: Refused | None = None

    def change(self, encode: Callable[..., bytes], *values: object) -> None:
        """Appends a change: the bytes that `encode` makes of the values and a sequence."""
        self._sequence += 1
        event = encode(*values, self._sequence)
        part = _header(len(event)) + event
        self._changes.append(part)
        self._bytes += len(part)
        if self._bytes > KEPT_BYTES or len(self._changes) > KEPT_CHANGES:
            self._forget()
        if self._waiting:
            self._wake()

    def reset(self) -> None:
        """Makes every subscriber read a new snapshot: the state as a whole is new."""
        self._sequence += 1
        self._changes.clear()
        self._bytes = 0
        self._wake()

    def close(self, reason: Reason, message: str) -> None:
        """Ends every subscription with an error."""
        self._closed = Refused(reason, message)
        self._wake()

    async def read(self, depth: int, heartbeat: int) -> AsyncIterator[bytes]:
        """Messages for one subscriber; `heartbeat` is the longest silence in nanoseconds."""
        silence = heartbeat / 1_000_000_000  # float: asyncio timeouts are in seconds
        cursor = -1
        while True:
            if self._closed is not None:
                raise self._closed
            if cursor == self._sequence:
                if not await self._wait(silence):
                    yield framed(self._make_heartbeat(self._sequence))
                continue
            oldest = self._sequence - len(self._changes)
            if cursor < oldest:
                cursor = self._sequence
                yield self._snapshot(depth)
            else:
                until = min(self._sequence, cursor + MAX_BATCH)
                batch = self._join(cursor, until)
                cursor = until
                yield batch

    def _forget(self) -> None:
        """Drops the oldest changes, an eighth at once: looking at each change costs too much."""
        count, size = KEPT_CHANGES * 7 // 8, KEPT_BYTES * 7 // 8
        while self._changes and (len(self._changes) > count or self._bytes > size):
            self._bytes -= len(self._changes.popleft())

    def _snapshot(self, depth: int) -> bytes:
        cached = self._snapshots.get(depth)
        if cached is None or cached[0] != self._sequence:
            if len(self._snapshots) > 16:
                self._snapshots.clear()
            cached = self._sequence, framed(self._make_snapshot(self._sequence, depth))
            self._snapshots[depth] = cached
        return cached[1]

    def _join(self, after: int, until: int) -> bytes:
        """The changes after one sequence up to another; the last join is kept for the others."""
        if self._batch[:2] != (after, until):
            start = after - (self._sequence - len(self._changes))
            count = until - after
            self._batch = after, until, b"".join(islice(self._changes, start, start + count))
        return self._batch[2]

    async def _wait(self, seconds: float) -> bool:  # float: asyncio timeouts are in seconds
        """Whether something happened before the time was up."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            if future in self._waiting:
                self._waiting.remove(future)
        return True

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
