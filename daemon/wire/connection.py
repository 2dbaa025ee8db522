"""One connection: HTTP/2 as far as gRPC needs it.

What arrives is read at once and answered in the same turn of the loop where that is possible. No
queue grows without bound: a client has so many calls at once, what it may leave half said is
counted over all clients, who does not read what it is sent is waited for, and who sends what costs
more than it says is told to calm down.

https://www.rfc-editor.org/rfc/rfc9113
"""

import asyncio
from typing import Protocol, cast

import structlog

from daemon.wire import calls, refusals, running, sending
from daemon.wire import frames as f
from daemon.wire import headers as h
from daemon.wire.call import Call
from daemon.wire.conduct import Conduct
from daemon.wire.frames import Broken, Code
from daemon.wire.peers import Peer
from daemon.wire.reading import NotHttp2, Reading

_IDLE_SECONDS = 30.0  # float: seconds; then a client is asked whether it is there
_GREETING_SECONDS = 10.0  # float: seconds; until it has begun
_FAREWELL_SECONDS = 1.0  # float: seconds; for what is still to be sent and read
_CALLS_A_UNIT = 16  # that settings change, for the cost of a frame
_PING = b"cambistd"

log = structlog.get_logger("wire")


class Host(calls.Host, running.Host, sending.Host, Protocol):
    """What connections have in common."""

    def opened(self, connection: "Connection") -> None: ...

    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """Made for each client by the server. `unwelcome` says why it has to go as soon as it has
    spoken."""

    def __init__(self, host: Host, line: running.Line, peer: Peer, unwelcome: str = "") -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self.peer, self.source = peer
        self._unwelcome = unwelcome
        self._conduct = Conduct()
        self._sending = sending.Sending(host)
        self._running = running.Running(host, line, self._sending)
        self._calls = calls.Calls(host, self, self._sending, self._running, self._conduct)
        self._reading = Reading(
            {
                f.DATA: self._calls.data,
                f.PRIORITY: self._priority,
                f.RST_STREAM: self._calls.rst_stream,
                f.SETTINGS: self._settings,
                f.PUSH_PROMISE: self._push_promise,
                f.PING: self._ping,
                f.GOAWAY: self._goaway,
                f.WINDOW_UPDATE: self._window_update,
            },
            self._calls.headers,
            self._conduct.costs,
        )
        self.gone = False
        self._spoken = False  # our settings are sent
        self._later = False  # what came waits for its turn
        self._heard = self._loop.time()  # when something came, in the loop's seconds
        self._pinged = False
        self._farewell: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self._sending.open(transport)
        encrypted = transport.get_extra_info("ssl_object")
        if encrypted is not None and encrypted.selected_alpn_protocol() != "h2":
            self._unwelcome = "TLS without ALPN: clients of gRPC ask for h2"
        self._host.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._farewell is not None:
            self._farewell.cancel()
        self._forget()
        self._host.closed(self)

    def pause_writing(self) -> None:
        self._sending.pause()

    def resume_writing(self) -> None:
        self._sending.resume()

    def data_received(self, data: bytes) -> None:
        self._heard, self._pinged = self._loop.time(), False
        if self._unwelcome and not self.gone:
            # In HTTP/1 also to who speaks HTTP/2: its library takes that for no connection at once,
            # where settings and a GOAWAY would be one that ended.
            self._end_without_words(http_1=True)
        else:
            self._read(data)

    # -- reading

    def _read(self, data: bytes) -> None:
        try:
            done = self._reading.feed(data)
        except (Broken, h.Unreadable) as error:
            self._end(error.code, str(error))
            return
        except NotHttp2 as error:
            self._end_without_words(error.http_1)
            return
        if self._calls.taken >= self._host.largest:
            self._sending.write(f.window_update(0, self._calls.taken))
            self._calls.taken = 0
        if not done and not self._later:
            self._later = True
            if not self._transport.is_closing():
                self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._later = False
        if self.gone:
            return
        self._read(b"")
        if not self._later and not self._transport.is_closing():
            self._transport.resume_reading()

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if not self._spoken:
            self._speak()
        if number:
            raise Broken(Code.PROTOCOL_ERROR, "SETTINGS are of connections")
        if len(payload) % 6 or (flags & f.ACK and payload):
            raise Broken(Code.FRAME_SIZE_ERROR, "SETTINGS are pairs of six bytes")
        self._conduct.costs()
        if flags & f.ACK:
            return
        pairs = f.settings_of(payload)
        for name, value in pairs:
            if name == f.MAX_FRAME_SIZE:
                self._sending.set_frame_bytes(value)
            elif name == f.ENABLE_PUSH and value > 1:
                raise Broken(Code.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
            elif name == f.INITIAL_WINDOW_SIZE and value > f.LARGEST_WINDOW:
                raise Broken(Code.FLOW_CONTROL_ERROR, "the window is too large")
        self._sending.write(f.frame(f.SETTINGS, f.ACK, 0))
        # Only the last counts: nothing is sent between two of one frame.
        room = dict(pairs).get(f.INITIAL_WINDOW_SIZE)
        if room is not None:
            opened = list(self._running.open.values())
            self._conduct.costs(len(opened) // _CALLS_A_UNIT)
            self._sending.set_stream_room(room, opened)

    def _speak(self) -> None:
        """Ours. Said when the client has begun, so that others get an answer they understand."""
        self._spoken = True
        window = self._calls.window
        self._sending.write(
            f.settings(
                {
                    f.MAX_CONCURRENT_STREAMS: calls.MAX_CALLS,
                    f.INITIAL_WINDOW_SIZE: window,
                    f.MAX_HEADER_LIST_SIZE: h.LIST_BYTES,
                }
            )
            + f.window_update(0, 4 * window - f.WINDOW)
        )

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise Broken(Code.PROTOCOL_ERROR, "PING is of connections")
        if len(payload) != len(_PING):
            raise Broken(Code.FRAME_SIZE_ERROR, "PING has eight bytes")
        self._conduct.costs()
        if not flags & f.ACK:
            self._sending.write(f.frame(f.PING, f.ACK, 0, payload))

    def _priority(self, flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise Broken(Code.PROTOCOL_ERROR, "PRIORITY is of streams")
        self._conduct.costs()
        f.unprioritised(f.PRIORITISED, number, payload)
        if len(payload) != f.PRIORITY_BYTES:
            raise Broken(Code.FRAME_SIZE_ERROR, "a priority has five bytes")

    def _push_promise(self, flags: int, number: int, payload: bytes) -> None:
        raise Broken(Code.PROTOCOL_ERROR, "clients do not push")

    def _goaway(self, flags: int, number: int, payload: bytes) -> None:
        """The client begins nothing more, and closes when it has its answers."""
        if number:
            raise Broken(Code.PROTOCOL_ERROR, "GOAWAY is of connections")
        self._conduct.costs()

    def _window_update(self, flags: int, number: int, payload: bytes) -> None:
        more = f.number(payload, "WINDOW_UPDATE")
        if number:
            self._calls.more_room(number, more)
        else:
            self._sending.more_room(more)

    # -- daemon.wire.call.Way

    async def send(self, call: Call, message: bytes) -> None:
        """See Call.send."""
        way = self._sending
        if call.trailers is None:
            way.message(call, message)
        while call.trailers is None and (call.out or way.full):
            await way.wait_for_room(call)
        if call.trailers is not None:  # for handlers that did not listen the first time
            raise asyncio.CancelledError("the call is over")

    def next_message(self, call: Call) -> bytes | None:
        """See Call.messages."""
        return self._calls.next_message(call)

    # -- for the server

    @property
    def running(self) -> running.Running:
        return self._running

    @property
    def unsent(self) -> int:
        return self._sending.unsent

    def look_around(self) -> None:
        """Who said nothing for long is asked, and let go when there is no answer."""
        silent = self._loop.time() - self._heard
        self._calls.look_around()
        if not self._reading.greeted:
            if silent > _GREETING_SECONDS:
                self.abort()
        elif self._pinged and silent > 2 * _IDLE_SECONDS:
            self.abort()
        elif not self._pinged and silent > _IDLE_SECONDS:
            self._pinged = True
            self._sending.write(f.frame(f.PING, 0, 0, _PING))

    def leave(self) -> None:
        """Takes no more calls; those that run go on."""
        if self._reading.greeted and not self._calls.leaving:
            self._sending.write(f.goaway(self._calls.last, Code.NO_ERROR, "the daemon stops"))
        self._calls.leaving = True

    def abort(self) -> None:
        """Ends at once."""
        self._forget()
        self._transport.abort()

    def _forget(self) -> None:
        """All calls end, nothing is read or written any more."""
        self.gone = True
        self._reading.stop()
        self._running.close()
        self._sending.close()

    def close(self) -> None:
        """Ends when what was written is sent, or soon."""
        self._reading.stop()
        self._transport.close()
        if self._farewell is None:
            self._farewell = self._loop.call_later(_FAREWELL_SECONDS, self._transport.abort)

    def _end(self, code: Code, words: str) -> None:
        log.debug("connection ended", peer=self.peer, code=code.name, why=words)
        if not self._spoken:
            self._speak()
        self._sending.write(f.goaway(self._calls.last, code, words))
        self._part()

    def _end_without_words(self, http_1: bool) -> None:
        """For who does not speak HTTP/2."""
        log.debug("connection ended", peer=self.peer, why="not HTTP/2")
        if http_1:
            words = self._unwelcome or "this is a gRPC server: it speaks HTTP/2 only"
            self._sending.write(refusals.in_http_1(words))
        self._part()

    def _part(self) -> None:
        """Ends when the client has read why. What it goes on saying is thrown away: a socket that
        is closed with something unread takes back what was written."""
        self._forget()
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
        self._farewell = self._loop.call_later(_FAREWELL_SECONDS, self._transport.abort)
