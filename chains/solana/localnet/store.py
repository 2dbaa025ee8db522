"""What a local chain keeps on disk: SQLite, so that a kill at any moment loses nothing answered."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    address TEXT PRIMARY KEY, lamports INTEGER NOT NULL, owner TEXT NOT NULL,
    executable INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (
    signature TEXT PRIMARY KEY, slot INTEGER NOT NULL, time INTEGER NOT NULL,
    error TEXT NOT NULL, raw BLOB NOT NULL, meta TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS transactions_slot ON transactions (slot);
CREATE TABLE IF NOT EXISTS mentions (
    address TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (address, number)) WITHOUT ROWID;
"""
_COLUMNS = "signature, slot, time, error, raw, meta"


class Row(NamedTuple):
    """A transaction; `error` and `meta` are JSON, `time` is in seconds."""

    signature: str
    slot: int
    time: int
    error: str
    raw: bytes
    meta: str


class Store:
    """Facts, accounts and transactions. One thread; writes count when `atomic` ends."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # WAL with NORMAL survives a kill of the process; only a power cut may lose the last writes.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Ends it; what was written is on disk already."""
        self._db.close()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All or nothing; may be nested."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        """A single value."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Sets a single value."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def accounts(self) -> Iterator[tuple[Pubkey, Account]]:
        """All that were ever touched and exist."""
        for row in self._db.execute("SELECT * FROM accounts"):
            address, lamports, owner, executable, data = row
            account = Account(lamports, data, Pubkey.from_string(owner), bool(executable))
            yield Pubkey.from_string(address), account

    def put_account(self, address: Pubkey, account: Account | None) -> None:
        """Keeps an account; one without lamports does not exist."""
        if account is None or not account.lamports:
            self._db.execute("DELETE FROM accounts WHERE address = ?", (str(address),))
            return
        row = (str(address), account.lamports, str(account.owner), account.executable, account.data)
        self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)", row)

    def put_transaction(self, row: Row, mentioned: Iterable[str]) -> None:
        """Keeps a transaction, to be found by each address that it mentions."""
        values = (row.signature, row.slot, row.time, row.error, row.raw, row.meta)
        query = f"INSERT INTO transactions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
        number = self._db.execute(query, values).lastrowid
        self._db.executemany(
            "INSERT OR IGNORE INTO mentions VALUES (?, ?)",
            [(address, number) for address in mentioned],
        )

    def status(self, signature: str) -> tuple[int, str] | None:
        """Slot and error (JSON)."""
        query = "SELECT slot, error FROM transactions WHERE signature = ?"
        row = self._db.execute(query, (signature,)).fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def transaction(self, signature: str) -> Row | None:
        """By signature."""
        query = f"SELECT {_COLUMNS} FROM transactions WHERE signature = ?"
        row = self._db.execute(query, (signature,)).fetchone()
        return None if row is None else Row(*row)

    def in_slot(self, slot: int) -> list[Row]:
        """In the order in which they were included."""
        query = f"SELECT {_COLUMNS} FROM transactions WHERE slot = ? ORDER BY rowid"
        return [Row(*row) for row in self._db.execute(query, (slot,))]

    def mentioning(
        self, address: str, top: int, before: str | None, until: str | None, limit: int
    ) -> list[Row]:
        """Newest first, up to a slot; between two signatures, neither of them included. An unknown
        one is no edge."""
        query = (
            f"SELECT {_COLUMNS} FROM mentions JOIN transactions ON number = transactions.rowid"
            " WHERE address = ? AND slot <= ? AND number < ? AND number > ?"
            " ORDER BY number DESC LIMIT ?"
        )
        edges = (self._number(before, 1 << 62), self._number(until, 0))
        return [Row(*row) for row in self._db.execute(query, (address, top, *edges, limit))]

    def _number(self, signature: str | None, otherwise: int) -> int:
        query = "SELECT rowid FROM transactions WHERE signature = ?"
        row = self._db.execute(query, (signature,)).fetchone()
        return otherwise if row is None else int(row[0])

    def transactions_since(self, slot: int) -> int:
        """How many there were after a slot."""
        query = "SELECT count(*) FROM transactions WHERE slot > ?"
        return int(self._db.execute(query, (slot,)).fetchone()[0])

    def transaction_count(self) -> int:
        """How many transactions there were."""
        return int(self._db.execute("SELECT count(*) FROM transactions").fetchone()[0])
