"""Swaps and orders on pools of concentrated liquidity: what is told is what happened."""

from decimal import Decimal

import pytest

from chains.evm import erc20
from chains.evm.codec import hexadecimal, quantity
from core.errors import Reason, Refused
from core.market import BookState, Trade
from core.money import to_units
from core.orders import OrderStatus, Side, TimeInForce
from core.ports import Channel, FeeOptions
from dex.spec import RouterKind
from dex.venue import PoolVenue
from tests.support.evm import BOB, CAROL, until
from tests.support.pools import PoolWorld, Told, order, pool_world, trading
from tests.support.pools_v3 import stranger_comes_first, stranger_swaps

pytestmark = pytest.mark.evm

V3, PANCAKE = "uniswap_v3@ethereum_local", "pancakeswap_v3@ethereum_local"
FEES = FeeOptions()
ONE_PERCENT = Decimal("0.01")
ETHER, USDC = 10**18, 10**6
POOL = "WETH-USDC:500"


async def holdings(world: PoolWorld, *symbols: str) -> list[int]:
    return [await world.units(BOB, symbol) for symbol in symbols]


async def swap_all_ways(world: PoolWorld, venue: PoolVenue) -> None:
    """Native and wrapped, exact in and exact out: what was quoted is what was done."""
    told = Told()
    native, usdc, weth = world.net.info.native, world.token("USDC"), world.token("WETH")
    async with trading(world, told, venue):
        steps = [
            (native, usdc, ETHER, True),
            (native, usdc, 100 * USDC, False),
            (usdc, native, 50 * USDC, True),
            (usdc, native, ETHER // 100, False),
            (usdc, weth, 60_000 * USDC, True),  # through several ticks
            (weth, usdc, 1_234 * USDC, False),
        ]
        for number, (give, take, units, exact_in) in enumerate(steps):
            await world.synced(venue)
            quote = await venue.quote(give, take, units, exact_in, ONE_PERCENT)
            before = await holdings(world, give.symbol, take.symbol)
            sent = await venue.swap(quote, BOB, f"swap-{number}", 0, FEES)
            await until(lambda n=number: len(told.fills) == n + 1)  # type: ignore[misc]
            fill = told.fills[-1]
            assert fill.venue_order_id == sent.hash
            assert int(fill.details["units_in"]) == quote.units_in
            assert int(fill.details["units_out"]) == quote.units_out
            assert fill.details["realised_price"] == fill.details["quoted_price"]
            after = await holdings(world, give.symbol, take.symbol)
            gas = sum(
                int((row.fee or 0) * ETHER)
                for row in world.log.rows.values()
                if row.intent.startswith(f"swap-{number}")
            )
            spent, got = before[0] - after[0], after[1] - before[1]
            assert spent == quote.units_in + (gas if give.is_native else 0)
            assert got == quote.units_out - (gas if take.is_native else 0)


@pytest.mark.parametrize("name", [V3, PANCAKE])
async def test_execution_equals_the_quote(name: str) -> None:
    async with pool_world() as world:
        await swap_all_ways(world, world.venues[name])


async def test_a_deadline_is_kept_by_the_router_that_has_it_in_its_multicall() -> None:
    async with pool_world() as world:
        venue = world.venues[V3]
        assert venue.spec.deployment.router_kind is RouterKind.SWAP_ROUTER_02
        quote = await venue.quote(
            world.net.info.native, world.token("USDC"), ETHER, True, ONE_PERCENT
        )
        with pytest.raises(Refused) as refused:
            await venue.swap(quote, BOB, "late", 10**9, FEES)
        assert refused.value.reason is Reason.QUOTE_EXPIRED


async def test_the_best_of_the_pools_is_quoted() -> None:
    async with pool_world() as world:
        venue = world.venues[V3]
        weth, usdc = world.token("WETH"), world.token("USDC")
        market = venue.finder.of_instrument(POOL)
        chosen = set()
        for emptied in (False, True):
            if emptied:
                data, value = hexadecimal(erc20.deposit()), quantity(900 * ETHER)
                deposit = {"from": CAROL, "to": weth.address, "data": data, "value": value}
                await world.node.send(deposit)
                zero_in = market.token0.symbol == "WETH"
                await stranger_swaps(world, venue, market, zero_in, 900 * ETHER)
                await world.synced(venue)
            for exact_in in (True, False):
                units = 10 * (ETHER if exact_in else 1_000 * USDC)
                offers = []
                for one in venue.directory.candidates(weth, usdc)[:2]:
                    curve = venue.states.live(one).curve(weth)
                    offers.append(curve.amount_out(units) if exact_in else curve.amount_in(units))
                quote = await venue.quote(weth, usdc, units, exact_in, ONE_PERCENT)
                given = quote.units_out if exact_in else quote.units_in
                assert given >= max(offers) if exact_in else given <= min(offers)
                chosen.add(quote.pools[0])
        assert len(chosen) == 2


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
async def test_an_ioc_takes_what_the_book_shows_and_no_more(side: Side) -> None:
    async with pool_world() as world:
        venue, told = world.venues[V3], Told()
        book = await venue.order_book(venue.instruments[POOL], 4)
        assert book.state is BookState.LIVE
        levels = book.asks if side is Side.BUY else book.bids
        shown = sum(map(Decimal, levels[1]), Decimal(0))
        async with trading(world, told, venue) as account:
            request = order(side, "49", levels[0][-1], instrument=POOL, venue=V3)
            before = await holdings(world, "WETH", "USDC")
            await account.place(request)
            end = await told.end_of(request.client_order_id)
            after = await holdings(world, "WETH", "USDC")
            assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, shown)
            assert "IOC" in end.reason
            assert abs(after[0] - before[0]) == to_units(shown, 18)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
async def test_a_limit_is_a_limit_when_somebody_was_faster(side: Side) -> None:
    """A part is traded, each unit within the limit, and told as the part that it is."""
    async with pool_world() as world:
        venue, told = world.venues[V3], Told()
        market = venue.finder.of_instrument(POOL)
        book = await venue.order_book(market.instrument, 30)
        levels = book.asks if side is Side.BUY else book.bids
        limit = levels[0][7]
        given = "USDC" if side is Side.BUY else "WETH"
        async with trading(world, told, venue) as account:
            await world.approve(
                given, 190_000 * USDC if given == "USDC" else 50 * ETHER, "a", venue
            )
            await world.node.automine(False)
            wanted = sum(map(Decimal, levels[1][:7]), Decimal(0))
            request = order(side, str(wanted), limit, instrument=POOL, venue=V3)
            await account.place(request)
            zero_in = market.token0.symbol == given
            first = 40_000 * USDC if given == "USDC" else 13 * ETHER
            await stranger_comes_first(world, venue, market, zero_in, first)
            before = await holdings(world, "WETH", "USDC")
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            after = await holdings(world, "WETH", "USDC")
            (fill,) = told.fills
            assert end.status is OrderStatus.EXPIRED
            assert end.filled_quantity == fill.quantity
            assert 0 < fill.quantity < wanted
            assert "reached the limit" in end.reason
            assert to_units(fill.quantity, 18) == abs(after[0] - before[0])
            assert to_units(Decimal(fill.details["notional"]), 6) == abs(after[1] - before[1])
            assert (
                fill.price <= Decimal(limit) if side is Side.BUY else fill.price >= Decimal(limit)
            )
            # The pool stands where the limit is, and not beyond.
            await world.synced(venue)
            now = await venue.ticker(market.instrument)
            best = now.ask_price if side is Side.BUY else now.bid_price
            assert best is not None
            assert abs(best / Decimal(limit) - 1) < Decimal("1e-9")


async def test_a_fok_never_stops_half_way() -> None:
    async with pool_world() as world:
        venue, told = world.venues[V3], Told()
        market = venue.finder.of_instrument(POOL)
        book = await venue.order_book(market.instrument, 30)
        wanted = sum(map(Decimal, book.asks[1][:7]), Decimal(0))
        async with trading(world, told, venue) as account:
            await world.approve("USDC", 190_000 * USDC, "a", venue)
            await world.node.automine(False)
            request = order(Side.BUY, str(wanted), book.asks[0][7], TimeInForce.FOK, POOL, venue=V3)
            await account.place(request)
            zero_in = market.token0.symbol == "USDC"
            await stranger_comes_first(world, venue, market, zero_in, 100_000 * USDC)
            before = await holdings(world, "WETH", "USDC")
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, 0)
            assert "Too much requested" in end.reason
            assert await holdings(world, "WETH", "USDC") == before
            assert not told.fills


async def test_market_orders_in_both_directions() -> None:
    async with pool_world() as world:
        venue, told = world.venues[PANCAKE], Told()
        async with trading(world, told, venue) as account:
            for side in (Side.BUY, Side.SELL):
                await world.synced(venue)
                request = order(side, "3.000000000000000001", instrument=POOL, venue=PANCAKE)
                before = await holdings(world, "WETH", "USDC")
                await account.place(request)
                end = await told.end_of(request.client_order_id)
                after = await holdings(world, "WETH", "USDC")
                assert end.status is OrderStatus.FILLED
                assert abs(after[0] - before[0]) == 3 * ETHER + 1
                assert end.filled_notional == Decimal(abs(after[1] - before[1])) / USDC


async def test_more_than_the_liquidity_is_refused_in_both_directions() -> None:
    async with pool_world() as world:
        venue = world.venues[PANCAKE]
        usdc, dai = world.token("USDC"), world.token("DAI")
        for give, take, unit in ((usdc, dai, USDC), (dai, usdc, ETHER)):
            for exact_in in (True, False):
                units = 500_000 * (unit if exact_in else ETHER * USDC // unit)
                with pytest.raises(Refused) as refused:
                    await venue.quote(give, take, units, exact_in, ONE_PERCENT)
                assert refused.value.reason is Reason.INSUFFICIENT_LIQUIDITY
                assert int(refused.value.metadata["most"]) > 0


async def test_a_quote_that_the_pool_left_behind_is_refused_before_anything_is_sent() -> None:
    async with pool_world() as world:
        venue = world.venues[V3]
        weth, usdc = world.token("WETH"), world.token("USDC")
        async with trading(world, Told(), venue):
            await world.approve("USDC", 10_000 * USDC, "a", venue)
            quote = await venue.quote(usdc, weth, 3_000 * USDC, True, Decimal("0.0001"))
            market = await venue.finder.at(quote.pools[0])
            zero_in = market.token0.symbol == "USDC"
            await stranger_swaps(world, venue, market, zero_in, 100_000 * USDC)
            await world.synced(venue)
            sent = len(world.log.rows)
            with pytest.raises(Refused, match="the price moved past the limit") as refused:
                await venue.swap(quote, BOB, "late", 0, FEES)
            assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
            assert len(world.log.rows) == sent


@pytest.mark.parametrize("name", [V3, PANCAKE])
async def test_everybodys_swaps_are_trades(name: str) -> None:
    async with pool_world() as world:
        venue = world.venues[name]
        market = venue.finder.of_instrument(POOL)
        trades: list[object] = []
        feed = await venue.subscribe(Channel.TRADES, market.instrument, trades.append)
        zero_is_base = market.base_is_0
        await stranger_swaps(world, venue, market, zero_is_base, ETHER)
        await stranger_swaps(world, venue, market, not zero_is_base, 3_000 * USDC)
        await until(lambda: len(trades) == 2)
        sale, purchase = trades
        assert isinstance(sale, Trade)
        assert isinstance(purchase, Trade)
        assert (sale.side, sale.quantity) == (Side.SELL, Decimal(1))
        assert purchase.side is Side.BUY
        assert Decimal(2_900) < sale.price < purchase.price < Decimal(3_100)
        assert [t.trade_id for t in await venue.trades(market.instrument, 10)] == [
            sale.trade_id,
            purchase.trade_id,
        ]
        await feed.close()
