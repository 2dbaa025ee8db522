"""Orders sent by a bare HTTP client that neither signs nor checks: what nobody can be quicker than.

Argument: REST.
"""

import asyncio
import sys
import time

import aiohttp

from bench.venue.recording import SYMBOL
from bench.workers import round_trips

_HEADERS = {"X-MBX-APIKEY": "direct"}
_SIGNATURE = "0" * 64


async def main(rest: str) -> None:
    """Places and cancels when told to."""
    async with aiohttp.ClientSession(rest, headers=_HEADERS) as session:

        async def send(method: str, **params: str) -> str:
            params |= {"timestamp": str(time.time_ns() // 1_000_000), "signature": _SIGNATURE}
            async with session.request(method, "/api/v3/order", data=params) as response:
                return str((await response.json())["clientOrderId"])

        async def place(number: int) -> str:
            return await send(
                "POST",
                symbol=SYMBOL,
                side="BUY",
                type="LIMIT",
                timeInForce="GTC",
                quantity=round_trips.QUANTITY,
                price=round_trips.price(number),
                newClientOrderId=f"direct{number}",
            )

        async def cancel(number: int, id_: str) -> None:
            await send("DELETE", symbol=SYMBOL, origClientOrderId=id_)

        await round_trips.serve(place, cancel)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
