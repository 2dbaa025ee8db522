"""Old events are removed while the daemon runs."""

import asyncio

import structlog

from core.clock import SECOND, Clock
from core.errors import CambistError
from daemon.journal.journal import Journal

_HOUR = 3_600
_DAY = 86_400 * SECOND

log = structlog.get_logger("journal")


async def forget_old(journal: Journal, clock: Clock, days: int) -> None:
    """Removes events that are older than so many days, now and every hour, for ever."""
    while True:
        try:
            if count := await journal.forget_events(clock.now() - days * _DAY):
                log.info("events forgotten", count=count, older_than_days=days)
        except CambistError as error:
            log.warning("old events are still there", why=error.message)
        await asyncio.sleep(_HOUR)
