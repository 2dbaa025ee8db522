"""What an order comes to on a pool."""

from decimal import Decimal
from typing import Any

import pytest

from core.errors import Reason, Refused
from core.orders import OrderRequest, OrderType, Side, TimeInForce
from dex import orders
from dex.orders import SwapTerms
from dex.pools import PoolState
from tests.support.pool_fakes import ETHER, market, state

SLIPPAGE = Decimal("0.005")


def request(
    side: Side, quantity: str, price: str | None = None, tif: str = "IOC", **more: Any
) -> OrderRequest:
    return OrderRequest(
        client_order_id="1",
        account="a",
        venue="v",
        instrument="WETH-USDC",
        side=side,
        type=more.pop("type", OrderType.MARKET if price is None else OrderType.LIMIT),
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        time_in_force=TimeInForce[tif],
        **more,
    )


def terms(order: OrderRequest, of: PoolState | None = None) -> SwapTerms:
    found = orders.terms(order, of or state(), SLIPPAGE)
    assert isinstance(found, SwapTerms)
    return found


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (request(Side.BUY, "1", "3000", "GTC"), Reason.UNSUPPORTED_BY_VENUE),
        (request(Side.BUY, "1", "3000", "POST_ONLY"), Reason.UNSUPPORTED_BY_VENUE),
        (request(Side.BUY, "1", "3000", reduce_only=True), Reason.UNSUPPORTED_BY_VENUE),
        (request(Side.BUY, "1", type=OrderType.STOP_MARKET), Reason.UNSUPPORTED_BY_VENUE),
        (request(Side.BUY, "1", type=OrderType.LIMIT), Reason.FIELD_REQUIRED),
        (request(Side.BUY, "0", "3000"), Reason.FIELD_INVALID),
        (request(Side.BUY, "-1", "3000"), Reason.FIELD_INVALID),
        (request(Side.BUY, "NaN", "3000"), Reason.FIELD_INVALID),
        (request(Side.BUY, "Infinity", "3000"), Reason.FIELD_INVALID),
        (request(Side.BUY, "1", "0"), Reason.FIELD_INVALID),
        (request(Side.BUY, "1", "-3000"), Reason.FIELD_INVALID),
        (request(Side.BUY, "1", "sNaN"), Reason.FIELD_INVALID),
        (request(Side.BUY, "1", max_slippage=Decimal(1)), Reason.FIELD_INVALID),
        (request(Side.BUY, "1", max_slippage=Decimal("NaN")), Reason.FIELD_INVALID),
        (request(Side.BUY, "0.0000000000000000001", "3000"), Reason.ORDER_RULE_BROKEN),
        (request(Side.BUY, "1", "0.0000000000000000001"), Reason.ORDER_RULE_BROKEN),
    ],
)
def test_orders_that_a_pool_cannot_take(order: OrderRequest, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        orders.check(order, market())
    assert refused.value.reason is reason


def test_resting_orders_are_told_what_to_use_instead() -> None:
    with pytest.raises(Refused, match="use IOC"):
        orders.check(request(Side.BUY, "1", "3000", "GTC"), market())


@pytest.mark.parametrize("tif", ["GTC", "IOC", "FOK"])
def test_market_orders_take_the_whole_quantity_with_a_guard(tif: str) -> None:
    curve = state().book.selling
    sale = terms(request(Side.SELL, "2", tif=tif))
    assert (sale.base_units, sale.quoted) == (2 * ETHER, curve.amount_out(2 * ETHER))
    assert sale.guaranteed == -(-sale.quoted * 995 // 1000)
    purchase = terms(request(Side.BUY, "2", tif=tif))
    assert purchase.quoted == curve.reversed().amount_in(2 * ETHER)
    assert purchase.guaranteed == purchase.quoted * 1005 // 1000


def test_a_limit_guarantees_the_limit() -> None:
    purchase = terms(request(Side.BUY, "0.1", "3100"))
    assert (purchase.base_units, purchase.guaranteed) == (ETHER // 10, 310 * 10**6)
    sale = terms(request(Side.SELL, "0.1", "2900"))
    assert (sale.base_units, sale.guaranteed) == (ETHER // 10, 290 * 10**6)


def test_ioc_takes_what_the_book_shows_up_to_the_limit() -> None:
    for side, price in ((Side.BUY, "3030"), (Side.SELL, "2970")):
        part = terms(request(side, "100", price))
        book = state().book
        shown = book.buyable(Decimal(price)) if side is Side.BUY else book.sellable(Decimal(price))
        assert 0 < part.base_units == shown < 100 * ETHER


def test_the_average_of_an_ioc_is_better_than_its_limit() -> None:
    part = terms(request(Side.BUY, "100", "3030"))
    assert part.quoted < part.guaranteed
    part = terms(request(Side.SELL, "100", "2970"))
    assert part.quoted > part.guaranteed


def test_fok_is_all_or_nothing() -> None:
    assert terms(request(Side.BUY, "1", "3030", "FOK")).base_units == ETHER
    answer = orders.terms(request(Side.BUY, "100", "3030", "FOK"), state(), SLIPPAGE)
    assert isinstance(answer, str)
    assert "FOK" in answer
    assert "block 7" in answer


def test_nothing_within_the_limit_says_where_the_pool_is() -> None:
    answer = orders.terms(request(Side.BUY, "1", "3000"), state(), SLIPPAGE)
    assert answer == ("at block 7 the pool asks 3009.027081243731193581, the limit is 3000")
    answer = orders.terms(request(Side.SELL, "1", "3000"), state(), SLIPPAGE)
    assert answer == "at block 7 the pool bids 2991, the limit is 3000"


def test_an_amount_below_the_contracts_rounding_is_not_sent() -> None:
    tiny = request(Side.BUY, "0.000000000000000001", "3100")
    assert "rounding" in str(orders.terms(tiny, state(), SLIPPAGE))
    tiny = request(Side.SELL, "0.000000000000000001", "2900")
    assert "rounding" in str(orders.terms(tiny, state(), SLIPPAGE))


def test_max_slippage_is_a_distance_from_the_best_price() -> None:
    whole = terms(request(Side.BUY, "1", max_slippage=Decimal("0.01")))
    assert whole.base_units == ETHER
    part = terms(request(Side.BUY, "100", max_slippage=Decimal("0.01")))
    limit = (state().book.best()[1] * Decimal("1.01")).quantize(
        market().instrument.price_tick, "ROUND_FLOOR"
    )
    assert part.base_units == state().book.buyable(limit)
    part = terms(request(Side.SELL, "100", max_slippage=Decimal("0.01")))
    assert 4 * ETHER < part.base_units < 6 * ETHER


def test_a_purchase_of_more_than_the_pool_holds_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        orders.terms(request(Side.BUY, "1000"), state(), SLIPPAGE)
    assert refused.value.reason is Reason.INSUFFICIENT_LIQUIDITY


def test_a_generous_limit_stays_within_a_word() -> None:
    assert terms(request(Side.BUY, "1", "9" * 60)).guaranteed <= 2**256 - 1


@pytest.mark.parametrize("order", [request(Side.BUY, "1"), request(Side.SELL, "1", "1")])
def test_an_empty_pool_has_nothing(order: OrderRequest) -> None:
    with pytest.raises(Refused) as refused:
        orders.terms(order, state(0, 0), SLIPPAGE)
    assert refused.value.reason is Reason.INSUFFICIENT_LIQUIDITY
