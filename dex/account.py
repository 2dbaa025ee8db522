"""A wallet that trades on a pool venue, behind core.ports.Account.

An order is one transaction, whose intent is the client order id. The transaction log holds the
signed bytes before anything is broadcast, so what the log does not have was never sent: that is
the proof that `query` gives.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from core.accounts import Balance, FeeRates, Position
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.ids import ClientIdRule
from core.instruments import Instrument
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus
from core.ports import AccountSink, Condition, FeeOptions, Health, StreamState, TransactionLog
from core.tokens import Token
from core.transactions import Transaction
from dex import orders
from dex.holdings import Holdings
from dex.orders import SwapTerms
from dex.plans import SwapPlan
from dex.pools import PoolState
from dex.refusals import of_venue
from dex.settlement import Outcome, is_order, opened, order_details, order_of
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
        self._fees = fees
        depth = confirmations or venue.spec.deployment.confirmations
        self._settler = Settler(id, venue, self._address, transactions, depth)
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
        terms, state = self._terms(request)
        if isinstance(terms, SwapTerms):
            token, units = self._takes(terms, state)
            try:
                await self._venue.allowances.check_balance(self._address, token, units)
            except CambistError as error:
                raise _refused(error) from error

    async def place(self, request: OrderRequest) -> OrderReport:
        """EXPIRED, without a transaction, when nothing is to be had within the limit now."""
        intent = request.client_order_id
        if intent in self._placing:
            raise Refused(
                Reason.REQUEST_ID_REUSED, f"order {intent} is being placed", {"request_id": intent}
            )
        self._placing.add(intent)
        try:
            earlier = await self._swap_of(intent)
            if earlier is not None:
                return await self._report(earlier)
            terms, state = self._terms(request)
            if isinstance(terms, str):
                return OrderReport(
                    client_order_id=intent,
                    status=OrderStatus.EXPIRED,
                    filled_quantity=Decimal(0),
                    reason=f"nothing was sent: {terms}",
                    event_time=self._venue.clock.now(),
                )
            return opened(await self._send(request, terms, state))
        finally:
            self._placing.discard(intent)

    async def cancel(self, order: Order) -> OrderReport:
        """A swap on its way cannot be taken back by its order; it ends by itself, soon."""
        transaction = await self._swap_of(order.client_order_id)
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
        transaction = await self._swap_of(intent)
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

    def _terms(self, request: OrderRequest) -> tuple[SwapTerms | str, PoolState]:
        market = self._venue.finder.of_instrument(request.instrument)
        orders.check(request, market)
        state = self._venue.states.live(market)
        slippage = self._venue.spec.deployment.market_slippage
        with of_venue(self._venue.spec.id):
            return orders.terms(request, state, slippage), state

    def _takes(self, terms: SwapTerms, state: PoolState) -> tuple[Token, int]:
        """What the swap takes from the wallet at the present price."""
        if terms.exact_in:
            return state.market.base, terms.base_units
        return state.market.quote, terms.quoted

    def _plan(self, request: OrderRequest, terms: SwapTerms, state: PoolState) -> SwapPlan:
        market = state.market
        token_in, _ = self._takes(terms, state)
        token_out = market.quote if terms.exact_in else market.base
        return SwapPlan(
            sender=self._address,
            token_in=token_in,
            token_out=token_out,
            exact_in=terms.exact_in,
            exact=terms.base_units,
            limit=terms.guaranteed,
            path=(token_in.address, token_out.address),
            fees=(market.fee.pips,),
            price_limit=terms.price_limit,
            intent=request.client_order_id,
            deadline=self._venue.swapper.deadline(),
            measured=not self._venue.swapper.is_trusted(market),
            details=self._venue.swapper.details(market, token_in, token_out)
            | order_details(request, terms, state),
        )

    async def _send(self, request: OrderRequest, terms: SwapTerms, state: PoolState) -> Transaction:
        try:
            plan = self._plan(request, terms, state)
            return await self._venue.executor.send(plan, self._fees)
        except (Refused, Rejected, Unconfirmed):
            raise
        except CambistError as error:
            # The chain could not be asked; the log knows whether anything was signed before.
            transaction = await self._swap_of(request.client_order_id)
            if transaction is not None:
                return transaction
            raise _refused(error) from error

    async def _swap_of(self, intent: str) -> Transaction | None:
        """The intent's transaction: the one that is or may get in a block, else the last."""
        network = self._venue.network.info.id
        found = [
            one for one in await self._log.by_intent(network, intent) if self._settler.concerns(one)
        ]
        alive = [one for one in found if not self._settler.is_gone(one)]
        return (alive or found)[-1] if found else None

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


def _refused(error: CambistError) -> Refused:
    """A question that the chain did not answer, where nothing was sent."""
    if isinstance(error, Refused):
        return error
    message = f"nothing was sent: {error.message}"
    return Refused(error.reason, message, error.metadata, error.retry_after)
