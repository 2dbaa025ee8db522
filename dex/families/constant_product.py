"""Constant-product pools (x * y = k): Uniswap V2 and its forks, equal to the contracts to the unit.

Source: UniswapV2Library.getAmountOut/getAmountIn and UniswapV2Pair.swap in
https://docs.uniswap.org/contracts/v2/reference/smart-contracts/library. Amounts are integers of a
token's smallest unit. The contract divides with truncation in the pool's favour, and so does this.
"""

from dataclasses import dataclass
from math import isqrt

from core.errors import Reason, Refused
from dex.families.curve import FeeRate, Ratio
from dex.refusals import invalid

# A pair keeps its reserves as uint112 and reverts ("UniswapV2: OVERFLOW") above that.
MAX_RESERVE = 2**112 - 1
_USUAL = FeeRate()


@dataclass(frozen=True, slots=True)
class ConstantProductPool:
    """A pool at the end of a block."""

    reserve0: int
    reserve1: int
    fee: FeeRate = _USUAL

    @property
    def reserves(self) -> tuple[int, int]:
        return self.reserve0, self.reserve1

    def curve(self, zero_in: bool) -> "Curve":
        """The pool seen by somebody who sells token0, or token1."""
        if zero_in:
            return Curve(self.reserve0, self.reserve1, self.fee)
        return Curve(self.reserve1, self.reserve0, self.fee)


@dataclass(frozen=True, slots=True)
class Curve:
    """A pool in one direction; see dex.families.curve.Curve."""

    reserve_in: int
    reserve_out: int
    fee: FeeRate = _USUAL

    @property
    def is_empty(self) -> bool:
        return self.reserve_in <= 0 or self.reserve_out <= 0

    @property
    def mid(self) -> Ratio:
        return self.reserve_out, self.reserve_in

    def reversed(self) -> "Curve":
        return Curve(self.reserve_out, self.reserve_in, self.fee)

    def amount_out(self, units_in: int) -> int:
        return amount_out(self, units_in)

    def amount_in(self, units_out: int) -> int:
        return amount_in(self, units_out)

    def limit(self, worst: Ratio) -> int:
        """None: the router knows a least amount out and a most amount in, nothing else."""
        return 0

    def most_in(self, worst: Ratio) -> int:
        return most_in(self, worst)

    def most_out(self, worst: Ratio) -> int:
        return most_out(self, worst)


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


def _check(curve: Curve, units: int) -> None:
    if units <= 0:
        raise invalid("amount", units, "the amount must be above zero")
    if curve.is_empty:
        raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
