"""Routes on the real contracts: equal to what quoters and routers say, better than any one pool,
and executed as quoted."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from itertools import groupby

import pytest

from chains.evm.abi import WORD, selector, tail, uint_at, uint_word
from chains.evm.codec import hexadecimal, unhex
from core.errors import Reason, Refused
from core.orders import Side
from core.ports import FeeOptions, Health
from core.swaps import Hop, Leg, Quote
from core.tokens import Token
from dex.families.concentrated_router import encoded_path
from dex.router import RouterVenue
from tests.support.evm import BOB, until
from tests.support.pools import PoolWorld, Told, pool_world, trading

pytestmark = pytest.mark.evm

FEES = FeeOptions()
PERCENT = Decimal("0.01")
V2, V3, CAKE, PANGOLIN = (
    f"{name}@ethereum_local" for name in ("uniswap_v2", "uniswap_v3", "pancakeswap_v3", "pangolin")
)


def router_of(world: PoolWorld) -> RouterVenue:
    return RouterVenue(world.net, list(world.venues.values()), world.clock)


async def chains_answer(world: PoolWorld, leg: Leg, exact_in: bool) -> int:
    """What the quoters, and the routers of constant product, say of a leg."""
    kinds = [list(hops) for _, hops in groupby(leg.hops, lambda hop: hop.venue)]
    units = leg.units_in if exact_in else leg.units_out
    for hops in kinds if exact_in else reversed(kinds):
        units = await of_one_kind(world, hops, units, exact_in)
    return units


async def of_one_kind(world: PoolWorld, hops: list[Hop], units: int, exact_in: bool) -> int:
    venue = world.venues[hops[0].venue]
    tokens = [hops[0].token_in.address, *(hop.token_out.address for hop in hops)]
    if venue.spec.deployment.quoter:
        fees = tuple(int(hop.fee * 1_000_000) for hop in hops)
        path = (tuple(tokens), fees) if exact_in else (tuple(tokens[::-1]), fees[::-1])
        name = f"quoteExact{'Input' if exact_in else 'Output'}(bytes,uint256)"
        data = selector(name) + uint_word(2 * WORD) + uint_word(units) + tail(encoded_path(*path))
        wire = {"to": venue.spec.deployment.quoter, "data": hexadecimal(data)}
        return uint_at(unhex(await world.node.rpc.call("eth_call", [wire, "latest"])))
    name = f"getAmounts{'Out' if exact_in else 'In'}(uint256,address[])"
    data = selector(name) + uint_word(units) + uint_word(2 * WORD) + uint_word(len(tokens))
    data += b"".join(bytes(12) + unhex(token) for token in tokens)
    wire = {"to": venue.spec.deployment.router, "data": hexadecimal(data)}
    answer = unhex(await world.node.rpc.call("eth_call", [wire, "latest"]))
    return uint_at(answer, 1 + len(tokens) if exact_in else 2)


async def best_pool(world: PoolWorld, quote: Quote) -> int | None:
    """What the best single pool of the network gives, or takes."""
    found = []
    for venue in world.venues.values():
        first, second = venue.lookup.erc20(quote.token_in), venue.lookup.erc20(quote.token_out)
        for market in venue.directory:
            if {market.token0.address, market.token1.address} != {first.address, second.address}:
                continue
            curve = venue.states.live(market).curve(first)
            try:
                found.append(
                    curve.amount_out(quote.units_in)
                    if quote.exact_in
                    else curve.amount_in(quote.units_out)
                )
            except Refused:
                continue
    return (max(found) if quote.exact_in else min(found)) if found else None


def units_of(token: Token, thousandths: int) -> int:
    return thousandths * int(10**token.decimals) // 1_000


async def test_routes_are_the_contracts_to_the_unit_and_never_worse_than_a_pool() -> None:
    randomness = random.Random(7)
    async with pool_world() as world:
        router = router_of(world)
        assert router.condition.health is Health.READY
        tokens = [world.token(symbol) for symbol in ("WETH", "USDC", "DAI", "WBTC")]
        worth = {"WETH": 20, "USDC": 60_000, "DAI": 60_000, "WBTC": 1}  # much the same
        shapes = set()
        for _ in range(60):
            give, take = randomness.sample(tokens, 2)
            exact_in = randomness.random() < 0.5
            fixed = give if exact_in else take
            thousandths = worth[fixed.symbol] * randomness.choice((1, 50, 1_000, 5_000, 20_000))
            units = units_of(fixed, thousandths) + randomness.randrange(1_000)
            quote = await router.quote(give, take, units, exact_in, PERCENT)
            shapes.add((len(quote.legs), max(len(leg.hops) for leg in quote.legs)))
            for leg in quote.legs:
                mine = leg.units_out if exact_in else leg.units_in
                assert await chains_answer(world, leg, exact_in) == mine
            assert quote.units_in == sum(leg.units_in for leg in quote.legs)
            assert quote.units_out == sum(leg.units_out for leg in quote.legs)
            assert len(set(quote.pools)) == len(quote.pools)
            assert quote.gas_cost is not None
            one = await best_pool(world, quote)
            if one is not None:
                # Two routes' gas differs by less than the whole of this one's.
                slack = quote.gas_cost
                better = quote.units_out - one if exact_in else one - quote.units_in
                assert better >= -slack
                if len(quote.pools) > 1:
                    assert better > 0
        assert {legs for legs, _ in shapes} > {1, 2}, "splits over two legs and more"
        assert {hops for _, hops in shapes} > {1}, "ways over several pools"


@asynccontextmanager
async def trading_everywhere(world: PoolWorld, told: Told) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for venue in world.venues.values():
            await stack.enter_async_context(trading(world, told, venue))
        yield


async def executed(world: PoolWorld, told: Told, quote: Quote, intent: str) -> None:
    """One transaction does what was quoted, and its fill says so."""
    router = router_of(world)
    fills = len(told.fills)
    sent = await router.swap(quote, BOB, intent, 0, FEES)
    assert sent.to == quote.spender
    swaps = [
        row for row in world.log.rows.values() if row.purpose == "swap" and row.intent == intent
    ]
    assert len(swaps) == 1
    await until(lambda: len(told.fills) == fills + 1)
    fill = told.fills[-1]
    assert (fill.venue, fill.client_order_id) == (quote.executor, intent)
    assert int(fill.details["units_in"]) == quote.units_in
    assert int(fill.details["units_out"]) == quote.units_out
    assert int(fill.details["gas_used"]) <= quote.gas * 3 // 2
    for venue in world.venues.values():
        await world.synced(venue)


async def test_execution_equals_the_quote_whatever_the_route() -> None:
    async with pool_world() as world:
        router, told = router_of(world), Told()
        native = world.net.info.native
        weth, usdc, dai, wbtc = (world.token(symbol) for symbol in ("WETH", "USDC", "DAI", "WBTC"))
        async with trading_everywhere(world, told):
            shapes = set()
            for number, (give, take, fixed, exact_in) in enumerate(
                (
                    (native, usdc, 60_000, True),
                    (usdc, native, 150_000_000, True),
                    (usdc, weth, 40_000, False),
                    (native, dai, 90_000_000, False),
                    (weth, dai, 30_000, True),
                    (wbtc, usdc, 500, True),
                    (dai, native, 10_000, False),
                )
            ):
                units = units_of(give if exact_in else take, fixed)
                quote = await router.quote(give, take, units, exact_in, PERCENT)
                shapes.add((len(quote.legs), max(len(leg.hops) for leg in quote.legs)))
                before = [await world.units(BOB, token.symbol) for token in (give, take)]
                await executed(world, told, quote, f"route-{number}")
                after = [await world.units(BOB, token.symbol) for token in (give, take)]
                if not give.is_native:
                    assert before[0] - after[0] == quote.units_in
                if not take.is_native:
                    assert after[1] - before[1] == quote.units_out
                assert told.fills[-1].side is (
                    Side.BUY if give.symbol in ("USDC", "DAI") else Side.SELL
                )
                approval = await router.required_approval(quote, BOB)
                assert (approval is None) == give.is_native, "what was used up is not left over"
            assert {legs for legs, _ in shapes} > {1}
            assert max(hops for _, hops in shapes) > 1
            # Pools of V2 and V3 in one transaction.
            assert any(
                {hop.venue for leg in quote.legs for hop in leg.hops} == {V2, V3}
                for quote in [await router.quote(weth, dai, units_of(weth, 200_000), True, PERCENT)]
            )


async def test_a_split_of_both_kinds_is_told_after_a_restart() -> None:
    """What the transaction remembers is enough to tell the fill."""
    async with pool_world() as world:
        router = router_of(world)
        native, usdc = world.net.info.native, world.token("USDC")
        quote = await router.quote(native, usdc, units_of(native, 90_000), True, PERCENT)
        assert len(quote.legs) > 1
        sent = await router.swap(quote, BOB, "before", 0, FEES)
        await world.net.wait_included(sent.hash, 10)
        told = Told()
        async with trading(world, told, world.venues[quote.executor]):
            await until(lambda: told.fills)
            assert int(told.fills[0].details["units_out"]) == quote.units_out
            assert told.fills[0].instrument == "WETH-USDC"


async def test_a_split_is_whole_or_not_at_all() -> None:
    async with pool_world() as world:
        router = router_of(world)
        native, usdc = world.net.info.native, world.token("USDC")
        thousandth = Decimal("0.001")
        quote = await router.quote(native, usdc, units_of(native, 900_000), True, thousandth)
        assert {hop.venue for leg in quote.legs for hop in leg.hops} == {V2, V3}
        least = sum(leg.guaranteed for leg in quote.legs)
        assert quote.guaranteed == least
        assert least >= -(-quote.units_out * 999 // 1000)
        # What the pools of V3 would give is still there.
        await world.stranger_sells("WETH", "USDC", units_of(world.token("WETH"), 40_000))
        with pytest.raises(Refused, match="the price moved past the limit"):
            await router.swap(quote, BOB, "late", 0, FEES)
        assert not [row for row in world.log.rows.values() if row.purpose == "swap"]


async def test_what_it_does_not_do_names_the_venues_that_do() -> None:
    async with pool_world() as world:
        router = router_of(world)
        assert not router.instruments
        with pytest.raises(Refused, match="name a venue") as refused:
            await router.order_book(world.instrument, 5)
        assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE
        with pytest.raises(Refused, match="wrap or unwrap"):
            await router.quote(world.net.info.native, world.token("WETH"), 1, True, PERCENT)
        quote = await router.quote(world.token("WETH"), world.token("USDC"), 10**15, True, PERCENT)
        other = world.venues[PANGOLIN if quote.executor != PANGOLIN else V2]
        with pytest.raises(Refused) as refused:
            await other.swap(quote, BOB, "astray", 0, FEES)
        assert refused.value.reason is Reason.QUOTE_NOT_FOUND
