"""Quotes: what a swap would give, from a pool's state in memory. Pure."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from core.errors import Reason, Refused
from core.swaps import Quote
from core.tokens import Token
from dex.families.curve import Curve, largest_in, least_out, price_impact
from dex.pools import PoolState
from dex.refusals import invalid

# A quote is good for a few blocks, but at least as long as a person or a slow bot needs.
_BLOCKS = 3
_SHORTEST = 15_000_000_000  # ns
_PRICE_DIGITS = 36


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """`units` is the amount of the exact side. `slippage` is a fraction, 0.005 is 0.5 %."""

    token_in: Token
    token_out: Token
    units: int
    exact_in: bool
    slippage: Decimal


def check_request(request: QuoteRequest) -> None:
    """Refused with FIELD_INVALID for what can never be quoted."""
    if request.units <= 0:
        raise invalid("amount", request.units, "the amount must be above zero")
    if not request.slippage.is_finite() or not 0 <= request.slippage < 1:
        raise invalid(
            "slippage", request.slippage, "slippage is a fraction from 0 to below 1: 0.005 is 0.5 %"
        )
    if request.token_in.address == request.token_out.address:
        symbol = request.token_in.symbol
        raise invalid("token_out", symbol, f"both tokens are {symbol}; name two different ones")


def amounts(curve: Curve, request: QuoteRequest) -> tuple[int, int]:
    """Units in and units out; Refused when the pool cannot do it."""
    if request.exact_in:
        return request.units, curve.amount_out(request.units)
    return curve.amount_in(request.units), request.units


def best(states: Sequence[PoolState], token_in: Token, request: QuoteRequest) -> PoolState:
    """The pool that gives most, or takes least; raises the first one's refusal when none can."""
    found: PoolState | None = None
    reached = 0
    refusal: Refused | None = None
    for state in states:
        try:
            units_in, units_out = amounts(state.curve(token_in), request)
        except Refused as error:
            refusal = refusal or error
            continue
        better = units_out > reached if request.exact_in else units_in < reached
        if found is None or better:
            found, reached = state, units_out if request.exact_in else units_in
    if found is not None:
        return found
    assert refusal is not None  # there is at least one state
    raise refusal


def quote(
    venue: str, state: PoolState, curve: Curve, request: QuoteRequest, now: int, block_time: int
) -> Quote:
    """A quote over one pool, `curve` being the pool in the direction of the swap."""
    units_in, units_out = amounts(curve, request)
    if request.exact_in:
        guaranteed = least_out(units_out, request.slippage)
    else:
        guaranteed = largest_in(units_in, request.slippage)
    shift = request.token_in.decimals - request.token_out.decimals
    return Quote(
        id=secrets.token_hex(8),
        venue=venue,
        network=request.token_in.network,
        token_in=request.token_in,
        token_out=request.token_out,
        exact_in=request.exact_in,
        units_in=units_in,
        units_out=units_out,
        guaranteed=guaranteed,
        slippage=request.slippage,
        price=price(units_out, units_in, shift),
        price_impact=price_impact(curve, units_in, units_out),
        pools=(state.market.address,),
        block=state.block,
        create_time=now,
        expire_time=now + max(_BLOCKS * block_time, _SHORTEST),
    )


def price(over: int, under: int, shift: int) -> Decimal:
    """`over` / `under` * 10 ** shift, cut to 36 decimals: exact amounts stand beside it."""
    exact = (Decimal(over) / Decimal(under)).scaleb(shift)
    return exact.quantize(Decimal(1).scaleb(-_PRICE_DIGITS), ROUND_DOWN)


def check_fresh(quote: Quote, now: int) -> None:
    """Refused with QUOTE_EXPIRED for a quote that is too old to act on."""
    if now > quote.expire_time:
        raise Refused(
            Reason.QUOTE_EXPIRED,
            f"the quote is of block {quote.block} and has expired; ask for a new one",
            {"quote": quote.id},
        )
