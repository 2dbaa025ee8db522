"""Holds an account against its venue: at the start, after a reconnect, and now and then.

In this order, so that nothing falls between: our open orders are noted, the venue's are asked for,
then the fills since the cursor; what is ours and not there is asked about by its id; what is there
and not ours becomes an external order; balances and positions last. The cursor of an instrument
moves to the time when its fills were asked for, once all of them are applied. Any failure ends the
round without a conclusion, and it is tried again: "could not ask" never means "the venue says no".
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.accounts import Balance
from core.clock import SECOND
from core.errors import CambistError, Reason
from core.orders import Order
from core.ports import Capability, Funded, Health, VenueKind
from daemon.journal.store import MetaRow
from daemon.trading.holdings import Holdings
from daemon.trading.intake import Intake
from daemon.trading.resolver import Resolver
from daemon.trading.seat import EXTERNAL, Seat
from daemon.trading.state import NEVER_REACHED, Tracked
from daemon.trading.succession import adopted, as_report

_log = structlog.get_logger("desk")
_FUNDING_OVERLAP = 3600 * SECOND  # a venue may take its time to list a payment


class Reconciler:
    """One account's rounds."""

    def __init__(self, seat: Seat, intake: Intake, resolver: Resolver, holdings: Holdings) -> None:
        self._seat = seat
        self._kept = holdings
        self._intake = intake
        self._resolver = resolver
        self._round = asyncio.Lock()

    async def run(self) -> None:
        """Rounds until cancelled: at once, when something may have been missed, and on a timer."""
        seat, settings = self._seat, self._seat.settings
        delay = settings.retry_delay
        while True:
            seat.stale.clear()
            if await self.reconcile():
                delay, pause = settings.retry_delay, settings.reconcile_interval
            else:
                pause, delay = delay, min(delay * 2, settings.retry_max_delay)
            await asyncio.sleep(min(pause, settings.reconcile_pause))
            try:
                async with asyncio.timeout(pause):
                    await seat.stale.wait()
            except TimeoutError:
                pass

    async def reconcile(self) -> bool:
        """One round; whether it came to its end."""
        seat = self._seat
        async with self._round:
            try:
                found = await self._reconcile()
            except CambistError as error:
                if not seat.reconciled:
                    seat.why(Health.STARTING, f"reconciling: {error.message}")
                _log.info("not_reconciled", account=seat.account.id, why=error.message)
                return False
            except Exception:  # noqa: BLE001 - what makes no sense must not end the rounds
                _log.exception("not_reconciled", account=seat.account.id)
                seat.lost("the venue's answers make no sense: see the log")
                return False
        if not seat.reconciled:
            seat.reconciled = True
            seat.notice("reconciled", f"trading is open; {found}")
        return True

    async def _reconcile(self) -> str:
        seat = self._seat
        if not seat.account.venue.instruments:
            raise CambistError(
                Reason.VENUE_UNAVAILABLE, f"{seat.venue} has not told its instruments yet"
            )
        ours = [
            tracked
            for tracked in seat.ledger.open_orders()
            if not tracked.calls and not tracked.order.is_final
        ]
        theirs = await seat.account.open_orders()
        fills = await self._fills()
        for order in theirs:
            await self._theirs(order)
        there = {order.client_order_id for order in theirs if order.client_order_id}
        there_too = {order.venue_order_id for order in theirs if order.venue_order_id}
        for tracked in ours:
            listed = tracked.id in there or tracked.order.venue_order_id in there_too
            if not (listed or tracked.order.is_final or tracked.calls):
                await self._ask(tracked)
            self._resolver.watch(tracked)
        for tracked in seat.ledger.recent():
            if tracked.missing:
                self._resolver.watch(tracked)
        await self._holdings()
        self._intake.release()
        return f"{len(theirs)} open orders, {fills} fills read"

    async def _ask(self, tracked: Tracked) -> None:
        try:
            await self._resolver.ask(tracked)
        except CambistError as error:
            if error.reason is not Reason.VENUE_PROTOCOL_ERROR:
                raise
            # One answer that cannot be read must not keep the account closed for good.
            self._seat.notice("difference", error.message, client_order_id=tracked.id)

    async def _theirs(self, order: Order) -> None:
        seat, ledger = self._seat, self._seat.ledger
        id = order.client_order_id
        tracked = await ledger.find(id, order.venue_order_id)
        if tracked is None and not id:
            tracked = await ledger.find(f"{EXTERNAL}{order.venue_order_id}")
        if tracked is None and id and (old := ledger.becoming(id)) is not None:
            tracked = adopted(seat, old, as_report(order))
        if not ledger.has_room:
            seat.lost("the journal is full")
        elif tracked is None:
            self._external(order)
        elif tracked.order.is_final and tracked.order.reason == NEVER_REACHED:
            self._revive(tracked, order)
        elif not tracked.calls:
            ledger.report(tracked, replace(as_report(order), client_order_id=tracked.id))

    def _external(self, order: Order) -> None:
        seat = self._seat
        if not order.client_order_id:
            name = f"{EXTERNAL}{order.venue_order_id}"
            order = replace(order, request=replace(order.request, client_order_id=name))
        request = replace(order.request, account=seat.account.id, venue=seat.venue)
        seat.ledger.external(replace(order, request=request))
        seat.notice(
            "external_order",
            f"an open order of {request.instrument} that this daemon did not place",
            client_order_id=request.client_order_id,
            venue_order_id=order.venue_order_id,
        )

    def _revive(self, tracked: Tracked, order: Order) -> None:
        """The venue breaks its word: an order that it did not know, after it should have."""
        seat = self._seat
        live = replace(tracked.order, status=as_report(order).status, reason="")
        seat.ledger.change(tracked, replace(tracked.state, order=live))
        seat.ledger.report(tracked, replace(as_report(order), client_order_id=tracked.id))
        seat.notice(
            "difference",
            f"order {tracked.id} is open at {seat.venue}, which did not know it before",
            client_order_id=tracked.id,
        )

    # Fills.

    async def _fills(self) -> int:
        seat = self._seat
        if Capability.FILLS not in seat.account.venue.info.capabilities:
            return 0
        now = seat.journal.clock.now()
        key = f"fills/{seat.account.id}/{seat.venue}"
        kept = await seat.journal.read(lambda store: store.meta(key))
        # Of a new account nothing from before is ours to tell, but for orders that we know.
        first = min((one.order.create_time for one in seat.ledger.open_orders()), default=now)
        since = max(0, (int(kept) if kept else first) - seat.settings.fills_overlap)
        names = await seat.journal.read(
            lambda store: store.instruments(seat.account.id, seat.venue, since)
        )
        count = 0
        for name in names:
            if name in seat.account.venue.instruments:
                for fill in await seat.account.fills(name, since):
                    await self._intake.apply(fill)
                    count += 1
        if seat.ledger.has_room and not self._intake.orphans:
            seat.journal.append(MetaRow(key, str(now)), fact=True)
        return count

    async def _funding(self) -> None:
        """Funding payments that the stream did not tell: some venues tell of none by it."""
        seat = self._seat
        if not isinstance(seat.account, Funded):
            return
        now = seat.journal.clock.now()
        key = f"funding/{seat.account.id}/{seat.venue}"
        kept = await seat.journal.read(lambda store: store.meta(key))
        since = int(kept) if kept else now
        if kept and now - since < seat.settings.funding_interval:
            return
        try:
            payments = await seat.account.funding_payments(max(0, since - _FUNDING_OVERLAP))
        except CambistError as error:  # trading does not wait for what was paid; the cursor does
            _log.info("funding_unknown", account=seat.account.id, why=error.message)
            return
        for payment in payments:
            await self._intake.apply(payment)
        if seat.ledger.has_room:
            seat.journal.append(MetaRow(key, str(now)), fact=True)

    # Holdings.

    async def _holdings(self) -> None:
        seat = self._seat
        info = seat.account.venue.info
        balances: Sequence[Balance] | None = None
        if Capability.BALANCES in info.capabilities:
            balances = await seat.account.balances()
            for balance in balances:
                await self._intake.apply(balance)
        positions = None
        if info.kind is VenueKind.PERPETUAL:
            positions = await seat.account.positions()
            for position in positions:
                await self._intake.apply(position)
            await self._funding()
        if info.kind is not VenueKind.POOL:  # a wallet holds more than its venues list
            self._kept.gone(
                seat.account.id,
                seat.venue,
                None if balances is None else {(one.asset, one.token) for one in balances},
                None if positions is None else {(p.instrument, p.side.name) for p in positions},
            )
