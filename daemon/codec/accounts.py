"""Balances, positions, fees and funding payments between the core and the contract."""

from cambist.v1 import accounts_pb2 as pb
from core.accounts import Balance, FeeRates, FundingPayment, Position
from core.money import text
from daemon.codec.scalars import text_or_none, timestamp_or_none


def balance(value: Balance) -> pb.Balance:
    """A balance; `units` is empty off chains."""
    return pb.Balance(
        account=value.account,
        venue=value.venue,
        asset=value.asset,
        total=text(value.total),
        available=text(value.available),
        token=value.token,
        units="" if value.units is None else str(value.units),
        update_time=timestamp_or_none(value.update_time),
    )


def position(value: Position) -> pb.Position:
    """A position; what the venue does not tell is absent."""
    return pb.Position(
        account=value.account,
        venue=value.venue,
        instrument=value.instrument,
        side=pb.PositionSide.ValueType(value.side.value),
        quantity=text(value.quantity),
        entry_price=text(value.entry_price),
        mark_price=text_or_none(value.mark_price),
        liquidation_price=text_or_none(value.liquidation_price),
        unrealized_pnl=text_or_none(value.unrealized_pnl),
        realized_pnl=text_or_none(value.realized_pnl),
        leverage=text_or_none(value.leverage),
        margin=text_or_none(value.margin),
        update_time=timestamp_or_none(value.update_time),
    )


def fee_rates(value: FeeRates) -> pb.FeeRates:
    """What trading an instrument costs."""
    return pb.FeeRates(
        account=value.account,
        venue=value.venue,
        instrument=value.instrument,
        maker=text(value.maker),
        taker=text(value.taker),
    )


def funding_payment(value: FundingPayment) -> pb.FundingPayment:
    """Funding that a position paid or received."""
    return pb.FundingPayment(
        account=value.account,
        venue=value.venue,
        instrument=value.instrument,
        payment_id=value.payment_id,
        amount=text(value.amount),
        asset=value.asset,
        rate=text_or_none(value.rate) or "",
        event_time=timestamp_or_none(value.event_time),
    )
