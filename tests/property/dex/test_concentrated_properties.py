"""What must hold of concentrated liquidity whatever the numbers, without a chain."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dex.families import concentrated_math_ticks as tick_math
from dex.families.concentrated import MAX_AMOUNT, ConcentratedPool, swap
from dex.families.concentrated_math import ContractReverts
from dex.families.concentrated_math_liquidity import (
    amounts_for_liquidity,
    liquidity_for_amounts,
)
from dex.families.concentrated_math_ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    NO_TICKS,
    sqrt_price_at,
    tick_at,
)
from dex.families.concentrated_positions import price_at, tick_of_price, usable_ticks

TICKS = st.integers(MIN_TICK, MAX_TICK)
SPACINGS = st.sampled_from([1, 10, 50, 60, 200])


@st.composite
def pools(draw: st.DrawFn) -> ConcentratedPool:
    """Positions about a price."""
    spacing = draw(SPACINGS)
    sqrt_price = draw(st.integers(sqrt_price_at(-300_000), sqrt_price_at(300_000)))
    tick = tick_at(sqrt_price)
    ticks, liquidity = NO_TICKS, 0
    for _ in range(draw(st.integers(1, 5))):
        base = tick // spacing + draw(st.integers(-300, 300))
        lower = base * spacing
        upper = lower + draw(st.integers(1, 400)) * spacing
        units = draw(st.integers(1, 2**100))
        ticks = ticks.with_position(lower, upper, units)
        liquidity += units if lower <= tick < upper else 0
    fee = draw(st.sampled_from([100, 500, 2_500, 3_000, 10_000]))
    return ConcentratedPool(fee, spacing, sqrt_price, tick, liquidity, ticks)


def test_the_factors_are_powers_of_the_tick() -> None:
    with localcontext(prec=80):
        for place, factor in enumerate(tick_math._FACTORS):
            exact = Decimal(2) ** 128 / Decimal("1.0001") ** (Decimal(2**place) / 2)
            assert abs(Decimal(factor) - exact) < 1


@given(TICKS)
def test_a_tick_is_the_tick_of_its_price(tick: int) -> None:
    price = sqrt_price_at(tick)
    assert MIN_SQRT_PRICE <= price <= MAX_SQRT_PRICE
    if tick < MAX_TICK:
        assert tick_at(price) == tick
        assert tick_at(sqrt_price_at(tick + 1) - 1) == tick
    exact = Decimal("1.0001") ** (Decimal(tick) / 2) * 2**96
    assert abs(price / exact - 1) < Decimal("1e-9")


@given(pools(), st.booleans(), st.integers(1, 10**30))
def test_a_pool_never_loses_by_a_swap_and_back(
    pool: ConcentratedPool, zero_in: bool, units: int
) -> None:
    there = swap(pool, zero_in, units, True)
    assume(there.complete and there.units_out)
    after = ConcentratedPool(
        pool.fee, pool.spacing, there.sqrt_price, there.tick, there.liquidity, pool.ticks
    )
    back = swap(after, not zero_in, there.units_out, True)
    assert back.units_out < units


@given(pools(), st.booleans(), st.integers(1, 10**30))
def test_exact_out_of_what_exact_in_gives_costs_hardly_more(
    pool: ConcentratedPool, zero_in: bool, units: int
) -> None:
    given_ = swap(pool, zero_in, units, True)
    assume(given_.complete and given_.units_out)
    asked = swap(pool, zero_in, given_.units_out, False)
    assert asked.complete
    assert asked.units_out == given_.units_out
    # The contract goes on to the end of a stretch of liquidity that gives as many whole units, so
    # that one unit can cost what part of the next is worth.
    assert asked.units_in <= units or asked.sqrt_price != given_.sqrt_price
    less = swap(pool, zero_in, max(given_.units_out - 1, 1), False)
    assert less.units_in <= units or given_.units_out == 1


@given(pools(), st.booleans(), st.integers(1, 10**30), st.integers(1, 10**30))
def test_more_in_is_more_out_and_never_better(
    pool: ConcentratedPool, zero_in: bool, one: int, other: int
) -> None:
    less, more = sorted((one, other))
    small, big = swap(pool, zero_in, less, True), swap(pool, zero_in, more, True)
    assert small.units_out <= big.units_out
    assert small.units_in <= big.units_in
    if small.units_in > 10**6:  # where the rounding of a unit a step is little
        best = Fraction(small.units_out + 100, small.units_in - 100)
        assert Fraction(big.units_out, big.units_in) <= best


@given(pools(), st.booleans(), st.booleans(), st.integers(1, 10**30), st.integers(1, 10**6))
def test_a_limit_is_never_passed(
    pool: ConcentratedPool, zero_in: bool, exact_in: bool, units: int, part: int
) -> None:
    distance = max(pool.sqrt_price * part // 10**7, 1)
    limit = pool.sqrt_price + (-distance if zero_in else distance)
    done = swap(pool, zero_in, units, exact_in, limit)
    assert done.sqrt_price >= limit if zero_in else done.sqrt_price <= limit
    assert done.complete or done.sqrt_price == limit
    assert (done.units_in if exact_in else done.units_out) <= units


@given(pools(), st.booleans(), st.integers(1, 10**4))
def test_what_a_limit_lets_through_keeps_it(
    pool: ConcentratedPool, zero_in: bool, worse: int
) -> None:
    curve = pool.curve(zero_in)
    over, under = curve.mid
    worst = (over * 10_000 * curve.fee.kept, under * (10_000 + worse) * curve.fee.whole)
    most = curve.most_in(worst)
    assume(most > 10**6)  # where the rounding of a unit a step is little
    after = swap(pool, zero_in, most, True)
    limit = curve.limit(worst)
    assert after.sqrt_price >= limit if zero_in else after.sqrt_price <= limit
    if after.units_out > 10**6:
        assert Fraction(after.units_out + 1_000, most - 1_000) >= Fraction(*worst)


@pytest.mark.parametrize("units", [0, -1, MAX_AMOUNT + 1])
def test_what_the_contract_does_not_take(units: int) -> None:
    pool = ConcentratedPool(3_000, 60, 2**96, 0, 1, NO_TICKS)
    with pytest.raises(ContractReverts):
        swap(pool, True, units, True)
    with pytest.raises(ContractReverts):
        swap(ConcentratedPool(3_000, 60), True, 1, True)


@given(TICKS, TICKS, TICKS, st.integers(1, 2**100))
def test_amounts_of_liquidity_make_it_again(one: int, other: int, at: int, liquidity: int) -> None:
    lower, upper = sorted((one, other))
    assume(lower < upper)
    price, low, high = (sqrt_price_at(tick) for tick in (at, lower, upper))
    taken = amounts_for_liquidity(price, low, high, liquidity, True)
    given_ = amounts_for_liquidity(price, low, high, liquidity, False)
    assert all(0 <= taken[place] - given_[place] <= 2 for place in (0, 1))
    # The contract rounds the products of prices, which costs more where they are small.
    made = liquidity_for_amounts(price, low, high, *taken)
    assert made >= liquidity * (1 - Fraction(1, 2**20)) - 2**20 or low * high < 2**110


@given(SPACINGS, st.integers(1, 10**12), st.integers(2, 1_000), st.booleans())
def test_ticks_hold_the_prices_that_were_asked_for(
    spacing: int, price: int, width: int, decimals: bool
) -> None:
    shift = 10**12 if decimals else 1
    lower, upper = (price, shift * 1_000), (price * width, shift * 1_000)
    low, high = usable_ticks(lower, upper, spacing)
    assert low % spacing == high % spacing == 0
    assert price_at(low, 0, False) * (1 - Decimal("1e-15")) <= Decimal(price) / (shift * 1_000)
    assert price_at(high, 0, False) * (1 + Decimal("1e-15")) >= Decimal(price * width) / (
        shift * 1_000
    )
    assert tick_of_price(*lower) - low < spacing
