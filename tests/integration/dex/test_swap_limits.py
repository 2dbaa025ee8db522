"""A swap with a limit price: no unit past it, all or a part, and what happened is what is told."""

from decimal import Decimal

import pytest

from core.errors import Reason, Refused
from core.orders import Fill
from core.ports import FeeOptions
from core.swaps import Quote, SwapLimit
from core.tokens import Token
from dex.router import RouterVenue
from tests.support.evm import BOB, until
from tests.support.pools import PoolWorld, Told, pool_world, trading
from tests.support.pools_v3 import stranger_comes_first

pytestmark = pytest.mark.evm

V2, V3, CAKE = (f"{name}@ethereum_local" for name in ("uniswap_v2", "uniswap_v3", "pancakeswap_v3"))
FEES = FeeOptions()
PERCENT = Decimal("0.01")
ETHER, USDC = 10**18, 10**6


def limit_of(price: str, partial: bool) -> SwapLimit:
    return SwapLimit(Decimal(price), partial)


async def held(world: PoolWorld, *tokens: Token) -> list[int]:
    return [await world.units(BOB, token.symbol) for token in tokens]


async def gas_of(world: PoolWorld, intent: str) -> int:
    rows = [row for row in world.log.rows.values() if row.intent.startswith(intent)]
    return sum(int((row.fee or 0) * ETHER) for row in rows)


def traded(fill: Fill) -> tuple[int, int]:
    return int(fill.details["units_in"]), int(fill.details["units_out"])


async def done(world: PoolWorld, told: Told, quote: Quote, intent: str) -> Fill:
    """Sent, mined, and told as what the wallet has more and less."""
    count = len(told.fills)
    before = await held(world, quote.token_in, quote.token_out)
    await world.venues[quote.executor].swap(quote, BOB, intent, 0, FEES)
    await until(lambda: len(told.fills) == count + 1)
    after = await held(world, quote.token_in, quote.token_out)
    gas = await gas_of(world, intent)
    spent = before[0] - after[0] - (gas if quote.token_in.is_native else 0)
    got = after[1] - before[1] + (gas if quote.token_out.is_native else 0)
    assert (spent, got) == traded(told.fills[-1])
    return told.fills[-1]


@pytest.mark.parametrize("id", [V3, CAKE, V2])
async def test_what_the_limit_lets_through_is_quoted_and_done(id: str) -> None:
    async with pool_world() as world:
        venue, told = world.venues[id], Told()
        native, usdc = world.net.info.native, world.token("USDC")
        async with trading(world, told, venue):
            steps = (
                (native, usdc, 70 * ETHER, True, "2990"),
                (usdc, native, 150_000 * USDC, True, "0.000331"),
                (native, usdc, 150_000 * USDC, False, "2980"),
                (usdc, native, 45 * ETHER, False, "0.000332"),
            )
            for number, (give, take, units, exact_in, price) in enumerate(steps):
                await world.synced(venue)
                limit = limit_of(price, True)
                quote = await venue.quote(give, take, units, exact_in, PERCENT, limit)
                fixed = quote.units_in if exact_in else quote.units_out
                assert 0 < fixed <= quote.asked == units
                assert len(quote.pools) == 1
                fill = await done(world, told, quote, f"{id}-{number}")
                assert traded(fill) == (quote.units_in, quote.units_out)
                assert fill.details["partial"] == ("true" if fixed < units else "false")
                assert Decimal(fill.details["limit_price"]) == Decimal(price)
                shift = give.decimals - take.decimals
                average = Decimal(quote.units_out).scaleb(shift) / quote.units_in
                assert average >= Decimal(price)
                # Nothing more can be had: the pool's next unit is past the limit.
                if fixed < units:
                    await world.synced(venue)
                    market = await venue.finder.at(quote.pools[0])
                    curve = venue.states.live(market).curve(venue.lookup.erc20(give))
                    mid, fee = curve.mid, curve.fee
                    next_unit = Decimal(mid[0] * fee.kept) / (mid[1] * fee.whole)
                    assert next_unit.scaleb(shift) < Decimal(price) * Decimal("1.0000001")
            assert "true" in {fill.details["partial"] for fill in told.fills}


@pytest.mark.parametrize("exact_in", [True, False])
async def test_a_swap_that_stops_half_way_is_told_as_a_part(exact_in: bool) -> None:
    """Somebody is faster, and the pool ends the swap at the limit. Coins that it did not take come
    back."""
    async with pool_world() as world:
        venue, told = world.venues[V3], Told()
        native, usdc, weth = world.net.info.native, world.token("USDC"), world.token("WETH")
        async with trading(world, told, venue):
            units = 55 * ETHER if exact_in else 164_000 * USDC
            quote = await venue.quote(
                native, usdc, units, exact_in, PERCENT, limit_of("2990", True)
            )
            fixed = quote.units_in if exact_in else quote.units_out
            assert fixed == units, "all of it was to be had"
            market = await venue.finder.at(quote.pools[0])
            await world.node.automine(False)
            before = await held(world, native, usdc)
            sent = await venue.swap(quote, BOB, "half", 0, FEES)
            zero_in = market.token0.address == weth.address
            await stranger_comes_first(world, venue, market, zero_in, 25 * ETHER)
            await world.node.mine()
            await until(lambda: told.fills)
            (fill,) = told.fills
            units_in, units_out = traded(fill)
            assert 0 < (units_in if exact_in else units_out) < fixed
            assert fill.details["partial"] == "true"
            assert Decimal(fill.details["asked"]) == Decimal(units).scaleb(-18 if exact_in else -6)
            after = await held(world, native, usdc)
            spent = before[0] - after[0] - await gas_of(world, "half")
            assert (spent, after[1] - before[1]) == (units_in, units_out)
            assert Decimal(units_out).scaleb(12) / units_in >= Decimal("2990")
            assert Decimal(fill.details["realised_price"]) >= Decimal("2990")
            assert await world.units(sent.to, "ETH") == 0
            assert await world.units(sent.to, "WETH") == 0


async def test_the_whole_or_nothing() -> None:
    async with pool_world() as world:
        venue, told = world.venues[V3], Told()
        weth, usdc = world.token("WETH"), world.token("USDC")
        async with trading(world, told, venue):
            await world.approve("WETH", 50 * ETHER, "a", venue)
            strict = limit_of("2990", False)
            with pytest.raises(Refused, match="let a part be traded") as refused:
                await venue.quote(weth, usdc, 400 * ETHER, True, PERCENT, strict)
            assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
            assert refused.value.metadata["venue"] == V3
            quote = await venue.quote(weth, usdc, 20 * ETHER, True, PERCENT, strict)
            assert (quote.units_in, quote.price_limit) == (20 * ETHER, 0)
            assert quote.guaranteed >= 20 * 2990 * USDC
            market = await venue.finder.at(quote.pools[0])
            await world.node.automine(False)
            before = await held(world, weth, usdc)
            sent = await venue.swap(quote, BOB, "whole", 0, FEES)
            zero_in = market.token0.address == weth.address
            await stranger_comes_first(world, venue, market, zero_in, 49 * ETHER)
            await stranger_comes_first(world, venue, market, zero_in, 49 * ETHER)
            await world.node.mine()
            ended = await world.net.wait_included(sent.hash, 10)
            assert not ended.succeeded
            assert "Too little received" in ended.reason
            assert await held(world, weth, usdc) == before
            assert not told.fills


async def test_prices_that_nobody_gives_are_refused_with_the_price_that_there_is() -> None:
    async with pool_world() as world:
        weth, usdc = world.token("WETH"), world.token("USDC")
        for id in (V2, V3):
            for exact_in in (True, False):
                units = ETHER if exact_in else 3_000 * USDC
                with pytest.raises(Refused, match="the pool's price is 29") as refused:
                    await world.venues[id].quote(
                        weth, usdc, units, exact_in, PERCENT, limit_of("3001", True)
                    )
                assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
        with pytest.raises(Refused, match="leave the limit out") as refused:
            await world.venues[V2].quote(
                usdc, world.token("DAI"), USDC, True, PERCENT, limit_of("0.9", False)
            )
        assert refused.value.reason is Reason.POOL_NOT_FOUND
        for price in ("0", "-1", "NaN"):
            with pytest.raises(Refused) as refused:
                await world.venues[V2].quote(
                    weth, usdc, ETHER, True, PERCENT, limit_of(price, False)
                )
            assert refused.value.reason is Reason.FIELD_INVALID


async def test_the_router_takes_the_pool_that_does_most_within_the_limit() -> None:
    async with pool_world() as world:
        router = RouterVenue(world.net, list(world.venues.values()), world.clock)
        weth, usdc = world.token("WETH"), world.token("USDC")
        limit = limit_of("2970", True)
        best = await router.quote(weth, usdc, 5_000 * ETHER, True, PERCENT, limit)
        alone = []
        for id in (V2, V3, CAKE):
            quote = await world.venues[id].quote(weth, usdc, 5_000 * ETHER, True, PERCENT, limit)
            alone.append((quote.units_in, id))
        assert (best.units_in, best.executor) == max(alone)
        assert best.venue.startswith("router@")
        with pytest.raises(Refused, match="the pool's price is") as refused:
            await router.quote(weth, usdc, ETHER, True, PERCENT, limit_of("3001", False))
        assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
