"""Runs the local venue until its starter is gone; says its addresses in one line of JSON.

A number on standard input is the rate from then on, in frames a second; 0 means no limit.
"""

import asyncio
import logging

import uvloop
from aiohttp import web

from bench.venue import recording
from bench.venue.market import Market
from bench.venue.orders import Orders
from bench.venue.rest import Rest
from bench.venue.sockets import Users, serve
from bench.workers.talk import Ears, say


async def main() -> None:
    """Serves."""
    logging.basicConfig(level=logging.ERROR)
    played = recording.load()
    market, users = Market(played), Users()
    orders = Orders(users)
    sockets = await serve(market, users, orders)
    runner = web.AppRunner(Rest(market, orders).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    playing = asyncio.create_task(market.play())
    ears = await Ears().open()
    say(
        {
            "rest": f"http://127.0.0.1:{runner.addresses[0][1]}",
            "stream": f"ws://127.0.0.1:{sockets.sockets[0].getsockname()[1]}",
            "source": played.source,
        }
    )
    try:
        while True:
            market.pace(int(await ears.word()))
    finally:
        playing.cancel()


if __name__ == "__main__":
    uvloop.run(main())
