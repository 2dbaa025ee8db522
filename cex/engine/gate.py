"""Who goes next to one host: cancels before places before queries, whichever bot, account or
product of the venue they are for.

Venues at one host share a gate: a ban of our address silences them all, and the budgets that they
have in common are kept here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from cex.engine.commands import Priority
from cex.engine.meter import Meter, Needs, Permit
from core.clock import SECOND

# Percent of a pool that each priority may fill. The margin below 100 covers clocks that differ and
# programs besides ours.
SHARE = {Priority.CANCEL: 95, Priority.PLACE: 90, Priority.QUERY: 75}
WAITERS = 1000


@dataclass(slots=True)
class Waiter:
    """One request that waits for its turn."""

    priority: Priority
    needs: Needs
    now: Callable[[], int]  # its venue's time, ns
    granted: asyncio.Future[Permit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def delay(self) -> int:
        """Nanoseconds until its budgets have room for it; 0 when they have."""
        now, share = self.now(), SHARE[self.priority]
        return max((meter.delay(cost, share, now) for meter, cost in self.needs), default=0)


class Gate:
    """The queue before one host."""

    def __init__(self) -> None:
        self.shared: dict[tuple[str, str], Meter] = {}  # by pool and scope
        self.paused_until = 0  # ns, of the venue that was told
        self._waiters: list[Waiter] = []  # by priority, then in order of arrival
        self._timer: asyncio.TimerHandle | None = None

    @property
    def full(self) -> bool:
        """Whether nobody more may wait."""
        return len(self._waiters) >= WAITERS

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiters)

    def ahead(self, priority: Priority) -> bool:
        """Whether somebody waits who goes before one who comes now."""
        return any(other.priority <= priority for other in self._waiters)

    def enter(self, waiter: Waiter) -> None:
        """Puts it in its place; its turn may come at once."""
        at = [other.priority > waiter.priority for other in self._waiters]
        self._waiters.insert(at.index(True) if True in at else len(at), waiter)
        self.dispatch()

    def leave(self, waiter: Waiter) -> None:
        """It waits no more."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            self.dispatch()

    def dispatch(self) -> None:
        """Lets through whoever fits, in order; one who waits holds up only those behind that need
        the same pools."""
        blocked: set[int] = set()
        wake: int | None = None
        for waiter in list(self._waiters):
            if waiter.granted.done():
                continue
            delay = waiter.delay
            pools = {id(meter) for meter, _ in waiter.needs}
            if delay or pools & blocked:
                blocked |= pools
                if delay:
                    wake = delay if wake is None else min(wake, delay)
                continue
            self._waiters.remove(waiter)
            waiter.granted.set_result(Permit(waiter.needs, waiter.now))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wake / SECOND, self.dispatch)  # float: asyncio's unit


class Gates:
    """The gates of a daemon, one a host."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def at(self, host: str) -> Gate:
        """The gate before a host, named by the base of its URLs."""
        return self._gates.setdefault(host.rstrip("/").lower(), Gate())
