"""What is used of one budget that a venue meters."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cex.engine.spec import REQUESTED, Pool, Window


class Meter:
    """One pool in one scope. All figures are integers; times are the venue's, in ns."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.in_flight = 0
        self.closed_until = 0  # the venue said that it is exhausted
        self._events: deque[tuple[int, int]] = deque()  # ROLLING: (when, cost), oldest first
        self._used = 0
        self._window = 0  # FIXED: its number
        self._level = 0  # DECAYING: what is used, times the interval, so that it stays whole
        self._levelled = 0  # when that was so

    def used(self, now: int) -> int:
        """What counts against the limit now."""
        pool = self.pool
        if pool.window is Window.DECAYING:
            passed = max(now - self._levelled, 0)
            self._level = max(self._level - passed * pool.limit, 0)
            self._levelled = max(now, self._levelled)
            return -(-self._level // pool.interval)
        if pool.window is Window.FIXED:
            window = now // pool.interval
            if window > self._window:
                # Requests on their way may be counted in the new window.
                self._window, self._used = window, self.in_flight
        else:
            while self._events and self._events[0][0] <= now - pool.interval:
                self._used -= self._events.popleft()[1]
        return self._used

    def add(self, cost: int, now: int) -> None:
        """Takes from the budget for a request that is about to leave."""
        self.used(now)
        self.in_flight += cost
        self._count(cost, now)

    def landed(self, cost: int, taken: int, reported: int | None, now: int) -> None:
        """A reply came: the venue's own figure, where there is one, replaces ours.

        A figure about a window that has ended says nothing about the present one.
        """
        self.in_flight -= cost
        used = self.used(now)
        if reported is None:
            return
        if self.pool.window is Window.DECAYING:
            self._level = (reported + self.in_flight) * self.pool.interval
        elif self.pool.window is Window.FIXED:
            if taken // self.pool.interval == self._window:
                self._used = reported + self.in_flight
        elif (missing := reported + self.in_flight - used) > 0:
            self._count(missing, now)

    def delay(self, cost: int, share: int, now: int) -> int:
        """Nanoseconds until `cost` fits under `share` percent of the limit; 0 when it fits now."""
        if now < self.closed_until:
            return self.closed_until - now
        pool = self.pool
        room = max(pool.limit * share // 100, 1)
        used = self.used(now)
        # Something larger than its share may still pass alone, or it would wait for ever.
        if used + cost <= room or used == 0:
            return 0
        if pool.window is Window.DECAYING:
            excess = self._level + (cost - room) * pool.interval
            return -(-min(excess, self._level) // pool.limit)
        if pool.window is Window.FIXED:
            return pool.interval - now % pool.interval
        excess = used + cost - room
        for when, amount in self._events:
            excess -= amount
            if excess <= 0:
                return when + pool.interval - now
        return pool.interval

    def _count(self, cost: int, now: int) -> None:
        if self.pool.window is Window.DECAYING:
            self._level += cost * self.pool.interval
            return
        self._used += cost
        if self.pool.window is Window.ROLLING:
            self._events.append((now, cost))


Needs = Sequence[tuple[Meter, int]]  # budgets, and what to take from each


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a budget is used, for people and metrics."""

    pool: str
    scope: str  # "" for the address, else the account's
    used: int
    limit: int
    interval: int  # ns
    blocked: int = 0  # ns until when the venue wants nothing; 0: it does not say so


class Permit:
    """Leave to send one request; `landed` must be called when its fate is known."""

    __slots__ = ("_needs", "_now", "_open", "_taken")

    def __init__(self, needs: Needs, now: Callable[[], int]) -> None:
        """Takes from the budgets."""
        self._needs, self._now, self._open = needs, now, True
        self._taken = now()
        for meter, cost in needs:
            meter.add(cost, self._taken)

    def landed(self, reported: Mapping[str, int]) -> None:
        """Returns the permit, with the figures that the venue reported, by pool."""
        if self._open:
            self._open = False
            now, here = self._now(), reported.get(REQUESTED)
            for meter, cost in self._needs:
                meter.landed(cost, self._taken, reported.get(meter.pool.name, here), now)
