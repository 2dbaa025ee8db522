"""Clients that misbehave, and what the others feel of it: the time that a call takes, measured
before and during, and the daemon's memory. The bounds are for a machine that is busy with much
else; `make bench ARGS=abuse` has the figures."""

import asyncio
import socket
import ssl
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2

import cambist
from bench.child import worker
from cambist import Client
from cambist.v1 import events_pb2, market_data_pb2
from tests.support.daemon import RunningDaemon, running_daemon, sandbox_arguments

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = 1 << 20
CALLS = 120
SLOWER = 0.25  # seconds that the median call may take longer while somebody misbehaves
GROWTH = 250 * MEGABYTE
INFO = "/cambist.v1.SystemService/GetInfo"
BOOK = market_data_pb2.StreamOrderBookRequest(venue="paper", instrument="ETH-USDC")
EVENTS = events_pb2.StreamEventsRequest(from_start=True)


@dataclass(frozen=True)
class Place:
    """A daemon with TLS, a bot that behaves, and the connect string of one that does not."""

    daemon: RunningDaemon
    directory: Path
    good: Client
    bad: str
    port: int

    def memory(self) -> int:
        return int(psutil.Process(self.daemon.pid).memory_info().rss)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    directory = tmp_path_factory.mktemp("abuse")
    arguments = [*sandbox_arguments(directory, security="tls")[:-1], "127.0.0.1:0"]
    async with running_daemon(directory, *arguments) as daemon:
        async with cambist.connect(daemon.connect) as owner:
            good, bad = [
                (await owner.access.bake_token(name, cambist.Grant())).connect_string
                for name in ("good", "bad")
            ]
        port = int(good.partition("?")[0].rpartition(":")[2])
        async with cambist.connect(good, patience=60, timeout=60) as client:
            yield Place(daemon, directory, client, bad, port)


async def calls(client: Client) -> float:
    """The median of some calls, one at a time, in seconds."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await client.market.get_ticker("paper", "ETH-USDC")
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@asynccontextmanager
async def unharmed(place: Place) -> AsyncIterator[None]:
    """The others' calls and the daemon's memory before, and after the body has begun its attack."""
    before, memory = await calls(place.good), place.memory()
    yield
    # The first seconds are for what was sent at once: it stands in one line with everybody's.
    async with asyncio.timeout(60):
        while await calls(place.good) > before + SLOWER:
            pass
    assert place.memory() - memory < GROWTH
    told = await asyncio.to_thread(place.daemon.log.read_text)
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("method", "connections", "size", "manners"),
    [
        (INFO, 4, 0, "polite"),
        (INFO, 1, 0, "rude"),
        ("/cambist.v1.TradingService/NoSuchMethod", 1, 0, "polite"),
        ("/grpc.health.v1.Health/Check", 1, 0, "polite"),
        (INFO, 1, 3 * MEGABYTE, "polite"),
    ],
    ids=["calls", "more_than_allowed", "no_method", "health", "large"],
)
async def test_a_client_that_asks_without_end(
    place: Place, method: str, connections: int, size: int, manners: str
) -> None:
    await flooded(place, place.bad, method, str(connections), str(size), manners)


async def test_a_program_at_the_unix_socket_that_asks_without_end(place: Place) -> None:
    async with cambist.connect(place.daemon.connect, patience=60, timeout=60) as owner:
        neighbour = replace(place, good=owner)  # neither has a token
        await flooded(neighbour, place.daemon.connect, INFO, "2", "0", "polite")


async def flooded(place: Place, *arguments: str) -> None:
    """Runs a flood, and looks how the others are."""
    enough = 10 if int(arguments[3]) else 1000
    async with AsyncExitStack() as stack:
        async with unharmed(place):
            flood = worker("workers.flood", *arguments, folder=place.directory)
            child = await stack.enter_async_context(flood)
            sent = await child.answer()
            async with asyncio.timeout(30):
                while sent.get("sent", 0) < enough:
                    await child.say("how many?")
                    sent = await child.answer()


async def test_many_calls_at_once_wait_and_too_many_are_refused(tmp_path: Path) -> None:
    arguments = sandbox_arguments(tmp_path)
    config = tmp_path / "cambist.toml"
    config.write_text(config.read_text() + "calls_per_second = 50\n")
    async with running_daemon(tmp_path, *arguments) as daemon:
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            call: Any = channel.unary_unary(INFO)
            sent = [call(b"", timeout=60) for _ in range(400)]
            ends = await asyncio.gather(*sent, return_exceptions=True)
    # A second's worth at once, another that waits, and what time brought.
    assert sum(isinstance(end, bytes) for end in ends) >= 90
    refused = next(end for end in ends if isinstance(end, grpc.aio.AioRpcError))
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers = dict(refused.trailing_metadata() or ())
    told = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info, delay = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert told.details[0].Unpack(info)
    assert told.details[1].Unpack(delay)
    assert (info.reason, delay.retry_delay.ToMilliseconds()) == ("RATE_LIMITED", 1000)


async def test_readers_that_never_read(place: Place) -> None:
    unread = (("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0))
    target = place.daemon.target
    streams: list[Any] = []
    async with AsyncExitStack() as stack:
        async with unharmed(place):
            for _ in range(20):
                channel = grpc.aio.insecure_channel(target, options=unread)
                await stack.enter_async_context(channel)
                for path, request in (("MarketData", BOOK), ("Event", EVENTS)):
                    method = "StreamOrderBook" if path == "MarketData" else "StreamEvents"
                    call: Any = channel.unary_stream(f"/cambist.v1.{path}Service/{method}")
                    stream = call(request.SerializeToString(), timeout=120)
                    await stream.read()  # the first message, and never again
                    streams.append(stream)


async def test_connections_that_do_nothing_or_talk_nonsense(place: Place) -> None:
    silent, opened = ssl.create_default_context(), []
    silent.check_hostname, silent.verify_mode = False, ssl.CERT_NONE
    silent.set_alpn_protocols(["h2"])
    try:
        async with unharmed(place):
            for number in range(500):
                one = socket.create_connection(("127.0.0.1", place.port))
                opened.append(one)
                if number % 4 == 1:
                    one.sendall(b"\x16\x03\x01\xff\xff" + bytes(200))  # a hello that is none
                elif number % 4 == 2:
                    one.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
                elif number % 20 == 3:
                    opened[-1] = await asyncio.to_thread(silent.wrap_socket, one)
    finally:
        for one in opened:
            one.close()


async def test_requests_above_the_bound_end_with_a_code(place: Place) -> None:
    options = [("grpc.max_send_message_length", 64 * MEGABYTE)]
    async with grpc.aio.insecure_channel(place.daemon.target, options=options) as channel:
        for size in (2 * MEGABYTE, 10 * MEGABYTE):
            call: Any = channel.unary_unary(INFO)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(bytes(size), timeout=60)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
