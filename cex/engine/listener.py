"""What picows calls for the frames of one websocket: joins fragments, and gives others a turn."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport

# Frames handled until all else gets its turn: about two milliseconds' work.
TURN = 256

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION


class Receiver(Protocol):
    """Who takes what the listener hears."""

    transport: WSTransport | None
    heard: int  # monotonic ns of the last frame of any kind
    reason: str  # why the connection is about to end
    now: Callable[[], int]
    monotonic: Callable[[], int]

    def receive(self, payload: bytes, binary: bool, received: int) -> None: ...


class Listener(WSListener):
    """Kept thin: a busy venue calls it a hundred thousand times a second.

    One read of a socket that was left alone for a while can hold megabytes, so that handling it at
    once would keep the event loop, and everybody who waits for an update, for seconds. What exceeds
    a turn waits here, and the socket is not read meanwhile.
    """

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver
        self._parts: list[bytes] = []
        self._binary = False  # of the first fragment
        self._count = 0  # frames since the last pause
        self._waiting: list[tuple[bytes, bool, int]] | None = None  # None while not paused
        self._next = 0  # the first of them that was not handled

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._receiver.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        receiver = self._receiver
        receiver.heard = receiver.monotonic()
        kind = frame.msg_type
        if kind == _TEXT:
            binary = False
        elif kind == _BINARY:
            binary = True
        elif kind == _CONTINUATION:
            binary = self._binary
        else:
            self._control(transport, frame)
            return
        payload = frame.get_payload_as_bytes()
        if not frame.fin or self._parts:
            self._parts.append(payload)
            self._binary = binary
            if not frame.fin:
                return
            payload = b"".join(self._parts)
            self._parts.clear()
        if self._waiting is not None:
            self._waiting.append((payload, binary, receiver.now()))
            return
        self._count += 1
        if self._count == TURN:
            self._pause(transport)
        receiver.receive(payload, binary, receiver.now())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._handle(None)

    def _control(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            self._receiver.reason = f"closed by the venue: {frame.get_close_code()}"
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def _pause(self, transport: WSTransport) -> None:
        self._waiting = []
        transport.underlying_transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._turn, transport)

    def _turn(self, transport: WSTransport) -> None:
        """Handles a turn's worth of what waits; reads on when nothing does."""
        if self._waiting is None:
            return  # disconnected meanwhile
        self._handle(TURN)
        if self._next < len(self._waiting):
            asyncio.get_running_loop().call_soon(self._turn, transport)
        else:
            self._waiting, self._next, self._count = None, 0, 0
            if not transport.underlying_transport.is_closing():
                transport.underlying_transport.resume_reading()

    def _handle(self, limit: int | None) -> None:
        """Hands on so many that wait, None for all of them: then the connection is over."""
        waiting = self._waiting or []
        end = len(waiting) if limit is None else min(self._next + limit, len(waiting))
        for place in range(self._next, end):
            self._receiver.receive(*waiting[place])
        self._next = end
        if limit is None:
            self._waiting, self._next = None, 0
