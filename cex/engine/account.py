"""The private side of an exchange: one set of credentials. Implements core.ports.Account."""

from collections.abc import Sequence
from decimal import Decimal

from cex.engine import checks, commands, outcome
from cex.engine.commands import Command, Reports
from cex.engine.condition import Conditions
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.order_entry import EntryStream, OrderLine
from cex.engine.user_stream import UserStream
from core.accounts import Balance, FeeRates, Position
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
        self._sink: AccountSink | None = None
        self._stream: UserStream | None = None
        self._entry: EntryStream | None = None
        self._line: OrderLine | None = None
        self._balances: dict[str, Balance] = {}

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
        """See core.ports.Account. The stream connects once the market is loaded."""
        self._sink = sink
        if self._stream is None:
            self._conditions.set("stream", Health.STARTING, "connecting")
            self._stream = UserStream(
                self._id,
                self._market,
                self._spec.private,
                self._credentials,
                self._conditions,
                self._tell,
            )
            self._stream.connection.start()
            self._open_line(self._stream)

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
        if self._stream is not None:
            await self._stream.connection.stop()
            self._stream = None
        self._sink = None

    async def check(self, request: OrderRequest) -> None:
        """See core.ports.Account."""
        instrument = self._market.instrument(request.instrument)
        checks.rules(self._spec, request, instrument)
        await self._check_balance(request, instrument)

    async def place(self, request: OrderRequest) -> OrderReport:
        """See core.ports.Account. Fills that come with the reply go to the sink."""
        instrument = self._market.instrument(request.instrument)
        checks.rules(self._spec, request, instrument)
        checks.clock(self._spec, self._market.offset)
        bound = await self._bound(request, instrument)
        reports = await self._mutate(commands.Place(request, instrument, bound))
        return self._settle(reports, request.client_order_id)

    async def cancel(self, order: Order) -> OrderReport:
        """See core.ports.Account."""
        instrument = self._market.instrument(order.request.instrument)
        reports = await self._mutate(commands.Cancel(order, instrument))
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
        more = self._market.caller.operation(commands.GetOrder(order, instrument)).more
        command: commands.GetOrder | None = commands.GetOrder(order, instrument)
        while command is not None:
            try:
                report = await self._read(command)
            except CambistError as error:
                if error.reason is not Reason.ORDER_NOT_FOUND:
                    raise
                report = None
            if report:
                return report
            command = more(command, report) if more else None
        return None

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
        found = await self._read(commands.GetBalances())
        self._balances = {balance.asset: balance for balance in found}
        return found

    async def positions(self) -> Sequence[Position]:
        """See core.ports.Account. A spot account has none."""
        if self._spec.kind is VenueKind.SPOT:
            return ()
        command = commands.GetPositions()
        return await self._market.caller.pages(command, self._scope, self._credentials)

    async def fee_rates(self, instrument: Instrument) -> FeeRates:
        """See core.ports.Account."""
        return await self._read(commands.GetFees(instrument))

    # -- core.ports.Leveraged ----------------------------------------------------------------------

    async def set_leverage(self, instrument: Instrument, leverage: Decimal) -> None:
        """See core.ports.Leveraged."""
        checks.clock(self._spec, self._market.offset)
        command = commands.SetLeverage(instrument, leverage)
        await self._market.caller.call(command, self._scope, self._credentials)

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
            found = [
                (order, self._market.instrument(order.request.instrument))
                for order in await self.open_orders()
                if instrument in (None, order.request.instrument)
            ]
            starts = range(0, len(found), size)
            return [commands.CancelOrders(found[start : start + size]) for start in starts]
        if instrument is not None:
            return [commands.CancelAll(self._market.instrument(instrument))]
        if not self._spec.cancel_all_by_instrument:
            return [commands.CancelAll(None)]
        ids = {order.request.instrument for order in await self.open_orders()}
        return [commands.CancelAll(self._market.instrument(name)) for name in sorted(ids)]

    async def _cancel_some(self, command: Command[Reports]) -> list[OrderReport]:
        try:
            reports = await self._mutate(command)
        except Rejected as error:
            if error.reason in (Reason.ORDER_NOT_FOUND, Reason.ORDER_FINAL):
                return []  # there was nothing to cancel
            raise
        return [report for report in reports if isinstance(report, OrderReport)]

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
