"""Orders across restarts, silent nodes, slow blocks and reorganisations: one effect, told once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from core.accounts import Balance
from core.errors import Reason, Refused
from core.orders import Order, OrderStatus, Side
from core.ports import StreamState
from core.transactions import TransactionStatus
from tests.support.evm import BOB, MemoryLog, until
from tests.support.evm_proxy import error, proxy
from tests.support.pools import (
    PoolWorld,
    Told,
    connected,
    deployed,
    order,
    pool_world,
    trading,
)

pytestmark = pytest.mark.evm

USDC = 10**6


async def approved(world: PoolWorld, units: int = 50_000 * USDC) -> None:
    """An allowance, so that an order is one transaction."""
    await world.approve("USDC", units)


async def test_an_unmined_order_stays_open_under_its_hash_until_it_is_mined() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await approved(world)
            await world.node.automine(False)
            request = order(Side.BUY, "1", "3100")
            placed = await account.place(request)
            assert placed.status is OrderStatus.OPEN
            await until(
                lambda: world.log.rows[placed.venue_order_id].status is TransactionStatus.SEEN
            )
            asked = await account.query(Order(request))
            assert asked is not None
            assert (asked.status, asked.venue_order_id) == (OrderStatus.OPEN, placed.venue_order_id)
            (open_order,) = await account.open_orders()
            assert open_order.request == replace(request, account="bob")
            with pytest.raises(Refused, match="on its way") as refused:
                await account.cancel(open_order)
            assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE
            assert told.fills == []
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            assert end.status is OrderStatus.FILLED
            assert await account.open_orders() == []
            assert (await account.cancel(open_order)).status is OrderStatus.FILLED


@pytest.mark.parametrize("mined", ["while down", "after the restart"])
async def test_an_order_is_found_again_after_a_restart_and_told_once(mined: str) -> None:
    log = MemoryLog()
    request = order(Side.BUY, "1", "3100")
    async with deployed() as (node, contracts):
        async with connected(node, contracts, log) as world:
            await approved(world)
            await node.automine(False)
            async with trading(world, Told()) as account:
                placed = await account.place(request)
        if mined == "while down":
            await node.mine()
        told = Told()
        async with connected(node, contracts, log) as world:
            async with trading(world, told) as account:
                if mined != "while down":
                    asked = await account.query(Order(request))
                    assert asked is not None
                    assert asked.status is OrderStatus.OPEN
                    await node.mine()
                end = await told.end_of(request.client_order_id)
                assert end.status is OrderStatus.FILLED
                assert end.venue_order_id == placed.venue_order_id
                await node.mine(3)
                await world.synced(world.uniswap)
                assert len(told.fills) == 1
                assert await account.fills("WETH-USDC", 0) == told.fills
                assert await world.gained(BOB, "WETH") == 10**18


async def test_what_became_final_while_nobody_listened_is_in_fills_and_in_query() -> None:
    log = MemoryLog()
    request = order(Side.BUY, "1", "3100")
    async with deployed() as (node, contracts):
        async with connected(node, contracts, log) as world:
            async with trading(world, Told()) as account:
                placed = await account.place(request)
            await until(lambda: log.rows[placed.venue_order_id].status is TransactionStatus.FINAL)
        assert not await log.pending("ethereum_local")
        told = Told()
        async with connected(node, contracts, log) as world, trading(world, told) as account:
            (fill,) = await account.fills("WETH-USDC", 0)
            assert fill.quantity == 1
            assert await account.fills("WETH-DAI", 0) == []
            asked = await account.query(Order(request))
            assert asked is not None
            assert (asked.status, asked.filled_quantity) == (OrderStatus.FILLED, 1)
            # The fill comes with the answer, under the same trade id.
            assert told.fills == [fill]


async def test_what_was_never_signed_is_proved_never_to_have_been_sent() -> None:
    async with pool_world() as world, trading(world, Told()) as account:
        request = order(Side.BUY, "1", "3100")
        assert await account.query(Order(request)) is None
        # A daemon that died after the approval, and before the swap.
        intent = f"{request.client_order_id}/approve"
        await world.approve("USDC", 3100 * USDC, intent)
        assert await account.query(Order(request)) is None


async def test_while_an_order_waits_for_its_approval_it_is_pending_and_not_unknown() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await world.node.automine(False)
            request = order(Side.BUY, "1", "3100")
            placing = asyncio.create_task(account.place(request))
            await until(lambda: any(r.purpose == "approve" for r in world.log.rows.values()))
            asked = await account.query(Order(request))
            assert asked is not None
            assert asked.status is OrderStatus.PENDING
            await world.node.automine(True)
            await world.node.mine()
            assert (await placing).status is OrderStatus.OPEN
            assert (await told.end_of(request.client_order_id)).status is OrderStatus.FILLED


Forward = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def test_a_broadcast_without_an_answer_is_unconfirmed_and_found_out() -> None:
    async def swallow(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
        answer = await forward(request)
        if request["method"] != "eth_sendRawTransaction":
            return answer
        return error(request, -32603, "internal error")  # it did arrive

    async with deployed() as (node, contracts), proxy(node.url) as between:
        async with connected(node, contracts, urls=[between.url]) as world:
            await approved(world)
            told = Told()
            async with trading(world, told) as account:
                between.behaviour = swallow
                request = order(Side.BUY, "1", "3100")
                placed = await account.place(request)
                assert placed.status in (OrderStatus.UNCONFIRMED, OrderStatus.OPEN)
                assert placed.venue_order_id
                assert (await told.end_of(request.client_order_id)).status is OrderStatus.FILLED
                assert await world.gained(BOB, "WETH") == 10**18


async def test_a_chain_that_cannot_be_asked_refuses_and_nothing_was_sent() -> None:
    async with deployed() as (node, contracts), proxy(node.url) as between:
        async with connected(node, contracts, urls=[between.url]) as world:
            await approved(world)
            sent = len(world.log.rows)
            async with trading(world, Told()) as account:
                request = order(Side.BUY, "1", "3100")
                between.status = 503
                with pytest.raises(Refused):
                    await account.place(request)
                assert await account.query(Order(request)) is None
                assert len(world.log.rows) == sent


async def test_a_fill_is_told_when_it_is_deep_enough_and_once_in_spite_of_a_reorganisation() -> (
    None
):
    async with pool_world(depth=10) as world:
        told = Told()
        await world.node.mine(5)
        async with trading(world, told, confirmations=3) as account:
            await approved(world)
            request = order(Side.BUY, "1", "3100")
            placed = await account.place(request)
            await world.net.wait_included(placed.venue_order_id, 10)
            await world.node.mine()
            await world.synced(world.uniswap)
            asked = await account.query(Order(request))
            assert asked is not None
            assert asked.status is OrderStatus.OPEN  # included, with two of three confirmations
            await world.node.automine(False)
            await world.node.rpc.call("anvil_reorg", [2, []])
            row = placed.venue_order_id
            await until(lambda: world.log.rows[row].status is TransactionStatus.SEEN)
            assert told.fills == []
            assert (await world.uniswap.order_book(world.instrument, 1)).asks[0] == ["3010"]
            await world.node.mine()
            await world.net.wait_included(row, 10)
            await world.node.mine()
            await world.synced(world.uniswap)
            assert told.fills == []
            await world.node.mine()
            end = await told.end_of(request.client_order_id)
            assert end.status is OrderStatus.FILLED
            await world.node.mine(10)
            await until(lambda: world.log.rows[row].status is TransactionStatus.FINAL)
            assert len(told.fills) == 1
            assert told.fills[0].details["block"] == str(world.log.rows[row].block)


async def test_a_transaction_whose_nonce_somebody_else_used_ends_its_order() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            await approved(world)
            await world.node.automine(False)
            request = order(Side.BUY, "1", "3100")
            placed = await account.place(request)
            await world.node.rpc.call("anvil_dropTransaction", [placed.venue_order_id])
            wire = {"from": BOB, "to": BOB, "value": "0x1", "gasPrice": hex(10**12)}
            nonce = world.log.rows[placed.venue_order_id].nonce
            assert nonce is not None
            await world.node.rpc.call("eth_sendTransaction", [wire | {"nonce": hex(nonce)}])
            await world.node.mine(2)
            end = await told.end_of(request.client_order_id)
            assert end.status is OrderStatus.CANCELED
            assert "nonce" in end.reason
            assert told.fills == []


async def test_the_account_says_when_the_chain_is_there_and_when_it_is_lost() -> None:
    async with deployed() as (node, contracts), proxy(node.url) as between:
        async with connected(node, contracts, urls=[between.url]) as world:
            told = Told()

            def states() -> list[bool]:
                return [r.connected for r in told.reports if isinstance(r, StreamState)]

            async with trading(world, told):
                await until(lambda: states() == [True])
                between.status = 503
                await until(lambda: states() == [True, False])
                between.status = 200
                await until(lambda: states() == [True, False, True])


async def test_balances_are_exact_and_change_is_told_after_a_fill() -> None:
    async with pool_world() as world:
        told = Told()
        async with trading(world, told) as account:
            held = {balance.asset: balance for balance in await account.balances()}
            assert set(held) == {"ETH", "WETH", "WAVAX", "USDC", "DAI", "WBTC"}
            assert held["USDC"].units == await world.units(BOB, "USDC")
            assert {balance.account for balance in held.values()} == {"bob"}
            await account.place(order(Side.BUY, "1", "3100"))

            def after(asset: str) -> list[Balance]:
                return [r for r in told.reports if isinstance(r, Balance) and r.asset == asset]

            await until(lambda: after("ETH") and after("USDC") and after("WETH"))
            assert after("WETH")[-1].units == await world.units(BOB, "WETH")
            assert await world.gained(BOB, "WETH") == 10**18
            assert after("USDC")[-1].units == await world.units(BOB, "USDC")
            rates = await account.fee_rates(world.instrument)
            assert str(rates.taker) == "0.003"
            assert await account.positions() == []
            assert await account.cancel_all(None) == []
