"""A swap's plan in words, for people and for logs."""

from decimal import Decimal

from core.money import text, units_text
from core.swaps import Approval, ApprovalMethod, Hop, Leg, Quote, SwapLimit

_PERCENT = 100
_LARGE = Decimal("0.05")  # a price impact that nobody means to have


def words(value: Quote, approval: Approval | None) -> str:
    """What would be done, in the order in which it is done."""
    given, got = value.token_in, value.token_out
    steps = []
    if approval is not None:
        steps.append(_approved(approval))
    sold = units_text(value.units_in, given.decimals)
    bought = units_text(value.units_out, got.decimals)
    if len(value.legs) == 1:
        way = _way(value.legs[0])
    else:
        way = ", ".join(f"{_share(value, leg)} {_way(leg)}" for leg in value.legs)
    steps.append(f"swap {sold} {given.symbol} for {bought} {got.symbol} by {way}")
    if value.exact_in:
        steps.append(f"at least {units_text(value.guaranteed, got.decimals)} {got.symbol} out")
    else:
        steps.append(f"at most {units_text(value.guaranteed, given.decimals)} {given.symbol} in")
    if value.price_impact >= _LARGE:
        moved = text((value.price_impact * _PERCENT).quantize(Decimal("0.01")))
        steps.append(f"careful: the swap itself moves the price by {moved} %")
    if value.limit is not None:
        steps.append(_limited(value, value.limit))
    if value.gas:
        worth = ""
        if value.gas_cost is not None:
            token = got if value.exact_in else given
            worth = f", worth {units_text(value.gas_cost, token.decimals)} {token.symbol}"
        steps.append(f"about {value.gas} gas{worth}")
    return "; ".join(steps)


def _limited(value: Quote, limit: SwapLimit) -> str:
    given, got = value.token_in, value.token_out
    price = f"no unit below {text(limit.price)} {got.symbol} for one {given.symbol}"
    if not limit.partial:
        return f"{price}, the whole or nothing"
    fixed, units = (given, value.units_in) if value.exact_in else (got, value.units_out)
    if units == value.asked:
        return f"{price}, a part where the price moves before that"
    asked = f"{units_text(value.asked, fixed.decimals)} {fixed.symbol}"
    return f"{price}: so much of the {asked} that were asked for"


def _approved(approval: Approval) -> str:
    symbol, spender = approval.token.symbol, approval.spender
    needed = f"{units_text(approval.units, approval.token.decimals)} {symbol}"
    if approval.by_signature:
        return f"sign a permit of {needed} for {spender}, which the swap brings"
    unlimited = approval.method in (ApprovalMethod.UNLIMITED, ApprovalMethod.PERMIT2_UNLIMITED)
    step = f"approve {f'every {symbol}' if unlimited else needed} for {spender}"
    if approval.method in (ApprovalMethod.PERMIT2, ApprovalMethod.PERMIT2_UNLIMITED):
        step += " (Permit2); sign a permit, which the swap brings"
    return step


def share_hundredths(value: Quote, leg: Leg) -> int:
    """A leg's part of the fixed amount in hundredths of a per cent, rounded to the nearest."""
    part, whole = (
        (leg.units_in, value.units_in) if value.exact_in else (leg.units_out, value.units_out)
    )
    return (2 * part * _PERCENT * _PERCENT + whole) // (2 * whole)


def _share(value: Quote, leg: Leg) -> str:
    return f"{units_text(share_hundredths(value, leg), 2)} %"


def _way(leg: Leg) -> str:
    first = leg.hops[0]
    tokens = " > ".join((first.token_in.symbol, *(hop.token_out.symbol for hop in leg.hops)))
    fees = ", ".join(map(_fee, leg.hops))
    return f"{tokens} ({first.venue}, {fees})"


def _fee(hop: Hop) -> str:
    return f"{text(hop.fee * _PERCENT)} %"
