"""Clients that do harm, by frames that no library would send; and what others feel of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.wire import headers as h
from daemon.wire.frames import Code
from tests.support.wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    LARGEST,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Polite,
    Raw,
    Served,
    block,
    call_headers,
    frame,
    message,
    number,
    request,
    settings,
    until,
)  # fmt: skip

CANCEL = number(8)
CALM = Code.ENHANCE_YOUR_CALM
PROTOCOL = Code.PROTOCOL_ERROR
ECHO = block(call_headers("/t/Echo"))
HOLD = block(call_headers("/t/Hold"))
OPEN = frame(HEADERS, END_HEADERS, 1, ECHO)


@contextlib.asynccontextmanager
async def attacked(folder: Path, **bounds: int) -> AsyncIterator[tuple[Served, Raw]]:
    """A server and who attacks it. Somebody else is served before and after."""
    async with Served(folder, **bounds) as served:
        other, raw = await Polite.to(served), await Raw.to(served)
        yield served, raw
        body, _ = await other.call("/t/Echo", b"still here")
        assert body == message(b"still here")
        raw.close()
        other.close()
        served.methods.free.set()
        await until(served.quiet)
        await until(lambda: not served.server._connections)


FLOODS = {
    "rapid_reset": b"".join(
        request(2 * n + 1, "/t/Hold") + frame(RST_STREAM, 0, 2 * n + 1, CANCEL)
        for n in range(3_000)
    ),
    "ping": frame(PING, 0, 0, bytes(8)) * 12_000,
    "ping_answers": frame(PING, 1, 0, bytes(8)) * 12_000,
    "settings": settings() * 12_000,
    "settings_that_change_windows": b"".join(
        [request(2 * n + 1, "/t/Hold") for n in range(400)]
        + [settings({4: n}) for n in range(12_000)]
    ),
    "empty_data": OPEN + frame(DATA, 0, 1) * 12_000,
    "priority": frame(PRIORITY, 0, 1, bytes([0, 0, 0, 3, 0])) * 12_000,
    "unknown_kinds": frame(99, 0, 0) * 12_000,
    "too_many_calls": b"".join(frame(HEADERS, END_HEADERS, 2 * n + 1, HOLD) for n in range(12_000)),
    "data_after_the_end": request(1, "/t/Echo") + frame(DATA, 0, 1, b"x") * 12_000,
    "goaway": frame(GOAWAY, 0, 0, bytes(8)) * 12_000,
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_floods_end_their_connection(tmp_path: Path, flood: str) -> None:
    async with attacked(tmp_path) as (_served, raw):
        raw.say(FLOODS[flood])
        assert await raw.ended() == CALM


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(HEADERS, 0, 1, ECHO) + frame(CONTINUATION, 0, 1) * 1_000, CALM),
        (frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, ECHO * 20) * 40, CALM),
        (frame(HEADERS, END_HEADERS, 1, ECHO + block([("x-y", "z" * 99)] * 140)), CALM),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x0f"), Code.COMPRESSION_ERROR),
        (frame(DATA, 0, 1, b"x"), PROTOCOL),
        (frame(DATA, 0, 2, b"x"), PROTOCOL),
        (frame(RST_STREAM, 0, 1, CANCEL), PROTOCOL),
        (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR),
        (frame(WINDOW_UPDATE, 0, 1, number(1)), PROTOCOL),
        (frame(WINDOW_UPDATE, 0, 0, number(0)), PROTOCOL),
        (frame(WINDOW_UPDATE, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, number(0x7FFFFFFF)), Code.FLOW_CONTROL_ERROR),
        (settings({4: 1 << 31}), Code.FLOW_CONTROL_ERROR),
        (
            OPEN + frame(WINDOW_UPDATE, 0, 1, number(0x7FFFFFFF - 65_535)) + settings({4: 65_536}),
            Code.FLOW_CONTROL_ERROR,
        ),
        (settings({5: 16_383}), PROTOCOL),
        (settings({2: 2}), PROTOCOL),
        (frame(SETTINGS, 0, 1), PROTOCOL),
        (frame(SETTINGS, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR),
        (frame(SETTINGS, 1, 0, bytes(6)), Code.FRAME_SIZE_ERROR),
        (frame(PING, 0, 1, bytes(8)), PROTOCOL),
        (frame(PING, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
        (frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), PROTOCOL),
        (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
        (frame(DATA, 0, 1, bytes(16_385)), Code.FRAME_SIZE_ERROR),
        (OPEN + frame(DATA, PADDED, 1, b"\x01"), PROTOCOL),
        (OPEN + frame(DATA, PADDED, 1), PROTOCOL),
        (request(1, "/t/Echo") + frame(HEADERS, 5, 1, ECHO), Code.STREAM_CLOSED),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(
    tmp_path: Path, said: bytes, code: Code
) -> None:
    async with attacked(tmp_path) as (_served, raw):
        raw.say(said)
        assert await raw.ended() == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (OPEN + frame(WINDOW_UPDATE, 0, 1, number(0)), PROTOCOL),
        (OPEN + frame(WINDOW_UPDATE, 0, 1, number(0x7FFFFFFF)), Code.FLOW_CONTROL_ERROR),
        (OPEN + frame(HEADERS, END_HEADERS, 1, block([("x", "y")])), PROTOCOL),
        (OPEN + frame(HEADERS, 5, 1, block([(":path", "/")])), PROTOCOL),
        (frame(HEADERS, END_HEADERS, 1, block([("x", "y")])), PROTOCOL),
        (request(1, "/t/Echo", b"x", ("content-length", "7")), PROTOCOL),
        (frame(HEADERS, 5, 1, HOLD) + frame(DATA, 0, 1, b"x"), Code.STREAM_CLOSED),
        (request(1, "/t/Hold") + frame(DATA, 0, 1, b"x"), Code.STREAM_CLOSED),
    ],
)
async def test_what_breaks_a_stream_ends_it_alone(tmp_path: Path, said: bytes, code: Code) -> None:
    async with attacked(tmp_path) as (_served, raw):
        raw.say(said, request(3, "/t/Echo"))
        codes: list[int] = []
        while not any(
            kind == HEADERS and flags & END_STREAM and stream == 3
            for kind, flags, stream, _ in raw.frames
        ):
            kind, _, stream, payload = await raw.next()
            assert kind != GOAWAY
            if (kind, stream) == (RST_STREAM, 1):
                codes.append(int.from_bytes(payload, "big"))
        assert codes == [code]


async def test_more_than_there_is_room_for_ends_the_stream(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_served, raw):
        raw.say(frame(HEADERS, END_HEADERS, 1, block(call_headers("/t/Listen"))))
        raw.say(frame(DATA, 0, 1, bytes(16_000)) * (LARGEST // 16_000 + 6))
        assert await raw.reset(1) == Code.FLOW_CONTROL_ERROR


async def test_padding_is_room_that_comes_back(tmp_path: Path) -> None:
    """A message of the largest size, in small pieces with much padding."""
    async with Served(tmp_path) as served:
        client = await Polite.to(served)
        stream = await client.begin("/t/Echo")
        data = message(bytes(LARGEST))
        await client.data(stream, data[:400_000], pad=255)
        for at in range(400_000, 480_000, 40):
            await client.data(stream, data[at : at + 40], pad=200)
        await client.data(stream, data[480_000:], end=True, pad=255)
        body, ending = await client.answer(stream)
        assert (body, ending["grpc-status"]) == (data, "0")
        client.close()


async def test_requests_that_never_end_do_not_keep_others_out(tmp_path: Path) -> None:
    async with attacked(tmp_path, most_held=4 << 20) as (served, raw):
        half = message(bytes(LARGEST - 5))[:-20_000]
        for stream in range(1, 31, 2):
            raw.say(frame(HEADERS, END_HEADERS, stream, ECHO))
            for at in range(0, len(half), 16_000):
                raw.say(frame(DATA, 0, stream, half[at : at + 16_000]))
            await raw.synchronised()
            assert served.server.held <= 4 << 20
            raw.say(frame(WINDOW_UPDATE, 0, 0, number(1)))
        other = await Polite.to(served)
        for size in (10, 500_000):
            body, ending = await other.call("/t/Echo", bytes(size))
            assert (len(body), ending["grpc-status"]) == (size + 5, "0")
        other.close()


async def test_dialogues_that_never_read_do_not_keep_others_out(tmp_path: Path) -> None:
    """Their handlers wait until their answers are read, and take nothing more meanwhile."""
    async with attacked(tmp_path, most_held=4 << 20) as (served, raw):
        talk = block(call_headers("/t/Talk"))
        for stream in range(1, 31, 2):
            raw.say(frame(HEADERS, END_HEADERS, stream, talk))
            for _ in range(60):
                raw.say(frame(DATA, 0, stream, message(bytes(16_000))))
            await raw.synchronised()
            assert served.server.held <= 4 << 20
        other = await Polite.to(served)
        body, ending = await other.call("/t/Echo", bytes(500_000))
        assert (len(body), ending["grpc-status"]) == (500_005, "0")
        other.close()


async def test_requests_that_do_not_come_are_ended(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (served, raw):
        raw.say(OPEN + frame(DATA, 0, 1, bytes(3)))
        await raw.synchronised()
        (connection,) = (one for one in served.server._connections if one.running.held)
        for _ in range(7):
            connection.look_around()
        assert await raw.status(1) == "4"
        assert served.quiet()


async def test_compressed_rubbish_is_forgotten(tmp_path: Path) -> None:
    """What could not be unpacked is held no longer."""
    async with attacked(tmp_path) as (served, raw):
        gzip = block(call_headers("/t/Echo", ("grpc-encoding", "gzip")))
        for n in range(40):
            stream = 2 * n + 1
            raw.say(frame(HEADERS, END_HEADERS, stream, gzip))
            raw.say(frame(DATA, END_STREAM, stream, message(bytes(10_000), compressed=1)))
            assert await raw.status(stream) == "13"
        assert served.quiet()


async def test_who_never_reads_short_answers_is_let_go_or_waited_for(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (served, raw):
        await raw.find(SETTINGS)
        for n in range(400):  # 400 answers of 90 kB, and not a byte of room for them
            raw.say(request(2 * n + 1, "/t/Bytes", b"90000"))
            if n % 50 == 49:
                await raw.writer.drain()
        await until(lambda: served.server.unsent > 30_000_000)
        assert served.server.unsent <= 400 * 90_005
        raw.say(b"".join(frame(RST_STREAM, 0, 2 * n + 1, CANCEL) for n in range(400)))
        await until(served.quiet)


async def test_who_never_reads_long_answers_is_let_go(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (served, raw):
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for n in range(20):
            raw.say(request(2 * n + 1, "/t/Bytes", str(20 << 20).encode()))
        await until(lambda: len(served.server._connections) == 1)
        assert served.server.unsent == 0


async def test_who_asks_for_answers_and_never_reads_them_is_let_go(tmp_path: Path) -> None:
    """Answers that need no room: of pings, and of calls that nobody knows."""
    async with attacked(tmp_path) as (served, raw):
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        stream = 1
        while len(served.server._connections) == 2:
            batch = [request(stream + 2 * n, "/" + "x" * 100) for n in range(1_000)]
            stream += 2_000
            raw.say(*batch)
            await asyncio.sleep(0)
            assert stream < 1_000_000
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(raw.writer.drain(), 30)


async def test_a_byte_at_a_time(tmp_path: Path) -> None:
    """Slow, but right; and the answer too, a byte of room at a time."""
    async with Served(tmp_path) as served:
        raw = await Raw.to(served, b"")
        for byte in PREFACE + settings({4: 0}) + request(1, "/t/Echo", b"slowly"):
            raw.say(bytes((byte,)))
            await asyncio.sleep(0)
        await raw.find(HEADERS, 1)
        got = b""
        while len(got) < 11:
            raw.say(frame(WINDOW_UPDATE, 0, 1, number(1)))
            got += await raw.find(DATA, 1)
        assert got == message(b"slowly")
        assert b"grpc-status\x010" in await raw.find(HEADERS, 1, END_STREAM)
        raw.close()


async def test_a_window_below_zero(tmp_path: Path) -> None:
    """https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2"""
    async with Served(tmp_path) as served:
        raw = await Raw.to(served, PREFACE + settings({4: 1_000}))
        raw.say(request(1, "/t/Bytes", b"2000"))
        assert len(await raw.find(DATA, 1)) == 1_000
        raw.say(settings({4: 100}), frame(WINDOW_UPDATE, 0, 1, number(900)))  # now exactly zero
        await raw.synchronised()
        raw.say(frame(WINDOW_UPDATE, 0, 1, number(5)))
        assert len(await raw.find(DATA, 1)) == 5
        raw.say(settings({4: 2_000}))
        assert len(await raw.find(DATA, 1)) == 1_000
        assert not [one for one in raw.frames if one[0] == RST_STREAM]
        raw.close()


async def test_a_window_that_shrinks_while_a_call_waits_for_the_connection(tmp_path: Path) -> None:
    async with Served(tmp_path) as served:
        raw = await Raw.to(served, PREFACE + settings({4: 100_000}))
        raw.say(request(1, "/t/Bytes", b"90000"))
        got = b""
        while len(got) < 65_535:  # all that there is of the connection
            got += await raw.find(DATA, 1)
        raw.say(settings({4: 50_000}), frame(WINDOW_UPDATE, 0, 0, number(100_000)))
        await raw.synchronised()
        assert sum(len(one[3]) for one in raw.frames if one[0] == DATA) == 65_535
        raw.say(settings({4: 100_000}))
        while len(got) < 90_005:
            got += await raw.find(DATA, 1)
        assert got == message(bytes(90_000))
        raw.close()


async def test_lists_of_headers_that_are_too_long(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (_served, raw):
        pairs = block([("x-name", "y" * 100)] * 120)
        fits = ECHO + pairs[: len(pairs) // 120 * 100]
        assert len(fits) < h.LIST_BYTES
        raw.say(frame(HEADERS, END_HEADERS, 1, fits), frame(DATA, 1, 1, message(b"")))
        assert await raw.status(1) == "0"
        raw.say(frame(HEADERS, END_HEADERS, 3, ECHO + pairs))
        assert await raw.ended() == CALM


async def test_calls_of_which_the_handlers_do_not_end_are_counted(tmp_path: Path) -> None:
    """Resetting them makes no room for more."""
    async with attacked(tmp_path) as (served, raw):
        for n in range(100):  # some at a time, or it would be too many resets
            raw.say(*(request(10 * n + 2 * k + 1, "/t/Stubborn") for k in range(5)))
            await until(lambda n=n: served.methods.begun == 5 * n + 5)  # type: ignore[misc]
        raw.say(*(frame(RST_STREAM, 0, 2 * n + 1, CANCEL) for n in range(500)))
        raw.say(request(1_001, "/t/Echo"))
        assert await raw.reset(1_001) == Code.REFUSED_STREAM
        served.methods.free.set()
        await until(served.quiet)
        raw.say(request(1_003, "/t/Echo"))
        assert await raw.status(1_003) == "0"


async def test_others_have_their_turn_while_one_asks_without_end(tmp_path: Path) -> None:
    async with attacked(tmp_path) as (served, raw):
        flooding = asyncio.create_task(_flood(raw))
        other = await Polite.to(served)
        for _ in range(30):
            body, _ = await other.call("/t/Echo", b"x")
            assert body == message(b"x")
        other.close()
        flooding.cancel()
        await asyncio.wait([flooding])


async def _flood(raw: Raw) -> None:
    stream = 1
    reading = asyncio.create_task(_read(raw))
    try:
        while True:
            raw.say(*(request(stream + 2 * n, "/t/Echo") for n in range(50)))
            stream += 100
            await raw.writer.drain()
            await asyncio.sleep(0)
    finally:
        reading.cancel()


async def _read(raw: Raw) -> None:
    while await raw.reader.read(1 << 20):
        pass
