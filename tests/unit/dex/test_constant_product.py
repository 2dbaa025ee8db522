"""Amounts, limits and guarantees of constant-product pools."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from core.errors import Reason, Refused
from dex.families import constant_product as cp
from dex.families.constant_product import Curve
from dex.families.curve import largest_in, least_out, price_impact

ETHER = 10**18
# 1,000 WETH against 3,000,000 USDC
CURVE = Curve(1_000 * ETHER, 3_000_000 * 10**6)


def test_amounts_of_a_known_pool() -> None:
    assert cp.amount_out(CURVE, ETHER) == 2_988_020_943
    assert cp.amount_in(CURVE, 2_988_020_943) <= ETHER
    assert cp.amount_in(CURVE.reversed(), ETHER) == 3_012_039_121


@pytest.mark.parametrize(
    ("function", "units", "reason"),
    [
        (cp.amount_out, 0, Reason.FIELD_INVALID),
        (cp.amount_out, -1, Reason.FIELD_INVALID),
        (cp.amount_out, -(10**80), Reason.FIELD_INVALID),
        (cp.amount_out, 1, Reason.FIELD_INVALID),  # 1 wei buys no unit of USDC
        (cp.amount_out, cp.MAX_RESERVE, Reason.INSUFFICIENT_LIQUIDITY),
        (cp.amount_out, 10**100, Reason.INSUFFICIENT_LIQUIDITY),
        (cp.amount_in, 0, Reason.FIELD_INVALID),
        (cp.amount_in, -5, Reason.FIELD_INVALID),
        (cp.amount_in, CURVE.reserve_out, Reason.INSUFFICIENT_LIQUIDITY),
        (cp.amount_in, 10**100, Reason.INSUFFICIENT_LIQUIDITY),
    ],
)
def test_amounts_that_no_pool_can_do(
    function: Callable[[Curve, int], int], units: int, reason: Reason
) -> None:
    with pytest.raises(Refused) as refused:
        function(CURVE, units)
    assert refused.value.reason is reason


def test_what_the_pair_could_not_hold_is_refused() -> None:
    nearly_full = Curve(cp.MAX_RESERVE - 10, 1_000)
    with pytest.raises(Refused) as refused:
        cp.amount_in(nearly_full, 900)
    assert refused.value.reason is Reason.INSUFFICIENT_LIQUIDITY
    assert cp.most_in(nearly_full, (1, 10**40)) <= 10


@pytest.mark.parametrize("function", [cp.amount_out, cp.amount_in])
@pytest.mark.parametrize("curve", [Curve(0, 0), Curve(0, 5), Curve(5, 0)])
def test_an_empty_pool_is_refused(function: Callable[[Curve, int], int], curve: Curve) -> None:
    with pytest.raises(Refused) as refused:
        function(curve, 1)
    assert refused.value.reason is Reason.INSUFFICIENT_LIQUIDITY


def test_guarantees_round_in_the_traders_favour() -> None:
    assert least_out(1_001, Decimal("0.01")) == 991  # 990.99
    assert largest_in(1_001, Decimal("0.01")) == 1_011  # 1011.01
    assert least_out(1, Decimal("0.99")) == 1
    assert least_out(10**30, Decimal(0)) == 10**30
    assert largest_in(10**30, Decimal(0)) == 10**30


def test_price_impact_leaves_the_fee_out() -> None:
    small = price_impact([(ETHER // 100, [CURVE])], cp.amount_out(CURVE, ETHER // 100))
    assert Decimal("0.000009") < small < Decimal("0.00001")
    half = 1_000 * ETHER
    assert price_impact([(half, [CURVE])], cp.amount_out(CURVE, half)) > Decimal("0.49")


def test_most_in_is_the_last_unit_within_the_limit() -> None:
    limit = (2_900 * 10**6, ETHER)
    most = cp.most_in(CURVE, limit)
    assert _marginal_out(most) >= Decimal(limit[0]) / limit[1]
    assert _marginal_out(most + 2) < Decimal(limit[0]) / limit[1]


def test_most_out_is_the_last_unit_within_the_limit() -> None:
    limit = (3_100 * 10**6, ETHER)
    most = cp.most_out(CURVE.reversed(), limit)
    assert _marginal_in(most) <= Decimal(limit[0]) / limit[1]
    assert _marginal_in(most + 1) > Decimal(limit[0]) / limit[1]


def test_nothing_is_within_a_limit_better_than_the_pool() -> None:
    assert cp.most_in(CURVE, (2_992 * 10**6, ETHER)) == 0
    assert cp.most_out(CURVE.reversed(), (3_009 * 10**6, ETHER)) == 0
    assert cp.most_out(CURVE.reversed(), (1, 10**60)) == 0
    assert cp.most_in(CURVE, (10**60, 1)) == 0


def test_no_limit_empties_the_pool() -> None:
    assert cp.most_out(CURVE.reversed(), (10**80, 1)) == CURVE.reserve_in - 1


def _marginal_out(sold: int) -> Decimal:
    x, y = Decimal(CURVE.reserve_in), Decimal(CURVE.reserve_out)
    return 997 * 1000 * x * y / (1000 * x + 997 * sold) ** 2


def _marginal_in(bought: int) -> Decimal:
    base, quote = Decimal(CURVE.reserve_in), Decimal(CURVE.reserve_out)
    return 1000 * base * quote / (997 * (base - bought) ** 2)
