"""One account's books: its ledger, its open orders, and who is told of changes."""

from collections.abc import Mapping
from decimal import Decimal

from cex.paper.ledger import Ledger, OpenOrder, SpotLedger
from cex.paper.margin import Holding, MarginLedger
from cex.paper.markets import Terms
from core.accounts import Balance, Position, PositionSide
from core.errors import Reason, Refused
from core.instruments import InstrumentKind
from core.money import ZERO
from core.orders import OrderReport, OrderRequest
from core.ports import AccountSink


class Book:
    """One account's books. Its sink hears of every change after it is in the file."""

    def __init__(self, id: str, venue: str, kind: InstrumentKind, terms: "TermsTable") -> None:
        self.id = id
        self.venue = venue
        self.kind = kind
        self.terms = terms
        self.orders: dict[str, OpenOrder] = {}  # open ones, by client order id
        self.sink: AccountSink | None = None
        self.ledger: Ledger = SpotLedger({})
        self.margin: MarginLedger | None = None

    def load(self, totals: dict[str, Decimal], holdings: dict[str, Holding]) -> None:
        """(Re)builds the ledger from what the file says."""
        self.orders = {}
        self.margin = None
        if self.kind is InstrumentKind.PERPETUAL:
            self.ledger = self.margin = MarginLedger(totals, holdings, self.terms.of)
        else:
            self.ledger = SpotLedger(totals)

    def balance(self, asset: str, time: int) -> Balance:
        """One asset now."""
        total = self.ledger.totals.get(asset, ZERO)
        return Balance(
            self.id, self.venue, asset, total, self.ledger.available(asset), update_time=time
        )

    def position(self, holding: Holding, time: int) -> Position:
        """One position now."""
        margin = self.margin
        return Position(
            account=self.id,
            venue=self.venue,
            instrument=holding.instrument,
            side=PositionSide.NET,
            quantity=holding.quantity,
            entry_price=holding.entry,
            mark_price=holding.mark,
            liquidation_price=margin.liquidation_price(holding) if margin else None,
            unrealized_pnl=holding.unrealized,
            realized_pnl=holding.realized,
            leverage=Decimal(holding.leverage),
            margin=holding.margin(),
            update_time=time,
        )


class TermsTable:
    """The terms of each instrument, with a default for those that have none of their own."""

    def __init__(self, rows: Mapping[str, Terms], default: Terms | None = None) -> None:
        self._rows = rows
        self._default = default

    def of(self, instrument: str) -> Terms:
        """Raises Refused where there are none."""
        terms = self._rows.get(instrument, self._default)
        if terms is None:
            raise Refused(Reason.INSTRUMENT_NOT_FOUND, f"{instrument} is not traded here")
        return terms


def report_of(order: OpenOrder) -> OrderReport:
    """What the venue says of an order now."""
    return OrderReport(
        client_order_id=order.request.client_order_id,
        status=order.status,
        venue_order_id=str(order.number),
        filled_quantity=order.filled,
        filled_notional=order.notional,
        quantity=order.request.quantity,
        price=order.request.price,
        reason=order.reason,
        event_time=order.update_time,
    )


def describe(request: OrderRequest) -> str:
    """An order in words, for messages; whatever its numbers are."""
    price = "market" if request.price is None else f"{request.price:f}"
    return f"{request.side.name.lower()} {request.quantity:f} {request.instrument} at {price}"
