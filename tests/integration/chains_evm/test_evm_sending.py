"""Transactions on a real node: sent, included, final, refused with a reason."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from eth_account import Account

from chains.evm.abi import selector, uint_word
from chains.evm.codec import create_address, hexadecimal
from chains.evm.erc20 import balance_of
from chains.evm.model import Call, CallError, TransactionPlan
from chains.evm.network import EvmNetwork
from chains.localnet.packages import sandbox_code
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.ports import FeeOptions, Health
from core.transactions import TransactionStatus
from tests.support.evm import (
    ALICE,
    BOB,
    CAROL,
    KEYS,
    Anvil,
    KeySigner,
    MemoryLog,
    anvil,
    network,
    network_info,
    until,
)

pytestmark = pytest.mark.evm
ETHER = 10**18


async def deploy_reverts(node: Anvil) -> str:
    code = hexadecimal(sandbox_code("SandboxReverts"))
    wire = {"from": CAROL, "data": code, "gas": hex(2_000_000)}
    return str((await node.send(wire))["contractAddress"])


def plan_of(to: str, data: bytes, intent: str = "i", gas: int | None = None) -> TransactionPlan:
    return TransactionPlan(ALICE, to, data, 0, intent, "test", gas_limit=gas)


async def send_coin(net: EvmNetwork, intent: str, units: int = ETHER) -> str:
    sent = await net.transfer(ALICE, BOB, net.info.native, units, intent, FeeOptions())
    return sent.hash


async def test_sixteen_at_a_time_from_one_wallet_all_succeed() -> None:
    log = MemoryLog()
    async with anvil() as node, network([node.url, node.websocket], log) as net:
        before = (await net.balances(BOB, [net.info.native]))[0].units or 0
        hashes = await asyncio.gather(*(send_coin(net, f"intent {n}") for n in range(16)))
        included = await asyncio.gather(*(net.wait_included(hash, 10) for hash in hashes))
        assert sorted(one.nonce or 0 for one in included) == list(range(16))
        assert all(one.succeeded for one in included)
        await until(lambda: not net.pending(ALICE))
        assert {row.status for row in log.rows.values()} == {TransactionStatus.FINAL}
        after = (await net.balances(BOB, [net.info.native]))[0].units or 0
        assert after - before == 16 * ETHER


async def test_the_log_has_the_bytes_before_any_node_has_them() -> None:
    class Checking(MemoryLog):
        async def save(self, transaction):  # type: ignore[no-untyped-def]
            if transaction.status is TransactionStatus.SIGNED and not self.rows:
                found = await node.rpc.call("eth_getTransactionByHash", [transaction.hash])
                self.known_before = found is not None
            await super().save(transaction)

    async with anvil() as node:
        log = Checking()
        async with network([node.url], log) as net:
            await net.wait_included(await send_coin(net, "a"), 10)
        assert log.known_before is False
        statuses = [row.status for row in log.history]
        assert statuses[0] is TransactionStatus.SIGNED
        assert statuses[-1] in (TransactionStatus.INCLUDED, TransactionStatus.FINAL)
        assert Account.recover_transaction(log.history[0].raw) == ALICE


async def test_an_intent_is_sent_once_however_often_it_is_asked_for() -> None:
    signer, log = KeySigner(), MemoryLog()
    async with anvil() as node, network([node.url], log, signer) as net:
        hashes = await asyncio.gather(*(send_coin(net, "the same") for _ in range(8)))
        assert len(set(hashes)) == 1
        await net.wait_included(hashes[0], 10)
        assert await send_coin(net, "the same") == hashes[0]
        assert signer.signed == 1
        assert len(log.rows) == 1
    async with anvil() as other, network([other.url], log, signer) as net:
        assert await send_coin(net, "the same") == hashes[0]
        assert signer.signed == 1


async def test_a_caller_that_goes_away_leaves_nothing_half_sent() -> None:
    class Slow(KeySigner):
        def __init__(self) -> None:
            super().__init__()
            self.entered, self.go = asyncio.Event(), asyncio.Event()

        async def sign(self, family: str, address: str, payload: bytes) -> bytes:
            self.entered.set()
            await self.go.wait()
            return await super().sign(family, address, payload)

    signer, log = Slow(), MemoryLog()
    async with anvil() as node, network([node.url], log, signer) as net:
        task = asyncio.create_task(send_coin(net, "gone"))
        await signer.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        signer.go.set()
        await until(lambda: log.rows and next(iter(log.rows.values())).is_final)
        assert next(iter(log.rows.values())).succeeded


async def test_fee_cap_is_refused_before_signing() -> None:
    signer, log = KeySigner(), MemoryLog()
    async with anvil() as node, network([node.url], log, signer) as net:
        with pytest.raises(Refused) as caught:
            await net.transfer(
                ALICE, BOB, net.info.native, 1, "i", FeeOptions(max_fee=Decimal("0.000001"))
            )
        assert caught.value.reason is Reason.FEE_CAP_EXCEEDED
        assert caught.value.metadata["cap"] == "0.000001"
        assert signer.signed == 0
        assert not log.rows
        cap = Decimal("0.0001")
        sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions("fast", cap))
        included = await net.wait_included(sent.hash, 10)
        assert included.fee is not None
        assert included.fee <= cap


@pytest.mark.parametrize("cap", ["-1", "NaN", "Infinity"])
async def test_a_cap_that_is_no_amount_is_refused(cap: str) -> None:
    async with anvil() as node, network([node.url]) as net:
        with pytest.raises(Refused) as caught:
            await net.transfer(
                ALICE, BOB, net.info.native, 1, "i", FeeOptions("fast", Decimal(cap))
            )
        assert caught.value.reason is Reason.FIELD_INVALID


async def test_a_cap_with_more_decimals_than_the_coin_is_cut() -> None:
    async with anvil() as node, network([node.url]) as net:
        cap = Decimal("0.01") + Decimal("1e-30")
        sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions("fast", cap))
        assert (await net.wait_included(sent.hash, 10)).succeeded


@pytest.mark.parametrize("value", [-1, 2**256])
async def test_a_plan_whose_value_is_no_amount_is_refused(value: int) -> None:
    async with anvil() as node, network([node.url]) as net:
        plan = TransactionPlan(ALICE, BOB, b"", value, "i", "test")
        with pytest.raises(Refused) as caught:
            await net.send(plan, FeeOptions())
        assert caught.value.reason is Reason.FIELD_INVALID


async def test_addresses_in_any_case_are_the_same_wallet() -> None:
    async with anvil() as node, network([node.url]) as net:
        plan = TransactionPlan(ALICE.lower(), BOB.lower(), b"", 5, "i", "test")
        sent = await net.send(plan, FeeOptions())
        assert (sent.address, sent.to) == (ALICE, BOB)
        assert (await net.wait_included(sent.hash, 10)).succeeded


async def test_fee_strategies_are_paid_as_named() -> None:
    async with anvil() as node, network([node.url]) as net:
        offered = {}
        for name in ("slow", "normal", "fast"):
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, name, FeeOptions(name))
            await net.wait_included(sent.hash, 10)
            wire = await node.rpc.call("eth_getTransactionByHash", [sent.hash])
            assert wire["type"] == "0x2"
            offered[name] = int(wire["maxFeePerGas"], 16)
        assert offered["slow"] < offered["normal"] < offered["fast"]
        with pytest.raises(Refused) as caught:
            await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions("ludicrous"))
        assert caught.value.reason is Reason.FIELD_INVALID


async def test_a_chain_without_base_fee_gets_legacy_transactions() -> None:
    async with anvil("--hardfork", "berlin") as node, network([node.url]) as net:
        sent = await net.transfer(ALICE, BOB, net.info.native, 1, "old", FeeOptions())
        included = await net.wait_included(sent.hash, 10)
        wire = await node.rpc.call("eth_getTransactionByHash", [sent.hash])
        assert wire["type"] == "0x0"
        assert included.succeeded
        assert net.head is not None
        assert net.head.base_fee is None


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (selector("message()"), "this went wrong"),
        (selector("silent()"), "reverted without a reason"),
        (selector("custom()"), "custom error 0x" + selector("Unlucky(uint256)").hex()),
        (selector("overflow(uint256)") + uint_word(1), "panic 0x11: arithmetic overflow"),
        (selector("burnAllGas()"), "EVM error InvalidFEOpcode"),
    ],
)
async def test_a_call_that_would_revert_is_refused_with_its_reason(
    call: bytes, reason: str
) -> None:
    signer = KeySigner()
    async with anvil() as node, network([node.url], signer=signer) as net:
        to = await deploy_reverts(node)
        for attempt in (net.simulate(plan_of(to, call)), net.send(plan_of(to, call), FeeOptions())):
            with pytest.raises(Refused) as caught:
                await attempt
            assert caught.value.reason is Reason.SIMULATION_FAILED
            assert caught.value.metadata["revert"] == reason
        (answer,) = await net.multicall([Call(to, call)])
        assert isinstance(answer, CallError)
        assert answer.reason == reason
        assert signer.signed == 0


async def test_a_revert_in_the_block_is_told_with_its_reason() -> None:
    async with anvil() as node, network([node.url], info=network_info(depth=2)) as net:
        to = await deploy_reverts(node)
        await node.automine(False)
        once = selector("oncePerBlock()")
        first = await net.send(plan_of(to, once, "first", 100_000), FeeOptions("fast"))
        second = await net.send(plan_of(to, once, "second", 100_000), FeeOptions("fast"))
        await node.mine()
        good, bad = [await net.wait_included(one.hash, 10) for one in (first, second)]
        assert good.succeeded is True
        assert good.reason == ""
        assert bad.succeeded is False
        assert bad.status is TransactionStatus.INCLUDED
        assert bad.reason == "once per block"
        assert bad.fee is not None
        assert bad.fee > 0
        await node.mine(2)
        await until(lambda: not net.pending(ALICE))
        assert (await net.transaction(first.hash)).status is TransactionStatus.FINAL
        assert (await net.transaction(second.hash)).status is TransactionStatus.REVERTED


async def test_a_failed_transaction_with_a_reason_of_its_own_names_it() -> None:
    """The simulation passes, then the world changes: what fails is told by replaying it."""
    async with anvil() as node, network([node.url]) as net:
        to = await deploy_reverts(node)
        once = selector("oncePerBlock()")
        await node.automine(False)
        sent = await net.send(plan_of(to, once, "i", 100_000), FeeOptions())
        code = await node.rpc.call("eth_getCode", [to, "latest"])
        always_fails = "0x" + bytes.fromhex("60006000fd").hex()
        await node.rpc.call("anvil_setCode", [to, always_fails])
        await node.mine()
        bad = await net.wait_included(sent.hash, 10)
        assert bad.succeeded is False
        assert bad.reason == "reverted without a reason"
        assert code != always_fails


async def test_coins_that_are_not_there_are_refused() -> None:
    async with anvil() as node, network([node.url]) as net:
        with pytest.raises(Refused) as caught:
            await send_coin(net, "much", 20_000 * ETHER)
        assert caught.value.reason is Reason.INSUFFICIENT_BALANCE
        assert caught.value.metadata["available"] == "10000"
        assert "the wallet has 10000 ETH and may need 20000." in caught.value.message
        with pytest.raises(Refused) as caught:
            await send_coin(net, "nearly all", 10_000 * ETHER - 1)
        assert caught.value.reason is Reason.INSUFFICIENT_BALANCE


@pytest.mark.parametrize(
    ("to", "units"),
    [(BOB, 0), (BOB, -1), ("0x12", 1), (BOB.lower().upper(), 1), ("0x" + "0" * 40, 1), ("", 1)],
)
async def test_what_cannot_be_meant_is_refused(to: str, units: int) -> None:
    signer = KeySigner()
    async with anvil() as node, network([node.url], signer=signer) as net:
        with pytest.raises(Refused) as caught:
            await net.transfer(ALICE, to, net.info.native, units, "i", FeeOptions())
        assert caught.value.reason is Reason.FIELD_INVALID
        assert signer.signed == 0


async def test_a_signer_without_the_key_refuses_and_the_nonce_stays_free() -> None:
    async with anvil() as node, network([node.url], signer=KeySigner(KEYS[0])) as net:
        with pytest.raises(Refused) as caught:
            await net.transfer(BOB, ALICE, net.info.native, 1, "i", FeeOptions())
        assert caught.value.reason is Reason.WALLET_NOT_FOUND
        assert net.pending(BOB) == []


async def test_a_wrong_signature_never_leaves() -> None:
    class Wrong(KeySigner):
        async def sign(self, family: str, address: str, payload: bytes) -> bytes:
            return await super().sign(family, BOB, payload)

    log = MemoryLog()
    async with anvil() as node, network([node.url], log, Wrong()) as net:
        with pytest.raises(Refused) as caught:
            await send_coin(net, "i")
        assert caught.value.reason is Reason.INTERNAL
        assert not log.rows


async def test_waiting_ends_with_unconfirmed_and_never_with_a_rejection() -> None:
    async with anvil("--no-mining") as node, network([node.url]) as net:
        hash = await send_coin(net, "i")
        with pytest.raises(Unconfirmed) as caught:
            await net.wait_included(hash, 0.05)
        assert caught.value.reason is Reason.OUTCOME_UNKNOWN
        await until(lambda: net.pending(ALICE)[0].status is TransactionStatus.SEEN)
        await node.mine()
        assert (await net.wait_included(hash, 10)).succeeded
        with pytest.raises(CambistError) as unknown:
            await net.wait_included("0x" + "12" * 32, 1)
        assert unknown.value.reason is Reason.TRANSACTION_NOT_FOUND


async def test_nothing_runs_on_for_a_transaction_that_has_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with anvil() as node, network([node.url]) as net:
        await until(lambda: net.head)
        before = len(asyncio.all_tasks())
        sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", FeeOptions())
        await net.wait_included(sent.hash, 10)
        await until(lambda: not net.pending(ALICE))
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert net._watcher._callbacks == []  # who waited has gone
        await node.mine(5)
        await until(lambda: net.height == 6)
        assert [record for record in caplog.records if sent.hash in record.getMessage()] == []


async def test_transactions_of_others_are_told_from_the_chain() -> None:
    async with anvil() as node, network([node.url]) as net:
        wire = {"from": CAROL, "to": BOB, "value": "0x1"}
        hash = (await node.send(wire))["transactionHash"]
        found = await net.transaction(hash)
        assert (found.address, found.to, found.status) == (CAROL, BOB, TransactionStatus.FINAL)
        assert found.succeeded
        with pytest.raises(CambistError) as caught:
            await net.transaction("0x" + "ab" * 32)
        assert caught.value.reason is Reason.TRANSACTION_NOT_FOUND
        with pytest.raises(Refused):
            await net.transaction("0xabc")


async def test_foreign_transactions_from_the_same_key_are_noticed_and_queued_behind() -> None:
    async with anvil("--no-mining") as node, network([node.url]) as net:
        wire = {"from": ALICE, "to": BOB, "value": "0x1"}
        await node.rpc.call("eth_sendTransaction", [wire])
        hash = await send_coin(net, "mine")
        assert net.pending(ALICE)[0].nonce == 1
        await until(lambda: net.condition.health is Health.DEGRADED)
        assert "sent from elsewhere" in net.condition.reason
        await node.mine()
        assert (await net.wait_included(hash, 10)).succeeded
        await until(lambda: net.condition.health is Health.READY)


async def test_wrap_unwrap_and_token_metadata() -> None:
    async with anvil() as node:
        code = hexadecimal(_weth())
        wire = {"from": CAROL, "data": code, "gas": hex(2_000_000)}
        await node.send(wire)
        weth = create_address(CAROL, 0)
        async with network([node.url], info=network_info(wrapped=weth)) as net:
            wrapped = await net.wrap(ALICE, 3 * ETHER, "w", FeeOptions())
            await net.wait_included(wrapped.hash, 10)
            token = await net.token(weth.lower())
            assert (token.symbol, token.decimals, token.name) == ("WETH", 18, "Wrapped Ether")
            moved = await net.transfer(ALICE, BOB, token, ETHER, "t", FeeOptions())
            await net.wait_included(moved.hash, 10)
            back = await net.unwrap(ALICE, ETHER, "u", FeeOptions())
            await net.wait_included(back.hash, 10)
            _, balance = await net.balances(ALICE, [net.info.native, token])
            assert balance.units == ETHER
            assert balance.total == Decimal(1)
            assert (await net.balances(BOB, [token]))[0].units == ETHER
            receipt = await net.receipt(moved.hash)
            assert receipt is not None
            assert receipt.status
            assert int.from_bytes(receipt.logs[0].data, "big") == ETHER
            logs = await net.logs(0, net.height, [weth], [receipt.logs[0].topics[0]])
            assert [log.transaction for log in logs] == [moved.hash]
            for nobody in (BOB, "0x" + "77" * 20):
                with pytest.raises(CambistError) as caught:
                    await net.balances(ALICE, [replace(token, address=nobody)])
                assert caught.value.reason is Reason.TOKEN_NOT_FOUND
                with pytest.raises(CambistError) as caught:
                    await net.token(nobody)
                assert caught.value.reason is Reason.TOKEN_NOT_FOUND
            results = await net.multicall([Call(weth, balance_of(ALICE))] * 250)
            assert results == [ETHER.to_bytes(32, "big")] * 250


async def test_a_network_without_a_wrapped_coin_says_so() -> None:
    async with anvil() as node, network([node.url]) as net:
        with pytest.raises(Refused) as caught:
            await net.wrap(ALICE, 1, "w", FeeOptions())
        assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE


async def test_every_change_is_told_in_order_and_a_bad_callback_harms_nobody() -> None:
    async with anvil() as node, network([node.url], info=network_info(depth=1)) as net:
        heard: list[TransactionStatus] = []
        failures: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))

        def bad(_: object) -> None:
            raise RuntimeError("a subscriber's own bug")

        net.on_transaction(bad)
        unsubscribe = net.on_transaction(lambda one: heard.append(one.status))
        hash = await send_coin(net, "i")
        await net.wait_included(hash, 10)
        await node.mine()
        await until(lambda: TransactionStatus.FINAL in heard)
        unsubscribe()
        assert heard[0] is TransactionStatus.SIGNED
        order = [status for status in heard if status is not TransactionStatus.SEEN]
        assert order[-2:] == [TransactionStatus.INCLUDED, TransactionStatus.FINAL]
        assert failures


def _weth() -> bytes:
    from chains.localnet.packages import creation_code
    from tests.support.evm import installed

    return creation_code(installed(), "weth")
