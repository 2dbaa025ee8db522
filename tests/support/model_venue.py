"""A venue that does what a test says, true to core.ports.Account: late, lost, twice, out of order.

`ModelVenue` is the truth: it outlives the daemon's crashes. `ModelAccount` is one connection of the
daemon to it. Reports pile up in the outbox; the test delivers, repeats or drops them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from core.accounts import Balance, FeeRates, Position
from core.clock import SECOND, ManualClock
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind
from core.market import BookSnapshot, Candle, Funding, Ticker, Trade
from core.orders import (
    FINAL,
    Fill,
    Liquidity,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import (
    AccountReport,
    AccountSink,
    Capability,
    Channel,
    Condition,
    Feed,
    Health,
    MarketSink,
    StreamState,
    VenueInfo,
    VenueKind,
)

INSTRUMENT = Instrument(
    venue="model",
    id="BTC-USDT",
    venue_symbol="BTCUSDT",
    kind=InstrumentKind.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
)
CAPABILITIES = frozenset(
    {
        Capability.LIMIT,
        Capability.MARKET,
        Capability.REPLACE,
        Capability.CANCEL_ALL,
        Capability.FILLS,
        Capability.BALANCES,
    }
)
T = TypeVar("T")
SETTLE = 5 * SECOND
_DOWN = "the model venue does not answer"


def request(
    quantity: str = "1",
    price: str = "100",
    side: Side = Side.BUY,
    venue: str = "model",
    account: str = "main",
) -> OrderRequest:
    """A limit order, as a service hands it to the desk."""
    return OrderRequest(
        client_order_id="",
        account=account,
        venue=venue,
        instrument=INSTRUMENT.id,
        side=side,
        type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=Decimal(price),
        time_in_force=TimeInForce.GTC,
    )


@dataclass
class Truth:
    """An order as the venue has it."""

    request: OrderRequest
    venue_order_id: str
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    update_time: int = 0

    def report(self) -> OrderReport:
        """What the venue says of it now."""
        return OrderReport(
            client_order_id=self.request.client_order_id,
            status=self.status,
            venue_order_id=self.venue_order_id,
            filled_quantity=self.filled,
            filled_notional=self.notional,
            quantity=self.request.quantity,
            price=self.request.price,
            event_time=self.update_time,
        )

    def order(self) -> Order:
        """The same as a line of the list of open orders."""
        return Order(
            request=self.request,
            status=self.status,
            venue_order_id=self.venue_order_id,
            filled_quantity=self.filled,
            filled_notional=self.notional,
            update_time=self.update_time,
        )


@dataclass
class Late:
    """A request that is still on its way to the venue."""

    due: int
    effect: Callable[[], object]


@dataclass
class ModelVenue:
    """The truth. Implements core.ports.Venue as far as the desk uses it."""

    clock: ManualClock = field(default_factory=ManualClock)
    id: str = "model"
    kind: VenueKind = VenueKind.SPOT
    capabilities: frozenset[Capability] = CAPABILITIES
    replaces_in_place: bool = True
    settle_time: int = SETTLE
    orders: dict[str, Truth] = field(default_factory=dict)  # by client order id
    tape: list[Fill] = field(default_factory=list)
    outbox: deque[AccountReport] = field(default_factory=deque)
    late: list[Late] = field(default_factory=list)
    placed: list[OrderRequest] = field(default_factory=list)  # each that took effect
    sent: list[str] = field(default_factory=list)  # each call that left the daemon
    holdings: list[Balance] = field(default_factory=list)
    down: bool = False
    notes: set[str] = field(default_factory=set)  # what a test wants to remember
    killed: bool = False  # the daemon is dead: whoever calls never hears anything again
    _next: int = 0

    @property
    def info(self) -> VenueInfo:
        return VenueInfo(self.id, "Model", self.kind, self.capabilities)

    @property
    def condition(self) -> Condition:
        return Condition(Health.READY)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return {INSTRUMENT.id: replace(INSTRUMENT, venue=self.id)}

    # The truth's changes.

    def number(self) -> str:
        self._next += 1
        return str(self._next)

    def accept(self, request: OrderRequest) -> Truth:
        self.placed.append(request)
        truth = Truth(request, f"v{self.number()}", update_time=self.clock.now())
        self.orders[request.client_order_id] = truth
        self.outbox.append(truth.report())
        return truth

    def trade(self, client_order_id: str, quantity: Decimal) -> Fill:
        truth = self.orders[client_order_id]
        assert truth.request.price is not None
        truth.filled += quantity
        truth.notional += quantity * truth.request.price
        truth.update_time = self.clock.now()
        done = truth.filled >= truth.request.quantity
        truth.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        fill = Fill(
            trade_id=f"t{self.number()}",
            venue=self.id,
            account=truth.request.account,
            instrument=truth.request.instrument,
            client_order_id=client_order_id,
            venue_order_id=truth.venue_order_id,
            side=truth.request.side,
            price=truth.request.price,
            quantity=quantity,
            fee=Decimal("0.1"),
            fee_asset="USDT",
            liquidity=Liquidity.MAKER,
            event_time=self.clock.now(),
        )
        self.tape.append(fill)
        self.outbox.append(truth.report())
        self.outbox.append(fill)
        return fill

    def end(self, client_order_id: str, status: OrderStatus = OrderStatus.CANCELED) -> None:
        truth = self.orders.get(client_order_id)
        if truth is not None and truth.status not in FINAL:
            truth.status = status
            truth.update_time = self.clock.now()
            self.outbox.append(truth.report())

    def change(self, old: str, quantity: Decimal, price: Decimal, new: str) -> Truth:
        truth = self.orders[old]
        if self.replaces_in_place:
            truth.request = replace(truth.request, quantity=quantity, price=price)
            truth.update_time = self.clock.now()
            self.outbox.append(truth.report())
            return truth
        left = quantity - truth.filled
        self.end(old)
        request = replace(truth.request, client_order_id=new, quantity=left, price=price)
        return self.accept(request)

    def arrive(self) -> None:
        """What was late and is due takes effect."""
        due = [late for late in self.late if late.due <= self.clock.now()]
        self.late = [late for late in self.late if late not in due]
        for late in due:
            late.effect()

    def open(self) -> list[str]:
        return [id for id, truth in self.orders.items() if truth.status not in FINAL]

    # What core.ports.Venue has beside.

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> Feed:
        raise NotImplementedError

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        raise NotImplementedError

    async def ticker(self, instrument: Instrument) -> Ticker:
        raise NotImplementedError

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        raise NotImplementedError

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        raise NotImplementedError

    async def funding(self, instrument: Instrument) -> Funding:
        raise NotImplementedError


class ModelAccount:
    """One connection. `script` holds how the next commands go, "ok" when it is empty:

    ok; refuse (not sent); reject (proof of no effect); lose (no effect, no answer); timeout (an
    effect, no answer); late (an effect after a while, no answer); break (a bug: RuntimeError after
    the effect).
    """

    def __init__(self, venue: ModelVenue, id: str = "main") -> None:
        self._venue = venue
        self._id = id
        self._sink: AccountSink | None = None
        self.script: deque[str] = deque()
        self.gate: asyncio.Event | None = None  # commands wait here before they take effect
        self.query_gate: asyncio.Event | None = None  # answers of queries wait here

    @property
    def id(self) -> str:
        return self._id

    @property
    def venue(self) -> ModelVenue:
        return self._venue

    @property
    def condition(self) -> Condition:
        return Condition(Health.READY)

    @property
    def settle_time(self) -> int:
        return self._venue.settle_time

    @property
    def client_id_rule(self) -> ClientIdRule:
        return ClientIdRule()

    async def start(self, sink: AccountSink) -> None:
        self._sink = sink

    async def stop(self) -> None:
        self._sink = None

    # What the test makes the stream say.

    def tell(self, report: AccountReport) -> None:
        if self._sink is not None:
            self._sink(report)

    def connect(self, connected: bool = True) -> None:
        self.tell(StreamState(self._id, connected))

    def deliver(self) -> None:
        """Everything in the outbox, in order."""
        while self._venue.outbox:
            self.tell(self._venue.outbox.popleft())

    # Commands.

    async def check(self, request: OrderRequest) -> None:
        await self._alive()

    async def place(self, request: OrderRequest) -> OrderReport:
        truth = await self._command("place", lambda: self._venue.accept(request))
        return truth.report()

    async def cancel(self, order: Order) -> OrderReport:
        id = self._find(order)
        if id is None or self._venue.orders[id].status in FINAL:
            await self._alive()
            raise Rejected(Reason.ORDER_NOT_FOUND, "the model venue has no such open order")
        truth = await self._command("cancel", lambda: self._end(id))
        return truth.report()

    async def cancel_all(self, instrument: str | None) -> Sequence[OrderReport]:
        def effect() -> list[Truth]:
            return [self._end(id) for id in self._venue.open()]

        return [truth.report() for truth in await self._command("cancel_all", effect)]

    async def replace(
        self, order: Order, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> OrderReport:
        id = self._find(order)
        if id is None or self._venue.orders[id].status in FINAL:
            await self._alive()
            raise Rejected(Reason.ORDER_NOT_FOUND, "the model venue has no such open order")

        def effect() -> Truth:
            truth = self._venue.orders[id]
            if truth.status in FINAL or quantity <= truth.filled:
                raise Rejected(Reason.ORDER_REJECTED, "too late to replace")
            return self._venue.change(id, quantity, price, client_order_id)

        return (await self._command("replace", effect)).report()

    # Questions.

    async def query(self, order: Order) -> OrderReport | None:
        await self._up()
        id = self._find(order)
        answer = None if id is None else self._venue.orders[id].report()
        if self.query_gate is not None:
            await self.query_gate.wait()
        return answer

    async def open_orders(self) -> Sequence[Order]:
        await self._up()
        return [self._venue.orders[id].order() for id in self._venue.open()]

    async def fills(self, instrument: str, since: int) -> Sequence[Fill]:
        await self._up()
        return [
            fill
            for fill in self._venue.tape
            if fill.instrument == instrument and fill.event_time >= since
        ]

    async def balances(self) -> Sequence[Balance]:
        await self._up()
        return list(self._venue.holdings)

    async def positions(self) -> Sequence[Position]:
        await self._up()
        return []

    async def fee_rates(self, instrument: Instrument) -> FeeRates:
        raise NotImplementedError

    # --

    def _find(self, order: Order) -> str | None:
        if order.client_order_id:
            return order.client_order_id if order.client_order_id in self._venue.orders else None
        for id, truth in self._venue.orders.items():
            if truth.venue_order_id == order.venue_order_id:
                return id
        return None

    def _end(self, id: str) -> Truth:
        self._venue.end(id)
        return self._venue.orders[id]

    async def _alive(self) -> None:
        if self._venue.killed:
            await asyncio.Future()

    async def _up(self) -> None:
        await self._alive()
        await asyncio.sleep(0)
        if self._venue.down:
            raise CambistError(Reason.VENUE_UNAVAILABLE, _DOWN)

    async def _command(self, name: str, effect: Callable[[], T]) -> T:
        await self._alive()
        mode = self.script.popleft() if self.script else "ok"
        if mode == "refuse":
            raise Refused(Reason.RATE_LIMITED, "the model's limiter is used up")
        self._venue.sent.append(name)
        if self.gate is not None:
            await self.gate.wait()
        await self._alive()
        if mode == "reject":
            raise Rejected(Reason.ORDER_REJECTED, "the model venue does not like it")
        if mode == "lose" or self._venue.down:
            raise Unconfirmed(Reason.VENUE_UNAVAILABLE, _DOWN)
        if mode == "late":
            due = self._venue.clock.now() + self._venue.settle_time - 1
            self._venue.late.append(Late(due, lambda: self._quietly(effect)))
            raise Unconfirmed(Reason.VENUE_UNAVAILABLE, _DOWN)
        result = effect()
        if mode == "told":  # the stream is faster than the reply
            self.deliver()
            for _ in range(20):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self._alive()
        if mode == "timeout":
            raise Unconfirmed(Reason.VENUE_UNAVAILABLE, _DOWN)
        if mode == "break":
            raise RuntimeError("a bug in the account")
        return result

    @staticmethod
    def _quietly(effect: Callable[[], object]) -> None:
        try:
            effect()
        except Rejected:
            return  # nobody is there to hear it
