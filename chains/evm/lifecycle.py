"""The life of a transaction: what is known of it, and what follows. Pure.

Terminal states need proof: FINAL and REVERTED a receipt at finality depth, REPLACED another use of
the nonce at finality depth. A node that does not know a transaction proves nothing.
"""

from dataclasses import dataclass, replace

from chains.evm.model import Receipt
from core.money import from_units
from core.transactions import Transaction, TransactionStatus

BLOCK_HASH = "block_hash"  # in Transaction.details, while included
_WAITING = frozenset(
    {TransactionStatus.SIGNED, TransactionStatus.BROADCAST, TransactionStatus.REORGANISED}
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What nodes say of one transaction when the head is `head`.

    `block_gone`: the block that included it is no longer part of the chain. `nonce_used`: at
    finality depth its nonce is used, while no node has a receipt of it.
    """

    head: int
    receipt: Receipt | None = None
    revert_reason: str = ""
    in_pool: bool = False
    block_gone: bool = False
    nonce_used: bool = False


def follow(
    transaction: Transaction, seen: Observation, depth: int, decimals: int, now: int
) -> list[Transaction]:
    """The states that a transaction passes through because of an observation, oldest first."""
    if transaction.is_final:
        return []
    steps: list[Transaction] = []
    current = transaction

    def step(status: TransactionStatus, **changes: object) -> None:
        nonlocal current
        current = replace(current, status=status, update_time=now, **changes)  # type: ignore[arg-type]
        steps.append(current)

    included_in = current.details.get(BLOCK_HASH, "")
    moved = seen.receipt is not None and seen.receipt.block_hash != included_in
    if included_in and seen.block_gone and seen.receipt is not None and not moved:
        return []  # two nodes contradict each other: the next look will tell
    if included_in and (moved or seen.block_gone):
        rest = {key: text for key, text in current.details.items() if key != BLOCK_HASH}
        step(
            TransactionStatus.REORGANISED,
            succeeded=None,
            block=None,
            fee=None,
            reason="its block was reorganised away",
            details=rest,
        )
        included_in = ""
    if seen.receipt is not None:
        if not included_in:
            step(
                TransactionStatus.INCLUDED,
                succeeded=seen.receipt.status,
                block=seen.receipt.block,
                fee=from_units(seen.receipt.fee, decimals),
                reason="" if seen.receipt.status else seen.revert_reason,
                details={**current.details, BLOCK_HASH: seen.receipt.block_hash},
            )
        if seen.head - seen.receipt.block >= depth:
            step(TransactionStatus.FINAL if seen.receipt.status else TransactionStatus.REVERTED)
    elif included_in:
        pass  # a node without the receipt may lag; only the block's end is proof
    elif seen.nonce_used:
        step(TransactionStatus.REPLACED, reason="another transaction used its nonce")
    elif seen.in_pool and current.status in _WAITING:
        step(TransactionStatus.SEEN, reason="")
    return steps
