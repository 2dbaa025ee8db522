"""What ends a transaction for good is asked of every node: one that lies or lags proves nothing.

Pure but for the questions. Where one node is configured, its word has to do.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chains.evm import model
from chains.evm.codec import integer, quantity
from chains.evm.lifecycle import Observation
from chains.evm.model import Block, Receipt
from chains.evm.rpc import RpcPool
from chains.nodes import Answer, NodeError, parsed
from core.clock import SECOND
from core.transactions import Transaction

_OLD_BLOCKS = 20  # block times behind the others: then a node stands still and has no say
_OLD = 60 * SECOND
_TIMEOUT = 3.0  # float: seconds; a node that is slower has no say
Row = Sequence[Answer]
Seen = tuple[Transaction, Observation]


async def deep_enough(
    rpc: RpcPool, seen: Sequence[Seen], depth: int, block_time: int
) -> list[Seen]:
    """Observations whose receipts are at finality depth, as most nodes see them: left as they are,
    or not deep yet, or in no block at all. Raises CambistError when no node answers."""
    if len(rpc.nodes) < 2 or not seen:
        return list(seen)
    questions: list[tuple[str, list[Any]]] = [("eth_getBlockByNumber", ["latest", False])]
    questions += [("eth_getTransactionReceipt", [one.hash]) for one, _ in seen]
    rows = await rpc.ask_all(questions, _TIMEOUT)
    told = [(_head(row[0]), row[1:]) for row in rows]
    voters = _awake([(head, row) for head, row in told if head is not None], block_time)
    answers = []
    for index, (one, observation) in enumerate(seen):
        votes = [vote for head, row in voters if (vote := _vote(head, row[index]))]
        answers.append((one, _judged(observation, votes, depth)))
    return answers


async def nonce_is_used(rpc: RpcPool, one: Transaction, block: int) -> bool:
    """Whether the nonce was used at a block, and not by the transaction: most nodes count it as
    used, and none has a receipt or waits for it. The receipt is asked for after the count, so that
    an inclusion between two questions does not look like a replacement."""
    questions: list[tuple[str, list[Any]]] = [
        ("eth_getTransactionCount", [one.address, quantity(block)]),
        ("eth_getTransactionByHash", [one.hash]),
        ("eth_getTransactionReceipt", [one.hash]),
    ]
    rows = await rpc.ask_all(questions)
    if any(row[1] is not None or row[2] is not None for row in rows):
        return False
    counts = [parsed(integer, row[0], "count") for row in rows if not isinstance(row[0], NodeError)]
    return sum(count > (one.nonce or 0) for count in counts) * 2 > len(counts)


def _judged(
    observation: Observation, votes: Sequence[tuple[int, Receipt | None]], depth: int
) -> Observation:
    receipt = observation.receipt
    if receipt is None:
        return observation
    there = [head for head, found in votes if found and found.block_hash == receipt.block_hash]
    if sum(head - receipt.block >= depth for head in there) * 2 > len(votes):
        return observation
    if sum(found is None for _, found in votes) * 2 > len(votes):
        return replace(observation, receipt=None, block_gone=True)
    return replace(observation, head=receipt.block)


def _awake(voters: list[tuple[Block, Row]], block_time: int) -> list[tuple[Block, Row]]:
    """Without those that stand still by what they tell themselves."""
    newest = max((head.timestamp for head, _ in voters), default=0)
    oldest = newest - max(_OLD_BLOCKS * block_time, _OLD) // SECOND
    return [(head, row) for head, row in voters if head.timestamp >= oldest]


def _head(answer: Answer) -> Block | None:
    try:
        return parsed(model.block, answer, "block")
    except NodeError:
        return None


def _vote(head: Block, answer: Answer) -> tuple[int, Receipt | None] | None:
    """None for an error, and for what makes no sense."""
    try:
        found = None if answer is None else parsed(model.receipt, answer, "receipt")
    except NodeError:
        return None
    return head.number, found
