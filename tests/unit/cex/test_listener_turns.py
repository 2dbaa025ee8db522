"""A websocket that always has more to say must not keep everybody else from being served."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from picows import WSMsgType

from cex.engine.listener import TURN, Listener


@dataclass
class FakeSocket:
    """The transport under the websocket."""

    reading: bool = True
    closing: bool = False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing


@dataclass
class FakeTransport:
    underlying_transport: FakeSocket = field(default_factory=FakeSocket)
    pongs: list[bytes] = field(default_factory=list)

    def send_pong(self, payload: bytes) -> None:
        self.pongs.append(payload)


@dataclass
class FakeFrame:
    payload: bytes
    msg_type: WSMsgType = WSMsgType.TEXT
    fin: bool = True

    def get_payload_as_bytes(self) -> bytes:
        return self.payload


class Heard:
    """Keeps what it receives; time moves with each look."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.heard = 0
        self.reason = ""
        self.frames: list[tuple[bytes, bool]] = []
        self.times: list[int] = []
        self._time = 0
        self.now: Callable[[], int] = self._tick
        self.monotonic: Callable[[], int] = self._tick

    def _tick(self) -> int:
        self._time += 1
        return self._time

    def receive(self, payload: bytes, binary: bool, received: int) -> None:
        self.frames.append((payload, binary))
        self.times.append(received)


def numbered(count: int) -> list[FakeFrame]:
    return [FakeFrame(b"%d" % number) for number in range(count)]


def feed(listener: Listener, transport: FakeTransport, frames: list[FakeFrame]) -> None:
    one: Any = listener
    for frame in frames:
        one.on_ws_frame(transport, frame)


async def test_one_read_is_handled_in_turns_and_in_order() -> None:
    heard, transport = Heard(), FakeTransport()
    listener = Listener(heard)
    feed(listener, transport, numbered(3 * TURN + 10))
    # Nothing beyond a turn before the event loop had one, and no more is read meanwhile.
    assert len(heard.frames) == TURN
    assert not transport.underlying_transport.reading
    await asyncio.sleep(0)
    assert len(heard.frames) == 2 * TURN
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard.frames == [(b"%d" % number, False) for number in range(3 * TURN + 10)]
    assert heard.times == sorted(heard.times)  # when they came, not when their turn was
    await asyncio.sleep(0)
    assert transport.underlying_transport.reading


async def test_a_calm_connection_is_never_kept_waiting() -> None:
    heard, transport = Heard(), FakeTransport()
    listener = Listener(heard)
    for number in range(3 * TURN):
        feed(listener, transport, [FakeFrame(b"x")])
        assert len(heard.frames) == number + 1
        await asyncio.sleep(0)
    assert transport.underlying_transport.reading


async def test_what_waits_is_heard_before_the_end() -> None:
    heard, transport = Heard(), FakeTransport()
    listener: Any = Listener(heard)
    feed(listener, transport, numbered(5 * TURN))
    transport.underlying_transport.closing = True
    listener.on_ws_disconnected(transport)
    assert len(heard.frames) == 5 * TURN
    await asyncio.sleep(0)  # the turn that was due finds nothing to do
    assert len(heard.frames) == 5 * TURN
    assert not transport.underlying_transport.reading


async def test_fragments_are_one_frame_of_the_first_ones_kind() -> None:
    heard, transport = Heard(), FakeTransport()
    feed(
        Listener(heard),
        transport,
        [
            FakeFrame(b"a", WSMsgType.BINARY, fin=False),
            FakeFrame(b"b", WSMsgType.CONTINUATION, fin=False),
            FakeFrame(b"!", WSMsgType.PING),
            FakeFrame(b"c", WSMsgType.CONTINUATION),
            FakeFrame(b"d"),
        ],
    )
    assert heard.frames == [(b"abc", True), (b"d", False)]
    assert transport.pongs == [b"!"]
