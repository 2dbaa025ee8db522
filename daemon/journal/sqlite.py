"""The journal in one SQLite file, in WAL mode.

One connection writes, from the journal's writer thread; each reading thread has its own, and never
waits for the writer. `synchronous` is SQLite's: "full" waits for the disk at each commit, "normal"
survives a crash of the process but may lose the last commits when the machine loses power.
https://sqlite.org/wal.html, https://sqlite.org/pragma.html
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, TypeVar

from daemon.journal.chain import GENESIS, KEYS, Chain, Entry
from daemon.journal.schema import MIGRATIONS, TABLES, WRITES, columns
from daemon.journal.store import (
    Cursor,
    EventRow,
    FillRow,
    Filter,
    FundingRow,
    IntentRow,
    MetaRow,
    OrderRow,
    Row,
    StoreError,
    TrafficRow,
    TransactionRow,
)

T = TypeVar("T")

_TYPES = {"{KEY}": "INTEGER", "{BYTES}": "BLOB"}
_WAL_LIMIT = 64 * 1024 * 1024  # bytes that the write-ahead log keeps after a checkpoint
_BUSY = 1000  # ms to wait for a lock that somebody else, a backup perhaps, holds
_WORDS = {
    "SQLITE_FULL": "the disk is full: free space, it resumes by itself",
    "SQLITE_BUSY": "another program holds a lock on the journal: stop it, it resumes by itself",
    "SQLITE_READONLY": "the journal's file is read-only: mend its permissions",
    "SQLITE_CORRUPT": "the journal's file is damaged: stop the daemon and restore a backup",
    "SQLITE_NOTADB": "the journal's file is no SQLite database: it was overwritten",
    "SQLITE_CANTOPEN": "the journal's file cannot be opened: mend its folder's permissions",
}


def _getter(row: type) -> Callable[[Any], tuple[Any, ...]]:
    names = columns(row)
    get = attrgetter(*names)
    if len(names) > 1:
        return get
    return lambda value: (get(value),)


_VALUES = {row: _getter(row) for row in WRITES}
_LINK = f"INSERT INTO entries VALUES ({', '.join('?' * len(columns(Entry)))})"
_LINK_VALUES = _getter(Entry)


def _kind(valued: tuple[Row, Any]) -> type:
    return type(valued[0])


def _select(table: str, row: type) -> str:
    return f"SELECT {', '.join(columns(row))} FROM {table}"


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turns SQLite's errors into StoreError, in words that tell what to do."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        code = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE -> SQLITE_IOERR
        words = _WORDS.get(code, f"{error} ({name})")
        raise StoreError(f"{doing}: {words}") from error
    except OSError as error:
        raise StoreError(f"{doing}: {error.strerror}") from error


class SqliteStore:
    """A Store in a file; see `daemon.journal.store`."""

    at_hand = True

    def __init__(
        self,
        path: Path,
        synchronous: Literal["full", "normal"] = "full",
        max_pages: int = 0,
        busy_timeout: int = _BUSY,
    ) -> None:
        """`max_pages` limits the file (4 KiB a page), zero does not; `busy_timeout` is in ms."""
        self._path = path
        self._synchronous = synchronous
        self._max_pages = max_pages
        self._busy_timeout = busy_timeout
        self._writer: sqlite3.Connection | None = None
        self._chain = Chain()
        self._file = 0, 0  # device and inode of what was opened
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    # Opening.

    def open(self) -> None:
        with _explained(f"cannot open the journal {self._path}"):
            # Created here so that nobody else may read it, whatever the umask.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            db = self._connect()
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(f"PRAGMA synchronous = {self._synchronous}")
                db.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
                self._migrate(db)
                if self._max_pages:
                    _limit(db, self._max_pages)
            except BaseException:
                db.close()
                raise
            self._writer = db
            status = os.stat(self._path)
            self._file = status.st_dev, status.st_ino
            last = db.execute("SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1")
            self._chain = Chain(*(last.fetchone() or ()))
            if not self._chain.number:
                self._adopt(db)

    def limit(self, max_pages: int) -> None:
        """Sets another limit of the file's size."""
        if self._writer is not None:
            _limit(self._writer, max_pages)

    def close(self) -> None:
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
            self._local = threading.local()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute(f"PRAGMA busy_timeout = {self._busy_timeout}")
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the journal {self._path} is of a newer version of cambistd: start that version"
            )
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            db.execute("BEGIN IMMEDIATE")
            for statement in statements:
                for name, value in _TYPES.items():
                    statement = statement.replace(name, value)
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")

    def _adopt(self, db: sqlite3.Connection) -> None:
        """Begins the chain with what a journal of before the chain has in it."""
        for kind, table in TABLES.items():
            order = ", ".join(KEYS[kind])
            found = db.execute(f"{_select(table, kind)} ORDER BY {order}")
            while rows := found.fetchmany(1000):
                links = self._chain.link([(kind(*row), row) for row in rows])
                db.execute("BEGIN IMMEDIATE")
                db.executemany(_LINK, map(_LINK_VALUES, links))
                db.execute("COMMIT")
                self._chain.keep()

    # Writing.

    def write(self, rows: Sequence[Row]) -> None:
        valued = [(row, _VALUES[type(row)](row)) for row in rows]
        links = self._chain.link(valued)
        with _explained("cannot write the journal"), self._transaction() as db:
            self._still_there()
            for kind, run in groupby(valued, _kind):
                db.executemany(WRITES[kind], [values for _, values in run])
            db.executemany(_LINK, map(_LINK_VALUES, links))
        self._chain.keep()

    def _still_there(self) -> None:
        """A file that was removed takes writes as if nothing were wrong, and keeps none of them."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            raise StoreError(
                f"the journal's file {self._path} was removed or replaced under the running "
                "daemon: put it back, or stop the daemon"
            )

    def probe(self) -> None:
        self.write([MetaRow("probe", os.urandom(8).hex())])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._writer
        if db is None:
            raise StoreError("the journal is closed")
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have rolled back already
                db.execute("ROLLBACK")
            raise

    # Reading.

    def _query(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        with _explained("cannot read the journal"):
            db = getattr(self._local, "db", None)
            if db is None:
                if self._writer is None:
                    raise StoreError("the journal is closed")
                db = self._connect()
                db.execute("PRAGMA query_only = 1")
                with self._lock:
                    self._readers.append(db)
                self._local.db = db
            return list(db.execute(sql, values).fetchall())

    def _one(self, row: type[T], sql: str, values: Sequence[object]) -> T | None:
        found = self._query(sql, values)
        return row(*found[0]) if found else None

    def _all(self, row: type[T], sql: str, values: Sequence[object]) -> list[T]:
        return [row(*found) for found in self._query(sql, values)]

    def meta(self, key: str) -> str | None:
        found = self._query("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def last_sequence(self) -> int:
        return int(self._query("SELECT COALESCE(MAX(sequence), 0) FROM events")[0][0])

    def head(self) -> tuple[int, bytes]:
        found = self._query("SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1")
        return (int(found[0][0]), bytes(found[0][1])) if found else (0, GENESIS)

    def first_sequence(self) -> int:
        return int(self._query("SELECT COALESCE(MIN(sequence), 0) FROM events")[0][0])

    def sequence_at(self, time: int) -> int:
        found = self._query("SELECT MIN(sequence) FROM events WHERE time >= ?", (time,))[0][0]
        return self.last_sequence() + 1 if found is None else int(found)

    def events(self, after: int, limit: int, account: str = "") -> list[EventRow]:
        sql, values = f"{_select('events', EventRow)} WHERE sequence > ?", [after, limit]
        if account:
            sql, values = f"{sql} AND account = ?", [after, account, limit]  # type: ignore[list-item]
        return self._all(EventRow, f"{sql} ORDER BY sequence LIMIT ?", values)

    def story(self, account: str, subject: str, limit: int) -> list[EventRow]:
        sql = f"{_select('events', EventRow)} WHERE subject = ? AND subject <> '' AND account = ?"
        return self._all(EventRow, f"{sql} ORDER BY sequence LIMIT ?", (subject, account, limit))

    def traffic(self, account: str, client_order_id: str, limit: int) -> list[TrafficRow]:
        sql = f"{_select('traffic', TrafficRow)} WHERE account = ? AND client_order_id = ?"
        return self._all(
            TrafficRow, f"{sql} ORDER BY time, sent DESC LIMIT ?", (account, client_order_id, limit)
        )

    def intent(self, request_id: str) -> IntentRow | None:
        sql = f"{_select('intents', IntentRow)} WHERE request_id = ?"
        return self._one(IntentRow, sql, (request_id,))

    def order(self, account: str, venue: str, client_order_id: str) -> OrderRow | None:
        sql = f"{_select('orders', OrderRow)} WHERE account = ? AND client_order_id = ?"
        values = [account, client_order_id]
        if venue:
            sql, values = f"{sql} AND venue = ?", [*values, venue]
        return self._one(OrderRow, f"{sql} ORDER BY create_time DESC LIMIT 1", values)

    def order_of_venue(self, account: str, venue: str, venue_order_id: str) -> OrderRow | None:
        sql = f"{_select('orders', OrderRow)} WHERE venue_order_id = ? AND account = ?"
        sql = f"{sql} AND venue = ? ORDER BY create_time DESC LIMIT 1"
        return self._one(OrderRow, sql, (venue_order_id, account, venue))

    def order_of_request(self, account: str, request_id: str) -> OrderRow | None:
        sql = f"{_select('orders', OrderRow)} WHERE request_id = ? AND account = ?"
        sql = f"{sql} ORDER BY create_time DESC, client_order_id DESC LIMIT 1"
        return self._one(OrderRow, sql, (request_id, account))

    def open_orders(self, account: str, venue: str) -> list[OrderRow]:
        sql = f"{_select('orders', OrderRow)} WHERE account = ? AND venue = ? AND open = 1"
        return self._all(OrderRow, f"{sql} ORDER BY create_time", (account, venue))

    def instruments(self, account: str, venue: str, since: int) -> list[str]:
        sql = "SELECT instrument FROM orders WHERE account = ? AND venue = ? AND"
        found = self._query(
            f"{sql} open = 1 UNION {sql} update_time >= ?", (account, venue) * 2 + (since,)
        )
        return sorted(str(row[0]) for row in found)

    def orders(self, where: Filter, after: Cursor | None, limit: int) -> list[OrderRow]:
        sql, values = _page("orders", OrderRow, "create_time", "client_order_id", where, after)
        return self._all(OrderRow, sql, [*values, limit])

    def fills(self, where: Filter, after: Cursor | None, limit: int) -> list[FillRow]:
        sql, values = _page("fills", FillRow, "event_time", "trade_id", where, after)
        return self._all(FillRow, sql, [*values, limit])

    def fill(self, account: str, venue: str, trade_id: str) -> FillRow | None:
        sql = f"{_select('fills', FillRow)} WHERE account = ? AND venue = ? AND trade_id = ?"
        return self._one(FillRow, sql, (account, venue, trade_id))

    def funding(self, where: Filter, after: Cursor | None, limit: int) -> list[FundingRow]:
        sql, values = _page("funding", FundingRow, "event_time", "payment_id", where, after)
        return self._all(FundingRow, sql, [*values, limit])

    def funding_payment(self, account: str, venue: str, payment_id: str) -> FundingRow | None:
        sql = f"{_select('funding', FundingRow)} WHERE account = ? AND venue = ? AND payment_id = ?"
        return self._one(FundingRow, sql, (account, venue, payment_id))

    def transaction(self, network: str, hash: str) -> TransactionRow | None:
        sql = f"{_select('transactions', TransactionRow)} WHERE network = ? AND hash = ?"
        return self._one(TransactionRow, sql, (network, hash))

    def transactions(
        self,
        network: str,
        *,
        address: str = "",
        intent: str = "",
        pending_only: bool = False,
        since: int = 0,
    ) -> list[TransactionRow]:
        sql = f"{_select('transactions', TransactionRow)} WHERE network = ?"
        values: list[object] = [network]
        for name, value in (("address", address), ("intent", intent)):
            if value:
                sql, values = f"{sql} AND {name} = ?", [*values, value]
        if pending_only:
            sql += " AND pending = 1"
        if since:
            sql, values = f"{sql} AND update_time >= ?", [*values, since]
        return self._all(TransactionRow, f"{sql} ORDER BY create_time, hash", values)

    def transaction_page(
        self, network: str, address: str, pending_only: bool, after: Cursor | None, limit: int
    ) -> list[TransactionRow]:
        sql, values = f"{_select('transactions', TransactionRow)} WHERE 1 = 1", list[object]()
        for name, value in (("network", network), ("address", address)):
            if value:
                sql, values = f"{sql} AND {name} = ?", [*values, value]
        if pending_only:
            sql += " AND pending = 1"
        key = "(create_time, network, address, hash)"
        if after is not None:
            sql, values = f"{sql} AND {key} < (?, ?, ?, ?)", [*values, *after]
        order = key.strip("()").replace(",", " DESC,")
        return self._all(TransactionRow, f"{sql} ORDER BY {order} DESC LIMIT ?", [*values, limit])


def _limit(db: sqlite3.Connection, max_pages: int) -> None:
    db.execute(f"PRAGMA max_page_count = {max_pages}")


def _page(
    table: str, row: type, time: str, id: str, where: Filter, after: Cursor | None
) -> tuple[str, list[object]]:
    """A query for one page, newest first, that goes on behind a cursor."""
    sql, values = f"{_select(table, row)} WHERE 1 = 1", list[object]()
    wanted = (
        ("account", where.account),
        ("venue", where.venue),
        ("instrument", where.instrument),
        ("client_order_id", where.client_order_id),
    )
    for name, value in wanted:
        if value:
            sql, values = f"{sql} AND {name} = ?", [*values, value]
    if where.open_only:
        sql += " AND open = 1"
    if after is not None:
        sql = f"{sql} AND ({time}, account, venue, {id}) < (?, ?, ?, ?)"
        values = [*values, *after]
    return f"{sql} ORDER BY {time} DESC, account DESC, venue DESC, {id} DESC LIMIT ?", values
