"""Three blocks that go away under a swap: it lands elsewhere, at another price, or reverts. What is
told is what stays, once."""

from decimal import Decimal

import pytest

from chains.evm.codec import quantity
from core.orders import Order, OrderStatus, Side
from core.transactions import TransactionStatus
from dex.venues.uniswap_v2 import DEPLOYMENTS
from tests.support.evm import BOB, until
from tests.support.pools import PoolWorld, Told, order, pool_world, trading

pytestmark = pytest.mark.evm

USDC = 10**6
FIRST = {"maxFeePerGas": quantity(10**12), "maxPriorityFeePerGas": quantity(10**11)}
DEPTH = next(one.confirmations for one in DEPLOYMENTS if one.network == "ethereum")


async def three_blocks_go_away(world: PoolWorld, hash: str) -> None:
    """A swap's block and the two after it; returns when the swap waits in the pool again."""
    await world.net.wait_included(hash, 10)
    await world.node.mine(2)
    await world.synced(world.uniswap)
    await world.node.automine(False)
    await world.node.rpc.call("anvil_reorg", [3, []])
    await until(lambda: world.log.rows[hash].status is TransactionStatus.SEEN)


async def bury(world: PoolWorld, hash: str) -> None:
    await world.net.wait_included(hash, 10)
    await world.node.mine(DEPTH)


async def test_a_swap_that_lands_in_another_block_is_told_as_it_was_there() -> None:
    async with pool_world(depth=10) as world:
        told = Told()
        await world.node.mine(5)
        async with trading(world, told, confirmations=DEPTH) as account:
            await world.approve("USDC", 50_000 * USDC)
            before = await world.units(BOB, "USDC")
            request = order(Side.BUY, "1", "3100")
            placed = await account.place(request)
            hash = placed.venue_order_id
            await three_blocks_go_away(world, hash)
            assert told.fills == []
            asked = await account.query(Order(request))
            assert asked is not None
            assert asked.status is OrderStatus.OPEN
            await world.stranger_sells("USDC", "WETH", 30_000 * USDC, False, **FIRST)
            await world.node.mine()
            await bury(world, hash)
            assert (await told.end_of(request.client_order_id)).status is OrderStatus.FILLED
            (fill,) = told.fills
            paid = Decimal(before - await world.units(BOB, "USDC")) / USDC
            assert Decimal(fill.details["notional"]) == paid
            assert paid > Decimal(fill.details["quoted_price"])
            assert fill.details["block"] == str(world.log.rows[hash].block)
            await world.node.mine(10)
            await until(lambda: world.log.rows[hash].status is TransactionStatus.FINAL)
            assert len(told.fills) == 1
            assert [row.hash for row in world.log.rows.values() if row.purpose == "swap"] == [hash]


async def test_a_swap_that_reverts_where_it_lands_was_never_a_fill() -> None:
    async with pool_world(depth=10) as world:
        told = Told()
        await world.node.mine(5)
        async with trading(world, told, confirmations=DEPTH) as account:
            await world.approve("USDC", 50_000 * USDC)
            before = await world.units(BOB, "USDC")
            request = order(Side.BUY, "1", "3015")
            placed = await account.place(request)
            hash = placed.venue_order_id
            await three_blocks_go_away(world, hash)
            await world.stranger_sells("USDC", "WETH", 30_000 * USDC, False, **FIRST)
            await world.node.mine()
            await bury(world, hash)
            end = await told.end_of(request.client_order_id)
            assert (end.status, end.filled_quantity) == (OrderStatus.EXPIRED, 0)
            assert "EXCESSIVE_INPUT_AMOUNT" in end.reason
            await world.node.mine(10)
            await until(lambda: world.log.rows[hash].status is TransactionStatus.REVERTED)
            assert told.fills == []
            assert await world.units(BOB, "USDC") == before
            assert {row.succeeded for row in world.log.history if row.hash == hash} >= {True, False}


async def test_a_swap_that_another_use_of_its_nonce_took_over_ends_without_a_fill() -> None:
    """In the new branch somebody (another device with the same key) used the nonce."""
    async with pool_world(depth=5) as world:
        told = Told()
        await world.node.mine(5)
        async with trading(world, told, confirmations=DEPTH) as account:
            await world.approve("USDC", 50_000 * USDC)
            request = order(Side.BUY, "1", "3100")
            placed = await account.place(request)
            hash = placed.venue_order_id
            await three_blocks_go_away(world, hash)
            nonce = world.log.rows[hash].nonce
            assert nonce is not None
            wire = {"from": BOB, "to": BOB, "value": "0x1", "nonce": quantity(nonce)}
            await world.node.rpc.call("eth_sendTransaction", [wire | FIRST])
            await world.node.mine(10)
            await until(lambda: world.log.rows[hash].status is TransactionStatus.REPLACED)
            end = await told.end_of(request.client_order_id)
            assert (end.status, end.filled_quantity) == (OrderStatus.CANCELED, 0)
            assert told.fills == []
