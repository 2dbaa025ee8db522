"""Where clients come in: a socket that listens, and what happens until a connection has begun.

We accept ourselves, so that those are counted too who are still shaking hands, so that who comes
by TCP is known as such whatever becomes of it, and so that who speaks plainly to a port with TLS is
told so.
"""

import asyncio
import resource
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import structlog

from daemon.wire.connection import Connection

MAX_CONNECTIONS = 2_000
HANDSHAKE_SECONDS = 10.0  # float: seconds
_BACKLOG = 1_024
_ACCEPTED_A_TURN = 64
_PAUSE = 0.5  # float: seconds, when the system has no more of something
_SPARE_FILES = 256  # for what else the process does
_DOORS = 2
_TLS_HANDSHAKE = 0x16
_SILENCE = 10.0  # float: seconds between two complaints

log = structlog.get_logger("wire")

# Makes a connection of an address, and of why it is not welcome.
Made = Callable[[Any, str], Connection]


class Door:
    """Opened by its constructor. `tls` is None for plaintext."""

    def __init__(self, listening: socket.socket, tls: ssl.SSLContext | None, made: Made) -> None:
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self._socket = listening
        self._tls = tls
        self._made = made
        self._loop = asyncio.get_running_loop()
        self._welcoming: set[asyncio.Task[None]] = set()
        self._inside: set[Connection] = set()
        self._most = _most()
        self._complained = 0.0  # float: seconds
        self._pause: asyncio.TimerHandle | None = None
        self._open()

    def close(self) -> None:
        """Nobody comes in any more; who is inside stays."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for task in self._welcoming:
            task.cancel()

    def left(self, connection: Connection) -> None:
        """One has gone that may have come in here."""
        self._inside.discard(connection)

    def _open(self) -> None:
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            try:
                client, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no more files, no more memory
                self._complain("connections cannot be taken", str(error))
                self._loop.remove_reader(self._socket)
                self._pause = self._loop.call_later(_PAUSE, self._open)
                return
            if len(self._inside) + len(self._welcoming) >= self._most:
                self._complain("too many connections: some are refused", str(self._most))
                client.close()
                continue
            client.setblocking(False)
            task = self._loop.create_task(self._welcome(client, address))
            self._welcoming.add(task)
            task.add_done_callback(self._welcoming.discard)

    async def _welcome(self, client: socket.socket, address: Any) -> None:
        tls, unwelcome = self._tls, ""
        try:
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                if tls is not None and await self._first_byte(client) != _TLS_HANDSHAKE:
                    tls, unwelcome = None, "this port speaks TLS: connect with it"
                connection = self._made(address, unwelcome)
                await self._loop.connect_accepted_socket(lambda: connection, client, ssl=tls)
                if not connection.gone:
                    self._inside.add(connection)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is one
            log.debug("no connection", why=str(error) or "no handshake in time")
            client.close()
        except asyncio.CancelledError:
            client.close()
            raise

    async def _first_byte(self, client: socket.socket) -> int:
        """What the client begins with, without taking it. Raises OSError."""
        while True:
            try:
                first = client.recv(1, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                came = asyncio.Event()
                self._loop.add_reader(client, came.set)
                try:
                    await came.wait()
                finally:
                    self._loop.remove_reader(client)
            else:
                if not first:
                    raise ConnectionResetError("the client said nothing")
                return first[0]

    def _complain(self, words: str, why: str) -> None:
        now = time.monotonic()
        if now - self._complained > _SILENCE:
            self._complained = now
            log.warning(words, why=why)


def _most() -> int:
    """Connections of a door, with files left for the others."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, (files - _SPARE_FILES) // _DOORS))
