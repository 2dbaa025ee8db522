"""The private side: what a paper account answers, and where its faults strike.

`BookAccount` answers from the clearing house for whichever executor matches the orders: the paper
exchange (`PaperAccount`) or a real venue's live book (`live_book.LiveBookAccount`).
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from cex.paper.book import Book, report_of
from cex.paper.clearing import Clearing
from cex.paper.exchange import PaperExchange
from cex.paper.faults import FaultKind, Faults
from cex.paper.rows import as_order
from core.accounts import Balance, FeeRates, FundingPayment, Position
from core.clock import SECOND
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind
from core.orders import Fill, Order, OrderReport, OrderRequest
from core.ports import (
    AccountReport,
    AccountSink,
    Condition,
    Health,
    StreamState,
    Venue,
    VenueKind,
)

_KINDS = {VenueKind.SPOT: InstrumentKind.SPOT, VenueKind.PERPETUAL: InstrumentKind.PERPETUAL}
T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]  # float: asyncio sleeps in seconds


class Executor(Protocol):
    """Who matches an account's orders. The commands are synchronous, and atomic."""

    async def prepare(self, instrument: str) -> None:
        """Makes sure that the instrument's market is at hand. Raises Refused."""
        ...

    def check(self, request: OrderRequest) -> None: ...

    def place(self, request: OrderRequest) -> OrderReport: ...

    def cancel(self, account: str, client_order_id: str) -> OrderReport: ...

    def cancel_all(self, account: str, instrument: str | None) -> list[OrderReport]: ...

    def replace(
        self, account: str, client_order_id: str, quantity: Decimal, price: Decimal
    ) -> OrderReport: ...


def kind_of(venue: Venue) -> InstrumentKind:
    """What an account on a venue trades. Raises Refused for pools."""
    kind = _KINDS.get(venue.info.kind)
    if kind is None:
        words = f"{venue.info.id} has no order book: paper accounts need one"
        raise Refused(Reason.UNSUPPORTED_BY_VENUE, words)
    return kind


class BookAccount:
    """An account whose books are kept by the clearing house; `core.ports.Account`."""

    paper = True  # pretended money

    def __init__(
        self,
        book: Book,
        venue: Venue,
        clearing: Clearing,
        executor: Executor,
        faults: Faults,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._book_id = book.id
        self._venue = venue
        self._clearing = clearing
        self._executor = executor
        self._faults = faults
        self._sleep = sleep
        self._sink: AccountSink | None = None
        self._connected = False

    # --- what it is ---

    @property
    def id(self) -> str:
        """The account's id."""
        return self._book_id

    @property
    def venue(self) -> Venue:
        """Where it trades."""
        return self._venue

    @property
    def condition(self) -> Condition:
        """The venue's, or DEGRADED while the private stream is down."""
        if self._sink is not None and not self._connected:
            return Condition(Health.DEGRADED, "the private stream is down", self._clearing.now())
        return self._venue.condition

    @property
    def settle_time(self) -> int:
        """A request takes effect at once or never."""
        return 0

    @property
    def client_id_rule(self) -> ClientIdRule:
        """No wishes, but at most `rules.MAX_CLIENT_ID` characters."""
        return ClientIdRule()

    # --- life ---

    async def start(self, sink: AccountSink) -> None:
        """Connects the private stream."""
        self._sink = sink
        self._book.sink = self._tell
        self._faults.listen(self._reconnect)
        self._reconnect()

    async def stop(self) -> None:
        """Ends the private stream; the orders stay."""
        self._faults.forget(self._reconnect)
        self._book.sink = None
        self._sink = None
        self._connected = False

    # --- commands ---

    async def check(self, request: OrderRequest) -> None:
        """What the venue would say now. Raises Refused."""
        self._own(request)
        await self._executor.prepare(request.instrument)
        _answer(lambda: self._executor.check(request))

    async def place(self, request: OrderRequest) -> OrderReport:
        """Sends an order."""
        self._own(request)
        await self._executor.prepare(request.instrument)
        return await self._mutate(
            "place", lambda: self._executor.place(request), request.instrument
        )

    async def cancel(self, order: Order) -> OrderReport:
        """Ends an order."""
        id = order.client_order_id
        return await self._mutate(
            "cancel", lambda: self._executor.cancel(self.id, id), order.request.instrument
        )

    async def cancel_all(self, instrument: str | None) -> Sequence[OrderReport]:
        """Ends all orders of an instrument, or of the account."""
        return await self._mutate(
            "cancel_all",
            lambda: self._executor.cancel_all(self.id, instrument),
            instrument or "",
        )

    async def replace(
        self, order: Order, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> OrderReport:
        """Changes whole quantity and price; the order keeps its ids (`client_order_id` is not
        needed here)."""
        del client_order_id
        await self._executor.prepare(order.request.instrument)
        id = order.client_order_id
        return await self._mutate(
            "replace",
            lambda: self._executor.replace(self.id, id, quantity, price),
            order.request.instrument,
        )

    async def set_leverage(self, instrument: Instrument, leverage: Decimal | int) -> None:
        """Changes a perpetual's leverage, a whole number. Raises Rejected with the reason."""
        await self._mutate(
            "set_leverage", lambda: self._set_leverage(instrument, leverage), instrument.id
        )

    # --- questions ---

    async def query(self, order: Order) -> OrderReport | None:
        """What the venue says of an order; None when it never took it."""
        instrument = order.request.instrument
        return await self._ask("query", lambda: self._find(order.client_order_id), instrument)

    async def open_orders(self) -> Sequence[Order]:
        """All open orders, oldest first."""
        return await self._ask(
            "open_orders", lambda: [as_order(order) for order in self._book.orders.values()]
        )

    async def fills(self, instrument: str, since: int) -> Sequence[Fill]:
        """From a time (ns) on, oldest first, complete."""
        store = self._clearing.store
        return await self._ask("fills", lambda: store.fills(self.id, instrument, since), instrument)

    async def funding_payments(self, since: int) -> Sequence[FundingPayment]:
        """From a time (ns) on, oldest first, complete."""
        return await self._ask("fills", lambda: self._clearing.store.payments(self.id, since))

    async def balances(self) -> Sequence[Balance]:
        """All assets that were ever held."""
        now = self._clearing.now()
        return await self._ask(
            "balances",
            lambda: [self._book.balance(asset, now) for asset in sorted(self._book.ledger.totals)],
        )

    async def positions(self) -> Sequence[Position]:
        """All positions that are not flat."""
        return await self._ask("positions", self._positions)

    async def fee_rates(self, instrument: Instrument) -> FeeRates:
        """Maker and taker rates."""
        id = instrument.id
        return await self._ask("fee_rates", lambda: self._fee_rates(id), id)

    # --- inside ---

    @property
    def _book(self) -> Book:
        return self._clearing.book(self._book_id)

    def _own(self, request: OrderRequest) -> None:
        if request.account != self.id or request.venue != self._venue.info.id:
            words = f"the order is for {request.account} on {request.venue}, not for {self.id}"
            raise Refused(Reason.FIELD_INVALID, words)

    def _positions(self) -> list[Position]:
        margin, now = self._book.margin, self._clearing.now()
        if margin is None:
            return []
        holdings = sorted(margin.holdings.values(), key=lambda holding: holding.instrument)
        return [self._book.position(holding, now) for holding in holdings if holding.quantity]

    def _fee_rates(self, instrument: str) -> FeeRates:
        terms = self._book.terms.of(instrument)
        return FeeRates(self.id, self._venue.info.id, instrument, terms.maker, terms.taker)

    def _find(self, client_order_id: str) -> OrderReport | None:
        order = self._book.orders.get(client_order_id)
        if order is not None:
            return report_of(order)
        final = self._clearing.store.order(self.id, client_order_id)
        return None if final is None else report_of(final)

    def _set_leverage(self, instrument: Instrument, leverage: Decimal | int) -> None:
        margin = self._book.margin
        if margin is None:
            raise Rejected(Reason.UNSUPPORTED_BY_VENUE, "a spot account has no leverage")
        most = self._book.terms.of(instrument.id).max_leverage
        if not 1 <= leverage <= most or leverage != int(leverage):
            raise Rejected(
                Reason.ORDER_RULE_BROKEN, f"leverage must be a whole number from 1 to {most}"
            )
        with self._clearing.command():
            short = margin.set_leverage(instrument.id, int(leverage))
            if short is not None:
                raise Rejected(Reason.INSUFFICIENT_BALANCE, short)

    # --- faults ---

    async def _mutate(self, operation: str, action: Callable[[], T], instrument: str) -> T:
        await self._before(operation, instrument)
        try:
            return _answer(action)
        finally:
            if self._take(FaultKind.TIMEOUT_AFTER_EFFECT, operation, instrument):
                raise Unconfirmed(
                    Reason.OUTCOME_UNKNOWN, f"the answer to {operation} did not come in time"
                )

    async def _ask(self, operation: str, question: Callable[[], T], instrument: str = "") -> T:
        await self._before(operation, instrument)
        return _answer(question)

    async def _before(self, operation: str, instrument: str) -> None:
        """What can go wrong before a request reaches the venue's books."""
        where = (self._venue.info.id, self.id, operation, instrument)
        fault = self._faults.take(FaultKind.DELAY, *where)
        if fault is not None:
            await self._sleep(fault.delay / SECOND)  # float: asyncio sleeps in seconds
        fault = self._faults.take(FaultKind.RATE_LIMIT, *where)
        if fault is not None:
            raise Refused(  # as a limiter does: proof of no effect, and it may be tried again
                Reason.RATE_LIMITED,
                f"too many requests: try again in {fault.retry_after / SECOND} s",
                {"venue_code": "429"},
                fault.retry_after,
            )
        if self._take(FaultKind.TIMEOUT_WITHOUT_EFFECT, operation, instrument):
            words = f"no answer to {operation} in time"
            raise Unconfirmed(Reason.OUTCOME_UNKNOWN, words)

    def _take(self, kind: FaultKind, operation: str = "", instrument: str = "") -> bool:
        found = self._faults.take(kind, self._venue.info.id, self.id, operation, instrument)
        return found is not None

    def _reconnect(self) -> None:
        """Tells when the private stream breaks or comes back; called when faults change."""
        down = self._faults.has(FaultKind.DISCONNECT, self._venue.info.id, self.id)
        if self._sink is None or self._connected == (not down):
            return
        self._connected = not down
        self._sink(StreamState(self.id, self._connected, "simulated disconnect" if down else ""))

    def _tell(self, report: AccountReport) -> None:
        """Passes a report on, unless a fault swallows it."""
        sink = self._sink
        if sink is None or self._take(FaultKind.DISCONNECT):
            return
        if isinstance(report, Fill) and self._take(
            FaultKind.DROP_FILL, instrument=report.instrument
        ):
            return
        sink(report)
        if self._take(FaultKind.DUPLICATE_REPORT):
            sink(report)


def _answer(question: Callable[[], T]) -> T:
    """A file that cannot be read or written is a venue that does not answer: no proof of
    anything."""
    try:
        return question()
    except sqlite3.Error as error:
        raise Unconfirmed(
            Reason.VENUE_UNAVAILABLE,
            "the paper venue cannot use its file: check the disk, then ask again",
            {"venue_message": str(error)},
        ) from error


class _ExchangeExecutor:
    """The paper exchange as an executor: its markets are always at hand."""

    def __init__(self, exchange: PaperExchange) -> None:
        self.check = exchange.check
        self.place = exchange.place
        self.cancel = exchange.cancel
        self.cancel_all = exchange.cancel_all
        self.replace = exchange.replace

    async def prepare(self, instrument: str) -> None:
        del instrument


class PaperAccount(BookAccount):
    """An account of the paper exchange. `initial` balances are given when it is first created
    (None: `markets.INITIAL_BALANCES`), and ignored ever after."""

    def __init__(
        self,
        id: str,
        venue: Venue,
        exchange: PaperExchange,
        initial: Mapping[str, Decimal] | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        book = exchange.open_account(id, venue.info.id, kind_of(venue), initial)
        executor = _ExchangeExecutor(exchange)
        super().__init__(book, venue, exchange.clearing, executor, exchange.faults, sleep)
