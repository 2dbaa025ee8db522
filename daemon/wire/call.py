"""One call of a client: what a handler sees of it, and its messages on their way in and out.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.wire.connection import Connection

PREFIX_BYTES = 5  # of a message: whether it is compressed, and its length
_GZIP = 31  # zlib's word for a gzip header and the largest window
Trailers = Sequence[tuple[str, str | bytes]]


class Status(IntEnum):
    """https://grpc.io/docs/guides/status-codes/"""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class CallFailed(Exception):
    """Raised by a handler: how its call ends."""

    def __init__(self, status: int, message: str, trailers: Trailers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.trailers = trailers


@dataclass(frozen=True, slots=True)
class Unary:
    """One message in, one out."""

    handle: Callable[[bytes, Call], Awaitable[bytes]]
    urgent: bool = False  # goes before others of its connection


@dataclass(frozen=True, slots=True)
class Stream:
    """One message in; the handler sends what it has by `Call.send`."""

    handle: Callable[[bytes, Call], Awaitable[None]]
    urgent: bool = False  # goes before others of its connection


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Messages in, by `Call.messages`, and out, by `Call.send`."""

    handle: Callable[[Call], Awaitable[None]]
    urgent: bool = False  # goes before others of its connection


Endpoint = Unary | Stream | Dialogue


class Call:
    """`metadata` has the headers; `peer` names the connection, `source` the caller's address, or is
    "unix". `path` is /service/method."""

    __slots__ = (
        "blocked",
        "connection",
        "endpoint",
        "inbox",
        "metadata",
        "number",
        "out",
        "path",
        "received",
        "room",
        "started",
        "task",
        "timer",
        "trailers",
        "whole",
    )

    def __init__(
        self,
        connection: Connection,
        number: int,
        path: str,
        metadata: Mapping[str, str],
        endpoint: Endpoint,
        room: int,
    ) -> None:
        self.connection = connection
        self.number = number  # of its stream
        self.path = path
        self.metadata = metadata
        self.endpoint = endpoint
        self.received = bytearray()
        self.inbox: asyncio.Queue[bytes | None] | None = None  # of a dialogue
        self.whole = False  # the client has said everything
        self.room = room  # bytes that the client takes of this stream now; may be below zero
        self.started = False  # the response's headers are sent
        self.out = bytearray()  # what waits for room
        self.trailers: bytes | None = None  # what follows it
        self.blocked: asyncio.Future[None] | None = None  # who waits until it is out
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> str:
        return self.connection.peer

    @property
    def source(self) -> str:
        return self.connection.source

    async def send(self, message: bytes) -> None:
        """Returns when the message is on its way: when the client, and what lies between, took it
        or have room for it."""
        self.connection.send_message(self, message)
        while self.out or self.connection.full:
            await self.connection.wait_for_room(self)

    async def messages(self) -> AsyncIterator[bytes]:
        """What the client says in a dialogue."""
        assert self.inbox is not None
        while (message := await self.inbox.get()) is not None:
            yield message


def message_in(received: bytearray, largest: int) -> bytes | None:
    """Takes the first message out of what came; None while it is not whole. `largest` is in bytes.
    Raises TooLarge and CallFailed."""
    if len(received) < PREFIX_BYTES:
        return None
    size = int.from_bytes(received[1:PREFIX_BYTES], "big")
    if size > largest:
        raise TooLarge(size)
    end = PREFIX_BYTES + size
    if len(received) < end:
        return None
    message = bytes(received[PREFIX_BYTES:end])
    compressed = received[0]
    del received[:end]
    return _inflated(message, largest) if compressed else message


class TooLarge(Exception):
    """A message that is not read to its end."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


def _inflated(message: bytes, largest: int) -> bytes:
    engine = zlib.decompressobj(_GZIP)
    try:
        plain = engine.decompress(message, largest)
    except zlib.error:
        raise CallFailed(Status.INTERNAL, "the request is not what its compression says") from None
    if engine.unconsumed_tail:
        raise TooLarge(len(plain) + len(engine.unconsumed_tail))
    if not engine.eof:
        raise CallFailed(Status.INTERNAL, "the compressed request is not whole")
    return plain


def framed(message: bytes) -> bytes:
    """A message with its prefix."""
    return b"\x00" + len(message).to_bytes(4, "big") + message
