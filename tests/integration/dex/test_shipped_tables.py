"""The shipped tables against the real contracts at the real addresses, on chain id 1."""

import random
from decimal import Decimal

import pytest

from chains.evm.abi import selector, uint_word
from chains.evm.codec import hexadecimal, unhex
from chains.nodes import NodeError
from core.errors import Reason, Refused
from core.ports import FeeOptions
from dex.account import PoolAccount
from dex.families import concentrated_abi as abi
from dex.families.curve import Curve
from dex.router import RouterVenue
from tests.support.evm import BOB, until
from tests.support.pools import Told
from tests.support.public_chain import ETHER, PublicWorld, avalanche, ethereum

pytestmark = pytest.mark.evm

V2, V3, CAKE = "uniswap_v2@ethereum", "uniswap_v3@ethereum", "pancakeswap_v3@ethereum"


async def quotes_equal(world: PublicWorld, id: str, pool: str, sizes: list[int]) -> None:
    venue = world.venues[id]
    market = venue.finder.of_instrument(pool)
    state = venue.states.live(market)
    cases = [(zero, exact, units) for units in sizes for zero in (0, 1) for exact in (0, 1)]
    calls, ours = [], []
    for zero_in, exact_in, units in cases:
        tokens = market.token0, market.token1
        give, take = tokens if zero_in else tokens[::-1]
        curve: Curve = state.curve(give)
        try:
            ours.append(curve.amount_out(units) if exact_in else curve.amount_in(units))
        except Refused as refused:
            if refused.reason is not Reason.FIELD_INVALID:
                raise
            ours.append(0)  # so little that nothing comes out
        if not venue.spec.deployment.quoter:
            name = "getAmountOut" if exact_in else "getAmountIn"
            reserves = (state.reserve0, state.reserve1)[:: 1 if zero_in else -1]
            data = selector(f"{name}(uint256,uint256,uint256)")
            data += b"".join(map(uint_word, (units, *reserves)))
            to = venue.spec.deployment.router
        else:
            fee = market.fee.pips
            data = abi.quote_single(give.address, take.address, units, bool(exact_in), fee)
            to = venue.spec.deployment.quoter
        wire = {"to": to, "data": hexadecimal(data)}
        calls.append(("eth_call", [wire, "latest"]))
    for case, mine, answer in zip(cases, ours, await world.node.rpc.batch(calls), strict=True):
        assert not isinstance(answer, NodeError), (case, answer)
        assert int.from_bytes(unhex(answer)[:32], "big") == mine, case


async def test_pools_quotes_and_swaps_are_where_the_tables_say() -> None:
    randomness = random.Random(1)
    async with ethereum() as world:
        # Where everybody knows them to be.
        assert set(world.venues[V3].instruments) >= {"WETH-USDC:500", "WETH-USDC:3000"}
        pool = world.venues[V3].instruments["WETH-USDC:500"].venue_symbol
        assert pool == "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"
        pair = world.venues[V2].instruments["WETH-USDC"].venue_symbol
        assert pair == "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"
        sizes = [randomness.randrange(10**5, 10**10) for _ in range(20)]
        for id, name in ((V2, "WETH-USDC"), (V3, "WETH-USDC:500"), (V3, "WETH-USDC:3000")):
            await quotes_equal(world, id, name, sizes)
        await quotes_equal(world, V3, "DAI-USDC:100", sizes)
        cake = world.venues[CAKE]
        native, usdc = world.net.info.native, world.tokens["USDC"]
        await cake.quote(native, usdc, ETHER, True, Decimal("0.01"))  # no pool of it is listed
        await quotes_equal(world, CAKE, "WETH-USDC:500", sizes)


@pytest.mark.parametrize("id", [V2, V3, CAKE])
async def test_swaps_through_the_routers_of_the_tables(id: str) -> None:
    async with ethereum() as world:
        venue, told = world.venues[id], Told()
        account = PoolAccount("bob", venue, BOB, world.log, confirmations=1)
        await account.start(told)
        try:
            native, usdc = world.net.info.native, world.tokens["USDC"]
            steps = (
                (native, usdc, ETHER, True),
                (usdc, native, ETHER // 10, False),
                (usdc, native, 10**9, True),
            )
            for number, (give, take, units, exact_in) in enumerate(steps):
                await world.synced(venue)
                quote = await venue.quote(give, take, units, exact_in, Decimal("0.01"))
                await venue.swap(quote, BOB, f"swap-{number}", 0, FeeOptions())
                await until(lambda n=number: len(told.fills) == n + 1)  # type: ignore[misc]
                details = told.fills[-1].details
                assert int(details["units_in"]) == quote.units_in
                assert int(details["units_out"]) == quote.units_out
        finally:
            await account.stop()


async def test_pangolin_and_trader_joe_on_avalanche() -> None:
    randomness = random.Random(2)
    async with avalanche() as world:
        pangolin, joe = world.venues.values()
        known = pangolin.instruments["WAVAX-USDC"].venue_symbol
        assert known == "0x0e0100Ab771E9288e0Aa97e11557E6654C3a9665"
        assert joe.instruments["WAVAX-USDC"].venue_symbol == (
            "0xf4003F4efBE8691B60249E6afbD307aBE7758adb"
        )
        sizes = [randomness.randrange(10**5, 10**10) for _ in range(20)]
        native, usdc, png = world.net.info.native, world.tokens["USDC"], world.tokens["PNG"]
        for id, venue in world.venues.items():
            await quotes_equal(world, id, "WAVAX-USDC", sizes)
            account = PoolAccount("bob", venue, BOB, world.log, confirmations=1)
            await account.start(told := Told())
            try:
                for number, (give, take, units, exact_in) in enumerate(
                    ((native, usdc, ETHER, True), (usdc, native, ETHER // 10, False))
                ):
                    await world.synced(venue)
                    quote = await venue.quote(give, take, units, exact_in, Decimal("0.01"))
                    await venue.swap(quote, BOB, f"{id}-{number}", 0, FeeOptions())
                    await until(lambda n=number, told=told: len(told.fills) == n + 1)  # type: ignore[misc]
                    details = told.fills[-1].details
                    assert int(details["units_in"]) == quote.units_in
                    assert int(details["units_out"]) == quote.units_out
            finally:
                await account.stop()
        for venue in world.venues.values():
            await world.synced(venue)
        router = RouterVenue(world.net, list(world.venues.values()), pangolin.clock)
        best = await router.quote(usdc, png, 10**8, True, Decimal("0.01"))
        assert (best.executor, len(best.pools)) == ("pangolin@avalanche", 2)


async def test_v2_and_v3_of_ethereum_in_one_transaction() -> None:
    """By the router of the table, at its address."""
    async with ethereum() as world:
        venues = list(world.venues.values())
        router = RouterVenue(world.net, venues, venues[0].clock)
        native, usdc = world.net.info.native, world.tokens["USDC"]
        told = Told()
        account = PoolAccount("bob", world.venues[V3], BOB, world.log, confirmations=1)
        await account.start(told)
        try:
            quote = await router.quote(native, usdc, 300 * ETHER, True, Decimal("0.01"))
            assert {hop.venue for leg in quote.legs for hop in leg.hops} == {V2, V3}
            await router.swap(quote, BOB, "both", 0, FeeOptions())
            await until(lambda: told.fills)
            assert int(told.fills[-1].details["units_out"]) == quote.units_out
        finally:
            await account.stop()
