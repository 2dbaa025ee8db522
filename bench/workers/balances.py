"""Balances of a wallet through the daemon: native coin and tokens in one call.

Arguments: ADDRESS NETWORK WALLET. For each number heard, so many calls, one after the other; says
the times in us and how many balances came.
"""

import asyncio
import sys
import time

import cambist
from bench.ready import until_ready
from bench.workers.talk import Ears, say


async def main(address: str, network: str, wallet: str) -> None:
    """Asks when told to."""
    ears = await Ears().open()
    async with cambist.connect(address, wait=60) as client:
        await until_ready(client)
        say({"ready": True})
        tokens: list[str] = []
        while True:
            word = await ears.word()
            if not word.isdecimal():
                tokens = word.split(",")
                continue
            times, count = [], 0
            for _ in range(int(word)):
                began = time.perf_counter_ns()
                found = await client.wallets.list_wallet_balances(
                    network, wallet=wallet, tokens=tokens, include_zero=True
                ).first(100)
                times.append((time.perf_counter_ns() - began) / 1000)
                count = len(found)
            say({"balances": times, "count": count})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
