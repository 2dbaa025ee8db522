"""The orders of one account on one venue: in memory by their ids, in the journal for good.

Every change goes through here, and each becomes one event, in order. In memory are all open orders
and the last final ones; older ones are read back from the journal when something asks for them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

from cambist.v1 import events_pb2 as pb
from core.money import ZERO
from core.orders import Fill, Order, OrderReport, OrderStatus
from core.traffic import Traffic
from daemon.codec import trading as codec
from daemon.journal.events import NewEvent, new_event
from daemon.journal.journal import Entry, Journal
from daemon.journal.store import FillRow, Filter, OrderRow, Store, TrafficRow
from daemon.journal.values import pack, unpack
from daemon.trading.merge import after_fills, after_report
from daemon.trading.settings import DeskSettings
from daemon.trading.state import OrderState, Replacement, Tracked

_FILLS_PAGE = 1000


class Ledger:
    """See above. What is journaled of the venue's word is a fact: it is never refused halfway, so
    callers look at `has_room` first."""

    def __init__(self, journal: Journal, account: str, venue: str, settings: DeskSettings) -> None:
        self._journal = journal
        self.account = account
        self.venue = venue
        self._settings = settings
        self._open: dict[str, Tracked] = {}
        self._final: OrderedDict[str, Tracked] = OrderedDict()
        self._by_venue_id: dict[str, Tracked] = {}
        self._by_request: dict[str, Tracked] = {}
        self.on_fill: Callable[[Fill], None] = lambda fill: None  # each one once
        self._becoming: dict[str, Tracked] = {}  # by the id that a replacement under way may get

    @property
    def has_room(self) -> bool:
        """Whether the journal takes facts now."""
        return self._journal.has_room

    @property
    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return self._journal.clock.now()

    # What is there.

    def open_orders(self) -> list[Tracked]:
        """All of which something may still come, oldest first: not final, or being replaced."""
        return list(self._open.values())

    def recent(self) -> Iterator[Tracked]:
        """The final ones that are still in memory."""
        return iter(tuple(self._final.values()))

    def known(self, client_order_id: str, venue_order_id: str = "") -> Tracked | None:
        """From memory."""
        found = None
        if client_order_id:
            found = self._open.get(client_order_id) or self._final.get(client_order_id)
        elif venue_order_id:
            found = self._by_venue_id.get(venue_order_id)
        return found

    def becoming(self, client_order_id: str) -> Tracked | None:
        """The order whose replacement under way may have made one of this id."""
        return self._becoming.get(client_order_id)

    async def find(self, client_order_id: str, venue_order_id: str = "") -> Tracked | None:
        """From memory, or from the journal."""
        found = self.known(client_order_id, venue_order_id)
        if found is not None or not (client_order_id or venue_order_id):
            return found

        def look(store: Store) -> OrderRow | None:
            if client_order_id:
                return store.order(self.account, self.venue, client_order_id)
            return store.order_of_venue(self.account, self.venue, venue_order_id)

        row = await self._journal.look(look)
        # Another task may have read it meanwhile: there is one Tracked an order, ever.
        found = self.known(client_order_id, venue_order_id)
        return found if found is not None or row is None else await self._load(row)

    def requested(self, request_id: str) -> Tracked | None:
        """The newest order that a request placed, if it is in memory."""
        return self._by_request.get(request_id)

    async def of_request(self, request_id: str) -> Tracked | None:
        """The same, from memory or from the journal."""
        found = self._by_request.get(request_id)
        if found is not None:
            return found
        row = await self._journal.look(
            lambda store: store.order_of_request(self.account, request_id)
        )
        if row is None or row.venue != self.venue:
            return None
        return self.known(row.client_order_id) or await self._load(row)

    async def load_open(self) -> None:
        """Reads the orders that were not final when the daemon stopped."""
        rows = await self._journal.read(lambda store: store.open_orders(self.account, self.venue))
        for row in rows:
            if self.known(row.client_order_id) is None:
                await self._load(row)

    async def _load(self, row: OrderRow) -> Tracked:
        where = Filter(self.account, self.venue, client_order_id=row.client_order_id)

        def fills(store: Store) -> list[Fill]:
            found: list[Fill] = []
            while True:
                after = None
                if found:
                    last = found[-1]
                    after = last.event_time, self.account, self.venue, last.trade_id
                page = store.fills(where, after, _FILLS_PAGE)
                found += [unpack(one.data, Fill) for one in page]
                if len(page) < _FILLS_PAGE:
                    return found

        counted = await self._journal.read(fills)
        again = self.known(row.client_order_id)
        if again is not None:
            return again
        tracked = Tracked(OrderState.of(row), whole=False, sent=self._journal.clock.monotonic())
        for fill in counted:
            tracked.count(fill)
        self._keep(tracked)
        return tracked

    # What changes.

    def begin(self, state: OrderState) -> tuple[Tracked, asyncio.Future[int]]:
        """An order of ours, before it is sent: do not send before the future is done."""
        written = self._journal.append(state.row(), self._event(state))
        tracked = Tracked(state, whole=True)
        self._keep(tracked)
        return tracked, written

    def withdraw(self, tracked: Tracked) -> None:
        """Forgets an order that could not be journaled, and was not sent."""
        self._open.pop(tracked.id, None)
        if self._by_request.get(tracked.state.request_id) is tracked:
            del self._by_request[tracked.state.request_id]

    async def intend(
        self, tracked: Tracked, state: OrderState, undo: Callable[[OrderState], OrderState]
    ) -> None:
        """A change that we want, durable when it returns: before that, do not ask for it. When it
        cannot be journaled, `undo` takes it back from what the order is by then."""
        entries: list[Entry] = [state.row()]
        if state.order != tracked.order:
            entries.append(self._event(state))
        written = self._journal.append(*entries)
        self._set(tracked, state)
        try:
            await written
        except BaseException:
            if self.has_room:
                self.change(tracked, undo(tracked.state))
            else:
                self._set(tracked, undo(tracked.state))
            raise

    def change(self, tracked: Tracked, state: OrderState, *more: Entry) -> None:
        """What became of an order, and what goes with it, which comes first in the log."""
        if state == tracked.state and not more:
            return
        entries: list[Entry] = [*more, state.row()]
        if state.order != tracked.order:
            entries.append(self._event(state))
        # While a command about it is on its way, its end is written at once and takes this along:
        # the stream often tells of an order just before the reply does.
        self._journal.append(*entries, fact=True, hurry=not tracked.calls)
        self._set(tracked, state)

    def report(self, tracked: Tracked, report: OrderReport) -> None:
        """What the venue said of an order."""
        after = after_report(tracked, report, self.now)
        self.change(tracked, replace(tracked.state, order=after))

    def status(self, tracked: Tracked, status: OrderStatus, reason: str) -> None:
        """What we concluded of an order ourselves."""
        self.report(tracked, OrderReport(tracked.id, status, reason=reason))

    def fill(self, tracked: Tracked | None, fill: Fill) -> None:
        """A trade that was not seen before; without an order when it is none of ours."""
        self.on_fill(fill)
        if tracked is None:
            self._journal.append(*self._fill_entries(fill), fact=True)
            return
        request = tracked.order.request
        # An event that names no client order id still belongs to the order that has its other id.
        fill = replace(fill, client_order_id=request.client_order_id)
        entries = self._fill_entries(fill)
        tracked.count(fill)
        order = after_fills(tracked, fill.event_time)
        if not order.venue_order_id and fill.venue_order_id:
            order = replace(order, venue_order_id=fill.venue_order_id)
        self.change(tracked, replace(tracked.state, order=order), *entries)

    def traffic(self, tracked: Tracked, one: Traffic) -> None:
        """What left for the venue about an order, or came back. Written with what comes next: it
        explains, and proves nothing."""
        if self.has_room:
            row = TrafficRow(
                self.account,
                self.venue,
                tracked.id,
                self.now,
                int(one.sent),
                one.summary,
                one.detail.encode(),
            )
            self._journal.append(row, fact=True, hurry=False)

    def external(self, order: Order) -> Tracked:
        """An order that this daemon did not place."""
        now = self.now
        order = replace(
            order,
            external=True,
            # The fills are not here yet: they say what of it is filled.
            create_time=order.create_time or now,
            update_time=order.update_time or now,
        )
        state = OrderState(order)
        self._journal.append(state.row(), self._event(state), fact=True)
        tracked = Tracked(state, whole=False, sent=self._journal.clock.monotonic())
        self._keep(tracked)
        return tracked

    def become(self, old: Tracked, order: Order, request_id: str) -> Tracked:
        """The order that a venue made of another when it replaced it."""
        state = OrderState(
            order, request_id=request_id, replace_request_id=request_id, root=old.state.root
        )
        self._journal.append(state.row(), self._event(state), fact=True)
        tracked = Tracked(state, whole=True, sent=old.sent)
        self._keep(tracked)
        after = after_report(
            old,
            OrderReport(
                old.id, OrderStatus.CANCELED, reason=f"replaced by {order.client_order_id}"
            ),
            self.now,
        )
        done = replace(
            old.state,
            order=after,
            replacement=None,
            replace_request_id=request_id,
            replaced_by=order.client_order_id,
        )
        self.change(old, done)
        return tracked

    # Memory.

    def _set(self, tracked: Tracked, state: OrderState) -> None:
        before, tracked.state = tracked.state.replacement, state
        self._index(tracked, before)
        if not state.live and tracked.id in self._open:
            del self._open[tracked.id]
            self._final[tracked.id] = tracked
            if len(self._final) > self._settings.final_orders:
                self._evict()
        elif state.live and tracked.id in self._final:
            del self._final[tracked.id]
            self._open[tracked.id] = tracked

    def _keep(self, tracked: Tracked) -> None:
        side = self._open if tracked.state.live else self._final
        side[tracked.id] = tracked
        self._index(tracked, None)
        if len(self._final) > self._settings.final_orders:
            self._evict()

    def _index(self, tracked: Tracked, before: Replacement | None) -> None:
        state = tracked.state
        if state.order.venue_order_id:
            self._by_venue_id[state.order.venue_order_id] = tracked
        if state.request_id:
            self._by_request[state.request_id] = tracked
        if before is not None:
            self._becoming.pop(before.client_order_id, None)
        if state.replacement is not None:
            self._becoming[state.replacement.client_order_id] = tracked

    def _evict(self) -> None:
        _, tracked = self._final.popitem(last=False)
        state = tracked.state
        for index, key in (
            (self._by_venue_id, state.order.venue_order_id),
            (self._by_request, state.request_id),
        ):
            if index.get(key) is tracked:
                del index[key]
        if state.replacement is not None:
            self._becoming.pop(state.replacement.client_order_id, None)

    # Entries.

    def _event(self, state: OrderState) -> NewEvent:
        message = pb.Event(order=codec.order(state.order, state.request_id))
        return new_event(message, self.now, self.account, state.order.client_order_id)

    def _fill_entries(self, fill: Fill) -> list[Entry]:
        row = FillRow(
            fill.account,
            fill.venue,
            fill.trade_id,
            fill.instrument,
            fill.client_order_id,
            fill.event_time,
            pack(fill),
        )
        event = new_event(
            pb.Event(fill=codec.fill(fill)), self.now, self.account, fill.client_order_id
        )
        return [row, event]


def quantity_left(order: Order, quantity: Decimal) -> Decimal:
    """What of a new whole quantity the order has not filled yet."""
    return max(quantity - order.filled_quantity, ZERO)
