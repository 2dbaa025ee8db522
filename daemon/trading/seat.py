"""One account on one venue at the desk: its orders, what it reports, and how it is."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from cambist.v1 import events_pb2 as pb
from core.errors import CambistError, Reason, Refused
from core.orders import Order, OrderReport
from core.ports import Account, Condition, Health
from daemon.journal.events import new_event
from daemon.journal.journal import Journal
from daemon.trading.ledger import Ledger
from daemon.trading.settings import DeskSettings
from daemon.trading.state import Tracked

EXTERNAL = "external-"  # + venue order id: our name of an order that has no client order id
_log = structlog.get_logger("desk")


class Seat:
    """What the parts of the desk share of an account."""

    def __init__(self, journal: Journal, account: Account, settings: DeskSettings) -> None:
        self.journal = journal
        self.account = account
        self.venue = account.venue.info.id
        self.settings = settings
        self.ledger = Ledger(journal, account.id, self.venue, settings)
        self.reconciled = False
        self.connected: bool | None = None  # None before the first word of it
        self.stale = asyncio.Event()  # something may have been missed: reconcile
        self.doubt: Callable[[Tracked], None] = lambda tracked: None  # whom to tell of an order
        self.asking = asyncio.Semaphore(settings.asks_at_once)
        self._why = Condition(Health.STARTING, "reconciling", journal.clock.now())
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def condition(self) -> Condition:
        """READY when trading is open; else the account's own condition, or what is missing."""
        own = self.account.condition
        if not self.reconciled:
            return own if own.health is Health.DOWN else self._why
        if own.health in (Health.READY, Health.DEGRADED) and self.connected is False:
            return Condition(Health.DEGRADED, "the account's stream is down", own.since)
        return own

    def why(self, health: Health, reason: str) -> None:
        """Says what keeps the account from trading."""
        if (self._why.health, self._why.reason) != (health, reason):
            self._why = Condition(health, reason, self.journal.clock.now())

    def require_reconciled(self) -> None:
        """Raises ACCOUNT_NOT_RECONCILED until the account's state is known."""
        if not self.reconciled:
            raise Refused(
                Reason.ACCOUNT_NOT_RECONCILED,
                f"account {self.account.id!r} on {self.venue} is not reconciled yet"
                f" ({self._why.reason}): retry in 1 s; cancels pass",
                {"account": self.account.id, "venue": self.venue},
                retry_after=1_000_000_000,
            )

    def lost(self, what: str) -> None:
        """Something that the venue said could not be kept: ask for all of it again."""
        if self.reconciled:
            _log.warning("reports_lost", account=self.account.id, venue=self.venue, why=what)
        self.reconciled = False
        self.why(Health.STARTING, what)
        self.stale.set()

    def has_room(self) -> bool:
        """Whether the journal takes what the venue says; if not, it is asked again later."""
        if not self.ledger.has_room:
            self.lost("the journal is full")
        return self.ledger.has_room

    def told(self, tracked: Tracked, report: OrderReport) -> None:
        """The venue's answer about an order."""
        if self.has_room():
            self.ledger.report(tracked, replace(report, client_order_id=tracked.id))

    def notice(self, kind: str, message: str, **details: str) -> None:
        """Tells the account's bots and operator of something, in the event log."""
        _log.info(kind, account=self.account.id, venue=self.venue, message=message, **details)
        if not self.journal.has_room:
            return  # the log line is all that can be done; nothing is decided by a notice
        notice = pb.AccountNotice(account=self.account.id, kind=kind, message=message)
        notice.details.update(details, venue=self.venue)
        self.journal.append(
            new_event(pb.Event(account_notice=notice), self.journal.clock.now(), self.account.id),
            fact=True,
        )

    def for_venue(self, order: Order) -> Order:
        """The order as its venue knows it: a name that we made up is none there."""
        if order.client_order_id.startswith(EXTERNAL):
            return replace(order, request=replace(order.request, client_order_id=""))
        return order

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Runs work until the seat closes; a failure is logged."""
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work, name=f"{name} {self.account.id}@{self.venue}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, CambistError) and error.reason is Reason.JOURNAL_UNAVAILABLE:
                self.lost(error.message)
            else:
                _log.error("task_failed", task=task.get_name(), exc_info=error)
                self.lost("an internal error")

    async def close(self) -> None:
        """Ends the work, and takes no more."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
