"""The life of a transaction: what a node says, and what follows. Pure.

Terminal states need proof: FINAL and REVERTED a finalized block, DROPPED an expired blockhash and a
node that has all blocks since and the transaction in none. Not being known proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chains.solana import reasons
from chains.solana.wire import Meta, Status
from core.money import from_units
from core.transactions import Transaction, TransactionStatus

# In Transaction.details: the slot at which its blockhash was fetched. A node without the blocks
# since then cannot tell whether the transaction is in one of them.
SIGNED_SLOT = "signed_slot"
_WAITING = frozenset(
    {
        TransactionStatus.SIGNED,
        TransactionStatus.BROADCAST,
        TransactionStatus.SEEN,
        TransactionStatus.REORGANISED,
    }
)


_RANK = {"processed": 0, "confirmed": 1, "finalized": 2}


@dataclass(frozen=True, slots=True)
class Death:
    """What a node says of a transaction that it does not know. `answer_slot` is where it was when
    it said so: behind one url there may be several machines, and one of them may lag."""

    finalized_height: int
    finalized_slot: int
    first_available_slot: int
    answer_slot: int


def is_waiting(transaction: Transaction) -> bool:
    """Whether it is in no confirmed block, so that it should be sent again."""
    return transaction.status in _WAITING


def taken(transaction: Transaction, now: int) -> Transaction:
    """A node has taken it."""
    if transaction.status is not TransactionStatus.SIGNED:
        return transaction
    return replace(transaction, status=TransactionStatus.BROADCAST, update_time=now)


def furthest(statuses: Sequence[Status | None]) -> Status | None:
    """Of what several nodes say of one transaction; None if none knows it."""
    known = [status for status in statuses if status is not None]
    return max(known, key=lambda one: _RANK.get(one.confirmation_status or "", 0), default=None)


def agreed(statuses: Sequence[Status | None], quorum: int) -> Status | None:
    """The furthest that at least `quorum` nodes have seen; None if fewer know it."""
    known = [status for status in statuses if status is not None]
    known.sort(key=lambda one: _RANK.get(one.confirmation_status or "", 0), reverse=True)
    return known[quorum - 1] if len(known) >= quorum else None


def follow(
    transaction: Transaction, status: Status | None, context_slot: int, now: int
) -> Transaction:
    """What a transaction becomes by a status, None of which is a node's "I do not know it", at
    the slot of the answer. The same object if nothing changed."""
    if transaction.is_final:
        return transaction
    if status is None:
        return _unknown(transaction, context_slot, now)
    if status.confirmation_status == "processed" or status.confirmation_status is None:
        if is_waiting(transaction) and transaction.status is not TransactionStatus.SEEN:
            return replace(transaction, status=TransactionStatus.SEEN, update_time=now)
        return transaction
    succeeded = status.err is None
    reached = TransactionStatus.INCLUDED
    if status.confirmation_status == "finalized":
        reached = TransactionStatus.FINAL if succeeded else TransactionStatus.REVERTED
    same = transaction.status is reached and transaction.block == status.slot
    if same and transaction.succeeded is succeeded:
        return transaction
    return replace(
        transaction,
        status=reached,
        block=status.slot,
        succeeded=succeeded,
        reason=transaction.reason if succeeded or transaction.reason else reasons.words(status.err),
        update_time=now,
    )


def _unknown(transaction: Transaction, context_slot: int, now: int) -> Transaction:
    """Included and then unknown: its fork was abandoned, unless the node only lags behind."""
    included = transaction.status is TransactionStatus.INCLUDED
    if not included or transaction.block is None or context_slot <= transaction.block:
        return transaction
    return replace(
        transaction,
        status=TransactionStatus.REORGANISED,
        block=None,
        succeeded=None,
        fee=None,
        reason="its block was abandoned",
        update_time=now,
    )


def receipt(transaction: Transaction, meta: Meta, decimals: int) -> Transaction:
    """With the fee that was paid, and a failure in the program's own words."""
    reason = "" if meta.err is None else reasons.explain(meta.err, meta.log_messages)
    return replace(transaction, fee=from_units(meta.fee, decimals), reason=reason)


def may_be_dead(transaction: Transaction, height: int) -> bool:
    """Whether it is worth asking for proof."""
    last = transaction.last_valid_height
    return is_waiting(transaction) and last is not None and height > last


def bury(transaction: Transaction, death: Death, last_trouble: str, now: int) -> Transaction:
    """DROPPED if there is proof; the same object if there is none.

    The finalized chain is higher than the last height at which it could be included, and the node
    that does not know it has every block from when it was signed to there.
    """
    if not is_waiting(transaction):
        return transaction
    last = transaction.last_valid_height
    signed_slot = int(transaction.details.get(SIGNED_SLOT, "-1"))
    if last is None or death.finalized_height <= last:
        return transaction
    if death.first_available_slot > signed_slot or death.answer_slot < death.finalized_slot:
        return transaction
    said = f"; nodes said: {last_trouble}" if last_trouble else ""
    return replace(
        transaction,
        status=TransactionStatus.DROPPED,
        reason=f"its blockhash expired at block height {last}: it can never be included{said}",
        update_time=now,
    )
