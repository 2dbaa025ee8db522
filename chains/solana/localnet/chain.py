"""A chain of one node: checks a transaction as a validator does, runs it, and keeps what it did."""

import json
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from chains.solana import fees
from chains.solana.localnet import encode_accounts, encode_transactions
from chains.solana.localnet.machine import Machine, message_of
from chains.solana.localnet.slots import SLOT_TIME, Slots
from chains.solana.localnet.store import Row, Store
from core.clock import Clock

FILE = "chain.sqlite"
_FEE_SAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a transaction would do. `error` is the RPC's JSON, None for success."""

    error: Any
    logs: list[str]
    units: int
    fee: int | None
    return_data: dict[str, Any] | None
    accounts: dict[Pubkey, Account]


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction that was included: its accounts, and those that it changed as they are then
    (None: gone)."""

    slot: int
    signature: str
    error: Any
    logs: list[str]
    keys: list[Pubkey]
    changed: dict[Pubkey, Account | None]


class Chain:
    """Slots, accounts and transactions of one directory."""

    def __init__(self, directory: Path, clock: Clock, slot_time: int = SLOT_TIME) -> None:
        self.store = Store(directory / FILE)
        with self.store.atomic():
            if self.store.fact("genesis") is None:
                self.store.set_fact("genesis", str(Hash(secrets.token_bytes(32))))
                self.store.set_fact("genesis_time", str(clock.now()))
        self.genesis = Hash.from_string(self.store.fact("genesis") or "")
        started = int(self.store.fact("genesis_time") or "")
        self.slots = Slots(clock, started, self.genesis, slot_time)
        self.machine = Machine(self.slots)
        for address, account in self.store.accounts():
            self.machine.set_account(address, account)
        # Called with each transaction that was included, in order.
        self.listeners: list[Callable[[Landed], None]] = []
        # (slot, micro-lamports a unit) of what landed lately
        self.prices: deque[tuple[int, int]] = deque(maxlen=_FEE_SAMPLES)

    def close(self) -> None:
        """Ends it; nothing is lost by not calling this."""
        self.store.close()

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Overwrites an account, for genesis; as durable as a transaction."""
        self.machine.set_account(address, account)
        self.store.put_account(address, account)

    def refusal(self, transaction: VersionedTransaction) -> Any:
        """Why a transaction cannot be included whatever it does; None if nothing speaks against."""
        if self.store.status(str(transaction.signatures[0])) is not None:
            return "AlreadyProcessed"
        if self.slots.valid_until(transaction.message.recent_blockhash) is None:
            return "BlockhashNotFound"
        return self._lookup_error(message_of(transaction))

    def simulate(self, transaction: VersionedTransaction) -> Simulated:
        """Runs a transaction without effect. Checks neither blockhash nor signatures."""
        if (error := self._lookup_error(message_of(transaction))) is not None:
            return Simulated(error, [], 0, None, None, {})
        result, accounts = self.machine.simulate(transaction)
        error, meta = _outcome(result)
        data = _return_data(meta)
        units = meta.compute_units_consumed()
        return Simulated(error, list(meta.logs()), units, meta.fee(), data, accounts)

    def submit(self, transaction: VersionedTransaction) -> Any:
        """Includes a transaction in the present block. Answers why it was not included, as JSON;
        None when it was, even if it failed there."""
        if (refused := self.refusal(transaction)) is not None:
            return refused
        message, slot = message_of(transaction), self.slots.block().slot
        loaded = self.machine.loaded(message)
        keys = [*message.account_keys, *loaded.writable, *loaded.readonly]
        before = [self.machine.account(key) for key in keys]
        result, charged = self.machine.execute(transaction)
        error, meta = _outcome(result)
        if not charged:
            return error
        after = [self.machine.account(key) for key in keys]
        document = {
            "err": error,
            "status": {"Ok": None} if error is None else {"Err": error},
            "fee": meta.fee(),
            "preBalances": [_lamports(account) for account in before],
            "postBalances": [_lamports(account) for account in after],
            "preTokenBalances": self._token_balances(before),
            "postTokenBalances": self._token_balances(after),
            "innerInstructions": encode_transactions.inner_instructions(meta),
            "logMessages": list(meta.logs()),
            "rewards": [],
            "loadedAddresses": {
                "writable": [str(key) for key in loaded.writable],
                "readonly": [str(key) for key in loaded.readonly],
            },
            "computeUnitsConsumed": meta.compute_units_consumed(),
        }
        if (data := _return_data(meta)) is not None:
            document["returnData"] = data
        with self.store.atomic():
            for key, old, new in zip(keys, before, after, strict=True):
                if old != new:
                    self.store.put_account(key, new)
            row = Row(
                str(transaction.signatures[0]),
                slot,
                self.slots.unix_time(slot),
                json.dumps(error),
                bytes(transaction),
                json.dumps(document),
            )
            self.store.put_transaction(row, [str(key) for key in keys])
        self.prices.append((slot, fees.price_of(message)))
        changed = {
            key: new for key, old, new in zip(keys, before, after, strict=True) if old != new
        }
        for listener in list(self.listeners):
            listener(Landed(slot, row.signature, error, document["logMessages"], keys, changed))
        return None

    def decimals(self, account: Account) -> int | None:
        """Of the token that a token account holds; None for any other account."""
        held = encode_accounts.token_account(account)
        mint_account = held and self.machine.account(held.mint)
        mint = mint_account and encode_accounts.mint(mint_account)
        return mint.decimals if mint else None

    def _lookup_error(self, message: Message | MessageV0) -> Any:
        try:
            self.machine.loaded(message)
        except ValueError:
            return "AddressLookupTableNotFound"
        except IndexError:
            return "InvalidAddressLookupTableIndex"
        return None

    def _token_balances(self, accounts: list[Account | None]) -> list[dict[str, Any]]:
        balances = []
        for index, account in enumerate(accounts):
            held = account and encode_accounts.token_account(account)
            if account is None or not held:
                continue
            decimals = self.decimals(account)
            if decimals is None:
                continue
            balances.append(
                {
                    "accountIndex": index,
                    "mint": str(held.mint),
                    "owner": str(held.owner),
                    "programId": str(account.owner),
                    "uiTokenAmount": encode_accounts.amount(held.amount, decimals),
                }
            )
        return balances


def _outcome(
    result: TransactionMetadata | FailedTransactionMetadata,
) -> tuple[Any, TransactionMetadata]:
    if isinstance(result, FailedTransactionMetadata):
        return encode_transactions.error(result.err()), result.meta()
    return None, result


def _return_data(meta: TransactionMetadata) -> dict[str, Any] | None:
    data = meta.return_data()
    raw = bytes(data.data)
    if not raw:
        return None
    return {
        "programId": str(data.program_id),
        "data": encode_accounts.account_data(raw, "base64"),
    }


def _lamports(account: Account | None) -> int:
    return account.lamports if account is not None else 0
