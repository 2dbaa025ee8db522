"""The websocket beside the RPC: who has subscribed to what, and the beat at which they are told.

https://solana.com/docs/rpc/websocket
"""

import asyncio
import itertools
import json
import logging
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from chains.solana.localnet import parameters as p
from chains.solana.localnet import subscriptions
from chains.solana.localnet.chain import Chain, Landed
from chains.solana.localnet.history_methods import reached
from chains.solana.localnet.parameters import Parameters, RpcError
from chains.solana.localnet.subscriptions import Subscription

_MAX_SOCKETS = 64
_MAX_SUBSCRIPTIONS = 1_000  # a socket
_QUEUE = 4_096  # notifications that a socket may be behind; then it is closed
_REMEMBERED = 4_096  # transactions that are not final yet
_MAX_BEATS = 64  # slots that are told one by one after a pause
_MAX_MESSAGE = 1 << 16
_log = logging.getLogger(__name__)


class Socket:
    """One connection."""

    def __init__(self, chain: Chain, ids: "itertools.count[int]") -> None:
        self._chain = chain
        self._ids = ids
        self._out: asyncio.Queue[str] = asyncio.Queue(_QUEUE)
        self._transport: asyncio.Transport | None = None
        self.subscribed: dict[int, Subscription] = {}
        self.response = web.WebSocketResponse(heartbeat=20, max_msg_size=_MAX_MESSAGE)

    async def serve(self, request: web.Request) -> None:
        """Until either side ends it."""
        await self.response.prepare(request)
        self._transport = request.transport
        writer = asyncio.create_task(self._write())
        try:
            async for message in self.response:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._take(message.data)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await self.response.close()

    def tell(self, number: int, result: Any) -> None:
        """A notification; its subscription may end with it."""
        made = self.subscribed[number]
        params = {"result": result, "subscription": number}
        self._say({"jsonrpc": "2.0", "method": f"{made.name}Notification", "params": params})
        if made.once and not (isinstance(result, dict) and result["value"] == "receivedSignature"):
            del self.subscribed[number]

    def _take(self, data: str | bytes) -> None:
        id: Any = None
        try:
            call = json.loads(data)
            if not isinstance(call, dict) or not isinstance(call.get("method"), str):
                raise RpcError(p.INVALID_REQUEST, "Invalid request")
            id = call.get("id")
            made, answer = self._answer(call["method"], call.get("params") or [])
        except (ValueError, RecursionError):
            self._say(_failure(None, RpcError(p.PARSE_ERROR, "Parse error")))
        except RpcError as error:
            self._say(_failure(id, error))
        except Exception:  # noqa: BLE001 - the edge of the process: answered, logged, and seen
            _log.exception("a message of a websocket failed")
            self._say(_failure(id, RpcError(p.INTERNAL_ERROR, "Internal error")))
        else:
            self._say({"jsonrpc": "2.0", "result": answer, "id": id})
            if made is not None:
                already = subscriptions.told_already(self._chain, made)
                if already is not None:
                    self.tell(answer, already)

    def _answer(self, method: str, values: Any) -> tuple[Subscription | None, Any]:
        if not isinstance(values, list):
            raise p.invalid("expected an array")
        params = Parameters(values)
        if (kind := subscriptions.KINDS.get(method)) is not None:
            if len(self.subscribed) >= _MAX_SUBSCRIPTIONS:
                raise RpcError(p.INTERNAL_ERROR, "Too many subscriptions")
            made = kind(self._chain, params)
            number = next(self._ids)
            self.subscribed[number] = made
            return made, number
        if method.replace("Unsubscribe", "Subscribe") in subscriptions.KINDS:
            if self.subscribed.pop(params.integer(0), None) is None:
                raise RpcError(p.INVALID_PARAMS, "Invalid subscription id.")
            return None, True
        raise RpcError(p.METHOD_NOT_FOUND, "Method not found")

    def _say(self, body: Any) -> None:
        try:
            self._out.put_nowait(json.dumps(body))
        except asyncio.QueueFull:
            _log.warning("a websocket that does not read is closed")
            asyncio.get_running_loop().call_soon(self._abort)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _write(self) -> None:
        while True:
            await self.response.send_str(await self._out.get())


class PubSub:
    """All connections of one chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._ids = itertools.count(1)
        self._sockets: set[Socket] = set()
        # What landed and may have to be told again at a higher commitment.
        self._landed: deque[Landed] = deque(maxlen=_REMEMBERED)
        self._reached: dict[str, int] = {}
        self._beat: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to listen to the chain."""
        self._chain.listeners.append(self._note)
        self._reached = {level: self._slot(level) for level in p.COMMITMENTS}
        self._beat = asyncio.create_task(self._run(), name="local Solana websocket")

    async def stop(self) -> None:
        """Closes all connections."""
        if self._beat is None:
            return
        self._chain.listeners.remove(self._note)
        self._beat.cancel()
        await asyncio.gather(self._beat, return_exceptions=True)
        self._beat = None
        closing = [socket.response.close(code=1001) for socket in self._sockets]
        await asyncio.gather(*closing, return_exceptions=True)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A connection, from its opening to its end."""
        socket = Socket(self._chain, self._ids)
        if not socket.response.can_prepare(request).ok:
            return web.Response(status=405, text="POST is required, or a websocket")
        if len(self._sockets) >= _MAX_SOCKETS:
            return web.Response(status=503)
        self._sockets.add(socket)
        try:
            await socket.serve(request)
        finally:
            self._sockets.discard(socket)
        return socket.response

    def tick(self) -> None:
        """Tells what has happened since the last time."""
        for level in p.COMMITMENTS:
            before, now = self._reached[level], self._slot(level)
            self._reached[level] = now
            first = max(before + 1, now - _MAX_BEATS)
            for slot in range(first, now + 1):
                self._tell_beat(level, slot)
            for landed in self._landed:
                if before < landed.slot <= now:
                    self._tell_landed(level, landed)
        while self._landed and self._landed[0].slot <= self._reached["finalized"]:
            self._landed.popleft()

    def _slot(self, level: str) -> int:
        return self._chain.slots.block(level).slot

    def _note(self, landed: Landed) -> None:
        self._landed.append(landed)
        for socket, number, made in self._subscribed():
            if made.received and made.signature == landed.signature:
                socket.tell(number, subscriptions.valued(landed.slot, "receivedSignature"))
        for level in p.COMMITMENTS:  # its slot may have been told as begun already
            if landed.slot <= self._reached[level] and reached(self._chain, landed.slot, level):
                self._tell_landed(level, landed)

    def _tell_beat(self, level: str, slot: int) -> None:
        for socket, number, made in self._subscribed():
            if made.beat is not None and made.commitment == level:
                socket.tell(number, made.beat(slot))

    def _tell_landed(self, level: str, landed: Landed) -> None:
        for socket, number, made in self._subscribed():
            if made.pick is None or made.commitment != level:
                continue
            for value in made.pick(landed):
                socket.tell(number, subscriptions.valued(landed.slot, value))

    def _subscribed(self) -> list[tuple[Socket, int, Subscription]]:
        return [
            (socket, number, made)
            for socket in list(self._sockets)
            for number, made in list(socket.subscribed.items())
        ]

    async def _run(self) -> None:
        # A test turns the clock by hand, so looking is done by the loop's own time.
        pause = min(self._chain.slots.slot_time / 4e9, 0.1)  # float: seconds
        while True:
            try:
                self.tick()
            except Exception:  # noqa: BLE001 - it must go on, and be seen
                _log.exception("telling subscribers failed")
            await asyncio.sleep(pause)


def _failure(id: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": error.code, "message": error.message}, "id": id}
