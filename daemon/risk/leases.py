"""Leases: a bot that goes silent has its open orders canceled.

By the daemon, and where a venue has a timer of its own by that as well, so that the death of the
daemon is covered too: the timer is set a little later than the lease, and again with the renewals.
Time is counted by the clock that nobody sets; `expire_time` is for people.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace

import structlog

from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.ports import Account
from daemon.access.caller import CALLER
from daemon.risk.state import Lease
from daemon.risk.timers import Timers

SHORTEST, LONGEST = SECOND, 86_400 * SECOND
_MOST, _MOST_OF_ONE = 1000, 100  # of all bots, and of one
_RETRY = 2.0  # float: seconds
log = structlog.get_logger("risk")


class Leases:
    """Those that are open. `cancel` ends the open orders of an account and raises where that is not
    sure; `accounts` are the open ones of an id; `keep` and `name` as in `Halts`."""

    def __init__(
        self,
        leases: Iterable[Lease],
        clock: Clock,
        keep: Callable[[], None],
        name: Callable[[str], str],
        accounts: Callable[[str], Iterable[Account]],
        cancel: Callable[[str], Awaitable[None]],
    ) -> None:
        self._leases = {one.id: one for one in leases}
        self._clock = clock
        self._keep = keep
        self._name = name
        self._timers = Timers(accounts, clock)
        self._cancel = cancel
        self._changed = asyncio.Event()
        self._ends = {id: self._end(one) for id, one in self._leases.items()}  # monotonic, ns

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._leases.values()))

    def open(self, duration: int, accounts: tuple[str, ...]) -> Lease:
        """In force when it returns; `duration` in ns. Raises Refused."""
        if not SHORTEST <= duration <= LONGEST:
            raise Refused(
                Reason.FIELD_INVALID,
                "duration must be from 1 second to a day",
                {"field": "duration"},
            )
        root = CALLER.get().root
        if sum(one.root == root for one in self._leases.values()) >= _MOST_OF_ONE:
            words = f"{_MOST_OF_ONE} leases of {root} are open: renew one, or close some"
            raise Refused(Reason.RATE_LIMITED, words)
        if len(self._leases) >= _MOST:
            raise Refused(Reason.RATE_LIMITED, f"{_MOST} leases are open: close some")
        expiry = self._clock.now() + duration
        lease = Lease(self._name("l"), root, accounts, duration, expiry)
        self._leases[lease.id] = lease
        try:
            self._keep()
        except Refused:
            del self._leases[lease.id]
            raise
        self._ends[lease.id] = self._end(lease)
        self._set_timers(lease)
        self._changed.set()
        return lease

    def renew(self, id: str) -> Lease:
        """For as long again as it was opened for. Raises LEASE_NOT_FOUND. Not written down at
        once: after a crash a lease is held to have been renewed when the daemon came back."""
        lease = self.of_caller(id)
        self._leases[id] = lease = replace(lease, expire_time=self._clock.now() + lease.duration)
        self._ends[id] = self._end(lease)
        self._set_timers(lease)
        return lease

    def close(self, id: str) -> None:
        """Its orders stay. Raises LEASE_NOT_FOUND, and JOURNAL_UNAVAILABLE where it cannot be
        forgotten: then it is still open, or it would come back with a restart and end orders."""
        lease = self.of_caller(id)
        del self._leases[id]
        try:
            self._keep()
        except Refused:
            self._leases[id] = lease
            raise
        del self._ends[id]
        self._set_timers(lease)

    def of_caller(self, id: str) -> Lease:
        """One that is the caller's own. Raises LEASE_NOT_FOUND."""
        lease = self._leases.get(id)
        ended = lease is None or self._ends[id] <= self._clock.monotonic()
        if lease is None or ended or lease.root != CALLER.get().root:
            raise Refused(
                Reason.LEASE_NOT_FOUND,
                f"lease {id[:80]!r} has ended, or is not yours: open a new one",
                {"lease": id[:80]},
            )
        return lease

    async def run(self) -> None:
        """Ends leases as they expire, until cancelled."""
        # Whoever could not reach us while we were away gets its whole time again.
        now = self._clock.now()
        for id, lease in tuple(self._leases.items()):
            self._leases[id] = replace(lease, expire_time=now + lease.duration)
            self._ends[id] = self._end(lease)
        while True:
            # At once: a venue that does not answer must not keep the orders of others open.
            await asyncio.gather(*(self._expire(self._leases[id]) for id in self._due()))
            nearest = min(self._ends.values(), default=None)
            wait = None
            if nearest is not None:
                wait = max(nearest - self._clock.monotonic(), 0) / SECOND  # float: seconds
            self._changed.clear()
            try:
                # Not wait_for: before Python 3.12 it loses a cancel that comes with the event.
                async with asyncio.timeout(_RETRY if self._due() else wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Leaves venues' timers as they are."""
        await self._timers.stop()

    def _due(self) -> list[str]:
        now = self._clock.monotonic()
        return [id for id, end in self._ends.items() if end <= now]

    def _end(self, lease: Lease) -> int:
        return self._clock.monotonic() + lease.duration

    async def _expire(self, lease: Lease) -> None:
        log.warning("lease expired", lease=lease.id, root=lease.root, accounts=lease.accounts)
        canceled = await asyncio.gather(*(self._canceled(account) for account in lease.accounts))
        if not all(canceled):
            return  # it stays, and is tried again: its orders may be open
        if self._ends.get(lease.id, 0) > self._clock.monotonic():
            return  # renewed in the last moment
        self._leases.pop(lease.id, None)
        self._ends.pop(lease.id, None)
        self._set_timers(lease)
        try:
            self._keep()
        except Refused as error:
            log.warning("lease not forgotten on disk", lease=lease.id, why=error.message)

    async def _canceled(self, account: str) -> bool:
        try:
            await self._cancel(account)
        except CambistError as error:
            log.warning("orders not canceled yet", account=account, why=error.message)
            return False
        return True

    def _set_timers(self, lease: Lease) -> None:
        """For each of its accounts the shortest of what is open; none where nothing is."""
        for id in lease.accounts:
            durations = [one.duration for one in self._leases.values() if id in one.accounts]
            self._timers.set(id, min(durations, default=0))
