"""Fairness between callers: each has a rate, so that one that asks without end delays itself.

A caller may ask for a second's worth at once. Beyond its rate its calls wait for their turns, and
beyond a second's wait they are refused: not at once, since a refusal costs as much as an answer and
makes room for the next call, but at a pace as well. A call that waits costs nothing but its memory,
and a connection has a bounded number of them; large ones are not kept waiting for a refusal.
https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.clock import SECOND
from core.errors import Reason, Refused

LONGEST_WAIT = SECOND  # for a turn
REFUSALS_A_SECOND = 100  # of a caller
MOST_HELD = 10_000  # calls of a caller that wait to be refused; what is above is refused at once
TURN_BYTES = 16_384
_MOST_CALLERS = 4096


@dataclass(slots=True)
class _Caller:
    """Monotonic times in ns."""

    turn: int  # of the next call
    refusal: int = 0  # the last that was promised
    held: int = 0


class Pace:
    """`rate` is in calls a second; zero lets everything pass."""

    def __init__(self, rate: int, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._between = SECOND // rate if rate else 0
        self._now = now
        self._callers: dict[str, _Caller] = {}

    @property
    def bounded(self) -> bool:
        """Whether anybody may have to wait."""
        return self._between > 0

    async def turn(self, who: str, size: int = 0) -> None:
        """Returns when it is the caller's turn; a request of `size` bytes takes one for each
        `TURN_BYTES`. Raises RATE_LIMITED, with a delay."""
        if not self.bounded:
            return
        now = self._now()
        costs = min(self._between * (1 + size // TURN_BYTES), SECOND)
        caller = self._callers.get(who)
        if caller is None:
            caller = self._new(who, now)
        # What was not used is saved up, a second's worth at most.
        caller.turn = max(caller.turn, now - SECOND) + costs
        wait = caller.turn - now
        if wait <= 0:
            return
        if wait <= LONGEST_WAIT:
            await _sleep(wait)
            return
        caller.turn -= costs  # it takes no turn
        if caller.held < MOST_HELD and size < TURN_BYTES:
            caller.held += 1
            try:
                caller.refusal = max(caller.refusal, now) + SECOND // REFUSALS_A_SECOND
                await _sleep(caller.refusal - now)
            finally:
                caller.held -= 1
        raise Refused(
            Reason.RATE_LIMITED,
            f"more than {SECOND // self._between} calls a second: ask less often, or give each bot "
            "a token root of its own (server.calls_per_second)",
            {"scope": "daemon"},
            retry_after=LONGEST_WAIT,
        )

    def _new(self, who: str, now: int) -> _Caller:
        if len(self._callers) >= _MOST_CALLERS:
            self._callers = {
                name: one for name, one in self._callers.items() if one.held or one.turn > now
            }
        caller = self._callers[who] = _Caller(now - SECOND)
        return caller


async def _sleep(nanoseconds: int) -> None:
    await asyncio.sleep(nanoseconds / SECOND)  # float: asyncio sleeps in seconds
