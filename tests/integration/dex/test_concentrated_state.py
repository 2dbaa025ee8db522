"""Pools of concentrated liquidity in memory: always as the chain has them, whatever happens."""

import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from chains.evm.abi import address_word, selector, uint_word
from chains.evm.codec import hexadecimal
from chains.evm.model import Log
from core.errors import Reason, Refused
from dex.concentrated_reader import ConcentratedReader
from dex.families.concentrated import ConcentratedPool
from dex.pools import PoolMarket
from dex.venue import PoolVenue
from tests.support.evm import CAROL, until
from tests.support.pools import PoolWorld, pool_world
from tests.support.pools_v3 import stranger_adds, stranger_removes, stranger_swaps

pytestmark = pytest.mark.evm

VENUES = ["uniswap_v3@ethereum_local", "pancakeswap_v3@ethereum_local"]
ETHER = 10**18


def content(venue: PoolVenue, market: PoolMarket) -> ConcentratedPool:
    found = venue.states.live(market).content
    assert isinstance(found, ConcentratedPool)
    return found


async def read_anew(world: PoolWorld, market: PoolMarket) -> ConcentratedPool:
    """The chain's own, by a reader that has never seen the pool."""
    fresh = ConcentratedReader(world.net, lambda number: None)
    (pool,) = await fresh.read([market], world.net.height)
    assert isinstance(pool, ConcentratedPool)
    return pool


def reader(venue: PoolVenue) -> ConcentratedReader:
    found = venue.states._reader
    assert isinstance(found, ConcentratedReader)
    return found


@pytest.mark.parametrize("name", VENUES)
async def test_events_of_many_blocks_leave_the_pool_as_the_chain_has_it(name: str) -> None:
    randomness = random.Random(11)
    async with pool_world() as world:
        venue = world.venues[name]
        market = venue.finder.of_instrument("WETH-USDC:500")
        loads = reader(venue).loads
        positions: list[tuple[int, int]] = []
        unit0, unit1 = (10**t.decimals for t in (market.token0, market.token1))
        for turn in range(24):
            pool = content(venue, market)
            base = pool.tick // pool.spacing
            what = turn % 4
            if what == 0:
                lower = base - randomness.randrange(-20, 40)
                width = randomness.randrange(1, 60)
                bounds = lower * pool.spacing, (lower + width) * pool.spacing
                units = int(unit0), int(unit1)
                positions.append(await stranger_adds(world, venue, market, *bounds, units))
            elif what == 3 and positions:
                token, liquidity = positions.pop(0)
                part = liquidity if turn % 8 == 3 else liquidity // 3
                await stranger_removes(world, venue, token, part)
            else:
                usdc_in = (market.token0.symbol == "USDC") == (turn % 2 == 0)
                zero_in = turn % 2 == 0
                units_in = randomness.randrange(1, 30_000 * 10**6 if usdc_in else 10 * ETHER)
                await stranger_swaps(world, venue, market, zero_in, units_in)
            await world.synced(venue)
            assert content(venue, market) == await read_anew(world, market)
        assert reader(venue).loads == loads  # nothing had to be read whole again


async def test_no_quote_asks_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pool_world() as world:
        venue = world.venues[VENUES[0]]
        usdc, weth = world.token("USDC"), world.token("WETH")
        await venue.quote(usdc, weth, 10**6, True, Decimal("0.01"))  # unknown fees are asked for
        asked: list[object] = []

        async def refuse(*arguments: object, **named: object) -> None:
            asked.append(arguments)
            raise AssertionError("asked the chain")

        monkeypatch.setattr(world.net, "multicall", refuse)
        monkeypatch.setattr(world.net, "logs", refuse)
        for units in range(1, 200):
            quote = await venue.quote(usdc, weth, units * 10**6, True, Decimal("0.01"))
            assert quote.units_out > 0
        assert not asked


async def test_a_reorganisation_of_three_blocks_is_followed() -> None:
    async with pool_world() as world:
        venue = world.venues[VENUES[0]]
        market = venue.finder.of_instrument("WETH-USDC:500")
        await stranger_swaps(world, venue, market, True, 10**9)
        await world.synced(venue)
        before, loads = content(venue, market), reader(venue).loads
        snapshot_height = world.net.height
        await stranger_adds(
            world,
            venue,
            market,
            (before.tick // 10 - 3) * 10,
            (before.tick // 10 + 4) * 10,
            (10**9, 10**9),
        )
        await world.synced(venue)
        await stranger_swaps(world, venue, market, False, 10**9)
        await world.synced(venue)
        assert content(venue, market) != before
        depth = world.net.height - snapshot_height
        assert depth >= 3
        await world.node.rpc.call("anvil_reorg", [depth, []])
        await world.node.mine()
        head = int(await world.node.rpc.call("eth_blockNumber", []), 16)
        await until(lambda: venue.states.block == head and not venue.states.why_not_live)
        assert content(venue, market) == before
        assert content(venue, market) == await read_anew(world, market)
        assert reader(venue).loads == loads  # the past was remembered


async def test_what_the_events_do_not_explain_is_read_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node that tells no events of a block: the comparison with the chain finds out."""
    async with pool_world() as world:
        venue = world.venues[VENUES[0]]
        market = venue.finder.of_instrument("WETH-USDC:500")
        told = world.net.logs

        async def forgetful(*arguments: object, **named: object) -> Sequence[Log]:
            return []

        monkeypatch.setattr(world.net, "logs", forgetful)
        loads = reader(venue).loads
        await stranger_swaps(world, venue, market, True, 10**9)
        await world.synced(venue)
        assert reader(venue).loads == loads + 1
        assert content(venue, market) == await read_anew(world, market)
        monkeypatch.setattr(world.net, "logs", told)


async def test_a_tick_that_is_not_as_the_events_say_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Price and liquidity agree, a tick out of range does not: a lost Mint."""
    async with pool_world() as world:
        venue = world.venues[VENUES[0]]
        market = venue.finder.of_instrument("WETH-USDC:500")
        pool = content(venue, market)
        far = (pool.tick // 10 + 1_000) * 10
        units = (10**9, 10**9) if market.token0.symbol == "USDC" else (10**18, 10**9)
        told = world.net.logs

        async def forgetful(*arguments: object, **named: object) -> Sequence[Log]:
            return []

        monkeypatch.setattr(world.net, "logs", forgetful)
        token, liquidity = await stranger_adds(world, venue, market, far, far + 50, units)
        await world.synced(venue)
        monkeypatch.setattr(world.net, "logs", told)
        loads = reader(venue).loads
        await stranger_removes(world, venue, token, liquidity // 2)
        await world.synced(venue)
        assert reader(venue).loads == loads + 1
        assert content(venue, market) == await read_anew(world, market)


async def test_any_pool_of_the_factory_and_none_of_another() -> None:
    async with pool_world() as world:
        uniswap, pancakeswap = (world.venues[name] for name in VENUES)
        ours = world.contracts.uniswap_v3.pools["WETH-USDC:500"]
        assert (await uniswap.pool(ours)).fee.as_tuple() == (0, (5,), -4)
        for address, venue in (
            (ours, pancakeswap),
            (world.contracts.uniswap_v2.pairs["WETH-USDC"], uniswap),
            (world.token("USDC").address, uniswap),
        ):
            with pytest.raises(Refused) as refused:
                await venue.pool(address)
            assert refused.value.reason is Reason.POOL_NOT_FOUND
        # A pool that is in no table, and without a price yet.
        dai, wbtc = world.token("DAI"), world.token("WBTC")
        words = address_word(dai.address) + address_word(wbtc.address) + uint_word(500)
        data = hexadecimal(selector("createPool(address,address,uint24)") + words)
        factory = uniswap.spec.deployment.factory
        wire = {"from": CAROL, "to": factory, "data": data, "gas": "0x5b8d80"}
        assert (await world.node.send(wire))["status"] == "0x1"
        await world.synced(uniswap)
        quote = await uniswap.quote(dai, wbtc, ETHER, True, Decimal("0.01"))
        assert "WBTC-DAI:500" in uniswap.instruments
        new = uniswap.instruments["WBTC-DAI:500"].venue_symbol
        assert len(quote.pools) >= 2  # by way of another token, perhaps in parts
        assert new not in quote.pools
        pool = await uniswap.pool(uniswap.instruments["WBTC-DAI:500"].venue_symbol)
        assert (pool.reserve0, pool.reserve1) == (0, 0)


@pytest.mark.parametrize("name", VENUES)
async def test_reserves_are_what_the_pool_holds(name: str) -> None:
    """All that its positions would give, to the units that rounding keeps in the pool."""
    async with pool_world() as world:
        venue = world.venues[name]
        for market in venue.directory:
            pool = await venue.pool(market.address)
            tokens = [market.token0, market.token1]
            held = [one.units or 0 for one in await world.net.balances(market.address, tokens)]
            for reserve, balance in zip((pool.reserve0, pool.reserve1), held, strict=True):
                assert 0 <= balance - reserve <= 40
