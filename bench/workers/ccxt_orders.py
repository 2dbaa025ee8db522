"""Orders sent by ccxt itself. Arguments: REST, stream."""

import asyncio
import sys

import ccxt.async_support

from bench.workers import peer, round_trips


async def main(rest: str, stream: str) -> None:
    """Places and cancels when told to."""
    exchange = peer.localized(ccxt.async_support.binance(peer.options()), rest, stream)
    try:
        await exchange.load_markets()

        async def place(number: int) -> str:
            order = await exchange.create_order(
                peer.SYMBOL,
                "limit",
                "buy",
                float(round_trips.QUANTITY),
                float(round_trips.price(number)),
            )
            return str(order["id"])

        async def cancel(number: int, id_: str) -> None:
            await exchange.cancel_order(id_, peer.SYMBOL)

        await round_trips.serve(place, cancel)
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
