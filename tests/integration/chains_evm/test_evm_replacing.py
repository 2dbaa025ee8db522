"""Speeding up and canceling on a real node: one effect an intent, ends only with proof."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chains.evm.envelope import opened
from chains.evm.network import EvmNetwork
from core.errors import Reason, Refused
from core.ports import FeeOptions, Replaceable
from core.transactions import Transaction, TransactionStatus
from tests.support.evm import ALICE, BOB, Anvil, MemoryLog, anvil, network, network_info, until
from tests.support.evm_killed import FileLog
from tests.support.evm_proxy import Forward, honest, proxy, result

pytestmark = pytest.mark.evm
ETHER = 10**18
FAST = FeeOptions("fast")


async def balance(node: Anvil, address: str) -> int:
    return int(await node.rpc.call("eth_getBalance", [address, "latest"]), 16)


async def send(net: EvmNetwork, intent: str = "i", units: int = ETHER) -> Transaction:
    return await net.transfer(ALICE, BOB, net.info.native, units, intent, FeeOptions())


async def test_a_sped_up_transfer_arrives_once_and_the_first_is_replaced_with_proof() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log, info=network_info(depth=2)) as net:
            assert isinstance(net, Replaceable)
            before = await balance(node, BOB)
            first = await send(net)
            second = await net.speed_up(first.hash, "hurry", FAST)
            assert (second.nonce, second.intent, second.purpose) == (0, "i", "transfer")
            assert second.details["replaces"] == first.hash
            assert log.rows[first.hash].details["replaced_by"] == second.hash
            old, new = opened(first.raw), opened(second.raw)
            assert new.fees.price * 10 >= old.fees.price * 11
            assert new.fees.priority is not None
            assert old.fees.priority is not None
            assert new.fees.priority * 10 >= old.fees.priority * 11
            assert replace(new, fees=old.fees) == old
            await node.mine()
            done = await net.wait_included(first.hash, 10)  # who waits for the first hears of it
            assert done.hash == second.hash
            assert done.succeeded
            assert not log.rows[first.hash].is_final  # a block could still go
            await node.mine(2)
            await until(lambda: log.rows[second.hash].status is TransactionStatus.FINAL)
            await until(lambda: log.rows[first.hash].status is TransactionStatus.REPLACED)
            assert second.hash in log.rows[first.hash].reason
            assert net.pending(ALICE) == []
            assert await balance(node, BOB) - before == ETHER
            # The intent is that transaction, however often it is asked for.
            assert (await send(net)).hash == second.hash


async def test_the_first_may_still_win_and_then_the_second_is_replaced() -> None:
    """A block builder had it already: both rivals end as what they are."""
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log) as net:
            first = await send(net)
            second = await net.speed_up(first.hash, "hurry", FAST)
            await node.rpc.call("anvil_dropTransaction", [second.hash])
            await node.rpc.call("anvil_dropTransaction", [first.hash])
            await node.rpc.call("eth_sendRawTransaction", ["0x" + first.raw.hex()])
            await node.mine()
            await until(lambda: log.rows[first.hash].status is TransactionStatus.FINAL)
            await until(lambda: log.rows[second.hash].status is TransactionStatus.REPLACED)
            assert (await send(net)).hash == first.hash
            third = await send(net, "next")
            assert third.nonce == 1


async def test_a_cancel_uses_the_nonce_and_nothing_else_happens() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log) as net:
            before = await balance(node, BOB)
            first = await send(net)
            later = await send(net, "later", 1)
            canceled = await net.cancel(first.hash, "stop", FAST)
            assert (canceled.purpose, canceled.intent, canceled.to) == ("cancel", "i", ALICE)
            assert canceled.nonce == first.nonce
            await node.mine()
            await until(lambda: log.rows[first.hash].status is TransactionStatus.REPLACED)
            assert log.rows[canceled.hash].status is TransactionStatus.FINAL
            waited = await net.wait_included(first.hash, 10)
            assert waited.status is TransactionStatus.REPLACED
            assert (await net.wait_included(later.hash, 10)).succeeded
            assert await balance(node, BOB) - before == 1
            # The intent is over: asking again does not send it again.
            assert (await send(net)).hash == first.hash


async def test_each_replacement_outbids_all_before_it() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log) as net:
            chain = [await send(net)]
            for n in range(3):
                # Always of the first: the one to be outbid is the highest, not the one named.
                chain.append(await net.speed_up(chain[0].hash, f"r{n}", FeeOptions("slow")))
            prices = [opened(one.raw).fees for one in chain]
            for lower, higher in pairwise(prices):
                assert higher.price * 10 >= lower.price * 11
                assert (higher.priority or 0) * 10 >= (lower.priority or 0) * 11
            stopped = await net.cancel(chain[2].hash, "stop", FeeOptions("slow"))
            await node.mine()
            await until(lambda: not net.pending(ALICE))
            assert log.rows[stopped.hash].status is TransactionStatus.FINAL
            assert all(log.rows[one.hash].status is TransactionStatus.REPLACED for one in chain)


async def test_the_same_request_makes_one_replacement() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log) as net:
            first = await send(net)
            made = await net.speed_up(first.hash, "hurry", FAST)
            assert (await net.speed_up(first.hash, "hurry", FAST)).hash == made.hash
        async with network([node.url], log) as again:  # also after a restart
            assert (await again.speed_up(first.hash, "hurry", FAST)).hash == made.hash
            await node.mine()
            await until(lambda: not again.pending(ALICE))
            assert (await again.speed_up(first.hash, "hurry", FAST)).hash == made.hash
        assert len(log.rows) == 2


async def test_a_cap_is_kept_and_below_what_nodes_demand_nothing_is_signed() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log) as net:
            first = await send(net)
            fees = opened(first.raw).fees
            worst = Decimal(fees.price * 21_000).scaleb(-18)
            with pytest.raises(Refused) as caught:
                await net.speed_up(first.hash, "cheap", FeeOptions("fast", max_fee=worst))
            assert caught.value.reason is Reason.FEE_CAP_EXCEEDED
            assert len(log.rows) == 1
            cap = worst * Decimal("1.2")
            second = await net.speed_up(first.hash, "capped", FeeOptions("fast", max_fee=cap))
            assert opened(second.raw).fees.price * 21_000 <= cap.scaleb(18)
            await node.mine()
            assert (await net.wait_included(second.hash, 10)).succeeded


async def test_what_is_in_a_block_or_unknown_cannot_be_replaced() -> None:
    async with anvil() as node:
        async with network([node.url], info=network_info(depth=5)) as net:
            sent = await send(net)
            await net.wait_included(sent.hash, 10)
            for act in (net.speed_up, net.cancel):
                with pytest.raises(Refused) as caught:
                    await act(sent.hash, "r", FAST)
                assert caught.value.reason is Reason.TRANSACTION_FINAL
                assert caught.value.metadata["status"] == "included"
                with pytest.raises(Refused) as caught:
                    await act("0x" + "12" * 32, "r", FAST)
                assert caught.value.reason is Reason.TRANSACTION_NOT_FOUND


async def test_a_chain_without_base_fee_replaces_legacy_transactions() -> None:
    log = MemoryLog()
    async with anvil("--no-mining", "--hardfork", "berlin") as node:
        async with network([node.url], log) as net:
            first = await send(net)
            second = await net.speed_up(first.hash, "hurry", FeeOptions("slow"))
            assert second.raw[0] >= 0xC0
            assert opened(second.raw).fees.price * 10 >= opened(first.raw).fees.price * 11
            await node.mine()
            await until(lambda: log.rows[first.hash].status is TransactionStatus.REPLACED)


async def test_the_bytes_are_journaled_before_a_node_has_them() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as door:
        seen: list[bool] = []

        async def look(request, forward):  # type: ignore[no-untyped-def]
            if request["method"] == "eth_sendRawTransaction":
                raw = bytes.fromhex(request["params"][0][2:])
                seen.append(any(row.raw == raw for row in log.rows.values()))
            return await forward(request)

        async with network([door.url], log) as net:
            first = await send(net)
            door.behaviour = look
            await net.speed_up(first.hash, "hurry", FAST)
            await net.cancel(first.hash, "stop", FAST)
            assert seen == [True, True]


async def test_a_pool_that_lost_the_replacement_gets_it_again_and_not_the_first() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as door:
        async with network([door.url], log) as net:
            first = await send(net)
            second = await net.speed_up(first.hash, "hurry", FAST)
            sent: list[str] = []

            async def note(request, forward):  # type: ignore[no-untyped-def]
                if request["method"] == "eth_sendRawTransaction":
                    sent.append(request["params"][0])
                return await forward(request)

            door.behaviour = note
            await node.rpc.call("anvil_dropTransaction", [second.hash])
            await until(lambda: sent)
            await until(lambda: log.rows[second.hash].status is TransactionStatus.SEEN)
            assert set(sent) == {"0x" + second.raw.hex()}
            await node.mine()
            assert (await net.wait_included(second.hash, 10)).succeeded


async def test_killed_after_the_replacement_was_journaled_has_one_effect(tmp_path: Path) -> None:
    """The daemon dies between journaling and broadcasting the replacement; the next one finds both
    and one of them lands."""
    log = FileLog(tmp_path / "log")
    async with anvil("--no-mining") as node, proxy(node.url) as door:
        before = await balance(node, BOB)
        async with network([door.url], log) as net:
            first = await send(net)

            async def swallow(request, forward):  # type: ignore[no-untyped-def]
                if request["method"] == "eth_sendRawTransaction":
                    return {"jsonrpc": "2.0", "id": request["id"], "result": "0x" + "00" * 32}
                return await forward(request)

            door.behaviour = swallow  # as if it died before the bytes were out
            second = await net.speed_up(first.hash, "hurry", FAST)
        assert await node.rpc.call("eth_getTransactionByHash", [second.hash]) is None
        log = FileLog(tmp_path / "log")
        async with network([node.url], log) as again:
            await until(lambda: log.rows[second.hash].status is TransactionStatus.SEEN)
            await node.mine()
            await until(lambda: not again.pending(ALICE))
        ends = {log.rows[one.hash].status for one in (first, second)}
        assert ends == {TransactionStatus.FINAL, TransactionStatus.REPLACED}
        assert await balance(node, BOB) - before == ETHER


async def test_a_reorganisation_lets_the_other_one_win() -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node:
        async with network([node.url], log, info=network_info(depth=3)) as net:
            first = await send(net)
            second = await net.speed_up(first.hash, "hurry", FAST)
            snapshot = await node.rpc.call("evm_snapshot", [])
            await node.mine()
            await until(lambda: log.rows[second.hash].status is TransactionStatus.INCLUDED)
            await node.rpc.call("evm_revert", [snapshot])
            await node.rpc.call("anvil_dropAllTransactions", [])
            await node.rpc.call("eth_sendRawTransaction", ["0x" + first.raw.hex()])
            await node.mine(5)
            await until(lambda: log.rows[first.hash].status is TransactionStatus.FINAL)
            await until(lambda: log.rows[second.hash].status is TransactionStatus.REPLACED)
            history = [row.status for row in log.history if row.hash == second.hash]
            assert TransactionStatus.REORGANISED in history


@pytest.mark.parametrize("how", ["cancel", "speed_up"])
async def test_what_was_mined_before_we_saw_it_wins_and_the_replacement_ends_with_proof(
    how: str,
) -> None:
    """The node that is asked lags: it still shows the first as waiting when it is replaced."""
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as late:
        async with network([late.url], log, info=network_info(depth=2)) as net:
            before = await balance(node, BOB)
            first = await net.transfer(ALICE, BOB, net.info.native, 7, "i", FeeOptions())
            await until(lambda: log.rows[first.hash].status is TransactionStatus.SEEN)
            pending = await node.rpc.call("eth_getTransactionByHash", [first.hash])
            head = await node.rpc.call("eth_getBlockByNumber", ["latest", False])
            frozen = {
                "eth_getTransactionByHash": pending,
                "eth_getBlockByNumber": head,
                "eth_getTransactionReceipt": None,
                "eth_getTransactionCount": "0x0",
            }

            async def lags(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                if request["method"] in frozen:
                    return result(request, frozen[request["method"]])
                return await forward(request)

            late.behaviour = lags
            await node.mine()
            act = net.cancel if how == "cancel" else net.speed_up
            second = await act(first.hash, "r", FAST)
            assert second.nonce == first.nonce
            assert not log.rows[second.hash].is_final
            late.behaviour = honest
            await node.mine(4)
            await until(lambda: all(row.is_final for row in log.rows.values()))
            assert log.rows[first.hash].status is TransactionStatus.FINAL
            assert log.rows[second.hash].status is TransactionStatus.REPLACED
            assert await balance(node, BOB) - before == 7
