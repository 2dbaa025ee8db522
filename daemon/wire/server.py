"""The server: listens, keeps its connections, gives their calls turns, and stops in order."""

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from daemon.wire import peers
from daemon.wire.call import CallFailed, Endpoint, Status
from daemon.wire.connection import Connection
from daemon.wire.door import Door
from daemon.wire.running import Running
from daemon.wire.tls import tls_context

__all__ = ["Server", "tls_context"]

MOST_HELD = 64 << 20  # bytes
MOST_UNSENT = 128 << 20  # bytes
_UNSENT = 64 << 20  # bytes, of one connection
_ROUND_SECONDS = 5.0  # float: seconds; between looks at all connections
_LAST_SECONDS = 1.0  # float: seconds, for what was cancelled to end, and for closing
_LOOK_SECONDS = 0.005  # float: seconds
_CALLS_A_TURN = 16  # of the loop, of all connections
_SMALL = 16_384  # bytes of a request that goes through where large ones do not

log = structlog.get_logger("wire")


class Server:
    """`endpoints` by their paths, `unknown` for all others. `largest` is a message's bytes,
    `too_large` what is said of more; `most_held` bounds those of all requests that are being said
    or handled."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        unknown: Callable[[str], Endpoint],
        largest: int,
        too_large: Callable[[int], CallFailed],
        most_held: int = MOST_HELD,
        most_unsent: int = MOST_UNSENT,
    ) -> None:
        self._endpoints = endpoints
        self._unknown = unknown
        self.largest = largest
        self.too_large = too_large
        self.most_held = most_held
        self._most_unsent = most_unsent
        self.held = 0
        self.unsent = 0
        self._in_line: deque[Running] = deque()  # have calls to begin
        self._connections: set[Connection] = set()
        self._left = asyncio.Event()  # a connection did
        self._doors: list[Door] = []
        self._numbers = itertools.count(1)
        self._rounds: asyncio.Task[None] | None = None

    async def listen_unix(self, path: Path) -> None:
        """Raises OSError."""
        listening = socket.socket(socket.AF_UNIX)
        try:
            listening.bind(str(path))
        except OSError:
            listening.close()
            raise
        self._listen(listening, None, lambda address: peers.unix(next(self._numbers)))

    async def listen_tcp(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """The port, also where any was asked for by 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.sort(key=lambda one: one[0] != socket.AF_INET)  # of a name with both
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
        self._listen(listening, tls, peers.internet)
        bound: int = listening.getsockname()[1]
        return bound

    async def stop(self, grace: float) -> None:  # float: seconds
        """Takes no more calls, and lets those end that are there, for so long; then they fail."""
        loop = asyncio.get_running_loop()
        if self._rounds is not None:
            self._rounds.cancel()
        for door in self._doors:
            door.close()
        for connection in list(self._connections):
            connection.leave()
        until = loop.time() + grace
        while self._busy() and (left := until - loop.time()) > 0:
            running = self._tasks()
            if running:
                await asyncio.wait(running, timeout=left)
            else:
                await asyncio.sleep(_LOOK_SECONDS)
        for connection in list(self._connections):
            for call in list(connection.running.open.values()):
                connection.running.fail(call, Status.UNAVAILABLE, "the daemon stops")
        late = self._tasks()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_LAST_SECONDS)
        for connection in list(self._connections):
            connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                while self._connections:
                    self._left.clear()
                    await self._left.wait()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)

    def _busy(self) -> bool:
        return any(one.running.count for one in self._connections)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for one in self._connections for task in one.running.tasks()]

    def _listen(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext | None,
        named: Callable[[Any], peers.Peer],
    ) -> None:
        def made(address: Any, unwelcome: str) -> Connection:
            return Connection(self, self, named(address), unwelcome)

        self._doors.append(Door(listening, tls, made))
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._look_around())

    async def _look_around(self) -> None:
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            self._look()

    def _look(self) -> None:
        for connection in list(self._connections):
            connection.look_around()

    # -- daemon.wire.connection.Host

    def endpoint(self, path: str) -> Endpoint | None:
        return self._endpoints.get(path)

    def unknown(self, path: str) -> Endpoint:
        return self._unknown(path)

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._left.set()
        for door in self._doors:
            door.left(connection)

    def held_too_much(self) -> None:
        while self.held > self.most_held:
            ranked = sorted(self._connections, key=lambda one: one.running.held, reverse=True)
            for one in ranked:
                longest = one.running.longest()
                if longest is not None:
                    break
            else:
                return
            if len(longest.received) <= _SMALL and self.held <= 2 * self.most_held:
                return
            words = "too much is being said at once: try again"
            one.running.fail(longest, Status.RESOURCE_EXHAUSTED, words)

    def unsent_more(self) -> None:
        while self.unsent > _UNSENT:
            worst = max(self._connections, key=lambda one: one.unsent, default=None)
            if worst is None or not worst.unsent:
                return
            if worst.unsent <= _UNSENT and self.unsent <= self._most_unsent:
                return
            log.warning("a client does not read: its connection is closed", peer=worst.peer)
            worst.abort()

    # -- daemon.wire.running.Line

    def enlist(self, running: Running) -> None:
        if not self._in_line:
            asyncio.get_running_loop().call_soon(self._turn)
        self._in_line.append(running)

    def _turn(self) -> None:
        """Begins a few calls, one of each connection by turns: whoever asks without end delays
        itself, and what else the loop has to do is done in between."""
        for _ in range(min(len(self._in_line), _CALLS_A_TURN)):
            running = self._in_line.popleft()
            if running.begin_next():
                self._in_line.append(running)
        if self._in_line:
            asyncio.get_running_loop().call_soon(self._turn)
