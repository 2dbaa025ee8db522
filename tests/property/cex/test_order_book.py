"""The order book against a naive one of Decimals: the same levels, whatever the strings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.books import OrderBook
from core.money import text

# Prices and quantities as venues spell them: 1e-18 to 1e12, with and without needless zeros.
numbers = st.builds(
    lambda digits, scale, zeros: (
        format(Decimal(digits).scaleb(-scale), "f")
        + ("." if zeros and not scale else "")
        + "0" * zeros
    ),
    st.integers(1, 10**12),
    st.integers(0, 18),
    st.integers(0, 8),
)
few_prices = st.sampled_from(
    ["0.1", "0.10", "0.100000000000000001", "1", "1.0", "2", "10", "9.99999999", "1000000000000"]
)
prices = st.one_of(few_prices, numbers)
quantities = st.one_of(st.sampled_from(["0", "0.00000000", "1", "1.50"]), numbers)
rows = st.lists(st.tuples(prices, quantities), max_size=12)


class Naive:
    """What a book is."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def apply(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in changes:
                if Decimal(quantity):
                    side[Decimal(price)] = Decimal(quantity)
                else:
                    side.pop(Decimal(price), None)

    def columns(self, depth: int) -> tuple[tuple[list[str], list[str]], ...]:
        found = []
        for side, reverse in ((self.bids, True), (self.asks, False)):
            levels = sorted(side, reverse=reverse)[: depth or None]
            found.append(([text(p) for p in levels], [text(side[p]) for p in levels]))
        return tuple(found)


def agree(book: OrderBook, naive: Naive) -> None:
    for depth in (0, 1, 3):
        assert book.snapshot(depth) == naive.columns(depth)
    bids, asks = naive.bids, naive.asks
    assert book.crossed == bool(bids and asks and max(bids) >= min(asks))
    best = book.best_bid
    assert best == ((text(max(bids)), text(bids[max(bids)])) if bids else None)
    best = book.best_ask
    assert best == ((text(min(asks)), text(asks[min(asks)])) if asks else None)
    assert len(book) == len(bids) + len(asks)


@given(rows, rows, st.lists(st.tuples(rows, rows), max_size=8))
def test_a_book_equals_a_book_of_decimals(
    bids: list[tuple[str, str]],
    asks: list[tuple[str, str]],
    changes: list[tuple[list[tuple[str, str]], list[tuple[str, str]]]],
) -> None:
    book, naive = OrderBook(), Naive()
    book.load(bids, asks)
    naive.apply(bids, asks)
    agree(book, naive)
    for more_bids, more_asks in changes:
        told = book.apply(more_bids, more_asks)
        naive.apply(more_bids, more_asks)
        agree(book, naive)
        for sent, (told_prices, told_quantities) in zip((more_bids, more_asks), told, strict=True):
            expected = [(text(Decimal(p)), text(Decimal(q))) for p, q in sent]
            assert list(zip(told_prices, told_quantities, strict=True)) == expected


@given(rows, rows, rows, rows)
def test_loading_leaves_nothing_of_what_was(
    a: list[tuple[str, str]],
    b: list[tuple[str, str]],
    c: list[tuple[str, str]],
    d: list[tuple[str, str]],
) -> None:
    book, naive = OrderBook(), Naive()
    book.load(a, b)
    book.load(c, d)
    naive.apply(c, d)
    agree(book, naive)
    book.clear()
    agree(book, Naive())


@given(rows, rows, st.integers(1, 6))
def test_trimming_keeps_the_best(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], depth: int
) -> None:
    book = OrderBook()
    book.load(bids, asks)
    before = book.snapshot(depth)
    book.trim(depth)
    assert book.snapshot() == before


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "-1", "+1", "1e5", "NaN", "1.", ".5", " 1", "1 ", "1_0", "١", "01", "0x1", "1,0"],
)
def test_only_plain_decimals_are_levels(wrong: str) -> None:
    book = OrderBook()
    for level in ((wrong, "1"), ("1", wrong)):
        with pytest.raises(ValueError):
            book.apply([level], [])
        with pytest.raises(ValueError):
            book.apply([], [level])
        with pytest.raises(ValueError):
            book.load([level], [])
        with pytest.raises(ValueError):
            book.load([], [level])


def test_a_price_of_zero_is_no_level() -> None:
    with pytest.raises(ValueError, match="zero"):
        OrderBook().apply([("0.00", "1")], [])


def test_a_drifting_market_does_not_fill_the_memory() -> None:
    book = OrderBook()
    for price in range(1, 60_000):
        book.apply([(str(price), "1")], [])
        book.apply([(str(price), "0")], [])
    assert len(book) == 0
    assert len(book._bids._known) <= 50_000


levels = st.dictionaries(st.integers(1, 30), st.integers(1, 9), max_size=12)


@given(levels, levels, levels, levels, st.integers(1, 6))
def test_the_best_levels_replace_the_best_and_leave_the_deeper(
    bids: dict[int, int],
    asks: dict[int, int],
    new_bids: dict[int, int],
    new_asks: dict[int, int],
    depth: int,
) -> None:
    def rows(side: dict[int, int]) -> list[tuple[str, str]]:
        return [(str(price), str(quantity)) for price, quantity in side.items()]

    def after(side: dict[int, int], best: dict[int, int], sign: int) -> dict[int, int]:
        if len(best) < depth:
            return best
        worst = min(sign * price for price in best)
        return {**{p: q for p, q in side.items() if sign * p < worst}, **best}

    def first(side: dict[int, int], sign: int) -> dict[int, int]:
        return dict(sorted(side.items(), key=lambda level: -sign * level[0])[:depth])

    best_bids, best_asks = first(new_bids, 1), first(new_asks, -1)
    book, follower = OrderBook(), OrderBook()
    book.load(rows(bids), rows(asks))
    follower.load(rows(bids), rows(asks))
    told = book.apply_best(rows(best_bids), rows(best_asks), depth)
    expected = OrderBook()
    expected.load(rows(after(bids, best_bids, 1)), rows(after(asks, best_asks, -1)))
    assert book.snapshot() == expected.snapshot()
    # Whoever applies the changes that are told has the same book.
    follower.apply(*(list(zip(*side, strict=True)) for side in told))
    assert follower.snapshot() == expected.snapshot()


@given(rows, rows, st.booleans())
def test_columns_load_as_rows_do(
    bids: list[tuple[str, str]], asks: list[tuple[str, str]], ordered: bool
) -> None:
    """In the order in which most venues send them, or in any."""
    if ordered:
        bids = sorted(dict(bids).items(), key=lambda row: -Decimal(row[0]))
        asks = sorted(dict(asks).items(), key=lambda row: Decimal(row[0]))
    by_rows, by_columns = OrderBook(), OrderBook()
    by_rows.load(bids, asks)
    columns = [([price for price, _ in side], [size for _, size in side]) for side in (bids, asks)]
    by_columns.load(asks, bids)  # what was there before is gone
    by_columns.load_columns(columns[0], columns[1])
    assert by_columns.snapshot() == by_rows.snapshot()
    assert by_columns.best_bid == by_rows.best_bid
    assert by_columns.crossed == by_rows.crossed


@pytest.mark.parametrize("bad", ["", " ", "1 2", "-1", "1e5", "01", ".5", "5.", "x", "NaN", "1_0"])
def test_columns_with_what_is_no_number_are_refused(bad: str) -> None:
    for columns in ((["1", bad], ["1", "1"]), (["2", "1"], ["1", bad])):
        with pytest.raises(ValueError, match="not a"):
            OrderBook().load_columns(columns, ([], []))


def test_columns_of_different_lengths_are_refused() -> None:
    for columns in ((["2", "1"], ["1"]), (["1"], ["1", "2"])):
        with pytest.raises(ValueError):
            OrderBook().load_columns(columns, ([], []))
