"""A swap within a limit, whatever the pool: no unit past it, and none left that is within it."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import Reason, Refused
from core.swaps import SwapLimit
from dex.families.concentrated import ConcentratedCurve, ConcentratedPool, swap
from dex.families.concentrated_math_ticks import NO_TICKS, sqrt_price_at, tick_at
from dex.families.constant_product import ConstantProductPool
from dex.families.curve import Curve, FeeRate
from dex.limits import Limited, limited
from dex.quoting import QuoteRequest
from tests.support.pool_fakes import USDC, WETH

DECIMALS = st.sampled_from([0, 6, 18, 30])


@st.composite
def concentrated(draw: st.DrawFn) -> Curve:
    spacing = draw(st.sampled_from([10, 60, 200]))
    sqrt_price = draw(st.integers(sqrt_price_at(-200_000), sqrt_price_at(200_000)))
    tick = tick_at(sqrt_price)
    ticks, liquidity = NO_TICKS, 0
    for _ in range(draw(st.integers(1, 4))):
        lower = (tick // spacing + draw(st.integers(-60, 60))) * spacing
        upper = lower + draw(st.integers(1, 90)) * spacing
        units = draw(st.integers(10**6, 10**26))
        ticks = ticks.with_position(lower, upper, units)
        liquidity += units if lower <= tick < upper else 0
    fee = draw(st.sampled_from([100, 500, 2_500, 10_000]))
    pool = ConcentratedPool(fee, spacing, sqrt_price, tick, liquidity, ticks)
    return pool.curve(draw(st.booleans()))


@st.composite
def constant_product(draw: st.DrawFn) -> Curve:
    reserves = draw(st.tuples(st.integers(1_000, 10**30), st.integers(1_000, 10**30)))
    fee = draw(st.sampled_from([FeeRate(997, 1000), FeeRate(9_975, 10_000)]))
    return ConstantProductPool(*reserves, fee).curve(draw(st.booleans()))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Curve, QuoteRequest, SwapLimit]:
    curve = draw(st.one_of(concentrated(), constant_product()))
    give = replace(WETH, decimals=draw(DECIMALS))
    take = replace(USDC, decimals=draw(DECIMALS))
    units = draw(st.one_of(st.integers(1, 10**9), st.integers(1, 10**27)))
    request = QuoteRequest(give, take, units, draw(st.booleans()), Decimal("0.005"))
    over, under = curve.mid
    away = draw(st.integers(500_000, 1_000_100))  # millionths of the mid price
    price = Decimal(over * away) / Decimal(under * 1_000_000)
    price = price.scaleb(give.decimals - take.decimals)
    assume(price > 0)
    return curve, request, SwapLimit(price, draw(st.booleans()))


def worst_of(request: QuoteRequest, limit: SwapLimit) -> Fraction:
    """Units out for a unit in."""
    shift = request.token_out.decimals - request.token_in.decimals
    return Fraction(limit.price) * Fraction(10) ** shift


def found_or_none(curve: Curve, request: QuoteRequest, limit: SwapLimit) -> Limited | None:
    try:
        return limited(curve, request, limit)
    except Refused as refusal:
        if refusal.reason not in (Reason.SLIPPAGE_EXCEEDED, Reason.INSUFFICIENT_LIQUIDITY):
            raise
        return None


@given(cases())
@settings(max_examples=150, deadline=None)
def test_the_whole_keeps_the_limit_and_so_does_the_guarantee(
    case: tuple[Curve, QuoteRequest, SwapLimit],
) -> None:
    curve, request, limit = case
    found = found_or_none(curve, request, limit)
    if found is None:
        return
    worst = worst_of(request, limit)
    assert found.units_out >= worst * found.units_in
    fixed = found.units_in if request.exact_in else found.units_out
    assert fixed <= request.units
    if not limit.partial:
        assert fixed == request.units
        assert found.price_limit == 0
    if request.exact_in:
        assert curve.amount_out(found.units_in) == found.units_out
        assert found.units_out >= found.guaranteed >= worst * found.units_in
    else:
        assert curve.amount_in(found.units_out) == found.units_in
        assert found.units_in <= found.guaranteed
        assert found.units_out >= worst * found.guaranteed


@given(cases())
@settings(max_examples=150, deadline=None)
def test_what_is_left_out_would_be_past_the_limit(
    case: tuple[Curve, QuoteRequest, SwapLimit],
) -> None:
    curve, request, limit = case
    found = found_or_none(curve, request, replace(limit, partial=True))
    if found is None:
        return
    fixed = found.units_in if request.exact_in else found.units_out
    if fixed == request.units:
        return
    worst = worst_of(request, limit)
    more = fixed // 1_000 + 1_000  # enough for roundings not to count
    try:
        if request.exact_in:
            after = curve.amount_out(fixed + more) - found.units_out
            assert after <= worst * more + 2
        else:
            after = curve.amount_in(fixed + more) - found.units_in
            assert more <= worst * after + 2 * (1 + worst)
    except Refused:
        return  # the pool ends there


@given(cases(), st.integers(1, 10**26))
@settings(max_examples=150, deadline=None)
def test_who_comes_first_makes_it_a_part_and_never_a_worse_price(
    case: tuple[Curve, QuoteRequest, SwapLimit], theirs: int
) -> None:
    """What the contract does with the price limit after a stranger's swap of the same direction."""
    curve, request, limit = case
    found = found_or_none(curve, request, replace(limit, partial=True))
    if found is None or not isinstance(curve, ConcentratedCurve):
        return
    assert found.price_limit
    units = found.units_in if request.exact_in else found.units_out
    alone = swap(curve.pool, curve.zero_in, units, request.exact_in, found.price_limit)
    assert (alone.units_in, alone.units_out) == (found.units_in, found.units_out)
    before = swap(curve.pool, curve.zero_in, theirs, True)
    moved = replace(
        curve.pool, sqrt_price=before.sqrt_price, tick=before.tick, liquidity=before.liquidity
    )
    past = before.sqrt_price <= found.price_limit
    if past if curve.zero_in else before.sqrt_price >= found.price_limit:
        return  # the contract refuses to begin
    ours = swap(moved, curve.zero_in, units, request.exact_in, found.price_limit)
    assert ours.units_in <= found.units_in or not request.exact_in
    assert ours.units_out <= found.units_out
    # Each step, one a tick, may round a unit up.
    steps = (
        2
        + len(moved.ticks.indexes)
        + abs(moved.tick - tick_at(ours.sqrt_price)) // (256 * moved.spacing)
    )
    worst = worst_of(request, limit)
    assert ours.units_out + steps * (1 + worst) >= worst * ours.units_in
