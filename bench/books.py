"""How fast book updates arrive: windows of full speed, ours and the peer's by turns."""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from bench.child import Child
from bench.local import LocalVenue

_WARM_UP = 0.5  # float: seconds of full speed before the count begins, asyncio's unit
_AT_REST = 20  # frames a second between windows: enough to synchronize a book with


@dataclass(slots=True)
class Contender:
    """Processes that receive a venue's book, and what each window showed.

    `handler` is the process that decodes the venue's frames: the daemon, or ccxt's own.
    """

    venue: LocalVenue
    handler: Child
    receivers: Sequence[Child]
    rates: list[float] = field(default_factory=list)  # updates a second, all receivers together
    costs: list[float] = field(default_factory=list)  # handler's CPU us per frame
    received: int = 0
    sent: int = 0  # what would have been received, had nothing been conflated

    @property
    def rate(self) -> float:
        """The median window's updates a second."""
        return statistics.median(self.rates)

    @property
    def cost(self) -> float:
        """The median window's CPU microseconds of the handler per frame of the venue."""
        return statistics.median(self.costs)

    @property
    def left_out(self) -> float:
        """The share of the venue's updates that were conflated into snapshots."""
        return max(1 - self.received / self.sent, 0.0) if self.sent else 0.0

    async def window(self) -> None:
        """One window at full speed."""
        for one in self.receivers:
            await one.say("go")
        for one in self.receivers:
            await one.answer()
        await self.venue.pace(0)
        await asyncio.sleep(_WARM_UP)
        busy = _cpu(self.handler)
        for one in self.receivers:
            await one.say("count")
        heard = [await one.answer() for one in self.receivers]
        busy = _cpu(self.handler) - busy
        await self.venue.pace(_AT_REST)
        self.rates.append(sum(one["updates"] / one["seconds"] for one in heard))
        self.costs.append(busy * 1e6 / max(heard[0]["frames"], 1))
        self.received += sum(one["updates"] for one in heard)
        self.sent += sum(one["frames"] * one["streams"] for one in heard)


def _cpu(child: Child) -> float:
    times = psutil.Process(child.pid).cpu_times()
    return float(times.user + times.system)
