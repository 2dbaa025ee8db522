"""Shapes become values: once for all venues, with the venue's words in a table."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Raw

from cex.engine.messages import FundingChange
from cex.engine.shapes import (
    BalanceShape,
    CandleShape,
    FeesShape,
    FillShape,
    FundingShape,
    OrderShape,
    PositionShape,
    TickerShape,
    TradeShape,
)
from cex.engine.spec import Scope
from cex.engine.wire import UnknownSymbol, lookup, number, optional, positive
from core.accounts import Balance, FeeRates, MarginMode, Position, PositionSide
from core.clock import SECOND
from core.instruments import Instrument
from core.market import Candle, Ticker, Trade
from core.money import ZERO
from core.orders import (
    Fill,
    Liquidity,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Words:
    """A venue's words in our vocabulary. A type that fixes the time in force names it.

    `fee_sign` is -1 where the venue writes what is paid as a negative number.
    """

    sides: Mapping[str, Side]
    statuses: Mapping[str, OrderStatus]
    types: Mapping[str, tuple[OrderType, TimeInForce | None]]
    times_in_force: Mapping[str, TimeInForce]
    time: Callable[[Raw], int]  # to nanoseconds
    liquidities: Mapping[str, Liquidity] = field(default_factory=dict)
    fee_sign: int = 1
    position_sides: Mapping[str, PositionSide] = field(default_factory=dict)
    margin_modes: Mapping[str, MarginMode] = field(default_factory=dict)


def listed(symbol: str, scope: Scope) -> Instrument | None:
    """The instrument of a symbol in what is past; None when the venue lists it no more."""
    try:
        return scope.instrument(symbol)
    except UnknownSymbol:
        return None


_FLAGS = {"0": False, "1": True, "false": False, "true": True}


def _liquidity(raw: OrderShape | FillShape, words: Words) -> Liquidity:
    if raw.liquidity:
        return lookup(words.liquidities, raw.liquidity, "liquidity")
    return Liquidity.MAKER if raw.maker else Liquidity.TAKER


def trade(raw: TradeShape, words: Words, instrument: Instrument, received: int = 0) -> Trade:
    """A public trade."""
    if raw.buyer_is_maker is None:
        side = lookup(words.sides, raw.side, "side")
    else:
        side = Side.SELL if raw.buyer_is_maker else Side.BUY
    return Trade(
        instrument.id,
        str(raw.trade_id),
        side,
        number(raw.price),
        number(raw.quantity),
        words.time(raw.time),
        received,
    )


def ticker(raw: TickerShape, words: Words, instrument: Instrument, received: int = 0) -> Ticker:
    """A ticker; a price of zero is the venue's way of saying that there is none."""
    return Ticker(
        instrument.id,
        positive(raw.bid_price),
        positive(raw.bid_quantity),
        positive(raw.ask_price),
        positive(raw.ask_quantity),
        positive(raw.last_price),
        positive(raw.high_price),
        positive(raw.low_price),
        positive(raw.open_price),
        optional(raw.volume),
        optional(raw.quote_volume),
        words.time(raw.time),
        received,
    )


def candle(
    raw: CandleShape, words: Words, instrument: Instrument, interval: int, now: int = 0
) -> Candle:
    """A candle; `now` (ns) decides whether it is closed where the venue does not say."""
    opened = words.time(raw.open_time)
    closed = raw.closed
    if closed is None:
        closed = opened + interval * SECOND <= now
    elif isinstance(closed, str):
        closed = lookup(_FLAGS, closed, "flag")
    return Candle(
        instrument.id,
        interval,
        opened,
        number(raw.open),
        number(raw.high),
        number(raw.low),
        number(raw.close),
        number(raw.volume),
        optional(raw.quote_volume) or ZERO,
        closed,
    )


def report(raw: OrderShape, words: Words, time: int = 0) -> OrderReport:
    """What the venue said of an order; `time` (ns) where the payload has it elsewhere."""
    filled, notional = optional(raw.filled_quantity), optional(raw.filled_notional)
    if notional is None and filled is not None:
        average = positive(raw.average_price)
        notional = filled * average if average is not None else None
    return OrderReport(
        raw.original_client_order_id or raw.client_order_id,
        lookup(words.statuses, raw.status, "order status"),
        str(raw.venue_order_id),
        filled,
        # Less than nothing: the venue no longer knows.
        notional if notional is not None and notional >= 0 else None,
        positive(raw.quantity),
        positive(raw.price),
        raw.reason,
        time or words.time(raw.update_time),
    )


def order(raw: OrderShape, words: Words, scope: Scope) -> Order:
    """An order that we may not know yet."""
    said = report(raw, words)
    kind, time_in_force = lookup(words.types, raw.type, "order type")
    request = OrderRequest(
        said.client_order_id,
        scope.account,
        scope.venue,
        scope.instrument(raw.symbol).id,
        lookup(words.sides, raw.side, "side"),
        kind,
        number(raw.quantity),
        said.price,
        positive(raw.trigger_price),
        time_in_force or lookup(words.times_in_force, raw.time_in_force, "time in force"),
        raw.reduce_only,
    )
    return Order(
        request,
        said.status,
        said.venue_order_id,
        said.filled_quantity or ZERO,
        said.filled_notional or ZERO,
        create_time=words.time(raw.create_time),
        update_time=said.event_time,
    )


def execution(raw: OrderShape, words: Words, scope: Scope) -> Fill:
    """The trade that an execution report brings."""
    said = report(raw, words)
    return Fill(
        str(raw.trade_id),
        scope.venue,
        scope.account,
        scope.instrument(raw.symbol).id,
        said.client_order_id,
        said.venue_order_id,
        lookup(words.sides, raw.side, "side"),
        number(raw.trade_price),
        number(raw.trade_quantity),
        (optional(raw.fee) or ZERO) * words.fee_sign,
        raw.fee_asset or "",
        _liquidity(raw, words),
        said.event_time,
    )


def fill(
    raw: FillShape,
    words: Words,
    scope: Scope,
    instrument: Instrument | None = None,
    placed: OrderReport | None = None,
    side: Side | None = None,
) -> Fill:
    """One of our trades. What the payload leaves out comes from the request: the instrument, the
    order that it was part of, the side."""
    if side is None and raw.buyer is not None:
        side = Side.BUY if raw.buyer else Side.SELL
    return Fill(
        str(raw.trade_id),
        scope.venue,
        scope.account,
        (instrument or scope.instrument(raw.symbol)).id,
        placed.client_order_id if placed else raw.client_order_id,
        placed.venue_order_id if placed else str(raw.venue_order_id),
        side or lookup(words.sides, raw.side, "side"),
        number(raw.price),
        number(raw.quantity),
        (optional(raw.fee) or ZERO) * words.fee_sign,
        raw.fee_asset,
        _liquidity(raw, words),
        placed.event_time if placed else words.time(raw.time),
    )


def balance(raw: BalanceShape, scope: Scope, time: int = 0) -> Balance:
    """One asset of the account."""
    available = number(raw.available)
    total = optional(raw.total)
    if total is None:
        total = available + number(raw.locked)
    asset = scope.asset(raw.asset)
    return Balance(scope.account, scope.venue, asset, total, available, update_time=time)


def fees(raw: FeesShape, instrument: Instrument, scope: Scope) -> FeeRates:
    """What trading an instrument costs."""
    maker, taker = number(raw.maker), number(raw.taker)
    return FeeRates(scope.account, scope.venue, instrument.id, maker, taker)


def funding(raw: FundingShape, words: Words, time: int = 0) -> FundingChange:
    """What was told of funding and reference prices."""
    return FundingChange(
        optional(raw.rate),
        words.time(raw.next_time) or None,
        positive(raw.mark_price),
        positive(raw.index_price),
        optional(raw.open_interest),
        words.time(raw.time) or time,
    )


def position(raw: PositionShape, words: Words, scope: Scope) -> Position:
    """A position: short is negative, however the venue says so."""
    side = lookup(words.position_sides, str(raw.side), "position side")
    quantity, isolated = number(raw.quantity), positive(raw.isolated_margin)
    sells = bool(raw.direction) and lookup(words.sides, raw.direction, "side") is Side.SELL
    mode = lookup(words.margin_modes, raw.margin_mode, "margin mode") if raw.margin_mode else None
    return Position(
        scope.account,
        scope.venue,
        scope.instrument(raw.symbol).id,
        side,
        -abs(quantity) if sells or side is PositionSide.SHORT else quantity,
        optional(raw.entry_price) or ZERO,
        positive(raw.mark_price),
        positive(raw.liquidation_price),
        optional(raw.unrealized_pnl),
        optional(raw.realized_pnl),
        positive(raw.leverage),
        isolated or optional(raw.margin),
        words.time(raw.time),
        mode,
    )


class Page(list[V]):
    """Values, and what the venue calls the next page; "" after the last."""

    def __init__(self, values: Iterable[V], cursor: str = "") -> None:
        super().__init__(values)
        self.cursor = cursor


def next_page(command: Any, page: Page[Any]) -> Any:
    """The command for the page that a page names; None after the last."""
    return replace(command, cursor=page.cursor) if page.cursor else None


def increment(places: int) -> Decimal:
    """The smallest step of a number with so many decimal places."""
    return Decimal(1).scaleb(-places)
