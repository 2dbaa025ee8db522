"""One connection: HTTP/2 as far as gRPC needs it.

What arrives is read at once and answered in the same turn of the loop where that is possible. No
queue grows without bound: a client has so many calls at once, what it may leave half said is
counted over all clients, who does not read what it is sent is waited for, and who sends what costs
more than it says is told to calm down.

https://www.rfc-editor.org/rfc/rfc9113
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Protocol, cast

import structlog

from daemon.wire import frames as f
from daemon.wire import headers as h
from daemon.wire.call import (
    Call,
    CallFailed,
    Dialogue,
    Endpoint,
    Status,
    Stream,
    TooLarge,
    Unary,
    framed,
    message_in,
)
from daemon.wire.frames import Code
from daemon.wire.peers import names_of

MAX_CALLS = 500
_BLOCK_BYTES = 32_768  # of one call's headers as they travel
_WRITE_BYTES = 262_144  # in the transport, before handlers wait
_UNREAD_BYTES = 16 << 20  # in the transport, before a client is given up that does not read
_CALM = 5_000  # frames a second that ask for work and carry none
_RESET_COSTS = 5  # of these
_REMEMBERED_RESETS = 200
_INBOX = 64  # messages of a dialogue
_LONGEST_TIMEOUT = 1e6  # float: seconds; longer is as good as none

log = structlog.get_logger("wire")


class Host(Protocol):
    """What connections have in common."""

    largest: int  # bytes of a message
    held: int  # bytes of messages that are not whole yet, of all connections
    most_held: int

    def endpoint(self, path: str) -> Endpoint:
        """Who answers; also for what nobody knows."""
        ...

    def too_large(self, size: int) -> CallFailed:
        """How a call ends whose message has so many bytes."""
        ...

    def opened(self, connection: "Connection") -> bool:
        """Whether it may stay."""
        ...

    def closed(self, connection: "Connection") -> None: ...

    def enlist(self, connection: "Connection") -> None:
        """Has a call to begin: the host says when, by `begin_next`."""
        ...


class _Broken(Exception):
    """The client does not speak the protocol, or does so to do harm."""

    def __init__(self, code: Code, words: str) -> None:
        super().__init__(words)
        self.code = code


class Connection(asyncio.Protocol):
    """Made for each client by the server."""

    def __init__(self, host: Host, number: int) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._reader = h.Reader()
        self._calls: dict[int, Call] = {}
        self._stuck: dict[int, Call] = {}  # have something to send and no room
        self._rest = b""  # of a frame
        self.greeted = False
        self._last = 0  # the highest stream of the client
        self._block: tuple[int, int, bytearray] | None = None  # headers that go on
        self._reset: deque[int] = deque(maxlen=_REMEMBERED_RESETS)
        self._room = f.WINDOW  # bytes that the client takes on all streams
        self._stream_room = f.WINDOW  # and on a new one
        self._frame_bytes = f.FRAME_BYTES
        self._taken = 0  # bytes that came and that the client has not been told to be taken
        self._harm, self._harm_since = 0, 0.0  # float: the loop's seconds
        self._waiting: set[Call] = set()  # for the transport
        self._ready: deque[tuple[Call, bytes]] = deque()
        self._leaving = False
        self._number = number
        self.full = False  # the transport has enough
        self.heard = self._loop.time()  # when something came, in the loop's seconds
        self.pinged = False
        self.peer = self.source = ""
        self._transport: asyncio.Transport

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self.peer, self.source = names_of(transport.get_extra_info("peername"), self._number)
        transport.set_write_buffer_limits(high=_WRITE_BYTES)
        if not self._host.opened(self):
            transport.abort()
            return
        encrypted = transport.get_extra_info("ssl_object")
        if encrypted is not None and encrypted.selected_alpn_protocol() != "h2":
            transport.abort()
            return
        window = self._host.largest + f.WINDOW
        transport.write(
            f.settings(
                {
                    f.MAX_CONCURRENT_STREAMS: MAX_CALLS,
                    f.INITIAL_WINDOW_SIZE: window,
                    f.MAX_HEADER_LIST_SIZE: h.LIST_BYTES,
                }
            )
            + f.window_update(0, 4 * window - f.WINDOW)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        for call in list(self._calls.values()):
            self._forget(call)
        self._host.closed(self)

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        for call in self._waiting:
            _wake(call)

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        self.pinged = False
        if self._rest:
            data = self._rest + data
        try:
            at = 0 if self.greeted else self._greet(data)
            self._rest = data[self._frames(data, at) :]
        except _Broken as error:
            self._close(error.code, str(error))
        except h.Unreadable as error:
            self._close(error.code, str(error))
        if self._taken >= self._host.largest:
            self._write(f.window_update(0, self._taken))
            self._taken = 0

    # -- reading

    def _greet(self, data: bytes) -> int:
        start = data[: len(f.PREFACE)]
        if not f.PREFACE.startswith(start):
            raise _Broken(Code.PROTOCOL_ERROR, "this is a gRPC server: it speaks HTTP/2 only")
        if len(start) < len(f.PREFACE):
            return 0
        self.greeted = True
        return len(f.PREFACE)

    def _frames(self, data: bytes, at: int) -> int:
        """Handles all whole frames from a place on; where the first begins that is not whole."""
        end = len(data)
        while self.greeted and at + f.HEAD_BYTES <= end and not self._leaving:
            upper, lower, kind, flags, number = f.HEAD.unpack_from(data, at)
            size = upper << 8 | lower
            if size > f.FRAME_BYTES:
                raise _Broken(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            start = at + f.HEAD_BYTES
            if start + size > end:
                break
            at = start + size
            self._frame(kind, flags, number & f.LARGEST_WINDOW, data[start:at])
        return at

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block is not None and kind != f.CONTINUATION:
            raise _Broken(Code.PROTOCOL_ERROR, "headers were not continued")
        if kind == f.DATA:
            self._data(flags, number, payload)
        elif kind == f.HEADERS:
            self._headers(flags, number, payload)
        elif kind == f.WINDOW_UPDATE:
            self._window_update(number, payload)
        elif kind == f.CONTINUATION:
            self._continuation(flags, number, payload)
        elif kind == f.RST_STREAM:
            self._rst_stream(number, payload)
        elif kind == f.SETTINGS:
            self._settings(flags, number, payload)
        elif kind == f.PING:
            self._ping(flags, number, payload)
        elif kind == f.PRIORITY:
            self._priority(number, payload)
        elif kind == f.PUSH_PROMISE:
            raise _Broken(Code.PROTOCOL_ERROR, "clients do not push")
        elif kind == f.GOAWAY:
            if number:
                raise _Broken(Code.PROTOCOL_ERROR, "GOAWAY is of connections")
        else:
            self._harmful()

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._taken += size
        payload = _unpadded(flags, payload)
        call = self._calls.get(number)
        if call is None or call.whole:
            self._late(number)
            return
        if not payload and not flags & f.END_STREAM:
            self._harmful()
        call.received += payload
        self._host.held += len(payload)
        if flags & f.END_STREAM:
            call.whole = True
        if self._host.held > self._host.most_held:
            self._fail(call, Status.RESOURCE_EXHAUSTED, "too much is being said at once: try again")
            return
        self._listen(call)
        if call.inbox is not None and size:
            self._write(f.window_update(number, size))

    def _listen(self, call: Call) -> None:
        """Looks whether a call has been said."""
        before = len(call.received)
        try:
            message = message_in(call.received, self._host.largest)
            while call.inbox is not None and message is not None:
                call.inbox.put_nowait(message)
                message = message_in(call.received, self._host.largest)
        except TooLarge as error:
            self._end(call, self._host.too_large(error.size))
            return
        except CallFailed as error:
            self._end(call, error)
            return
        except asyncio.QueueFull:
            self._fail(call, Status.RESOURCE_EXHAUSTED, "too many messages wait to be answered")
            return
        self._host.held -= before - len(call.received)
        if call.inbox is not None:
            if call.whole:
                call.inbox.put_nowait(None)
        elif message is not None:
            if call.received:
                self._fail(call, Status.UNIMPLEMENTED, "this method takes one message")
            elif call.whole:
                self._start(call, message)
            else:  # its end comes by itself
                call.received += framed(message)
                self._host.held += len(call.received)
        elif call.whole:
            self._fail(call, Status.INVALID_ARGUMENT, "the call has no whole message")

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        payload = _unpadded(flags, payload)
        if flags & f.PRIORITISED:
            if len(payload) < 5 or f.number(payload) & f.LARGEST_WINDOW == number:
                raise _Broken(Code.PROTOCOL_ERROR, "a stream cannot depend on itself")
            payload = payload[5:]
        if not number % 2:
            raise _Broken(Code.PROTOCOL_ERROR, f"stream {number} is not a client's")
        if flags & f.END_HEADERS:
            self._begin(number, flags, payload)
        else:
            self._block = number, flags, bytearray(payload)

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != number:
            raise _Broken(Code.PROTOCOL_ERROR, "there is nothing to be continued")
        _, first, block = self._block
        block += payload
        self._harmful()
        if len(block) > _BLOCK_BYTES:
            raise _Broken(Code.ENHANCE_YOUR_CALM, "too many headers")
        if flags & f.END_HEADERS:
            self._block = None
            self._begin(number, first, bytes(block))

    def _begin(self, number: int, flags: int, block: bytes) -> None:
        """A new call, or the end of what a client says."""
        if number <= self._last:
            self._trailers(number, flags, block)
            return
        self._last = number
        try:
            request = self._reader.request(block)
        except h.Malformed:
            self._reset_stream(number, Code.PROTOCOL_ERROR)
            return
        if len(self._calls) >= MAX_CALLS:
            self._harmful()
            self._reset_stream(number, Code.REFUSED_STREAM)
            return
        if (wrong := _no_grpc(request)) is not None:
            self._write(f.frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, number, wrong))
            self._hush(number, whole=bool(flags & f.END_STREAM))
            return
        endpoint = self._host.endpoint(request.path)
        call = Call(self, number, request.path, request.metadata, endpoint, self._stream_room)
        self._calls[number] = call
        call.whole = bool(flags & f.END_STREAM)
        if request.timeout is not None and request.timeout < _LONGEST_TIMEOUT:
            call.timer = self._loop.call_later(request.timeout, self._expire, call)
        if request.encoding not in ("identity", "gzip"):
            words = f"grpc-encoding {request.encoding}: only identity and gzip are read"
            self._fail(call, Status.UNIMPLEMENTED, words)
        elif isinstance(endpoint, Dialogue):
            call.inbox = asyncio.Queue(_INBOX)
            self._start(call, b"")
        if call.whole and number in self._calls:
            self._listen(call)

    def _trailers(self, number: int, flags: int, block: bytes) -> None:
        self._reader.trailers(block)
        call = self._calls.get(number)
        if call is None or call.whole:
            if number not in self._reset:
                raise _Broken(Code.STREAM_CLOSED, f"stream {number} has ended")
        elif not flags & f.END_STREAM:
            self._reset_stream(number, Code.PROTOCOL_ERROR)
            self._forget(call)
        else:
            call.whole = True
            self._listen(call)

    def _late(self, number: int) -> None:
        """Data for a stream that has ended, or has not begun."""
        if number > self._last or not number % 2:
            raise _Broken(Code.PROTOCOL_ERROR, f"stream {number} has not begun")
        self._harmful()
        if number not in self._reset:
            self._reset_stream(number, Code.STREAM_CLOSED)

    def _rst_stream(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise _Broken(Code.FRAME_SIZE_ERROR, "RST_STREAM has four bytes")
        if not number or number > self._last:
            raise _Broken(Code.PROTOCOL_ERROR, f"stream {number} has not begun")
        for _ in range(_RESET_COSTS):
            self._harmful()
        self._reset.append(number)
        call = self._calls.get(number)
        if call is not None:
            self._forget(call)

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise _Broken(Code.PROTOCOL_ERROR, "SETTINGS are of connections")
        if len(payload) % 6 or (flags & f.ACK and payload):
            raise _Broken(Code.FRAME_SIZE_ERROR, "SETTINGS are pairs of six bytes")
        self._harmful()
        if flags & f.ACK:
            return
        for name, value in f.settings_of(payload):
            if name == f.INITIAL_WINDOW_SIZE:
                if value > f.LARGEST_WINDOW:
                    raise _Broken(Code.FLOW_CONTROL_ERROR, "the window is too large")
                more, self._stream_room = value - self._stream_room, value
                for call in self._calls.values():
                    call.room += more
                    if call.room > f.LARGEST_WINDOW:
                        raise _Broken(Code.FLOW_CONTROL_ERROR, "the window is too large")
            elif name == f.MAX_FRAME_SIZE:
                if not f.FRAME_BYTES <= value <= f.LARGEST_FRAME_BYTES:
                    raise _Broken(Code.PROTOCOL_ERROR, "no size of a frame")
                self._frame_bytes = value
            elif name == f.ENABLE_PUSH and value > 1:
                raise _Broken(Code.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
        self._write(f.frame(f.SETTINGS, f.ACK, 0))
        self._flush_all()

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise _Broken(Code.PROTOCOL_ERROR, "PING is of connections")
        if len(payload) != 8:
            raise _Broken(Code.FRAME_SIZE_ERROR, "PING has eight bytes")
        self._harmful()
        if not flags & f.ACK:
            self._write(f.frame(f.PING, f.ACK, 0, payload))

    def _priority(self, number: int, payload: bytes) -> None:
        if not number:
            raise _Broken(Code.PROTOCOL_ERROR, "PRIORITY is of streams")
        self._harmful()
        if len(payload) != 5:
            self._reset_stream(number, Code.FRAME_SIZE_ERROR)
        elif f.number(payload) & f.LARGEST_WINDOW == number:
            self._reset_stream(number, Code.PROTOCOL_ERROR)

    def _window_update(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise _Broken(Code.FRAME_SIZE_ERROR, "WINDOW_UPDATE has four bytes")
        more = f.number(payload) & f.LARGEST_WINDOW
        if not number:
            self._room += more
            if not more or self._room > f.LARGEST_WINDOW:
                code = Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR
                raise _Broken(code, "the window is too large, or does not grow")
            self._flush_all()
            return
        call = self._calls.get(number)
        if call is None:
            if number > self._last:
                raise _Broken(Code.PROTOCOL_ERROR, f"stream {number} has not begun")
            return
        call.room += more
        if not more or call.room > f.LARGEST_WINDOW:
            self._reset_stream(number, Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR)
            self._forget(call)
        elif call.out:
            self._flush(call)

    def _harmful(self) -> None:
        """Counts what costs more than it says. Raises _Broken when it is too much."""
        self._harm += 1
        if self._harm < _CALM:
            return
        now = self._loop.time()
        if now - self._harm_since < 1:
            raise _Broken(Code.ENHANCE_YOUR_CALM, "too many frames that say nothing")
        self._harm, self._harm_since = 0, now

    # -- calls

    def _start(self, call: Call, message: bytes) -> None:
        """Puts a call in line; those that lower risk go first."""
        if not self._ready:
            self._host.enlist(self)
        if call.endpoint.urgent:
            self._ready.appendleft((call, message))
        else:
            self._ready.append((call, message))

    def begin_next(self) -> bool:
        """Begins the first call in line; whether another waits."""
        call, message = self._ready.popleft()
        if call.trailers is None:
            call.task = self._loop.create_task(self._run(call, message))
        return bool(self._ready)

    async def _run(self, call: Call, message: bytes) -> None:
        endpoint = call.endpoint
        try:
            if isinstance(endpoint, Unary):
                answer = await endpoint.handle(message, call)
                self._answer(call, answer)
                return
            doing: Awaitable[None]
            doing = endpoint.handle(message, call) if isinstance(endpoint, Stream) else (
                endpoint.handle(call)
            )  # fmt: skip
            await doing
            self._end(call, None)
        except CallFailed as error:
            self._end(call, error)
        except Exception:
            log.exception("a handler failed", path=call.path)
            self._end(call, CallFailed(Status.INTERNAL, "an internal error"))
        finally:
            if call.task is not None and call.task.cancelling():
                self._end(call, CallFailed(Status.CANCELLED, "the call was cancelled"))
            call.task = None
            if call.trailers is not None and not call.out:
                self._calls.pop(call.number, None)

    def _answer(self, call: Call, answer: bytes) -> None:
        """A unary call's whole response, in one piece where there is room."""
        number, size = call.number, len(answer) + 5
        if call.trailers is not None:
            return
        if size > min(self._room, call.room, self._frame_bytes):
            self.send_message(call, answer)
            self._end(call, None)
            return
        self._room -= size
        head = f.HEAD.pack
        self._write(
            b"".join((
                _RESPONSE_HEAD, number.to_bytes(4, "big"), h.RESPONSE,
                head(size >> 8, size & 0xFF, f.DATA, 0, number),
                b"\x00", len(answer).to_bytes(4, "big"), answer,
                _GOOD_HEAD, number.to_bytes(4, "big"), h.GOOD,
            ))
        )  # fmt: skip
        call.started, call.trailers = True, h.GOOD
        self._finish(call)

    def send_message(self, call: Call, message: bytes) -> None:
        """Sends what there is room for; the rest follows when the client says so."""
        if call.trailers is not None or self._calls.get(call.number) is not call:
            return  # the client has gone
        if not call.started:
            call.started = True
            self._write(f.frame(f.HEADERS, f.END_HEADERS, call.number, h.RESPONSE))
        data = framed(message)
        size = len(data)
        if not call.out and size <= min(self._room, call.room, self._frame_bytes):
            self._room -= size
            call.room -= size
            self._write(f.frame(f.DATA, 0, call.number, data))
            return
        call.out += data
        self._flush(call)

    async def wait_for_room(self, call: Call) -> None:
        """Until the client or the transport takes more; a little more may be all."""
        call.blocked = self._loop.create_future()
        self._waiting.add(call)
        try:
            await call.blocked
        finally:
            self._waiting.discard(call)
            call.blocked = None

    def _flush(self, call: Call) -> None:
        out = call.out
        while out:
            size = min(len(out), self._room, call.room, self._frame_bytes)
            if size <= 0:
                self._stuck[call.number] = call
                return
            self._room -= size
            call.room -= size
            self._write(f.frame(f.DATA, 0, call.number, bytes(out[:size])))
            del out[:size]
        self._stuck.pop(call.number, None)
        if call.trailers is not None:
            self._write_trailers(call)
        else:
            _wake(call)

    def _flush_all(self) -> None:
        for call in list(self._stuck.values()):
            self._flush(call)

    def _expire(self, call: Call) -> None:
        self._fail(call, Status.DEADLINE_EXCEEDED, "the call took longer than its deadline")

    def _fail(self, call: Call, status: Status, words: str) -> None:
        self._end(call, CallFailed(status, words))
        if call.task is not None:
            call.task.cancel()

    def _end(self, call: Call, error: CallFailed | None) -> None:
        """The call's status, after what is still to be sent; only the first counts."""
        if call.trailers is not None or self._calls.get(call.number) is not call:
            return
        if error is None:
            call.trailers = h.GOOD
        else:
            call.trailers = h.ending(error.status, error.message, error.trailers)
            if call.out and error.status in (Status.CANCELLED, Status.DEADLINE_EXCEEDED):
                call.out.clear()  # nobody waits for it; and half a message is none
                self._stuck.pop(call.number, None)
                self._reset_stream(call.number, Code.CANCEL)
                self._finish(call)
                return
        if not call.out:
            self._write_trailers(call)

    def _write_trailers(self, call: Call) -> None:
        assert call.trailers is not None
        # A response that is nothing but an end has its status in its only headers.
        block = call.trailers if call.started else h.RESPONSE + call.trailers
        for at in range(0, len(block), self._frame_bytes) or (0,):
            part = block[at : at + self._frame_bytes]
            kind = f.CONTINUATION if at else f.HEADERS
            flags = 0 if at else f.END_STREAM
            if at + self._frame_bytes >= len(block):
                flags |= f.END_HEADERS
            self._write(f.frame(kind, flags, call.number, part))
        call.started = True
        self._finish(call)

    def _finish(self, call: Call) -> None:
        """All is sent."""
        self._hush(call.number, call.whole)
        self._drop(call)
        if call.task is None or call.task.done():
            self._calls.pop(call.number, None)
        _wake(call)

    def _hush(self, number: int, whole: bool) -> None:
        """Tells a client that goes on talking that it need not."""
        if not whole:
            self._reset_stream(number, Code.NO_ERROR)

    def _drop(self, call: Call) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        self._host.held -= len(call.received)
        call.received.clear()

    def _forget(self, call: Call) -> None:
        """A call whose client has gone. It counts as one until its handler has ended."""
        if call.trailers is None:
            call.trailers = b""
        call.out.clear()
        self._stuck.pop(call.number, None)
        self._drop(call)
        if call.task is None:
            self._calls.pop(call.number, None)
        else:
            call.task.cancel()

    # -- writing

    def _write(self, data: bytes) -> None:
        self._transport.write(data)
        if self.full and self._transport.get_write_buffer_size() > _UNREAD_BYTES:
            log.warning("a client does not read: its connection is closed", peer=self.peer)
            self._transport.abort()

    def _reset_stream(self, number: int, code: Code) -> None:
        self._reset.append(number)
        self._write(f.reset(number, code))

    def ping(self) -> None:
        """Asks whether somebody is there."""
        self.pinged = True
        self._write(f.frame(f.PING, 0, 0, b"cambistd"))

    def leave(self) -> None:
        """Takes no more calls; those that run go on."""
        if self.greeted and not self._leaving:
            self._write(f.goaway(self._last, Code.NO_ERROR, "the daemon stops"))

    def tasks(self) -> list[asyncio.Task[None]]:
        """The calls that run."""
        return [call.task for call in self._calls.values() if call.task is not None]

    def abort(self) -> None:
        """Ends at once."""
        self._transport.abort()

    def close(self) -> None:
        """Ends when what was written is sent."""
        self._transport.close()

    def _close(self, code: Code, words: str) -> None:
        log.debug("connection ended", peer=self.peer, code=code.name, why=words)
        self._leaving = True
        self._transport.write(f.goaway(self._last, code, words))
        self._transport.close()


_RESPONSE_HEAD = f.HEAD.pack(0, len(h.RESPONSE), f.HEADERS, f.END_HEADERS, 0)[:5]
_GOOD_HEAD = f.HEAD.pack(0, len(h.GOOD), f.HEADERS, f.END_HEADERS | f.END_STREAM, 0)[:5]


def _wake(call: Call) -> None:
    if call.blocked is not None and not call.blocked.done():
        call.blocked.set_result(None)


def _unpadded(flags: int, payload: bytes) -> bytes:
    if not flags & f.PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise _Broken(Code.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]


_KINDS = ("application/grpc+", "application/grpc;")


def _no_grpc(request: h.Request) -> bytes | None:
    """What HTTP says to what is no call."""
    if request.method != "POST":
        return h.refused_by_http(405)
    kind = request.content_type
    if kind != "application/grpc" and not kind.startswith(
        ("application/grpc+", "application/grpc;")
    ):
        return h.refused_by_http(415)
    return None
