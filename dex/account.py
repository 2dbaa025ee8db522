"""A wallet that trades on a pool venue, behind core.ports.Account.

An order is one transaction, whose intent is the client order id. The transaction log holds the
signed bytes before anything is broadcast, so what the log does not have was never sent: that is
the proof that `query` gives.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from core.accounts import Balance, FeeRates, Position
from core.errors import CambistError, Reason, Refused
from core.ids import ClientIdRule
from core.instruments import Instrument
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus
from core.ports import AccountSink, Condition, FeeOptions, Health, StreamState, TransactionLog
from core.transactions import Transaction
from dex.holdings import Holdings
from dex.orders import SwapTerms
from dex.placing import Placing, refused
from dex.settlement import Outcome, is_order, opened, order_of
from dex.settler import Settler
from dex.venue import PoolVenue

NORMAL_FEES = FeeOptions()
_AT_ONCE = 16  # receipts that are asked for together
_PULSE = 1.0  # float: seconds between looks at the chain's condition


class PoolAccount:
    """`address` is an unlocked wallet's. `fees` is how every order's transaction is priced.

    `confirmations`: how many blocks must hold a swap before it is told; None for the venue's.
    """

    def __init__(
        self,
        id: str,
        venue: PoolVenue,
        address: str,
        transactions: TransactionLog,
        fees: FeeOptions = NORMAL_FEES,
        confirmations: int | None = None,
    ) -> None:
        self._id = id
        self._venue = venue
        self._address = venue.lookup.address(address, "address")
        self._log = transactions
        depth = confirmations or venue.spec.deployment.confirmations
        self._settler = Settler(id, venue, self._address, transactions, depth)
        self._orders = Placing(venue, self._address, self._settler, transactions, fees)
        self._holdings = Holdings(id, venue, self._address)
        self._sink: AccountSink | None = None
        self._placing: set[str] = set()
        self._pulse: asyncio.Task[None] | None = None

    # -- what it is

    @property
    def id(self) -> str:
        return self._id

    @property
    def venue(self) -> PoolVenue:
        return self._venue

    @property
    def address(self) -> str:
        """The wallet's."""
        return self._address

    @property
    def condition(self) -> Condition:
        return self._venue.condition

    @property
    def settle_time(self) -> int:
        """Nothing: the log of transactions is our own, and complete at every moment."""
        return 0

    @property
    def client_id_rule(self) -> ClientIdRule:
        """Anything will do: the id stays in our own log and never goes to the chain."""
        return ClientIdRule()

    async def start(self, sink: AccountSink) -> None:
        self._sink = sink
        self._holdings.start(sink)
        await self._settler.start(self._tell)
        self._pulse = asyncio.create_task(self._watch_chain())

    async def stop(self) -> None:
        await self._settler.stop()
        await self._holdings.stop()
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.gather(self._pulse, return_exceptions=True)
        self._pulse = self._sink = None

    # -- orders

    async def check(self, request: OrderRequest) -> None:
        """Raises Refused; the balance is the chain's of now."""
        terms, state = self._orders.terms(request)
        if isinstance(terms, SwapTerms):
            token, units = self._orders.takes(terms, state)
            try:
                await self._venue.allowances.check_balance(self._address, token, units)
            except CambistError as error:
                raise refused(error) from error

    async def place(self, request: OrderRequest) -> OrderReport:
        """EXPIRED, without a transaction, when nothing is to be had within the limit now."""
        intent = request.client_order_id
        if intent in self._placing:
            raise Refused(
                Reason.REQUEST_ID_REUSED, f"order {intent} is being placed", {"request_id": intent}
            )
        self._placing.add(intent)
        try:
            earlier = await self._orders.swap_of(intent)
            if earlier is not None:
                return await self._report(earlier)
            terms, state = self._orders.terms(request)
            if isinstance(terms, str):
                return OrderReport(
                    client_order_id=intent,
                    status=OrderStatus.EXPIRED,
                    filled_quantity=Decimal(0),
                    reason=f"nothing was sent: {terms}",
                    event_time=self._venue.clock.now(),
                )
            return opened(await self._orders.send(request, terms, state))
        finally:
            self._placing.discard(intent)

    async def cancel(self, order: Order) -> OrderReport:
        """A swap on its way cannot be taken back by its order; it ends by itself, soon."""
        transaction = await self._orders.swap_of(order.client_order_id)
        if transaction is None:
            raise Refused(
                Reason.ORDER_NOT_FOUND,
                f"order {order.client_order_id} was never sent",
                {"order": order.client_order_id},
            )
        if self._settler.has_ended(transaction):
            return await self._report(transaction)
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            "a pool order is a swap that is on its way already; it executes or expires within "
            f"{self._venue.spec.deployment.lifetime // 1_000_000_000} s of being sent",
            {"venue": self._venue.spec.id, "capability": "cancel", "hash": transaction.hash},
        )

    async def cancel_all(self, instrument: str | None) -> Sequence[OrderReport]:
        """Nothing rests at a pool, so there is nothing to cancel: an empty list."""
        return []

    async def replace(
        self, order: Order, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> OrderReport:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            "a pool has no resting orders to change; send a new order",
            {"venue": self._venue.spec.id, "capability": "replace"},
        )

    async def query(self, order: Order) -> OrderReport | None:
        """None is proof: no transaction of the order was ever signed."""
        intent = order.client_order_id
        if intent in self._placing:
            return OrderReport(intent, OrderStatus.PENDING)
        transaction = await self._orders.swap_of(intent)
        return None if transaction is None else await self._report(transaction)

    async def open_orders(self) -> Sequence[Order]:
        pending = await self._log.pending(self._venue.network.info.id)
        return [
            order_of(one, self._id)
            for one in pending
            if self._settler.concerns(one) and is_order(one) and not self._settler.has_ended(one)
        ]

    async def fills(self, instrument: str, since: int) -> Sequence[Fill]:
        """Every swap of this wallet on the venue, whether an order or a quote sent it."""
        network = self._venue.network.info.id
        wanted = [
            transaction
            for transaction in await self._log.by_address(network, self._address, since)
            if self._settler.concerns(transaction)
            and transaction.details.get("instrument") == instrument
        ]
        found: list[Fill] = []
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            outcomes = await asyncio.gather(*map(self._outcome, part))
            found += [outcome.fill for outcome in outcomes if outcome.fill is not None]
        return sorted(found, key=lambda fill: fill.event_time)

    # -- what it has

    async def balances(self) -> Sequence[Balance]:
        """The native coin and every token of the list and of the venue's pools, in one read."""
        return await self._holdings.read()

    async def positions(self) -> Sequence[Position]:
        return []

    async def fee_rates(self, instrument: Instrument) -> FeeRates:
        """The pool's fee, which the prices of its book contain already."""
        market = self._venue.finder.of_instrument(instrument.id)
        fee = market.fee.fraction
        return FeeRates(self._id, self._venue.spec.id, instrument.id, maker=fee, taker=fee)

    # --

    async def _outcome(self, transaction: Transaction) -> Outcome:
        try:
            return await self._settler.outcome(transaction) or Outcome(None)
        except (KeyError, ValueError) as error:
            raise CambistError(
                Reason.VENUE_PROTOCOL_ERROR,
                f"the receipt of {transaction.hash} makes no sense: {error}",
                {"venue": self._venue.spec.id, "transaction": transaction.hash},
            ) from error

    async def _report(self, transaction: Transaction) -> OrderReport:
        """What is known of an order's transaction; a fill that was not told yet is told."""
        outcome = await self._outcome(transaction)
        if outcome.fill is not None and self._settler.claim(transaction):
            self._tell(outcome.fill)
        return outcome.report or opened(transaction)

    def _tell(self, report: OrderReport | Fill) -> None:
        if self._sink is None:
            return
        self._sink(report)
        if isinstance(report, Fill):
            market = self._venue.directory.of_instrument(report.instrument)
            if market is not None:
                self._holdings.traded(market)

    async def _watch_chain(self) -> None:
        """Tells when the chain is reached and when it is lost: the daemon reconciles then."""
        connected: bool | None = None
        while True:
            condition = self._venue.network.condition
            now = condition.health in (Health.READY, Health.DEGRADED)
            if now != connected and self._sink is not None:
                connected = now
                self._sink(StreamState(self._id, now, condition.reason))
            await asyncio.sleep(_PULSE if now else _PULSE / 4)
