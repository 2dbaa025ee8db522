"""What every kind of pool is to whoever trades with it: a curve, seen in one direction.

Amounts are integers of a token's smallest unit. Prices are ratios of units, (numerator,
denominator), both positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

Ratio = tuple[int, int]
_IMPACT_DIGITS = 18


@dataclass(frozen=True, slots=True)
class FeeRate:
    """What a swap pays the pool, as the contract counts it: 997 of 1000 units of input count."""

    kept: int = 997
    whole: int = 1000

    @property
    def fraction(self) -> Decimal:
        """0.003 for 997 of 1000."""
        return Decimal(self.whole - self.kept) / Decimal(self.whole)

    @property
    def pips(self) -> int:
        """Millionths; 3000 for 997 of 1000."""
        return (self.whole - self.kept) * 1_000_000 // self.whole


@dataclass(frozen=True, slots=True)
class SwapLog:
    """A swap as its pool tells it, in the pool's token order; what went in is measured by the pool
    from its balances, so it is true for a token that keeps a part of each transfer as well."""

    in0: int
    in1: int
    out0: int
    out1: int
    recipient: str


class Curve(Protocol):
    """A pool in one direction: what goes in, what comes out. A value; equal to the contract."""

    @property
    def fee(self) -> FeeRate: ...

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be traded."""
        ...

    @property
    def mid(self) -> Ratio:
        """Units out for one in, of an infinitely small swap without a fee."""
        ...

    def reversed(self) -> "Curve":
        """The same pool, traded the other way."""
        ...

    def amount_out(self, units_in: int) -> int:
        """What `units_in` buys. Raises Refused: FIELD_INVALID when nothing would come out,
        INSUFFICIENT_LIQUIDITY when the pool cannot take all of it."""
        ...

    def amount_in(self, units_out: int) -> int:
        """What `units_out` costs. Raises Refused: FIELD_INVALID for an amount that is not
        positive, INSUFFICIENT_LIQUIDITY when the pool has not that much."""
        ...

    def limit(self, worst: Ratio) -> int:
        """What the contract takes as a limit, so that no unit, fee included, gives less than
        `worst` out a unit in; 0 where it takes none, or when already the first unit gives less."""
        ...

    def most_in(self, worst: Ratio) -> int:
        """The most that can be sold with every unit, fee included, giving at least `worst` out a
        unit in; 0 when already the first gives less."""
        ...

    def most_out(self, worst: Ratio) -> int:
        """The most that can be bought with every unit, fee included, costing at most `worst` in a
        unit out; 0 when already the first costs more."""
        ...


class Content(Protocol):
    """What a pool holds at the end of a block. A value."""

    @property
    def reserves(self) -> tuple[int, int]:
        """Units of token0 and token1 that are there to be traded."""
        ...

    def curve(self, zero_in: bool) -> Curve:
        """The pool seen by somebody who sells token0, or token1."""
        ...


def price_impact(ways: Sequence[tuple[int, Sequence[Curve]]], units_out: int) -> Decimal:
    """How much less comes out than at the mid prices, as a fraction, with the fees taken out first.
    `ways`: what goes in, and the pools that it passes.

    Rounded half-even to 18 decimals. Only the truncation to whole units can make it negative, by
    less than a unit a pool: that is reported as zero.
    """
    over, under = 0, 1
    for units_in, curves in ways:
        top, bottom = units_in, 1
        for curve in curves:
            mid, fee = curve.mid, curve.fee
            top *= mid[0] * fee.kept
            bottom *= mid[1] * fee.whole
        over, under = over * bottom + top * under, under * bottom
    lost = over - units_out * under
    if lost <= 0:
        return Decimal(0)
    return Decimal(_halved(lost * 10**_IMPACT_DIGITS, over)).scaleb(-_IMPACT_DIGITS)


def _halved(over: int, under: int) -> int:
    """The quotient, rounded half-even."""
    quotient, rest = divmod(over, under)
    twice = 2 * rest
    return quotient + (twice > under or (twice == under and quotient % 2 == 1))


def least_out(units_out: int, slippage: Decimal) -> int:
    """The guaranteed minimum of an exact-in swap: rounded up, in the trader's favour."""
    kept, whole = (1 - slippage).as_integer_ratio()
    return max(1, -(-units_out * kept // whole))


def largest_in(units_in: int, slippage: Decimal) -> int:
    """The guaranteed maximum of an exact-out swap: rounded down, in the trader's favour."""
    paid, whole = (1 + slippage).as_integer_ratio()
    return units_in * paid // whole
