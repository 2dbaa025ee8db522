"""Looks at the chain for transactions of ours: one or two round trips for any number of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm import model
from chains.evm.codec import integer, quantity
from chains.evm.heads import HeadTracker
from chains.evm.lifecycle import BLOCK_HASH, Observation
from chains.evm.model import Receipt
from chains.evm.proof import deep_enough, nonce_is_used
from chains.evm.reverts import failure
from chains.evm.rpc import RpcPool
from chains.nodes import Answer, NodeError, parsed
from core.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out about one transaction; None where no node could tell."""

    transaction: Transaction
    observation: Observation | None
    missing: bool = False  # the node asked does not know it at all

    @property
    def waiting(self) -> bool:
        """Whether it is in no block."""
        return self.observation is not None and self.observation.receipt is None

    def ends_at(self, head: int, depth: int) -> bool:
        """Whether its receipt is at finality depth."""
        receipt = self.observation.receipt if self.observation else None
        return receipt is not None and head - receipt.block >= depth


def as_receipt(answer: Answer) -> Receipt | None:
    """None for no receipt; NodeError for a malformed one, or for a node's own error."""
    return None if answer is None else parsed(model.receipt, answer, "receipt")


class Observer:
    """Asks nodes about transactions, and trusts no single "unknown"."""

    def __init__(self, rpc: RpcPool, heads: HeadTracker, depth: int, block_time: int) -> None:
        self._rpc = rpc
        self._heads = heads
        self._depth = depth
        self._block_time = block_time  # ns

    async def look(self, transactions: Sequence[Transaction]) -> list[Look]:
        """Raises CambistError when no node answers."""
        if self._heads.head is None:
            return []
        open_ones = [one for one in transactions if self._is_open(one, self._heads.head.number)]
        answers = await self._rpc.agreed(
            [("eth_getTransactionReceipt", [one.hash]) for one in open_ones]
        )
        looks, unknown = [], []
        for one, answer in zip(open_ones, answers, strict=True):
            try:
                receipt = as_receipt(answer)
            except NodeError:
                continue
            if receipt is None:
                unknown.append(one)
            else:
                if receipt.block > self._heads.head.number:
                    await self._heads.poll()  # whoever hears of it must find the block there
                if self._heads.is_canonical(receipt.block, receipt.block_hash) is not False:
                    looks.append(await self._included(one, receipt, self._heads.head.number))
        looks = await self._proved(looks, self._heads.head.number)
        return looks + await self._without_receipt(unknown, self._heads.head.number)

    async def _proved(self, looks: Sequence[Look], head: int) -> list[Look]:
        """The same; but what would end by one node's word is asked of all."""
        ending = [look for look in looks if look.ends_at(head, self._depth)]
        seen = [(look.transaction, look.observation) for look in ending if look.observation]
        proved = await deep_enough(self._rpc, seen, self._depth, self._block_time)
        rest = [look for look in looks if not look.ends_at(head, self._depth)]
        return rest + [Look(one, told, missing=told.receipt is None) for one, told in proved]

    def _is_open(self, one: Transaction, head: int) -> bool:
        """Whether there is anything to ask: not for one in a block that is still there and is not
        deep enough."""
        if one.block is None or head - one.block >= self._depth:
            return True
        return self._heads.is_canonical(one.block, one.details.get(BLOCK_HASH, "")) is not True

    async def _included(self, one: Transaction, receipt: Receipt, head: int) -> Look:
        reason = ""
        if not receipt.status and one.succeeded is None:
            reason = await self._why(one, receipt)
        gone = one.block is not None and (
            self._heads.is_canonical(one.block, one.details.get(BLOCK_HASH, "")) is False
        )
        seen = Observation(head, receipt=receipt, revert_reason=reason, block_gone=gone)
        return Look(one, seen)

    async def _without_receipt(self, unknown: Sequence[Transaction], head: int) -> list[Look]:
        # Never the newest block: a node may show its state a moment before its receipts.
        deep = max(self._depth, 1)
        depth_block = max(head - deep, 0)
        questions: list[tuple[str, list[Any]]] = []
        for one in unknown:
            questions += [
                ("eth_getTransactionByHash", [one.hash]),
                ("eth_getTransactionCount", [one.address, quantity(depth_block)]),
                ("eth_getBlockByNumber", [quantity(one.block or 0), False]),
            ]
        answers = await self._rpc.batch(questions)
        looks = []
        for index, one in enumerate(unknown):
            found, count, block = answers[index * 3 : index * 3 + 3]
            waits = one.block is None and head >= deep and not isinstance(found, dict)
            used = waits and await self._is_replaced(one, count, depth_block)
            seen = Observation(
                head,
                in_pool=isinstance(found, dict),
                block_gone=one.block is not None and self._gone(one, block),
                nonce_used=used,
            )
            looks.append(Look(one, seen, missing=found is None and not used))
        return looks

    def _gone(self, one: Transaction, block: Answer) -> bool:
        """Whether the block that included a transaction is proved to be off the chain."""
        known = one.details.get(BLOCK_HASH, "")
        canonical = self._heads.is_canonical(one.block or 0, known)
        if canonical is None:
            return isinstance(block, dict) and block.get("hash") != known
        return not canonical

    async def _is_replaced(self, one: Transaction, count: Answer, block: int) -> bool:
        """Whether another transaction has used the nonce; asked of every node only when it seems
        so."""
        if isinstance(count, NodeError) or parsed(integer, count, "count") <= (one.nonce or 0):
            return False
        return await nonce_is_used(self._rpc, one, block)

    async def _why(self, one: Transaction, receipt: Receipt) -> str:
        """The revert reason, from replaying the call on the state before the block; where it passes
        there, something within the block broke it, and the state after the block shows what."""
        found = await self._rpc.call("eth_getTransactionByHash", [one.hash])
        if not isinstance(found, dict):
            return "reverted"
        if parsed(lambda wire: integer(wire["gas"]), found, "transaction") == receipt.gas_used:
            return "out of gas"
        wire = {"data": found.get("input")}
        wire |= {key: found.get(key) for key in ("from", "to", "value", "gas")}
        for block in (receipt.block - 1, receipt.block):
            try:
                await self._rpc.call("eth_call", [wire, quantity(block)])
            except NodeError as error:
                failed = failure(error.text, error.data)
                return failed[0] if failed else f"reverted (no replay: {error.text[:200]})"
        return "reverted; alone, before its block or after it, it would not have"
