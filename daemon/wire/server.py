"""The server: listens, keeps its connections, and stops in order."""

import asyncio
import contextlib
import itertools
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from daemon.wire.call import CallFailed, Endpoint
from daemon.wire.connection import Connection

MAX_CONNECTIONS = 2_000
MOST_HELD = 64 << 20  # bytes
HANDSHAKE_SECONDS = 10.0  # float: seconds; of TLS, and of HTTP/2's first words
_IDLE_SECONDS = 30.0  # float: seconds; then a client is asked whether it is there
_ROUND_SECONDS = 5.0  # float: seconds; between looks at all connections
_BACKLOG = 1_024
_CALLS_A_TURN = 16  # of the loop, of all connections

log = structlog.get_logger("wire")


class Server:
    """`endpoints` by their paths, `unknown` for all others. `largest` is a message's bytes,
    `too_large` what is said of more; `most_held` bounds those of all messages that are not whole
    yet."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        unknown: Callable[[str], Endpoint],
        largest: int,
        too_large: Callable[[int], CallFailed],
        most_held: int = MOST_HELD,
    ) -> None:
        self._endpoints = endpoints
        self._unknown = unknown
        self.largest = largest
        self.too_large = too_large
        self.most_held = most_held
        self.held = 0
        self._in_line: deque[Connection] = deque()  # have calls to begin
        self._connections: set[Connection] = set()
        self._listening: list[asyncio.Server] = []
        self._numbers = itertools.count(1)
        self._rounds: asyncio.Task[None] | None = None

    async def listen_unix(self, path: Path) -> None:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listen(await loop.create_unix_server(self._connection, str(path), backlog=_BACKLOG))

    async def listen_tcp(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """The port, also where any was asked for by 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        timeout = None if tls is None else HANDSHAKE_SECONDS
        server = await loop.create_server(
            self._connection,
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=timeout,
            backlog=_BACKLOG,
        )
        self._listen(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def stop(self, grace: float) -> None:  # float: seconds
        """Lets calls end that run, for so long; then they are cancelled."""
        if self._rounds is not None:
            self._rounds.cancel()
        for server in self._listening:
            server.close()
        for connection in self._connections:
            connection.leave()
        running = [task for connection in self._connections for task in connection.tasks()]
        if running:
            _, late = await asyncio.wait(running, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=grace)
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)  # so that what was written last is sent

    def _listen(self, server: asyncio.Server) -> None:
        self._listening.append(server)
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._look_around())

    def _connection(self) -> Connection:
        return Connection(self, next(self._numbers))

    async def _look_around(self) -> None:
        """Who said nothing for long is asked, and let go when there is no answer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            now = loop.time()
            for connection in list(self._connections):
                silent = now - connection.heard
                if connection.greeted:
                    if connection.pinged and silent > 2 * _IDLE_SECONDS:
                        connection.abort()
                    elif not connection.pinged and silent > _IDLE_SECONDS:
                        connection.ping()
                elif silent > HANDSHAKE_SECONDS:
                    connection.abort()

    # -- daemon.wire.connection.Host

    def endpoint(self, path: str) -> Endpoint:
        return self._endpoints.get(path) or self._unknown(path)

    def opened(self, connection: Connection) -> bool:
        if len(self._connections) >= MAX_CONNECTIONS:
            log.warning("too many connections: one is refused", most=MAX_CONNECTIONS)
            return False
        self._connections.add(connection)
        return True

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def enlist(self, connection: Connection) -> None:
        if not self._in_line:
            asyncio.get_running_loop().call_soon(self._turn)
        self._in_line.append(connection)

    def _turn(self) -> None:
        """Begins a few calls, one of each connection by turns: whoever asks without end delays
        itself, and what else the loop has to do is done in between."""
        for _ in range(min(len(self._in_line), _CALLS_A_TURN)):
            connection = self._in_line.popleft()
            if connection.begin_next():
                self._in_line.append(connection)
        if self._in_line:
            asyncio.get_running_loop().call_soon(self._turn)


def tls_context(load: Callable[[ssl.SSLContext], None], due: Callable[[], bool]) -> ssl.SSLContext:
    """For TLS with HTTP/2. `load` puts certificate and key into a context; when they are `due`, the
    next handshake gets a new one."""

    def made() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        load(context)
        return context

    current = made()

    def chosen(encrypted: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        nonlocal current
        if due():
            with contextlib.suppress(OSError, ssl.SSLError):  # the old one is good for a while
                current = made()
        encrypted.context = current

    first = current
    first.sni_callback = chosen  # called for clients that name nobody as well
    return first
