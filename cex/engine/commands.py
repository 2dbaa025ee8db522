"""What the engine asks of a venue: one class a question, generic in its answer.

Instruments come resolved, so that encoders are pure. A command that changes something at the venue
(`mutates`) is sent at most once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import ClassVar, Generic, TypeVar

from cex.engine.messages import BookMessage, Failure, FundingChange
from core.accounts import (
    Balance,
    FeeRates,
    FundingPayment,
    MarginMode,
    Position,
    PositionMode,
    PositionSide,
)
from core.instruments import Instrument
from core.market import Candle, Funding, Ticker, Trade
from core.orders import Fill, Order, OrderReport, OrderRequest
from core.ports import KeyPermissions

V_co = TypeVar("V_co", covariant=True)

Reports = Sequence[OrderReport | Fill]


class Priority(IntEnum):
    """Who goes first where a rate limit makes them wait."""

    CANCEL = 0
    PLACE = 1
    QUERY = 2


class Command(Generic[V_co]):
    """A question to a venue whose answer is a V."""

    __slots__ = ()
    priority: ClassVar[Priority] = Priority.QUERY
    mutates: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ServerTime(Command[int]):
    """The venue's clock, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class ListInstruments(Command[Sequence[Instrument]]):
    """All that can be traded; `cursor` is for venues that page."""

    cursor: str = ""


@dataclass(frozen=True, slots=True)
class GetBook(Command[BookMessage]):
    """A whole book to a depth."""

    instrument: Instrument
    depth: int


@dataclass(frozen=True, slots=True)
class GetTicker(Command[Ticker]):
    """Latest prices and a day's statistics. `part` is for venues that tell them in several calls:
    the operation's `more` names the next."""

    instrument: Instrument
    part: str = ""


@dataclass(frozen=True, slots=True)
class GetTrades(Command[Sequence[Trade]]):
    """The latest public trades, oldest first."""

    instrument: Instrument
    limit: int


@dataclass(frozen=True, slots=True)
class GetCandles(Command[Sequence[Candle]]):
    """Candles, oldest first; times in ns; `now` tells a running candle from a closed one."""

    instrument: Instrument
    interval: int  # seconds
    start: int | None
    end: int | None
    limit: int
    now: int


@dataclass(frozen=True, slots=True)
class GetFunding(Command[Funding | FundingChange]):
    """A perpetual's funding and reference prices; `now` (ns) tells the next time of a venue that
    keeps to the hours without naming them. `part` as for a ticker."""

    instrument: Instrument
    now: int = 0
    part: str = ""


@dataclass(frozen=True, slots=True)
class GetToken(Command[str]):
    """What a stream needs before it opens: a listen key, a websocket token, a URL with a token."""


@dataclass(frozen=True, slots=True)
class GetPublicToken(Command[str]):
    """The same for a stream of market data, where the venue wants to see one: without a key."""


@dataclass(frozen=True, slots=True)
class KeepToken(Command[None]):
    """Prolongs a token's life."""

    token: str


@dataclass(frozen=True, slots=True)
class Place(Command[Reports]):
    """A new order. The answer: its report, then fills that came with it.

    `bound` is the worst price of a market order at a venue that takes none without
    (cex.engine.spec.VenueSpec.bounded). `position` is the one that the order is of, `margin` the
    margin that this may use, for venues that ask.
    """

    priority = Priority.PLACE
    mutates = True
    request: OrderRequest
    instrument: Instrument
    bound: Decimal | None = None
    position: PositionSide = PositionSide.NET
    margin: MarginMode = MarginMode.CROSS


@dataclass(frozen=True, slots=True)
class PlaceOrders(Command[Sequence[Reports | Failure]]):
    """Several new orders by one request. The answer has as many entries: what became of each."""

    priority = Priority.PLACE
    mutates = True
    orders: Sequence[Place]


@dataclass(frozen=True, slots=True)
class Preview(Command[None]):
    """Whether the venue would take an order; it places none."""

    request: OrderRequest
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Cancel(Command[Reports]):
    """The end of one order."""

    priority = Priority.CANCEL
    mutates = True
    order: Order
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class CancelAll(Command[Reports]):
    """The end of all open orders of an instrument, or of the account. `part` is for venues that
    keep orders in several places: the operation's `more` names the next."""

    priority = Priority.CANCEL
    mutates = True
    instrument: Instrument | None
    part: str = ""


@dataclass(frozen=True, slots=True)
class CancelOrders(Command[Reports]):
    """The end of several orders, where the venue cannot end all by one word. The answer: those
    that it ended, or will."""

    priority = Priority.CANCEL
    mutates = True
    orders: Sequence[tuple[Order, Instrument]]


@dataclass(frozen=True, slots=True)
class CancelAfter(Command[None]):
    """The venue is to cancel all of the account's orders by itself, `timeout` ns after `now` (its
    own time), unless it is asked again before; 0 takes that back. Of one instrument only where the
    venue has a timer for each (VenueSpec.timer_by_instrument)."""

    priority = Priority.CANCEL
    mutates = True
    timeout: int
    now: int
    instrument: Instrument | None = None


@dataclass(frozen=True, slots=True)
class Replace(Command[Reports]):
    """A new order in an old one's place.

    `quantity` is the whole, what is filled included. The answer may report both orders.
    """

    priority = Priority.PLACE
    mutates = True
    order: Order
    instrument: Instrument
    quantity: Decimal
    price: Decimal
    client_order_id: str


@dataclass(frozen=True, slots=True)
class Amend(Command[Reports]):
    """The same order, smaller, keeping its place in the queue where the venue can do that."""

    priority = Priority.PLACE
    mutates = True
    order: Order
    instrument: Instrument
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class GetOrder(Command[OrderReport | None]):
    """What the venue knows of an order; None is its "no such order", where it says so by an empty
    answer. `closed` asks where it keeps those that ended, if that is another place; where that is a
    list in pages, an empty page with a cursor says that it is on none so far."""

    order: Order
    instrument: Instrument
    closed: bool = False
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class ListOpenOrders(Command[Sequence[Order]]):
    """Open orders of an instrument, or of the account."""

    instrument: Instrument | None = None
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class ListFills(Command[Sequence[Fill]]):
    """Our trades in an instrument from a time (ns) on, oldest first; one page."""

    instrument: Instrument
    since: int
    now: int
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class GetBalances(Command[Sequence[Balance]]):
    """What the account holds; `cursor` is for venues that page."""

    cursor: str = ""


@dataclass(frozen=True, slots=True)
class GetPositions(Command[Sequence[Position]]):
    """The account's perpetual positions."""

    cursor: str = ""


@dataclass(frozen=True, slots=True)
class SetLeverage(Command[None]):
    """Declares a perpetual's leverage; of one position and margin mode where the venue asks."""

    mutates = True
    instrument: Instrument
    leverage: Decimal
    position: PositionSide = PositionSide.NET
    margin: MarginMode = MarginMode.CROSS


@dataclass(frozen=True, slots=True)
class GetLeverage(Command[tuple[Decimal, MarginMode]]):
    """A perpetual's leverage and margin mode, where the venue has the two declared together."""

    instrument: Instrument


@dataclass(frozen=True, slots=True)
class SetMarginMode(Command[None]):
    """Declares a perpetual's margin mode."""

    mutates = True
    instrument: Instrument
    mode: MarginMode


@dataclass(frozen=True, slots=True)
class SetPositionMode(Command[None]):
    """Declares how the account keeps its positions."""

    mutates = True
    mode: PositionMode


@dataclass(frozen=True, slots=True)
class GetPositionMode(Command[PositionMode]):
    """How the account keeps its positions."""


@dataclass(frozen=True, slots=True)
class ListFundingPayments(Command[Sequence[FundingPayment]]):
    """What positions paid and received from a time (ns) on, oldest first; one page. `now` tells old
    payments from recent ones, 0 that they are recent."""

    since: int
    cursor: str = ""
    now: int = 0


@dataclass(frozen=True, slots=True)
class GetKeyPermissions(Command[KeyPermissions]):
    """What the account's key may do there."""


@dataclass(frozen=True, slots=True)
class GetFees(Command[FeeRates]):
    """What the account pays in an instrument."""

    instrument: Instrument
