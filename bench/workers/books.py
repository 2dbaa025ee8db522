"""How many book updates a second reach subscribers of a daemon in this one process.

Arguments: address, how many subscribers, seconds, whether to keep a book ("book" or "batches").
Each "go" subscribes, waits until every subscriber has a live book, asks for full speed by saying
so, counts after the word "count", and unsubscribes. An update is one change of the venue's that
arrived here; a snapshot, which stands for changes that were left out, counts for none.
"""

import asyncio
import sys
import time
from dataclasses import dataclass, field

import cambist
from bench.local import INSTRUMENT, VENUE
from bench.venue.frames import IDS_A_FRAME
from bench.workers.talk import Ears, say
from cambist.book import OrderBook
from cambist.v1 import market_data_pb2 as v1


@dataclass(slots=True)
class Subscriber:
    """One stream: changes received, and the venue's newest update id."""

    changes: int = 0
    venue_sequence: int = 0
    live: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, client: cambist.Client, keep: bool) -> None:
        """Reads until canceled; with `keep`, into a book that could be traded on."""
        book = OrderBook(VENUE, INSTRUMENT)
        async with client.market.book_updates(VENUE, INSTRUMENT) as batches:
            async for batch in batches:
                events = batch.raw.events
                if keep:
                    for update in events:
                        if not book.apply(update):
                            raise RuntimeError(f"an update is missing after {book.sequence}")
                last = events[-1]
                if last.kind == v1.EVENT_KIND_CHANGE:
                    self.changes += len(events)
                elif last.state == v1.BOOK_STATE_LIVE:
                    self.live.set()
                self.venue_sequence = last.venue_sequence or self.venue_sequence


async def count(
    subscribers: list[Subscriber],
    seconds: float,  # float: seconds
) -> dict[str, float | int]:
    """What arrived in that time."""
    before = [(one.changes, one.venue_sequence) for one in subscribers]
    began = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    pairs = list(zip(subscribers, before, strict=True))
    return {
        "seconds": took,
        "updates": sum(one.changes - old[0] for one, old in pairs),
        "frames": (subscribers[0].venue_sequence - before[0][1]) // IDS_A_FRAME,
        "streams": len(subscribers),
    }


async def window(
    client: cambist.Client, ears: Ears, how_many: int, seconds: float, keep: bool
) -> dict[str, float | int]:
    """Subscribes, counts when told to, unsubscribes."""
    subscribers = [Subscriber() for _ in range(how_many)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.read(client, keep)) for one in subscribers]
        await asyncio.gather(*(one.live.wait() for one in subscribers))
        say({"live": how_many})
        await ears.word()
        counted = await count(subscribers, seconds)
        for task in tasks:
            task.cancel()
    return counted


async def main(
    address: str,
    how_many: int,
    seconds: float,  # float: seconds
    keep: bool,
) -> None:
    """A window each time that it is told to go."""
    ears = await Ears().open()
    async with cambist.connect(address, wait=20) as client:
        say({"connected": client.address})
        while await ears.word() == "go":
            say(await window(client, ears, how_many, seconds, keep))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == "book"))
