"""The private side of an exchange: one set of credentials. Implements core.ports.Account."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from cex.engine import batches, checks, commands, outcome
from cex.engine.commands import Command, Reports
from cex.engine.condition import Conditions
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.messages import Failure
from cex.engine.modes import Modes
from cex.engine.order_entry import EntryStream, OrderLine
from cex.engine.user_stream import Joined, UserStream
from core.accounts import (
    Balance,
    FeeRates,
    FundingPayment,
    MarginMode,
    Position,
    PositionMode,
)
from core.errors import CambistError, Reason, Refused, Rejected
from core.ids import ClientIdRule
from core.instruments import Instrument
from core.money import ZERO, text
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderType
from core.ports import AccountReport, AccountSink, Condition, Health, VenueKind


class ExchangeAccount:
    """One account at one exchange. Keeps no order state; remembers balances, to check orders."""

    def __init__(self, id: str, market: ExchangeVenue, credentials: Credentials) -> None:
        """Raises Refused when the venue needs a credential that is missing."""
        for name in sorted(market.spec.credentials):
            if not getattr(credentials, name):
                raise Refused(
                    Reason.FIELD_REQUIRED,
                    f"an account at {market.spec.name} needs {name.replace('_', ' ')}",
                    {"venue": market.spec.id, "field": name},
                )
        self._id = id
        self._market = market
        self._spec = market.spec
        self._credentials = credentials
        self._conditions = Conditions(market.clock)
        self._scope = market.scope(id)
        market.metered(credentials, id)
        self._sink: AccountSink | None = None
        self._streams: list[UserStream] = []
        self._entry: EntryStream | None = None
        self._line: OrderLine | None = None
        self._balances: dict[str, Balance] = {}
        self._modes = Modes(market.spec, self._read)

    # -- core.ports.Account ------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """See core.ports.Account."""
        return self._id

    @property
    def venue(self) -> ExchangeVenue:
        """See core.ports.Account."""
        return self._market

    @property
    def condition(self) -> Condition:
        """See core.ports.Account."""
        return self._conditions.current

    @property
    def settle_time(self) -> int:
        """See core.ports.Account."""
        return self._spec.settle_time

    @property
    def client_id_rule(self) -> ClientIdRule:
        """See core.ports.Account."""
        return self._spec.client_id

    async def start(self, sink: AccountSink) -> None:
        """See core.ports.Account. The streams connect once the market is loaded."""
        self._sink = sink
        if self._streams:
            return
        specs = [self._spec.private, *self._spec.private.beside]
        joined = Joined(len(specs), self._tell)
        for number, spec in enumerate(specs):
            name = f"stream {number + 1}" if number else "stream"
            self._conditions.set(name, Health.STARTING, "connecting")
            stream = UserStream(
                self._id,
                self._market,
                spec,
                self._credentials,
                self._conditions,
                joined.of(number),
                name,
            )
            stream.connection.start()
            self._streams.append(stream)
        self._open_line(self._streams[0])

    def _open_line(self, stream: UserStream) -> None:
        """Where the venue takes orders over a socket: the account's, or one more."""
        entry = self._spec.entry
        if entry is None:
            return
        owner: UserStream | EntryStream = stream
        if entry.stream is not None:
            owner = self._entry = EntryStream(
                self._id, self._market, entry.stream, self._credentials, self._conditions
            )
            self._entry.connection.start()
        self._line = OrderLine(entry, self._spec.operations, owner.connection, owner.session)

    async def stop(self) -> None:
        """See core.ports.Account."""
        self._line = None
        if self._entry is not None:
            await self._entry.connection.stop()
            self._entry = None
        for stream in self._streams:
            await stream.stop()
        self._streams.clear()
        self._sink = None

    async def check(self, request: OrderRequest) -> None:
        """See core.ports.Account."""
        instrument = self._market.instrument(request.instrument)
        checks.rules(self._spec, request, instrument)
        await self._check_balance(request, instrument)

    async def place(self, request: OrderRequest) -> OrderReport:
        """See core.ports.Account. Fills that come with the reply go to the sink."""
        reports = await self._place(await self._command(request))
        return self._settle(reports, request.client_order_id)

    async def place_many(
        self, requests: Sequence[OrderRequest]
    ) -> Sequence[OrderReport | CambistError]:
        """See core.ports.Batching."""
        orders: list[commands.Place | CambistError] = []
        for request in requests:
            try:
                orders.append(await self._command(request))
            except CambistError as error:
                orders.append(error)
        found = await batches.place(self._spec, orders, self._place, self._place_batch)
        outcomes: list[OrderReport | CambistError] = []
        for request, one in zip(requests, found, strict=True):
            if isinstance(one, CambistError):
                outcomes.append(one)
                continue
            try:
                outcomes.append(self._settle(one, request.client_order_id))
            except CambistError as error:
                outcomes.append(error)
        return outcomes

    async def _command(self, request: OrderRequest) -> commands.Place:
        """What places an order; raises Refused."""
        instrument = self._market.instrument(request.instrument)
        checks.rules(self._spec, request, instrument)
        checks.clock(self._spec, self._market.offset)
        bound = await self._bound(request, instrument)
        position, margin = await self._modes.of(request)
        return commands.Place(request, instrument, bound, position, margin)

    async def _place(self, command: commands.Place) -> Reports:
        try:
            return await self._mutate(command)
        except Rejected as error:
            self._modes.doubt(error.reason)
            raise

    async def _place_batch(self, command: commands.PlaceOrders) -> Sequence[Reports | Failure]:
        """A failure's words without our secrets."""
        answers = await self._market.caller.call(
            command, self._scope, self._credentials, effects=self._tell, line=self._line
        )
        redact = self._credentials.redact
        for one in answers:
            if isinstance(one, Failure):
                self._modes.doubt(outcome.rule_for(self._spec, one).reason)
        return [
            Failure(one.code, redact(one.text)) if isinstance(one, Failure) else one
            for one in answers
        ]

    async def preview(self, request: OrderRequest) -> None:
        """See core.ports.Previewing. Says nothing where the venue cannot be asked."""
        if commands.Preview not in self._spec.operations:
            return
        instrument = self._market.instrument(request.instrument)
        try:
            await self._read(commands.Preview(request, instrument))
        except CambistError as error:
            raise Refused(error.reason, error.message, error.metadata, error.retry_after) from None

    async def cancel(self, order: Order) -> OrderReport:
        """See core.ports.Account."""
        instrument = self._market.instrument(order.request.instrument)
        reports = await self._mutate(commands.Cancel(await self._numbered(order), instrument))
        return self._settle(reports, order.client_order_id)

    async def cancel_all(self, instrument: str | None) -> Sequence[OrderReport]:
        """See core.ports.Account. Where the venue cancels by instrument only, or takes a list of
        orders, what is open is asked for first, and the first failure ends the round: a clean no
        only while nothing is canceled."""
        canceled: list[OrderReport] = []
        for command in await self._cancels(instrument):
            try:
                canceled.extend(await self._cancel_some(command))
            except (Refused, Rejected) as error:
                if not canceled:
                    raise
                for report in canceled:
                    self._tell(report)
                why = f"{len(canceled)} orders were canceled, then: {error.message}"
                raise outcome.unconfirmed(self._spec, why, error.metadata) from None
        return canceled

    async def replace(
        self, order: Order, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> OrderReport:
        """See core.ports.Account. `quantity` is the whole, what is filled included.

        A smaller quantity at the same price keeps the order and its place in the queue where the
        venue can do that. Otherwise the venue cancels and places in one request: the old order's
        report goes to the sink. Rejected after the old order was canceled says so in the metadata
        (`replaced: canceled`).
        """
        instrument = self._market.instrument(order.request.instrument)
        checks.change(order, instrument, quantity, price)
        checks.clock(self._spec, self._market.offset)
        order = await self._numbered(order)
        smaller = quantity < order.request.quantity and price == order.request.price
        if smaller and commands.Amend in self._spec.operations:
            try:
                reports = await self._mutate(commands.Amend(order, instrument, quantity))
                return self._settle(reports, order.client_order_id)
            except Rejected as error:
                if error.reason is not Reason.UNSUPPORTED_BY_VENUE:
                    raise
        command = commands.Replace(order, instrument, quantity, price, client_order_id)
        if self._spec.replaces_in_place:
            return self._settle(await self._mutate(command), order.client_order_id)
        checks.breach(instrument, quantity - order.filled_quantity, price)
        return self._settle(await self._mutate(command), client_order_id)

    async def query(self, order: Order) -> OrderReport | None:
        """See core.ports.Account."""
        instrument = self._market.instrument(order.request.instrument)
        operation = self._market.caller.operation(commands.GetOrder(order, instrument))
        command: commands.GetOrder | None = commands.GetOrder(order, instrument)
        known: OrderReport | None = None
        while command is not None:
            try:
                report = await self._read(command)
            except CambistError as error:
                if error.reason is not Reason.ORDER_NOT_FOUND:
                    raise
                report = None
            known = report or known
            ask = operation.better if report else operation.more
            command = ask(command, report) if ask else None
        return known

    async def open_orders(self) -> Sequence[Order]:
        """See core.ports.Account."""
        command = commands.ListOpenOrders()
        return await self._market.caller.pages(command, self._scope, self._credentials)

    async def fills(self, instrument: str, since: int) -> Sequence[Fill]:
        """See core.ports.Account."""
        command = commands.ListFills(
            self._market.instrument(instrument), since, self._market.offset.now()
        )
        found = await self._market.caller.pages(command, self._scope, self._credentials)
        # Pages may overlap where a venue's windows do, and some venues begin with the newest.
        distinct = {fill.trade_id: fill for fill in found}.values()
        return sorted(distinct, key=lambda fill: fill.event_time)

    async def balances(self) -> Sequence[Balance]:
        """See core.ports.Account."""
        command = commands.GetBalances()
        found = await self._market.caller.pages(command, self._scope, self._credentials)
        self._balances = {balance.asset: balance for balance in found}
        return found

    async def positions(self) -> Sequence[Position]:
        """See core.ports.Account. A spot account has none."""
        if self._spec.kind is VenueKind.SPOT:
            return ()
        command = commands.GetPositions()
        found = await self._market.caller.pages(command, self._scope, self._credentials)
        for position in found:
            self._modes.seen(position)
        return found

    async def fee_rates(self, instrument: Instrument) -> FeeRates:
        """See core.ports.Account."""
        return await self._read(commands.GetFees(instrument))

    # -- core.ports.Leveraged ----------------------------------------------------------------------

    async def set_leverage(self, instrument: Instrument, leverage: Decimal) -> None:
        """See core.ports.Leveraged."""
        checks.clock(self._spec, self._market.offset)
        await self._modes.set_leverage(instrument, leverage)

    # -- core.ports.Moded --------------------------------------------------------------------------

    async def set_margin_mode(self, instrument: Instrument, mode: MarginMode) -> None:
        """See core.ports.Moded."""
        checks.clock(self._spec, self._market.offset)
        await self._modes.set_margin(instrument, mode)

    async def set_position_mode(self, mode: PositionMode) -> None:
        """See core.ports.Moded."""
        checks.clock(self._spec, self._market.offset)
        await self._modes.set_position(mode)

    # -- core.ports.Funded -------------------------------------------------------------------------

    async def funding_payments(self, since: int) -> Sequence[FundingPayment]:
        """See core.ports.Funded. Empty where the venue cannot be asked."""
        if commands.ListFundingPayments not in self._spec.operations:
            return ()
        command = commands.ListFundingPayments(since, now=self._market.offset.now())
        found = await self._market.caller.pages(command, self._scope, self._credentials)
        return sorted(found, key=lambda payment: payment.event_time)

    # ----------------------------------------------------------------------------------------------

    async def _bound(self, request: OrderRequest, instrument: Instrument) -> Decimal | None:
        """The worst price of a market order, where the venue takes none without one."""
        if request.type is not OrderType.MARKET or request.side not in self._spec.bounded:
            return None
        try:
            book = await self._market.order_book(instrument, 1)
        except CambistError as error:
            raise Refused(error.reason, error.message, error.metadata, error.retry_after) from None
        return checks.bound(request, instrument, book)

    async def _numbered(self, order: Order) -> Order:
        """The order with the venue's id, asked for where only that names it and a place was left
        unanswered. Nothing was sent when this raises."""
        if order.venue_order_id or not self._spec.by_venue_id:
            return order
        try:
            report = await self.query(order)
        except CambistError as error:
            raise Refused(error.reason, error.message, error.metadata, error.retry_after) from None
        if report is None or not report.venue_order_id:
            raise Rejected(
                Reason.ORDER_NOT_FOUND,
                f"{self._spec.name} does not know order {order.client_order_id}",
                {"venue": self._spec.id},
            )
        self._tell(report)
        return replace(order, venue_order_id=report.venue_order_id)

    async def _read(self, command: Command[commands.V_co]) -> commands.V_co:
        return await self._market.caller.call(command, self._scope, self._credentials)

    async def _mutate(self, command: Command[Reports]) -> Reports:
        return await self._market.caller.call(
            command, self._scope, self._credentials, effects=self._tell, line=self._line
        )

    async def _cancels(self, instrument: str | None) -> Sequence[Command[Reports]]:
        """What to send in order to cancel all."""
        size = self._spec.cancel_batch
        if size:
            groups: dict[Any, list[tuple[Order, Instrument]]] = {}
            for order in await self.open_orders():
                if instrument in (None, order.request.instrument):
                    found = self._market.instrument(order.request.instrument)
                    groups.setdefault(self._spec.cancel_group(order), []).append((order, found))
            sizes = {key: size if isinstance(size, int) else size[key] for key in groups}
            return [
                commands.CancelOrders(group[start : start + sizes[key]])
                for key, group in groups.items()
                for start in range(0, len(group), sizes[key])
            ]
        if instrument is not None:
            return [commands.CancelAll(self._market.instrument(instrument))]
        if not self._spec.cancel_all_by_instrument:
            return [commands.CancelAll(None)]
        ids = {order.request.instrument for order in await self.open_orders()}
        return [commands.CancelAll(self._market.instrument(name)) for name in sorted(ids)]

    async def _cancel_some(self, command: Command[Reports]) -> list[OrderReport]:
        """One command, and those that follow from it where orders are kept in several places."""
        found: list[OrderReport] = []
        following: Command[Reports] | None = command
        more = self._market.caller.operation(command).more
        while following is not None:
            reports: Reports = ()
            try:
                reports = await self._mutate(following)
            except (Refused, Rejected) as error:
                # Not found or final: there was nothing to cancel.
                if error.reason not in (Reason.ORDER_NOT_FOUND, Reason.ORDER_FINAL):
                    if following is command:
                        raise
                    raise outcome.unconfirmed(self._spec, error.message, error.metadata) from None
            found.extend(report for report in reports if isinstance(report, OrderReport))
            following = more(following, reports) if more else None
        return found

    def _settle(self, reports: Reports, client_order_id: str) -> OrderReport:
        """The report of the order that was asked about; everything else goes to the sink."""
        answer: OrderReport | None = None
        for report in reports:
            if isinstance(report, OrderReport) and report.client_order_id == client_order_id:
                answer = report
            else:
                self._tell(report)
        if answer is None:
            raise outcome.unconfirmed(self._spec, "its reply does not name the order")
        return answer

    def _tell(self, report: AccountReport) -> None:
        if isinstance(report, Balance):
            self._balances[report.asset] = report
        elif isinstance(report, Position):
            self._modes.seen(report)
        if self._sink is not None:
            self._sink(report)

    async def _check_balance(self, request: OrderRequest, instrument: Instrument) -> None:
        """Refuses what a fresh answer of the venue says cannot be paid.

        What we remember may lag behind a cancel, so that a shortage is looked at again before it
        counts.
        """
        need = checks.need(self._spec, request, instrument)
        if need is None:
            return
        asset, needed = need
        if self._available(asset) < needed:
            await self.balances()
        available = self._available(asset)
        if available < needed:
            raise Refused(
                Reason.INSUFFICIENT_BALANCE,
                f"the order needs {text(needed)} {asset}, {text(available)} is available",
                {"venue": self._spec.id, "asset": asset},
            )

    def _available(self, asset: str) -> Decimal:
        balance = self._balances.get(asset)
        return balance.available if balance is not None else ZERO
