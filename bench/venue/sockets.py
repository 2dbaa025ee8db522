"""The websocket side: the market streams, and the websocket API with its user data stream."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.venue.market import Market

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Connection(WSListener):
    """What all connections do: answer pings and closes, and read JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self.heard(_decode(frame.get_payload_as_bytes()))
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def heard(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def say(self, message: dict[str, Any]) -> None:
        if self.transport is not None:
            self.transport.send(WSMsgType.TEXT, msgspec.json.encode(message))


class _Streams(_Connection):
    """A connection to the market streams; listens to the book once it asks for anything."""

    def __init__(self, market: Market, combined: bool) -> None:
        super().__init__()
        self._market = market
        self._paused = False
        self.combined = combined

    @property
    def writable(self) -> bool:
        return not self._paused

    def write(self, data: bytes) -> None:
        # Whole frames, made beforehand: they need nothing of picows'.
        if self.transport is not None:
            self.transport.underlying_transport.write(data)

    def heard(self, message: dict[str, Any]) -> None:
        self.say({"result": None, "id": message.get("id")})
        if message.get("method") == "SUBSCRIBE" and self not in self._market.listeners:
            self._market.listeners.append(self)
            self._market.wake()
        elif message.get("method") == "UNSUBSCRIBE":
            self._forget()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._forget()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._market.wake()

    def _forget(self) -> None:
        if self in self._market.listeners:
            self._market.listeners.remove(self)
            self._market.wake()


class Users:
    """Connections to the websocket API, by the API key that they subscribed with."""

    def __init__(self) -> None:
        self._connections: dict[str, _Api] = {}

    def subscribed(self, key: str, connection: "_Api") -> None:
        """Reports of this key's orders go there from now on."""
        self._connections[key] = connection

    def tell(self, key: str, event: dict[str, Any]) -> None:
        """Sends an event to the key's connection, if there is one."""
        connection = self._connections.get(key)
        if connection is not None:
            connection.say({"subscriptionId": 0, "event": event})


class Desk(Protocol):
    """Where orders go; see bench.venue.orders."""

    def place(self, key: str, params: Mapping[str, str]) -> dict[str, Any]: ...

    def cancel(self, key: str, params: Mapping[str, str]) -> dict[str, Any] | None: ...


class _Api(_Connection):
    """A connection to the websocket API: orders, and what else is asked is well."""

    def __init__(self, users: Users, desk: Desk) -> None:
        super().__init__()
        self._users = users
        self._desk = desk

    def heard(self, message: dict[str, Any]) -> None:
        params = message.get("params") or {}
        key, result = params.get("apiKey", ""), None
        if message.get("method") == "order.place":
            result = self._desk.place(key, params)
        elif message.get("method") == "order.cancel":
            result = self._desk.cancel(key, params)
            if result is None:
                error = {"code": -2011, "msg": "Unknown order sent."}
                self.say({"id": message.get("id"), "status": 400, "error": error})
                return
        elif key:
            self._users.subscribed(key, self)
        result = result or {"subscriptionId": 0}
        self.say({"id": message.get("id"), "status": 200, "result": result})


async def serve(market: Market, users: Users, desk: Desk) -> asyncio.Server:
    """A server on a free port of the loopback."""

    def connection(request: WSUpgradeRequest) -> WSListener:
        path = request.path.decode()
        if path.startswith("/ws-api"):
            return _Api(users, desk)
        return _Streams(market, combined=path.startswith("/stream"))

    return await ws_create_server(connection, "127.0.0.1", 0)
