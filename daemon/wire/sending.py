"""What goes out on one connection: in frames, as far as the client and the transport have room.

What has no room waits, by call; calls that wait take turns, so that a long answer does not keep
short ones. All that waits is counted, of a connection and of all.

https://www.rfc-editor.org/rfc/rfc9113#section-5.2
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from daemon.wire import frames as f
from daemon.wire import headers as h
from daemon.wire.call import Call
from daemon.wire.frames import Broken, Code
from daemon.wire.messages import framed

TRANSPORT_BYTES = 262_144  # that wait in the transport, before calls do
_UNREAD_BYTES = 4 << 20  # in the transport, of what is no call's: who asks and never reads
_FRAME_BYTES = 65_536  # however large the client takes them
_PART = 65_536  # bytes of one call, before it is another's turn


class Host(Protocol):
    """What ways out have in common."""

    unsent: int  # bytes, of all connections

    def unsent_more(self) -> None:
        """More waits than before; may end a connection."""
        ...


class Sending:
    """`sent` is told when the last byte of a call is on its way; to be set before there is one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.sent: Callable[[Call], None] = _nobody
        self._transport: asyncio.Transport
        self._room = f.WINDOW  # bytes that the client takes on all streams
        self.stream_room = f.WINDOW  # and on a new one
        self._frame_bytes = f.FRAME_BYTES
        self._line: dict[Call, None] = {}  # wait for room that is not their own, in their turn
        self._blocked: set[Call] = set()  # whose handlers wait
        self._gone = False
        self.full = False  # the transport has enough
        self.unsent = 0  # bytes that wait

    def open(self, transport: asyncio.Transport) -> None:
        """Where it goes."""
        self._transport = transport
        transport.set_write_buffer_limits(high=TRANSPORT_BYTES)

    def close(self) -> None:
        """Nothing goes out any more; calls are dropped by who opened them."""
        self._gone, self.full = True, False
        self._line.clear()
        for call in self._blocked:
            wake(call)
        self.sent = _nobody

    def write(self, data: bytes) -> None:
        """As it is."""
        if self._gone:
            return
        self._transport.write(data)
        if self.full and self._transport.get_write_buffer_size() > _UNREAD_BYTES:
            self._transport.abort()

    # -- calls

    def answer(self, call: Call, message: bytes) -> None:
        """The whole response of a unary call, in one piece where there is room."""
        size = len(message) + 5
        if size > self._room or size > call.room or size > self._frame_bytes or self.full:
            self.message(call, message)
            if call.trailers is None:
                self.end(call, h.GOOD)
            return
        number = call.number
        self._room -= size
        self.write(
            b"".join((
                _RESPONSE_HEAD, number.to_bytes(4, "big"), h.RESPONSE,
                f.HEAD.pack(size >> 8, size & 0xFF, f.DATA, 0, number),
                b"\x00", len(message).to_bytes(4, "big"), message,
                _GOOD_HEAD, number.to_bytes(4, "big"), h.GOOD,
            ))
        )  # fmt: skip
        call.started, call.trailers = True, h.GOOD
        self.sent(call)

    def message(self, call: Call, message: bytes) -> None:
        """Sends what there is room for; the rest follows. The call is not over."""
        self.data(call, framed(message), h.RESPONSE)

    def data(self, call: Call, data: bytes, head: bytes) -> None:
        """The same, of bytes; before the first comes the response's `head`."""
        if not call.started:
            call.started = True
            self.write(f.frame(f.HEADERS, f.END_HEADERS, call.number, head))
        size = len(data)
        if (
            not call.out
            and not self.full
            and size <= self._room
            and size <= call.room
            and size <= self._frame_bytes
        ):
            self._room -= size
            call.room -= size
            self.write(f.frame(f.DATA, 0, call.number, data))
            return
        call.out += data
        self.unsent += size
        self._host.unsent += size
        if call.room > 0:
            self._line[call] = None
            self._flush()
        self._host.unsent_more()

    def end(self, call: Call, block: bytes) -> None:
        """Ends the response after what waits; an empty block is no trailers."""
        call.trailers = block
        if not call.out:
            self.write(self._ending(call))
            self.sent(call)

    def drop(self, call: Call) -> None:
        """Nothing of it goes out any more."""
        self.unsent -= len(call.out)
        self._host.unsent -= len(call.out)
        call.out.clear()
        self._line.pop(call, None)
        wake(call)

    async def wait_for_room(self, call: Call) -> None:
        """Until something may have changed."""
        future = asyncio.get_running_loop().create_future()
        call.waiting.append(future)
        self._blocked.add(call)
        try:
            await future
        finally:
            call.waiting.remove(future)
            if not call.waiting:
                self._blocked.discard(call)

    # -- room

    def more_room(self, more: int) -> None:
        """The client takes so many bytes more. Raises Broken."""
        self._room += more
        if not more or self._room > f.LARGEST_WINDOW:
            code = Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR
            raise Broken(code, "the window is too large, or does not grow")
        self._flush()

    def more_stream_room(self, call: Call, more: int) -> Code | None:
        """The same of a call; what is wrong with it, if anything."""
        call.room += more
        if not more:
            return Code.PROTOCOL_ERROR
        if call.room > f.LARGEST_WINDOW:
            return Code.FLOW_CONTROL_ERROR
        if call.out and call.room > 0:
            self._line[call] = None
            self._flush()
        return None

    def set_stream_room(self, room: int, calls: list[Call]) -> None:
        """What the client takes on a new stream; those that are open change by as much. Raises
        Broken."""
        more, self.stream_room = room - self.stream_room, room
        for call in calls:
            call.room += more
            if call.room > f.LARGEST_WINDOW:
                raise Broken(Code.FLOW_CONTROL_ERROR, "the window is too large")
            if call.out and call.room > 0:
                self._line[call] = None
            else:
                self._line.pop(call, None)
        self._flush()

    def set_frame_bytes(self, size: int) -> None:
        """The largest frame that the client takes. Raises Broken."""
        if not f.FRAME_BYTES <= size <= f.LARGEST_FRAME_BYTES:
            raise Broken(Code.PROTOCOL_ERROR, "no size of a frame")
        self._frame_bytes = min(size, _FRAME_BYTES)

    def pause(self) -> None:
        """The transport has enough."""
        self.full = True

    def resume(self) -> None:
        """The transport takes more."""
        self.full = False
        self._flush()
        for call in self._blocked:
            if not call.out:
                wake(call)

    def _flush(self) -> None:
        line = self._line
        while line and self._room > 0 and not self.full and not self._gone:
            call = next(iter(line))
            del line[call]
            self._part(call)
            if call.out and call.room > 0:
                line[call] = None

    def _part(self, call: Call) -> None:
        out, at = call.out, 0
        size = min(len(out), self._room, call.room, _PART)
        parts: list[bytes | bytearray] = []
        while at < size:
            end = min(at + self._frame_bytes, size)
            parts += (
                f.HEAD.pack(end - at >> 8, end - at & 0xFF, f.DATA, 0, call.number),
                out[at:end],
            )
            at = end
        del out[:size]
        self._room -= size
        call.room -= size
        self.unsent -= size
        self._host.unsent -= size
        if out:
            self.write(b"".join(parts))
        elif call.trailers is None:
            self.write(b"".join(parts))
            wake(call)
        else:
            self.write(b"".join((*parts, self._ending(call))))
            self.sent(call)

    def _ending(self, call: Call) -> bytes:
        block, number = call.trailers or b"", call.number
        if not block:
            return f.frame(f.DATA, f.END_STREAM, number)
        if not call.started:  # a response that is nothing but an end has one block of headers
            block, call.started = h.RESPONSE + block, True
        if len(block) <= f.FRAME_BYTES:
            return f.frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, number, block)
        parts = [block[at : at + f.FRAME_BYTES] for at in range(0, len(block), f.FRAME_BYTES)]
        last = f.frame(f.CONTINUATION, f.END_HEADERS, number, parts.pop())
        first = f.frame(f.HEADERS, f.END_STREAM, number, parts.pop(0))
        return first + b"".join(f.frame(f.CONTINUATION, 0, number, part) for part in parts) + last


_RESPONSE_HEAD = f.HEAD.pack(0, len(h.RESPONSE), f.HEADERS, f.END_HEADERS, 0)[:5]
_GOOD_HEAD = f.HEAD.pack(0, len(h.GOOD), f.HEADERS, f.END_HEADERS | f.END_STREAM, 0)[:5]


def _nobody(call: Call) -> None:
    pass


def wake(call: Call) -> None:
    """Those who wait for room look again."""
    for future in call.waiting:
        if not future.done():
            future.set_result(None)
