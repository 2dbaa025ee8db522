"""What liquidity between two prices is worth in tokens, and what fees it has earned.

Source: LiquidityAmounts and PositionValue in
https://docs.uniswap.org/contracts/v3/reference/periphery/libraries/LiquidityAmounts.
Fee growth: the white paper, https://uniswap.org/whitepaper-v3.pdf, chapter 6.3.
"""

from dataclasses import dataclass

from dex.families.concentrated_math import Q96, Q128, amount0_delta, amount1_delta

_UINT256 = 2**256
MAX_LIQUIDITY = 2**128 - 1


def amounts_for_liquidity(
    sqrt_price: int, sqrt_lower: int, sqrt_upper: int, liquidity: int, up: bool
) -> tuple[int, int]:
    """Units of token0 and token1: rounded up is what the pool takes for it, rounded down is what
    it gives back."""
    if sqrt_price <= sqrt_lower:
        return amount0_delta(sqrt_lower, sqrt_upper, liquidity, up), 0
    if sqrt_price >= sqrt_upper:
        return 0, amount1_delta(sqrt_lower, sqrt_upper, liquidity, up)
    return (
        amount0_delta(sqrt_price, sqrt_upper, liquidity, up),
        amount1_delta(sqrt_lower, sqrt_price, liquidity, up),
    )


def liquidity_for_amounts(
    sqrt_price: int, sqrt_lower: int, sqrt_upper: int, units0: int, units1: int
) -> int:
    """The most liquidity that two amounts are enough for, as the position manager computes it."""
    if sqrt_price <= sqrt_lower:
        return _of_amount0(sqrt_lower, sqrt_upper, units0)
    if sqrt_price >= sqrt_upper:
        return _of_amount1(sqrt_lower, sqrt_upper, units1)
    return min(
        _of_amount0(sqrt_price, sqrt_upper, units0), _of_amount1(sqrt_lower, sqrt_price, units1)
    )


def _of_amount0(sqrt_lower: int, sqrt_upper: int, units: int) -> int:
    between = sqrt_lower * sqrt_upper // Q96
    return units * between // (sqrt_upper - sqrt_lower)


def _of_amount1(sqrt_lower: int, sqrt_upper: int, units: int) -> int:
    return units * Q96 // (sqrt_upper - sqrt_lower)


@dataclass(frozen=True, slots=True)
class Growth:
    """Fees a unit of liquidity since the pool began, times 2**128, of token0 and token1. The
    contract lets them wrap around, and so do all differences here."""

    of0: int
    of1: int

    def less(self, other: "Growth") -> "Growth":
        """The difference, wrapped."""
        return Growth((self.of0 - other.of0) % _UINT256, (self.of1 - other.of1) % _UINT256)


def growth_inside(
    tick: int, lower: int, upper: int, everywhere: Growth, below: Growth, above: Growth
) -> Growth:
    """Growth between two ticks, from the pool's and from the two ticks' `feeGrowthOutside`."""
    under = below if tick >= lower else everywhere.less(below)
    over = above if tick < upper else everywhere.less(above)
    return everywhere.less(under).less(over)


def fees_earned(liquidity: int, inside: Growth, last: Growth) -> tuple[int, int]:
    """Units that a position earned since its growth inside was `last`; the contract keeps them as
    128 bits, and lets them wrap."""
    grown = inside.less(last)
    return (
        grown.of0 * liquidity // Q128 % Q128,
        grown.of1 * liquidity // Q128 % Q128,
    )
