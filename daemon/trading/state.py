"""What the desk knows of an order: what is journaled, and what only lives in memory."""

from dataclasses import dataclass, field
from decimal import Decimal

from core.money import ZERO
from core.orders import Fill, Order, OrderStatus
from daemon.journal.store import OrderRow
from daemon.journal.values import pack, unpack

NEVER_REACHED = "it never reached the venue"
FORGOTTEN = "the venue no longer knows the order"
UNANSWERED = frozenset({OrderStatus.PENDING, OrderStatus.UNCONFIRMED})


@dataclass(frozen=True, slots=True)
class Replacement:
    """A change that was sent, or may have been: `client_order_id` is what a venue that makes a new
    order of it was told to call that one."""

    request_id: str
    client_order_id: str
    quantity: Decimal  # whole, what is filled included
    price: Decimal
    old_quantity: Decimal
    old_price: Decimal | None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order with what ties it to the requests that made it so; journaled as a whole."""

    order: Order
    request_id: str = ""  # what placed it; empty for an external order
    attempt: int = 0  # earlier ones of the same request never left the daemon
    refused: bool = False  # never left the daemon
    cancel_request_id: str = ""  # the last that asked for its end
    replacement: Replacement | None = None  # under way
    replace_request_id: str = ""  # the last that changed it
    replaced_by: str = ""  # the order that it became
    root: str = ""  # whose token placed it; empty for an external order

    @property
    def live(self) -> bool:
        """Whether something may still come of it, here or under the id of its replacement."""
        return not self.order.is_final or self.replacement is not None

    def row(self) -> OrderRow:
        """As the journal keeps it."""
        order = self.order
        return OrderRow(
            account=order.request.account,
            venue=order.request.venue,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            request_id=self.request_id,
            instrument=order.request.instrument,
            open=int(self.live),
            create_time=order.create_time,
            update_time=order.update_time,
            data=pack(self),
        )

    @staticmethod
    def of(row: OrderRow) -> "OrderState":
        """From what the journal kept."""
        return unpack(row.data, OrderState)


@dataclass(slots=True, eq=False)
class Tracked:
    """An order in memory. `whole` when all of its life was seen by this process, so that a trade
    that is not in `trades` is known to be new."""

    state: OrderState
    whole: bool
    trades: set[str] = field(default_factory=set)
    quantity: Decimal = ZERO  # of its fills, base
    notional: Decimal = ZERO  # of its fills, quote
    sent: int = 0  # when something of it may last have been sent, on the monotonic clock, ns
    calls: int = 0  # how many calls to the venue about it are under way
    given_up: bool = False  # its missing fills were asked for often enough
    query_needed: bool = False  # a command about it was sent and is not proven done

    @property
    def order(self) -> Order:
        """What is known of it."""
        return self.state.order

    @property
    def id(self) -> str:
        """The client order id."""
        return self.state.order.request.client_order_id

    def count(self, fill: Fill) -> None:
        """Adds a fill to the sums."""
        self.trades.add(fill.trade_id)
        self.quantity += fill.quantity
        self.notional += fill.quantity * fill.price

    @property
    def missing(self) -> bool:
        """Whether the venue told of more than its fills that were seen make up, and may still tell
        of the rest."""
        order = self.order
        if self.given_up:
            return False
        whole = order.status is OrderStatus.FILLED and self.quantity < order.request.quantity
        return whole or order.filled_quantity > self.quantity

    @property
    def in_doubt(self) -> bool:
        """Whether the venue has to be asked about it."""
        if self.calls:
            return False  # whoever calls will learn it
        if self.state.replacement is not None:
            return True
        unanswered = self.order.status in UNANSWERED or self.query_needed
        return unanswered and not self.order.is_final
