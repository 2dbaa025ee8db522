"""Rate limits as the venue meters them: one budget a scope, shared by all bots and accounts in it.

Cancels go before places, places before queries; each may use a share of a budget, so that queries
never eat what a cancel needs. What the venue reports as used corrects our own count. After a 429
everything waits for as long as the venue asked.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cex.engine.commands import Priority
from cex.engine.spec import REQUESTED, Pool, Window
from core.clock import SECOND
from core.errors import Reason, Refused

# Percent of a pool that each priority may fill. The margin below 100 covers clocks that differ and
# programs besides ours.
SHARE = {Priority.CANCEL: 95, Priority.PLACE: 90, Priority.QUERY: 75}
# How long each may wait for its turn before it is refused. A place that comes late is worse than
# one that is refused: the bot decides again.
PATIENCE = {Priority.CANCEL: 10 * SECOND, Priority.PLACE: SECOND, Priority.QUERY: 30 * SECOND}
_WAITERS = 1000


class Meter:
    """What is used of one pool in one scope."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.in_flight = 0
        self.closed_until = 0  # ns: the venue said that it is exhausted
        self._events: deque[tuple[int, int]] = deque()  # (when, cost), oldest first
        self._used = 0
        self._window = 0
        # Of a decaying counter: the count times the interval, so that it falls by the limit each
        # ns, and when that was computed last.
        self._level = self._computed = 0

    def used(self, now: int) -> int:
        """What counts against the limit now."""
        if self.pool.window is Window.DECAYING:
            fallen = max(now - self._computed, 0) * self.pool.limit
            self._level, self._computed = max(self._level - fallen, 0), max(now, self._computed)
            return -(-self._level // self.pool.interval)
        if self.pool.window is Window.FIXED:
            window = now // self.pool.interval
            if window > self._window:
                # Requests on their way may be counted in the new window.
                self._window, self._used = window, self.in_flight
        else:
            while self._events and self._events[0][0] <= now - self.pool.interval:
                self._used -= self._events.popleft()[1]
        return self._used

    def add(self, cost: int, now: int) -> None:
        """Takes from the budget for a request that is about to leave."""
        self.used(now)
        self._used += cost
        self._level += cost * self.pool.interval
        self.in_flight += cost
        if self.pool.window is Window.ROLLING:
            self._events.append((now, cost))

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
        elif self.pool.window is Window.ROLLING:
            if (missing := reported + self.in_flight - used) > 0:
                self._used += missing
                self._events.append((now, missing))
        elif taken // self.pool.interval == self._window:
            self._used = reported + self.in_flight

    def delay(self, cost: int, share: int, now: int) -> int:
        """Nanoseconds until `cost` fits under `share` percent of the limit; 0 when it fits now."""
        if now < self.closed_until:
            return self.closed_until - now
        room = max(self.pool.limit * share // 100, 1)
        used = self.used(now)
        # Something larger than its share may still pass alone, or it would wait for ever.
        if used + cost <= room or used == 0:
            return 0
        if self.pool.window is Window.FIXED:
            return self.pool.interval - now % self.pool.interval
        if self.pool.window is Window.DECAYING:
            # One that is larger than its share waits until nothing is left.
            above = self._level - max(room - cost, 0) * self.pool.interval
            return -(-above // self.pool.limit)
        excess = used + cost - room
        for when, amount in self._events:
            excess -= amount
            if excess <= 0:
                return when + self.pool.interval - now
        return self.pool.interval


Needs = Sequence[tuple[Meter, int]]  # budgets, and what to take from each


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a budget is used, for people and metrics."""

    pool: str
    scope: str  # "" for the address, else the account's
    used: int
    limit: int
    interval: int  # ns


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


@dataclass(slots=True)
class _Waiter:
    priority: Priority
    needs: Needs
    granted: asyncio.Future[Permit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Limiter:
    """The budgets of one venue."""

    def __init__(self, venue: str, pools: Sequence[Pool], now: Callable[[], int]) -> None:
        """`now` is the venue's time in ns: its windows begin by its clock."""
        self._venue = venue
        self._pools = {pool.name: pool for pool in pools}
        self._now = now
        self._meters: dict[tuple[str, str], Meter] = {}
        self._waiters: list[_Waiter] = []  # by priority, then in order of arrival
        self._paused_until = 0
        self._timer: asyncio.TimerHandle | None = None

    def usage(self) -> list[Usage]:
        """All budgets in use."""
        now = self._now()
        return [
            Usage(name, scope, meter.used(now), meter.pool.limit, meter.pool.interval)
            for (name, scope), meter in sorted(self._meters.items())
        ]

    @property
    def paused(self) -> int:
        """Nanoseconds for which the venue asked us to be silent; 0 when it did not."""
        return max(0, self._paused_until - self._now())

    def pause(self, nanoseconds: int, pools: Sequence[str] = (), scope: str = "") -> None:
        """Stops everything for so long, or what needs these pools: the venue said 429 or 418."""
        until = self._now() + nanoseconds
        for name in pools:
            meter = self._meter(name, scope)
            meter.closed_until = max(meter.closed_until, until)
        if not pools:
            self._paused_until = max(self._paused_until, until)

    async def acquire(
        self, costs: Mapping[str, int], scope: str, priority: Priority, patience: int | None = None
    ) -> Permit:
        """Waits for its turn. Raises Refused with RATE_LIMITED and the delay when that is longer
        than `patience` (ns) or the venue asked us to be silent."""
        patience = PATIENCE[priority] if patience is None else patience
        self._check_pause()
        waiter = _Waiter(priority, [(self._meter(n, scope), c) for n, c in costs.items() if c])
        delay = self._delay(waiter)
        if not delay and not any(other.priority <= priority for other in self._waiters):
            return Permit(waiter.needs, self._now)
        if delay > patience or len(self._waiters) >= _WAITERS:
            raise self._refused(delay or SECOND)
        at = [other.priority > priority for other in self._waiters]
        self._waiters.insert(at.index(True) if True in at else len(at), waiter)
        self.dispatch()
        try:
            async with asyncio.timeout(patience / SECOND):  # float: asyncio counts in seconds
                permit = await waiter.granted
        except TimeoutError:
            raise self._refused(self._delay(waiter) or SECOND) from None
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                waiter.granted.result().landed({})
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                self.dispatch()
        try:
            self._check_pause()
        except Refused:
            permit.landed({})
            raise
        return permit

    def dispatch(self) -> None:
        """Lets through whoever fits, in order; one who waits holds up only those behind that need
        the same pools."""
        blocked: set[int] = set()
        wake: int | None = None
        for waiter in list(self._waiters):
            if waiter.granted.done():
                continue
            delay = self._delay(waiter)
            pools = {id(meter) for meter, _ in waiter.needs}
            if delay or pools & blocked:
                blocked |= pools
                if delay:
                    wake = delay if wake is None else min(wake, delay)
                continue
            self._waiters.remove(waiter)
            waiter.granted.set_result(Permit(waiter.needs, self._now))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wake / SECOND, self.dispatch)  # float: asyncio's unit

    def _meter(self, name: str, scope: str) -> Meter:
        # "orders/BTC-USDT" is a budget of its own, like all of the pool "orders".
        pool = self._pools[name.partition("/")[0]]
        key = (name, scope if pool.account else "")
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(pool)
        return meter

    def _delay(self, waiter: _Waiter) -> int:
        now, share = self._now(), SHARE[waiter.priority]
        return max((meter.delay(cost, share, now) for meter, cost in waiter.needs), default=0)

    def _check_pause(self) -> None:
        if self.paused:
            raise self._refused(self.paused)

    def _refused(self, delay: int) -> Refused:
        return Refused(
            Reason.RATE_LIMITED,
            f"the rate limit of {self._venue} leaves no room now: try again after the given delay",
            {"venue": self._venue},
            retry_after=delay,
        )
