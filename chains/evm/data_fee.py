"""What rollups of the OP stack charge besides gas: posting a transaction's bytes to Ethereum.

A contract at the same address on each of them tells it; whether it is there is asked once. Other
rollups (Arbitrum) have it in the gas. https://docs.optimism.io/op-stack/transactions/fees
"""

from typing import Any

from chains.evm.abi import WORD, selector, tail, uint_at, uint_word
from chains.evm.codec import hexadecimal, unhex
from chains.evm.envelope import Envelope
from chains.evm.fees import TRANSFER_GAS, Fees
from chains.evm.model import Block, TransactionPlan
from chains.evm.rpc import RpcPool
from chains.nodes import Answer, NodeError, parsed

ORACLE = "0x420000000000000000000000000000000000000F"
_TYPICAL = Fees(10**9, 10**8)  # prices and a nonce of a usual length: only the bytes' number counts
_NONCE = 2**16
_NOBODY = "0x" + "11" * 20


class DataFees:
    """Stateless but for one fact: whether the network has such a fee."""

    def __init__(self, rpc: RpcPool) -> None:
        self._rpc = rpc
        self._charged: bool | None = None

    async def questions(self, plan: TransactionPlan, head: Block) -> list[tuple[str, list[Any]]]:
        """What to ask with other things in one round trip; empty where there is no such fee. Raises
        CambistError when no node answers."""
        if head.base_fee is None or not await self._is_charged():
            return []
        gas = plan.gas_limit or 10 * TRANSFER_GAS
        raw = Envelope(
            self._rpc.chain_id, _NONCE, _TYPICAL, gas, plan.to, plan.value, plan.data
        ).unsigned()
        data = selector("getL1Fee(bytes)") + uint_word(WORD) + tail(raw)
        return [("eth_call", [{"to": ORACLE, "data": hexadecimal(data)}, "latest"])]

    async def of_transfer(self, head: Block) -> int | None:
        """For a transfer of the coin, in wei; None where there is no such fee."""
        plan = TransactionPlan("", _NOBODY, b"", 10**18, "", "", gas_limit=TRANSFER_GAS)
        questions = await self.questions(plan, head)
        return at_most(await self._rpc.batch(questions)) if questions else None

    async def _is_charged(self) -> bool:
        if self._charged is None:
            try:
                code = await self._rpc.call("eth_getCode", [ORACLE, "latest"])
            except NodeError:
                return False
            self._charged = isinstance(code, str) and len(code) > 2
        return self._charged


def at_most(answers: list[Answer]) -> int:
    """What an answer to the questions means, in wei: a quarter more than now, because the price
    follows Ethereum's blocks, an eighth a block. 0 where nothing was asked."""
    if not answers:
        return 0
    try:
        fee = uint_at(parsed(unhex, answers[0], "data fee"))
    except ValueError as error:
        raise NodeError(0, f"malformed data fee: {error}") from error
    return fee + fee // 4
