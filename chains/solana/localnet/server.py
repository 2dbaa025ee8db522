"""JSON-RPC 2.0 over HTTP, batches included, and subscriptions over a websocket at the same port, as
a Solana node speaks them."""

import json
import logging
from typing import Any

from aiohttp import web

from chains.solana.localnet import (
    cluster_methods,
    history_methods,
    read_methods,
    scan_methods,
    write_methods,
)
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.parameters import Parameters, RpcError
from chains.solana.localnet.pubsub import PubSub

_METHODS = {
    name: method
    for module in (
        read_methods,
        scan_methods,
        history_methods,
        cluster_methods,
        write_methods,
    )
    for name, method in module.METHODS.items()
}
_MAX_BODY = 1 << 20
_MAX_BATCH = 200
_log = logging.getLogger(__name__)


class Server:
    """One chain on one port of the loopback interface."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._pubsub = PubSub(chain)
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_post("/", self._handle)
        app.router.add_get("/", self._pubsub.handle)
        app.router.add_get("/health", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """Where subscriptions are taken: at the same port."""
        return f"ws://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listens; OSError if the port is taken. 0 takes any."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        addresses = self._runner.addresses
        self.port = addresses[0][1]
        self._pubsub.start()

    async def stop(self) -> None:
        """Answers what is under way, then closes."""
        await self._pubsub.stop()
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return _reply(_failure(None, RpcError(p.PARSE_ERROR, "Parse error")))
        if not isinstance(body, list):
            return _reply(self._answer(body))
        if not body or len(body) > _MAX_BATCH:
            return _reply(_failure(None, RpcError(p.INVALID_REQUEST, "Invalid request")))
        return _reply([self._answer(each) for each in body])

    def _answer(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, dict) or call.get("jsonrpc") != "2.0" or "method" not in call:
            return _failure(None, RpcError(p.INVALID_REQUEST, "Invalid request"))
        id, method, values = call.get("id"), call["method"], call.get("params") or []
        try:
            function = _METHODS.get(method) if isinstance(method, str) else None
            if function is None:
                raise RpcError(p.METHOD_NOT_FOUND, "Method not found")
            if not isinstance(values, list):
                raise p.invalid("expected an array")
            return {"jsonrpc": "2.0", "result": function(self._chain, Parameters(values)), "id": id}
        except RpcError as error:
            return _failure(id, error)
        except Exception:  # noqa: BLE001 - the edge of the process: answered, logged, and seen
            _log.exception("%s failed", method)
            return _failure(id, RpcError(p.INTERNAL_ERROR, "Internal error"))


def _failure(id: Any, error: RpcError) -> dict[str, Any]:
    body = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return {"jsonrpc": "2.0", "error": body, "id": id}


def _reply(body: Any) -> web.Response:
    return web.Response(text=json.dumps(body), content_type="application/json")
