"""Swaps from quotes: native coins, tokens with ways of their own, and what is refused."""

from decimal import Decimal

import pytest

from chains.evm.abi import address_word, selector, uint_word
from chains.evm.codec import hexadecimal, quantity
from core.errors import Reason, Refused
from core.orders import OrderStatus, Side
from core.ports import FeeOptions
from core.tokens import Token
from tests.support.evm import BOB, CAROL, installed, until
from tests.support.pools import FOR_EVER, PoolWorld, Told, order, pool_world, trading

pytestmark = pytest.mark.evm

FEES = FeeOptions()
ONE_PERCENT = Decimal("0.01")
ETHER = 10**18
USDC = 10**6


@pytest.mark.parametrize("name", ["uniswap_v2", "pangolin"])
async def test_native_coins_in_and_out_exact_in_and_exact_out(name: str) -> None:
    async with pool_world() as world:
        told, venue = Told(), world.venues[f"{name}@ethereum_local"]
        native, usdc = world.net.info.native, world.token("USDC")
        async with trading(world, told, venue):
            steps = [
                (native, usdc, ETHER, True),
                (native, usdc, 100 * USDC, False),
                (usdc, native, 50 * USDC, True),
                (usdc, native, ETHER // 100, False),
            ]
            for number, (give, take, units, exact_in) in enumerate(steps):
                await world.synced(venue)
                quote = await venue.quote(give, take, units, exact_in, ONE_PERCENT)
                approval = await venue.required_approval(quote, BOB)
                assert (approval is None) == give.is_native
                before = [await world.units(BOB, symbol) for symbol in ("ETH", "USDC")]
                sent = await venue.swap(quote, BOB, f"swap-{number}", 0, FEES)
                await until(lambda n=number: len(told.fills) == n + 1)  # type: ignore[misc]
                fill = told.fills[-1]
                assert fill.client_order_id == f"swap-{number}"
                assert fill.venue_order_id == sent.hash
                assert int(fill.details["units_in"]) == quote.units_in
                assert int(fill.details["units_out"]) == quote.units_out
                assert fill.side is (Side.SELL if give.is_native else Side.BUY)
                after = [await world.units(BOB, symbol) for symbol in ("ETH", "USDC")]
                gas = sum(
                    int((row.fee or 0) * ETHER)
                    for row in world.log.rows.values()
                    if row.intent.startswith(f"swap-{number}")
                )
                change = (-quote.units_in, quote.units_out)
                if not give.is_native:
                    change = (quote.units_out, -quote.units_in)
                assert after == [before[0] + change[0] - gas, before[1] + change[1]]


async def test_required_approval_is_exactly_what_the_swap_may_take() -> None:
    async with pool_world() as world:
        weth, usdc = world.token("WETH"), world.token("USDC")
        quote = await world.uniswap.quote(usdc, weth, ETHER, False, ONE_PERCENT)
        approval = await world.uniswap.required_approval(quote, BOB)
        assert approval is not None
        assert (approval.units, approval.spender) == (
            quote.guaranteed,
            world.uniswap.spec.deployment.router,
        )
        await world.approve("USDC", approval.units)
        assert await world.allowance(BOB, "USDC", approval.spender) == approval.units
        assert await world.uniswap.required_approval(quote, BOB) is None


async def test_a_quote_that_the_pool_left_behind_is_refused_before_anything_is_sent() -> None:
    async with pool_world() as world, trading(world, Told()):
        weth, usdc = world.token("WETH"), world.token("USDC")
        await world.approve("USDC", 10_000 * USDC)
        quote = await world.uniswap.quote(usdc, weth, 3_000 * USDC, True, Decimal("0.001"))
        await world.stranger_sells("USDC", "WETH", 50_000 * USDC)
        await world.synced(world.uniswap)
        sent = len(world.log.rows)
        with pytest.raises(Refused, match="the price moved past the limit") as refused:
            await world.uniswap.swap(quote, BOB, "late", 0, FEES)
        assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
        assert "INSUFFICIENT_OUTPUT_AMOUNT" in refused.value.metadata["revert"]
        assert len(world.log.rows) == sent


async def test_more_than_the_wallet_has_is_refused() -> None:
    async with pool_world() as world:
        weth, usdc, native = world.token("WETH"), world.token("USDC"), world.net.info.native
        for give, take, units in ((usdc, weth, 300_000 * USDC), (native, usdc, 20_000 * ETHER)):
            quote = await world.uniswap.quote(give, take, units, True, ONE_PERCENT)
            with pytest.raises(Refused) as refused:
                await world.uniswap.swap(quote, BOB, "too much", 0, FEES)
            assert refused.value.reason is Reason.INSUFFICIENT_BALANCE
        with pytest.raises(Refused) as refused:
            await world.uniswap.swap(quote, "0x12", "nobody", 0, FEES)
        assert refused.value.reason is Reason.FIELD_INVALID
        assert not world.log.rows


async def test_a_fee_cap_is_kept() -> None:
    async with pool_world() as world:
        native, usdc = world.net.info.native, world.token("USDC")
        quote = await world.uniswap.quote(native, usdc, ETHER, True, ONE_PERCENT)
        cheap = FeeOptions(max_fee=Decimal("0.000000001"))
        with pytest.raises(Refused) as refused:
            await world.uniswap.swap(quote, BOB, "cheap", 0, cheap)
        assert refused.value.reason is Reason.FEE_CAP_EXCEEDED


async def deflating_pool(world: PoolWorld) -> Token:
    """A pool of WETH and a token that burns a hundredth of each transfer (npm @uniswap/v2-periphery
    ships it for its own tests), half of it CAROL's, some of it BOB's."""
    import json

    path = installed().node_modules / "@uniswap/v2-periphery/build/DeflatingERC20.json"
    code = json.loads(path.read_text())["bytecode"].removeprefix("0x")
    supply = hexadecimal(bytes.fromhex(code) + uint_word(10**24))
    gas = quantity(6_000_000)
    made = await world.node.send({"from": CAROL, "data": supply, "gas": gas})
    token = await world.net.token(str(made["contractAddress"]))
    router, weth = world.uniswap.spec.deployment.router, world.token("WETH")
    add = selector("addLiquidityETH(address,uint256,uint256,uint256,address,uint256)") + b"".join(
        [
            address_word(token.address),
            uint_word(10_000 * ETHER),
            uint_word(1),
            uint_word(1),
            address_word(CAROL),
            uint_word(FOR_EVER),
        ]
    )
    approve = selector("approve(address,uint256)") + address_word(router) + uint_word(10**24)
    give = selector("transfer(address,uint256)") + address_word(BOB) + uint_word(1_000 * ETHER)
    for to, data, value in (
        (token.address, approve, 0),
        (router, add, 10 * ETHER),
        (token.address, give, 0),
    ):
        wire = {"from": CAROL, "to": to, "data": hexadecimal(data), "gas": gas}
        receipt = await world.node.send(wire | {"value": quantity(value)})
        assert receipt["status"] == "0x1"
    await world.synced(world.uniswap)
    pool = await world.uniswap.pool(world.uniswap.directory.address_of(token, weth))
    assert pool.instrument == f"{token.symbol}-WETH:{pool.address}"
    return token


async def test_a_token_that_keeps_a_part_is_told_as_it_arrived_or_refused() -> None:
    async with pool_world() as world:
        token, told = await deflating_pool(world), Told()
        weth = world.token("WETH")
        instrument = (await world.uniswap.pools())[-1].instrument
        async with trading(world, told) as account:
            await account.place(first := order(Side.BUY, "1"))
            await told.end_of(first.client_order_id)
            await world.synced(world.uniswap)
            before = (await world.net.balances(BOB, [token]))[0].units or 0
            request = order(Side.BUY, "100", instrument=instrument)
            await account.place(request)
            end = await told.end_of(request.client_order_id)
            got = ((await world.net.balances(BOB, [token]))[0].units or 0) - before
            assert got == 99 * ETHER
            assert told.fills[-1].quantity == 99
            assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, 99)
            assert "keeps a part" in end.reason
            sent = len(world.log.rows)
            # Half a per cent of slippage does not cover the hundredth that is burnt.
            with pytest.raises(Refused) as refused:
                await account.place(order(Side.SELL, "10", instrument=instrument))
            assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
            half = ONE_PERCENT / 2
            quote = await world.uniswap.quote(weth, token, 10**15, True, half)
            with pytest.raises(Refused) as refused:
                await world.uniswap.swap(quote, BOB, "net", 0, FEES)
            assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
            swaps = [r for r in list(world.log.rows.values())[sent:] if r.purpose == "swap"]
            assert swaps == []
            # A limit that does cover it: ten are gone, though the pool saw less.
            await account.place(sale := order(Side.SELL, "10", "0.0001", instrument=instrument))
            end = await told.end_of(sale.client_order_id)
            assert (end.status, end.filled_quantity) == (OrderStatus.FILLED, 10)
            assert told.fills[-1].details["units_in"] == str(10 * ETHER)
