"""Spot reservations, and the arithmetic of perpetual positions."""

from decimal import Decimal

from cex.paper.ledger import OpenOrder, SpotLedger
from cex.paper.margin import Holding, MarginLedger
from cex.paper.markets import Terms
from core.orders import Side
from tests.support.paper import perpetual, request

TERMS = Terms(
    maker=Decimal("0.0002"),
    taker=Decimal("0.0005"),
    max_leverage=50,
    maintenance=Decimal("0.01"),
    liquidation_fee=Decimal("0.005"),
)
PERP = "ETH-USDT-PERP"


def ledger(usdt: str = "10000") -> MarginLedger:
    return MarginLedger({"USDT": Decimal(usdt)}, {}, lambda instrument: TERMS)


def trade(books: MarginLedger, side: Side, price: str, quantity: str) -> Holding:
    books.settle(PERP, side, Decimal(price), Decimal(quantity), Decimal(0))
    return books.holding(PERP)


def test_a_resting_buy_reserves_quote_and_a_sell_reserves_base() -> None:
    books = SpotLedger({"USDC": Decimal(1000), "ETH": Decimal(2)})
    buy = OpenOrder(1, request("1", Side.BUY, "0.1", "3000"), 1, 0, 0)
    sell = OpenOrder(2, request("2", Side.SELL, "0.5", "4000"), 2, 0, 0)
    books.hold(buy)
    books.hold(buy)  # a second time changes nothing
    books.hold(sell)
    assert books.available("USDC") == 700
    assert books.available("ETH") == Decimal("1.5")
    books.unhold(buy)
    assert books.available("USDC") == 1000


def test_the_fee_is_taken_from_what_is_received() -> None:
    books = SpotLedger({"USDC": Decimal(1000), "ETH": Decimal(2)})
    bought = books.settle("ETH-USDC", Side.BUY, Decimal(100), Decimal(1), Decimal("0.001"))
    assert (bought.amount, bought.asset) == (Decimal("0.001"), "ETH")
    assert books.totals == {"USDC": Decimal(900), "ETH": Decimal("2.999")}
    sold = books.settle("ETH-USDC", Side.SELL, Decimal(100), Decimal(1), Decimal("0.001"))
    assert (sold.amount, sold.asset) == (Decimal("0.1"), "USDC")
    assert books.totals == {"USDC": Decimal("999.9"), "ETH": Decimal("1.999")}


def test_a_position_grows_shrinks_and_turns() -> None:
    books = ledger()
    assert trade(books, Side.BUY, "100", "1").entry == 100
    assert trade(books, Side.BUY, "200", "1").entry == 150
    held = trade(books, Side.SELL, "180", "0.5")
    assert (held.quantity, held.entry, held.realized) == (Decimal("1.5"), 150, 15)
    held = trade(books, Side.SELL, "100", "2")  # closes 1.5 at -50 each and opens 0.5 short
    assert (held.quantity, held.entry, held.realized) == (Decimal("-0.5"), 100, -60)
    held = trade(books, Side.BUY, "90", "0.5")
    assert (held.quantity, held.cost, held.realized) == (0, 0, -55)
    assert books.totals["USDT"] == 9945


def test_released_cost_is_rounded_without_losing_a_grain() -> None:
    books = ledger()
    trade(books, Side.BUY, "100", "1")
    trade(books, Side.BUY, "100.01", "2")  # 300.02 / 3 does not end
    for _ in range(3):
        held = trade(books, Side.SELL, "100", "1")
    assert (held.quantity, held.cost) == (0, 0)
    assert books.totals["USDT"] == Decimal("9999.98")


def test_margin_counts_the_worse_of_all_buys_and_all_sells() -> None:
    held = Holding(PERP, quantity=Decimal(1), cost=Decimal(100), leverage=10)
    assert held.margin() == 10
    assert held.margin(Side.BUY, Decimal(1), Decimal(100)) == 20
    assert held.margin(Side.SELL, Decimal(1), Decimal(100)) == 10  # it only closes
    assert held.margin(Side.SELL, Decimal(3), Decimal(300)) == 20  # two of three open a short


def test_an_order_that_needs_more_than_the_free_margin_is_short() -> None:
    books = ledger("1000")
    books.holding(PERP).mark = Decimal(100)
    fits = perpetual("1", Side.BUY, "99", "100")
    assert books.shortfall(fits, Decimal(99), Decimal(9900), Decimal("0.001")) is None
    words = books.shortfall(fits, Decimal(100), Decimal(10000), Decimal("0.001"))
    assert words is not None
    assert "needs 1010 USDT" in words


def test_losses_reduce_and_gains_do_not_raise_what_is_available() -> None:
    books = ledger("1000")
    trade(books, Side.BUY, "100", "10")
    books.mark(PERP, Decimal(150))
    assert books.available("USDT") == 900
    books.mark(PERP, Decimal(90))
    assert books.available("USDT") == 800
    books.mark(PERP, Decimal(1))
    assert books.available("USDT") == 0


def test_liquidation_is_due_below_maintenance_and_at_the_price_that_was_told() -> None:
    books = ledger("100")
    held = trade(books, Side.BUY, "100", "9")
    price = books.liquidation_price(held)
    assert price is not None
    books.mark(PERP, price + Decimal("0.01"))
    assert books.due_liquidation() is None
    books.mark(PERP, price - Decimal("0.01"))
    assert books.due_liquidation() is held


def test_a_short_is_liquidated_by_a_rise() -> None:
    books = ledger("100")
    held = trade(books, Side.SELL, "100", "9")
    price = books.liquidation_price(held)
    assert price is not None
    assert price > 100
    books.mark(PERP, price + Decimal("0.01"))
    assert books.due_liquidation() is held


def test_leverage_cannot_be_lowered_beyond_the_margin() -> None:
    books = ledger("100")
    books.set_leverage(PERP, 20)
    trade(books, Side.BUY, "100", "15")
    assert books.set_leverage(PERP, 10) is not None
    assert books.holding(PERP).leverage == 20
    assert books.set_leverage(PERP, 16) is None
