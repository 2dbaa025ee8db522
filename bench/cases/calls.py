"""What a gRPC call costs that does nothing: the daemon's own server (daemon/wire) beside grpcio's.

The client is the same for both, and writes its frames itself: no client of grpc for Python is as
quick as either server.
"""

import asyncio
import statistics
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import psutil

from bench.case import Setting
from bench.child import Child, worker
from bench.results import Result

TITLE = "calls and streams of the server"
ORDER = 6
_CALLERS = 16
_PEER = "grpcio's asyncio server"


@dataclass
class _Figures:
    """Of one server; a value for each window."""

    rates: list[float] = field(default_factory=list)  # float: calls a second
    alone: list[float] = field(default_factory=list)  # float: us, a single call's median
    cpu: list[float] = field(default_factory=list)  # float: us a call
    messages: list[float] = field(default_factory=list)  # float: a second


async def run(setting: Setting) -> list[Result]:
    """The median of several windows, by turns."""
    rounds, seconds = (1, 0.5) if setting.quick else (5, 1.5)  # float: seconds
    servers: list[tuple[Child, Child, _Figures]] = []
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        for kind in ("ours", "grpcio"):
            socket = str(setting.work_dir / f"{kind}.sock")
            server = await enter(
                worker("workers.calls_server", socket, kind, folder=setting.work_dir)
            )
            await server.answer()
            client = await enter(worker("workers.calls", socket, folder=setting.work_dir))
            await client.answer()
            servers.append((server, client, _Figures()))
        for _ in range(rounds):
            for server, client, figures in servers:
                await _window(server, client, figures, seconds)
                await asyncio.sleep(0.1)  # until a stream that was reset is quiet
    ours, theirs = servers[0][2], servers[1][2]
    return [
        _result(f"calls that do nothing, {_CALLERS} callers", ours.rates, theirs.rates, "1/s"),
        _result("CPU of the server for one of them", ours.cpu, theirs.cpu, "us"),
        _result("a single call, median", ours.alone, theirs.alone, "us"),
        _result("messages of one stream, 100 bytes", ours.messages, theirs.messages, "1/s"),
    ]


def _result(name: str, ours: list[float], theirs: list[float], unit: str) -> Result:
    value, peer = statistics.median(ours), statistics.median(theirs)
    return Result(name, value, unit, _PEER, peer, more_is_better=unit == "1/s")


async def _window(
    server: Child, client: Child, figures: _Figures, seconds: float
) -> None:  # float: seconds
    process = psutil.Process(server.pid)
    before = sum(process.cpu_times()[:2])
    await client.say(f"calls {_CALLERS} {seconds}")
    count = len((await client.answer())["times"])
    spent = sum(process.cpu_times()[:2]) - before
    figures.rates.append(count / seconds)
    figures.cpu.append(spent / count * 1e6)
    await client.say(f"calls 1 {seconds / 3}")
    figures.alone.append(statistics.median((await client.answer())["times"]))
    await client.say(f"messages {seconds / 3}")
    figures.messages.append((await client.answer())["messages"] / (seconds / 3))
