"""Swaps within a limit: how much of one a pool can do at a price, and what is guaranteed. Pure.

The limit bounds the last unit, fee included, as an order's does (docs/decisions/0006); a swap of
the whole or nothing is an order FOK, one that may be a part is IOC. What the chain enforces depends
on the pool: concentrated liquidity ends a swap that may be a part at the price itself; everything
else is whole, and has the limit as the least that the average may be.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from core.errors import Reason, Refused
from core.money import from_units, text
from core.swaps import SwapLimit
from dex.families.curve import Curve, Ratio, largest_in, least_out
from dex.quoting import QuoteRequest
from dex.refusals import invalid

_SHOWN = 12  # significant digits of a price in a message


@dataclass(frozen=True, slots=True)
class Limited:
    """What a pool does of a swap; fields as in core.swaps.Quote."""

    units_in: int
    units_out: int
    guaranteed: int
    price_limit: int

    def better_than(self, other: "Limited", exact_in: bool) -> bool:
        """More of what is fixed, and of as much the better price."""
        if exact_in:
            return (self.units_in, self.units_out) > (other.units_in, other.units_out)
        return (self.units_out, -self.units_in) > (other.units_out, -other.units_in)


def check_limit(limit: SwapLimit) -> None:
    """Refused with FIELD_INVALID for what is no price."""
    if not limit.price.is_finite() or limit.price <= 0:
        raise invalid("limit_price", limit.price, "the limit price must be above zero")


def limited(curve: Curve, request: QuoteRequest, limit: SwapLimit) -> Limited:
    """What the pool does within the limit: all, or the part that there is where that will do.
    Refused with SLIPPAGE_EXCEEDED or INSUFFICIENT_LIQUIDITY."""
    if curve.is_empty:
        raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
    worst = _ratio(request, limit.price)
    flipped = worst[::-1]
    most = curve.most_in(worst) if request.exact_in else curve.most_out(flipped)
    units = min(request.units, most)
    if not units:
        raise _past(request, limit, f"the pool's price is {_best(curve, request)} now")
    if units < request.units and not limit.partial:
        token = request.token_in if request.exact_in else request.token_out
        had = f"{text(from_units(most, token.decimals))} {token.symbol}"
        raise _past(request, limit, f"only {had} can be traded within it; let a part be traded")
    if request.exact_in:
        found = _exact_in(curve, request, limit, units, worst)
    else:
        found = _exact_out(curve, request, limit, units, worst)
    if found is None:
        why = "the amount is so small that the contract's rounding takes it past the limit"
        raise _past(request, limit, why)
    return found


def _exact_in(
    curve: Curve, request: QuoteRequest, limit: SwapLimit, units: int, worst: Ratio
) -> Limited | None:
    try:
        out = curve.amount_out(units)
    except Refused as refusal:
        if refusal.reason is not Reason.FIELD_INVALID:
            raise
        return None  # nothing would come out
    least = -(-units * worst[0] // worst[1])
    if out < least:
        return None
    if not limit.partial:
        least = max(least, least_out(out, request.slippage))
    return Limited(units, out, least, curve.limit(worst) if limit.partial else 0)


def _exact_out(
    curve: Curve, request: QuoteRequest, limit: SwapLimit, units: int, worst: Ratio
) -> Limited | None:
    cost = curve.amount_in(units)
    most = units * worst[1] // worst[0]
    if cost > most:
        return None
    if not limit.partial:
        most = min(most, largest_in(cost, request.slippage))
    return Limited(cost, units, most, curve.limit(worst) if limit.partial else 0)


def _ratio(request: QuoteRequest, price: Decimal) -> Ratio:
    """Units out for a unit in."""
    over, under = price.as_integer_ratio()
    shift = request.token_out.decimals - request.token_in.decimals
    return (over * 10**shift, under) if shift >= 0 else (over, under * 10**-shift)


def _best(curve: Curve, request: QuoteRequest) -> str:
    """The price of the first unit, fee included, for people."""
    mid, fee = curve.mid, curve.fee
    shift = request.token_in.decimals - request.token_out.decimals
    price = Decimal(mid[0] * fee.kept) / Decimal(mid[1] * fee.whole)
    price = price.scaleb(shift)
    rounding = ROUND_FLOOR if request.exact_in else ROUND_CEILING
    return text(price.quantize(Decimal(1).scaleb(price.adjusted() - _SHOWN + 1), rounding))


def _past(request: QuoteRequest, limit: SwapLimit, why: str) -> Refused:
    give, take = request.token_in.symbol, request.token_out.symbol
    wanted = f"at least {text(limit.price)} {take} for one {give}"
    return Refused(Reason.SLIPPAGE_EXCEEDED, f"the limit is {wanted}, and {why}")
