"""Nodes that lag, lie, throttle, fall silent or lose transactions, before a real one."""

import asyncio
from typing import Any

import pytest

from chains.evm.rpc import RpcPool
from core.clock import SystemClock
from core.errors import CambistError, Reason, Rejected
from core.ports import FeeOptions, Health
from core.transactions import TransactionStatus
from tests.support.evm import (
    ALICE,
    BOB,
    Anvil,
    KeySigner,
    MemoryLog,
    anvil,
    network,
    network_info,
    until,
)
from tests.support.evm_proxy import Forward, error, proxy, result

pytestmark = pytest.mark.evm


def pool(*urls: str, timeout: float = 2.0) -> RpcPool:
    return RpcPool(urls, 31337, SystemClock(), timeout)


async def test_reads_fail_over_and_come_back() -> None:
    async with anvil() as node, proxy(node.url) as bad:
        bad.status = 503
        rpc = pool(bad.url, node.url)
        try:
            for _ in range(3):
                assert await rpc.call("eth_blockNumber", []) == "0x0"
            assert bad.posts == 1  # left alone after it failed
            assert rpc.nodes[0].failures == 1
        finally:
            await rpc.close()


async def test_a_throttling_node_is_left_alone_for_as_long_as_it_asks() -> None:
    async with anvil() as node, proxy(node.url) as busy:
        busy.status = 429
        rpc = pool(busy.url)
        try:
            with pytest.raises(CambistError) as caught:
                await rpc.call("eth_blockNumber", [])
            assert caught.value.reason is Reason.NODE_UNAVAILABLE
            assert caught.value.retry_after is not None
            assert 500_000_000 < caught.value.retry_after <= 1_000_000_000
            with pytest.raises(CambistError):
                await rpc.call("eth_blockNumber", [])
            assert busy.posts == 1
        finally:
            await rpc.close()


async def test_a_silent_node_costs_less_than_its_timeout() -> None:
    async with anvil() as node, proxy(node.url) as silent:
        silent.silent = True
        rpc = pool(silent.url, node.url, timeout=30.0)
        try:
            async with asyncio.timeout(10):
                assert await rpc.call("eth_blockNumber", []) == "0x0"
                assert "slow" in rpc.nodes[0].trouble
                for _ in range(4):
                    assert await rpc.call("eth_blockNumber", []) == "0x0"
            assert silent.posts == 3  # often enough: now it is asked last
        finally:
            await rpc.close()


async def test_a_silent_node_alone_costs_one_timeout() -> None:
    async with anvil() as node, proxy(node.url) as silent:
        silent.silent = True
        rpc = pool(silent.url, timeout=0.1)
        try:
            with pytest.raises(CambistError) as caught:
                await rpc.call("eth_blockNumber", [])
            assert caught.value.reason is Reason.NODE_UNAVAILABLE
            assert "no answer" in rpc.nodes[0].trouble
        finally:
            await rpc.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>bad gateway</html>",
        b"null",
        b"[]",
        b'{"jsonrpc":"2.0","id":0,"result":',
        b'{"id":"zero","result":1}',
        b"[1,2]",
    ],
)
async def test_a_node_that_talks_nonsense_is_no_node(answer: bytes) -> None:
    async with anvil() as node, proxy(node.url) as mad:
        mad.body = answer
        rpc = pool(mad.url, node.url)
        try:
            assert await rpc.call("eth_blockNumber", []) == "0x0"
            assert rpc.nodes[0].failures == 1
        finally:
            await rpc.close()


async def test_a_node_of_another_chain_is_never_used() -> None:
    async with anvil() as node, anvil(chain_id=1) as other:
        rpc = pool(other.url, node.url)
        try:
            await node.mine(7)
            assert await rpc.call("eth_blockNumber", []) == "0x7"
            assert rpc.nodes[0].trouble == "is on chain 1, not 31337"
        finally:
            await rpc.close()
        async with network([other.url]) as net:
            await until(lambda: net.condition.health is Health.DOWN)
            assert "chain 1" in net.condition.reason
            with pytest.raises(CambistError) as caught:
                await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            assert caught.value.reason is Reason.NODE_UNAVAILABLE
            assert net.pending(ALICE) == []


async def test_a_node_without_batches_is_asked_one_by_one() -> None:
    async with anvil() as node, proxy(node.url) as simple:
        simple.batches = False
        async with network([simple.url]) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
            assert (await net.wait_included(sent.hash, 10)).succeeded


async def test_a_lagging_node_is_asked_last() -> None:
    async with anvil() as node, proxy(node.url) as late:
        await node.mine(50)

        async def behind(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            if request["method"] == "eth_blockNumber":
                return result(request, "0x5")
            if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "latest":
                request["params"][0] = "0x5"
            return await forward(request)

        late.behaviour = behind
        async with network([late.url, node.url]) as net:
            await until(lambda: net.height == 50)
            asked = len(late.asked)
            await net.balances(BOB, [net.info.native])
            assert late.asked[asked:] in ([], ["eth_blockNumber"])
            assert net.height == 50


async def test_a_head_that_goes_back_once_is_lag_and_no_reorganisation() -> None:
    async with anvil() as node, proxy(node.url) as wavering:
        await node.mine(10)
        stale = False

        async def sometimes(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            nonlocal stale
            if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "latest":
                stale = not stale
                if stale:
                    request["params"][0] = "0x8"
            return await forward(request)

        async with network([wavering.url]) as net:
            await until(lambda: net.height == 10)
            heard: list[int] = []
            net.on_block(lambda block: heard.append(block.number))
            wavering.behaviour = sometimes
            asked = len(wavering.asked)
            await until(lambda: len(wavering.asked) > asked + 12)
            assert net.height == 10
            assert heard == []


async def swallow(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
    """Takes transactions and forgets them."""
    if request["method"] == "eth_sendRawTransaction":
        return result(request, "0x" + "00" * 32)
    return await forward(request)


async def test_a_transaction_that_a_node_lost_is_broadcast_again_until_it_lands() -> None:
    log = MemoryLog()
    async with anvil() as node, proxy(node.url) as lossy:
        lossy.behaviour = swallow
        async with network([lossy.url], log) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
            assert sent.status is TransactionStatus.BROADCAST
            await until(lambda: lossy.asked.count("eth_sendRawTransaction") >= 2)
            assert await node.rpc.call("eth_blockNumber", []) == "0x0"

            async def honest(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                return await forward(request)

            lossy.behaviour = honest
            assert (await net.wait_included(sent.hash, 10)).succeeded
            assert len(log.rows) == 1


async def test_nobody_reached_leaves_it_signed_and_it_is_sent_later() -> None:
    async with anvil() as node, proxy(node.url) as door:
        async with network([door.url]) as net:
            await until(lambda: net.head)

            async def refuse(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                if request["method"] == "eth_sendRawTransaction":
                    return error(request, -32603, "internal error")
                return await forward(request)

            door.behaviour = refuse
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
            assert sent.status is TransactionStatus.SIGNED
            assert "internal error" in sent.reason

            async def open_again(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                return await forward(request)

            door.behaviour = open_again
            assert (await net.wait_included(sent.hash, 10)).succeeded


@pytest.mark.parametrize("text", ["already known", "nonce too low", "replacement underpriced"])
async def test_an_error_to_a_broadcast_that_arrived_is_no_rejection(text: str) -> None:
    async with anvil() as node, proxy(node.url) as odd:

        async def takes_and_complains(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            answer = await forward(request)
            if request["method"] == "eth_sendRawTransaction":
                return error(request, -32000, text)
            return answer

        odd.behaviour = takes_and_complains
        async with network([odd.url]) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
            assert (await net.wait_included(sent.hash, 10)).succeeded


async def test_a_broadcast_that_times_out_after_it_arrived_is_found() -> None:
    async with anvil() as node, proxy(node.url) as slow:
        released = asyncio.Event()

        async def hangs(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            answer = await forward(request)
            if request["method"] == "eth_sendRawTransaction" and not released.is_set():
                await released.wait()
            return answer

        slow.behaviour = hangs
        async with network([slow.url], timeout=0.3) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
            included = await net.wait_included(sent.hash, 10)
            assert included.succeeded
            released.set()
        assert await node.rpc.call("eth_getTransactionCount", [ALICE, "latest"]) == "0x1"


async def test_a_refusal_by_every_node_is_a_rejection_and_frees_the_nonce() -> None:
    log = MemoryLog()
    async with anvil() as node, proxy(node.url) as strict:

        async def poor(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            if request["method"] == "eth_sendRawTransaction":
                return error(request, -32000, "insufficient funds for gas * price + value")
            return await forward(request)

        async with network([strict.url], log) as net:
            await until(lambda: net.head)
            strict.behaviour = poor
            with pytest.raises(Rejected) as caught:
                await net.transfer(ALICE, BOB, net.info.native, 5, "first", FeeOptions())
            assert "insufficient funds" in caught.value.message
            (row,) = log.rows.values()
            assert row.status is TransactionStatus.DROPPED

            async def kind(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                return await forward(request)

            strict.behaviour = kind
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "second", FeeOptions())
            assert sent.nonce == row.nonce
            assert (await net.wait_included(sent.hash, 10)).succeeded


async def test_one_refusal_among_several_nodes_is_none() -> None:
    async with anvil() as node, proxy(node.url) as strict, proxy(node.url) as down:

        async def poor(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            if request["method"] == "eth_sendRawTransaction":
                return error(request, -32000, "insufficient funds for gas * price + value")
            return await forward(request)

        async with network([strict.url, down.url]) as net:
            await until(lambda: net.head)
            strict.behaviour, down.status = poor, 503
            sent = await net.transfer(ALICE, BOB, net.info.native, 5, "i", FeeOptions())
            assert sent.status is TransactionStatus.SIGNED
            down.status = 200
            assert (await net.wait_included(sent.hash, 10)).succeeded


async def counts_from(node: Anvil, count: int, request: dict[str, Any], forward: Forward) -> Any:
    if request["method"] == "eth_getTransactionCount":
        return result(request, hex(count))
    return await forward(request)


@pytest.mark.parametrize("lie", [0, 40])
async def test_one_node_that_lies_about_the_nonce_is_outvoted(lie: int) -> None:
    signer = KeySigner()
    async with anvil() as node, proxy(node.url) as liar, proxy(node.url) as second:
        async with network([node.url, liar.url, second.url], signer=signer) as net:
            for n in range(3):
                sent = await net.transfer(ALICE, BOB, net.info.native, 1, f"{n}", FeeOptions())
                await net.wait_included(sent.hash, 10)
            liar.behaviour = lambda request, forward: counts_from(node, lie, request, forward)
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "after", FeeOptions())
            assert sent.nonce == 3
            assert (await net.wait_included(sent.hash, 10)).succeeded


async def test_a_lie_that_the_nonce_is_used_does_not_end_a_transaction() -> None:
    """The count alone is no proof of a replacement: the receipt is asked of every node."""
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as liar:

        async def lies(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            if request["method"] == "eth_getTransactionReceipt":
                return result(request, None)
            if request["method"] == "eth_getTransactionCount" and log.rows:
                return result(request, "0x9")
            return await forward(request)

        liar.behaviour = lies
        async with network([liar.url, node.url], log, info=network_info(depth=1)) as net:
            net.rpc.hedging = False  # the liar is the one that is asked, however busy the machine
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
            await node.mine(3)
            await until(lambda: net.height == 3)
            asked = liar.asked.count("eth_getTransactionReceipt")
            await until(lambda: liar.asked.count("eth_getTransactionReceipt") > asked + 3)
            assert not log.rows[sent.hash].is_final
            liar.status = 503
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)


async def test_a_node_that_is_down_says_so_and_recovers() -> None:
    async with anvil() as node, proxy(node.url) as door:
        door.status = 503
        async with network([door.url]) as net:
            await until(lambda: net.condition.health is Health.DOWN)
            assert "503" in net.condition.reason
            with pytest.raises(CambistError) as caught:
                await net.balances(ALICE, [net.info.native])
            assert caught.value.reason is Reason.NODE_UNAVAILABLE
            door.status = 200
            await until(lambda: net.condition.health is Health.READY)


async def test_urls_with_keys_stay_out_of_errors() -> None:
    rpc = pool("http://127.0.0.1:1/v3/SECRETKEY")
    try:
        with pytest.raises(CambistError) as caught:
            await rpc.call("eth_blockNumber", [])
        assert "SECRETKEY" not in str(caught.value)
        assert "SECRETKEY" not in str(caught.value.metadata)
    finally:
        await rpc.close()
