"""Streams that find their way back.

`Reconnecting` reads one server stream and opens it again when the connection breaks, when the
daemon ends it because it stops, or when it is silent for longer than its heartbeat allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

import grpc

from cambist import errors
from cambist.rpc import Backoff, Rpc, passes

if TYPE_CHECKING:
    from types import TracebackType

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")

# A stream without any message for so many heartbeats is dead.
MISSED_HEARTBEATS = 3


class Reconnecting(Generic[Q, R]):
    """The responses of a stream, over as many connections as it takes.

    `request` makes the request of each connection, so that it can say where to go on.
    """

    def __init__(
        self,
        rpc: Rpc,
        method: grpc.aio.UnaryStreamMultiCallable[Q, R],
        request: Callable[[], Q],
    ) -> None:
        self._rpc = rpc
        self._method = method
        self._request = request
        self._backoff = Backoff(rpc.patience)
        self._call: grpc.aio.UnaryStreamCall[Q, R] | None = None
        self._lost: errors.Error | None = None

    async def read(self) -> R | None:
        """The next response; None once each time that the connection was lost.

        Raises `Error` for what does not pass by itself, or when the daemon stays away longer than
        `patience`.
        """
        while True:
            if self._call is None:
                if self._lost:
                    await self._pause(self._lost)
                self._call = self._method(self._request())
            try:
                response = await self._receive(self._call)
            except errors.Error as error:
                self.cancel()
                if not (passes(error) or error.reason == "SLOW_READER"):
                    raise
                known, self._lost = self._lost, error
                if known is None:
                    self._backoff.reset()
                    return None
            else:
                self._lost = None
                return response

    async def _receive(self, call: grpc.aio.UnaryStreamCall[Q, R]) -> R:
        silence = self._rpc.heartbeat * MISSED_HEARTBEATS or None
        try:
            async with asyncio.timeout(silence):
                response = await call.read()
        except TimeoutError:
            raise errors.ConnectionLost("the stream was silent for too long") from None
        except grpc.aio.AioRpcError as failure:
            raise errors.decode(failure) from None
        if response is grpc.aio.EOF:
            raise errors.ConnectionLost("the daemon ended the stream")
        return cast("R", response)

    async def _pause(self, error: errors.Error) -> None:
        after = error.retry_after.total_seconds() if error.retry_after else 0.0
        if not await self._backoff.pause(after):
            raise error

    def cancel(self) -> None:
        """Ends the stream."""
        if self._call is not None:
            self._call.cancel()
            self._call = None


class Stream(Generic[T]):
    """What a streaming method gives: `async for`, and an end at any time.

    Leaving an `async for` early leaves the stream open until it is collected; `async with` or
    `aclose()` ends it at once.
    """

    def __init__(self) -> None:
        self._values = self._run()

    def _run(self) -> AsyncGenerator[T, None]:
        raise NotImplementedError

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await self._values.__anext__()

    async def aclose(self) -> None:
        """Ends the stream."""
        await self._values.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Values(Stream[T], Generic[R, T]):
    """A stream whose responses are turned into values by one function, none for a heartbeat.

    `gaps` counts how often something was left out: the reader was behind, or the connection broke.
    """

    def __init__(
        self, source: Reconnecting[Q, R], unpack: Callable[[R, Values[R, T]], list[T]]
    ) -> None:
        self.gaps = 0
        self.started = False  # whether this connection has said anything yet
        self._source = source
        self._unpack = unpack
        super().__init__()

    async def _run(self) -> AsyncGenerator[T, None]:
        try:
            while True:
                response = await self._source.read()
                if response is None:
                    self.gaps += 1
                    self.started = False
                    continue
                for value in self._unpack(response, self):
                    yield value
        finally:
            self._source.cancel()
