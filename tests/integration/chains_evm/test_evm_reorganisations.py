"""Blocks that go away under transactions, and nonces that others use."""

from itertools import pairwise

import pytest

from chains.evm.codec import quantity
from chains.evm.model import Block
from core.ports import FeeOptions
from core.transactions import TransactionStatus
from tests.support.evm import (
    ALICE,
    BOB,
    CAROL,
    Anvil,
    MemoryLog,
    anvil,
    network,
    network_info,
    until,
)

pytestmark = pytest.mark.evm


async def reorganise(node: Anvil, depth: int) -> None:
    """Replaces the last blocks by empty ones; what was in them is gone from the node."""
    await node.rpc.call("anvil_reorg", [depth, []])


async def test_a_reorganised_transaction_lands_again_with_the_same_bytes() -> None:
    log = MemoryLog()
    async with anvil() as node, network([node.url], log, info=network_info(depth=10)) as net:
        await node.mine(5)
        sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
        first = await net.wait_included(sent.hash, 10)
        await node.mine(2)
        await until(lambda: net.height == 8)
        await node.automine(False)
        await reorganise(node, 3)
        await until(lambda: TransactionStatus.REORGANISED in [row.status for row in log.history])
        gone = next(r for r in log.history if r.status is TransactionStatus.REORGANISED)
        assert (gone.block, gone.succeeded, gone.fee) == (None, None, None)
        await until(lambda: log.rows[sent.hash].status is TransactionStatus.SEEN)
        await node.mine()
        again = await net.wait_included(sent.hash, 10)
        assert again.block is not None
        assert first.block is not None
        assert again.block > first.block
        assert {row.raw for row in log.history} == {sent.raw}
        await node.mine(10)
        await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)


async def test_a_transaction_that_moves_to_another_block_is_followed_there() -> None:
    log = MemoryLog()
    async with anvil() as node, network([node.url], log, info=network_info(depth=6)) as net:
        await node.mine(3)
        sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
        await net.wait_included(sent.hash, 10)
        await node.mine(2)
        await until(lambda: net.height == 6)
        await node.rpc.call("anvil_reorg", [3, [["0x" + sent.raw.hex(), 2]]])
        await until(lambda: log.rows[sent.hash].block == 6)
        statuses = [row.status for row in log.history]
        assert TransactionStatus.REORGANISED in statuses
        assert statuses[-1] is TransactionStatus.INCLUDED
        await node.mine(6)
        await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)


async def test_a_chain_that_became_shorter_gives_the_transaction_back() -> None:
    log = MemoryLog()
    async with anvil() as node, network([node.url], log, info=network_info(depth=10)) as net:
        snapshot = await node.rpc.call("evm_snapshot", [])
        sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
        await net.wait_included(sent.hash, 10)
        await node.mine(3)
        await until(lambda: net.height == 4)
        await node.rpc.call("evm_revert", [snapshot])
        await until(lambda: net.height < 4)
        await until(
            lambda: [row.status for row in log.history].count(TransactionStatus.INCLUDED) == 2
        )
        assert TransactionStatus.REORGANISED in [row.status for row in log.history]
        balance = int(await node.rpc.call("eth_getTransactionCount", [ALICE, "latest"]), 16)
        assert balance == 1


async def test_a_nonce_used_by_another_is_replaced_only_at_finality_depth() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log, info=network_info(depth=3)) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions("slow"))
            wire = {"from": ALICE, "to": CAROL, "value": "0x1", "nonce": "0x0"}
            wire["maxFeePerGas"] = wire["maxPriorityFeePerGas"] = quantity(10**12)
            await node.rpc.call("eth_sendTransaction", [wire])
            await node.mine()
            await until(lambda: net.height == 1)
            await node.mine(2)
            await until(lambda: net.height == 3)
            assert not log.rows[sent.hash].is_final
            await node.mine(1)
            await until(lambda: log.rows[sent.hash].is_final)
            ended = log.rows[sent.hash]
            assert ended.status is TransactionStatus.REPLACED
            assert ended.block is None
            assert "another transaction" in ended.reason


async def test_every_block_once_and_in_order_and_again_from_the_fork() -> None:
    async with anvil() as node, network([node.url]) as net:
        await until(lambda: net.head)
        heard: list[Block] = []
        net.on_block(heard.append)
        await node.mine(20)
        await until(lambda: len(heard) == 20)
        assert [block.number for block in heard] == list(range(1, 21))
        for parent, child in pairwise(heard):
            assert child.parent_hash == parent.hash
        await reorganise(node, 3)
        await until(lambda: len(heard) > 20 and heard[-1].number == 20)
        branch = heard[20:]
        assert [block.number for block in branch] == [18, 19, 20]
        assert branch[0].parent_hash == heard[16].hash
        assert branch[-1].hash != heard[19].hash


async def test_heads_pushed_over_a_websocket_come_without_polling() -> None:
    async with anvil() as node:
        async with network([node.url, node.websocket], poll=60) as net:
            await until(lambda: net.head)
            heard: list[Block] = []
            net.on_block(heard.append)
            await until(lambda: net._heads._pushed)
            await node.mine()
            await until(lambda: heard)
            await node.mine(5)
            await until(lambda: len(heard) == 6)
            assert [block.number for block in heard] == [1, 2, 3, 4, 5, 6]


async def test_a_gap_below_our_transactions_is_noticed_and_filled_by_the_next() -> None:
    """The node lost the lowest of three pending transactions for good: its intent ended."""
    log = MemoryLog()
    async with anvil("--no-mining") as node, network([node.url], log) as net:
        first = await net.transfer(ALICE, BOB, net.info.native, 1, "first", FeeOptions())
        later = [
            await net.transfer(ALICE, BOB, net.info.native, 1, f"later {n}", FeeOptions())
            for n in range(2)
        ]
        followed = net._watcher._followed
        del followed[first.hash], log.rows[first.hash]
        await node.rpc.call("anvil_dropTransaction", [first.hash])
        await until(lambda: "nobody uses nonce 0" in net.condition.reason)
        await node.automine(True)
        filler = await net.transfer(ALICE, BOB, net.info.native, 1, "filler", FeeOptions())
        assert filler.nonce == 0
        for one in (filler, *later):
            assert (await net.wait_included(one.hash, 10)).succeeded
        await until(lambda: net.condition.reason == "")


async def test_a_websocket_of_another_chain_is_not_listened_to() -> None:
    async with anvil() as node, anvil(chain_id=5) as other:
        async with network([node.url, other.websocket]) as net:
            await until(lambda: net.head)
            await other.mine(30)
            await node.mine(2)
            await until(lambda: net.height == 2)
            assert not net._heads._pushed
