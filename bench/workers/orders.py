"""Orders through a daemon. Arguments: address, how many accounts share the work."""

import asyncio
import sys

import cambist
from bench.local import INSTRUMENT, VENUE, account_id
from bench.ready import until_ready
from bench.workers import round_trips


async def main(address: str, accounts: int) -> None:
    """Places and cancels when told to. The venue counts orders by account: they take turns."""
    async with cambist.connect(address, wait=20) as client:
        await until_ready(client)

        async def place(number: int) -> str:
            order = await client.trading.place_order(
                VENUE,
                INSTRUMENT,
                cambist.Side.BUY,
                round_trips.QUANTITY,
                price=round_trips.price(number),
                account=account_id(number % accounts),
            )
            return order.client_order_id

        async def cancel(number: int, id_: str) -> None:
            await client.trading.cancel_order(id_, account=account_id(number % accounts))

        await round_trips.serve(place, cancel)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
