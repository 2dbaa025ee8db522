"""The desk: orders of all accounts, from the intent to the last fill.

Every command is idempotent by its request id, beyond what the journal's intents do: run again after
a crash it finds the order by the id and goes on from there. An order is journaled before it is
sent, under a client order id that follows from the request; what comes back is applied by
`core.orders.advance`, journaled, and told as events.

This is the face of the package; the work is done behind it, a file a matter.
"""

from collections.abc import Sequence
from decimal import Decimal

from core.accounts import FundingPayment
from core.clock import Clock
from core.errors import CambistError
from core.orders import Fill, OrderRequest
from core.ports import Account, Condition
from daemon.journal.journal import Journal
from daemon.journal.store import Filter
from daemon.trading import canceling, placing, queries, replacing
from daemon.trading.office import Directory, Office
from daemon.trading.queries import Step
from daemon.trading.settings import DeskSettings
from daemon.trading.state import OrderState


class Desk:
    """Orders in, events out. All methods belong to one event loop."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        clock: Clock,
        settings: DeskSettings | None = None,
    ) -> None:
        self._journal = journal
        self._office = Office(journal, directory, clock, settings or DeskSettings())

    @property
    def office(self) -> Office:
        """For those who watch over all accounts: the risk desk."""
        return self._office

    # Accounts.

    async def start(self) -> None:
        """Call once, when the journal is open."""
        self._journal.on_recovery(self._office.recheck)

    async def stop(self) -> None:
        """Takes nothing new and lets all accounts go."""
        await self._office.stop()

    async def open(self, account: Account) -> None:
        """Takes an account up: reads its orders from the journal, starts it, and reconciles it in
        the background. Until that is done trading on it is refused; cancels pass."""
        await self._office.open(account)

    async def close(self, account: Account) -> None:
        """Lets an account go; what is open at the venue stays open there."""
        await self._office.close(account)

    def condition(self, account: Account) -> Condition:
        """How an account is; trading is open when it is READY or DEGRADED."""
        return self._office.condition(account)

    async def reconcile(self, account: str, venue: str) -> bool:
        """Holds an account against its venue now; whether that came to its end."""
        return await self._office.station(account, venue).reconciler.reconcile()

    # Commands.

    async def place(
        self, request_id: str, request: OrderRequest, dry_run: bool = False
    ) -> OrderState:
        """Places an order; `request` comes with an empty client order id.

        The order as far as it is known: UNCONFIRMED, too, when the venue did not answer. Raises
        Refused when nothing was sent, and Rejected when the venue said no.
        """
        return await placing.place(self._office, request_id, request, dry_run)

    async def place_many(
        self, items: Sequence[tuple[str, OrderRequest]]
    ) -> list[OrderState | CambistError]:
        """Places orders of one account on one venue, each with its request id: by as few requests
        as the venue lets. What `place` would answer or raise for each, in their order."""
        return await placing.place_many(self._office, items)

    async def cancel(self, request_id: str, account: str, client_order_id: str) -> OrderState:
        """Asks the venue to end an order; the order after it. Raises ORDER_FINAL when there is
        nothing to end, and Unconfirmed when the venue did not answer: the daemon finds out."""
        return await canceling.cancel(self._office, request_id, account, client_order_id)

    async def cancel_all(
        self, request_id: str, account: str, venue: str, instrument: str = ""
    ) -> Sequence[OrderState]:
        """Asks the venue to end all open orders, or those of an instrument; what was open, after
        it. Raises Unconfirmed when the venue left any unanswered."""
        return await canceling.cancel_all(self._office, request_id, account, venue, instrument)

    async def replace(
        self,
        request_id: str,
        account: str,
        client_order_id: str,
        quantity: Decimal,
        price: Decimal,
        dry_run: bool = False,
    ) -> OrderState:
        """Changes an open order; `quantity` is the new whole, what is filled included. The order
        that is live afterwards: a new one where the venue makes a new one of it. Raises Unconfirmed
        when the venue did not answer: the daemon finds out."""
        return await replacing.replace_order(
            self._office, request_id, account, client_order_id, quantity, price, dry_run
        )

    # Questions.

    async def get(self, account: str, client_order_id: str) -> OrderState:
        """One order; raises ORDER_NOT_FOUND."""
        return await queries.get(self._office, account, client_order_id)

    async def of_request(self, account: str, request_id: str) -> OrderState:
        """The order that a request placed; raises ORDER_NOT_FOUND."""
        return await queries.of_request(self._office, account, request_id)

    async def list_orders(
        self,
        account: str = "",
        venue: str = "",
        instrument: str = "",
        open_only: bool = False,
        size: int = 100,
        before: str = "",
    ) -> tuple[Sequence[OrderState], str]:
        """A page, newest first, and what to give as `before` for the next ("" on the last); a
        filter that is empty leaves out nothing."""
        where = Filter(account, venue, instrument, open_only=open_only)
        return await queries.list_orders(self._office, where, size, before)

    async def list_fills(
        self,
        account: str = "",
        venue: str = "",
        instrument: str = "",
        client_order_id: str = "",
        size: int = 100,
        before: str = "",
    ) -> tuple[Sequence[Fill], str]:
        """The same of fills."""
        where = Filter(account, venue, instrument, client_order_id)
        return await queries.list_fills(self._office, where, size, before)

    async def list_funding_payments(
        self,
        account: str = "",
        venue: str = "",
        instrument: str = "",
        size: int = 100,
        before: str = "",
    ) -> tuple[Sequence[FundingPayment], str]:
        """The same of funding payments."""
        where = Filter(account, venue, instrument)
        return await queries.list_funding_payments(self._office, where, size, before)

    async def explain(self, account: str, client_order_id: str) -> Sequence[Step]:
        """An order's story from the journal, oldest first; raises ORDER_NOT_FOUND."""
        return await queries.explain(self._office, account, client_order_id)
