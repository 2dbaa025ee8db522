"""How many book updates a second ccxt.pro handles in process. Arguments: REST, stream, seconds.

Each "go" watches a book, says that it is live, counts after the word "count", and lets it rest. An
update is a frame of the venue's: so many update ids each.
"""

import asyncio
import sys
import time
from typing import Any

import ccxt.pro

from bench.venue.frames import IDS_A_FRAME
from bench.workers import ccxt_reading, peer
from bench.workers.talk import Ears, say


async def count(exchange: Any, seconds: float) -> dict[str, float | int]:  # float: seconds
    """What was handled in that time, by a bot that looks at the book whenever it changed."""
    book = await exchange.watch_order_book(peer.SYMBOL)
    began, first = time.monotonic(), book["nonce"]
    while time.monotonic() - began < seconds:
        book = await exchange.watch_order_book(peer.SYMBOL)
    took = time.monotonic() - began
    frames = (book["nonce"] - first) // IDS_A_FRAME
    return {"seconds": took, "updates": frames, "frames": frames, "streams": 1}


async def main(rest: str, stream: str, seconds: float) -> None:  # float: seconds
    """A window each time that it is told to go."""
    ccxt_reading.mend()
    exchange = peer.localized(ccxt.pro.binance(peer.options()), rest, stream)
    ears = await Ears().open()
    try:
        await exchange.watch_order_book(peer.SYMBOL)
        say({"connected": stream})
        while await ears.word() == "go":
            book = await exchange.watch_order_book(peer.SYMBOL)
            say({"live": len(book["bids"])})
            word = asyncio.create_task(ears.word())
            while not word.done():
                await exchange.watch_order_book(peer.SYMBOL)
            say(await count(exchange, seconds))
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
