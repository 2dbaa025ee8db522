"""Nodes that lie about nonces, heads and receipts: no terminal state rests on one node's word."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chains.evm.ranking import MAX_LEAD
from core.ports import FeeOptions
from core.transactions import TransactionStatus
from tests.support.evm import ALICE, BOB, MemoryLog, anvil, network, network_info, until
from tests.support.evm_proxy import Behaviour, Forward, Proxy, proxy, result

pytestmark = pytest.mark.evm
Answers = dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]]


def lying(answers: Answers) -> Behaviour:
    """Honest but for the methods named: what is told instead, from the request and the truth."""

    async def behave(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
        truth = await forward(request)
        lie = answers.get(request["method"])
        return truth if lie is None else result(request, lie(request, truth))

    return behave


async def looked(liar: Proxy, method: str, times: int = 4) -> None:
    """Until the liar was asked again some times: its lies had their chance."""
    asked = liar.asked.count(method)
    await until(lambda: liar.asked.count(method) >= asked + times)


def nothing(request: dict[str, Any], truth: dict[str, Any]) -> None:
    return None


@pytest.mark.parametrize("honest", [0, 1, 2])
async def test_no_lie_about_the_count_ends_what_is_still_waiting(honest: int) -> None:
    """An ended intent would be sent anew, and both could land. A liar alone still knows it."""
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as liar, proxy(node.url) as other:
        urls = [liar.url, node.url, other.url][: honest + 1]
        async with network(urls, log, info=network_info(depth=1)) as net:
            net.rpc.hedging = False  # the liar is the one that is asked, however busy the machine
            await node.mine(3)
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            lies: Answers = {"eth_getTransactionCount": lambda *_: "0x9"}
            if honest:
                lies["eth_getTransactionByHash"] = nothing
            liar.behaviour = lying(lies)
            await looked(liar, "eth_getTransactionByHash")
            assert not log.rows[sent.hash].is_final
            await node.mine(3)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)


async def test_a_head_that_only_one_node_tells_makes_nothing_final() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as liar, proxy(node.url) as other:
        urls = [liar.url, node.url, other.url]
        async with network(urls, log, info=network_info(depth=40)) as net:
            net.rpc.hedging = False
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            await node.mine(2)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.INCLUDED)
            tall = hex(net.height + 50)

            def taller(request: dict[str, Any], truth: dict[str, Any]) -> Any:
                if request["params"][:1] != ["latest"]:
                    return truth["result"]
                block = {**truth["result"], "number": tall, "hash": "0x" + "ab" * 32}
                return {**block, "parentHash": "0x" + "cd" * 32}

            lies: Answers = {"eth_blockNumber": lambda *_: tall, "eth_getBlockByNumber": taller}
            liar.behaviour = lying(lies)
            await looked(liar, "eth_getBlockByNumber", 6)
            assert not log.rows[sent.hash].is_final
            await node.mine(45)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)


async def test_a_head_in_the_sky_is_not_believed_and_its_node_is_asked_last() -> None:
    async with anvil() as node, proxy(node.url) as liar, proxy(node.url) as other:
        await node.mine(5)
        sky = hex(5 + MAX_LEAD + 1_000_000)

        def taller(request: dict[str, Any], truth: dict[str, Any]) -> Any:
            latest = request["params"][:1] == ["latest"]
            return {**truth["result"], "number": sky} if latest else truth["result"]

        liar.behaviour = lying({"eth_blockNumber": lambda *_: sky, "eth_getBlockByNumber": taller})
        heights = set()
        async with network([liar.url, node.url, other.url]) as net:
            net.on_block(lambda block: heights.add(block.number))
            await until(lambda: net.height == 5)
            await node.mine(2)
            await until(lambda: net.height == 7)
            assert net.rpc.ranking.order()[-1].url == liar.url
        assert max(heights) == 7


async def test_a_receipt_that_one_node_made_up_is_never_final_and_the_bytes_go_out_again() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as liar, proxy(node.url) as other:
        genesis = await node.rpc.call("eth_getBlockByNumber", ["0x0", False])

        def made_up(request: dict[str, Any], truth: dict[str, Any]) -> Any:
            facts = {"status": "0x1", "blockNumber": "0x0", "gasUsed": "0x5208", "logs": []}
            hash, block = request["params"][0], genesis["hash"]
            return truth["result"] or {**facts, "transactionHash": hash, "blockHash": block}

        liar.behaviour = lying({"eth_getTransactionReceipt": made_up})
        urls = [liar.url, node.url, other.url]
        async with network(urls, log, info=network_info(depth=2)) as net:
            net.rpc.hedging = False
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.INCLUDED)
            await node.rpc.call("anvil_dropAllTransactions", [])
            wait = {"from": BOB, "to": BOB, "value": "0x0"}
            await node.rpc.call("eth_sendTransaction", [wait])
            await node.mine(3)
            await until(lambda: log.rows[sent.hash].block is None)
            assert TransactionStatus.FINAL not in {row.status for row in log.history}

            async def pooled() -> bool:
                found = await node.rpc.call("eth_getTransactionByHash", [sent.hash])
                return found is not None

            async with asyncio.timeout(10):
                while not await pooled():  # noqa: ASYNC110  what is waited for has no event
                    await asyncio.sleep(0.01)
            await node.mine(4)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)


@pytest.mark.parametrize("lie", [0, 1])
async def test_of_two_nodes_the_one_that_counts_less_is_outvoted_though_it_is_asked_first(
    lie: int,
) -> None:
    async with anvil() as node, proxy(node.url) as liar:
        async with network([liar.url, node.url]) as net:
            for n in range(3):
                sent = await net.transfer(ALICE, BOB, net.info.native, 1, f"{n}", FeeOptions())
                await until(lambda: not net.pending(ALICE))
            liar.behaviour = lying({"eth_getTransactionCount": lambda *_: hex(lie)})
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "after", FeeOptions())
            assert sent.nonce == 3


async def test_a_nonce_that_is_used_for_good_is_not_taken_again_whatever_nodes_count() -> None:
    async with anvil() as node, proxy(node.url) as liar:
        async with network([liar.url], info=network_info(depth=1)) as net:
            first = await net.transfer(ALICE, BOB, net.info.native, 1, "first", FeeOptions())
            await net.wait_included(first.hash, 10)
            await node.mine(2)
            await until(lambda: not net.pending(ALICE))
            liar.behaviour = lying({"eth_getTransactionCount": lambda *_: "0x0"})
            second = await net.transfer(ALICE, BOB, net.info.native, 1, "second", FeeOptions())
            assert (first.nonce, second.nonce) == (0, 1)
            assert (await net.wait_included(second.hash, 10)).succeeded


async def test_a_count_far_too_high_is_noticed_and_what_waits_is_told() -> None:
    """One node alone cannot be outvoted: its lie leaves a gap, which is said once it is seen."""
    async with anvil() as node, proxy(node.url) as liar:
        async with network([liar.url]) as net:
            liar.behaviour = lying({"eth_getTransactionCount": lambda *_: "0x2"})
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            assert sent.nonce == 2
            liar.behaviour = lying({})
            await until(lambda: "nobody uses nonce 0" in net.condition.reason)
            for n in range(2):  # the next ones fill the gap, and all arrive
                filler = await net.transfer(ALICE, BOB, net.info.native, 1, f"f{n}", FeeOptions())
                assert filler.nonce == n
            assert (await net.wait_included(sent.hash, 10)).succeeded
