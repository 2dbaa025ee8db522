"""Finds out what became of orders in doubt: asks the venue until there is proof.

In doubt is an order that was sent and not answered, a cancel or a replacement likewise, and an
order whose fills do not add up to what the venue says. Only the venue's own "no such order", given
when nothing sent can take effect any more (core.ports.Account.settle_time) and with no fill to the
contrary, proves that an order never was.
"""

import asyncio
from dataclasses import replace

import structlog

from core.clock import SECOND
from core.errors import CambistError
from core.orders import OrderReport, OrderStatus
from core.ports import Capability
from daemon.trading import succession
from daemon.trading.intake import Intake
from daemon.trading.seat import Seat
from daemon.trading.state import FORGOTTEN, NEVER_REACHED, UNANSWERED, Tracked

_GIVE_UP = 12  # tries to find missing fills; what the venue tells by itself is still taken
_log = structlog.get_logger("desk")


class Resolver:
    """One account's doubts, each with a task of its own."""

    def __init__(self, seat: Seat, intake: Intake) -> None:
        self._seat = seat
        self._intake = intake
        self._asked: set[str] = set()

    def watch(self, tracked: Tracked) -> None:
        """Finds out about an order, if it is in doubt, and goes on until it is not."""
        if tracked.id not in self._asked and (tracked.in_doubt or tracked.missing):
            self._asked.add(tracked.id)
            self._seat.spawn(self._resolve(tracked.id), "resolve")

    async def _resolve(self, id: str) -> None:
        seat, settings = self._seat, self._seat.settings
        delay, tries = settings.resolve_delay, 0
        try:
            while True:
                await asyncio.sleep(delay)
                delay, tries = min(delay * 2, settings.resolve_max_delay), tries + 1
                tracked = await seat.ledger.find(id)
                if tracked is None or not (tracked.in_doubt or tracked.missing):
                    return
                if not tracked.in_doubt and (tries > _GIVE_UP or not self._tells_fills):
                    tracked.given_up = True
                    seat.notice(
                        "difference",
                        f"the fills of order {id} do not add up to what the venue says is filled",
                        client_order_id=id,
                    )
                    return
                try:
                    await self.ask(tracked)
                except CambistError as error:
                    _log.info("could_not_ask", order=id, why=error.message)
                delay = self._in_time(tracked, delay)
        finally:
            self._asked.discard(id)
            self._intake.release()

    def _in_time(self, tracked: Tracked, delay: float) -> float:  # float: seconds for asyncio
        """Not much later than when a "no such order" is proof: a bot waits for it."""
        clock, settle = self._seat.journal.clock, self._seat.account.settle_time
        left = (tracked.sent + settle - clock.monotonic()) / SECOND  # float: seconds for asyncio
        if 0 < left < delay:
            return max(left, self._seat.settings.resolve_delay)
        return delay

    @property
    def _tells_fills(self) -> bool:
        return Capability.FILLS in self._seat.account.venue.info.capabilities

    async def ask(self, tracked: Tracked) -> None:
        """Asks once, and applies what is proven. Raises what the account raises."""
        async with self._seat.asking:
            if tracked.state.replacement is not None and not tracked.calls:
                await succession.find_out(self._seat, tracked)
            if not tracked.order.is_final:
                await self._query(tracked)
            if tracked.missing and self._tells_fills:
                await self.back_fill(tracked)

    async def _query(self, tracked: Tracked) -> None:
        seat = self._seat
        asked = seat.journal.clock.monotonic()
        report = await seat.account.query(seat.for_venue(tracked.order))
        if tracked.calls:
            return  # something was sent meanwhile: the answer may be of before it
        settled = asked - tracked.sent >= seat.account.settle_time
        if report is not None:
            self._found(tracked, report, settled)
        elif settled and seat.ledger.has_room:
            if self._tells_fills:
                await self.back_fill(tracked)
            if not tracked.order.is_final and not tracked.calls:
                self._absent(tracked)

    def _found(self, tracked: Tracked, report: OrderReport, settled: bool) -> None:
        seat = self._seat
        if not seat.ledger.has_room:
            return
        seat.ledger.report(tracked, replace(report, client_order_id=tracked.id))
        if settled and tracked.query_needed:
            tracked.query_needed = False
            self.uncancel(tracked)  # if it is live still, the cancel had no effect

    def _absent(self, tracked: Tracked) -> None:
        never = tracked.order.status in UNANSWERED and not tracked.order.filled_quantity
        status = OrderStatus.REJECTED if never else OrderStatus.CANCELED
        self._seat.ledger.status(tracked, status, NEVER_REACHED if never else FORGOTTEN)

    def uncancel(self, tracked: Tracked) -> None:
        """A cancel is no longer under way: the order lives on."""
        if tracked.order.is_final or not self._seat.has_room():
            return
        order = replace(tracked.order, cancel_requested=False)
        self._seat.ledger.change(tracked, replace(tracked.state, order=order))

    async def back_fill(self, tracked: Tracked) -> None:
        """Reads the fills of an order's instrument since before the order."""
        seat = self._seat
        since = max(0, tracked.order.create_time - seat.settings.fills_overlap)
        for fill in await seat.account.fills(tracked.order.request.instrument, since):
            await self._intake.apply(fill)
