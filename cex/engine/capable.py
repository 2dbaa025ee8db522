"""What a venue can do, as its tables tell."""

from collections.abc import Mapping
from typing import Any

from cex.engine import commands
from cex.engine.spec import VenueSpec
from core.orders import OrderType, TimeInForce
from core.ports import Capability, Channel, VenueKind

_OPERATIONS: Mapping[Any, Capability] = {
    commands.Replace: Capability.REPLACE,
    commands.CancelAll: Capability.CANCEL_ALL,
    commands.CancelOrders: Capability.CANCEL_ALL,
    commands.ListFills: Capability.FILLS,
    commands.GetBalances: Capability.BALANCES,
    commands.GetFees: Capability.FEES,
    commands.GetPositions: Capability.POSITIONS,
    commands.SetLeverage: Capability.LEVERAGE,
    commands.SetMarginMode: Capability.MARGIN_MODE,
    commands.GetLeverage: Capability.MARGIN_MODE,  # declared with the leverage
    commands.SetPositionMode: Capability.POSITION_MODE,
    commands.ListFundingPayments: Capability.FUNDING_PAYMENTS,
}
_CHANNELS = {
    Channel.BOOK: Capability.ORDER_BOOK,
    Channel.TRADES: Capability.TRADES,
    Channel.TICKER: Capability.TICKER,
    Channel.CANDLES: Capability.CANDLES,
    Channel.FUNDING: Capability.FUNDING,
}
_TYPES = {
    OrderType.LIMIT: Capability.LIMIT,
    OrderType.MARKET: Capability.MARKET,
    OrderType.STOP_LIMIT: Capability.STOP,
    OrderType.STOP_MARKET: Capability.STOP,
    OrderType.TAKE_PROFIT_LIMIT: Capability.STOP,
    OrderType.TAKE_PROFIT_MARKET: Capability.STOP,
}
_TIMES = {  # of a limit order
    TimeInForce.POST_ONLY: Capability.POST_ONLY,
    TimeInForce.IOC: Capability.IOC,
    TimeInForce.FOK: Capability.FOK,
}


def capabilities(spec: VenueSpec) -> frozenset[Capability]:
    """All of them."""
    tables: list[tuple[Mapping[Any, Capability], set[Any]]] = [
        (_OPERATIONS, set(spec.operations)),
        (_CHANNELS, set(spec.channels)),
        (_TYPES, {kind for kind, _ in spec.order_types}),
        (_TIMES, {time for kind, time in spec.order_types if kind is OrderType.LIMIT}),
    ]
    found = {table[key] for table, keys in tables for key in keys if key in table}
    if spec.margin_by_order:
        found.add(Capability.MARGIN_MODE)
    if spec.kind is VenueKind.PERPETUAL:
        found.add(Capability.REDUCE_ONLY)
    return frozenset(found)
