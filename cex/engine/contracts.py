"""Quantities that a venue counts in contracts, for values of one instrument, and back.

A contract is `Instrument.contract_size` base units; our side knows base units only.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import singledispatch
from typing import Any

from cex.engine.messages import BookMessage, FundingChange
from cex.engine.spec import MarketParser, MarketValue
from cex.engine.wire import Level
from core.accounts import Position
from core.instruments import Instrument
from core.market import Candle, Ticker, Trade
from core.orders import Fill, Order, OrderReport


@singledispatch
def in_base(value: Any, size: Decimal) -> Any:
    """A value of which quantities count contracts, with base units instead. What has no quantity
    stays as it is."""
    return value


def _times(amount: Decimal | None, size: Decimal) -> Decimal | None:
    return None if amount is None else amount * size


@in_base.register
def _(value: OrderReport, size: Decimal) -> OrderReport:
    return replace(
        value,
        filled_quantity=_times(value.filled_quantity, size),
        filled_notional=_times(value.filled_notional, size),
        quantity=_times(value.quantity, size),
    )


@in_base.register
def _(value: Order, size: Decimal) -> Order:
    return replace(
        value,
        request=replace(value.request, quantity=value.request.quantity * size),
        filled_quantity=value.filled_quantity * size,
        filled_notional=value.filled_notional * size,
    )


@in_base.register(Fill)
@in_base.register(Trade)
def _(value: Any, size: Decimal) -> Any:
    return replace(value, quantity=value.quantity * size)


@in_base.register
def _(value: Ticker, size: Decimal) -> Ticker:
    return replace(
        value,
        bid_quantity=_times(value.bid_quantity, size),
        ask_quantity=_times(value.ask_quantity, size),
        volume=_times(value.volume, size),
    )


@in_base.register
def _(value: FundingChange, size: Decimal) -> FundingChange:
    return replace(value, open_interest=_times(value.open_interest, size))


@in_base.register
def _(value: Position, size: Decimal) -> Position:
    return replace(value, quantity=value.quantity * size)


@in_base.register
def _(value: Candle, size: Decimal) -> Candle:
    return replace(value, volume=value.volume * size)


@in_base.register
def _(value: BookMessage, size: Decimal) -> BookMessage:
    value.bids, value.asks = (
        [(price, spelled_in_base(quantity, size)) for price, quantity in rows]
        for rows in (value.bids, value.asks)
    )
    return value


def spelled_in_base(quantity: str, size: Decimal) -> str:
    """A quantity as text, without an exponent; the book makes a canonical number of it. There are
    thousands a second, and formatting each would cost twice as much."""
    told = str(Decimal(quantity) * size)
    return f"{Decimal(told):f}" if "E" in told else told


def rows_in_base(levels: Iterable[Level], size: Decimal) -> list[tuple[str, str]]:
    """As cex.engine.wire.rows, with quantities in base units."""
    return [(level.price, spelled_in_base(level.quantity, size)) for level in levels]


def stream_in_base(parser: MarketParser) -> MarketParser:
    """A parser of a topic that counts contracts."""

    def read(payload: Any, instrument: Instrument, received: int) -> Iterable[MarketValue]:
        size = instrument.contract_size
        return [in_base(value, size) for value in parser(payload, instrument, received)]

    return read


def reply_in_base(parse: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """A parser of a reply about the command's instrument, which counts contracts: one value, or a
    list of them."""

    def read(raw: Any, command: Any, scope: Any) -> Any:
        size, value = command.instrument.contract_size, parse(raw, command, scope)
        if not isinstance(value, list):
            return in_base(value, size)
        value[:] = [in_base(item, size) for item in value]
        return value

    return read


def in_contracts(quantity: Decimal, instrument: Instrument) -> Decimal:
    """A quantity in base units as contracts; exact for multiples of the instrument's step."""
    return quantity / instrument.contract_size
