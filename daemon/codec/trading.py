"""Orders and fills between the core and the contract. Enums have the same numbers in both."""

from cambist.v1 import trading_pb2 as pb
from core.errors import Reason, Refused
from core.money import ZERO, text
from core.orders import Fill, Order, OrderRequest, OrderType, Side, TimeInForce
from daemon.codec.scalars import decimal, decimal_or_none, timestamp_or_none

_LIMITS = {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT}
_TRIGGERED = {
    OrderType.STOP_MARKET,
    OrderType.STOP_LIMIT,
    OrderType.TAKE_PROFIT_MARKET,
    OrderType.TAKE_PROFIT_LIMIT,
}


def order_request(spec: pb.OrderSpec) -> OrderRequest:
    """What a bot asks for, without a client order id yet; FIELD_REQUIRED or FIELD_INVALID for what
    contradicts itself. Rules that only need one field were checked before, from the contract."""
    try:
        side, type = Side(spec.side), OrderType(spec.type)
        force = TimeInForce(spec.time_in_force) if spec.HasField("time_in_force") else None
    except ValueError as error:
        raise Refused(Reason.FIELD_INVALID, f"order: {error}", {"field": "order"}) from error
    price = decimal_or_none(spec.price, "price")
    trigger = decimal_or_none(spec.trigger_price, "trigger_price")
    if type in _LIMITS:
        _needs(price is not None, "price", f"a {type.name} order needs a price")
        _needs(force is not None, "time_in_force", f"a {type.name} order needs a time_in_force")
    else:
        _forbids(price is not None, "price", f"a {type.name} order takes no price", spec.price)
        _forbids(
            force is TimeInForce.POST_ONLY,
            "time_in_force",
            f"a {type.name} order cannot be POST_ONLY",
            "TIME_IN_FORCE_POST_ONLY",
        )
    if type in _TRIGGERED:
        _needs(trigger is not None, "trigger_price", f"a {type.name} order needs a trigger_price")
    else:
        words = f"a {type.name} order takes no trigger_price"
        _forbids(trigger is not None, "trigger_price", words, spec.trigger_price)
    if force is None:
        force = TimeInForce.IOC if type is OrderType.MARKET else TimeInForce.GTC
    return OrderRequest(
        client_order_id="",
        account=spec.account,
        venue=spec.venue,
        instrument=spec.instrument,
        side=side,
        type=type,
        quantity=decimal(spec.quantity, "quantity"),
        price=price,
        trigger_price=trigger,
        time_in_force=force,
        reduce_only=spec.reduce_only,
        max_slippage=decimal_or_none(spec.max_slippage, "max_slippage"),
    )


def _needs(given: bool, field: str, words: str) -> None:
    if not given:
        raise Refused(Reason.FIELD_REQUIRED, words, {"field": field})


def _forbids(given: bool, field: str, words: str, value: str) -> None:
    if given:
        raise Refused(Reason.FIELD_INVALID, words, {"field": field, "value": value})


def order_spec(request: OrderRequest) -> pb.OrderSpec:
    """What an order is, as the contract says it."""
    return pb.OrderSpec(
        account=request.account,
        venue=request.venue,
        instrument=request.instrument,
        side=pb.Side.ValueType(request.side.value),
        type=pb.OrderType.ValueType(request.type.value),
        quantity=text(request.quantity),
        price="" if request.price is None else text(request.price),
        trigger_price="" if request.trigger_price is None else text(request.trigger_price),
        time_in_force=pb.TimeInForce.ValueType(request.time_in_force.value),
        reduce_only=request.reduce_only,
        max_slippage="" if request.max_slippage is None else text(request.max_slippage),
    )


def order(value: Order, request_id: str = "") -> pb.Order:
    """An order; the average price is rounded half-even to 18 decimals, and absent when unknown."""
    average = None
    if value.filled_quantity > ZERO and value.filled_notional > ZERO:
        exact = value.filled_notional / value.filled_quantity
        average = text(round(exact, 18))
    return pb.Order(
        client_order_id=value.client_order_id,
        venue_order_id=value.venue_order_id,
        request_id=request_id,
        spec=order_spec(value.request),
        status=pb.OrderStatus.ValueType(value.status.value),
        filled_quantity=text(value.filled_quantity),
        remaining_quantity=text(value.remaining_quantity),
        average_price=average,
        cancel_requested=value.cancel_requested,
        external=value.external,
        reason=value.reason,
        create_time=timestamp_or_none(value.create_time),
        update_time=timestamp_or_none(value.update_time),
    )


def fill(value: Fill) -> pb.Fill:
    """A fill."""
    return pb.Fill(
        trade_id=value.trade_id,
        venue=value.venue,
        account=value.account,
        instrument=value.instrument,
        client_order_id=value.client_order_id,
        venue_order_id=value.venue_order_id,
        side=pb.Side.ValueType(value.side.value),
        price=text(value.price),
        quantity=text(value.quantity),
        fee=text(value.fee),
        fee_asset=value.fee_asset,
        liquidity=pb.Liquidity.ValueType(value.liquidity.value),
        event_time=timestamp_or_none(value.event_time),
        details=value.details,
    )
