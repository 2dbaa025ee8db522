"""What a transaction costs where chains differ: no base fee to pay, no history, rollups that charge
for data, nodes that would have us overpay."""

from decimal import Decimal
from typing import Any

import pytest

from chains.evm.data_fee import ORACLE
from chains.evm.envelope import opened
from chains.evm.network import EvmNetwork
from core.clock import SystemClock
from core.errors import Reason, Refused
from core.ports import FeeOptions
from tests.support.evm import ALICE, BOB, KeySigner, MemoryLog, anvil, network, network_info, until
from tests.support.evm_proxy import Behaviour, Forward, error, proxy, result

pytestmark = pytest.mark.evm
GWEI = Decimal("0.000000001")
DATA_FEE = 10**15  # wei


def history(tip: int) -> dict[str, Any]:
    row = [hex(tip)] * 3
    return {"oldestBlock": "0x0", "reward": [row] * 10, "gasUsedRatio": [0.5] * 10}


def telling(base_fee: int | None = None, **answers: Any) -> Behaviour:
    """Honest but for the answers named by method, None for a method that there is not, and for the
    base fee."""

    async def behave(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
        method = request["method"]
        if method in answers:
            told = answers[method]
            return (
                error(request, -32601, "no such method") if told is None else result(request, told)
            )
        answer = await forward(request)
        if method == "eth_getBlockByNumber" and base_fee is not None:
            answer["result"]["baseFeePerGas"] = hex(base_fee)
        return answer

    return behave


def returning(word: int) -> str:
    """Code that answers every call with a word."""
    return "0x7f" + word.to_bytes(32, "big").hex() + "60005260206000f3"


async def test_without_a_base_fee_to_pay_nothing_below_what_nodes_take_is_offered() -> None:
    """Blocks of such chains hold transactions of validators, which pay nothing: no example."""
    async with anvil() as node, proxy(node.url) as free:
        free.behaviour = telling(
            0, eth_feeHistory=history(0), eth_maxPriorityFeePerGas=hex(10**9), eth_gasPrice="0x1"
        )
        async with network([free.url]) as net:
            for estimate in await net.estimate_fees():
                assert (estimate.base_price, estimate.priority_price) == (0, GWEI)
                assert estimate.unit_price == GWEI


@pytest.mark.parametrize("suggestion", [None, "soon"])
async def test_where_history_and_suggestion_are_missing_the_gas_price_tells(
    suggestion: str | None,
) -> None:
    async with anvil() as node, proxy(node.url) as bare:
        bare.behaviour = telling(
            10**9,
            eth_feeHistory=None,
            eth_maxPriorityFeePerGas=suggestion,
            eth_gasPrice=hex(3 * 10**9),
        )
        async with network([bare.url]) as net:
            _, normal, _ = await net.estimate_fees()
            assert normal.priority_price == 2 * GWEI
            assert normal.unit_price == 4 * GWEI


@pytest.mark.parametrize("lie", [0, 10**18])
async def test_a_node_that_lies_about_tips_is_not_believed(lie: int) -> None:
    async with anvil() as node, proxy(node.url) as a, proxy(node.url) as b, proxy(node.url) as c:
        a.behaviour = telling(eth_feeHistory=history(lie), eth_maxPriorityFeePerGas=hex(lie))
        b.behaviour = telling(eth_feeHistory=history(2 * 10**9))
        c.behaviour = telling(eth_feeHistory=history(3 * 10**9))
        async with network([a.url, b.url, c.url]) as net:
            _, normal, _ = await net.estimate_fees()
            assert normal.priority_price in (2 * GWEI, 3 * GWEI)


async def test_a_networks_cap_holds_where_a_request_names_none_or_a_higher_one() -> None:
    async with anvil() as node:
        arguments = (network_info(), [node.url], SystemClock(), KeySigner(), MemoryLog(), 0.02)
        net = EvmNetwork(*arguments, max_fee=Decimal("0.0000001"))
        await net.start()
        try:
            for named in (None, Decimal(1)):
                options = FeeOptions(max_fee=named)
                with pytest.raises(Refused) as caught:
                    await net.transfer(ALICE, BOB, net.info.native, 1, "i", options)
                assert caught.value.reason is Reason.FEE_CAP_EXCEEDED
            assert net.pending(ALICE) == []
        finally:
            await net.stop()


async def test_a_rollups_price_of_data_is_told_capped_afforded_and_paid() -> None:
    log = MemoryLog()
    async with anvil() as node, proxy(node.url) as rollup:
        await node.rpc.call("anvil_setCode", [ORACLE, returning(DATA_FEE)])

        async def charges(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
            answer = await forward(request)
            if request["method"] == "eth_getTransactionReceipt" and answer["result"]:
                answer["result"]["l1Fee"] = hex(DATA_FEE)
            return answer

        rollup.behaviour = charges
        async with network([rollup.url], log) as net:
            estimates = await net.estimate_fees()
            data_fee = Decimal(DATA_FEE * 5 // 4).scaleb(-18)
            for one in estimates:
                assert one.data_fee == data_fee
                assert one.transfer_fee == one.unit_price * 21_000 + data_fee
            options = FeeOptions(max_fee=Decimal(DATA_FEE).scaleb(-18))
            with pytest.raises(Refused) as caught:
                await net.transfer(ALICE, BOB, net.info.native, 1, "capped", options)
            assert caught.value.reason is Reason.FEE_CAP_EXCEEDED
            assert Decimal(caught.value.metadata["fee"]) > Decimal(DATA_FEE).scaleb(-18)

            balance = int(await node.rpc.call("eth_getBalance", [ALICE, "latest"]), 16)
            gas = int(estimates[1].unit_price.scaleb(18)) * 21_000
            rest = balance - gas - DATA_FEE // 2  # enough for the gas alone
            with pytest.raises(Refused) as caught:
                await net.transfer(ALICE, BOB, net.info.native, rest, "poor", FeeOptions())
            assert caught.value.reason is Reason.INSUFFICIENT_BALANCE

            options = FeeOptions(max_fee=estimates[1].transfer_fee)
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "i", options)
            included = await net.wait_included(sent.hash, 10)
            receipt = await net.receipt(sent.hash)
            assert receipt is not None
            paid = receipt.gas_used * receipt.effective_gas_price + DATA_FEE
            assert included.fee == Decimal(paid).scaleb(-18)


async def test_coins_to_a_contract_have_a_margin_of_gas() -> None:
    """A recipient that runs code may need more in the block than when it was estimated."""
    recipient = "0x" + "77" * 20
    async with anvil("--no-mining") as node:
        await node.rpc.call("anvil_setCode", [recipient, "0x43600055"])  # storage[0] = block number
        async with network([node.url]) as net:
            sent = await net.transfer(ALICE, recipient, net.info.native, 1, "i", FeeOptions())
            assert opened(sent.raw).gas_limit > 43_000 * 6 // 5
            plain = await net.transfer(ALICE, BOB, net.info.native, 1, "j", FeeOptions())
            assert opened(plain.raw).gas_limit == 21_000
            await node.mine()
            assert (await net.wait_included(sent.hash, 10)).succeeded
            await until(lambda: not net.pending(ALICE))
