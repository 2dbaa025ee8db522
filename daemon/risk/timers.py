"""The venues' own timers for leases: set, set anew, taken back, in this order whatever a venue's
answers take."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from core.clock import SECOND, Clock
from core.errors import CambistError
from core.ports import Account, CancelTimer

MARGIN = 10 * SECOND  # by how much a venue's timer is later than the lease
# A timer that was set so short ago is late enough still: a lease may be renewed many times a
# second, and each request counts against the venue's limits.
_FRESH = MARGIN // 2
_RETRY = 2.0  # float: seconds
_TRIES = 5
log = structlog.get_logger("risk")


class Timers:
    """`accounts` are the open ones of an id."""

    def __init__(self, accounts: Callable[[str], Iterable[Account]], clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._wanted: dict[str, int] = {}  # what is not told to the venue yet
        self._told: dict[str, tuple[int, int]] = {}  # the timeout, and when
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def set(self, account: str, lease: int) -> None:
        """For orders that are to end `lease` ns after the last renewal; 0 takes the timer back."""
        timeout = lease and lease + MARGIN
        if account not in self._wanted and account not in self._tasks:
            before, when = self._told.get(account, (None, 0))
            if timeout == before and self._clock.monotonic() - when < _FRESH:
                return
        self._wanted[account] = timeout
        if account not in self._tasks:
            task = self._tasks[account] = asyncio.create_task(self._work(account))
            task.add_done_callback(lambda task: self._tasks.pop(account, None))

    async def stop(self) -> None:
        """Leaves the timers as they are."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, account: str) -> None:
        while account in self._wanted:
            timeout = self._wanted.pop(account)
            self._told[account] = timeout, self._clock.monotonic()
            for one in self._accounts(account):
                if isinstance(one, CancelTimer):
                    await self._tell(account, one, timeout)

    async def _tell(self, account: str, venue: CancelTimer, timeout: int) -> None:
        """One that is not taken back would cancel orders that have nothing to do with the lease."""
        for left in reversed(range(_TRIES)):
            try:
                await venue.cancel_all_after(timeout)
            except CambistError as error:
                log.warning("a venue's cancel timer was not set", why=error.message)
            else:
                return
            if not left or account in self._wanted:
                return
            await asyncio.sleep(_RETRY)
