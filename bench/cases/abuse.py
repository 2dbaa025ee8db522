"""What a bot feels of others that misbehave: the time of a call, before and meanwhile.

There is no peer to compare with: the figure beside each is that of the same minute before the
attack. The bot and the attacker have a token root each; the attackers are processes of their own.
"""

import asyncio
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import psutil

import cambist
from bench.case import Setting
from bench.child import Child, worker
from bench.local import address, running_daemon
from bench.ready import until_ready
from bench.results import Result
from cambist import Client
from cambist.v1 import market_data_pb2

TITLE = "abuse"
ORDER = 6
_INFO = "/cambist.v1.SystemService/GetInfo"
_BOOK = "/cambist.v1.MarketDataService/StreamOrderBook"
_REQUEST = market_data_pb2.StreamOrderBookRequest(venue="paper", instrument="ETH-USDC")
_UNREAD = (("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0))
_BETWEEN = 0.005  # float: seconds between two calls of the bot
_SETTLE = 3.0  # float: seconds for what an attacker sends at once, which stands in everybody's line

Attack = Callable[[str], AbstractAsyncContextManager[None]]


async def run(setting: Setting) -> list[Result]:
    """Milliseconds of GetTicker, one call after the other."""
    seconds = 0.5 if setting.quick else 5.0  # float: of each measurement
    folder = setting.work_dir
    config = folder / "cambist.toml"
    config.write_text("[sandbox]\nevm = false\nsolana = false\n")

    @asynccontextmanager
    async def flood(target: str, *arguments: str) -> AsyncIterator[None]:
        async with worker("workers.flood", target, *arguments, folder=folder) as child:
            await child.answer()
            yield

    attacks: dict[str, Attack] = {
        "one client asks without end": lambda to: flood(to, _INFO, "1", "0", "polite"),
        "the same by 8 connections": lambda to: flood(to, _INFO, "8", "0", "polite"),
        "more calls at once than allowed": lambda to: flood(to, _INFO, "1", "0", "rude"),
        "messages of 3 MB without end": lambda to: flood(to, _INFO, "1", str(3 << 20), "polite"),
        "100 subscribers that never read": _unread,
        "500 connections that do nothing": _idle,
    }
    results = []
    async with running_daemon("sandbox", "--config", str(config), folder=folder) as daemon:
        at = address("sandbox", folder)
        async with cambist.connect(at, wait=20) as owner:
            await until_ready(owner)
            tokens = [
                (await owner.access.bake_token(name, cambist.Grant())).token
                for name in ("good", "bad")
            ]
        async with cambist.connect(f"{at}?token={tokens[0]}") as bot:
            for name, attack in attacks.items():
                before = await _times(bot, seconds)
                async with attack(f"{at}?token={tokens[1]}"):
                    await asyncio.sleep(0 if setting.quick else _SETTLE)
                    during = await _times(bot, seconds)
                    results.append(_result(name, before, during, daemon))
    return results


async def _times(bot: Client, seconds: float) -> list[float]:  # float: seconds, milliseconds
    times: list[float] = []  # float: milliseconds
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 2:
        began = time.perf_counter_ns()
        await bot.market.get_ticker("paper", "ETH-USDC")
        times.append((time.perf_counter_ns() - began) / 1e6)
        await asyncio.sleep(_BETWEEN)
    return times


def _result(name: str, before: list[float], during: list[float], daemon: Child) -> Result:
    memory = psutil.Process(daemon.pid).memory_info().rss / 1e6
    return Result(
        name,
        statistics.median(during),
        "ms",
        "the same call before",
        statistics.median(before),
        more_is_better=False,
        note=f"p99 {_high(during):.0f} ms, before {_high(before):.0f} ms; memory {memory:.0f} MB",
    )


def _high(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


@asynccontextmanager
async def _unread(target: str) -> AsyncIterator[None]:
    path, _, query = target.partition("?token=")
    metadata = (("authorization", f"Bearer {query}"),)
    streams: list[Any] = []
    async with AsyncExitStack() as stack:
        for _ in range(100):
            channel = grpc.aio.insecure_channel(path.replace("unix://", "unix:"), options=_UNREAD)
            await stack.enter_async_context(channel)
            call: Any = channel.unary_stream(_BOOK)
            stream = call(_REQUEST.SerializeToString(), metadata=metadata)
            await stream.read()
            streams.append(stream)
        yield


@asynccontextmanager
async def _idle(target: str) -> AsyncIterator[None]:
    path = target.partition("?")[0].removeprefix("unix://")
    opened = []
    try:
        for _ in range(500):
            one = socket.socket(socket.AF_UNIX)
            one.connect(path)
            opened.append(one)
        yield
    finally:
        for one in opened:
            one.close()
