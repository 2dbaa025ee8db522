"""The worst price of a market order, at a venue that takes none without one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cex.engine import checks
from core.errors import Reason, Refused
from core.market import BookSnapshot, BookState
from core.orders import OrderRequest, OrderType, Side
from tests.support.cex_fixtures import load

INSTRUMENT = replace(load("okx").instruments["BTC-USDT"], price_tick=Decimal("0.1"))
BOOK = BookSnapshot("BTC-USDT", BookState.LIVE, (["99.9"], ["1"]), (["100.3"], ["2"]))
EMPTY = BookSnapshot("BTC-USDT", BookState.LIVE, ([], []), ([], []))


def request(side: Side, slippage: str | None) -> OrderRequest:
    most = None if slippage is None else Decimal(slippage)
    return OrderRequest(
        "a", "main", "okx", "BTC-USDT", side, OrderType.MARKET, Decimal(1), max_slippage=most
    )


@pytest.mark.parametrize(
    ("side", "slippage", "price"),
    [
        (Side.BUY, "0.01", "101.3"),  # 101.303, never above
        (Side.SELL, "0.01", "99.0"),  # 98.901 is not below: 99.0 is the next tick
        (Side.BUY, "0.0001", "100.3"),
        (Side.SELL, "0", "99.9"),
        (Side.BUY, None, "105.3"),
        (Side.SELL, None, "95.0"),
    ],
)
def test_it_is_so_far_from_the_best_price_and_on_the_grid(
    side: Side, slippage: str | None, price: str
) -> None:
    assert checks.bound(request(side, slippage), INSTRUMENT, BOOK) == Decimal(price)


@pytest.mark.parametrize("side", list(Side))
def test_without_another_side_nothing_is_sent(side: Side) -> None:
    with pytest.raises(Refused) as caught:
        checks.bound(request(side, None), INSTRUMENT, EMPTY)
    assert caught.value.reason is Reason.INSUFFICIENT_LIQUIDITY
