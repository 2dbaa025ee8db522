"""Ways that change from pools of constant product to pools of concentrated liquidity and back, in
one transaction to the routers that can do that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from core.errors import Refused
from core.ports import FeeOptions
from core.swaps import ApprovalMethod, Quote
from core.tokens import Token
from dex.router import RouterVenue
from tests.support.evm import BOB, until
from tests.support.permits import PERMIT_TOKEN, permit_world
from tests.support.pools import PoolWorld, Told, pool_world, trading

pytestmark = pytest.mark.evm

FEES = FeeOptions()
PERCENT = Decimal("0.01")
ETHER, USDC = 10**18, 10**6
V2, V3 = "uniswap_v2@ethereum_local", "uniswap_v3@ethereum_local"


def router_of(world: PoolWorld) -> RouterVenue:
    return RouterVenue(world.net, [world.venues[V2], world.venues[V3]], world.clock)


def kinds(quote: Quote) -> list[list[str]]:
    return [[hop.venue for hop in leg.hops] for leg in quote.legs]


@asynccontextmanager
async def mixed_world() -> AsyncIterator[PoolWorld]:
    """The only pool of WAVAX is V2's with DAI, and the good one of DAI is V3's with USDC."""
    async with pool_world() as world:
        await world.create_pair("WAVAX", 900 * ETHER, "DAI", 27_000 * ETHER)
        wavax, dai = world.token("WAVAX"), world.token("DAI")
        await world.synced(world.uniswap)
        await world.uniswap.quote(wavax, dai, ETHER, True, PERCENT)  # so that the pool is known
        for id in (V2, V3):
            await world.synced(world.venues[id])
        yield world


async def by_mixed(
    world: PoolWorld, told: Told, tokens: tuple[Token, Token], units: int, intent: str
) -> Quote:
    """What is quoted is what is done; the quote."""
    give, take = tokens
    for id in (V2, V3):
        await world.synced(world.venues[id])
    quote = await router_of(world).quote(give, take, units, True, PERCENT)
    assert any(len(set(leg)) > 1 for leg in kinds(quote)), kinds(quote)
    before = [await world.units(BOB, token.symbol) for token in tokens]
    fills = len(told.fills)
    await router_of(world).swap(quote, BOB, intent, 0, FEES)
    await until(lambda: len(told.fills) == fills + 1)
    fill = told.fills[-1]
    assert fill.details["units_in"] == str(quote.units_in)
    assert fill.details["units_out"] == str(quote.units_out)
    assert fill.details["realised_price"] == fill.details["quoted_price"]
    assert int(fill.details["gas_used"]) <= quote.gas <= 2 * int(fill.details["gas_used"])
    after = [await world.units(BOB, token.symbol) for token in tokens]
    if not give.is_native:
        assert before[0] - after[0] == quote.units_in
    if not take.is_native:
        assert after[1] - before[1] == quote.units_out
    return quote


async def test_both_kinds_in_a_row_are_executed_as_quoted() -> None:
    async with mixed_world() as world:
        told = Told()
        native, usdc = world.net.info.native, world.token("USDC")
        wavax, dai = world.token("WAVAX"), world.token("DAI")
        async with trading(world, told, world.venues[V3]):
            quote = await by_mixed(world, told, (wavax, usdc), 10 * ETHER, "out")
            assert kinds(quote) == [[V2, V3]]
            quote = await by_mixed(world, told, (usdc, wavax), 200 * USDC, "back")
            assert kinds(quote) == [[V3, V2]]
            await by_mixed(world, told, (wavax, native), 60 * ETHER, "to-native")
            await by_mixed(world, told, (native, wavax), ETHER, "from-native")
            # Nothing is left with the router.
            router = quote.spender
            for token in (wavax, dai, usdc, world.token("WETH")):
                assert await world.units(router, token.symbol) == 0


async def test_it_is_better_than_what_one_kind_gives() -> None:
    async with mixed_world() as world:
        wavax, usdc = world.token("WAVAX"), world.token("USDC")
        mixed = await router_of(world).quote(wavax, usdc, 10 * ETHER, True, PERCENT)
        alone = await world.uniswap.quote(wavax, usdc, 10 * ETHER, True, PERCENT)
        assert kinds(alone) == [[V2, V2, V2]]
        assert mixed.units_out > alone.units_out
        # No contract does that backwards: what comes out is fixed by one kind alone.
        exact = await router_of(world).quote(wavax, usdc, 100 * USDC, False, PERCENT)
        assert kinds(exact) == [[V2, V2, V2]]


async def test_a_guarantee_holds_for_the_whole_way() -> None:
    async with mixed_world() as world:
        told = Told()
        wavax, usdc = world.token("WAVAX"), world.token("USDC")
        async with trading(world, told, world.venues[V3]):
            quote = await router_of(world).quote(wavax, usdc, 10 * ETHER, True, Decimal("0.0001"))
            await world.stranger_sells("WAVAX", "DAI", 20 * ETHER)
            with pytest.raises(Refused, match="the price moved past the limit"):
                await router_of(world).swap(quote, BOB, "late", 0, FEES)
            assert not [row for row in world.log.rows.values() if row.purpose == "swap"]


async def test_it_goes_by_permit2_as_well() -> None:
    async with permit_world() as world:
        told = Told()
        token, dai = world.token(PERMIT_TOKEN), world.token("DAI")
        # The token is dear at V3, for USDC, and cheap at V2, for WETH; V2 has it for WAVAX too.
        await world.uniswap.quote(token, world.token("WETH"), ETHER, True, PERCENT)
        await world.create_pair(PERMIT_TOKEN, 10_000 * ETHER, "WAVAX", 667 * ETHER)
        wavax = world.token("WAVAX")
        await world.synced(world.uniswap)
        await world.uniswap.quote(token, wavax, ETHER, True, PERCENT)
        await world.venues[V3].quote(token, dai, ETHER, True, PERCENT)
        async with trading(world, told, world.venues[V3]):
            steps = (((wavax, dai), 50 * ETHER), ((world.token("USDC"), token), 1_000 * USDC))
            for number, (tokens, units) in enumerate(steps):
                for id in (V2, V3):
                    await world.synced(world.venues[id])
                quote = await router_of(world).quote(*tokens, units, True, PERCENT)
                assert any(len(set(leg)) > 1 for leg in kinds(quote)), kinds(quote)
                before = await world.units(BOB, tokens[1].symbol)
                method = ApprovalMethod.PERMIT2
                sent = await router_of(world).swap(quote, BOB, f"p{number}", 0, FEES, method)
                assert sent.to == world.universal_router
                await until(lambda n=number: len(told.fills) == n + 1)  # type: ignore[misc]
                got = await world.units(BOB, tokens[1].symbol) - before
                assert got == quote.units_out == int(told.fills[-1].details["units_out"])
