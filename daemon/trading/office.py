"""The accounts that are open at the desk, each with those who work for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from core.clock import Clock
from core.errors import Reason, Refused
from core.instruments import Instrument
from core.orders import Fill, OrderRequest, OrderStatus
from core.ports import Account, Condition, Health
from core.traffic import TRAFFIC
from daemon.journal.journal import Journal
from daemon.trading.checks import not_found
from daemon.trading.holdings import Holdings
from daemon.trading.intake import Intake
from daemon.trading.reconcile import Reconciler
from daemon.trading.resolver import Resolver
from daemon.trading.seat import Seat
from daemon.trading.settings import DeskSettings
from daemon.trading.state import Tracked


class Directory(Protocol):
    """Where the desk looks names up; raises Refused with what is wrong about them."""

    def account(self, account: str, venue: str) -> Account: ...

    def instrument(self, venue: str, instrument: str) -> Instrument: ...


class Gatekeeper(Protocol):
    """Whether an order may be sent: see daemon.risk. `admit` raises Refused."""

    async def prepare(self, request: OrderRequest, replaces: str = "") -> Any: ...

    def admit(self, admission: Any) -> None: ...

    def taken(self, admission: Any) -> None: ...

    def filled(self, fill: Fill) -> None: ...


class Everything:
    """Lets every order pass."""

    async def prepare(self, request: OrderRequest, replaces: str = "") -> None:
        return None

    def admit(self, admission: Any) -> None:
        return None

    def taken(self, admission: Any) -> None:
        return None

    def filled(self, fill: Fill) -> None:
        return None


class Station:
    """One account's parts."""

    def __init__(
        self, journal: Journal, account: Account, holdings: Holdings, settings: DeskSettings
    ) -> None:
        self.account = account
        self.seat = Seat(journal, account, settings)
        self.ledger = self.seat.ledger
        self.intake = Intake(self.seat, holdings)
        self.resolver = Resolver(self.seat, self.intake)
        self.seat.doubt = self.resolver.watch
        self.reconciler = Reconciler(self.seat, self.intake, self.resolver, holdings)
        self._clock = journal.clock

    async def open(self) -> None:
        """Reads the account's orders and starts it; the rest goes on in the background."""
        try:
            await self.ledger.load_open()
            for tracked in self.ledger.open_orders():
                self._doubt(tracked)
            await self.account.start(self.intake.sink)
        except BaseException:
            await self.seat.close()
            raise
        self.seat.spawn(self.intake.run(), "intake")
        self.seat.spawn(self.reconciler.run(), "reconcile")

    async def close(self) -> None:
        """Lets the account go."""
        await self.account.stop()
        await self.seat.close()

    def _doubt(self, tracked: Tracked) -> None:
        """An order that was on its way when the daemon stopped: nobody knows how far it got."""
        if tracked.order.status is OrderStatus.PENDING:
            words = "the daemon stopped before the venue answered"
            self.ledger.status(tracked, OrderStatus.UNCONFIRMED, words)
        tracked.query_needed = tracked.order.cancel_requested
        self.resolver.watch(tracked)

    @contextmanager
    def calling(self, tracked: Tracked) -> Iterator[None]:
        """While a command about an order is on its way, nobody else concludes anything of it; what
        it says to the venue and hears from it is kept."""
        tracked.calls += 1
        tracked.sent = self._clock.monotonic()
        token = TRAFFIC.set(lambda one: self.ledger.traffic(tracked, one))
        try:
            yield
        finally:
            TRAFFIC.reset(token)
            tracked.calls -= 1
            tracked.sent = self._clock.monotonic()
            self.intake.release()
            self.resolver.watch(tracked)


class Office:
    """All accounts. An account is one id on one venue."""

    def __init__(
        self, journal: Journal, directory: Directory, clock: Clock, settings: DeskSettings
    ) -> None:
        self.journal = journal
        self.directory = directory
        self.clock = clock
        self._settings = settings
        self.holdings = Holdings(journal)
        self.risk: Gatekeeper = Everything()
        self._stations: dict[tuple[str, str], Station] = {}
        self._stopping = False

    async def open(self, account: Account) -> None:
        """See Desk.open."""
        key = account.id, account.venue.info.id
        if key in self._stations:
            return
        station = Station(self.journal, account, self.holdings, self._settings)
        station.ledger.on_fill = lambda fill: self.risk.filled(fill)
        self._stations[key] = station
        try:
            await station.open()
        except BaseException:
            del self._stations[key]
            raise

    async def close(self, account: Account) -> None:
        """See Desk.close."""
        station = self._stations.pop((account.id, account.venue.info.id), None)
        if station is not None:
            await station.close()

    async def stop(self) -> None:
        """See Desk.stop."""
        self._stopping = True
        for station in list(self._stations.values()):
            await self.close(station.account)

    def condition(self, account: Account) -> Condition:
        """See Desk.condition."""
        station = self._stations.get((account.id, account.venue.info.id))
        return station.seat.condition if station else Condition(Health.DOWN, "not open")

    def stations(self) -> Iterator[Station]:
        """All that are open."""
        return iter(tuple(self._stations.values()))

    def recheck(self) -> None:
        """Has every account reconciled soon."""
        for station in self._stations.values():
            station.seat.stale.set()

    def station(self, account: str, venue: str) -> Station:
        """Raises ACCOUNT_NOT_FOUND, VENUE_NOT_FOUND, or STARTING_UP while it is being opened."""
        station = self._stations.get((account, venue))
        if station is None:
            self.directory.account(account, venue)
            raise Refused(
                Reason.STARTING_UP,
                f"account {account!r} on {venue} is not open yet: retry in 1 s",
                {"state": "account"},
                retry_after=1_000_000_000,
            )
        return station

    def known(self, account: str, venue: str, client_order_id: str) -> Tracked | None:
        """An order that is in memory."""
        station = self._stations.get((account, venue))
        return station.ledger.known(client_order_id) if station else None

    async def find(self, account: str, client_order_id: str) -> tuple[Station, Tracked]:
        """An order of any of the account's venues; raises ORDER_NOT_FOUND."""
        for (id, _), station in tuple(self._stations.items()):
            if id == account:
                tracked = await station.ledger.find(client_order_id)
                if tracked is not None:
                    return station, tracked
        raise not_found(account, client_order_id)

    def require_open(self, station: Station) -> None:
        """Raises Refused while nothing may be placed on an account."""
        if self._stopping:
            raise Refused(Reason.SHUTTING_DOWN, "the daemon is shutting down")
        if not self.journal.available:
            reason = self.journal.condition.reason or "the journal is too far behind"
            raise Refused(Reason.JOURNAL_UNAVAILABLE, reason)
        station.seat.require_reconciled()
