"""The server as a whole: how it stops, how its handlers end, and what is left of whom."""

import asyncio
import contextlib
import gc
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from daemon.wire.call import Call, Stream
from daemon.wire.connection import Connection
from daemon.wire.frames import Code
from tests.support.wire import (
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    LARGEST,
    PATIENCE,
    PING,
    RST_STREAM,
    Polite,
    Raw,
    Served,
    block,
    call_headers,
    frame,
    message,
    number,
    request,
    until,
)  # fmt: skip


async def test_running_calls_end_and_new_ones_are_not_taken(tmp_path: Path) -> None:
    served = Served(tmp_path)
    await served.__aenter__()
    raw = await Raw.to(served)
    raw.say(frame(8, 0, 0, number(1 << 20)))  # room, but of the second call
    raw.say(request(1, "/t/Hold", b"answer"), request(3, "/t/Bytes", b"200000"))
    await until(lambda: served.methods.begun == 1)
    stopping = asyncio.create_task(served.server.stop(PATIENCE))
    goaway = await raw.find(GOAWAY)
    assert (int.from_bytes(goaway[:4], "big"), goaway[4:8]) == (3, number(Code.NO_ERROR))
    raw.say(request(5, "/t/Echo"))
    assert await raw.reset(5) == Code.REFUSED_STREAM
    with pytest.raises(OSError):
        await asyncio.open_unix_connection(str(served.socket))
    served.methods.free.set()
    assert await raw.status(1) == "0"
    assert not stopping.done()  # an answer waits for its client's room
    raw.say(frame(8, 0, 3, number(1 << 20)))
    assert await raw.status(3) == "0"
    assert await raw.ended() == -1
    await stopping
    assert served.quiet()
    assert not served.server._connections


async def test_calls_that_do_not_end_are_ended(tmp_path: Path) -> None:
    served = Served(tmp_path)
    await served.__aenter__()
    async with grpc.aio.insecure_channel(served.target) as opened:
        channel: Any = opened
        calls: list[Any] = [
            channel.unary_unary("/t/Hold")(b"", timeout=PATIENCE),
            channel.unary_unary("/t/Stubborn")(b"", timeout=PATIENCE),
            channel.unary_stream("/t/Flood")(b"10", timeout=PATIENCE),
        ]
        await until(lambda: served.methods.begun == 3)
        reading = asyncio.create_task(_drained(calls[2]))
        await served.server.stop(0.1)
        for call in calls:
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
        await reading
    served.methods.free.set()
    await until(served.quiet)


async def _drained(call: Any) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass


async def test_who_does_not_read_does_not_keep_the_server(tmp_path: Path) -> None:
    served = Served(tmp_path)
    await served.__aenter__()
    raw = await Raw.to(served)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    raw.say(request(1, "/t/Bytes", str(20 << 20).encode()))
    await until(lambda: served.server.unsent)
    async with asyncio.timeout(PATIENCE):
        await served.server.stop(0)
    assert not served.server._connections
    raw.close()


async def test_a_handler_that_is_cancelled_from_within_ends_its_call(tmp_path: Path) -> None:
    async with Served(tmp_path) as served:
        client = await Polite.to(served)
        for word, status in ((b"cancelled", "1"), (b"bug", "13")):
            _, ending = await client.call("/t/Fail", word)
            assert ending["grpc-status"] == status
        assert "KeyError" not in str(client.events)
        assert served.quiet()
        client.close()


async def test_several_may_send_at_once(tmp_path: Path) -> None:
    """Of one call, while there is no room: all of them go on."""

    async def both(raw: bytes, call: Call) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(call.send(bytes(50_000)))

    async with Served(tmp_path) as served:
        endpoints = {"/t/Both": Stream(both)}
        served.server._endpoints = endpoints
        client = await Polite.to(served)
        body, ending = await client.call("/t/Both")
        assert (body, ending["grpc-status"]) == (message(bytes(50_000)) * 5, "0")
        client.close()


@pytest.mark.parametrize("how", ["vanishes", "resets"])
async def test_nothing_is_left_of_a_client(tmp_path: Path, how: str) -> None:
    gc.freeze()
    try:
        async with Served(tmp_path) as served:
            for _ in range(3):
                raw = await Raw.to(served)
                half = frame(HEADERS, END_HEADERS, 9, block(call_headers("/t/Echo")))
                raw.say(
                    request(1, "/t/Hold", bytes(1_000)),
                    request(3, "/t/Flood", b"60000"),
                    request(5, "/t/Bytes", str(5 << 20).encode()),
                    frame(HEADERS, END_HEADERS, 7, block(call_headers("/t/Talk"))),
                    half,
                    frame(DATA, 0, 9, message(bytes(LARGEST))[:10_000]),
                )
                await until(lambda: served.server.unsent and served.server.held >= 11_005)
                if how == "resets":
                    raw.say(*(frame(RST_STREAM, 0, n, number(8)) for n in range(1, 10, 2)))
                    await until(served.quiet)
                raw.close()
                await until(lambda: not served.server._connections)
                await until(served.quiet)
            await until(lambda: served.methods.begun == served.methods.cancelled == 6)
            served.methods.seen.clear()
            await asyncio.sleep(0)
            gc.collect()
            left = [one for one in gc.get_objects() if type(one) in (Call, Connection)]
            assert not left
    finally:
        gc.unfreeze()


async def test_who_is_silent_is_asked_and_let_go(tmp_path: Path) -> None:
    async with Served(tmp_path) as served:
        raw, mute = await Raw.to(served), await Raw.to(served, b"")
        await until(lambda: len(served.server._connections) == 2)
        await raw.synchronised()
        loop = asyncio.get_running_loop()

        def silent(seconds: float) -> None:
            for one in list(served.server._connections):
                one._heard = loop.time() - seconds
                one.look_around()

        silent(11)
        assert await mute.ended() == -1  # never said who it is
        silent(31)
        asked = await raw.find(PING)
        raw.say(frame(PING, 1, 0, asked))
        await raw.synchronised()
        silent(31)
        await raw.find(PING)
        silent(61)
        assert await raw.ended() == -1
        await until(lambda: not served.server._connections)
