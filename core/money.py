"""Exact money: `Decimal` inside, canonical strings on the wire, integers on chains.

A canonical string has no exponent, no sign but a leading minus, no trailing zeros behind the
point: `0.00000001`, `-12.5`, `1000000000000`.
"""

import decimal
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

# 1e12 tokens with 18 decimals, multiplied by a price with 18 decimals, needs 60 digits; 28 (the
# default) would round silently. Inexact results are still possible in a division: callers round.
PRECISION = 120
_CONTEXT = decimal.Context(
    prec=PRECISION,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
decimal.DefaultContext.prec = PRECISION
decimal.setcontext(_CONTEXT)

ZERO = Decimal(0)

_PLAIN = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?", re.ASCII)


def parse(text: str) -> Decimal:
    """The value of a plain decimal string; ValueError for exponents, NaN, blanks, anything else."""
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"not a plain decimal number: {text[:80]!r}")
    return Decimal(text)


def text(value: Decimal) -> str:
    """The canonical string of a finite value; ValueError for NaN and infinities."""
    if not value.is_finite():
        raise ValueError(f"not a finite number: {value}")
    return canonical(format(value, "f"))


@lru_cache(maxsize=65_536)
def canonical(plain: str) -> str:
    """A plain decimal string with needless zeros cut; cached because prices of a book recur."""
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step`."""
    return value % step == 0


def to_units(amount: Decimal, decimals: int) -> int:
    """An amount in a token's smallest units; ValueError if it has more decimals than the token."""
    scaled = amount.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text(amount)} has more than {decimals} decimals")
    return int(scaled)


def from_units(units: int, decimals: int) -> Decimal:
    """The amount that an integer of a token's smallest units stands for."""
    return Decimal(units).scaleb(-decimals)


def units_text(units: int, decimals: int) -> str:
    """The canonical string of that amount, for zero and more; without a Decimal, for hot paths."""
    digits = str(units)
    if decimals == 0:
        return digits
    if len(digits) <= decimals:
        digits = digits.zfill(decimals + 1)
    rest = digits[-decimals:].rstrip("0")
    return f"{digits[:-decimals]}.{rest}" if rest else digits[:-decimals]
