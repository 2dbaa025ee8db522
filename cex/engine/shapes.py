"""What venues say in common, under our names: a venue file maps its spelling onto these shapes.

`shape(OrderShape, {"quantity": "origQty", …})` is the wire struct of a venue whose orders spell it
so. A name that ends in "?" may be missing on the wire; what is not named is not read. A list of
names instead of a mapping is for payloads that are arrays; None skips a place.

Numbers and times stay as the venue wrote them (bare or quoted, see cex.engine.wire) until a parser
makes values of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw

from cex.engine.wire import Wire

T = TypeVar("T", bound=Wire)

NONE = Raw()


class OrderShape(Wire):
    """An order as a reply or a stream tells it, and the trade that an execution report brings."""

    symbol: str = ""
    client_order_id: str = ""
    original_client_order_id: str = ""  # where a cancel's own id stands in the other field
    venue_order_id: str | int = ""
    status: str = ""
    type: str = ""
    side: str = ""
    time_in_force: str = ""
    price: Raw = NONE
    trigger_price: Raw = NONE
    trigger_direction: int = 0  # the venue's, where its word for the type leaves it open
    quantity: Raw = NONE
    filled_quantity: Raw = NONE
    filled_notional: Raw = NONE
    average_price: Raw = NONE  # of what is filled, where the venue has no notional
    reduce_only: bool = False
    reason: str = ""
    create_time: Raw = NONE
    update_time: Raw = NONE
    execution: str = ""  # what happened
    trade_id: str | int = ""
    trade_price: Raw = NONE
    trade_quantity: Raw = NONE
    fee: Raw = NONE
    fee_asset: str | None = None
    maker: bool = False
    liquidity: str = ""  # the venue's word, where it has no flag


class FillShape(Wire):
    """One of our trades. `buyer` where the venue has no side."""

    trade_id: str | int = ""
    venue_order_id: str | int = ""
    client_order_id: str = ""
    symbol: str = ""
    side: str = ""
    buyer: bool | None = None
    price: Raw = NONE
    quantity: Raw = NONE
    fee: Raw = NONE
    fee_asset: str = ""
    maker: bool = False
    liquidity: str = ""
    time: Raw = NONE


class TradeShape(Wire):
    """A public trade: the taker's side, or whether the buyer was the maker."""

    trade_id: str | int = ""
    side: str = ""
    buyer_is_maker: bool | None = None
    price: Raw = NONE
    quantity: Raw = NONE
    time: Raw = NONE


class TickerShape(Wire):
    """Latest prices and a day's statistics, or a part of them."""

    bid_price: Raw = NONE
    bid_quantity: Raw = NONE
    ask_price: Raw = NONE
    ask_quantity: Raw = NONE
    last_price: Raw = NONE
    high_price: Raw = NONE
    low_price: Raw = NONE
    open_price: Raw = NONE
    volume: Raw = NONE
    quote_volume: Raw = NONE
    time: Raw = NONE


class CandleShape(Wire):
    """A candle; closed when the venue says so, or when its end has passed."""

    open_time: Raw = NONE
    open: Raw = NONE
    high: Raw = NONE
    low: Raw = NONE
    close: Raw = NONE
    volume: Raw = NONE
    quote_volume: Raw = NONE
    closed: bool | str | None = None  # true and false, perhaps quoted, or "1" and "0"


class BalanceShape(Wire):
    """One asset: total and available, or available and locked."""

    asset: str = ""
    total: Raw = NONE
    available: Raw = NONE
    locked: Raw = NONE


class FeesShape(Wire):
    """What trading costs, as a fraction of notional."""

    maker: Raw = NONE
    taker: Raw = NONE


class FundingShape(Wire):
    """What a perpetual's funding and reference prices are, or a part of it."""

    rate: Raw = NONE
    next_time: Raw = NONE
    mark_price: Raw = NONE
    index_price: Raw = NONE
    open_interest: Raw = NONE
    time: Raw = NONE


class PositionShape(Wire):
    """A position. `side` is which of an instrument's it is, `direction` the side of its trades
    where the quantity has no sign; `isolated_margin` is what it has of its own, where that is told
    apart from the margin that it takes of the account's."""

    symbol: str = ""
    side: str | int = ""
    direction: str = ""
    quantity: Raw = NONE
    entry_price: Raw = NONE
    mark_price: Raw = NONE
    liquidation_price: Raw = NONE
    unrealized_pnl: Raw = NONE
    realized_pnl: Raw = NONE
    leverage: Raw = NONE
    margin: Raw = NONE
    isolated_margin: Raw = NONE
    margin_mode: str = ""
    time: Raw = NONE


def shape(type_: type[T], names: Mapping[str, str] | Sequence[str | None]) -> type[T]:
    """The wire struct of one venue's spelling; see the module."""
    fields = {field.name: field for field in msgspec.structs.fields(type_)}
    array = not isinstance(names, Mapping)
    wanted = list(names)
    if unknown := {name for name in wanted if name} - set(fields):
        raise ValueError(f"{type_.__name__} has no {sorted(unknown)}")
    made: list[Any] = []
    for place, name in enumerate(wanted):
        if name is None:
            made.append((f"_{place}", Any))
        elif isinstance(names, Mapping) and names[name].endswith("?"):
            made.append((name, fields[name].type, fields[name].default))
        else:
            made.append((name, fields[name].type))
    spelled = (
        {n: w.removesuffix("?") for n, w in names.items()} if isinstance(names, Mapping) else None
    )
    struct: Any = msgspec.defstruct(
        type_.__name__,
        made,
        bases=(Wire,),
        # What is not on the wire is what the shape says by default.
        namespace={n: field.default for n, field in fields.items() if n not in wanted},
        rename=spelled,
        array_like=array,
        kw_only=not array,
    )
    return cast(type[T], struct)
