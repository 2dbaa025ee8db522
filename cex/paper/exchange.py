"""The paper exchange: behaves like a remote venue that keeps its own books of record.

Every command (place, cancel, replace, step, …) is carried out whole, written to the exchange's
own file, and answered after that. After a crash the file is all there is: open orders rest again
in the book, fills and final orders are found, ids never repeat, and the market goes on from its
last tick. The simulated makers are laid anew.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from cex.paper import perpetuals
from cex.paper.admission import check_change, check_rules, open_order, refuse_duplicate
from cex.paper.book import Book, TermsTable, describe, report_of
from cex.paper.clearing import Clearing
from cex.paper.faults import Faults
from cex.paper.ledger import OpenOrder
from cex.paper.markets import INITIAL_BALANCES, MARKETS, Market
from cex.paper.matching import Ending, Result, Why
from cex.paper.pit import Pit
from cex.paper.rules import PRICED, STOPS, change_objection
from cex.paper.simulation import Simulation
from cex.paper.tape import Tape
from core.clock import MILLISECOND, SECOND, Clock
from core.errors import CambistError, Reason, Refused, Rejected
from core.instruments import InstrumentKind
from core.orders import OrderReport, OrderRequest, OrderStatus, TimeInForce
from core.ports import Condition, Health

STEP_INTERVAL = 250 * MILLISECOND
FUNDING_INTERVAL = 8 * 3600 * SECOND
_CHECKPOINT_STEPS = 40  # off the event loop; it waits for the disk

_log = logging.getLogger(__name__)

_REFUSALS = {
    Why.POST_ONLY: Reason.POST_ONLY_WOULD_TAKE,
    Why.REDUCE_ONLY: Reason.REDUCE_ONLY_WOULD_INCREASE,
}


class PaperExchange:
    """One exchange with a spot and a perpetual venue over one file.

    `path` None keeps the books in memory. `step_interval` (ns) is the wall-clock time between
    ticks once started; None leaves stepping to the caller. Only one process may use a file.
    """

    def __init__(
        self,
        path: Path | None,
        clock: Clock,
        seed: int = 1,
        *,
        markets: Sequence[Market] = MARKETS,
        step_interval: int | None = STEP_INTERVAL,
        funding_interval: int = FUNDING_INTERVAL,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.clearing = Clearing(path, clock)
        self.terms = TermsTable({market.instrument.id: market.terms for market in markets})
        self.condition = Condition(Health.STARTING, since=clock.now())
        self.pits = {market.instrument.id: self._pit(market) for market in markets}
        self.simulation = Simulation(markets, seed)
        self._funding_interval = funding_interval
        self._step_interval = step_interval
        self._venues = {market.instrument.venue for market in markets}
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        for id, venue, kind in self.clearing.store.accounts():
            if venue in self._venues:
                self.clearing.open(id, venue, kind, self.terms, {})
        self.clearing.on_reload(self._rebuild)
        self._rebuild()

    # --- life ---

    async def start(self) -> None:
        """Lets the market move; each `start` needs its `stop`."""
        self._users += 1
        if self._users > 1:
            return
        self._say(Health.READY, "")
        if self._step_interval is not None:
            seconds = self._step_interval / SECOND  # float: asyncio sleeps in seconds
            self._task = asyncio.create_task(self._run(seconds), name="paper exchange")

    async def stop(self) -> None:
        """The last `stop` halts the market; the file stays open until `close`."""
        self._users = max(0, self._users - 1)
        if self._users == 0 and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def close(self) -> None:
        """Halts the market and closes the file. Nothing may be called after it."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.clearing.close()

    def open_account(
        self, id: str, venue: str, kind: InstrumentKind, initial: Mapping[str, Decimal] | None
    ) -> Book:
        """An account, created with `initial` balances (None: the defaults) the first time."""
        balances = INITIAL_BALANCES[kind] if initial is None else initial
        return self.clearing.open(id, venue, kind, self.terms, balances)

    # --- commands ---

    def step(self) -> None:
        """One tick of the market."""
        with self._command(self.pits.values()):
            self.simulation.advance()
            for pit in self.pits.values():
                pit.lay_quotes(self.simulation, quietly=False)
                pit.let_takers_come(self.simulation)
                self._run_stops(pit)
            perpetuals.revalue(self.pits, self.simulation, self.clearing, self._funding_interval)
            perpetuals.pay_due_funding(self.pits, self.clearing, self._funding_interval)
            self._enforce()
            self._save_simulation()

    def check(self, request: OrderRequest, error: type[CambistError] = Refused) -> None:
        """Raises `error` with the first thing that stands against an order, as the book is now."""
        pit = self._pit_of(request.venue, request.instrument, error)
        book = self.clearing.book(request.account)
        check_rules(book, request, pit.instrument, error)
        if book.margin is not None:
            perpetuals.mark(pit, book)
        if request.type in STOPS:
            return
        incoming = pit.incoming(request, 0, request.quantity)
        refusal = pit.engine.refusal(incoming)
        if refusal is not None and refusal.ending is Ending.REFUSED:
            raise error(_REFUSALS[refusal.why], f"{describe(request)}: {refusal.why.value}")
        short = self._shortfall(pit, request)
        if short is not None:
            raise error(Reason.INSUFFICIENT_BALANCE, f"{describe(request)}: {short}")

    def place(self, request: OrderRequest) -> OrderReport:
        """Takes an order. Raises Rejected, and then nothing has happened."""
        refuse_duplicate(self.clearing, request)
        self.check(request, Rejected)
        pit = self.pits[request.instrument]
        with self._command([pit]):
            stop = request.type in STOPS
            order = self.clearing.admit(request, active=not stop)
            if stop:
                pit.add_stop(order)
            else:
                pit.enter(order)
            self._settle_down(pit)
        return report_of(order)

    def cancel(self, account: str, client_order_id: str) -> OrderReport:
        """Ends an open order. Raises Rejected: ORDER_FINAL, ORDER_NOT_FOUND."""
        order = open_order(self.clearing, account, client_order_id)
        pit = self.pits[order.request.instrument]
        with self._command([pit]):
            self._cancel(order)
        return report_of(order)

    def cancel_all(self, account: str, instrument: str | None) -> list[OrderReport]:
        """Ends all open orders of an account, or of an instrument."""
        orders = [
            order
            for order in self.clearing.book(account).orders.values()
            if instrument in (None, order.request.instrument)
        ]
        pits = {order.request.instrument: self.pits[order.request.instrument] for order in orders}
        with self._command(pits.values()):
            for order in orders:
                self._cancel(order)
        return [report_of(order) for order in orders]

    def replace(
        self, account: str, client_order_id: str, quantity: Decimal, price: Decimal
    ) -> OrderReport:
        """Changes whole quantity and price of an open order, which keeps its ids, and its place
        in the queue if only the quantity shrinks. Raises Rejected; the order is then unchanged."""
        order = open_order(self.clearing, account, client_order_id)
        pit = self.pits[order.request.instrument]
        broken = change_objection(order.request, pit.instrument, order.filled, quantity, price)
        if broken is not None:
            raise Rejected(*broken)
        with self._command([pit]):
            if order.active:
                self._replace_resting(pit, order, quantity, price)
                self._settle_down(pit)
            else:
                priced = price if order.request.type in PRICED else None
                self.clearing.amend(order, quantity, priced, requeue=False)
        return report_of(order)

    # --- inside ---

    def _replace_resting(
        self, pit: Pit, order: OpenOrder, quantity: Decimal, price: Decimal
    ) -> None:
        request, remaining = order.request, quantity - order.filled
        book = self.clearing.book(request.account)
        check_change(book, order, remaining, price, pit.market.terms.taker)
        shrinks = price == request.price and quantity <= request.quantity
        post_only = request.time_in_force is TimeInForce.POST_ONLY
        result = pit.engine.replace(order.number, pit.ticks(price), pit.steps(remaining), post_only)
        if result.ending is Ending.REFUSED:
            raise Rejected(_REFUSALS[result.why], f"{describe(request)}: {result.why.value}")
        self.clearing.amend(order, quantity, price, requeue=not shrinks)
        pit.settle(result, order)

    def _cancel(self, order: OpenOrder) -> None:
        self._drop(order)
        self.clearing.finish(order, OrderStatus.CANCELED, "canceled by request")

    def _enforce(self) -> None:
        for book in self.clearing.books():
            if book.venue in self._venues:
                perpetuals.enforce(book, self.clearing, self._drop, self._flatten)

    def _drop(self, order: OpenOrder) -> None:
        self.pits[order.request.instrument].engine.cancel(order.number)

    def _flatten(self, book: Book, instrument: str) -> None:
        self.pits[instrument].engine.positions[book.id] = 0

    def _settle_down(self, pit: Pit) -> None:
        self._run_stops(pit)
        self._enforce()

    def _run_stops(self, pit: Pit) -> None:
        """Enters the orders that the last price has triggered, and those that they trigger."""
        while numbers := pit.engine.triggered():
            for number in numbers:
                order = self.clearing.order(number)
                order.active = True
                short = self._shortfall(pit, order.request)
                if short is not None:
                    self.clearing.finish(order, OrderStatus.EXPIRED, f"triggered, but it {short}")
                    continue
                result: Result = pit.enter(order)
                if result.ending is Ending.REFUSED:
                    words = f"triggered, but {result.why.value}"
                    self.clearing.finish(order, OrderStatus.EXPIRED, words)

    def _shortfall(self, pit: Pit, request: OrderRequest) -> str | None:
        book = self.clearing.book(request.account)
        rate = pit.market.terms.taker
        return book.ledger.shortfall(request, request.quantity, pit.cost(request), rate)

    def _pit_of(self, venue: str, instrument: str, error: type[CambistError]) -> Pit:
        pit = self.pits.get(instrument)
        if pit is None or pit.instrument.venue != venue:
            words = f"{venue} has no instrument {instrument!r}: list its instruments"
            raise error(Reason.INSTRUMENT_NOT_FOUND, words, {"instrument": instrument})
        return pit

    @contextmanager
    def _command(self, pits: Iterable[Pit]) -> Iterator[None]:
        """A clearing command, after which these pits tell the public what changed."""
        pits = list(pits)
        with self.clearing.command():
            yield
            if any(pit.tape.printed for pit in pits):
                self._save_simulation()  # the last prices, which stops depend on
        for pit in pits:
            pit.tape.publish()

    def _save_simulation(self) -> None:
        last = {id: pit.engine.last for id, pit in self.pits.items()}
        state = json.dumps({"offsets": self.simulation.offsets, "last": last})
        self.clearing.save_simulation(self.simulation.tick, state)

    def _rebuild(self) -> None:
        """Engines from the books of record: at the start, and after a failed write."""
        saved = self.clearing.store.simulation()
        tick, state = (
            (saved[0], json.loads(saved[1])) if saved else (0, {"offsets": {}, "last": {}})
        )
        self.simulation.restore(tick, state["offsets"])
        books = [b for b in self.clearing.books() if b.venue in self._venues]
        orders = [order for book in books for order in book.orders.values()]
        orders.sort(key=lambda order: order.priority)
        for id, pit in self.pits.items():
            positions = {
                book.id: book.margin.holdings[id].quantity
                for book in books
                if book.margin is not None and id in book.margin.holdings
            }
            mine = [order for order in orders if order.request.instrument == id]
            pit.rebuild(mine, positions, state["last"].get(id))
            pit.lay_quotes(self.simulation, quietly=True)
            pit.tape.show(pit.engine)
        perpetuals.revalue(self.pits, self.simulation, self.clearing, self._funding_interval)
        gone = [order for order in orders if order.request.instrument not in self.pits]
        if gone:
            with self.clearing.command():
                for order in gone:
                    self.clearing.finish(order, OrderStatus.CANCELED, "the market was delisted")

    def _pit(self, market: Market) -> Pit:
        tape = Tape(market.instrument, self.clearing.now, self.faults)
        return Pit(market, self.clearing, tape)

    def _say(self, health: Health, reason: str) -> None:
        if (health, reason) != (self.condition.health, self.condition.reason):
            self.condition = Condition(health, reason, self.clearing.now())

    async def _run(self, seconds: float) -> None:  # float: asyncio sleeps in seconds
        while True:
            await asyncio.sleep(seconds)
            try:
                self.step()
                self._say(Health.READY, "")
                if self.simulation.tick % _CHECKPOINT_STEPS == 0:
                    await asyncio.to_thread(self.clearing.store.checkpoint)
            except (CambistError, sqlite3.Error) as error:
                if self.condition.health is Health.READY:  # four times a second is no news
                    _log.exception("a step of the paper market failed")
                self._say(Health.DEGRADED, f"the market stands still: {error}")
