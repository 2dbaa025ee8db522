"""What an account reports, applied in order and journaled: the sink of core.ports.Account.

The sink is called on the event loop and never blocks. A report of an order in memory is applied at
once; one that needs the journal (an old order, a trade that may have been seen long ago) waits in a
bounded inbox, and everything behind it waits too, so that the order of events is the venue's. When
the inbox or the journal is full, reports are dropped and the account is reconciled: the venue is
asked for everything again.
"""

import asyncio
from collections import OrderedDict, deque

import structlog

from cambist.v1 import events_pb2 as pb
from core.accounts import Balance, FundingPayment, Position
from core.errors import CambistError
from core.orders import FINAL, Fill, OrderReport
from core.ports import AccountReport, StreamState, VenueKind
from daemon.codec import accounts as codec
from daemon.journal.events import new_event
from daemon.journal.store import FundingRow
from daemon.journal.values import pack
from daemon.trading.holdings import Holdings
from daemon.trading.seat import Seat
from daemon.trading.state import UNANSWERED, Tracked
from daemon.trading.succession import adopted

_LATEST = 2**63 - 1  # what the journal's integers can hold
_log = structlog.get_logger("desk")


class Intake:
    """One account's reports. `apply` is for those who have asked: reconciliation, the resolver."""

    def __init__(self, seat: Seat, holdings: Holdings) -> None:
        self._seat = seat
        self._holdings = holdings
        self._inbox: deque[AccountReport] = deque()
        self._filled = asyncio.Event()
        self._busy = False
        self._orphans: deque[OrderReport | Fill] = deque()
        self._trades: OrderedDict[str, None] = OrderedDict()

    @property
    def orphans(self) -> int:
        """How many reports wait for an order's acknowledgement."""
        return len(self._orphans)

    def sink(self, report: AccountReport) -> None:
        """Takes a report from the account; never raises."""
        if len(self._inbox) >= self._seat.settings.inbox:
            self._seat.lost("more reports came than the journal could take")
            return
        if self._inbox or self._busy or not self._at_once(report):
            self._inbox.append(report)
            self._filled.set()

    async def run(self) -> None:
        """Works the inbox off, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._inbox:
                report = self._inbox.popleft()
                self._busy = True
                try:
                    await self.apply(report)
                except CambistError as error:
                    self._seat.lost(error.message)
                except Exception:  # noqa: BLE001 - one bad report must not end the stream
                    _log.exception("report_failed", account=self._seat.account.id)
                    self._seat.lost("a report could not be applied")
                finally:
                    self._busy = False

    def _at_once(self, report: AccountReport) -> bool:
        """Applies a report that needs nothing from the journal; whether it did."""
        ledger = self._seat.ledger
        try:
            if isinstance(report, OrderReport):
                tracked = ledger.known(report.client_order_id, report.venue_order_id)
                if tracked is None:
                    return False
                self._report(tracked, report)
            elif isinstance(report, Fill):
                tracked = ledger.known(report.client_order_id, report.venue_order_id)
                if tracked is None or not tracked.whole:
                    return False
                self._fill(tracked, report)
            elif isinstance(report, FundingPayment):
                return False
            else:
                self._other(report)
        except Exception:  # noqa: BLE001 - the account's stream must not end by it
            _log.exception("report_failed", account=self._seat.account.id)
            self._seat.lost("a report could not be applied")
        return True

    async def apply(self, report: AccountReport) -> None:
        """Applies a report. Raises JOURNAL_UNAVAILABLE when the journal cannot be read."""
        if isinstance(report, OrderReport):
            await self._apply_report(report)
        elif isinstance(report, Fill):
            await self._apply_fill(report)
        elif isinstance(report, FundingPayment):
            await self._apply_funding(report)
        else:
            self._other(report)

    # Orders.

    async def _apply_report(self, report: OrderReport) -> None:
        tracked = await self._find(report)
        if tracked is not None:
            self._report(tracked, report)
        elif not self._hold(report) and report.status not in FINAL:
            # It names no instrument: only the venue's list of open orders tells what it is.
            self._seat.stale.set()

    def _report(self, tracked: Tracked, report: OrderReport) -> None:
        if not self._sound(report.event_time):
            return
        self._seat.ledger.report(tracked, report)
        if tracked.missing:
            self._seat.doubt(tracked)  # the fills may be on their way, or lost
        if self._orphans and report.venue_order_id:
            self._release()

    async def _apply_fill(self, fill: Fill) -> None:
        if fill.trade_id in self._trades:
            return
        tracked = self._seat.ledger.known(fill.client_order_id, fill.venue_order_id)
        if tracked is None or not tracked.whole:
            known = await self._seat.journal.read(
                lambda store: store.fill(fill.account, fill.venue, fill.trade_id)
            )
            if known is not None:
                self._seen(fill.trade_id)
                return
            tracked = await self._find(fill)  # and nothing else is awaited before it is counted
            if tracked is None and self._hold(fill):
                return
        self._fill(tracked, fill)

    def _fill(self, tracked: Tracked | None, fill: Fill) -> None:
        """A fill whose trade is in memory if it was seen before."""
        if fill.trade_id in self._trades or (tracked and fill.trade_id in tracked.trades):
            return
        if not self._sound(fill.event_time):
            return
        self._seat.ledger.fill(tracked, fill)
        self._seen(fill.trade_id)
        if tracked is None and self._seat.account.venue.info.kind is not VenueKind.POOL:
            # At a pool it is a swap by quote, which has no order.
            self._seat.notice(
                "external_order",
                f"a fill of {fill.instrument} that no order of this daemon made",
                trade_id=fill.trade_id,
                client_order_id=fill.client_order_id,
                venue_order_id=fill.venue_order_id,
            )

    def _seen(self, trade_id: str) -> None:
        self._trades[trade_id] = None
        if len(self._trades) > self._seat.settings.trade_ids:
            self._trades.popitem(last=False)

    async def _find(self, report: OrderReport | Fill) -> Tracked | None:
        ledger = self._seat.ledger
        tracked = await ledger.find(report.client_order_id, report.venue_order_id)
        if tracked is not None or not report.client_order_id:
            return tracked
        old = ledger.becoming(report.client_order_id)
        if old is not None:
            return adopted(self._seat, old, report)
        return await self._renamed(report) if isinstance(report, Fill) else None

    async def _renamed(self, fill: Fill) -> Tracked | None:
        """A stop of ours, where the venue names the order anew that it makes of it. Its own ids
        may be unique by instrument only."""
        found = await self._seat.ledger.find("", fill.venue_order_id)
        if found is None:
            return None
        request = found.order.request
        same = (request.instrument, request.side) == (fill.instrument, fill.side)
        return found if same else None

    def _hold(self, report: OrderReport | Fill) -> bool:
        """Keeps a report that names only the venue's id while an order of ours has not learnt its
        own: it may be that one's, ahead of the acknowledgement."""
        if report.client_order_id:
            return False
        waiting = (
            tracked.order
            for tracked in self._seat.ledger.open_orders()
            if tracked.order.status in UNANSWERED and not tracked.order.venue_order_id
        )
        if isinstance(report, Fill):
            traded = (report.instrument, report.side)
            possible = any((o.request.instrument, o.request.side) == traded for o in waiting)
        else:
            possible = any(True for _ in waiting)
        if possible:
            if len(self._orphans) >= self._seat.settings.orphans:
                self._seat.lost("too many reports of orders that are not acknowledged")
            else:
                self._orphans.append(report)
        return possible

    def _release(self) -> None:
        """Takes up what was held: an order has learnt its id, or ended without one."""
        orphans, self._orphans = self._orphans, deque()
        self._inbox.extend(orphans)
        self._filled.set()

    def release(self) -> None:
        """The same, for those who have ended the doubt about an order."""
        if self._orphans:
            self._release()

    # The rest.

    async def _apply_funding(self, payment: FundingPayment) -> None:
        account, venue, id = payment.account, payment.venue, payment.payment_id
        key = f"funding {id}"
        if key in self._trades or not self._sound(payment.event_time):
            return
        seat = self._seat
        known = await seat.journal.read(lambda store: store.funding_payment(account, venue, id))
        if known is None and key not in self._trades:
            row = FundingRow(
                account, venue, id, payment.instrument, payment.event_time, pack(payment)
            )
            event = pb.Event(funding_payment=codec.funding_payment(payment))
            now = seat.journal.clock.now()
            seat.journal.append(row, new_event(event, now, seat.account.id), fact=True)
        self._seen(key)

    def _other(self, report: Balance | Position | StreamState) -> None:
        if isinstance(report, StreamState):
            self._connection(report)
        elif self._sound(report.update_time):
            self._holdings.apply(report)

    def _connection(self, state: StreamState) -> None:
        seat = self._seat
        if state.connected != seat.connected:
            seat.connected = state.connected
            kind = "connected" if state.connected else "disconnected"
            seat.notice(kind, state.reason or f"the account's stream is {kind}")
        if state.connected:
            seat.stale.set()  # what happened in between was not told

    # --

    def _sound(self, time: int) -> bool:
        """Whether the journal can hold it; else the venue is asked again."""
        if 0 <= time <= _LATEST and self._seat.ledger.has_room:
            return True
        room = self._seat.ledger.has_room
        self._seat.lost("a report with an impossible time" if room else "the journal is full")
        return False
