"""Who hears the book's updates, and how fast they come."""

import asyncio
import time
from typing import Protocol

from bench.venue import frames
from bench.venue.recording import SYMBOL, Recording

STREAM = f"{SYMBOL.lower()}@depth@100ms"
_SLOW_RATE = 1000  # frames a second until the blast: enough to synchronize with
_BLOB_FRAMES = 256  # about 50 kB: as much as a socket takes at once
_TURN = 0.005  # float: seconds between turns when there is a rate, asyncio's unit


class Listener(Protocol):
    """A connection that subscribed."""

    combined: bool

    @property
    def writable(self) -> bool: ...

    def write(self, data: bytes) -> None: ...


class Market:
    """Plays a recording to its listeners, at a rate or as fast as the slowest socket takes it."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._plain = frames.Frames(recording.cycle)
        self._combined = frames.Frames(recording.cycle, STREAM)
        self._frame = 0
        self._rate = _SLOW_RATE
        self._owed_since = time.monotonic()
        self._owed_from = 0
        self._changed = asyncio.Event()
        self.listeners: list[Listener] = []

    def pace(self, rate: int) -> None:
        """Frames a second from now on; zero: as fast as the sockets take them."""
        self._rate = rate
        self._owed_since, self._owed_from = time.monotonic(), self._frame
        self.wake()

    def wake(self) -> None:
        """A listener came, or can be written to again."""
        self._changed.set()

    def snapshot(self) -> dict[str, object]:
        """The reply to GET /api/v3/depth: the book as of the last frame sent, with the decimals of
        quantities as they were recorded."""
        bids, asks = self._recording.book_after(self._frame)
        return {"lastUpdateId": frames.ids(self._frame)[0] - 1, "bids": bids, "asks": asks}

    async def play(self) -> None:
        """Sends, until it is canceled."""
        while True:
            if not self.listeners or not all(one.writable for one in self.listeners):
                self._changed.clear()
                await self._changed.wait()
                continue
            count = self._due()
            if count:
                self._send(count)
            await asyncio.sleep(0 if count == _BLOB_FRAMES else _TURN)

    def _due(self) -> int:
        if not self._rate:
            return _BLOB_FRAMES
        ought = int((time.monotonic() - self._owed_since) * self._rate) + self._owed_from
        if ought - self._frame > self._rate:  # a second behind: what is lost is lost
            self._owed_since, self._owed_from = time.monotonic(), self._frame
        return max(0, min(ought - self._frame, _BLOB_FRAMES))

    def _send(self, count: int) -> None:
        now = time.time_ns() // 1_000_000
        made: dict[bool, bytes] = {}
        for listener in self.listeners:
            kind = listener.combined
            if kind not in made:
                source = self._combined if kind else self._plain
                made[kind] = source.blob(self._frame, count, now)
            listener.write(made[kind])
        self._frame += count
