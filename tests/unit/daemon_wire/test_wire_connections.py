"""One connection without a socket: whatever a client does, in whatever order, nothing is lost,
nothing is counted that is not there, and nothing is sent that there is no room for. The `h2`
library is the client, and complains of what is not as the protocol has it."""

import asyncio
import gc
import weakref
from contextlib import suppress
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.wire.call import Call
from daemon.wire.connection import Connection
from daemon.wire.peers import Peer
from daemon.wire.server import Server
from tests.support.wire import LARGEST, Methods, call_headers, message, too_large, unknown

HIGH = 40_000
PATHS = ("/t/Echo", "/t/Bytes", "/t/Hold", "/t/Count", "/t/Talk", "/t/None", "/t/Fail")
PAYLOADS = {"/t/Bytes": b"90000", "/t/Count": b"7 9000", "/t/Fail": b"bug"}


class Pipe:
    """A transport that hands on what it is told to."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.waits = bytearray()
        self.full = self.closed = False

    def get_extra_info(self, name: str) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return len(self.waits)

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def write(self, data: bytes) -> None:
        self.waits += data
        if len(self.waits) > HIGH and not self.full:
            self.full = True
            self.protocol.pause_writing()

    def read(self, size: int) -> bytes:
        found = bytes(self.waits[:size])
        del self.waits[:size]
        if self.full and len(self.waits) < HIGH // 4:
            self.full = False
            self.protocol.resume_writing()
        return found

    def close(self) -> None:
        self.closed = True

    abort = close


class Bench:
    """Server, connection and client."""

    def __init__(self) -> None:
        self.methods = Methods()
        self.server = Server(self.methods.endpoints(), unknown, LARGEST, too_large)
        self.pipe = Pipe()
        self.connection = Connection(self.server, self.server, Peer("p", "s"))
        self.pipe.protocol = self.connection
        self.connection.connection_made(self.pipe)  # type: ignore[arg-type]
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.streams: dict[int, str] = {}
        self.said: dict[int, bytearray] = {}  # what is still to be said
        self.gone: set[int] = set()  # that the client reset
        self.data: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.say()
        # The library takes the first acknowledgement for one of all that it has said by then.
        self.hear(1 << 30)

    def say(self) -> None:
        self.connection.data_received(self.h2.data_to_send())

    def hear(self, size: int) -> None:
        for event in self.h2.receive_data(self.pipe.read(size)):
            stream: Any = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.DataReceived):
                self.data[stream] += event.data
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(stream)
            assert not isinstance(event, h2.events.ConnectionTerminated), event
            if isinstance(event, h2.events.StreamReset):
                assert event.error_code == 0 or stream in self.gone, event
                self.ended.add(stream)
        self.say()

    def begin(self, path: str) -> None:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, call_headers(path))
        self.streams[stream], self.data[stream] = path, bytearray()
        self.said[stream] = bytearray(message(PAYLOADS.get(path, b"x" * 3_000)))
        self.say()

    def go_on(self, stream: int, size: int) -> None:
        """Says more of a call, and its end."""
        left = self.said.get(stream)
        if left is None or stream in self.ended or stream in self.gone:
            return
        room = min(size, self.h2.local_flow_control_window(stream), 16_384)
        part = bytes(left[:room])
        del left[:room]
        self.h2.send_data(stream, part, end_stream=not left)
        if not left:
            del self.said[stream]
        self.say()

    def reset(self, stream: int) -> None:
        if stream in self.ended or stream in self.gone:
            return
        self.gone.add(stream)
        self.h2.reset_stream(stream, 8)
        self.say()

    def give(self, stream: int | None, size: int) -> None:
        if stream in self.ended or stream in self.gone:
            return
        self.h2.increment_flow_control_window(size, stream)
        self.say()

    def counts_are_right(self) -> None:
        running = self.connection.running
        calls = {*running.open.values(), *running._lingering}
        held = sum(call.held for call in calls)
        unsent = sum(len(call.out) for call in calls)
        assert (self.server.held, running.held) == (held, held)
        assert (self.server.unsent, self.connection.unsent) == (unsent, unsent)
        for call in running.open.values():
            assert call.held >= len(call.received)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from(PATHS), st.just(0)),
        st.tuples(st.just("go_on"), st.integers(0, 5), st.integers(1, 5_000)),
        st.tuples(st.just("reset"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("give"), st.integers(-1, 5), st.integers(1, 50_000)),
        st.tuples(st.just("window"), st.integers(0, 70_000), st.just(0)),
        st.tuples(st.just("hear"), st.integers(1, 60_000), st.just(0)),
        st.tuples(st.just("turns"), st.integers(1, 6), st.just(0)),
        st.tuples(st.just("free"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


async def played(bench: Bench, steps: list[tuple[str, Any, int]]) -> None:
    for what, which, size in steps:
        streams = list(bench.streams)
        if what in {"go_on", "reset", "give"}:
            if which >= len(streams):
                continue
            stream = None if which < 0 else streams[-1 - which]
            with suppress(h2.exceptions.ProtocolError):  # what the library would not do
                getattr(bench, what)(stream, *([size] if what != "reset" else []))
        elif what == "begin":
            bench.begin(which)
        elif what == "window":
            bench.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: which})
            bench.say()
        elif what == "hear":
            bench.hear(which)
        elif what == "turns":
            await turns(which)
        else:
            bench.methods.free.set()
        bench.counts_are_right()


async def finished(bench: Bench) -> None:
    """Says what is left, gives all the room there is, and hears to the end."""
    bench.methods.free.set()
    bench.hear(1 << 30)
    for stream in list(bench.said):
        while stream in bench.said and stream not in bench.ended | bench.gone:
            bench.go_on(stream, 1 << 20)
    bench.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
    bench.h2.increment_flow_control_window(1 << 24)
    bench.say()
    for _ in range(400):
        bench.hear(1 << 30)
        await turns(2)
        bench.counts_are_right()
        if bench.ended | bench.gone == set(bench.streams):
            return


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_every_call_comes_to_its_end_and_nothing_is_left(
    steps: list[tuple[str, Any, int]],
) -> None:
    async def example() -> None:
        bench = Bench()
        await played(bench, steps)
        await finished(bench)
        await turns(5)
        assert bench.ended | bench.gone == set(bench.streams)
        assert bench.connection.running.count == 0
        assert (bench.server.held, bench.server.unsent) == (0, 0)
        for stream, path in bench.streams.items():
            if stream in bench.gone:
                continue
            got = bytes(bench.data[stream])
            if path in {"/t/Echo", "/t/Hold", "/t/Talk"}:
                assert got == message(b"x" * 3_000)
            elif path == "/t/Bytes":
                assert got == message(bytes(90_000))
            elif path == "/t/Count":
                parts = [message(n.to_bytes(4, "big") + bytes(9_000)) for n in range(7)]
                assert got == b"".join(parts)
            else:
                assert got == b""

    asyncio.run(example())


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_a_client_that_vanishes_leaves_nothing(steps: list[tuple[str, Any, int]]) -> None:
    async def example() -> None:
        bench = Bench()
        await played(bench, steps)
        connection = weakref.ref(bench.connection)
        tasks = bench.connection.running.tasks()
        bench.connection.connection_lost(None)
        if tasks:
            await asyncio.wait(tasks, timeout=30)
        await turns(20)
        assert (bench.server.held, bench.server.unsent) == (0, 0)
        assert not bench.server._in_line
        assert not bench.server._connections
        assert bench.connection.running.count == 0
        bench.methods.seen.clear()
        del bench.connection, bench.pipe.protocol, tasks
        gc.collect()
        assert connection() is None
        assert not [one for one in gc.get_objects() if type(one) is Call]

    gc.freeze()  # what is older is none of it
    try:
        asyncio.run(example())
    finally:
        gc.unfreeze()
