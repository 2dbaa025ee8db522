"""What a client says of its calls: their headers, their messages, that it has lost interest.

https://www.rfc-editor.org/rfc/rfc9113#section-5.1 and #section-8.1
"""

from typing import Protocol

from daemon.wire import frames as f
from daemon.wire import headers as h
from daemon.wire.call import Call, CallFailed, Dialogue, Endpoint, Status, Way
from daemon.wire.conduct import Conduct
from daemon.wire.frames import Broken, Code
from daemon.wire.messages import GZIP, IDENTITY, TooLarge, length_of, message_in
from daemon.wire.refusals import NO_GRPC_BYTES, refusal, refuse
from daemon.wire.running import Running
from daemon.wire.sending import Sending

MAX_CALLS = 500
_RESET_COSTS = 5
_ROUNDS = 6  # of the server, that a request may take to come


class Host(Protocol):
    """What the calls of all connections have in common."""

    largest: int  # bytes of a message

    def endpoint(self, path: str) -> Endpoint | None:
        """Who answers."""
        ...

    def unknown(self, path: str) -> Endpoint:
        """Who answers for what nobody knows."""
        ...

    def too_large(self, size: int) -> CallFailed:
        """How a call ends whose message has so many bytes."""
        ...


class Calls:
    """`window` is what a client may send of a call before it is told that there is more room."""

    def __init__(
        self, host: Host, way: Way, sending: Sending, running: Running, conduct: Conduct
    ) -> None:
        self._host = host
        self._way = way
        self._sending = sending
        self._running = running
        self._conduct = conduct
        self._reader = h.Reader()
        self._open = running.open
        self.window = host.largest + f.WINDOW
        self.last = 0  # the highest stream of the client
        self.leaving = False  # no new ones
        self.taken = 0  # bytes that came and that the client has not been told to be taken

    # -- headers

    def headers(self, flags: int, number: int, block: bytes) -> None:
        """A new call, or the end of what a client says. Raises Broken and Unreadable."""
        if number <= self.last:
            self._trailers(flags, number, block)
            return
        self.last = number
        try:
            request = self._reader.request(block)
        except h.Malformed:
            self._running.reset(number, Code.PROTOCOL_ERROR)
            return
        if self.leaving or self._running.count >= MAX_CALLS:
            self._conduct.costs()
            self._running.reset(number, Code.REFUSED_STREAM)
            return
        found = self._host.endpoint(request.path)
        endpoint = found or self._host.unknown(request.path)
        call = Call(
            self._way, number, request.path, request.metadata, endpoint,
            self._sending.stream_room, self.window,
        )  # fmt: skip
        call.encoding, call.length = request.encoding, request.length
        call.whole, call.refusal = bool(flags & f.END_STREAM), refusal(request)
        self._running.add(call, request.timeout)
        if call.refusal:
            call.deaf = True
            if call.whole:
                self._whole(call)
        elif request.fault:
            self._running.fail(call, Status.INVALID_ARGUMENT, request.fault)
        elif request.encoding not in (IDENTITY, GZIP):
            words = f"grpc-encoding {request.encoding}: only identity and gzip are read"
            self._running.fail(call, Status.UNIMPLEMENTED, words)
        elif found is None or isinstance(endpoint, Dialogue):
            call.deaf = found is None
            self._running.start(call)
        elif call.whole:
            self._whole(call)

    def _trailers(self, flags: int, number: int, block: bytes) -> None:
        fine = bool(flags & f.END_STREAM)
        try:
            self._reader.trailers(block)
        except h.Malformed:
            fine = False
        call = self._open.get(number)
        if call is None or call.whole:
            if number not in self._running.resets:
                raise Broken(Code.STREAM_CLOSED, f"stream {number} has ended")
            self._conduct.costs()
        elif not fine:
            self._broken(call, Code.PROTOCOL_ERROR)
        else:
            call.whole = True
            self._whole(call)

    # -- messages

    def data(self, flags: int, number: int, payload: bytes) -> None:
        """Raises Broken."""
        size = len(payload)
        self.taken += size
        if flags & f.PADDED:
            payload = f.unpadded(flags, payload)
        call = self._open.get(number)
        if call is None or call.whole:
            self._late(number, call)
            return
        call.allowed -= size
        if call.allowed < 0:
            self._broken(call, Code.FLOW_CONTROL_ERROR)
            return
        if len(payload) != size:
            self._give_back(call, size - len(payload))
        call.got += len(payload)
        if flags & f.END_STREAM:
            call.whole = True
        elif not payload:
            self._conduct.costs()
        if not call.deaf and call.trailers is None:
            call.received += payload
            self._running.hold(call, len(payload))
            if call.trailers is None:
                self._look(call)
        if call.whole or (call.refusal and call.got > NO_GRPC_BYTES):
            self._whole(call)

    def _look(self, call: Call) -> None:
        """Whether what came can be a call's only message, before the call is whole."""
        if isinstance(call.endpoint, Dialogue):
            if call.news is not None and not call.news.done():
                call.news.set_result(None)
            return
        if not call.wanted:
            try:
                call.wanted = length_of(call.received, self._host.largest)
            except TooLarge as error:
                self._running.end(call, self._host.too_large(error.size))
                return
        if call.wanted and len(call.received) > call.wanted:
            self._running.fail(call, Status.UNIMPLEMENTED, "this method takes one message")

    def _whole(self, call: Call) -> None:
        """Everything is said."""
        if call.length is not None and call.whole and call.length != call.got:
            self._broken(call, Code.PROTOCOL_ERROR)
        elif call.trailers is not None or call.begun:
            if call.news is not None and not call.news.done():
                call.news.set_result(None)
        elif call.refusal:
            refuse(self._sending, call)
        elif not call.deaf and not isinstance(call.endpoint, Dialogue):
            if not call.wanted or len(call.received) < call.wanted:
                words = "the call has no whole message"
                self._running.fail(call, Status.INVALID_ARGUMENT, words)
            else:
                self._running.start(call)

    def next_message(self, call: Call) -> bytes | None:
        """Of a dialogue; the client may send as much again. Raises CallFailed."""
        before = len(call.received)
        try:
            message = message_in(call.received, self._host.largest, call.encoding)
        except TooLarge as error:
            raise self._host.too_large(error.size) from None
        finally:
            taken = before - len(call.received)
            self._running.unhold(call, taken)
        if taken:
            self._give_back(call, taken)
        return message

    def _give_back(self, call: Call, size: int) -> None:
        call.owed += size
        if not call.whole and call.owed >= min(self.window // 4, f.WINDOW):
            self._sending.write(f.window_update(call.number, call.owed))
            call.allowed += call.owed
            call.owed = 0

    def _late(self, number: int, call: Call | None) -> None:
        """Data for a stream that has ended, or has not begun."""
        if number > self.last or not number % 2:
            raise Broken(Code.PROTOCOL_ERROR, f"stream {number} has not begun")
        self._conduct.costs()
        if call is not None:
            self._broken(call, Code.STREAM_CLOSED)
        elif number not in self._running.resets:
            self._running.reset(number, Code.STREAM_CLOSED)

    # -- the rest

    def rst_stream(self, flags: int, number: int, payload: bytes) -> None:
        """The client has lost interest. Raises Broken."""
        f.number(payload, "RST_STREAM")
        self.begun(number)
        call = self._open.get(number)
        self._conduct.costs(1 if call is None else _RESET_COSTS)
        if call is not None:
            self._running.forget(call)

    def more_room(self, number: int, more: int) -> None:
        """The client takes more of a stream. Raises Broken."""
        call = self._open.get(number)
        if call is None:
            self.begun(number)
        elif (wrong := self._sending.more_stream_room(call, more)) is not None:
            self._broken(call, wrong)

    def begun(self, number: int) -> None:
        """Raises Broken for a stream that never was."""
        if number > self.last or not number % 2:
            raise Broken(Code.PROTOCOL_ERROR, f"stream {number} has not begun")

    def look_around(self) -> None:
        """Ends requests that do not come to their end."""
        for call in list(self._open.values()):
            if not call.whole and not call.begun and call.trailers is None:
                call.rounds += 1
                if call.rounds > _ROUNDS:
                    self._running.fail(call, Status.DEADLINE_EXCEEDED, "the request did not come")

    def close(self) -> None:
        """Ends all."""
        self._running.close()

    def _broken(self, call: Call, code: Code) -> None:
        self._running.reset(call.number, code)
        self._running.forget(call)
