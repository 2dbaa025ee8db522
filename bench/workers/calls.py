"""Calls a method that does nothing, and reads a stream, as fast as the server goes.

A client of grpc for Python would be the bottleneck itself, so frames are written by hand, as in
workers/flood.py. Argument: the socket. For each "calls <callers> <seconds>" heard, so many calls
are open at any time: says each one's time in us. For "messages <seconds>": how many of a stream
came.
"""

import asyncio
import struct
import sys
import time
from typing import cast

from bench.workers.calls_server import MESSAGE, SERVICE
from bench.workers.flood import frame, headers
from bench.workers.talk import Ears, say
from daemon.rpc.loop import run

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW = 0, 1, 3, 4, 6, 8
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_ALL = 0x7FFFFFFF
_EMPTY = bytes(5)  # a message
_MORE = 1 << 24  # bytes read until the server is given as much room again


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._rest = b""
        self._stream = -1
        self._call = headers(f"/{SERVICE}/Call", "")
        self._began: dict[int, int] = {}
        self._until = 0
        self._done: asyncio.Future[None] | None = None
        self._read = 0
        self.times: list[int] = []
        self.streamed = 0  # bytes
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.write(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(_SETTINGS, 0, 0, struct.pack(">HL", 4, _ALL))
            + frame(_WINDOW, 0, 0, struct.pack(">L", _ALL - 65_535))
        )

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while at + 9 <= end:
            size = int.from_bytes(data[at : at + 3], "big")
            kind, flags = data[at + 3], data[at + 4]
            if at + 9 + size > end:
                break
            if kind == _DATA:
                self._read += size
                self.streamed += size
            elif kind == _HEADERS and flags & _END_STREAM:
                self._ended(int.from_bytes(data[at + 5 : at + 9], "big"))
            elif kind == _PING and not flags & _ACK:
                self._transport.write(frame(_PING, _ACK, 0, data[at + 9 : at + 17]))
            elif kind == _SETTINGS and not flags & _ACK:
                self._transport.write(frame(_SETTINGS, _ACK, 0))
            at += 9 + size
        self._rest = data[at:]
        if self._read > _MORE:
            self._transport.write(frame(_WINDOW, 0, 0, struct.pack(">L", self._read)))
            self._read = 0

    def _ended(self, stream: int) -> None:
        began = self._began.pop(stream, None)
        if began is None:
            return
        now = time.perf_counter_ns()
        self.times.append((now - began) // 1000)
        if now < self._until:
            self._begin()
        elif not self._began and self._done is not None:
            self._done.set_result(None)
            self._done = None

    def _begin(self) -> None:
        self._stream += 2
        self._began[self._stream] = time.perf_counter_ns()
        self._transport.write(
            frame(_HEADERS, _END_HEADERS, self._stream, self._call)
            + frame(_DATA, _END_STREAM, self._stream, _EMPTY)
        )

    async def calls(self, callers: int, seconds: float) -> None:  # float: seconds
        """Returns when the last is answered."""
        self.times = []
        self._until = time.perf_counter_ns() + int(seconds * 1e9)
        done = self._done = asyncio.get_running_loop().create_future()
        for _ in range(callers):
            self._begin()
        await done

    async def stream(self, seconds: float) -> None:  # float: seconds
        """Reads a stream for so long."""
        self._stream += 2
        self._transport.write(
            frame(_HEADERS, _END_HEADERS, self._stream, headers(f"/{SERVICE}/Stream", ""))
            + frame(_DATA, _END_STREAM, self._stream, _EMPTY)
        )
        self.streamed = 0
        await asyncio.sleep(seconds)
        self._transport.write(frame(_RESET, 0, self._stream, struct.pack(">L", 8)))


async def main(socket: str) -> None:
    """Answers one line a round."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_unix_connection(Client, socket)
    await client.calls(1, 0)
    ears = await Ears().open()
    say({"ready": True})
    while True:
        what, *numbers = (await ears.word()).split()
        if what == "calls":
            await client.calls(int(numbers[0]), float(numbers[1]))  # float: seconds
            say({"times": client.times})
        else:
            await client.stream(float(numbers[0]))  # float: seconds
            say({"messages": client.streamed // (len(_EMPTY) + len(MESSAGE))})


if __name__ == "__main__":
    run(main(sys.argv[1]))
