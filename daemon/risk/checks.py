"""One function a rule: whether an order is within a limit. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from core.errors import Reason, Refused
from core.instruments import Instrument
from core.money import ZERO, text
from core.orders import Order, OrderRequest, OrderType, Side
from daemon.risk.day import Day, Place
from daemon.risk.limits import RULES, Limit


@dataclass(frozen=True, slots=True)
class Admission:
    """An order that asks to be sent, and what is known of prices at this moment.

    `notional` in quote, None where the price of a market order is not known; `here` the middle of
    the book on its venue, `elsewhere` what the same costs on others; `worth` prices of what was
    traded today; `replaces` the id of the order that it takes the place of.
    """

    request: OrderRequest
    instrument: Instrument
    root: str
    notional: Decimal | None
    here: Decimal | None
    elsewhere: Decimal | None
    worth: Mapping[Place, Decimal | None]
    replaces: str
    limits: tuple[Limit, ...]


class Exposure(Protocol):
    """What is open and held, by what the daemon knows; never less than it may be."""

    def open_orders(self, venue: str = "", instrument: str = "") -> Iterable[Order]:
        """Everything that is not final, unconfirmed ones too; "" for all."""
        ...

    def root_of(self, order: Order) -> str:
        """Whose token placed it."""
        ...

    def held(self, limit: Limit, admission: Admission) -> Decimal:
        """What the accounts of a limit hold of an instrument, signed, in base units."""
        ...

    def reserved(self, limit: Limit, admission: Admission) -> Decimal:
        """What their open orders on the order's side may still add, in base units."""
        ...

    def increases(self, admission: Admission) -> bool:
        """Whether an order may leave its account with more exposure than it has."""
        ...


Check = Callable[[Limit, Admission, Exposure, Day, int, bool], None]


def beyond(limit: Limit, used: str, words: str = "this is") -> Refused:
    """The error of a limit: which one, how much it allows, how much this would be."""
    return Refused(
        Reason.RISK_LIMIT_EXCEEDED,
        f"{limit.rule} of {limit.scope} is limited to {text(limit.bound)} {limit.unit}: "
        f"{words} {used}",
        {
            "rule": limit.rule,
            "scope": str(limit.scope),
            "limit": text(limit.bound),
            "used": used,
            "unit": limit.unit,
        },
    )


def _quantity(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    if one.request.quantity > limit.bound:
        raise beyond(limit, text(one.request.quantity))


def _notional(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    if _valued(limit, one) > limit.bound:
        raise beyond(limit, text(_valued(limit, one)))


def _open_orders(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    count = 1
    for order in exposure.open_orders():
        request = order.request
        count += order.client_order_id != one.replaces and limit.scope.covers(
            request.venue, request.account, request.instrument, exposure.root_of(order)
        )
    if count > limit.bound:
        raise beyond(limit, str(count), "with this it is")


def _rate(limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool) -> None:
    count = day.rate(now, limit.scope) + 1
    if count > limit.bound:
        raise beyond(limit, str(count), "with this it is")


def _position(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    after = _after(limit, one, exposure)
    if up and after > limit.bound:
        raise beyond(limit, text(after), "it may become")


def _position_notional(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    if not up:
        return
    after = _after(limit, one, exposure) * _valued(limit, one) / one.request.quantity
    if after > limit.bound:
        raise beyond(limit, text(after), "it may become")


def _day_notional(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    total = day.notional(now, limit.scope, one.instrument.quote) + _valued(limit, one)
    if total > limit.bound:
        raise beyond(limit, text(total), "with this it is")


def _day_loss(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    if not up:
        return
    profit = ZERO
    for place, traded in day.traded(now, limit.scope):
        price = one.worth.get(place)
        if price is None and traded.base:
            raise beyond(limit, f"what was traded of {place[2]} cannot be valued now", "but")
        profit += traded.profit(price or ZERO)
    if -profit >= limit.bound:
        raise beyond(limit, text(-profit), "today's loss is")


def _band(limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool) -> None:
    """A fat finger: a price far from what the same costs elsewhere, in either direction. Where only
    this venue tells a price, that is what counts; where nobody does, nothing is sent."""
    request = one.request
    reference = one.elsewhere or one.here
    price = request.price if request.price is not None else request.trigger_price
    if price is None:
        price = one.here
    if reference is None or price is None:
        raise beyond(limit, "no venue tells a price to compare with", "but")
    away = abs(price - reference) / reference
    if away > limit.bound:
        raise beyond(limit, f"{away:.4f} away from {text(reference)}")


def _slippage(
    limit: Limit, one: Admission, exposure: Exposure, day: Day, now: int, up: bool
) -> None:
    if one.request.type is not OrderType.MARKET:
        return
    slippage = one.request.max_slippage
    if slippage is None:
        raise beyond(limit, "a market order without max_slippage")
    if slippage > limit.bound:
        raise beyond(limit, text(slippage))


def _valued(limit: Limit, one: Admission) -> Decimal:
    if one.notional is None:
        raise beyond(limit, f"{one.request.venue} tells no price for this order now", "but")
    return one.notional


def _after(limit: Limit, one: Admission, exposure: Exposure) -> Decimal:
    """The largest position that the order can lead to, without a sign."""
    sign = 1 if one.request.side is Side.BUY else -1
    added = exposure.reserved(limit, one) + one.request.quantity
    return abs(exposure.held(limit, one) + sign * added)


CHECKS: dict[str, Check] = {
    "order_quantity": _quantity,
    "order_notional": _notional,
    "open_orders": _open_orders,
    "order_rate": _rate,
    "position": _position,
    "position_notional": _position_notional,
    "day_notional": _day_notional,
    "day_loss": _day_loss,
    "price_band": _band,
    "slippage": _slippage,
}
assert CHECKS.keys() == RULES.keys()
