"""Quotes through gRPC by a client that does nothing else: made requests go out as bytes, and what
comes back is not looked at but for the first. Arguments: socket, callers, venue.

For each "<seconds>" heard, so many callers ask as fast as they are answered; says how many quotes
they got and each one's time in us. With one caller that is a quote's time.
"""

import asyncio
import sys
import time
from typing import Any

import grpc
import grpc.aio

from bench.workers.talk import Ears, say
from cambist.v1 import swaps_pb2 as pb
from daemon.rpc.loop import run

_METHOD = "/cambist.v1.SwapService/GetQuote"
_SIZES = 2_000  # different amounts, so that no answer can be remembered


def requests(venue: str) -> list[bytes]:
    """WETH for USDC, each of another size."""
    return [
        pb.GetQuoteRequest(
            swap=pb.SwapSpec(
                venue=venue,
                token_in="WETH",
                token_out="USDC",
                mode=pb.SWAP_MODE_EXACT_IN,
                amount=f"0.{1_000 + number}",
            )
        ).SerializeToString()
        for number in range(_SIZES)
    ]


async def main(socket: str, callers: int, venue: str) -> None:
    """Answers one line a round."""
    made = requests(venue)
    async with grpc.aio.insecure_channel(socket) as channel:
        ask: Any = channel.unary_unary(_METHOD)
        first = pb.GetQuoteResponse.FromString(await ask(made[0]))
        say({"plan": first.quote.plan})
        ears = await Ears().open()
        while True:
            seconds = float(await ears.word())  # float: seconds
            until = time.perf_counter() + seconds
            times: list[int] = []

            async def caller(number: int, until: float, times: list[int]) -> None:  # float: seconds
                began = time.perf_counter()
                while began < until:
                    await ask(made[number % _SIZES])
                    number += 1
                    done = time.perf_counter()
                    times.append(round((done - began) * 1e6))
                    began = done

            await asyncio.gather(*(caller(97 * n, until, times) for n in range(callers)))
            say({"times": times})


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
