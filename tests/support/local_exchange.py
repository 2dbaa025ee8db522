"""A local stand-in for any exchange: HTTP and websocket on loopback, scripted by a test.

    async with LocalExchange() as exchange:
        exchange.on("GET /api/v3/time", lambda request: Answer(b'{"serverTime": 1}'))
        exchange.on_frame = lambda socket, payload: socket.send(...)
        hosts = {"rest": exchange.http, "stream": exchange.ws}

Requests and frames are recorded. An answer can be late, broken off, or never come. Waiting is on
conditions, with a bound.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web
from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

BOUND = 10.0  # seconds that a test waits for anything


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    target: str
    body: bytes = b""

    @property
    def params(self) -> dict[str, str]:
        """Query and form together."""
        return {**self.query, **self.form}


@dataclass(frozen=True)
class Answer:
    """A reply; `drop` closes the connection instead, `hang` never answers."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False


Handler = Callable[[Seen], Answer | Awaitable[Answer]]


class Socket(WSListener):
    """One websocket of a client."""

    def __init__(self, exchange: "LocalExchange", path: str) -> None:
        super().__init__()
        self._exchange = exchange
        self.path = path
        self.transport: WSTransport | None = None
        self.frames: list[bytes] = []
        self.answers_pings = True
        self.pings = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._exchange.sockets.append(self)
        self._exchange.changed()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            self.pings += 1
            if self.answers_pings:
                transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            payload = frame.get_payload_as_bytes()
            self.frames.append(payload)
            self._exchange.on_frame(self, payload)
        self._exchange.changed()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        if self in self._exchange.sockets:
            self._exchange.sockets.remove(self)
        self._exchange.changed()

    def send(self, *payloads: bytes) -> None:
        """Sends text frames."""
        if self.transport is not None:
            for payload in payloads:
                self.transport.send(WSMsgType.TEXT, payload)

    def drop(self) -> None:
        """Breaks the connection without a word."""
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    async def blast(self, frames: Sequence[bytes], high_water: int = 1 << 20) -> None:
        """Sends as fast as the client reads."""
        transport = self.transport
        for start in range(0, len(frames), 200):
            if transport is None or transport.is_disconnected:
                return
            for payload in frames[start : start + 200]:
                transport.send(WSMsgType.TEXT, payload)
            await asyncio.sleep(0)
            waiting = transport.underlying_transport.get_write_buffer_size
            while waiting() > high_water and not transport.is_disconnected:  # noqa: ASYNC110
                await asyncio.sleep(0)


class LocalExchange:
    """See the module."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.sockets: list[Socket] = []
        self.on_frame: Callable[[Socket, bytes], None] = lambda socket, payload: None
        self.otherwise: Handler = lambda seen: Answer(b"not scripted", 404)
        self.http = ""
        self.ws = ""
        self._handlers: dict[str, Handler] = {}
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._websockets: asyncio.Server | None = None
        self._hanging = asyncio.Event()

    def on(self, what: str, handler: Handler | bytes) -> None:
        """Answers `METHOD /path`; a handler's last registration counts."""
        if isinstance(handler, bytes):
            body = handler
            self._handlers[what] = lambda seen: Answer(body)
        else:
            self._handlers[what] = handler

    def answer(self, seen: Seen) -> Answer:
        """What is scripted for a request that came another way, over a websocket say."""
        handler = self._handlers.get(f"{seen.method} {seen.path}")
        answer = Answer(b"not scripted", 404) if handler is None else handler(seen)
        assert isinstance(answer, Answer), "only what answers at once"
        return answer

    def asked(self, what: str) -> list[Seen]:
        """The requests of `METHOD /path` so far."""
        return [seen for seen in self.requests if f"{seen.method} {seen.path}" == what]

    def changed(self) -> None:
        """Wakes whoever waits in `until`."""
        self._changed.set()

    async def until(self, condition: Callable[[], object], what: str = "a condition") -> None:
        """Waits until something holds; AssertionError after a bound."""
        try:
            async with asyncio.timeout(BOUND):
                while not condition():
                    self._changed.clear()
                    # What changes in the client wakes nobody here, so that we look now and then.
                    await asyncio.wait([asyncio.ensure_future(self._changed.wait())], timeout=0.01)
        except TimeoutError:
            raise AssertionError(f"waited {BOUND} s in vain for {what}") from None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.http = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

        def accept(request: WSUpgradeRequest) -> WSListener:
            return Socket(self, request.path.decode())

        self._websockets = await ws_create_server(accept, "127.0.0.1", 0, enable_auto_pong=False)
        port = self._websockets.sockets[0].getsockname()[1]
        self.ws = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hanging.set()
        for socket in list(self.sockets):
            socket.drop()
        if self._websockets is not None:
            self._websockets.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post()) if request.can_read_body else {}
        seen = Seen(
            request.method,
            request.path,
            dict(request.query),
            {key: str(value) for key, value in form.items()},
            dict(request.headers),
            request.raw_path,
            await request.read(),
        )
        self.requests.append(seen)
        self.changed()
        handler = self._handlers.get(f"{seen.method} {seen.path}", self.otherwise)
        answer = handler(seen)
        if not isinstance(answer, Answer):
            answer = await answer
        if answer.hang:
            await self._hanging.wait()
        if answer.drop or answer.hang:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
