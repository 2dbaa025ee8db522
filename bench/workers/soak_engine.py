"""The engine with a book of every exchange, each read by one subscriber through the daemon's
streams. Argument: the venues' hosts, as JSON.

Says "live" once all books are. On each word after it: memory, what was handled, what waits, and the
latencies since the last time.
"""

import asyncio
import gc
import json
import sys
import time
from dataclasses import dataclass, field
from decimal import Decimal

import psutil
import uvloop

from bench.soak import unconfirmed
from bench.workers.talk import Ears, say
from cex.engine.feeds import BookUpstream
from cex.engine.market import ExchangeVenue
from core.clock import SECOND, SystemClock
from core.instruments import Instrument
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.ports import Channel
from daemon.streams.hub import Hub
from tests.support.cex_fixtures import load
from tests.support.running_book import RunningBook

_KEPT = 200_000  # latencies between two looks


@dataclass
class Subscriber:
    """Reads one venue's book as a bot's connection does: finished bytes."""

    market: ExchangeVenue
    instrument: Instrument
    handled: int = 0  # frames that the engine has applied
    messages: int = 0
    told: list[int] = field(default_factory=list)  # stamps that wait for the subscriber
    late: list[int] = field(default_factory=list)  # us from the venue's write to here
    broken: int = 0  # times that the book was not live any more

    def sink(self, event: MarketEvent) -> None:
        """Beside the stream's own: notes the stamps, and whether the book breaks."""
        if not isinstance(event, BookDelta | BookSnapshot):
            return
        if isinstance(event, BookSnapshot) and event.state is not BookState.LIVE:
            self.broken += self.handled > 0
            return
        self.handled += 1
        amounts = event.bids[1]
        # A contract's amount is told in base units; only stamps are as large.
        if amounts and len(amounts[0]) > 6 and (amount := int(Decimal(amounts[0]))) > 10**6:
            self.told.append(amount)

    async def read(self, hub: Hub) -> None:
        """Until canceled."""
        async for _ in hub.read(self.market, Channel.BOOK, self.instrument):
            now = time.monotonic_ns() // 1000
            self.messages += 1
            if len(self.late) < _KEPT:
                self.late += [now - stamp for stamp in self.told]
            self.told.clear()

    @property
    def live(self) -> bool:
        """Whether the book is."""
        books = [one for one in self.market._upstreams.values() if isinstance(one, BookUpstream)]
        return bool(books) and all(one.sync.state is BookState.LIVE for one in books)

    @property
    def waiting(self) -> int:
        """Messages that some queue of the engine holds."""
        books = [one for one in self.market._upstreams.values() if isinstance(one, BookUpstream)]
        return sum(len(one.sync._buffer) for one in books)


async def main(hosts: dict[str, dict[str, str]]) -> None:
    """Runs until the starter is gone."""
    hub = Hub(10 * SECOND)
    readers: list[Subscriber] = []
    tasks = []
    for name, where in hosts.items():
        venue = load(name)
        book = RunningBook(venue)
        market = ExchangeVenue(unconfirmed(venue), SystemClock(), where)
        await market.start()
        await asyncio.wait_for(market.loaded.wait(), 30)
        reader = Subscriber(market, book.instrument)
        readers.append(reader)
        tasks.append(asyncio.create_task(reader.read(hub)))
        await market.subscribe(Channel.BOOK, book.instrument, reader.sink)
    async with asyncio.timeout(60):
        while not all(reader.live for reader in readers):  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.05)
    ears = await Ears().open()
    say({"live": len(readers)})
    process = psutil.Process()
    while True:
        await ears.word()
        gc.collect()
        late = sorted(us for reader in readers for us in reader.late)
        say(
            {
                "rss": process.memory_info().rss,
                "handled": {r.market.spec.id: r.handled for r in readers},
                "waiting": sum(reader.waiting for reader in readers),
                "untold": sum(len(reader.told) for reader in readers),
                "tasks": len(asyncio.all_tasks()),
                "broken": {r.market.spec.id: r.broken for r in readers if r.broken},
                "live": sum(reader.live for reader in readers),
                "late": [late[len(late) * part // 100] for part in (50, 99)] if late else [0, 0],
            }
        )
        for reader in readers:
            reader.late.clear()
        assert not any(task.done() for task in tasks)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
