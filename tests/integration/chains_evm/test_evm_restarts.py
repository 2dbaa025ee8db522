"""A process that is killed between any two steps: one effect, and a true final state."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from core.errors import Reason, Refused
from core.ports import FeeOptions
from core.transactions import TransactionStatus
from tests.support.evm import ALICE, BOB, KeySigner, anvil, network, until
from tests.support.evm_killed import FileLog

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("point", ["signed", "broadcast"])
async def test_killed_while_sending_has_one_effect(point: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with anvil() as node:
        before = int(await node.rpc.call("eth_getBalance", [BOB, "latest"]), 16)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.evm_killed", node.url, str(path), point
        )
        assert await asyncio.wait_for(child.wait(), 20) == -signal.SIGKILL
        log, signer = FileLog(path), KeySigner()
        (found,) = log.rows.values()
        assert found.status is TransactionStatus.SIGNED
        sent = await node.rpc.call("eth_getTransactionCount", [ALICE, "latest"])
        assert sent == ("0x0" if point == "signed" else "0x1")
        async with network([node.url], log, signer) as net:
            assert [one.hash for one in net.pending(ALICE)] == [found.hash]
            await until(lambda: log.rows[found.hash].is_final)
            again = await net.transfer(
                ALICE, BOB, net.info.native, 10**18, "the intent", FeeOptions()
            )
            assert again.hash == found.hash
            assert again.status is TransactionStatus.FINAL
            assert signer.signed == 0
            after = int(await node.rpc.call("eth_getBalance", [BOB, "latest"]), 16)
            assert after - before == 10**18
            other = await net.transfer(ALICE, BOB, net.info.native, 1, "another", FeeOptions())
            assert other.nonce == 1
            assert (await net.wait_included(other.hash, 10)).succeeded


async def test_the_nonce_of_a_pending_transaction_is_taken_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with anvil("--no-mining") as node:
        async with network([node.url], FileLog(path)) as net:
            first = await net.transfer(ALICE, BOB, net.info.native, 1, "first", FeeOptions())
        await node.rpc.call("anvil_dropTransaction", [first.hash])
        async with network([node.url], FileLog(path)) as net:
            second = await net.transfer(ALICE, BOB, net.info.native, 1, "second", FeeOptions())
            assert (first.nonce, second.nonce) == (0, 1)
            await node.automine(True)
            for one in (first, second):
                assert (await net.wait_included(one.hash, 10)).succeeded


async def test_a_replacement_is_answered_after_its_end_and_a_restart(tmp_path: Path) -> None:
    """What has ended is not followed any more: only the log knows what the request made."""
    path = tmp_path / "log"
    async with anvil("--no-mining") as node:
        async with network([node.url], FileLog(path)) as net:
            first = await net.transfer(ALICE, BOB, net.info.native, 1, "first", FeeOptions())
            made = await net.speed_up(first.hash, "hurry", FeeOptions("fast"))
            await node.mine()
            await until(lambda: not net.pending(ALICE))
        log, signer = FileLog(path), KeySigner()
        assert log.rows[first.hash].status is TransactionStatus.REPLACED
        async with network([node.url], log, signer) as net:
            again = await net.speed_up(first.hash, "hurry", FeeOptions("fast"))
            assert (again.hash, again.status) == (made.hash, TransactionStatus.FINAL)
            with pytest.raises(Refused) as refused:
                await net.cancel(first.hash, "too late", FeeOptions("fast"))
            assert refused.value.reason is Reason.TRANSACTION_FINAL
            assert signer.signed == 0
