"""A transaction on a chain and the states of its life; the same for EVM and Solana."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum


class TransactionStatus(Enum):
    """Where a transaction is. Only `FINAL_STATUSES` are for good, and each needs proof."""

    PLANNED = 1
    SIMULATED = 2
    SIGNED = 3  # raw bytes journaled
    BROADCAST = 4
    SEEN = 5  # a node reports it as pending
    INCLUDED = 6  # in a block, not yet deep enough
    FINAL = 7  # in a block at finality depth, succeeded
    REVERTED = 8  # in a block at finality depth, failed
    REPLACED = 9  # its nonce was used by another transaction
    DROPPED = 10  # proof that it can never be included (Solana: blockhash expired)
    REORGANISED = 11  # was included, its block is gone; back to waiting


FINAL_STATUSES = frozenset(
    {
        TransactionStatus.FINAL,
        TransactionStatus.REVERTED,
        TransactionStatus.REPLACED,
        TransactionStatus.DROPPED,
    }
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One signed transaction. `raw` is what was, and will again be, broadcast.

    `intent` ties it to the mutation that asked for it (the client order id of a pool order, the
    request id of a transfer); at most one live transaction an intent, replacements excepted.
    """

    network: str
    address: str  # the signer
    intent: str
    purpose: str  # "swap", "transfer", "approve", "wrap", "unwrap", …
    hash: str
    raw: bytes
    status: TransactionStatus
    nonce: int | None = None  # EVM
    last_valid_height: int | None = None  # Solana
    to: str = ""
    succeeded: bool | None = None  # known once included
    block: int | None = None
    fee: Decimal | None = None  # paid, native token
    reason: str = ""  # revert reason, why dropped
    details: dict[str, str] = field(default_factory=dict, hash=False)
    create_time: int = 0
    update_time: int = 0

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in FINAL_STATUSES
