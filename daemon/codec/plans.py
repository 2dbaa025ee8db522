"""A swap's plan in words, for people and for logs."""

from core.money import text, units_text
from core.swaps import Approval, Hop, Leg, Quote

_PERCENT = 100


def words(value: Quote, approval: Approval | None) -> str:
    """What would be done, in the order in which it is done."""
    given, got = value.token_in, value.token_out
    steps = []
    if approval is not None:
        needed = units_text(approval.units, approval.token.decimals)
        steps.append(f"approve {needed} {approval.token.symbol} for {approval.spender}")
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
    if value.gas:
        worth = ""
        if value.gas_cost is not None:
            token = got if value.exact_in else given
            worth = f", worth {units_text(value.gas_cost, token.decimals)} {token.symbol}"
        steps.append(f"about {value.gas} gas{worth}")
    return "; ".join(steps)


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
