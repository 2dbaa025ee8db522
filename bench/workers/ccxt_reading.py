"""Keeps ccxt.pro reading: with today's aiohttp it stops for ever once it has been busy.

ccxt takes waiting messages out of aiohttp's queue by itself and returns their sizes to the queue's
account. Since aiohttp 3.14 each message counts for 128 bytes more than its size, so that ccxt
returns too little and the queue seems full. Here each message's size includes that overhead, which
is what ccxt would have to do. A benchmark of a peer that stands still would flatter us.
"""

from collections import deque
from typing import Any

from aiohttp._websocket import reader_py
from ccxt.async_support.base.ws.client import Client

_OVERHEAD: int = getattr(reader_py, "MSG_SIZE_OVERHEAD", 0)
_buffer_of = Client.buffer.fget


class _Queue:
    """aiohttp's queue, whose messages tell their whole size."""

    def __init__(self, queue: deque[Any]) -> None:
        self.queue = queue

    def __len__(self) -> int:
        return len(self.queue)

    def popleft(self) -> tuple[Any, int]:
        message, size = self.queue.popleft()
        return message, size + _OVERHEAD

    def __getitem__(self, place: int) -> Any:
        return self.queue[place]

    def __setitem__(self, place: int, value: Any) -> None:
        self.queue[place] = value


def _buffer(client: Any) -> _Queue | None:
    queue = _buffer_of(client)
    if queue is None:
        return None
    known: _Queue | None = client.__dict__.get("_bench_queue")
    if known is None or known.queue is not queue:
        known = client.__dict__["_bench_queue"] = _Queue(queue)
    return known


def mend() -> None:
    """Call once, before the first connection."""
    if _OVERHEAD:
        Client.buffer = property(_buffer)
