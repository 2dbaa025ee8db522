"""The bot's mathematics, and its notebook."""

from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from examples.notebook import Leg, Notebook, Step
from examples.sizing import Market, Reserves, walk

D = Decimal


def pool(base: str = "1000", quote: str = "3000000", fee: str = "0.003") -> Reserves:
    return Reserves(int(D(base) * 10**18), int(D(quote) * 10**6), D(fee), 18, 6)


def market(bid: str, ask: str, reserves: Reserves, size: str = "5") -> Market:
    step = D("0.15")
    bids = [(D(bid) - step * n, D(size)) for n in range(40)]
    asks = [(D(ask) + step * n, D(size)) for n in range(40)]
    return Market(bids, asks, reserves, D("0.001"), D("0.0001"))


def test_pool_amounts_are_those_of_the_contract() -> None:
    # getAmountIn(1e18, 3000000e6, 1000e18) and getAmountOut(1e18, 1000e18, 3000000e6), by hand.
    assert pool().cost(D(1)) == D("3012.039121")
    assert pool().proceeds(D(1)) == D("2988.020943")
    assert pool().mid == 3000
    assert pool().cost(D(1000)) is None


def test_walking_a_book() -> None:
    levels = [(D(10), D(2)), (D(9), D(3))]
    assert walk(levels, D(1)) == (D(10), D(10))
    assert walk(levels, D(4)) == (D(38), D(9))
    assert walk(levels, D(6)) is None
    assert walk(levels, D(0)) == (D(0), D(10))
    assert walk([], D(1)) is None


def test_the_difference_decides_the_direction() -> None:
    dear = market("3060", "3060.6", pool()).best(D(100), D(100))
    assert dear is not None
    assert dear.sell_on_exchange
    cheap = market("2940", "2940.6", pool()).best(D(100), D(100))
    assert cheap is not None
    assert not cheap.sell_on_exchange
    assert market("3000", "3000.6", pool()).best(D(100), D(100)) is None
    assert market("3060", "3060.6", pool()).best(D(0), D(100)) is None


@given(
    bid=st.integers(2800, 3200),
    most=st.decimals("0.5", "60", places=4),
    size=st.decimals("0.1", "20", places=2),
)
def test_no_other_size_earns_more(bid: int, most: Decimal, size: Decimal) -> None:
    now = market(str(bid), str(bid + 1), pool(), str(size))
    best = now.best(most, most)
    earned = best.profit if best else D(0)
    # The pool rounds to a millionth, so neighbours may be better by about that.
    slack = D("0.0005")
    for part in range(1, 41):
        quantity = (most * part / 40).quantize(now.step)
        for other in (now.sell_on_exchange(quantity), now.buy_on_exchange(quantity)):
            assert other is None or other.profit <= earned + slack
    if best is not None:
        assert best.quantity <= most
        assert best.quantity % now.step == 0


def test_after_the_best_trade_nothing_is_left() -> None:
    before = market("3060", "3060.6", pool(), "1000")
    best = before.best(D(100), D(100))
    assert best is not None
    moved = pool()
    after = Reserves(
        moved.base - int(best.quantity * 10**18),
        moved.quote + int(best.pool_amount * 10**6),
        moved.fee,
        18,
        6,
    )
    left = market("3060", "3060.6", after, "1000").best(D(100), D(100))
    assert left is None or left.profit < D("0.001")


def test_a_notebook_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "notebook.json"
    notebook = Notebook.open(path)
    leg = Leg("r-1", "paper", "paper", "ETH-USDC", True, "0.5", "3000")
    notebook.steps.append(Step(1, leg, "12.5", pool=[Leg("r-2", "w", "p", "W-U", False, "1", "2")]))
    notebook.start = {"paper": {"ETH": "30"}}
    notebook.last_sequence = 7
    notebook.save()
    assert Notebook.open(path) == notebook
    assert not list(path.parent.glob("*.new"))
    other = Notebook.open(tmp_path / "other.json")
    assert other.prefix != notebook.prefix
