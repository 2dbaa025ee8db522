"""Rate limits as the venue meters them: one budget a scope, shared by all bots and accounts in it.

Cancels go before places, places before queries; each may use a share of a budget, so that queries
never eat what a cancel needs. What the venue reports as used corrects our own count. After a 429
everything waits for as long as the venue asked, at the whole host where it is about our address.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from cex.engine.commands import Priority
from cex.engine.gate import Gate, Waiter
from cex.engine.meter import Meter, Permit, Usage
from cex.engine.spec import Pool
from core.clock import SECOND
from core.errors import Reason, Refused

# How long each may wait for its turn before it is refused. A place that comes late is worse than
# one that is refused: the bot decides again.
PATIENCE = {Priority.CANCEL: 10 * SECOND, Priority.PLACE: SECOND, Priority.QUERY: 30 * SECOND}


class Limiter:
    """The budgets of one venue."""

    def __init__(
        self, venue: str, pools: Sequence[Pool], now: Callable[[], int], gate: Gate | None = None
    ) -> None:
        """`now` is the venue's time in ns: its windows begin by its clock. Without a gate it has
        one of its own."""
        self._venue = venue
        self._pools = {pool.name: pool for pool in pools}
        self._now = now
        self._gate = gate or Gate()
        self._meters: dict[tuple[str, str], Meter] = {}  # all that this venue has used

    def usage(self) -> list[Usage]:
        """All budgets in use."""
        now, paused = self._now(), self._gate.paused_until
        return [
            Usage(
                name,
                scope,
                meter.used(now),
                meter.pool.limit,
                meter.pool.interval,
                until if (until := max(meter.closed_until, paused)) > now else 0,
            )
            for (name, scope), meter in sorted(self._meters.items())
        ]

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn at the host, those of its other venues with them."""
        return self._gate.waiting

    @property
    def paused(self) -> int:
        """Nanoseconds for which the venue asked us to be silent; 0 when it did not."""
        return max(0, self._gate.paused_until - self._now())

    def pause(self, nanoseconds: int, pools: Sequence[str] = (), scope: str = "") -> None:
        """Stops everything at the host for so long, or what needs these pools: the venue said
        429, or 418."""
        until = self._now() + nanoseconds
        for name in pools:
            meter = self._meter(name, scope)
            meter.closed_until = max(meter.closed_until, until)
        if not pools:
            self._gate.paused_until = max(self._gate.paused_until, until)

    async def acquire(
        self, costs: Mapping[str, int], scope: str, priority: Priority, patience: int | None = None
    ) -> Permit:
        """Waits for its turn. Raises Refused with RATE_LIMITED and the delay when that is longer
        than `patience` (ns) or the venue asked us to be silent."""
        patience = PATIENCE[priority] if patience is None else patience
        self._check_pause()
        needs = [(self._meter(name, scope), cost) for name, cost in costs.items() if cost]
        waiter = Waiter(priority, needs, self._now)
        delay = waiter.delay
        if not delay and not self._gate.ahead(priority):
            return Permit(needs, self._now)
        if delay > patience or self._gate.full:
            raise self._refused(delay or SECOND)
        self._gate.enter(waiter)
        try:
            async with asyncio.timeout(patience / SECOND):  # float: asyncio counts in seconds
                permit = await waiter.granted
        except TimeoutError:
            raise self._refused(waiter.delay or SECOND) from None
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled():
                waiter.granted.result().landed({})
            raise
        finally:
            self._gate.leave(waiter)
        try:
            self._check_pause()
        except Refused:
            permit.landed({})
            raise
        return permit

    def dispatch(self) -> None:
        """Lets through whoever fits by now."""
        self._gate.dispatch()

    def _meter(self, name: str, scope: str) -> Meter:
        # "orders/BTC-USDT" is a budget of its own, like all of the pool "orders".
        pool = self._pools[name.partition("/")[0]]
        key = (name, scope if pool.account else "")
        meter = self._meters.get(key)
        if meter is None:
            known = self._gate.shared.setdefault(key, Meter(pool)) if pool.shared else Meter(pool)
            meter = self._meters[key] = known
        return meter

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
