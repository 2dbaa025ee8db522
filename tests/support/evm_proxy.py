"""A node that misbehaves: it stands before anvil and answers as a test tells it to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

Forward = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Behaviour = Callable[[dict[str, Any], Forward], Awaitable[dict[str, Any]]]


async def honest(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
    """Passes everything on."""
    return await forward(request)


def result(request: dict[str, Any], value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "result": value}


def error(request: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}


class Proxy:
    """`behaviour` answers each request; `status`, `body` or `silent` answer all."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.behaviour: Behaviour = honest
        self.status = 200
        self.body: bytes | None = None
        self.silent = False
        self.batches = True
        self.asked: list[str] = []
        self.posts = 0
        self.url = ""
        self._session: aiohttp.ClientSession | None = None
        self._released = asyncio.Event()

    async def _forward(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._session is not None
        async with self._session.post(self.upstream, json=request) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer

    async def _handle(self, request: web.Request) -> web.Response:
        self.posts += 1
        wire = await request.json()
        if self.silent:
            await self._released.wait()
        if self.status != 200:
            return web.Response(status=self.status, text="no", headers={"Retry-After": "1"})
        if self.body is not None:
            return web.Response(body=self.body)
        if isinstance(wire, list):
            if not self.batches:
                return web.json_response(
                    {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batch"}}
                )
            return web.json_response([await self._one(one) for one in wire])
        return web.json_response(await self._one(wire))

    async def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request["method"])
        return await self.behaviour(request, self._forward)


class Socket:
    """A websocket that confirms subscriptions, pushes what a test tells it to, and stays open."""

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id
        self.subscribed = 0
        self.url = ""
        self._open: set[web.WebSocketResponse] = set()

    async def push(self, block: dict[str, Any]) -> None:
        params = {"subscription": "0x1", "result": block}
        for socket in self._open:
            await socket.send_json(
                {"jsonrpc": "2.0", "method": "eth_subscription", "params": params}
            )

    async def _handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._open.add(socket)
        try:
            async for message in socket:
                wire = message.json()
                chain = wire["method"] == "eth_chainId"
                await socket.send_json(result(wire, hex(self.chain_id) if chain else "0x1"))
                self.subscribed += not chain
        finally:
            self._open.discard(socket)
        return socket


@asynccontextmanager
async def websocket(chain_id: int = 31337) -> AsyncIterator[Socket]:
    one = Socket(chain_id)
    app = web.Application()
    app.router.add_get("/", one._handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield one
    finally:
        await runner.cleanup()


@asynccontextmanager
async def proxy(upstream: str) -> AsyncIterator[Proxy]:
    one = Proxy(upstream)
    app = web.Application()
    app.router.add_post("/", one._handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    one.url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        one._session = session
        try:
            yield one
        finally:
            one._released.set()
            await runner.cleanup()
