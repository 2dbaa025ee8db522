"""Price-time matching, in ticks and steps."""

import pytest

from cex.paper.ladder import Resting
from cex.paper.matching import PUBLIC, Ending, Incoming, MatchingEngine, Result, Why
from core.orders import Side, TimeInForce


class Book:
    """An engine whose orders are numbered as they come."""

    def __init__(self, positions: bool = False) -> None:
        self.engine = MatchingEngine(positions)
        self.count = 0

    def enter(
        self,
        owner: str,
        side: Side,
        quantity: int,
        price: int | None,
        rule: TimeInForce = TimeInForce.GTC,
        reduce_only: bool = False,
    ) -> Result:
        self.count += 1
        return self.engine.submit(
            Incoming(self.count, owner, side, price, quantity, rule, reduce_only)
        )


def trades(result: Result) -> list[tuple[int, int, int]]:
    return [(e.maker.number, e.price, e.quantity) for e in result.executions]


def test_best_price_first_then_first_come_first_served() -> None:
    book = Book()
    book.enter("a", Side.SELL, 5, 101)
    book.enter("b", Side.SELL, 5, 100)
    book.enter("c", Side.SELL, 5, 100)
    result = book.enter("d", Side.BUY, 12, 101)
    assert trades(result) == [(2, 100, 5), (3, 100, 5), (1, 101, 2)]
    assert result.ending is Ending.FILLED
    assert book.engine.levels(Side.SELL) == [(101, 3)]
    assert book.engine.last == 101


def test_the_rest_of_a_limit_order_rests_and_a_market_order_s_expires() -> None:
    book = Book()
    book.enter("a", Side.BUY, 5, 99)
    rests = book.enter("b", Side.SELL, 8, 99)
    assert (rests.ending, rests.remaining) == (Ending.RESTS, 3)
    assert book.engine.levels(Side.SELL) == [(99, 3)]
    expires = book.enter("a", Side.BUY, 5, None)
    assert (expires.ending, expires.why, expires.remaining) == (Ending.EXPIRED, Why.EXHAUSTED, 2)


def test_ioc_never_rests() -> None:
    book = Book()
    book.enter("a", Side.SELL, 5, 100)
    result = book.enter("b", Side.BUY, 8, 100, TimeInForce.IOC)
    assert trades(result) == [(1, 100, 5)]
    assert (result.ending, result.why, result.remaining) == (Ending.EXPIRED, Why.IOC, 3)
    assert book.engine.levels(Side.BUY) == []


@pytest.mark.parametrize(("quantity", "filled"), [(10, True), (11, False)])
def test_fok_is_all_or_nothing(quantity: int, filled: bool) -> None:
    book = Book()
    book.enter("a", Side.SELL, 5, 100)
    book.enter("a", Side.SELL, 5, 101)
    book.enter("a", Side.SELL, 5, 102)
    result = book.enter("b", Side.BUY, quantity, 101, TimeInForce.FOK)
    assert (result.ending is Ending.FILLED) == filled
    assert sum(e.quantity for e in result.executions) == (quantity if filled else 0)


def test_post_only_is_refused_rather_than_take() -> None:
    book = Book()
    book.enter("a", Side.SELL, 5, 100)
    refused = book.enter("b", Side.BUY, 5, 100, TimeInForce.POST_ONLY)
    assert (refused.ending, refused.why) == (Ending.REFUSED, Why.POST_ONLY)
    assert book.enter("b", Side.BUY, 5, 99, TimeInForce.POST_ONLY).ending is Ending.RESTS


def test_the_newer_of_two_orders_of_one_owner_ends() -> None:
    book = Book()
    book.enter("x", Side.SELL, 2, 99)
    book.enter("a", Side.SELL, 5, 100)
    result = book.enter("a", Side.BUY, 9, 101)
    assert trades(result) == [(1, 99, 2)]
    assert (result.ending, result.why, result.remaining) == (Ending.EXPIRED, Why.SELF_TRADE, 7)
    assert book.engine.levels(Side.SELL) == [(100, 5)]


def test_the_public_may_trade_with_itself() -> None:
    book = Book()
    book.enter(PUBLIC, Side.SELL, 5, 100)
    assert book.enter(PUBLIC, Side.BUY, 5, 100).ending is Ending.FILLED


def test_fok_does_not_count_what_lies_behind_an_own_order() -> None:
    book = Book()
    book.enter("x", Side.SELL, 2, 99)
    book.enter("a", Side.SELL, 1, 100)
    book.enter("x", Side.SELL, 5, 101)
    result = book.enter("a", Side.BUY, 3, 101, TimeInForce.FOK)
    assert (result.ending, result.executions) == (Ending.EXPIRED, [])


def test_replace_keeps_the_queue_only_when_the_quantity_shrinks() -> None:
    book = Book()
    for owner in "abc":
        book.enter(owner, Side.BUY, 5, 100)
    book.engine.replace(1, 100, 4, post_only=False)
    assert [o.number for o in book.engine.queue(Side.BUY, 100)] == [1, 2, 3]
    book.engine.replace(2, 100, 6, post_only=False)
    assert [o.number for o in book.engine.queue(Side.BUY, 100)] == [1, 3, 2]
    assert book.engine.level(Side.BUY, 100) == 15


def test_a_replaced_order_may_trade_and_post_only_leaves_it_alone() -> None:
    book = Book()
    book.enter("a", Side.BUY, 5, 90)
    book.enter("b", Side.SELL, 3, 100)
    refused = book.engine.replace(1, 100, 5, post_only=True)
    assert refused.ending is Ending.REFUSED
    assert book.engine.levels(Side.BUY) == [(90, 5)]
    result = book.engine.replace(1, 100, 5, post_only=False)
    assert trades(result) == [(2, 100, 3)]
    assert book.engine.levels(Side.BUY) == [(100, 2)]


def test_cancel_removes_an_order_and_a_stop() -> None:
    book = Book()
    book.enter("a", Side.BUY, 5, 90)
    gone = book.engine.cancel(1)
    assert gone is not None
    assert gone.remaining == 5
    assert book.engine.levels(Side.BUY) == []
    assert book.engine.cancel(1) is None
    book.engine.add_stop(7, 100, rising=True)
    book.engine.cancel(7)
    book.engine.last = 200
    assert book.engine.triggered() == []


def test_stops_trigger_on_the_last_price_oldest_first() -> None:
    engine = MatchingEngine()
    engine.add_stop(1, 105, rising=True)
    engine.add_stop(2, 103, rising=True)
    engine.add_stop(3, 95, rising=False)
    engine.add_stop(4, 97, rising=False)
    assert engine.triggered() == []
    engine.last = 104
    assert engine.triggered() == [2]
    engine.last = 90
    assert engine.triggered() == [3, 4]
    engine.last = 105
    assert engine.triggered() == [1]


def test_reduce_only_needs_a_position_and_never_turns_it() -> None:
    book = Book(positions=True)
    refused = book.enter("a", Side.SELL, 1, 100, reduce_only=True)
    assert (refused.ending, refused.why) == (Ending.REFUSED, Why.REDUCE_ONLY)
    book.enter("x", Side.SELL, 10, 100)
    book.enter("a", Side.BUY, 4, 100)
    assert book.engine.positions["a"] == 4
    assert book.enter("a", Side.SELL, 5, 110, reduce_only=True).ending is Ending.REFUSED
    assert book.enter("a", Side.SELL, 4, 110, reduce_only=True).ending is Ending.RESTS


def test_a_resting_reduce_only_order_ends_when_its_position_went_elsewhere() -> None:
    book = Book(positions=True)
    book.enter("x", Side.SELL, 4, 100)
    book.enter("a", Side.BUY, 4, 100)
    book.enter("a", Side.SELL, 3, 105)  # number 3: closes most of the position first
    book.enter("a", Side.SELL, 4, 106, reduce_only=True)  # number 4
    book.enter("y", Side.SELL, 9, 107)
    result = book.enter("x", Side.BUY, 9, 107)
    assert trades(result) == [(3, 105, 3), (4, 106, 1), (5, 107, 5)]
    assert [order.number for order in result.spent] == [4]
    assert book.engine.positions["a"] == 0


def test_fok_foresees_what_reduce_only_makers_can_give() -> None:
    book = Book(positions=True)
    book.enter("x", Side.SELL, 4, 100)
    book.enter("a", Side.BUY, 4, 100)
    book.enter("a", Side.SELL, 3, 105)
    book.enter("a", Side.SELL, 4, 106, reduce_only=True)
    assert book.engine.preview(Incoming(9, "x", Side.BUY, 106, 7)) == (4, 3 * 105 + 106)
    result = book.enter("x", Side.BUY, 5, 106, TimeInForce.FOK)
    assert (result.ending, result.executions) == (Ending.EXPIRED, [])


def test_changes_are_told_once() -> None:
    book = Book()
    book.engine.rest(Resting(1, "a", Side.BUY, 99, 5))
    book.enter("b", Side.SELL, 2, 99)
    assert book.engine.take_changes() == {Side.BUY: {99}, Side.SELL: set()}
    assert book.engine.take_changes() == {Side.BUY: set(), Side.SELL: set()}
