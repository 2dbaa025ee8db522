"""Integer mathematics of concentrated liquidity, equal to the contracts to the last unit.

Source: SqrtPriceMath, SwapMath and FullMath in
https://docs.uniswap.org/contracts/v3/reference/core/libraries/SqrtPriceMath (and its neighbours);
the white paper, https://uniswap.org/whitepaper-v3.pdf, chapter 6, says why each rounding goes the
way it goes: in the pool's favour.

A sqrt price is the square root of token1 units a token0 unit, times 2**96. Amounts are units,
liquidity is the contract's own measure, a fee is in millionths ("pips").
"""

Q96 = 2**96
Q128 = 2**128
MILLION = 1_000_000
_UINT256 = 2**256
_UINT160 = 2**160


class ContractReverts(ArithmeticError):
    """The contract would revert: the result does not fit what it computes with."""


def divide_up(numerator: int, denominator: int) -> int:
    """Division rounded up, of non-negative numbers."""
    return -(-numerator // denominator)


def amount0_delta(sqrt_a: int, sqrt_b: int, liquidity: int, up: bool) -> int:
    """Units of token0 between two sqrt prices."""
    if sqrt_a > sqrt_b:
        sqrt_a, sqrt_b = sqrt_b, sqrt_a
    product = (liquidity << 96) * (sqrt_b - sqrt_a)
    # The contract divides twice, and rounds twice.
    if up:
        return divide_up(divide_up(product, sqrt_b), sqrt_a)
    return product // sqrt_b // sqrt_a


def amount1_delta(sqrt_a: int, sqrt_b: int, liquidity: int, up: bool) -> int:
    """Units of token1 between two sqrt prices."""
    product = liquidity * abs(sqrt_b - sqrt_a)
    return -(-product >> 96) if up else product >> 96


def next_sqrt_price_from_input(sqrt_price: int, liquidity: int, units: int, zero_in: bool) -> int:
    """The price after so much went in: rounded so that the pool never gives too much."""
    if not zero_in:
        moved = sqrt_price + (units << 96) // liquidity
        if moved >= _UINT160:
            raise ContractReverts("the price would not fit")
        return moved
    if units == 0:
        return sqrt_price
    whole = liquidity << 96
    product = units * sqrt_price
    # Where product or sum overflow 256 bits the contract takes a less exact formula.
    if product < _UINT256 and whole + product < _UINT256:
        return divide_up(whole * sqrt_price, whole + product)
    return divide_up(whole, whole // sqrt_price + units)


def next_sqrt_price_from_output(sqrt_price: int, liquidity: int, units: int, zero_in: bool) -> int:
    """The price after so much came out."""
    if zero_in:
        moved = divide_up(units << 96, liquidity)
        if sqrt_price <= moved:
            raise ContractReverts("the pool has not that much of token1")
        return sqrt_price - moved
    if units == 0:
        return sqrt_price
    whole, product = liquidity << 96, units * sqrt_price
    if product >= _UINT256 or whole <= product:
        raise ContractReverts("the pool has not that much of token0")
    moved = divide_up(whole * sqrt_price, whole - product)
    if moved >= _UINT160:
        raise ContractReverts("the price would not fit")
    return moved


def swap_step(
    sqrt_price: int, target: int, liquidity: int, remaining: int, exact_in: bool, fee: int
) -> tuple[int, int, int, int]:
    """One stretch of a swap, with one liquidity, towards `target` and no further: the price after
    it, units in without the fee, units out, units of fee. `remaining` (not negative) is what is
    left to go in, fee included, or to come out."""
    zero_in = sqrt_price >= target
    if exact_in:
        counted = remaining * (MILLION - fee) // MILLION
        if zero_in:
            units_in = amount0_delta(target, sqrt_price, liquidity, True)
        else:
            units_in = amount1_delta(sqrt_price, target, liquidity, True)
        if counted >= units_in:
            moved = target
        else:
            moved = next_sqrt_price_from_input(sqrt_price, liquidity, counted, zero_in)
            if zero_in:
                units_in = amount0_delta(moved, sqrt_price, liquidity, True)
            else:
                units_in = amount1_delta(sqrt_price, moved, liquidity, True)
        if zero_in:
            units_out = amount1_delta(moved, sqrt_price, liquidity, False)
        else:
            units_out = amount0_delta(sqrt_price, moved, liquidity, False)
        if moved != target:  # what is too little to move the price further is the fee
            return moved, units_in, units_out, remaining - units_in
    else:
        if zero_in:
            units_out = amount1_delta(target, sqrt_price, liquidity, False)
        else:
            units_out = amount0_delta(sqrt_price, target, liquidity, False)
        if remaining >= units_out:
            moved = target
        else:
            moved = next_sqrt_price_from_output(sqrt_price, liquidity, remaining, zero_in)
            if moved != target:
                if zero_in:
                    units_out = amount1_delta(moved, sqrt_price, liquidity, False)
                else:
                    units_out = amount0_delta(sqrt_price, moved, liquidity, False)
            units_out = min(units_out, remaining)
        if zero_in:
            units_in = amount0_delta(moved, sqrt_price, liquidity, True)
        else:
            units_in = amount1_delta(sqrt_price, moved, liquidity, True)
    return moved, units_in, units_out, divide_up(units_in * fee, MILLION - fee)
