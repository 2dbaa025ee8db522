"""Quotes: what may be asked for, what a price is, how long a quote is good for. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from core.errors import Reason, Refused
from core.swaps import Quote
from core.tokens import Token
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


def check_ends(token_in: Token, token_out: Token) -> None:
    """The same for the tokens that stand in the pools."""
    if token_in.address == token_out.address:
        raise invalid(
            "token_out",
            token_out.symbol,
            f"{token_in.symbol} against itself has no pool: wrap or unwrap it instead",
        )


def validity(block_time: int) -> int:
    """How long a quote is good for, in ns."""
    return max(_BLOCKS * block_time, _SHORTEST)


def price(over: int, under: int, shift: int) -> Decimal:
    """`over` / `under` * 10 ** shift, cut to 36 decimals: exact amounts stand beside it."""
    places = _PRICE_DIGITS + shift
    if places < 0:
        under *= int(10**-places)
    else:
        over *= int(10**places)
    return Decimal(over // under).scaleb(-_PRICE_DIGITS)


def check_fresh(quote: Quote, now: int) -> None:
    """Refused with QUOTE_EXPIRED for a quote that is too old to act on."""
    if now > quote.expire_time:
        raise Refused(
            Reason.QUOTE_EXPIRED,
            f"the quote is of block {quote.block} and has expired; ask for a new one",
            {"quote": quote.id},
        )
