"""What is open and held over all accounts, for those who limit it. Never less than it may be: what
is unconfirmed counts as live."""

from collections.abc import Iterator
from decimal import Decimal

from core.instruments import Instrument, InstrumentKind
from core.money import ZERO
from core.orders import Order, OrderRequest, Side
from daemon.risk.checks import Admission
from daemon.risk.limits import Limit
from daemon.trading.office import Office, Station
from daemon.trading.state import Tracked


class DeskExposure:
    """daemon.risk.checks.Exposure over the desk's office."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def open_orders(self, venue: str = "", instrument: str = "") -> Iterator[Order]:
        """Everything that is not final."""
        for station in self._office.stations():
            if venue not in ("", station.seat.venue):
                continue
            for tracked in station.ledger.open_orders():
                if instrument in ("", tracked.order.request.instrument):
                    yield tracked.order

    def root_of(self, order: Order) -> str:
        """ "" for an external order."""
        request = order.request
        tracked = self._office.known(request.account, request.venue, request.client_order_id)
        return tracked.state.root if tracked else ""

    def held(self, limit: Limit, admission: Admission) -> Decimal:
        """Signed, in base units, over the accounts of the limit."""
        return sum(
            (self._held(station, admission.instrument) for station in self._of(limit, admission)),
            ZERO,
        )

    def reserved(self, limit: Limit, admission: Admission) -> Decimal:
        """What open orders on the order's side may still add."""
        return sum(
            (
                self._open(station, admission.request, admission.replaces)
                for station in self._of(limit, admission)
            ),
            ZERO,
        )

    def increases(self, admission: Admission) -> bool:
        """Buying on a spot market does; selling does not as far as there is something to sell. On a
        perpetual it depends on the position, and on what else is open against it."""
        request, instrument = admission.request, admission.instrument
        if request.reduce_only:
            return False  # the venue sees to it
        station = self._office.station(request.account, request.venue)
        added = self._open(station, request, admission.replaces) + request.quantity
        held = self._held(station, instrument)
        sign = 1 if request.side is Side.BUY else -1
        if instrument.kind is not InstrumentKind.PERPETUAL and sign > 0:
            return True
        return sign * held >= 0 or added > abs(held)

    def _of(self, limit: Limit, admission: Admission) -> Iterator[Station]:
        """The accounts of a limit that trade the same instrument, by its id."""
        scope = limit.scope
        for station in self._office.stations():
            if (
                scope.venue in ("", station.seat.venue)
                and scope.account in ("", station.account.id)
                and admission.instrument.id in station.account.venue.instruments
            ):
                yield station

    def _held(self, station: Station, instrument: Instrument) -> Decimal:
        holdings, account, venue = self._office.holdings, station.account.id, station.seat.venue
        if instrument.kind is InstrumentKind.PERPETUAL:
            return holdings.position(account, venue, instrument.id)
        place = station.account.venue.info.network or venue
        return holdings.balance(account, place, instrument.base)

    def _open(self, station: Station, request: OrderRequest, replaces: str) -> Decimal:
        return sum(
            (
                _left(tracked)
                for tracked in station.ledger.open_orders()
                if tracked.id != replaces
                and tracked.order.request.instrument == request.instrument
                and tracked.order.request.side is request.side
                and not tracked.order.request.reduce_only
            ),
            ZERO,
        )


def _left(tracked: Tracked) -> Decimal:
    """What an order may still trade, also while it is being replaced by a larger one."""
    left = tracked.order.remaining_quantity
    replacement = tracked.state.replacement
    if replacement is not None:
        left = max(left, replacement.quantity - tracked.order.filled_quantity)
    return left
