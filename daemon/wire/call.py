"""One call of a client: what a handler sees of it, and who handles it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from daemon.wire.status import CallFailed, Status, Trailers

__all__ = [
    "Call",
    "CallFailed",
    "Dialogue",
    "Endpoint",
    "Status",
    "Stream",
    "Trailers",
    "Unary",
]


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


class Way(Protocol):
    """What a call's connection does for it."""

    peer: str
    source: str

    async def send(self, call: Call, message: bytes) -> None: ...

    def next_message(self, call: Call) -> bytes | None:
        """Of a dialogue; None while there is none."""
        ...


class Call:
    """`metadata` has the headers; `peer` names the connection, `source` the caller's address, or is
    "unix". `path` is /service/method."""

    __slots__ = (
        "_way",
        "allowed",
        "begun",
        "deaf",
        "encoding",
        "endpoint",
        "got",
        "held",
        "length",
        "metadata",
        "news",
        "number",
        "out",
        "owed",
        "path",
        "received",
        "refusal",
        "room",
        "rounds",
        "started",
        "task",
        "timer",
        "trailers",
        "waiting",
        "wanted",
        "whole",
    )

    def __init__(
        self,
        way: Way,
        number: int,
        path: str,
        metadata: Mapping[str, str],
        endpoint: Endpoint,
        room: int,
        allowed: int,
    ) -> None:
        self._way = way
        self.number = number  # of its stream
        self.path = path
        self.metadata = metadata
        self.endpoint = endpoint
        # What the client says.
        self.whole = False  # everything is said
        self.deaf = False  # nobody listens to it
        self.refusal = 0  # what HTTP says to what is no call of gRPC
        self.encoding = "identity"
        self.received = bytearray()  # messages that nobody has taken yet
        self.wanted = 0  # bytes of the only message and its prefix, when they are known
        self.length: int | None = None  # bytes, as the client announced them
        self.got = 0  # bytes, without padding
        self.held = 0  # bytes that count as the client's
        self.allowed = allowed  # bytes that it may still send
        self.owed = 0  # bytes that were taken and that it has not been told it may send again
        self.news: asyncio.Future[None] | None = None  # a dialogue waits for more
        self.rounds = 0  # of the server, since it began to say something
        # What it is told.
        self.room = room  # bytes that the client takes of this stream now; may be below zero
        self.started = False  # the response's headers are sent
        self.out = bytearray()  # what waits for room
        self.trailers: bytes | None = None  # what follows it; the call is over when there are some
        self.waiting: list[asyncio.Future[None]] = []  # who waits until there is room
        # Who handles it.
        self.begun = False
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> str:
        return self._way.peer

    @property
    def source(self) -> str:
        return self._way.source

    async def send(self, message: bytes) -> None:
        """Returns when the message is on its way: when the client, and what lies between, took it
        or have room for it. Raises CallFailed when the call is over."""
        await self._way.send(self, message)

    async def messages(self) -> AsyncIterator[bytes]:
        """What the client says in a dialogue. Raises CallFailed for what is no message."""
        while True:
            message = self._way.next_message(self)
            if message is not None:
                yield message
            elif self.whole:
                if self.received:
                    raise CallFailed(Status.INVALID_ARGUMENT, "the last message is not whole")
                return
            else:
                self.news = asyncio.get_running_loop().create_future()
                try:
                    await self.news
                finally:
                    self.news = None
