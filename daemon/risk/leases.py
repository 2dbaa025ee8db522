"""Leases: a bot that goes silent has its open orders canceled.

By the daemon, and where a venue has a timer of its own by that as well, so that the death of the
daemon is covered too: the timer is set a little later than the lease, and again with each renewal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace

import structlog

from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.ports import Account, CancelTimer
from daemon.access.caller import CALLER
from daemon.risk.state import Lease

SHORTEST, LONGEST = SECOND, 86_400 * SECOND
MARGIN = 10 * SECOND  # by how much a venue's timer is later than the lease
_MOST = 1000
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
        self._accounts = accounts
        self._cancel = cancel
        self._changed = asyncio.Event()
        self._setting: set[asyncio.Task[None]] = set()

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
        if len(self._leases) >= _MOST:
            raise Refused(Reason.RATE_LIMITED, f"{_MOST} leases are open: close some")
        expiry = self._clock.now() + duration
        lease = Lease(self._name("l"), CALLER.get().root, accounts, duration, expiry)
        self._leases[lease.id] = lease
        try:
            self._keep()
        except Refused:
            del self._leases[lease.id]
            raise
        self._set_timers(lease, duration + MARGIN)
        self._changed.set()
        return lease

    def renew(self, id: str) -> Lease:
        """For as long again as it was opened for. Raises LEASE_NOT_FOUND. Not written down at
        once: after a crash a lease is held to have been renewed when the daemon came back."""
        lease = self.of_caller(id)
        self._leases[id] = lease = replace(lease, expire_time=self._clock.now() + lease.duration)
        self._set_timers(lease, lease.duration + MARGIN)
        return lease

    def close(self, id: str) -> None:
        """Its orders stay. Raises LEASE_NOT_FOUND."""
        lease = self.of_caller(id)
        del self._leases[id]
        self._keep()
        if not any(set(one.accounts) & set(lease.accounts) for one in self._leases.values()):
            self._set_timers(lease, 0)

    def of_caller(self, id: str) -> Lease:
        """One that is the caller's own. Raises LEASE_NOT_FOUND."""
        lease = self._leases.get(id)
        ended = lease is None or lease.expire_time <= self._clock.now()
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
        for lease in tuple(self._leases.values()):
            self._leases[lease.id] = replace(lease, expire_time=now + lease.duration)
        while True:
            now = self._clock.now()
            due = [one for one in self._leases.values() if one.expire_time <= now]
            for lease in due:
                await self._expire(lease)
            failed = any(one.expire_time <= now for one in self._leases.values())
            nearest = min((one.expire_time for one in self._leases.values()), default=None)
            wait = (
                None if nearest is None else max(nearest - self._clock.now(), 0) / SECOND
            )  # float: seconds
            self._changed.clear()
            try:
                # Not wait_for: before Python 3.12 it loses a cancel that comes with the event.
                async with asyncio.timeout(_RETRY if failed else wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Leaves venues' timers as they are."""
        for task in self._setting:
            task.cancel()
        await asyncio.gather(*self._setting, return_exceptions=True)

    async def _expire(self, lease: Lease) -> None:
        log.warning("lease expired", lease=lease.id, root=lease.root, accounts=lease.accounts)
        for account in lease.accounts:
            try:
                await self._cancel(account)
            except CambistError as error:
                # It stays, and is tried again: its orders may be open.
                log.warning("orders not canceled yet", account=account, why=error.message)
                return
        now = self._leases.get(lease.id)
        if now is not None and now.expire_time <= self._clock.now():
            del self._leases[lease.id]
            try:
                self._keep()
            except Refused as error:
                log.warning("lease not forgotten on disk", lease=lease.id, why=error.message)

    def _set_timers(self, lease: Lease, timeout: int) -> None:
        for id in lease.accounts:
            for account in self._accounts(id):
                if isinstance(account, CancelTimer):
                    task = asyncio.create_task(_set_timer(account, timeout))
                    self._setting.add(task)
                    task.add_done_callback(self._setting.discard)


async def _set_timer(account: CancelTimer, timeout: int) -> None:
    try:
        await account.cancel_all_after(timeout)
    except CambistError as error:
        log.warning("a venue's cancel timer was not set", why=error.message)
