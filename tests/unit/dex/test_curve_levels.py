"""A pool's curve as an order book."""

from decimal import Decimal

import pytest

from core.money import to_units
from dex.families.constant_product import Curve
from dex.families.curve_levels import Market, levels

ETHER = 10**18
WETH_USDC = Market(Curve(1_000 * ETHER, 3_000_000 * 10**6), 18, 6)
MARKETS = [
    WETH_USDC,
    Market(Curve(50 * 10**8, 1_000 * ETHER), 8, 18),  # WBTC-WETH
    Market(Curve(10**12 * ETHER, 3 * ETHER), 18, 18),  # a token of 3e-12
    Market(Curve(3 * ETHER, 10**12 * ETHER), 18, 18),
    Market(Curve(7, 11), 0, 0),
    Market(Curve(999_999, 10**33), 2, 30),
]


@pytest.mark.parametrize("market", MARKETS)
def test_books_are_sorted_uncrossed_and_made_of_plain_numbers(market: Market) -> None:
    bids, asks = levels(market, 20)
    bid_prices, ask_prices = [Decimal(p) for p in bids[0]], [Decimal(p) for p in asks[0]]
    assert bid_prices == sorted(set(bid_prices), reverse=True)
    assert ask_prices == sorted(set(ask_prices))
    assert all(price < market.mid for price in bid_prices)
    assert all(price > market.mid for price in ask_prices)
    for column in (*bids, *asks):
        assert all(set(text) <= set("0123456789.") and Decimal(text) > 0 for text in column)


def test_the_first_levels_hold_what_a_limit_there_can_trade() -> None:
    bids, asks = levels(WETH_USDC, 20)
    for count in range(1, 20):
        sold = sum(to_units(Decimal(quantity), 18) for quantity in bids[1][:count])
        assert sold == WETH_USDC.sellable(Decimal(bids[0][count - 1]))
        bought = sum(to_units(Decimal(quantity), 18) for quantity in asks[1][:count])
        assert bought == WETH_USDC.buyable(Decimal(asks[0][count - 1]))


def test_whoever_takes_levels_pays_no_more_than_they_say() -> None:
    bids, asks = levels(WETH_USDC, 30)
    sold = to_units(sum(map(Decimal, bids[1]), Decimal(0)), 18)
    promised = sum(Decimal(p) * Decimal(q) for p, q in zip(*bids, strict=True)) * 10**6
    assert promised <= WETH_USDC.selling.amount_out(sold) + 1
    bought = to_units(sum(map(Decimal, asks[1]), Decimal(0)), 18)
    asked = sum(Decimal(p) * Decimal(q) for p, q in zip(*asks, strict=True)) * 10**6
    assert asked >= WETH_USDC.selling.reversed().amount_in(bought) - 1
    # ... and not much more either: the grid is fine.
    assert asked < WETH_USDC.selling.reversed().amount_in(bought) * Decimal("1.0003")


def test_prices_lie_on_a_grid_that_stays_when_the_pool_moves() -> None:
    moved = Market(Curve(1_001 * ETHER, 2_997_100 * 10**6), 18, 6)
    before, after = levels(WETH_USDC, 40)[0][0], levels(moved, 40)[0][0]
    assert len(set(before) & set(after)) > 30


def test_an_empty_pool_has_an_empty_book() -> None:
    assert levels(Market(Curve(0, 0), 18, 6), 10) == (([], []), ([], []))


def test_depth_is_kept() -> None:
    for depth in (1, 7, 1_000):
        bids, asks = levels(WETH_USDC, depth)
        assert len(bids[0]) == len(bids[1]) == len(asks[0]) == len(asks[1]) == depth
