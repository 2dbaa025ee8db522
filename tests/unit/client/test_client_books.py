"""The live book: what it shows after updates, and that it says when it is not live."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cambist
from cambist import BookState, EventKind, OrderBook
from cambist.v1 import market_data_pb2 as v1
from core.errors import Reason, Refused
from tests.support.fake_daemon import FakeDaemon


def snapshot(
    sequence: int, bids: dict[str, str], asks: dict[str, str], **more: Any
) -> v1.OrderBook:
    return update(v1.EVENT_KIND_SNAPSHOT, sequence, bids, asks, **more)


def change(sequence: int, bids: dict[str, str], asks: dict[str, str], **more: Any) -> v1.OrderBook:
    return update(v1.EVENT_KIND_CHANGE, sequence, bids, asks, **more)


def update(
    kind: v1.EventKind.ValueType,
    sequence: int,
    bids: dict[str, str],
    asks: dict[str, str],
    state: v1.BookState.ValueType = v1.BOOK_STATE_LIVE,
    reason: str = "",
) -> v1.OrderBook:
    return v1.OrderBook(
        kind=kind,
        state=state,
        reason=reason,
        sequence=sequence,
        bid_prices=list(bids),
        bid_quantities=list(bids.values()),
        ask_prices=list(asks),
        ask_quantities=list(asks.values()),
    )


def test_levels_are_sorted_exact_and_best_first() -> None:
    book = OrderBook("paper", "ETH-USDC")
    assert not book.is_live
    assert book.best_bid is None
    assert book.mid is None
    book.apply(snapshot(5, {"9": "1", "10": "2"}, {"11.5": "3", "11": "4"}))
    assert book.is_live
    assert book.best_bid == (Decimal(10), Decimal(2))
    assert book.best_ask == (Decimal(11), Decimal(4))
    assert book.mid == Decimal("10.5")
    assert book.bids[:] == [(10, 2), (9, 1)]
    assert book.apply(change(6, {"10": "0", "8.5": "7"}, {"11": "0.1"}))
    assert list(book.bids) == [(9, 1), (Decimal("8.5"), 7)]
    assert book.asks[0].quantity == Decimal("0.1")
    assert book.asks[-1].price == Decimal("11.5")
    assert book.bids.quantity(Decimal("8.50")) == 7
    assert book.bids.quantity(Decimal(1)) == 0
    with pytest.raises(IndexError):
        book.bids[2]


def test_a_missing_update_is_not_taken() -> None:
    book = OrderBook("paper", "ETH-USDC")
    book.apply(snapshot(5, {"9": "1"}, {}))
    assert not book.apply(change(7, {"9": "2"}, {}))
    assert book.bids[0].quantity == 1
    assert book.apply(change(6, {"9": "3"}, {}))
    assert not book.apply(change(6, {"9": "4"}, {}))


prices = st.integers(1, 40).map(str)
changes = st.dictionaries(prices, st.integers(0, 3).map(str), max_size=6)
steps = st.lists(st.tuples(changes, st.booleans()), max_size=60)


@given(steps)
def test_a_book_equals_the_plain_dictionary_however_often_one_looks(
    steps: list[tuple[dict[str, str], bool]],
) -> None:
    book = OrderBook("v", "i")
    book.apply(snapshot(0, {}, {}))
    expected: dict[Decimal, Decimal] = {}
    for sequence, (levels, look) in enumerate(steps, 1):
        assert book.apply(change(sequence, levels, levels))
        expected.update({Decimal(price): Decimal(size) for price, size in levels.items()})
        expected = {price: size for price, size in expected.items() if size}
        if look or sequence == len(steps):
            assert list(book.asks) == sorted(expected.items())
            assert list(book.bids) == sorted(expected.items(), reverse=True)
            assert len(book.bids) == len(expected)


async def test_many_changes_between_two_looks() -> None:
    book = OrderBook("v", "i")
    book.apply(snapshot(0, {str(n): "1" for n in range(1, 1001)}, {}))
    assert book.best_bid == (1000, 1)
    for n in range(1, 1000):
        book.apply(change(n, {str(n): "0"}, {}))
    assert list(book.bids) == [(1000, 1)]


class Feed:
    """Scripted responses: one list a connection; after it the connection hangs."""

    def __init__(self, *connections: list[v1.StreamOrderBookResponse | Exception]) -> None:
        self.connections = list(connections)
        self.opened = 0

    async def __call__(self, _: object) -> AsyncIterator[v1.StreamOrderBookResponse]:
        script = self.connections[min(self.opened, len(self.connections) - 1)]
        self.opened += 1
        for part in script:
            if isinstance(part, Exception):
                raise part
            yield part
        await asyncio.Event().wait()


def response(*events: v1.OrderBook) -> v1.StreamOrderBookResponse:
    return v1.StreamOrderBookResponse(events=events)


async def test_the_stream_gives_one_live_book(tmp_path: Path) -> None:
    feed = Feed(
        [
            response(snapshot(1, {"9": "1"}, {"10": "1"})),
            response(change(2, {"9": "2"}, {}), change(3, {"9.5": "1"}, {})),
            response(change(4, {}, {}, state=v1.BOOK_STATE_STALE, reason="silent")),
        ]
    )
    async with (
        FakeDaemon(tmp_path / "s", {"stream_order_book": feed}) as daemon,
        cambist.connect(daemon.address) as c,
        c.market.order_book("paper", "ETH-USDC", depth=5) as stream,
    ):
        book = await anext(stream)
        assert book.best_bid == (9, 1)
        assert await anext(stream) is book
        assert book.best_bid == (Decimal("9.5"), 1)
        await anext(stream)
        assert (book.state, book.reason) == (BookState.STALE, "silent")
    assert daemon.of("stream_order_book")[0].depth == 5


async def test_a_gap_makes_the_book_stale_and_brings_a_new_snapshot(tmp_path: Path) -> None:
    feed = Feed(
        [response(snapshot(1, {"9": "1"}, {})), response(change(3, {"9": "5"}, {}))],
        [response(snapshot(3, {"9": "5"}, {}))],
    )
    async with (
        FakeDaemon(tmp_path / "s", {"stream_order_book": feed}) as daemon,
        cambist.connect(daemon.address) as c,
        c.market.order_book("paper", "ETH-USDC") as stream,
    ):
        await anext(stream)
        book = await anext(stream)
        assert book.state is BookState.STALE
        assert book.bids[0].quantity == 1
        await anext(stream)
        assert book.is_live
        assert book.bids[0].quantity == 5
    assert feed.opened == 2


async def test_a_killed_daemon_makes_the_book_stale_until_it_is_back(tmp_path: Path) -> None:
    feed = Feed([response(snapshot(1, {"9": "1"}, {}))])
    async with FakeDaemon(tmp_path / "s", {"stream_order_book": feed}) as daemon:
        async with (
            cambist.connect(daemon.address) as c,
            c.market.order_book("paper", "ETH-USDC") as stream,
            c.market.book_updates("paper", "ETH-USDC") as raw,
        ):
            book = await anext(stream)
            (first,) = await anext(raw)
            assert (first.kind, first.bids) == (EventKind.SNAPSHOT, [(9, 1)])
            await daemon.kill()
            await asyncio.wait_for(anext(stream), 10)
            assert book.state is BookState.STALE
            assert "connection" in book.reason
            (lost,) = await asyncio.wait_for(anext(raw), 10)
            assert (lost.kind, lost.state) == (EventKind.HEARTBEAT, BookState.STALE)
            await daemon.start()
            await asyncio.wait_for(anext(stream), 10)
            assert book.is_live


async def test_a_silent_stream_is_a_lost_one(tmp_path: Path) -> None:
    feed = Feed([response(snapshot(1, {"9": "1"}, {}))])
    daemon = FakeDaemon(tmp_path / "s", {"stream_order_book": feed}, heartbeat_milliseconds=30)
    async with (
        daemon,
        cambist.connect(daemon.address) as c,
        c.market.order_book("paper", "ETH-USDC") as stream,
    ):
        book = await anext(stream)
        await asyncio.wait_for(anext(stream), 10)
        assert book.state is BookState.STALE
        await asyncio.wait_for(anext(stream), 10)
        assert book.is_live


async def test_a_wrong_instrument_ends_the_stream(tmp_path: Path) -> None:
    feed = Feed([Refused(Reason.INSTRUMENT_NOT_FOUND, "no such")])
    async with (
        FakeDaemon(tmp_path / "s", {"stream_order_book": feed}) as daemon,
        cambist.connect(daemon.address) as c,
    ):
        with pytest.raises(cambist.InstrumentNotFound):
            await anext(c.market.order_book("paper", "NO"))


async def test_a_daemon_that_stays_away_ends_the_stream_after_patience(tmp_path: Path) -> None:
    feed = Feed([response(snapshot(1, {"9": "1"}, {}))])
    async with FakeDaemon(tmp_path / "s", {"stream_order_book": feed}) as daemon:
        async with (
            cambist.connect(daemon.address, patience=0.3) as c,
            c.market.order_book("paper", "ETH-USDC") as stream,
        ):
            await anext(stream)
            await daemon.kill()
            book = await anext(stream)
            assert book.state is BookState.STALE
            with pytest.raises(cambist.ConnectionLost):
                await asyncio.wait_for(anext(stream), 20)


async def test_trades_say_when_some_were_left_out(tmp_path: Path) -> None:
    def event(kind: v1.EventKind.ValueType, price: str = "") -> v1.TradeEvent:
        trade = v1.Trade(price=price, quantity="1") if price else None
        return v1.TradeEvent(kind=kind, trade=trade)

    async def trades(_: object) -> AsyncIterator[v1.StreamTradesResponse]:
        yield v1.StreamTradesResponse(events=[event(v1.EVENT_KIND_SNAPSHOT)])
        yield v1.StreamTradesResponse(
            events=[event(v1.EVENT_KIND_CHANGE, "1"), event(v1.EVENT_KIND_HEARTBEAT)]
        )
        yield v1.StreamTradesResponse(
            events=[event(v1.EVENT_KIND_SNAPSHOT), event(v1.EVENT_KIND_CHANGE, "2")]
        )
        await asyncio.Event().wait()

    async with (
        FakeDaemon(tmp_path / "s", {"stream_trades": trades}) as daemon,
        cambist.connect(daemon.address) as c,
        c.market.trades("paper", "ETH-USDC") as stream,
    ):
        assert (await anext(stream)).price == 1
        assert stream.gaps == 0
        assert (await anext(stream)).price == 2
        assert stream.gaps == 1
