"""What a client sends, cut into frames.

Each frame goes to who takes its kind. Whoever sends much is read in turns: what is left waits until
the loop has looked after the others.

https://www.rfc-editor.org/rfc/rfc9113#section-3.4, #section-4 and #section-4.3
"""

import time
from collections.abc import Callable, Mapping

from daemon.wire import frames as f
from daemon.wire.frames import Broken, Code

_BLOCK_BYTES = 32_768  # of one call's headers as they travel
_BLOCK_FRAMES = 64
_FRAMES_A_LOOK = 64  # at the clock
_TURN = 0.005  # float: seconds
_HTTP_1 = b" HTTP/1."  # in the first line of a request

Take = Callable[[int, int, bytes], None]  # flags, stream, payload


class NotHttp2(Exception):
    """The client began with something else: with HTTP/1 if `http_1`."""

    def __init__(self, http_1: bool) -> None:
        super().__init__("not HTTP/2")
        self.http_1 = http_1


class Reading:
    """`take` has a function for each kind of frame, `headers` takes a whole block of headers,
    `other` a frame of a kind that nobody knows. All may raise Broken."""

    def __init__(self, take: Mapping[int, Take], headers: Take, other: Callable[[], None]) -> None:
        self._take = {
            **take,
            f.HEADERS: self._begin,
            f.CONTINUATION: self._continuation,
        }
        self._headers = headers
        self._other = other
        self._rest = b""  # of a frame, or what waits for its turn
        self._block: tuple[int, int, bytearray] | None = None  # headers that go on
        self._parts = 0
        self.greeted = False
        self.stopped = False  # what comes is not looked at

    def feed(self, data: bytes) -> bool:
        """Handles whole frames; False when there are more than a turn takes: then feed nothing.
        Raises Broken and NotHttp2."""
        if self.stopped:
            return True
        if self._rest:
            data, self._rest = self._rest + data, b""
        at = 0
        if not self.greeted:
            at = self._greet(data)
            if not at:
                self._rest = data
                return True
        return self._frames(data, at)

    def stop(self) -> None:
        """Nothing is taken any more, and nobody held."""
        self.stopped = True
        self._rest, self._block = b"", None
        self._take = {}
        self._headers, self._other = _nobody, _nothing

    def _greet(self, data: bytes) -> int:
        """Where the client's first frame begins, its settings; 0 while it is not there."""
        start = data[: len(f.PREFACE)]
        if not f.PREFACE.startswith(start):
            raise NotHttp2(_HTTP_1 in data)
        at = len(f.PREFACE)
        if len(data) < at + f.HEAD_BYTES:
            return 0
        kind, flags = f.HEAD.unpack_from(data, at)[2:4]
        if kind != f.SETTINGS or flags & f.ACK:
            raise Broken(Code.PROTOCOL_ERROR, "a client begins with its settings")
        self.greeted = True
        return at

    def _frames(self, data: bytes, at: int) -> bool:
        end, look, until = len(data), _FRAMES_A_LOOK, 0.0  # float: seconds
        unpack, take = f.HEAD.unpack_from, self._take
        while at + f.HEAD_BYTES <= end:
            upper, lower, kind, flags, number = unpack(data, at)
            size = upper << 8 | lower
            if size > f.FRAME_BYTES:
                raise Broken(Code.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            start = at + f.HEAD_BYTES
            if start + size > end:
                break
            at = start + size
            if self._block is not None and kind != f.CONTINUATION:
                raise Broken(Code.PROTOCOL_ERROR, "headers were not continued")
            taker = take.get(kind)
            if taker is None:
                self._other()
            else:
                taker(flags, number & f.LARGEST_WINDOW, data[start:at])
            if self.stopped:
                return True
            look -= 1
            if not look:
                now, look = time.perf_counter(), _FRAMES_A_LOOK
                if not until:
                    until = now + _TURN
                elif now > until:
                    self._rest = data[at:]
                    return False
        self._rest = data[at:]
        return True

    def _begin(self, flags: int, number: int, payload: bytes) -> None:
        payload = f.unprioritised(flags, number, f.unpadded(flags, payload))
        if not number % 2:
            raise Broken(Code.PROTOCOL_ERROR, f"stream {number} is not a client's")
        if flags & f.END_HEADERS:
            self._headers(flags, number, payload)
        else:
            self._block, self._parts = (number, flags, bytearray(payload)), 0

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != number:
            raise Broken(Code.PROTOCOL_ERROR, "there is nothing to be continued")
        _, first, block = self._block
        block += payload
        self._parts += 1
        if len(block) > _BLOCK_BYTES or self._parts > _BLOCK_FRAMES:
            raise Broken(Code.ENHANCE_YOUR_CALM, "too many headers")
        if flags & f.END_HEADERS:
            self._block = None
            self._headers(first, number, bytes(block))


def _nobody(flags: int, number: int, payload: bytes) -> None:
    pass


def _nothing() -> None:
    pass
