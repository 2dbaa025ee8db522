"""The simulated market and its feeds."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from cex.paper.faults import Fault, FaultKind
from cex.paper.markets import MARKETS
from cex.paper.simulation import Simulation
from core.books import OrderBook
from core.clock import MILLISECOND, SECOND, ManualClock
from core.errors import Reason, Refused
from core.market import (
    BookDelta,
    BookSnapshot,
    BookState,
    Candle,
    Funding,
    MarketEvent,
    Ticker,
    Trade,
)
from core.orders import OrderStatus, Side
from core.ports import Channel, Health
from tests.support.paper import Desk, request


def steps(desk: Desk, count: int) -> None:
    for _ in range(count):
        desk.clock.advance(250 * MILLISECOND)
        desk.exchange.step()


def tape(seed: int, count: int) -> list[object]:
    desk = Desk(markets=MARKETS, seed=seed)
    steps(desk, count)
    return [
        [pit.engine.levels(Side.BUY), pit.engine.levels(Side.SELL), list(pit.tape.trades)]
        for pit in desk.exchange.pits.values()
    ]


def test_the_same_seed_gives_the_same_tape() -> None:
    assert tape(7, 20) == tape(7, 20)
    assert tape(7, 20) != tape(8, 20)


def test_fair_prices_walk_gently_around_their_start() -> None:
    simulation = Simulation(MARKETS, 3)
    lowest = highest = simulation.fair("ETH-USDC")
    assert lowest == 3060
    for _ in range(20_000):  # 5,000 seconds
        before = simulation.fair("ETH-USDC")
        simulation.advance()
        now = simulation.fair("ETH-USDC")
        assert abs(now - before) / before < Decimal("0.0003")
        lowest, highest = min(lowest, now), max(highest, now)
    assert Decimal("3000") < lowest < 3060 < highest < Decimal("3120")


@pytest.mark.parametrize("seed", range(5))
def test_books_are_never_crossed_and_surround_the_fair_price(seed: int) -> None:
    desk = Desk(markets=MARKETS, seed=seed)
    for _ in range(30):
        steps(desk, 1)
        for id, pit in desk.exchange.pits.items():
            bid, ask = pit.engine.best(Side.BUY), pit.engine.best(Side.SELL)
            assert bid is not None
            assert ask is not None
            assert bid < ask
            fair = desk.exchange.simulation.fair(id) / pit.instrument.price_tick
            assert abs(Decimal(bid + ask) / 2 - fair) < fair / 500


async def test_the_makers_come_back_after_the_whole_book_was_taken() -> None:
    desk = await Desk(markets=MARKETS).start()
    a, instrument = desk.accounts["a"], desk.spot.instruments["SOL-USDC"]
    desk.exchange.step()
    bids = (await desk.spot.order_book(instrument, 0)).bids[1]
    assert sum(map(Decimal, bids)) > 100
    big = replace(request("1", Side.SELL, "100", None), instrument="SOL-USDC")
    while (await a.place(big)).status is not OrderStatus.EXPIRED:
        big = replace(big, client_order_id=big.client_order_id + "1")
        if desk.available("a", "SOL") < 100:
            desk.exchange.clearing.book("a").ledger.totals["SOL"] += 1000
    assert (await desk.spot.order_book(instrument, 0)).bids == ([], [])
    steps(desk, 1)
    book = await desk.spot.order_book(instrument, 0)
    assert len(book.bids[0]) == 25
    assert abs(Decimal(book.bids[0][0]) - desk.exchange.simulation.fair("SOL-USDC")) < 1


async def test_a_resting_order_at_the_touch_is_hit_by_the_public() -> None:
    desk = await Desk(markets=MARKETS).start()
    steps(desk, 1)
    fair = desk.exchange.simulation.fair("ETH-USDC")
    price = str(fair.quantize(Decimal("0.01")))
    await desk.accounts["a"].place(request("1", Side.BUY, "0.5", price))
    for _ in range(100):
        steps(desk, 1)
        if not await desk.accounts["a"].open_orders():
            break
    assert await desk.accounts["a"].open_orders() == []
    prints = {trade.trade_id for trade in desk.exchange.pits["ETH-USDC"].tape.trades}
    fills = await desk.accounts["a"].fills("ETH-USDC", 0)
    assert {fill.trade_id for fill in fills} <= prints


def mirror(events: list[MarketEvent]) -> OrderBook:
    """A reader's book; checks that the sequence has no gap."""
    book, sequence = OrderBook(), -1
    for event in events:
        if isinstance(event, BookSnapshot):
            book.load(zip(*event.bids, strict=True), zip(*event.asks, strict=True))
        elif isinstance(event, BookDelta):
            assert event.sequence == sequence + 1
            book.apply(zip(*event.bids, strict=True), zip(*event.asks, strict=True))
        else:
            continue
        sequence = event.sequence
    return book


async def test_snapshot_and_deltas_add_up_to_the_book() -> None:
    desk = await Desk(markets=MARKETS).start()
    instrument, events = desk.spot.instruments["ETH-USDC"], list[MarketEvent]()
    steps(desk, 3)
    feed = await desk.spot.subscribe(Channel.BOOK, instrument, events.append)
    await desk.accounts["a"].place(request("1", Side.BUY, "3", None))
    await desk.accounts["a"].place(request("2", Side.BUY, "1", "2000"))
    steps(desk, 5)
    assert isinstance(events[0], BookSnapshot)
    assert all(isinstance(event, BookDelta) for event in events[1:])
    now = await desk.spot.order_book(instrument, 0)
    assert mirror(events).snapshot() == (now.bids, now.asks)
    late = list[MarketEvent]()
    await desk.spot.subscribe(Channel.BOOK, instrument, late.append)
    steps(desk, 2)
    assert mirror(late).snapshot() == mirror(events).snapshot()
    state = feed.snapshot()
    assert isinstance(state, BookSnapshot)
    assert state.state is BookState.LIVE
    await feed.close()
    await feed.close()
    count = len(events)
    steps(desk, 1)
    assert len(events) == count


async def test_a_lost_book_update_makes_the_feed_stale_until_it_is_resynchronised() -> None:
    desk = await Desk(markets=MARKETS).start()
    instrument, events = desk.spot.instruments["ETH-USDC"], list[MarketEvent]()
    await desk.spot.subscribe(Channel.BOOK, instrument, events.append)
    desk.exchange.faults.add(Fault(FaultKind.SKIP_SEQUENCE, venue="paper", instrument="ETH-USDC"))
    steps(desk, 3)
    states = [e.state for e in events if isinstance(e, BookSnapshot)]
    assert states == [BookState.LIVE, BookState.STALE, BookState.LIVE]
    assert isinstance(events[-1], BookDelta)
    now = await desk.spot.order_book(instrument, 0)
    assert mirror(events[2:]).snapshot() == (now.bids, now.asks)
    assert desk.exchange.faults.active() == {}


async def test_trades_tickers_and_candles_tell_the_same_story() -> None:
    desk = await Desk(markets=MARKETS).start()
    instrument, events = desk.spot.instruments["BTC-USDT"], list[MarketEvent]()
    for channel, interval in ((Channel.TRADES, 0), (Channel.TICKER, 0), (Channel.CANDLES, 1)):
        await desk.spot.subscribe(channel, instrument, events.append, interval)
    steps(desk, 40)
    trades = [event for event in events if isinstance(event, Trade)]
    assert trades == list(await desk.spot.trades(instrument, 1000))
    candles = [event for event in events if isinstance(event, Candle)]
    closed = [candle for candle in candles if candle.closed]
    assert [b.open_time - a.open_time for a, b in itertools.pairwise(closed)] == [SECOND] * (
        len(closed) - 1
    )
    for candle in closed:
        inside = [t for t in trades if 0 <= t.event_time - candle.open_time < SECOND]
        assert candle.volume == sum(t.quantity for t in inside)
        if inside:
            prices = [t.price for t in inside]
            assert (candle.open, candle.close) == (prices[0], prices[-1])
            assert (candle.high, candle.low) == (max(prices), min(prices))
    history = await desk.spot.candles(instrument, 1, None, None, 1000)
    assert [c for c in history if c.closed] == closed
    ticker = await desk.spot.ticker(instrument)
    assert ticker.last_price == trades[-1].price
    assert ticker.volume == sum(t.quantity for t in trades)
    assert ticker.quote_volume == sum(t.quantity * t.price for t in trades)
    assert ticker.high_price == max(t.price for t in trades)
    last = [event for event in events if isinstance(event, Ticker)][-1]
    assert (last.bid_price, last.ask_price) == (ticker.bid_price, ticker.ask_price)


async def test_funding_is_fed_for_perpetuals_only() -> None:
    desk = await Desk(markets=MARKETS).start()
    events = list[MarketEvent]()
    perpetual = desk.futures.instruments["BTC-USDT-PERP"]
    await desk.futures.subscribe(Channel.FUNDING, perpetual, events.append)
    steps(desk, 2)
    assert len(events) == 3
    assert all(isinstance(event, Funding) for event in events)
    with pytest.raises(Refused) as refused:
        await desk.spot.funding(desk.spot.instruments["BTC-USDT"])
    assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE


async def test_unknown_instruments_and_intervals_are_refused() -> None:
    desk = Desk()
    perpetual = desk.futures.instruments["BTC-USDT-PERP"]
    asks: list[Callable[[], object]] = [
        lambda: desk.spot.order_book(perpetual, 5),
        lambda: desk.spot.ticker(perpetual),
        lambda: desk.spot.subscribe(Channel.BOOK, perpetual, print),
    ]
    for ask in asks:
        with pytest.raises(Refused) as refused:
            await ask()  # type: ignore[misc]
        assert refused.value.reason is Reason.INSTRUMENT_NOT_FOUND
    with pytest.raises(Refused):
        await desk.futures.candles(perpetual, 7, None, None, 10)


async def test_a_reader_that_fails_does_not_stop_the_market() -> None:
    desk = await Desk(markets=MARKETS).start()
    instrument, events = desk.spot.instruments["ETH-USDC"], list[MarketEvent]()

    def fails(event: MarketEvent) -> None:
        raise RuntimeError("reader's bug")

    await desk.spot.subscribe(Channel.BOOK, instrument, fails)
    await desk.spot.subscribe(Channel.BOOK, instrument, events.append)
    steps(desk, 2)
    assert len(events) == 3


async def test_the_market_runs_between_start_and_stop() -> None:
    desk = Desk(markets=MARKETS)
    running = type(desk.exchange)(None, ManualClock(), markets=MARKETS, step_interval=MILLISECOND)
    spot = type(desk.spot)(running, desk.spot.info.kind)
    assert spot.condition.health is Health.STARTING
    await spot.start()
    await spot.start()
    moved, events = asyncio.Event(), list[MarketEvent]()

    def hear(event: MarketEvent) -> None:
        events.append(event)
        if len(events) >= 3:
            moved.set()

    await spot.subscribe(Channel.BOOK, spot.instruments["BTC-USDT"], hear)
    await asyncio.wait_for(moved.wait(), 10)
    assert spot.condition.health is Health.READY
    await spot.stop()
    tick = running.simulation.tick
    assert tick >= 2
    running.close()
