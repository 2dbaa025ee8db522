"""Properties of the matching engine, against a model so plain that it must be right."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from cex.paper.matching import Ending, Incoming, MatchingEngine, Why
from core.orders import Side, TimeInForce

orders = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", ""]),
        st.sampled_from(list(Side)),
        st.integers(1, 20),
        st.one_of(st.none(), st.integers(95, 105)),
        st.sampled_from(list(TimeInForce)),
        st.one_of(st.none(), st.integers(1, 40)),  # cancels that number first
    ),
    max_size=60,
)


@dataclass
class Plain:
    """A resting order of the model."""

    number: int
    owner: str
    side: Side
    price: int
    left: int


def better(side: Side, limit: int | None, price: int) -> bool:
    """Whether a taker of `side` may trade at `price`."""
    if limit is None:
        return True
    return price <= limit if side is Side.BUY else price >= limit


def model(
    book: list[Plain],
    number: int,
    owner: str,
    side: Side,
    quantity: int,
    price: int | None,
    rule: TimeInForce,
) -> list[tuple[int, int, int]]:
    """Sorts the whole book at each order: who trades with whom, at what price, how much."""
    sign = 1 if side is Side.BUY else -1
    facing = sorted(
        (o for o in book if o.side is not side and better(side, price, o.price)),
        key=lambda o: (sign * o.price, o.number),
    )
    own = next((i for i, o in enumerate(facing) if owner and o.owner == owner), None)
    blocked = own is not None
    reachable = facing[:own]
    if rule is TimeInForce.POST_ONLY and facing:
        return []
    if rule is TimeInForce.FOK and sum(o.left for o in reachable) < quantity:
        return []
    trades = []
    for maker in reachable:
        traded = min(quantity, maker.left)
        if traded:
            trades.append((maker.number, maker.price, traded))
            maker.left -= traded
            quantity -= traded
    book[:] = [o for o in book if o.left]
    rests = rule in (TimeInForce.GTC, TimeInForce.POST_ONLY)
    if quantity and price is not None and rests and not blocked:
        book.append(Plain(number, owner, side, price, quantity))
    return trades


@settings(deadline=None)
@given(orders)
def test_the_engine_trades_as_the_model_does(
    commands: list[tuple[str, Side, int, int | None, TimeInForce, int | None]],
) -> None:
    engine, book = MatchingEngine(), list[Plain]()
    for number, (owner, side, quantity, price, rule, canceled) in enumerate(commands, 1):
        if canceled is not None:
            engine.cancel(canceled)
            book[:] = [o for o in book if o.number != canceled]
        # a blocked market order stops at its own order even if nothing else is left to trade
        expected = model(book, number, owner, side, quantity, price, rule)
        incoming = Incoming(number, owner, side, price, quantity, rule)
        filled, cost = engine.preview(incoming)
        result = engine.submit(incoming)
        trades = [(e.maker.number, e.price, e.quantity) for e in result.executions]
        assert trades == expected
        done = sum(traded for _, _, traded in trades)
        if result.ending is not Ending.REFUSED and result.why is not Why.FOK:
            assert (filled, cost) == (done, sum(p * q for _, p, q in trades))
            assert result.remaining == quantity - done
        if rule is TimeInForce.FOK:
            assert done in (0, quantity)
        for side_ in Side:
            levels: dict[int, int] = {}
            for order in book:
                if order.side is side_:
                    levels[order.price] = levels.get(order.price, 0) + order.left
            assert engine.levels(side_) == sorted(levels.items(), reverse=side_ is Side.BUY)
        bid, ask = engine.best(Side.BUY), engine.best(Side.SELL)
        assert bid is None or ask is None or bid < ask


@settings(deadline=None)
@given(orders, st.integers(1, 60), st.integers(95, 105), st.integers(1, 30))
def test_replace_equals_cancel_and_place_unless_it_only_shrinks(
    commands: list[tuple[str, Side, int, int | None, TimeInForce, int | None]],
    number: int,
    price: int,
    quantity: int,
) -> None:
    one, two = MatchingEngine(), MatchingEngine()
    for engine in (one, two):
        for count, (owner, side, size, limit, rule, _) in enumerate(commands, 1):
            engine.submit(Incoming(count, owner, side, limit, size, rule))
    order = one.order(number)
    if order is None:
        return
    shrinks = price == order.price and quantity <= order.remaining
    before = [o.number for o in one.queue(order.side, order.price)]
    result = one.replace(number, price, quantity, post_only=False)
    if shrinks:
        assert [o.number for o in one.queue(order.side, order.price)] == before
        assert order.remaining == quantity
        return
    two.cancel(number)
    again = two.submit(Incoming(number, order.owner, order.side, price, quantity))
    assert [(e.maker.number, e.price, e.quantity) for e in result.executions] == [
        (e.maker.number, e.price, e.quantity) for e in again.executions
    ]
    for side in Side:
        assert one.levels(side) == two.levels(side)
