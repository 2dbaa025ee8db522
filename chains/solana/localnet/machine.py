"""The virtual machine: LiteSVM with our own idea of signatures, blockhashes and duplicates.

LiteSVM knows one blockhash at a time and forgets transactions; a node accepts 150 blockhashes and
remembers. So its checks are off, and `chain.py` makes them as a validator does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.account import Account
from solders.clock import Clock as SysvarClock
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from chains.solana.localnet.slots import Slots
from chains.solana.programs import LOOKUP_TABLE

_SLOTS_PER_EPOCH = 432_000
_SLOT_HASHES = 512
_LOOKUP_TABLE = Pubkey.from_string(LOOKUP_TABLE)
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_TABLE_HEADER = 56  # bytes before the addresses of a lookup table


@dataclass(frozen=True, slots=True)
class Loaded:
    """Addresses that a message takes from lookup tables."""

    writable: tuple[Pubkey, ...] = ()
    readonly: tuple[Pubkey, ...] = ()


def message_of(transaction: VersionedTransaction) -> Message | MessageV0:
    """The message; ValueError for a version that clusters do not accept yet."""
    message = transaction.message
    if not isinstance(message, Message | MessageV0):
        raise ValueError("only legacy and version 0 messages are supported")
    return message


class Machine:
    """Accounts and execution. `charged` tells executed from refused: see `execute`."""

    def __init__(self, slots: Slots) -> None:
        self._svm = (
            LiteSVM().with_sigverify(False).with_blockhash_check(False).with_transaction_history(0)
        )
        self._slots = slots
        self._slot = -1

    def account(self, address: Pubkey) -> Account | None:
        """As it is now; one without lamports does not exist."""
        if address == _CLOCK:
            self._move_clock()
        account = self._svm.get_account(address)
        return account if account is not None and account.lamports else None

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Overwrites an account: for loading, and for genesis."""
        self._svm.set_account(address, account)

    def owned_by(self, program: Pubkey) -> Sequence[tuple[Pubkey, Account]]:
        """Every account of a program."""
        return self._svm.get_program_accounts(program)

    def rent(self, size: int) -> int:
        """Lamports that make an account of a size rent-exempt."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def loaded(self, message: Message | MessageV0) -> Loaded:
        """What a message's lookup tables stand for; IndexError or ValueError if they are wrong."""
        writable: list[Pubkey] = []
        readonly: list[Pubkey] = []
        for lookup in message.address_table_lookups if isinstance(message, MessageV0) else ():
            table = self.account(lookup.account_key)
            if table is None or table.owner != _LOOKUP_TABLE:
                raise ValueError(f"no lookup table {lookup.account_key}")
            body = bytes(table.data)[_TABLE_HEADER:]
            keys = [Pubkey(body[i : i + 32]) for i in range(0, len(body), 32)]
            writable += [keys[index] for index in lookup.writable_indexes]
            readonly += [keys[index] for index in lookup.readonly_indexes]
        return Loaded(tuple(writable), tuple(readonly))

    def execute(
        self, transaction: VersionedTransaction
    ) -> tuple[TransactionMetadata | FailedTransactionMetadata, bool]:
        """Runs a transaction for good. The flag tells whether its payer was charged: a validator
        includes failed transactions that could pay, and drops those that could not."""
        self._prepare(message_of(transaction))
        payer = transaction.message.account_keys[0]
        before = self._svm.get_balance(payer)
        result = self._svm.send_transaction(transaction)
        succeeded = isinstance(result, TransactionMetadata)
        return result, succeeded or self._svm.get_balance(payer) != before

    def simulate(
        self, transaction: VersionedTransaction
    ) -> tuple[TransactionMetadata | FailedTransactionMetadata, dict[Pubkey, Account]]:
        """Runs a transaction without effect; with the accounts as it would leave them."""
        self._prepare(message_of(transaction))
        result = self._svm.simulate_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return result, {}
        return result.meta(), dict(result.post_accounts())

    def _prepare(self, message: Message | MessageV0) -> None:
        self._move_clock()
        if _LOOKUP_TABLE in message.account_keys:  # making a table needs a recent slot
            self._svm.set_slot_hashes(self._slots.hashes(_SLOT_HASHES))

    def _move_clock(self) -> None:
        slot = self._slots.block().slot
        if slot != self._slot:
            self._slot = slot
            epoch, into = divmod(slot, _SLOTS_PER_EPOCH)
            now = self._slots.unix_time(slot)
            start = self._slots.unix_time(slot - into)
            self._svm.set_clock(SysvarClock(slot, start, epoch, epoch + 1, now))
