"""Quantities in contracts and in base units."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.contracts import in_base, in_contracts, reply_in_base, stream_in_base
from cex.engine.messages import BookMessage
from cex.engine.parse import Page
from core.market import Candle, Ticker, Trade
from core.orders import (
    Fill,
    Liquidity,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
)
from tests.support.cex_fixtures import load

SIZE = Decimal("0.01")
ONE = Decimal(1)


def btc() -> Any:
    return replace(load("bybit_perpetual").instruments["BTC-USDT-PERP"], contract_size=SIZE)


REQUEST = OrderRequest("C", "main", "v", "BTC-USDT-PERP", Side.BUY, OrderType.LIMIT, Decimal(30),
                       Decimal(5))  # fmt: skip


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (
            OrderReport("C", OrderStatus.OPEN, "1", Decimal(3), Decimal(600), Decimal(7), ONE),
            {"filled_quantity": "0.03", "filled_notional": "6", "quantity": "0.07"},
        ),
        (
            Order(REQUEST, OrderStatus.OPEN, "1", Decimal(3), Decimal(600)),
            {
                "filled_quantity": "0.03",
                "filled_notional": "6",
                "request": replace(REQUEST, quantity=Decimal("0.3")),
            },
        ),
        (
            Fill("t", "v", "a", "i", "C", "1", Side.BUY, ONE, Decimal(2), ONE, "X",
                 Liquidity.MAKER, 5),
            {"quantity": "0.02"},
        ),
        (Trade("i", "t", Side.BUY, ONE, Decimal(250), 5), {"quantity": "2.5"}),
        (
            Ticker("i", ONE, Decimal(4), ONE, Decimal(5), volume=Decimal(100), last_price=ONE),
            {"bid_quantity": "0.04", "ask_quantity": "0.05", "volume": "1"},
        ),
        (
            Candle("i", 60, 0, ONE, ONE, ONE, ONE, Decimal(9), Decimal(900), True),
            {"volume": "0.09"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_only_quantities_change(value: Any, changes: dict[str, Any]) -> None:
    amounts = {n: Decimal(v) if isinstance(v, str) else v for n, v in changes.items()}
    assert in_base(value, SIZE) == replace(value, **amounts)


def test_what_is_not_told_stays_untold() -> None:
    for value in (OrderReport("C", OrderStatus.OPEN), Ticker("i"), "anything"):
        assert in_base(value, SIZE) == value


def test_a_book_keeps_prices_and_removals() -> None:
    def parser(payload: Any, instrument: Any, received: int) -> list[BookMessage]:
        return [BookMessage([("100.5", "7"), ("100", "0")], [("101", "1250")], 9)]

    (message,) = stream_in_base(parser)(b"", btc(), 1)
    assert isinstance(message, BookMessage)
    assert (message.bids, message.asks) == (
        [("100.5", "0.07"), ("100", "0.00")],
        [("101", "12.50")],
    )  # the book makes canonical numbers of them


def test_pages_keep_their_cursors() -> None:
    class Command:
        instrument = btc()

    trade = Trade("i", "t", Side.BUY, ONE, Decimal(250), 5)
    read = reply_in_base(lambda raw, command, scope: Page([trade], "next"))
    page = read(None, Command, None)
    assert (list(page), page.cursor) == ([replace(trade, quantity=Decimal("2.5"))], "next")
    assert reply_in_base(lambda raw, command, scope: trade)(None, Command, None).quantity == 2.5


def test_the_way_back_is_exact() -> None:
    assert in_contracts(Decimal("0.37"), btc()) == 37


def test_a_contract_of_a_hundred_millionth_is_told_without_an_exponent() -> None:
    message = BookMessage([("1", "3"), ("2", "0")], [("3", "250000000")])
    told = in_base(message, Decimal("1E-8"))
    assert told.bids == [("1", "0.00000003"), ("2", "0.00000000")]
    assert Decimal(told.asks[0][1]) == Decimal("2.5")
    assert "E" not in told.asks[0][1]
