"""The clearing house: accounts, open orders, fills and positions, whoever matches the orders.

The simulated exchange and the accounts on live books both keep their books here, under the same
rules and in the same file. One command is one transaction: it changes memory, then the file, and
only then is anybody told. When the file cannot be written, memory is read back from it, so that
the two never differ.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from cex.paper.book import Book, TermsTable, report_of
from cex.paper.ledger import OpenOrder, assets
from cex.paper.margin import Holding
from cex.paper.store import Batch, Counters, Store
from core.accounts import FundingPayment
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.instruments import InstrumentKind
from core.money import ZERO
from core.orders import (
    Fill,
    Liquidity,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import AccountReport

KEEP = 90 * 24 * 3600 * SECOND  # how long final orders, fills and payments stay in the file

_log = logging.getLogger(__name__)


class Clearing:
    """All accounts in one file (`path` None: in memory)."""

    def __init__(self, path: Path | None, clock: Clock, keep: int = KEEP) -> None:
        self._clock = clock
        self.store = Store(path)
        self.counters = Counters()
        self._books: dict[str, Book] = {}
        self._by_number: dict[int, OpenOrder] = {}
        self._waiting: dict[str, list[OpenOrder]] = {}  # open orders of accounts not opened yet
        self._batch = Batch()
        self._outbox: list[tuple[Book, AccountReport]] = []
        self._reloaded: list[Callable[[], None]] = []
        self._broken = False  # memory may differ from the file, and reading it back failed
        self._load()
        self.store.prune(self.now() - keep)

    def now(self) -> int:
        """The exchange's time (ns); does not go back, not even over a restart."""
        self.counters.time = max(self.counters.time, self._clock.now())
        return self.counters.time

    def on_reload(self, rebuild: Callable[[], None]) -> None:
        """Calls `rebuild` whenever memory had to be read back from the file."""
        self._reloaded.append(rebuild)

    def close(self) -> None:
        """Closes the file. Nothing may be called after it."""
        self.store.close()

    # --- accounts ---

    def open(
        self,
        id: str,
        venue: str,
        kind: InstrumentKind,
        terms: TermsTable,
        initial: Mapping[str, Decimal],
    ) -> Book:
        """An account's books; they are created with `initial` the first time. Raises Refused when
        the id belongs to another venue."""
        if id in self._books:
            return self._books[id]
        known = {name: (place, sort) for name, place, sort in self.store.accounts()}
        if id not in known:
            self.store.add_account(id, venue, kind, dict(initial))
        elif known[id] != (venue, kind):
            raise Refused(
                Reason.FIELD_INVALID,
                f"paper account {id!r} is of venue {known[id][0]!r}: give this one another name",
                {"account": id, "venue": known[id][0]},
            )
        book = Book(id, venue, kind, terms)
        self._books[id] = book
        self._fill_book(book, self._waiting.pop(id, []))
        return book

    def books(self) -> list[Book]:
        """All accounts that are open, in the order in which they were opened."""
        return list(self._books.values())

    def book(self, account: str) -> Book:
        """Raises Refused for an account that is not open; sqlite3.Error while the file that
        memory has to be read back from cannot be read."""
        if self._broken:
            self._recover()
        book = self._books.get(account)
        if book is None:
            raise Refused(Reason.ACCOUNT_NOT_FOUND, f"there is no paper account {account!r}")
        return book

    def order(self, number: int) -> OpenOrder:
        """An open order by its number."""
        return self._by_number[number]

    # --- one command ---

    @contextmanager
    def command(self) -> Iterator[None]:
        """Everything inside is one transaction, written at the end and told afterwards."""
        if self._broken:
            self._recover()
        try:
            yield
            self._commit()
        except sqlite3.Error as error:
            self._recover()
            raise Unconfirmed(
                Reason.VENUE_UNAVAILABLE,
                "the paper exchange could not write its file: check the disk, then query the order",
                {"venue_message": str(error)},
            ) from error
        except CambistError:
            if self._batch != Batch():
                self._recover()
            self._untouch()
            raise
        except BaseException:
            self._recover()
            raise
        self._deliver()

    def admit(self, request: OrderRequest, active: bool) -> OpenOrder:
        """A new open order."""
        self.counters.number += 1
        now, number = self.now(), self.counters.number
        order = OpenOrder(number, request, number, now, now, active=active)
        self.book(request.account).orders[request.client_order_id] = order
        self._by_number[number] = order
        self._batch.orders[number] = order
        return order

    def withdraw(self, order: OpenOrder) -> None:
        """Undoes `admit`, for an order that is refused without any effect."""
        del self.book(order.request.account).orders[order.request.client_order_id]
        del self._by_number[order.number]
        del self._batch.orders[order.number]

    def execute(
        self,
        order: OpenOrder,
        price: Decimal,
        quantity: Decimal,
        liquidity: Liquidity,
        trade_id: str,
        details: dict[str, str] | None = None,
        rate: Decimal | None = None,
    ) -> None:
        """Books one trade of an order; the order is final when nothing is left of it."""
        request, book = order.request, self.book(order.request.account)
        terms = book.terms.of(request.instrument)
        if rate is None:
            rate = terms.maker if liquidity is Liquidity.MAKER else terms.taker
        was_held = order.held
        book.ledger.unhold(order)
        charge = book.ledger.settle(request.instrument, request.side, price, quantity, rate)
        order.filled += quantity
        order.notional += price * quantity
        order.status = OrderStatus.PARTIALLY_FILLED
        order.update_time = self.now()
        self._batch.orders[order.number] = order
        fill = Fill(
            trade_id=trade_id,
            venue=book.venue,
            account=book.id,
            instrument=request.instrument,
            client_order_id=request.client_order_id,
            venue_order_id=str(order.number),
            side=request.side,
            price=price,
            quantity=quantity,
            fee=charge.amount,
            fee_asset=charge.asset,
            liquidity=liquidity,
            event_time=order.update_time,
            details=details or {},
        )
        self._batch.fills.append(fill)
        self._outbox.append((book, fill))
        if not order.remaining:
            self._close(order, OrderStatus.FILLED, "")
        elif was_held:
            book.ledger.hold(order)

    def finish(self, order: OpenOrder, status: OrderStatus, reason: str) -> None:
        """Ends an order that is not filled whole."""
        self.book(order.request.account).ledger.unhold(order)
        order.update_time = self.now()
        self._close(order, status, reason)

    def hold(self, order: OpenOrder) -> None:
        """Counts the reservation of an order that rests."""
        self.book(order.request.account).ledger.hold(order)
        self._batch.orders[order.number] = order

    def amend(
        self, order: OpenOrder, quantity: Decimal, price: Decimal | None, requeue: bool
    ) -> None:
        """Changes an open order's whole quantity and price."""
        ledger, held = self.book(order.request.account).ledger, order.held
        ledger.unhold(order)
        order.request = replace(order.request, quantity=quantity, price=price)
        order.update_time = self.now()
        if requeue:
            self.counters.number += 1
            order.priority = self.counters.number
            orders = self.book(order.request.account).orders  # in order of priority, as loaded
            orders[order.request.client_order_id] = orders.pop(order.request.client_order_id)
        if held:
            ledger.hold(order)
        self._batch.orders[order.number] = order

    def next_trade_id(self) -> str:
        """Unique for ever."""
        self.counters.trade += 1
        return str(self.counters.trade)

    def save_simulation(self, tick: int, markets: str) -> None:
        """Where the market stands, written with this command."""
        self._batch.simulation = (tick, markets)

    # --- perpetuals ---

    def pay_funding(self, instrument: str, rate: Decimal, time: int, book: Book) -> None:
        """What a position pays (rate above 0 and long) or receives at a funding time, at mark."""
        if book.margin is None or not book.margin.holding(instrument).quantity:
            return
        holding, asset = book.margin.holding(instrument), assets(instrument)[1]
        amount = -holding.quantity * holding.mark * rate
        book.margin.pay(asset, amount)
        payment = FundingPayment(
            book.id, book.venue, instrument, f"{instrument}-{time}", amount, asset, rate, self.now()
        )
        self._batch.payments.append(payment)
        self._outbox.append((book, payment))

    def liquidate(self, book: Book, holding: Holding) -> OpenOrder:
        """Closes a position at mark, for the liquidation fee, by an order of the venue's own."""
        terms = book.terms.of(holding.instrument)
        quantity = abs(holding.quantity)
        trade_id = self.next_trade_id()
        request = OrderRequest(
            client_order_id=f"LIQUIDATION-{trade_id}",
            account=book.id,
            venue=book.venue,
            instrument=holding.instrument,
            side=Side.SELL if holding.quantity > 0 else Side.BUY,
            type=OrderType.MARKET,
            quantity=quantity,
            time_in_force=TimeInForce.IOC,
            reduce_only=True,
        )
        order = self.admit(request, active=True)
        order.reason = "liquidation: the margin fell below maintenance"
        self.execute(
            order,
            holding.mark,
            quantity,
            Liquidity.TAKER,
            trade_id,
            {"liquidation": "true"},
            terms.liquidation_fee,
        )
        return order

    def cover(self, book: Book) -> None:
        """A balance below zero with no position left is taken over by the insurance fund."""
        if book.margin is None:
            return
        for asset, total in book.margin.totals.items():
            if total < 0 and not book.margin.maintenance(asset):
                book.margin.pay(asset, -total)

    # --- inside ---

    def _close(self, order: OpenOrder, status: OrderStatus, reason: str) -> None:
        order.status = status
        order.reason = reason or order.reason
        del self.book(order.request.account).orders[order.request.client_order_id]
        del self._by_number[order.number]
        self._batch.orders[order.number] = order

    def _commit(self) -> None:
        batch, now = self._batch, self.now()
        for order in batch.orders.values():
            self._outbox.append((self.book(order.request.account), report_of(order)))
        for book in self._books.values():
            ledger = book.ledger
            for asset in sorted(ledger.touched):
                batch.balances.append((book.id, asset, ledger.totals.get(asset, ZERO)))
                self._outbox.append((book, book.balance(asset, now)))
            for instrument in sorted(ledger.moved):
                if book.margin is not None:
                    holding = book.margin.holding(instrument)
                    batch.holdings.append((book.id, holding))
                    self._outbox.append((book, book.position(holding, now)))
        if batch != Batch():
            self.store.write(batch, self.counters)
        self._batch = Batch()
        self._untouch()

    def _untouch(self) -> None:
        for book in self._books.values():
            book.ledger.touched.clear()
            book.ledger.moved.clear()

    def _deliver(self) -> None:
        outbox, self._outbox = self._outbox, []
        for book, report in outbox:
            if book.sink is not None:
                try:
                    book.sink(report)
                except Exception:  # noqa: BLE001 - the reader's fault, and it is in the file
                    _log.exception("the sink of paper account %s failed", book.id)

    def _recover(self) -> None:
        """Reads memory back from the file. If that fails too, the next call tries again first."""
        self._broken = True
        self._outbox = []
        self._load()
        self._broken = False
        try:
            for rebuild in self._reloaded:
                rebuild()
        except BaseException:
            self._broken = True
            raise

    def _load(self) -> None:
        self._batch = Batch()
        self.counters = self.store.counters()
        self._by_number = {}
        self._waiting = {}
        for order in self.store.open_orders():
            self._waiting.setdefault(order.request.account, []).append(order)
        for book in self._books.values():
            self._fill_book(book, self._waiting.pop(book.id, []))

    def _fill_book(self, book: Book, orders: list[OpenOrder]) -> None:
        book.load(self.store.balances(book.id), self.store.holdings(book.id))
        for order in orders:
            book.orders[order.request.client_order_id] = order
            self._by_number[order.number] = order
            book.ledger.hold(order)
        book.ledger.touched.clear()
