"""Swaps through a daemon, from the request to the confirmed transaction. Arguments: address, venue.

For each number heard, so many swaps, one after the other; says the times in us.
"""

import asyncio
import sys
import time

import cambist
from bench.ready import until_ready
from bench.workers.talk import Ears, say

_WALLET = "trader"
_ENDED = frozenset({"included", "final"})


async def main(address: str, venue: str) -> None:
    """A swap is done when the stream of events says that it is in a block."""
    async with cambist.connect(address, wait=20) as client:
        await until_ready(client)
        ears = await Ears().open()
        say({"ready": True})
        number = 0
        # From the log's first on: what happens while the stream opens is not missed.
        async with client.events.stream(from_start=True) as events:
            told = aiter(events)
            while True:
                times = []
                for _ in range(int(await ears.word())):
                    number += 1
                    began = time.perf_counter_ns()
                    quote = await client.swaps.get_quote(
                        venue, "ETH", "USDC", f"0.001{number % 89 + 10}"
                    )
                    sent = await client.swaps.swap(quote, wallet=_WALLET)
                    assert sent.transaction is not None
                    while True:
                        one = (await anext(told)).transaction
                        if one is None or one.hash != sent.transaction.hash:
                            continue
                        if str(one.status) in _ENDED:
                            assert one.succeeded
                            break
                    times.append((time.perf_counter_ns() - began) / 1000)
                say({"times": times})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
