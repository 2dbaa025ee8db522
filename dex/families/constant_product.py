"""Constant-product pools (x * y = k): Uniswap V2 and its forks, equal to the contracts to the unit.

Source: UniswapV2Library.getAmountOut/getAmountIn and UniswapV2Pair.swap in
https://docs.uniswap.org/contracts/v2/reference/smart-contracts/library. Amounts are integers of a
token's smallest unit. The contract divides with truncation in the pool's favour, and so does this.

Prices here are ratios of units: (numerator, denominator), both positive.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from core.errors import Reason, Refused
from dex.refusals import invalid

# A pair keeps its reserves as uint112 and reverts ("UniswapV2: OVERFLOW") above that.
MAX_RESERVE = 2**112 - 1

Ratio = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FeeRate:
    """What a swap pays the pool, as the contract counts it: 997 of 1000 units of input count."""

    kept: int = 997
    whole: int = 1000

    @property
    def fraction(self) -> Decimal:
        """0.003 for 997 of 1000."""
        return Decimal(self.whole - self.kept) / Decimal(self.whole)


@dataclass(frozen=True, slots=True)
class Curve:
    """A pool seen in one direction: what goes in, what comes out."""

    reserve_in: int
    reserve_out: int
    fee: FeeRate = FeeRate()

    def reversed(self) -> "Curve":
        """The same pool, traded the other way."""
        return Curve(self.reserve_out, self.reserve_in, self.fee)


def amount_out(curve: Curve, units_in: int) -> int:
    """What `units_in` buys; the router's getAmountOut.

    Raises Refused: FIELD_INVALID when nothing would come out, INSUFFICIENT_LIQUIDITY when the pool
    is empty or could not hold that much.
    """
    _check(curve, units_in)
    if curve.reserve_in + units_in > MAX_RESERVE:
        raise Refused(
            Reason.INSUFFICIENT_LIQUIDITY,
            "the pool cannot hold that much of the token that is sold; sell less",
            {"units_in": str(units_in), "most": str(MAX_RESERVE - curve.reserve_in)},
        )
    counted = units_in * curve.fee.kept
    out = counted * curve.reserve_out // (curve.reserve_in * curve.fee.whole + counted)
    if out == 0:
        raise invalid(
            "amount", units_in, "the pool would give nothing for so small an amount; trade more"
        )
    return out


def amount_in(curve: Curve, units_out: int) -> int:
    """What `units_out` costs; the router's getAmountIn.

    Raises Refused: FIELD_INVALID for an amount that is not positive, INSUFFICIENT_LIQUIDITY when
    the pool has not that much, or could not hold what it costs.
    """
    _check(curve, units_out)
    if units_out >= curve.reserve_out:
        raise Refused(
            Reason.INSUFFICIENT_LIQUIDITY,
            "the pool holds less than the amount that is asked for; ask for less",
            {"units_out": str(units_out), "reserve": str(curve.reserve_out)},
        )
    numerator = curve.reserve_in * units_out * curve.fee.whole
    cost = numerator // ((curve.reserve_out - units_out) * curve.fee.kept) + 1
    if curve.reserve_in + cost > MAX_RESERVE:
        raise Refused(
            Reason.INSUFFICIENT_LIQUIDITY,
            "the pool could not hold what that amount costs; ask for less",
            {"units_out": str(units_out), "units_in": str(cost)},
        )
    return cost


def swap_in(curve: Curve, units_in: int, units_out: int) -> Curve:
    """The pool after a swap."""
    return Curve(curve.reserve_in + units_in, curve.reserve_out - units_out, curve.fee)


def most_in(curve: Curve, worst: Ratio) -> int:
    """The most that can be sold with every unit, fee included, giving at least `worst` out a unit
    in; 0 when already the first gives less.

    With x, y the reserves and f the part of the input that counts, the marginal price after selling
    d is f*x*y / (x + f*d)**2; solved for d in integers, rounded down.
    """
    numerator, denominator = worst
    kept, whole = curve.fee.kept, curve.fee.whole
    product = curve.reserve_in * curve.reserve_out * kept * whole
    root = isqrt(product * denominator // numerator)
    most = (root - curve.reserve_in * whole) // kept
    return max(0, min(most, MAX_RESERVE - curve.reserve_in))


def most_out(curve: Curve, worst: Ratio) -> int:
    """The most that can be bought with every unit, fee included, costing at most `worst` in a unit
    out; 0 when already the first costs more.

    The marginal cost after buying d is x*y / (f * (y - d)**2).
    """
    numerator, denominator = worst
    kept, whole = curve.fee.kept, curve.fee.whole
    top = curve.reserve_in * curve.reserve_out * whole * denominator
    least_left = -(-top // (kept * numerator))  # ceiling
    root = isqrt(least_left - 1) + 1 if least_left > 0 else 0
    return max(0, curve.reserve_out - max(root, 1))


def price_impact(curve: Curve, units_in: int, units_out: int) -> Decimal:
    """How much less comes out than at the mid price, as a fraction, with the fee taken out first.

    Rounded half-even to 18 decimals. Only the truncation to whole units can make it negative, by
    less than a unit: that is reported as zero.
    """
    kept, whole = curve.fee.kept, curve.fee.whole
    ideal = Decimal(units_in * kept * curve.reserve_out) / Decimal(curve.reserve_in * whole)
    impact = (1 - Decimal(units_out) / ideal).quantize(Decimal(1).scaleb(-18))
    return max(impact, Decimal(0))


def least_out(units_out: int, slippage: Decimal) -> int:
    """The guaranteed minimum of an exact-in swap: rounded up, in the trader's favour."""
    kept, whole = (1 - slippage).as_integer_ratio()
    return max(1, -(-units_out * kept // whole))


def largest_in(units_in: int, slippage: Decimal) -> int:
    """The guaranteed maximum of an exact-out swap: rounded down, in the trader's favour."""
    paid, whole = (1 + slippage).as_integer_ratio()
    return units_in * paid // whole


def _check(curve: Curve, units: int) -> None:
    if units <= 0:
        raise invalid("amount", units, "the amount must be above zero")
    if curve.reserve_in <= 0 or curve.reserve_out <= 0:
        raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
