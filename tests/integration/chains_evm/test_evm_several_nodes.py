"""Several nodes: a slow one is outrun, a liar outvoted, private ones are kept apart; evictions."""

import asyncio
from typing import Any

import pytest

from chains.evm.network import EvmNetwork
from chains.evm.quorum import Disagreement, elect
from chains.evm.rpc import RpcPool
from chains.nodes import NodeError
from core.clock import SECOND, ManualClock, SystemClock
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions, Health
from core.transactions import TransactionStatus
from tests.support.evm import (
    ALICE,
    BOB,
    KeySigner,
    MemoryLog,
    anvil,
    network,
    network_info,
    until,
)
from tests.support.evm_proxy import Forward, Proxy, proxy, result

pytestmark = pytest.mark.evm
PRIVATE = FeeOptions("fast", route="private")


async def test_a_second_node_is_asked_when_the_first_is_slow_and_only_then() -> None:
    async with anvil() as node, proxy(node.url) as first, proxy(node.url) as second:
        released = asyncio.Event()

        async def late(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            await released.wait()
            return await forward(request)

        rpc = RpcPool([first.url, second.url], 31337, SystemClock(), timeout=30.0)
        try:
            for _ in range(5):
                await rpc.call("eth_blockNumber", [])
            assert (first.posts, second.posts) == (5, 0)
            first.behaviour = late
            async with asyncio.timeout(10):  # a third of what the first one would cost
                for n in range(1, 4):
                    assert await rpc.call("eth_blockNumber", []) == "0x0"
                    assert (first.posts, second.posts) == (5 + n, n)
            await rpc.call("eth_blockNumber", [])
            assert (first.posts, second.posts) == (8, 4)  # the slow one is asked last by now
            released.set()
            second.status = 503
            assert await rpc.call("eth_blockNumber", []) == "0x0"
            assert rpc.nodes[0].outrun == 0  # it answered, and has its place again
        finally:
            released.set()
            await rpc.close()


async def test_both_slow_then_the_third_is_not_asked_before_one_has_failed() -> None:
    async with anvil() as node, proxy(node.url) as a, proxy(node.url) as b, proxy(node.url) as c:
        a.silent = b.silent = True
        rpc = RpcPool([a.url, b.url, c.url], 31337, SystemClock(), timeout=1.0)
        try:
            assert await rpc.call("eth_blockNumber", []) == "0x0"
            assert (a.posts, b.posts, c.posts) == (1, 1, 1)
        finally:
            await rpc.close()


def lying_about_balances(liar: Proxy) -> None:
    async def lies(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
        if request["method"] == "eth_getBalance":
            return result(request, "0xde0b6b3a7640000")
        return await forward(request)

    liar.behaviour = lies


async def test_one_liar_about_a_balance_is_outvoted_and_two_nodes_that_disagree_say_so() -> None:
    async with anvil() as node, proxy(node.url) as liar, proxy(node.url) as second:
        lying_about_balances(liar)
        for urls, quorum in (([liar.url, node.url, second.url], 2), ([liar.url, node.url], 2)):
            net = EvmNetwork(
                network_info(), urls, SystemClock(), KeySigner(), MemoryLog(), 0.02, quorum=quorum
            )
            await net.start()
            try:
                if len(urls) == 3:
                    (held,) = await net.balances(BOB, [net.info.native])
                    assert held.total == 10_000
                else:
                    with pytest.raises(CambistError) as caught:
                        await net.balances(BOB, [net.info.native])
                    assert caught.value.reason is Reason.NODE_UNAVAILABLE
                    assert "2 must" in caught.value.message
            finally:
                await net.stop()


async def test_a_receipt_that_one_node_made_up_includes_nothing() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as liar, proxy(node.url) as second:

        async def lies(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            answer = await forward(request)
            if request["method"] == "eth_getTransactionReceipt" and answer["result"] is None:
                genesis = await node.rpc.call("eth_getBlockByNumber", ["0x0", False])
                made_up = {
                    "transactionHash": request["params"][0],
                    "status": "0x1",
                    "blockNumber": "0x0",
                    "blockHash": genesis["hash"],
                    "gasUsed": "0x5208",
                    "logs": [],
                }
                return result(request, made_up)
            return answer

        liar.behaviour = lies
        urls = [liar.url, node.url, second.url]
        net = EvmNetwork(network_info(), urls, SystemClock(), KeySigner(), log, 0.02, quorum=2)
        await net.start()
        try:
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            await until(lambda: liar.asked.count("eth_getTransactionReceipt") > 5)
            assert log.rows[sent.hash].block is None
            assert await net.receipt(sent.hash) is None
            await node.mine()
            assert (await net.wait_included(sent.hash, 10)).block == 1
        finally:
            await net.stop()


def test_an_election() -> None:
    refused = NodeError(3, "execution reverted: a", "0x12")
    assert elect([1, 2, 1], 2) == 1
    assert elect([{"a": 1, "b": 2}, {"b": 2, "a": 1}], 2) == {"a": 1, "b": 2}
    assert isinstance(elect([1, 2, 3], 2), Disagreement)
    assert elect([refused, NodeError(-32000, "reverted", "0x12"), 7], 2) is refused
    assert isinstance(elect([], 1), Disagreement)


async def test_a_private_transaction_is_seen_by_private_nodes_only_until_it_is_told() -> None:
    log = MemoryLog()
    async with (
        anvil("--no-mining") as node,
        anvil("--no-mining") as dark,  # a builder: nobody asks it anything else
        proxy(node.url) as public,
        proxy(dark.url) as private,
    ):
        arguments = (network_info(), [public.url], SystemClock(), KeySigner(), log, 0.02)
        net = EvmNetwork(*arguments, private_urls=[private.url])
        await net.start()
        try:
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", PRIVATE)
            assert sent.details["route"] == "private"
            assert "eth_sendRawTransaction" not in public.asked
            assert set(private.asked) == {"eth_sendRawTransaction"}
            hurried = await net.speed_up(sent.hash, "r", FeeOptions("fast"))
            assert hurried.details["route"] == "private"
        finally:
            await net.stop()
        net = EvmNetwork(*arguments, private_urls=[private.url])  # a restart keeps the secret
        await net.start()
        try:
            asked = len(private.asked)
            await until(lambda: len(private.asked) > asked)
            assert "eth_sendRawTransaction" not in public.asked
            told = await net.cancel(sent.hash, "tell", FeeOptions("fast", route="public"))
            assert "route" not in told.details
            assert "eth_sendRawTransaction" in public.asked
            await node.mine()
            assert (await net.wait_included(told.hash, 10)).succeeded
            await until(lambda: not net.pending(ALICE))
            assert log.rows[sent.hash].status is TransactionStatus.REPLACED
        finally:
            await net.stop()


async def test_without_private_nodes_nothing_goes_the_private_way() -> None:
    async with anvil() as node, network([node.url]) as net:
        for route in ("private", "secret"):
            options = FeeOptions(route=route)
            with pytest.raises(Refused) as caught:
                await net.transfer(ALICE, BOB, net.info.native, 1, "i", options)
            assert caught.value.reason is Reason.FIELD_INVALID
        assert net.pending(ALICE) == []


async def test_what_a_pool_evicts_is_sent_again_in_order_and_takes_effect_once() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, network([node.url], log) as net:
        before = int(await node.rpc.call("eth_getBalance", [BOB, "latest"]), 16)
        sent = [
            await net.transfer(ALICE, BOB, net.info.native, 1, f"i{n}", FeeOptions())
            for n in range(4)
        ]
        await node.rpc.call("anvil_dropAllTransactions", [])
        await until(lambda: all(log.rows[one.hash].raw == one.raw for one in sent))

        async def pooled() -> int:
            status = await node.rpc.call("txpool_status", [])
            return int(status["pending"], 16)

        async with asyncio.timeout(10):
            while await pooled() < 4:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.01)
        await node.mine()
        for one in sent:
            assert (await net.wait_included(one.hash, 10)).succeeded
        after = int(await node.rpc.call("eth_getBalance", [BOB, "latest"]), 16)
        assert after - before == 4


async def test_a_reorganisation_of_three_blocks_takes_back_what_was_in_the_first() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log, info=network_info(depth=5)) as net:
            await node.mine(2)
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            await node.mine(3)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.INCLUDED)
            included = log.rows[sent.hash].block
            await node.rpc.call("anvil_reorg", [3, []])
            await until(
                lambda: TransactionStatus.REORGANISED in {row.status for row in log.history}
            )
            assert not log.rows[sent.hash].is_final
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.SEEN)
            await node.mine(7)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)
            assert log.rows[sent.hash].block != included
            assert len(log.rows) == 1


async def test_what_one_node_keeps_to_itself_is_told_to_all_again() -> None:
    """The node that is asked still shows it, though the pool that blocks come from has lost it."""
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as hoarder:
        kept: dict[str, Any] = {}

        async def keeps(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            answer = await forward(request)
            if request["method"] == "eth_getTransactionByHash":
                kept.update(answer["result"] or {})
                return result(request, kept or None)
            return answer

        hoarder.behaviour = keeps
        async with network([hoarder.url], log, info=network_info(depth=3)) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.SEEN)
            await node.rpc.call("anvil_dropAllTransactions", [])
            await node.mine(20)
            await until(lambda: net.height == 20)
            asked = hoarder.asked.count("eth_getTransactionByHash")
            await until(lambda: hoarder.asked.count("eth_getTransactionByHash") > asked + 2)
            assert hoarder.asked.count("eth_sendRawTransaction") == 1  # not for so little
            await node.mine(200)
            await until(lambda: hoarder.asked.count("eth_sendRawTransaction") == 2)
            await node.mine()
            assert (await net.wait_included(sent.hash, 10)).succeeded


async def test_a_url_of_another_chain_is_said_while_the_others_do_the_work() -> None:
    async with anvil() as node, anvil(chain_id=5) as other:
        async with network([node.url, other.url]) as net:
            await until(lambda: "is on chain 5, not 31337" in net.condition.reason)
            assert net.condition.health is Health.DEGRADED
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            assert (await net.wait_included(sent.hash, 10)).succeeded
        assert await other.rpc.call("eth_getTransactionCount", [ALICE, "latest"]) == "0x0"


async def test_a_budget_of_requests_is_kept_and_a_transaction_does_not_wait_for_it() -> None:
    async with anvil() as node, proxy(node.url) as counted:
        clock = ManualClock()
        rpc = RpcPool([counted.url], 31337, clock, timeout=0.5, rate=5)
        try:
            await rpc.batch([("eth_blockNumber", [])] * 4)  # and one for its chain id
            with pytest.raises(CambistError) as caught:
                await rpc.batch([("eth_blockNumber", [])] * 5)
            assert caught.value.reason is Reason.NODE_UNAVAILABLE
            assert caught.value.retry_after == SECOND
            assert counted.asked.count("eth_blockNumber") == 4
            await rpc.broadcast(b"\x02")
            assert "eth_sendRawTransaction" in counted.asked
        finally:
            await rpc.close()
