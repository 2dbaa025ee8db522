"""How many requests a node is sent: so many a second, whoever asks. What must not wait does not,
and those that come later wait for it.
"""

import asyncio

from chains.nodes import NodeTrouble
from core.clock import SECOND, Clock


class Budget:
    """`rate` requests a second, of which a second's worth may come at once; 0 is without limit."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._spent_until = clock.monotonic()  # when all that was spent will be earned

    @property
    def is_spent(self) -> bool:
        """Whether another request would have to wait."""
        return self._rate > 0 and self._spent_until > self._clock.monotonic() + SECOND

    async def spend(
        self,
        requests: int,
        urgent: bool,
        patience: float,  # float: seconds
    ) -> None:
        """Takes requests from the budget, after a wait where it must be (never when `urgent`).
        NodeTrouble, and nothing is taken, if that would be longer than `patience` (seconds)."""
        if not self._rate:
            return
        now = self._clock.monotonic()
        earned = max(self._spent_until, now) + requests * SECOND // self._rate
        wait = earned - now - SECOND  # ns
        if wait > patience * SECOND and not urgent:
            raise NodeTrouble("its budget of requests is spent", pause=wait)
        self._spent_until = earned
        if wait > 0 and not urgent:
            await asyncio.sleep(wait / SECOND)  # float: seconds
