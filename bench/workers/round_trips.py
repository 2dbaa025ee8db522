"""What the three order workers share: a round of orders, each timed and then taken back."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bench.workers.talk import Ears, say

T = TypeVar("T")

QUANTITY = "100"
_LOW, _STEPS = 30_000, 1000  # 0.30000 to 0.30999: below the book, and never the same twice in a row


def price(number: int) -> str:
    """The n-th order's price."""
    return f"0.{_LOW + number % _STEPS}"


async def serve(
    place: Callable[[int], Awaitable[T]], cancel: Callable[[int, T], Awaitable[object]]
) -> None:
    """For each number heard, so many orders, one after the other; says the times in us."""
    ears = await Ears().open()
    say({"ready": True})
    placed = 0
    while True:
        count = int(await ears.word())
        places, cancels = [], []
        for number in range(placed, placed + count):
            began = time.perf_counter_ns()
            order = await place(number)
            done = time.perf_counter_ns()
            await cancel(number, order)
            cancels.append((time.perf_counter_ns() - done) / 1000)
            places.append((done - began) / 1000)
        placed += count
        say({"place": places, "cancel": cancels})
