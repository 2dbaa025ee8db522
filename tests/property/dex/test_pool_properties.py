"""Properties of constant-product mathematics that hold for every pool and every size."""

from contextlib import suppress
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import Refused
from core.money import text, to_units
from core.orders import OrderRequest, OrderType, Side, TimeInForce
from dex import orders
from dex.families.constant_product import (
    MAX_RESERVE,
    Curve,
    amount_in,
    amount_out,
    most_in,
    most_out,
    swap_in,
)
from dex.families.curve import largest_in, least_out
from dex.families.curve_levels import Market, levels
from dex.orders import SwapTerms
from tests.support.pool_fakes import market, state

SCALES = st.integers(0, 111)


def _numbers(limit: int = MAX_RESERVE) -> st.SearchStrategy[int]:
    """Every order of magnitude as likely as another."""
    return SCALES.flatmap(lambda bits: st.integers(1, min(2 ** (bits + 1) - 1, limit)))


CURVES = st.builds(Curve, _numbers(), _numbers())
SLIPPAGES = st.integers(0, 9_999).map(lambda part: Decimal(part) / 10_000)


@settings(deadline=None)  # the machine may be busy
@given(CURVES, _numbers())
def test_a_swap_never_takes_from_the_pool(curve: Curve, units: int) -> None:
    try:
        out = amount_out(curve, units)
    except Refused:
        return
    after = swap_in(curve, units, out)
    assert after.reserve_in * after.reserve_out >= curve.reserve_in * curve.reserve_out
    assert 0 < out < curve.reserve_out


@settings(deadline=None)  # the machine may be busy
@given(CURVES, _numbers())
def test_exact_out_buys_at_least_what_was_asked(curve: Curve, wanted: int) -> None:
    try:
        cost = amount_in(curve, wanted)
        got = amount_out(curve, cost)
    except Refused:
        return
    assert got >= wanted
    if cost > 2:  # and the price is the least, but for the contract's one unit
        with suppress(Refused):
            assert amount_out(curve, cost - 2) < wanted


@settings(deadline=None)  # the machine may be busy
@given(CURVES, _numbers(), _numbers())
def test_more_in_is_never_less_out(curve: Curve, one: int, more: int) -> None:
    try:
        assert amount_out(curve, one + more) >= amount_out(curve, one)
    except Refused:
        return


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 10**30), SLIPPAGES)
def test_guarantees_are_on_the_traders_side(units: int, slippage: Decimal) -> None:
    assert Decimal(least_out(units, slippage)) >= units * (1 - slippage)
    assert least_out(units, slippage) <= max(units, 1)
    assert units <= Decimal(largest_in(units, slippage)) <= units * (1 + slippage)


@settings(deadline=None)  # the machine may be busy
@given(CURVES, _numbers(10**12), _numbers(10**12))
def test_limits_are_kept_by_every_unit(curve: Curve, numerator: int, denominator: int) -> None:
    """The marginal price at the largest amount keeps the limit; one step further it does not."""
    limit = Decimal(numerator) / denominator
    x, y = Decimal(curve.reserve_in), Decimal(curve.reserve_out)
    sold = most_in(curve, (numerator, denominator))

    def price_after(units: int) -> Decimal:
        return 997_000 * x * y / (1000 * x + 997 * units) ** 2

    if sold:
        assert price_after(sold) >= limit * (1 - Decimal("1e-60"))
    if curve.reserve_in + sold < MAX_RESERVE:
        assert price_after(sold + 2) < limit
    bought = most_out(curve, (numerator, denominator))

    def cost_after(units: int) -> Decimal:
        return 1000 * x * y / (997 * (y - units) ** 2)

    if bought:
        assert cost_after(bought) <= limit * (1 + Decimal("1e-60"))
    if bought + 1 < curve.reserve_out:
        assert cost_after(bought + 1) > limit * (1 - Decimal("1e-60"))


@settings(deadline=None)  # the machine may be busy
@given(CURVES, st.integers(0, 24), st.integers(0, 24), st.integers(1, 12))
def test_books_of_any_pool(curve: Curve, base: int, quote: int, depth: int) -> None:
    book = Market(curve, base, quote)
    bids, asks = levels(book, depth)
    bid_prices, ask_prices = [[Decimal(price) for price in side[0]] for side in (bids, asks)]
    assert bid_prices == sorted(set(bid_prices), reverse=True)
    assert ask_prices == sorted(set(ask_prices))
    if bid_prices and ask_prices:
        assert bid_prices[0] < ask_prices[0]
    for column in (*bids, *asks):
        for number in column:
            assert text(Decimal(number)) == number
            assert Decimal(number) > 0
    if bids[1]:
        units = sum(to_units(Decimal(quantity), base) for quantity in bids[1])
        assert units == book.sellable(bid_prices[-1])
    if asks[1]:
        units = sum(to_units(Decimal(quantity), base) for quantity in asks[1])
        assert units == book.buyable(ask_prices[-1])


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from(Side),
    st.decimals("0.000000000000000001", "1000000", places=18),
    st.decimals("0.01", "100000", places=6),
    st.booleans(),
)
def test_an_order_never_comes_to_more_than_its_limit(
    side: Side, quantity: Decimal, price: Decimal, fok: bool
) -> None:
    order = OrderRequest(
        client_order_id="1",
        account="a",
        venue="v",
        instrument="WETH-USDC",
        side=side,
        type=OrderType.LIMIT,
        quantity=quantity,
        price=price,
        time_in_force=TimeInForce.FOK if fok else TimeInForce.IOC,
    )
    orders.check(order, market())
    try:
        found = orders.terms(order, state(), Decimal("0.005"))
    except Refused:
        assume(False)
        return
    if isinstance(found, str):
        return
    assert isinstance(found, SwapTerms)
    wanted = to_units(quantity, 18)
    assert found.base_units == wanted if fok else 0 < found.base_units <= wanted
    exact = price * Decimal(found.base_units) / 10**12  # USDC has 6 decimals, WETH 18
    if side is Side.BUY:
        assert found.quoted <= found.guaranteed <= exact
    else:
        assert found.quoted >= found.guaranteed >= exact
