"""Liquidity on real contracts: what is quoted is what is done, fees to the last unit."""

from decimal import Decimal

import pytest

from chains.evm.abi import address_word, selector
from chains.evm.codec import hexadecimal
from chains.localnet.deploy import DEPLOYER
from core.errors import Reason, Refused
from core.liquidity import LiquiditySpec
from core.ports import FeeOptions
from core.transactions import Transaction
from dex.venue import PoolVenue
from tests.support.evm import BOB, CAROL
from tests.support.pools import PoolWorld, pool_world
from tests.support.pools_v3 import stranger_adds, stranger_swaps

pytestmark = pytest.mark.evm

V3, CAKE = "uniswap_v3@ethereum_local", "pancakeswap_v3@ethereum_local"
V2 = "uniswap_v2@ethereum_local"
ETHER, USDC = 10**18, 10**6
FEES = FeeOptions()
SLIPPAGE = Decimal("0.01")
NARROW = (Decimal("2900"), Decimal("3100"))


async def holdings(world: PoolWorld) -> tuple[int, int]:
    """BOB's WETH and USDC."""
    return await world.units(BOB, "WETH"), await world.units(BOB, "USDC")


async def done(world: PoolWorld, venue: PoolVenue, sent: Transaction) -> None:
    ended = await world.net.wait_included(sent.hash, 10)
    assert ended.succeeded
    await world.synced(venue)


def spec(venue: PoolVenue, weth: int, usdc: int, **more: object) -> LiquiditySpec:
    pool = "WETH-USDC:500" if "v3" in venue.spec.id else "WETH-USDC"
    given: dict[str, object] = {"range": None, "slippage": SLIPPAGE} | more
    return LiquiditySpec(pool, weth, usdc, **given)  # type: ignore[arg-type]


def in_pair(venue: PoolVenue, amounts: tuple[int, int]) -> tuple[int, int]:
    """Contract's order as (WETH, USDC)."""
    market = venue.directory.of_instrument(spec(venue, 1, 1).pool)
    assert market is not None
    return amounts if market.base_is_0 else amounts[::-1]


async def trade(world: PoolWorld, venue: PoolVenue) -> None:
    """Strangers trade both ways, so that both fees grow."""
    market = venue.finder.of_instrument("WETH-USDC:500")
    for zero_in in (True, False, True, False):
        units = 3 * ETHER if (market.token0.symbol == "WETH") == zero_in else 7_777 * USDC
        await stranger_swaps(world, venue, market, zero_in, units)
    await world.synced(venue)


@pytest.mark.parametrize("name", [V3, CAKE])
async def test_a_position_from_its_opening_to_its_end(name: str) -> None:
    async with pool_world() as world:
        venue, desk = world.venues[name], world.venues[name].liquidity
        wanted = spec(venue, 5 * ETHER, 12_000 * USDC, range=NARROW)
        quote = await desk.quote_add(wanted)
        before = await holdings(world)
        await done(world, venue, await desk.add(wanted, "", BOB, "open", FEES))
        after = await holdings(world)
        taken = in_pair(venue, (quote.amounts.units0, quote.amounts.units1))
        assert (before[0] - after[0], before[1] - after[1]) == taken
        assert max(taken[0] - 5 * ETHER, taken[1] - 12_000 * USDC) == 0
        (position,) = await desk.positions(BOB)
        assert (position.liquidity, position.in_range, position.owner) == (
            quote.liquidity,
            True,
            BOB,
        )
        assert position.range is not None
        lower, upper = position.range
        assert Decimal("0.998") * 2_900 < lower <= 2_900
        assert 3_100 <= upper < Decimal("1.002") * 3_100
        assert (position.uncollected.units0, position.uncollected.units1) == (0, 0)
        with pytest.raises(Refused, match="no fees to collect"):
            await desk.collect(position.id, BOB, "early", FEES)

        # A stranger's position with the same ticks: the contract rounds for both together.
        market = venue.finder.of_instrument("WETH-USDC:500")
        ticks = await ticks_of(venue, position.id)
        await stranger_adds(world, venue, market, *ticks, (2_000 * USDC, 2 * ETHER))
        await trade(world, venue)

        # Fees, as the contract pays them.
        earned = await desk.position(position.id, "")
        fees = in_pair(venue, (earned.uncollected.units0, earned.uncollected.units1))
        assert min(fees) > 0
        before = await holdings(world)
        await done(world, venue, await desk.collect(position.id, BOB, "collect", FEES))
        after = await holdings(world)
        assert (after[0] - before[0], after[1] - before[1]) == fees
        again = await desk.position(position.id, BOB)
        assert (again.uncollected.units0, again.uncollected.units1) == (0, 0)

        # More of it.
        more = spec(venue, ETHER, 3_000 * USDC)
        before = await holdings(world)
        await done(world, venue, await desk.add(more, position.id, BOB, "more", FEES))
        after = await holdings(world)
        assert 0 < before[0] - after[0] <= ETHER
        assert 0 < before[1] - after[1] <= 3_000 * USDC
        bigger = await desk.position(position.id, BOB)
        assert bigger.liquidity > position.liquidity

        # A third of it, with what was earned since.
        await trade(world, venue)
        third = Decimal(1) / 3
        now = await desk.position(position.id, BOB)
        part = await desk.quote_remove(position.id, BOB, third)
        expected = in_pair(
            venue,
            (
                part.amounts.units0 + now.uncollected.units0,
                part.amounts.units1 + now.uncollected.units1,
            ),
        )
        before = await holdings(world)
        sent = await desk.remove(position.id, BOB, third, SLIPPAGE, "third", FEES)
        await done(world, venue, sent)
        after = await holdings(world)
        assert (after[0] - before[0], after[1] - before[1]) == expected

        # All of it.
        rest = await desk.position(position.id, BOB)
        before = await holdings(world)
        sent = await desk.remove(position.id, BOB, Decimal(1), SLIPPAGE, "close", FEES)
        await done(world, venue, sent)
        after = await holdings(world)
        amounts = rest.amounts, rest.uncollected
        expected = in_pair(venue, (sum(a.units0 for a in amounts), sum(a.units1 for a in amounts)))
        assert (after[0] - before[0], after[1] - before[1]) == expected
        assert await desk.positions(BOB) == []
        with pytest.raises(Refused) as refused:
            await desk.position(position.id, BOB)
        assert refused.value.reason is Reason.POSITION_NOT_FOUND


async def ticks_of(venue: PoolVenue, id: str) -> tuple[int, int]:
    from dex.concentrated_liquidity import ConcentratedLiquidity

    desk = venue.liquidity
    assert isinstance(desk, ConcentratedLiquidity)
    _, held = await desk.reader.held(int(id), venue.network.height)
    return held.lower, held.upper


async def test_out_of_range_takes_one_token_and_says_so() -> None:
    async with pool_world() as world:
        venue, desk = world.venues[V3], world.venues[V3].liquidity
        below = spec(venue, 0, 5_000 * USDC, range=(Decimal(2_000), Decimal(2_500)))
        quote = await desk.quote_add(below)
        assert in_pair(venue, (quote.amounts.units0, quote.amounts.units1)) == (0, 5_000 * USDC)
        await done(world, venue, await desk.add(below, "", BOB, "below", FEES))
        (position,) = await desk.positions(BOB)
        assert not position.in_range
        above = spec(venue, 0, 5_000 * USDC, range=(Decimal(3_500), Decimal(4_000)))
        with pytest.raises(Refused, match="no liquidity between these prices") as refused:
            await desk.quote_add(above)
        assert refused.value.reason is Reason.FIELD_INVALID
        everywhere = spec(venue, ETHER, 3_000 * USDC)
        await done(world, venue, await desk.add(everywhere, "", BOB, "everywhere", FEES))
        assert [one.range is None for one in await desk.positions(BOB)] == [False, True]


async def test_what_is_not_yours_or_makes_no_sense_is_refused() -> None:
    async with pool_world() as world:
        venue, desk = world.venues[V3], world.venues[V3].liquidity
        (theirs, *_) = await desk.positions(DEPLOYER)
        for id in (theirs.id, "999999", "abc", "-1", "1.5"):
            with pytest.raises(Refused) as refused:
                await desk.collect(id, BOB, "theirs", FEES)
            assert refused.value.reason is Reason.POSITION_NOT_FOUND
        for prices in ((Decimal(0), Decimal(1)), (Decimal(2), Decimal(1)), (Decimal(2),) * 2):
            with pytest.raises(Refused) as refused:
                await desk.quote_add(spec(venue, ETHER, USDC, range=prices))
            assert refused.value.reason is Reason.FIELD_INVALID
        with pytest.raises(Refused):
            await desk.quote_remove(theirs.id, DEPLOYER, Decimal("1.5"))
        too_much = spec(venue, 10_000 * ETHER, 30_000_000 * USDC)
        with pytest.raises(Refused) as refused:
            await desk.add(too_much, "", BOB, "rich", FEES)
        assert refused.value.reason is Reason.INSUFFICIENT_BALANCE
        assert not world.log.rows


async def test_a_price_that_moved_too_far_is_refused() -> None:
    async with pool_world() as world:
        venue, desk = world.venues[V3], world.venues[V3].liquidity
        market = venue.finder.of_instrument("WETH-USDC:500")
        narrow = spec(venue, 5 * ETHER, 12_000 * USDC, range=NARROW, slippage=Decimal("0.0001"))
        known = venue.states.known(market.address)
        assert known is not None
        zero_in = market.token0.symbol == "USDC"
        await stranger_swaps(world, venue, market, zero_in, 190_000 * USDC)
        await world.synced(venue)
        # As if the swap came right behind our quote: memory does not know of it, the chain does.
        venue.states._states[market.address] = known
        with pytest.raises(Refused) as refused:
            await desk.add(narrow, "", BOB, "late", FEES)
        assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED


@pytest.mark.parametrize("protocol_fee", [False, True])
async def test_shares_of_a_constant_product_pool(protocol_fee: bool) -> None:
    async with pool_world() as world:
        venue, desk = world.uniswap, world.uniswap.liquidity
        if protocol_fee:
            await world.node.rpc.call("anvil_impersonateAccount", [DEPLOYER])
            data = hexadecimal(selector("setFeeTo(address)") + address_word(CAROL))
            to = venue.spec.deployment.factory
            receipt = await world.node.send({"from": DEPLOYER, "to": to, "data": data})
            assert receipt["status"] == "0x1"
            await world.synced(venue)
            # From the first change of liquidity on the pair remembers its k.
            first = spec(venue, ETHER // 10, 300 * USDC)
            await done(world, venue, await desk.add(first, "", BOB, "first", FEES))
        await world.stranger_sells("USDC", "WETH", 100_000 * USDC)
        await world.synced(venue)
        wanted = spec(venue, 4 * ETHER, 30_000 * USDC)
        quote = await desk.quote_add(wanted)
        mine = 0 if not protocol_fee else (await desk.positions(BOB))[0].liquidity
        before = await holdings(world)
        await done(world, venue, await desk.add(wanted, "", BOB, "add", FEES))
        after = await holdings(world)
        taken = in_pair(venue, (quote.amounts.units0, quote.amounts.units1))
        assert (before[0] - after[0], before[1] - after[1]) == taken
        (position,) = await desk.positions(BOB)
        assert position.liquidity == mine + quote.liquidity
        assert (position.range, position.in_range) == (None, True)

        await world.stranger_sells("WETH", "USDC", 5 * ETHER)
        await world.synced(venue)
        for intent, fraction in (("half", Decimal("0.5")), ("rest", Decimal(1))):
            part = await desk.quote_remove(position.id, BOB, fraction)
            before = await holdings(world)
            sent = await desk.remove(position.id, BOB, fraction, SLIPPAGE, intent, FEES)
            await done(world, venue, sent)
            after = await holdings(world)
            given = in_pair(venue, (part.amounts.units0, part.amounts.units1))
            assert (after[0] - before[0], after[1] - before[1]) == given
        assert await desk.positions(BOB) == []
        with pytest.raises(Refused) as refused:
            await desk.position(position.id, BOB)
        assert refused.value.reason is Reason.POSITION_NOT_FOUND
        with pytest.raises(Refused) as refused:
            await desk.collect(position.id, BOB, "collect", FEES)
        assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE
