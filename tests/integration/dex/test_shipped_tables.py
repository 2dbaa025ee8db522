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
from tests.support.evm import BOB, until
from tests.support.pools import Told
from tests.support.public_chain import ETHER, PublicWorld, ethereum

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
        if id == V2:
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
