"""What strangers do around a swap of ours in the same block, and the parts that protocols take:
what is told is what happened."""

from decimal import Decimal

import pytest

from chains.evm import erc20
from chains.evm.abi import address_word, selector, uint_at, uint_word
from chains.evm.codec import hexadecimal, quantity, unhex
from chains.evm.model import Call
from chains.localnet.deploy import DEPLOYER
from core.liquidity import LiquiditySpec
from core.market import Trade
from core.ports import Channel, FeeOptions
from core.swaps import SwapLimit
from core.tokens import Token
from dex.families import concentrated_abi as abi
from dex.families.concentrated_router import router_call
from dex.families.constant_product_abi import SwapCall
from dex.pools import PoolMarket
from dex.spec import FamilyName
from dex.venue import PoolVenue
from tests.support.evm import BOB, CAROL, until
from tests.support.pools import FOR_EVER, PoolWorld, Told, pool_world, trading
from tests.support.pools_v3 import GAS, stranger_plan, stranger_swaps

pytestmark = pytest.mark.evm

V2, V3, CAKE = (f"{name}@ethereum_local" for name in ("uniswap_v2", "uniswap_v3", "pancakeswap_v3"))
FEES = FeeOptions()
ETHER, USDC = 10**18, 10**6
IN_ORDER = "--order", "fifo"


async def carol_swaps(
    world: PoolWorld, venue: PoolVenue, market: PoolMarket, give: Token, units: int
) -> str:
    """Sent to the pool of transactions, and not mined."""
    zero_in = market.token0.address == give.address
    if venue.spec.protocol.family is FamilyName.CONCENTRATED:
        plan = stranger_plan(market, zero_in, units)
        data = router_call(plan, venue.spec.deployment.router_kind).data
    else:
        take = market.token1 if zero_in else market.token0
        path = give.address, take.address
        call = SwapCall(True, False, False, units, 1, path, CAROL, FOR_EVER)
        data = call.calldata("ETH")
    wire = {"from": CAROL, "to": venue.spec.deployment.router, "data": hexadecimal(data)}
    return await send(world, wire, 500)


async def send(world: PoolWorld, wire: dict[str, str], gwei: int) -> str:
    fast = {"gas": GAS, "gasPrice": quantity(gwei * 10**9)}
    return str(await world.node.rpc.call("eth_sendTransaction", [wire | fast]))


async def carol_approves(world: PoolWorld, venue: PoolVenue, *tokens: Token) -> None:
    for token in tokens:
        data = hexadecimal(erc20.approve(venue.spec.deployment.router, erc20.MAX_UINT))
        await send(world, {"from": CAROL, "to": token.address, "data": data}, 5)


@pytest.mark.parametrize("name", [V2, V3, CAKE])
async def test_a_sandwich_is_told_as_what_it_cost(name: str) -> None:
    async with pool_world(*IN_ORDER) as world:
        venue, told = world.venues[name], Told()
        native, weth, usdc = world.net.info.native, world.token("WETH"), world.token("USDC")
        async with trading(world, told, venue):
            await carol_approves(world, venue, weth, usdc)
            await world.synced(venue)
            quote = await venue.quote(native, usdc, 2 * ETHER, True, Decimal("0.05"))
            market = await venue.finder.at(quote.pools[0])
            assert len(quote.pools) == 1
            trades: list[object] = []
            feed = await venue.subscribe(Channel.TRADES, market.instrument, trades.append)
            await world.node.automine(False)
            before = await world.units(BOB, "USDC")
            first = await carol_swaps(world, venue, market, weth, 20 * ETHER)
            ours = await venue.swap(quote, BOB, "between", 0, FEES)
            last = await carol_swaps(world, venue, market, usdc, 50_000 * USDC)
            await world.node.mine()
            receipts = [
                await world.node.rpc.call("eth_getTransactionReceipt", [hash])
                for hash in (first, ours.hash, last)
            ]
            assert {receipt["status"] for receipt in receipts} == {"0x1"}
            assert [int(one["transactionIndex"], 16) for one in receipts] == [0, 1, 2]
            await until(lambda: told.fills and len(trades) == 3)
            (fill,) = told.fills
            got = await world.units(BOB, "USDC") - before
            assert int(fill.details["units_out"]) == got < quote.units_out
            assert got >= quote.guaranteed
            prices = [
                Decimal(fill.details[name])
                for name in ("guaranteed_price", "realised_price", "quoted_price")
            ]
            assert prices == sorted(prices)
            assert prices[0] < prices[1] < prices[2]
            assert fill.price == prices[1]
            seen = [one for one in trades if isinstance(one, Trade)]
            assert [one.trade_id.split(":")[0] for one in seen] == [first, ours.hash, last]
            assert seen[1].price == fill.price
            await feed.close()


@pytest.mark.parametrize("name", [V2, V3])
async def test_a_sandwich_past_the_guarantee_gets_nothing_and_the_reason_is_told(name: str) -> None:
    async with pool_world() as world:  # who pays more comes first
        venue, told = world.venues[name], Told()
        weth, usdc = world.token("WETH"), world.token("USDC")
        async with trading(world, told, venue):
            await world.approve("WETH", 2 * ETHER, "allow", venue)
            await carol_approves(world, venue, weth, usdc)
            await world.synced(venue)
            quote = await venue.quote(weth, usdc, 2 * ETHER, True, Decimal("0.001"))
            market = await venue.finder.at(quote.pools[0])
            await world.node.automine(False)
            before = [await world.units(BOB, symbol) for symbol in ("WETH", "USDC")]
            ours = await venue.swap(quote, BOB, "between", 0, FEES)
            await carol_swaps(world, venue, market, weth, 45 * ETHER)
            await world.node.mine()
            ended = await world.net.wait_included(ours.hash, 10)
            assert not ended.succeeded
            assert "INSUFFICIENT_OUTPUT_AMOUNT" in ended.reason or "Too little" in ended.reason
            assert [await world.units(BOB, symbol) for symbol in ("WETH", "USDC")] == before
            assert not told.fills


async def test_no_sandwich_pays_at_a_limit_that_is_the_price() -> None:
    """A part is traded, or nothing; never a worse price."""
    async with pool_world(*IN_ORDER) as world:
        venue, told = world.venues[V3], Told()
        weth, usdc = world.token("WETH"), world.token("USDC")
        async with trading(world, told, venue):
            await world.approve("WETH", 20 * ETHER, "allow", venue)
            await carol_approves(world, venue, weth, usdc)
            await world.synced(venue)
            limit = SwapLimit(Decimal("2995"), True)
            quote = await venue.quote(weth, usdc, 20 * ETHER, True, Decimal("0.05"), limit)
            market = await venue.finder.at(quote.pools[0])
            assert quote.units_in == 20 * ETHER
            await world.node.automine(False)
            await carol_swaps(world, venue, market, weth, 10 * ETHER)
            await venue.swap(quote, BOB, "between", 0, FEES)
            await carol_swaps(world, venue, market, usdc, 29_000 * USDC)
            await world.node.mine()
            await until(lambda: told.fills)
            (fill,) = told.fills
            assert fill.details["partial"] == "true"
            assert 0 < fill.quantity < 20
            assert fill.price >= Decimal("2995")


@pytest.mark.parametrize("name", [V3, CAKE])
async def test_the_tiers_are_those_of_the_factory(name: str) -> None:
    async with pool_world() as world:
        spec = world.venues[name].spec
        tiers = dict(spec.protocol.tiers)
        asked = sorted({*tiers, 1, 200, 2_500, 3_000, 20_000})
        question = selector("feeAmountTickSpacing(uint24)")
        answers = await world.net.multicall(
            [Call(spec.deployment.factory, question + uint_word(fee)) for fee in asked]
        )
        found = [uint_at(answer) for answer in answers if isinstance(answer, bytes)]
        assert dict(zip(asked, found, strict=True)) == {fee: tiers.get(fee, 0) for fee in asked}


@pytest.mark.parametrize("name", [V3, CAKE])
async def test_what_the_protocol_takes_of_the_fees_is_not_promised(name: str) -> None:
    async with pool_world() as world:
        venue, desk = world.venues[name], world.venues[name].liquidity
        market = venue.finder.of_instrument("WETH-USDC:500")
        wanted = LiquiditySpec(market.instrument.id, 5 * ETHER, 15_000 * USDC, None, Decimal("0.1"))
        opened = await desk.add(wanted, "", BOB, "open", FEES)
        await world.net.wait_included(opened.hash, 10)
        await world.node.rpc.call("anvil_impersonateAccount", [DEPLOYER])
        if name == V3:  # a quarter of one token's fees, a tenth of the other's
            to = market.address
            data = selector("setFeeProtocol(uint8,uint8)") + uint_word(4) + uint_word(10)
        else:  # in ten-thousandths
            to = venue.spec.deployment.factory
            data = selector("setFeeProtocol(address,uint32,uint32)") + address_word(market.address)
            data += uint_word(3_200) + uint_word(3_400)
        wire = {"from": DEPLOYER, "to": to, "data": hexadecimal(data), "gas": GAS}
        assert (await world.node.send(wire))["status"] == "0x1"
        for zero_in in (True, False, True):
            units = 3 * ETHER if (market.token0.symbol == "WETH") == zero_in else 9_000 * USDC
            await stranger_swaps(world, venue, market, zero_in, units)
        await world.synced(venue)
        # Swaps give what they gave before: the part is taken from those who provide.
        if name == V3:
            for zero_in in (True, False):
                ends = market.token0, market.token1
                give, take = ends if zero_in else ends[::-1]
                units = int(10**give.decimals)
                data = abi.quote_single(give.address, take.address, units, True, 500)
                wire = {"to": venue.spec.deployment.quoter, "data": hexadecimal(data)}
                answer = unhex(await world.node.rpc.call("eth_call", [wire, "latest"]))
                assert venue.states.live(market).curve(give).amount_out(units) == uint_at(answer)
        (position,) = await desk.positions(BOB)
        fees = {
            market.token0.symbol: position.uncollected.units0,
            market.token1.symbol: position.uncollected.units1,
        }
        assert min(fees.values()) > 0
        before = {symbol: await world.units(BOB, symbol) for symbol in fees}
        sent = await desk.collect(position.id, BOB, "collect", FEES)
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        assert {symbol: await world.units(BOB, symbol) - before[symbol] for symbol in fees} == fees
