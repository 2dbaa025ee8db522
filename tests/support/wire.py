"""A server of daemon/wire with methods for tests, and clients that speak to it in frames."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h2.config
import h2.connection
import h2.events
import h2.settings

from daemon.wire.call import Call, CallFailed, Dialogue, Endpoint, Status, Stream, Unary
from daemon.wire.server import Server

LARGEST = 1 << 20
PATIENCE = 30.0  # float: seconds, for a machine that is busy
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITISED = 4, 8, 32


def too_large(size: int) -> CallFailed:
    return CallFailed(Status.RESOURCE_EXHAUSTED, f"{size} bytes are too many")


def unknown(path: str) -> Endpoint:
    async def refuse(raw: bytes, call: Call) -> bytes:
        raise CallFailed(Status.UNIMPLEMENTED, f"no method {path}")

    return Unary(refuse)


class Methods:
    """What a test's server has, and what became of it."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.sent = 0
        self.seen: list[Call] = []
        self.free = asyncio.Event()  # lets `hold` and `stubborn` go on

    def endpoints(self) -> dict[str, Endpoint]:
        return {
            "/t/Echo": Unary(self.echo),
            "/t/Bytes": Unary(self.bytes_),
            "/t/Hold": Unary(self.hold),
            "/t/Fail": Unary(self.fail),
            "/t/Stubborn": Unary(self.stubborn),
            "/t/Count": Stream(self.count),
            "/t/Flood": Stream(self.flood),
            "/t/Talk": Dialogue(self.talk),
            "/t/Listen": Dialogue(self.listen),
        }

    async def echo(self, raw: bytes, call: Call) -> bytes:
        self.seen.append(call)
        return raw

    async def bytes_(self, raw: bytes, call: Call) -> bytes:
        """So many as the request says."""
        return bytes(int(raw))

    async def hold(self, raw: bytes, call: Call) -> bytes:
        self.begun += 1
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return raw

    async def stubborn(self, raw: bytes, call: Call) -> bytes:
        """Does not listen when it is cancelled."""
        self.begun += 1
        while not self.free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.free.wait()
        return raw

    async def fail(self, raw: bytes, call: Call) -> bytes:
        """As its request says."""
        error: BaseException = {
            b"bug": KeyError("a bug"),
            b"cancelled": asyncio.CancelledError(),
            b"trailers": CallFailed(
                Status.ABORTED, "100 % ü\n", (("x-bin", b"\x00\xff"), ("x", "text"))
            ),
            b"long": CallFailed(Status.INTERNAL, "ü" * 100_000, (("x-bin", bytes(100_000)),)),
            b"wrong": CallFailed(Status.ABORTED, "\ud800", (("X y", "\r\n"), ("z", "ü"))),
        }[raw]
        raise error

    async def count(self, raw: bytes, call: Call) -> None:
        """ "<messages> <bytes of each>"."""
        messages, size = map(int, raw.split())
        for number in range(messages):
            await call.send(number.to_bytes(4, "big") + bytes(size))

    async def flood(self, raw: bytes, call: Call) -> None:
        """Without end, each so long as the request says."""
        self.begun += 1
        try:
            while True:
                await call.send(bytes(int(raw)))
                self.sent += 1
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def talk(self, call: Call) -> None:
        async for message in call.messages():
            await call.send(message)

    async def listen(self, call: Call) -> None:
        """Hears nothing until it may, then all."""
        await self.free.wait()
        heard = [len(message) async for message in call.messages()]
        await call.send(repr(heard).encode())


class Served:
    """A server on a unix socket."""

    def __init__(self, folder: Path, **bounds: int) -> None:
        self.methods = Methods()
        self.socket = folder / "wire.sock"
        self.target = f"unix:{self.socket}"
        self.server = Server(self.methods.endpoints(), unknown, LARGEST, too_large, **bounds)

    async def __aenter__(self) -> Self:
        await self.server.listen_unix(self.socket)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.methods.free.set()
        await self.server.stop(0)

    def quiet(self) -> bool:
        """Nothing is held of anybody."""
        server = self.server
        return (
            server.held == 0
            and server.unsent == 0
            and all(
                one.running.count == 0 and one.running.held == 0 and one.unsent == 0
                for one in server._connections
            )
        )


async def until(true: Callable[[], object]) -> None:
    """Waits for something to come true."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.002)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def settings(values: Mapping[int, int] | None = None) -> bytes:
    pairs = (values or {}).items()
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *pair) for pair in pairs))


def call_headers(path: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
        ("te", "trailers"), ("content-type", "application/grpc"), *more,
    ]  # fmt: skip


def block(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Headers that need no table; no longer than 126 bytes each."""
    made = b""
    for name, value in pairs:
        made += bytes((0, len(name))) + name.encode() + bytes((len(value),)) + value.encode()
    return made


def message(payload: bytes, compressed: int = 0) -> bytes:
    return bytes((compressed,)) + number(len(payload)) + payload


def request(stream: int, path: str, payload: bytes = b"", *more: tuple[str, str]) -> bytes:
    """A whole unary call."""
    head = frame(HEADERS, END_HEADERS, stream, block(call_headers(path, *more)))
    data = message(payload)
    parts = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]
    last = len(parts) - 1
    return head + b"".join(
        frame(DATA, END_STREAM if at == last else 0, stream, part) for at, part in enumerate(parts)
    )


class Raw:
    """A client that says what a test tells it to, right or wrong."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames: list[tuple[int, int, int, bytes]] = []

    @classmethod
    async def to(cls, served: Served, greeting: bytes | None = None, limit: int = 1 << 16) -> "Raw":
        reader, writer = await asyncio.open_unix_connection(str(served.socket), limit=limit)
        raw = cls(reader, writer)
        raw.say(PREFACE + settings() if greeting is None else greeting)
        return raw

    def say(self, *data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.writer.write(b"".join(data))

    async def next(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream, payload. Raises IncompleteReadError at the end."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readexactly(9)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        found = head[3], head[4], int.from_bytes(head[5:], "big"), payload
        self.frames.append(found)
        return found

    async def find(self, kind: int, stream: int | None = None, flags: int = 0) -> bytes:
        """The payload of the next such frame."""
        while True:
            found, its_flags, its_stream, payload = await self.next()
            if found == kind and stream in (None, its_stream) and its_flags & flags == flags:
                return payload

    async def ended(self) -> int:
        """The code of the connection's end."""
        code = -1
        try:
            while True:
                kind, _, _, payload = await self.next()
                if kind == GOAWAY:
                    code = int.from_bytes(payload[4:8], "big")
        except (asyncio.IncompleteReadError, ConnectionError):
            return code

    async def reset(self, stream: int) -> int:
        """The code of a stream's end."""
        return int.from_bytes(await self.find(RST_STREAM, stream), "big")

    async def synchronised(self) -> None:
        """Until the server has read all that was said."""
        self.say(frame(PING, 0, 0, b"are here"))
        while await self.find(PING, 0, ACK) != b"are here":
            pass

    async def status(self, stream: int) -> str:
        """grpc-status of a call whose end has the server's plain literals."""
        ending = await self.find(HEADERS, stream, END_STREAM)
        at = ending.index(b"grpc-status") + len(b"grpc-status")
        return ending[at + 1 : at + 1 + ending[at]].decode()

    def close(self) -> None:
        self.writer.transport.abort()


class Polite:
    """A client by the `h2` library, which complains of whatever is not as it has to be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.events: list[h2.events.Event] = []
        self.give_back = True  # what was read

    @classmethod
    async def to(cls, served: Served, window: int | None = None) -> "Polite":
        reader, writer = await asyncio.open_unix_connection(str(served.socket))
        return await cls(reader, writer).greet(window)

    async def greet(self, window: int | None = None) -> "Polite":
        if window is not None:
            self.h2.local_settings.initial_window_size = window
            self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        await self.flush()
        return self

    async def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())
        await self._writer.drain()

    async def begin(self, path: str, *more: tuple[str, str], end: bool = False) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, call_headers(path, *more), end_stream=end)
        await self.flush()
        return int(stream)

    async def data(
        self, stream: int, data: bytes, end: bool = False, pad: int | None = None
    ) -> None:
        """As fast as the server has room."""
        at = 0
        while at < len(data) or (end and not data):
            extra = 0 if pad is None else pad + 1
            room = (
                min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                - extra
            )
            if room <= 0 and data:
                await self.listen()
                continue
            part = data[at : at + room]
            at += len(part)
            self.h2.send_data(stream, part, end and at >= len(data), pad_length=pad)
            await self.flush()
            if not data:
                return

    async def listen(self) -> None:
        """Takes what the server says next. Raises EOFError."""
        async with asyncio.timeout(PATIENCE):
            data = await self._reader.read(1 << 16)
        if not data:
            raise EOFError
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, h2.events.DataReceived) and self.give_back:
                size = event.flow_controlled_length
                if size:
                    self.h2.acknowledge_received_data(size, event.stream_id)
        await self.flush()

    async def answer(self, stream: int) -> tuple[bytes, dict[str, str]]:
        """All data of a stream and its trailers, when it has ended."""
        while not any(
            isinstance(event, h2.events.StreamEnded | h2.events.StreamReset)
            and event.stream_id == stream
            for event in self.events
        ):
            await self.listen()
        return self.got(stream), self.ending(stream)

    def got(self, stream: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream
        )

    def ending(self, stream: int) -> dict[str, str]:
        found: dict[str, str] = {}
        for event in self.events:
            kinds = h2.events.ResponseReceived | h2.events.TrailersReceived
            if isinstance(event, kinds) and event.stream_id == stream:
                found |= {str(name): str(value) for name, value in event.headers or ()}
        return found

    async def call(self, path: str, payload: bytes = b"", *more: tuple[str, str]) -> Any:
        """A unary call."""
        stream = await self.begin(path, *more)
        await self.data(stream, message(payload), end=True)
        return await self.answer(stream)

    def close(self) -> None:
        self._writer.transport.abort()


def trusting(**more: Any) -> ssl.SSLContext:
    """A client's context that trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
