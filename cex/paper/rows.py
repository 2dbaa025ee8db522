"""Orders, fills, positions and payments as rows of the file, and back."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from cex.paper.ledger import OpenOrder
from cex.paper.margin import Holding
from core.accounts import FundingPayment
from core.money import ZERO, parse, text
from core.orders import (
    FINAL,
    Fill,
    Liquidity,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)


def as_order(order: OpenOrder) -> Order:
    """The record in the common vocabulary."""
    return Order(
        request=order.request,
        status=order.status,
        venue_order_id=str(order.number),
        filled_quantity=order.filled,
        filled_notional=order.notional,
        reason=order.reason,
        create_time=order.create_time,
        update_time=order.update_time,
    )


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else text(value)


def order_row(order: OpenOrder) -> tuple[Any, ...]:
    """The columns of `orders`, as the schema orders them."""
    request = order.request
    return (
        order.number,
        request.account,
        request.client_order_id,
        request.venue,
        request.instrument,
        request.side.value,
        request.type.value,
        text(request.quantity),
        _optional(request.price),
        _optional(request.trigger_price),
        request.time_in_force.value,
        int(request.reduce_only),
        order.status.value,
        text(order.filled),
        text(order.notional),
        order.reason,
        int(order.active),
        order.priority,
        order.create_time,
        order.update_time,
        int(order.status not in FINAL),
        _optional(request.max_slippage),
    )


def open_order(row: Sequence[Any]) -> OpenOrder:
    """The record of a row of `orders`, open or final."""
    request = OrderRequest(
        client_order_id=row[2],
        account=row[1],
        venue=row[3],
        instrument=row[4],
        side=Side(row[5]),
        type=OrderType(row[6]),
        quantity=parse(row[7]),
        price=None if row[8] is None else parse(row[8]),
        trigger_price=None if row[9] is None else parse(row[9]),
        time_in_force=TimeInForce(row[10]),
        reduce_only=bool(row[11]),
        max_slippage=None if row[21] is None else parse(row[21]),
    )
    return OpenOrder(
        number=row[0],
        request=request,
        priority=row[17],
        create_time=row[18],
        update_time=row[19],
        status=OrderStatus(row[12]),
        filled=parse(row[13]),
        notional=parse(row[14]),
        active=bool(row[16]),
        reason=row[15],
    )


def fill_row(fill: Fill) -> tuple[Any, ...]:
    """The columns of `fills` but its id."""
    return (
        fill.account,
        fill.instrument,
        fill.event_time,
        fill.trade_id,
        fill.venue,
        fill.client_order_id,
        fill.venue_order_id,
        fill.side.value,
        text(fill.price),
        text(fill.quantity),
        text(fill.fee),
        fill.fee_asset,
        fill.liquidity.value,
        json.dumps(fill.details) if fill.details else "",
    )


def fill_of(row: Sequence[Any]) -> Fill:
    """The fill of a whole row of `fills`."""
    return Fill(
        account=row[1],
        instrument=row[2],
        event_time=row[3],
        trade_id=row[4],
        venue=row[5],
        client_order_id=row[6],
        venue_order_id=row[7],
        side=Side(row[8]),
        price=parse(row[9]),
        quantity=parse(row[10]),
        fee=parse(row[11]),
        fee_asset=row[12],
        liquidity=Liquidity(row[13]),
        details=json.loads(row[14]) if row[14] else {},
    )


def holding_row(account: str, holding: Holding) -> tuple[Any, ...]:
    """The columns of `holdings`."""
    return (
        account,
        holding.instrument,
        text(holding.quantity),
        text(holding.cost),
        text(holding.realized),
        holding.leverage,
        text(holding.mark),
    )


def payment_row(payment: FundingPayment) -> tuple[Any, ...]:
    """The columns of `payments`."""
    return (
        payment.payment_id,
        payment.account,
        payment.venue,
        payment.instrument,
        text(payment.amount),
        payment.asset,
        text(payment.rate or ZERO),
        payment.event_time,
    )
