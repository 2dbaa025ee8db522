"""A pool's book, ticker and trades, block by block."""

from decimal import Decimal

import pytest

from core.errors import Reason, Refused
from core.market import BookSnapshot, BookState, MarketEvent, Ticker, Trade
from core.orders import Side
from core.ports import Channel, Health
from tests.support.evm import until
from tests.support.evm_proxy import proxy
from tests.support.pools import connected, deployed, pool_world

pytestmark = pytest.mark.evm

USDC = 10**6


async def test_a_book_follows_its_pool_and_no_other() -> None:
    async with pool_world() as world:
        events: list[MarketEvent] = []
        feed = await world.uniswap.subscribe(Channel.BOOK, world.instrument, events.append)
        first = feed.snapshot()
        assert isinstance(first, BookSnapshot)
        assert (first.state, first.asks[0][0], len(first.bids[0])) == (BookState.LIVE, "3010", 50)
        await world.stranger_sells("USDC", "WETH", 30_000 * USDC)
        await world.synced(world.uniswap)
        book = events[-1]
        assert isinstance(book, BookSnapshot)
        assert Decimal(book.asks[0][0]) > 3060
        assert book.sequence == world.net.height
        assert book.event_time > 0
        seen = len(events)
        await world.stranger_sells("WBTC", "WETH", 10**6)
        await world.synced(world.uniswap)
        assert len(events) == seen
        await feed.close()
        await world.stranger_sells("USDC", "WETH", 30_000 * USDC)
        await world.synced(world.uniswap)
        assert len(events) == seen


async def test_a_book_says_when_its_chain_is_lost() -> None:
    async with deployed() as (node, contracts), proxy(node.url) as between:
        async with connected(node, contracts, urls=[between.url]) as world:
            events: list[MarketEvent] = []
            await world.uniswap.subscribe(Channel.BOOK, world.instrument, events.append)
            between.status = 503
            await until(lambda: events)
            assert isinstance(events[-1], BookSnapshot)
            assert events[-1].state is BookState.STALE
            assert events[-1].reason
            assert world.uniswap.condition.health is Health.DOWN
            between.status = 200
            await until(lambda: getattr(events[-1], "state", None) is BookState.LIVE)


async def test_trades_are_everybodys_swaps_each_once() -> None:
    async with pool_world() as world:
        events: list[MarketEvent] = []
        feed = await world.uniswap.subscribe(Channel.TRADES, world.instrument, events.append)
        assert feed.snapshot() is None
        bought = await world.stranger_sells("USDC", "WETH", 3_000 * USDC)
        await until(lambda: len(events) == 1)
        await world.stranger_sells("WETH", "USDC", 10**17)
        await world.stranger_sells("WBTC", "WETH", 10**6)  # another pool's
        await until(lambda: len(events) == 2)
        first, second = events
        assert isinstance(first, Trade)
        assert isinstance(second, Trade)
        assert (first.side, second.side) == (Side.BUY, Side.SELL)
        assert first.trade_id == f"{bought}:0"
        assert second.quantity == Decimal("0.1")
        assert 3009 < first.price < 3013
        assert first.event_time > 0
        assert feed.snapshot() == second
        recent = await world.uniswap.trades(world.instrument, 10)
        assert [trade.trade_id for trade in recent] == [first.trade_id, second.trade_id]
        assert len(await world.uniswap.trades(world.instrument, 1)) == 1
        ticker = await world.uniswap.ticker(world.instrument)
        assert ticker.last_price == second.price


async def test_trades_of_a_reorganised_block_are_told_once() -> None:
    async with pool_world() as world:
        events: list[MarketEvent] = []
        await world.uniswap.subscribe(Channel.TRADES, world.instrument, events.append)
        await world.stranger_sells("USDC", "WETH", 3_000 * USDC)
        await until(lambda: len(events) == 1)
        await world.node.automine(False)
        await world.node.rpc.call("anvil_reorg", [1, []])
        await world.synced(world.uniswap)
        last = await world.stranger_sells("USDC", "WETH", 6_000 * USDC, mined=False)
        await world.node.mine()
        await until(lambda: any(isinstance(e, Trade) and e.trade_id == f"{last}:0" for e in events))
        ids = [event.trade_id for event in events if isinstance(event, Trade)]
        assert len(ids) == len(set(ids))


async def test_a_ticker_is_the_first_units_price_with_the_fee() -> None:
    async with pool_world() as world:
        ticker = await world.uniswap.ticker(world.instrument)
        assert ticker.bid_price == 2991
        assert ticker.ask_price is not None
        assert Decimal("3009.027") < ticker.ask_price < Decimal("3009.028")
        assert ticker.bid_quantity is not None
        events: list[MarketEvent] = []
        await world.uniswap.subscribe(Channel.TICKER, world.instrument, events.append)
        await world.stranger_sells("USDC", "WETH", 30_000 * USDC)
        await world.synced(world.uniswap)
        after = events[-1]
        assert isinstance(after, Ticker)
        assert after.bid_price is not None
        assert after.bid_price > 3040


async def test_what_a_pool_has_not_is_refused() -> None:
    async with pool_world() as world:
        venue, instrument = world.uniswap, world.instrument
        attempts = [
            venue.candles(instrument, 60, None, None, 10),
            venue.funding(instrument),
            venue.subscribe(Channel.CANDLES, instrument, print),
            venue.subscribe(Channel.FUNDING, instrument, print),
        ]
        for attempt in attempts:
            with pytest.raises(Refused) as refused:
                await attempt
            assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE
        for depth in (0, -1, 10_000):
            with pytest.raises(Refused) as refused:
                await venue.order_book(instrument, depth)
            assert refused.value.reason is Reason.FIELD_INVALID
        for limit in (0, -1):
            with pytest.raises(Refused) as refused:
                await venue.trades(instrument, limit)
            assert refused.value.reason is Reason.FIELD_INVALID
