"""Transactions of one signer that share a nonce: at most one of them is ever included. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.transactions import Transaction, TransactionStatus

REPLACES = "replaces"  # in Transaction.details of a replacement: the hash that it was made for
REPLACED_BY = "replaced_by"  # and of the one that it was made for: the latest replacement
REQUEST = "request"  # the request that made a replacement
INCLUDED = frozenset(
    {TransactionStatus.INCLUDED, TransactionStatus.FINAL, TransactionStatus.REVERTED}
)
_DEEP = frozenset({TransactionStatus.FINAL, TransactionStatus.REVERTED})


def rivals(transaction: Transaction, others: Iterable[Transaction]) -> list[Transaction]:
    """Those among `others` that have the nonce of a transaction, oldest first, itself left out."""
    if transaction.nonce is None:
        return []
    same = [
        one
        for one in others
        if one.hash != transaction.hash
        and (one.address, one.nonce) == (transaction.address, transaction.nonce)
    ]
    return sorted(same, key=lambda one: one.create_time)


def is_twin(transaction: Transaction, other: Transaction) -> bool:
    """Whether another one does the same in its place: a replacement by fee, not a cancel."""
    return (transaction.address, transaction.nonce, transaction.intent, transaction.purpose) == (
        other.address,
        other.nonce,
        other.intent,
        other.purpose,
    )


def is_superseded(transaction: Transaction, others: Sequence[Transaction]) -> bool:
    """Whether a later one took its place in the pools: then sending it again only makes noise, or
    brings back what was to be replaced. One that no node has taken yet takes no place."""
    return any(
        one.create_time > transaction.create_time and one.status is not TransactionStatus.SIGNED
        for one in rivals(transaction, others)
    )


def outdone(transaction: Transaction, winner: Transaction, now: int) -> list[Transaction]:
    """What becomes of a transaction by a rival's end. The rival's receipt at finality depth is the
    proof; what seems to be in a block itself waits for the chain's word."""
    same = rivals(transaction, [winner])
    if transaction.is_final or transaction.status in INCLUDED or not same:
        return []
    if winner.status not in _DEEP:
        return []
    reason = f"{winner.hash} used its nonce"
    status = TransactionStatus.REPLACED
    return [replace(transaction, status=status, reason=reason, update_time=now)]


def standing(transaction: Transaction) -> tuple[bool, bool, int]:
    """Ranks the transactions of one intent by what tells most of it: a live one, one that was
    included, the last one."""
    return not transaction.is_final, transaction.status in INCLUDED, transaction.create_time
