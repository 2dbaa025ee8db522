"""grpcio, the client that most programs have, asynchronous and not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.support.wire import LARGEST, PATIENCE, Served, until

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@contextlib.asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[Served, Any]]:
    async with Served(folder) as served:
        async with grpc.aio.insecure_channel(served.target, options=UNLIMITED) as channel:
            yield served, channel
        await until(served.quiet)


async def drained(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


def is_(error: pytest.ExceptionInfo[grpc.aio.AioRpcError], code: grpc.StatusCode) -> bool:
    return error.value.code() is code


@pytest.mark.parametrize("size", [0, 1, 16_379, 16_380, 65_535, 300_000, LARGEST])
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
async def test_messages_of_every_size(tmp_path: Path, size: int, compression: Any) -> None:
    async with connected(tmp_path) as (_served, channel):
        sent = (b"0123456789abcdef" * (size // 16 + 1))[:size]
        echo = channel.unary_unary("/t/Echo")
        assert await echo(sent, timeout=PATIENCE, compression=compression) == sent


@pytest.mark.parametrize("size", [100_000, 1 << 22, 20 << 20])
async def test_large_responses(tmp_path: Path, size: int) -> None:
    async with connected(tmp_path) as (_served, channel):
        got = await channel.unary_unary("/t/Bytes")(str(size).encode(), timeout=PATIENCE)
        assert got == bytes(size)


async def test_a_long_answer_does_not_keep_short_ones(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_served, channel):
        call = channel.unary_unary("/t/Bytes")
        long = asyncio.ensure_future(call(str(20 << 20).encode(), timeout=PATIENCE))
        short = [call(b"100", timeout=PATIENCE) for _ in range(20)]
        assert await asyncio.gather(*short) == [bytes(100)] * 20
        assert len(await long) == 20 << 20


async def test_requests_that_are_too_large(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_served, channel):
        echo = channel.unary_unary("/t/Echo")
        for size in (LARGEST + 1, 10 * LARGEST):
            for compression in (None, grpc.Compression.Gzip):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await echo(bytes(size), timeout=PATIENCE, compression=compression)
                assert is_(refused, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert await echo(b"goes on", timeout=PATIENCE) == b"goes on"


@pytest.mark.parametrize(("messages", "size"), [(0, 0), (3_000, 20), (40, 200_000), (1, 3 << 20)])
async def test_streams(tmp_path: Path, messages: int, size: int) -> None:
    async with connected(tmp_path) as (_served, channel):
        stream = channel.unary_stream("/t/Count")(f"{messages} {size}".encode(), timeout=PATIENCE)
        found = [(int.from_bytes(one[:4], "big"), len(one)) async for one in stream]
        assert found == [(number, size + 4) for number in range(messages)]


async def test_a_dialogue(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_served, channel):
        talk = channel.stream_stream("/t/Talk")(timeout=PATIENCE)
        for size in (0, 5, 100_000, LARGEST, 3):
            await talk.write(bytes(size))
            assert len(await talk.read()) == size
        await talk.done_writing()
        assert await talk.read() is grpc.aio.EOF
        assert await talk.code() is grpc.StatusCode.OK


async def test_who_does_not_listen_is_waited_for(tmp_path: Path) -> None:
    """Back-pressure of a dialogue: the client stops at the window, and loses nothing."""
    async with connected(tmp_path) as (served, channel):
        listen = channel.stream_unary("/t/Listen")

        async def much() -> AsyncIterator[bytes]:
            for number in range(40):
                yield bytes(100_000 + number)

        answer = asyncio.ensure_future(listen(much(), timeout=PATIENCE))
        await until(lambda: served.server.held > LARGEST // 2)
        assert served.server.held <= LARGEST + 65_535
        served.methods.free.set()
        assert await answer == repr([100_000 + number for number in range(40)]).encode()


async def test_deadlines(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, channel):
        for path, kind in (("Hold", "unary_unary"), ("Flood", "unary_stream")):
            call = getattr(channel, kind)(f"/t/{path}")(b"10", timeout=0.3)
            with pytest.raises(grpc.aio.AioRpcError) as late:
                await (call if kind == "unary_unary" else drained(call))
            assert is_(late, grpc.StatusCode.DEADLINE_EXCEEDED)
        await until(lambda: served.methods.begun == served.methods.cancelled == 2)


async def test_cancelling(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, channel):
        unary = channel.unary_unary("/t/Hold")(b"", timeout=PATIENCE)
        stream = channel.unary_stream("/t/Flood")(b"100000", timeout=PATIENCE)
        await stream.read()
        await until(lambda: served.methods.begun == 2)
        unary.cancel()
        stream.cancel()
        await until(lambda: served.methods.cancelled == 2)


async def test_a_reader_that_stops_stops_its_stream_and_no_other(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, channel):
        options = [("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0)]
        async with grpc.aio.insecure_channel(served.target, options=options) as lazy:
            flood: Any = lazy.unary_stream("/t/Flood")
            stream = flood(b"50000", timeout=PATIENCE)
            await stream.read()
            before = -1
            while served.methods.sent != before:  # until it stands still
                before = served.methods.sent
                for _ in range(10):
                    await channel.unary_unary("/t/Echo")(b"x", timeout=PATIENCE)
            for _ in range(3):
                await stream.read()
            await until(lambda: served.methods.sent > before)
            stream.cancel()
        await until(lambda: served.methods.cancelled == 1)


async def test_metadata(tmp_path: Path) -> None:
    async with connected(tmp_path) as (served, channel):
        metadata = (
            ("x-text", "a value"),
            ("x-bin", b"\x00\xff\x80"),
            ("authorization", "Bearer t"),
        )
        for _ in range(3):  # the same bytes again, and once they are in the table
            await channel.unary_unary("/t/Echo")(b"", metadata=metadata, timeout=PATIENCE)
        seen = [call.metadata for call in served.methods.seen]
        assert {one["x-text"] for one in seen} == {"a value"}
        assert {one["authorization"] for one in seen} == {"Bearer t"}
        assert {one["x-bin"].rstrip("=") for one in seen} == {"AP+A"}
        assert {call.source for call in served.methods.seen} == {"unix"}


async def test_how_calls_fail(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_served, channel):
        fail = channel.unary_unary("/t/Fail")
        expected = {
            b"bug": grpc.StatusCode.INTERNAL,
            b"cancelled": grpc.StatusCode.CANCELLED,
            b"trailers": grpc.StatusCode.ABORTED,
            b"long": grpc.StatusCode.INTERNAL,
            b"wrong": grpc.StatusCode.ABORTED,
        }
        ends = {}
        for word, code in expected.items():
            call = fail(word, timeout=PATIENCE)
            # A call that its server cancels raises as one that was cancelled here.
            with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
                await call
            assert await call.code() is code
            ends[word] = call
        told = ends[b"trailers"]
        assert await told.details() == "100 % ü\n"
        assert dict(await told.trailing_metadata()) == {"x-bin": b"\x00\xff", "x": "text"}
        assert (await ends[b"long"].details()).startswith("üüü")


async def test_what_nobody_knows_is_answered_before_it_is_said(tmp_path: Path) -> None:
    async with connected(tmp_path) as (_served, channel):
        talk = channel.stream_stream("/t/Nothing")(timeout=PATIENCE)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await talk.read()  # and nothing was written
        assert is_(refused, grpc.StatusCode.UNIMPLEMENTED)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/t/Nothing")(bytes(500_000), timeout=PATIENCE)
        assert is_(refused, grpc.StatusCode.UNIMPLEMENTED)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.stream_unary("/t/Echo")(iter([b"one", b"two"]), timeout=PATIENCE)
        assert is_(refused, grpc.StatusCode.UNIMPLEMENTED)


async def test_many_at_once(tmp_path: Path) -> None:
    """More than are taken at once: the client keeps the others back."""
    async with connected(tmp_path) as (_served, channel):
        echo = channel.unary_unary("/t/Echo")
        calls = [echo(str(number).encode(), timeout=PATIENCE) for number in range(1_200)]
        assert await asyncio.gather(*calls) == [str(number).encode() for number in range(1_200)]


def synchronous(target: str) -> list[Any]:
    with grpc.insecure_channel(target, options=UNLIMITED) as opened:
        channel: Any = opened
        found: list[Any] = [channel.unary_unary("/t/Echo")(b"x" * 70_000, timeout=PATIENCE)]
        found.append(len(channel.unary_unary("/t/Bytes")(b"5000000", timeout=PATIENCE)))
        found.append(sum(1 for _ in channel.unary_stream("/t/Count")(b"50 10", timeout=PATIENCE)))
        said = iter([b"a", b"b"])
        found.append(list(channel.stream_stream("/t/Talk")(said, timeout=PATIENCE)))
        try:
            channel.unary_unary("/t/Hold")(b"", timeout=0.2)
        except grpc.RpcError as error:
            found.append(error.code())
        return found


async def test_without_asyncio(tmp_path: Path) -> None:
    async with Served(tmp_path) as served:
        found = await asyncio.to_thread(synchronous, served.target)
        expected = [b"x" * 70_000, 5_000_000, 50, [b"a", b"b"], grpc.StatusCode.DEADLINE_EXCEEDED]
        assert found == expected
        await until(served.quiet)
