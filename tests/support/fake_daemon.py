"""A daemon that answers what a test says, over a real socket through the real dispatcher.

So requests are held against the contract's field rules, and errors travel as they do in cambistd.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from cambist.v1 import (
    accounts_pb2,
    chains_pb2,
    events_pb2,
    market_data_pb2,
    risk_pb2,
    sandbox_pb2,
    swaps_pb2,
    system_pb2,
    trading_pb2,
    venues_pb2,
    wallets_pb2,
)
from core.errors import CambistError, Reason, Refused
from daemon.rpc.dispatcher import MAX_REQUEST, Dispatcher, too_large
from daemon.rpc.standard import unknown
from daemon.wire.server import Server
from tests.support.access import open_guard

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for module in (
        accounts_pb2,
        chains_pb2,
        events_pb2,
        market_data_pb2,
        risk_pb2,
        sandbox_pb2,
        swaps_pb2,
        system_pb2,
        trading_pb2,
        venues_pb2,
        wallets_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)

# A message, an error to raise, or a function of the request: a coroutine or an async generator.
Answer = Message | CambistError | Callable[[Any], Any]


class _Gate:
    def admit(self, always: bool) -> None:
        pass


class _Service:
    """Has every method; what has no answer is not built."""

    def __init__(self, daemon: "FakeDaemon") -> None:
        self._daemon = daemon

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name.startswith("stream_"):
            return lambda request: self._daemon.stream(name, request)
        return lambda request: self._daemon.answer(name, request)


class FakeDaemon:
    """`answers` maps a method's name in snake case to what it answers.

    Mutations are remembered by request id, also over `kill` and `start`, as the journal does.
    `requests` has every request that reached a handler; `effects` counts them by request id.
    """

    def __init__(
        self,
        socket: Path,
        answers: Mapping[str, Answer] | None = None,
        api: str = "cambist.v1",
        heartbeat_milliseconds: int = 5000,
    ) -> None:
        self.socket = socket
        self.address = f"unix://{socket}"
        self.answers: dict[str, Answer] = {
            "get_info": system_pb2.GetInfoResponse(
                version="0.1.0",
                api=api,
                profile="sandbox",
                daemon_id="d1",
                limits=system_pb2.Limits(
                    max_page_size=1000, heartbeat_milliseconds=heartbeat_milliseconds
                ),
            ),
            **(answers or {}),
        }
        self.requests: list[tuple[str, Any]] = []
        self.effects: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        # A mutation waits here between its effect and its answer.
        self.held: asyncio.Event | None = None
        self.effected = asyncio.Event()
        self._remembered: dict[str, bytes] = {}
        self._server: Server | None = None

    async def start(self) -> None:
        """Listens."""
        self.socket.unlink(missing_ok=True)
        dispatcher = Dispatcher(_Gate(), open_guard(), self._intents)
        endpoints = dispatcher.endpoints(dict.fromkeys(SERVICES, _Service(self)))
        server = Server(endpoints, unknown, MAX_REQUEST, too_large)
        await server.listen_unix(self.socket)
        self._server = server

    async def kill(self) -> None:
        """Breaks every connection and listens no more."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(0)
            self.socket.unlink(missing_ok=True)

    async def __aenter__(self) -> "FakeDaemon":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    def of(self, name: str) -> list[Any]:
        """The requests of one method."""
        return [request for method, request in self.requests if method == name]

    def _answer_of(self, name: str) -> Answer:
        if name not in self.answers:
            raise Refused(Reason.NOT_BUILT, f"{name} has no answer in this test")
        return self.answers[name]

    async def answer(self, name: str, request: Any) -> Message:
        """For unary methods."""
        self.requests.append((name, request))
        answer = self._answer_of(name)
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, CambistError):
            raise answer
        assert isinstance(answer, Message), answer
        return answer

    async def stream(self, name: str, request: Any) -> AsyncIterator[Message]:
        """For streams: the answer is an async generator function."""
        self.requests.append((name, request))
        answer = self._answer_of(name)
        if isinstance(answer, CambistError):
            raise answer
        assert callable(answer), answer
        async for part in answer(request):
            yield part

    async def _intents(
        self,
        method: str,
        request_id: str,
        body: bytes,
        effect: Callable[[], Awaitable[bytes]],
        harmless: bool = False,
    ) -> bytes:
        self.calls[request_id] += 1
        if request_id not in self._remembered:
            self._remembered[request_id] = await effect()
            self.effects[request_id] += 1
            self.effected.set()
        if self.held is not None:
            await self.held.wait()
        return self._remembered[request_id]
