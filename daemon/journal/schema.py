"""The tables, as numbered migrations, and the statements that write a row.

SQL that SQLite and PostgreSQL share; where a type's name differs it stands in capitals between
braces and the store fills it in: {KEY} a 64-bit integer that can be a primary key cheaply, {BYTES}
a string of bytes. A migration that was released is never changed: add one.
"""

from dataclasses import fields

from daemon.journal.store import (
    EventRow,
    EventsBefore,
    FillRow,
    FundingRow,
    IntentGone,
    IntentRow,
    IntentsBefore,
    MetaRow,
    OrderRow,
    TrafficRow,
    TransactionRow,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE meta (
            key TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        )""",
        """CREATE TABLE intents (
            request_id TEXT NOT NULL PRIMARY KEY,
            method TEXT NOT NULL,
            digest {BYTES} NOT NULL,
            state TEXT NOT NULL,
            answer {BYTES} NOT NULL,
            time BIGINT NOT NULL
        )""",
        "CREATE INDEX intents_by_time ON intents (time)",
        """CREATE TABLE events (
            sequence {KEY} NOT NULL PRIMARY KEY,
            time BIGINT NOT NULL,
            account TEXT NOT NULL,
            subject TEXT NOT NULL,
            data {BYTES} NOT NULL
        )""",
        "CREATE INDEX events_by_account ON events (account, sequence)",
        "CREATE INDEX events_by_subject ON events (subject, sequence) WHERE subject <> ''",
        """CREATE TABLE orders (
            account TEXT NOT NULL,
            venue TEXT NOT NULL,
            client_order_id TEXT NOT NULL,
            venue_order_id TEXT NOT NULL,
            request_id TEXT NOT NULL,
            instrument TEXT NOT NULL,
            open BIGINT NOT NULL,
            create_time BIGINT NOT NULL,
            update_time BIGINT NOT NULL,
            data {BYTES} NOT NULL,
            PRIMARY KEY (account, venue, client_order_id)
        )""",
        "CREATE INDEX orders_by_time ON orders (create_time, account, venue, client_order_id)",
        "CREATE INDEX orders_by_request ON orders (request_id)",
        "CREATE INDEX orders_by_venue_id ON orders (venue_order_id)",
        "CREATE INDEX orders_by_change ON orders (account, venue, update_time)",
        "CREATE INDEX orders_open ON orders (create_time, account, venue, client_order_id)"
        " WHERE open = 1",
        """CREATE TABLE fills (
            account TEXT NOT NULL,
            venue TEXT NOT NULL,
            trade_id TEXT NOT NULL,
            instrument TEXT NOT NULL,
            client_order_id TEXT NOT NULL,
            event_time BIGINT NOT NULL,
            data {BYTES} NOT NULL,
            PRIMARY KEY (account, venue, trade_id)
        )""",
        "CREATE INDEX fills_by_time ON fills (event_time, account, venue, trade_id)",
        "CREATE INDEX fills_by_account ON fills (account, event_time, venue, trade_id)",
        "CREATE INDEX fills_by_order ON fills (client_order_id)",
        """CREATE TABLE funding (
            account TEXT NOT NULL,
            venue TEXT NOT NULL,
            payment_id TEXT NOT NULL,
            instrument TEXT NOT NULL,
            event_time BIGINT NOT NULL,
            data {BYTES} NOT NULL,
            PRIMARY KEY (account, venue, payment_id)
        )""",
        "CREATE INDEX funding_by_time ON funding (event_time, account, venue, payment_id)",
        "CREATE INDEX funding_by_account ON funding (account, event_time, venue, payment_id)",
        """CREATE TABLE transactions (
            network TEXT NOT NULL,
            hash TEXT NOT NULL,
            address TEXT NOT NULL,
            intent TEXT NOT NULL,
            pending BIGINT NOT NULL,
            create_time BIGINT NOT NULL,
            update_time BIGINT NOT NULL,
            data {BYTES} NOT NULL,
            PRIMARY KEY (network, hash)
        )""",
        "CREATE INDEX transactions_by_intent ON transactions (network, intent)",
        "CREATE INDEX transactions_by_address ON transactions (network, address, update_time)",
        "CREATE INDEX transactions_by_time ON transactions (create_time, network, address, hash)",
        "CREATE INDEX transactions_pending ON transactions (network) WHERE pending = 1",
    ),
    (
        """CREATE TABLE entries (
            number {KEY} NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            digest {BYTES} NOT NULL,
            hash {BYTES} NOT NULL
        )""",
        "CREATE INDEX events_by_time ON events (time)",
    ),
    (
        """CREATE TABLE traffic (
            account TEXT NOT NULL,
            venue TEXT NOT NULL,
            client_order_id TEXT NOT NULL,
            time BIGINT NOT NULL,
            sent BIGINT NOT NULL,
            summary TEXT NOT NULL,
            data {BYTES} NOT NULL,
            PRIMARY KEY (account, client_order_id, time, sent, venue)
        )""",
    ),
)
# What a kind of row is kept in; what is in a table and has no link in the chain was slipped in.
TABLES: dict[type, str] = {
    MetaRow: "meta",
    IntentRow: "intents",
    EventRow: "events",
    OrderRow: "orders",
    FillRow: "fills",
    FundingRow: "funding",
    TrafficRow: "traffic",
    TransactionRow: "transactions",
}
# Written again, these keep what was written first.
KEPT_FIRST = frozenset({FillRow, FundingRow, TrafficRow})


def columns(row: type) -> tuple[str, ...]:
    """A row's columns: the fields of its dataclass, in order."""
    return tuple(field.name for field in fields(row))


def _insert(table: str, row: type, key: str = "", changing: str = "") -> str:
    """An insert; on a conflict of `key` it changes the columns `changing`, or keeps the old row."""
    names = columns(row)
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    if not key:
        return sql
    if not changing:
        return f"{sql} ON CONFLICT ({key}) DO NOTHING"
    sets = ", ".join(f"{name} = excluded.{name}" for name in changing.split(", "))
    return f"{sql} ON CONFLICT ({key}) DO UPDATE SET {sets}"


WRITES: dict[type, str] = {
    MetaRow: _insert("meta", MetaRow, "key", "value"),
    IntentRow: _insert("intents", IntentRow, "request_id", "method, digest, state, answer, time"),
    IntentGone: "DELETE FROM intents WHERE request_id = ?",
    IntentsBefore: "DELETE FROM intents WHERE time < ?",
    EventRow: _insert("events", EventRow),
    EventsBefore: "DELETE FROM events WHERE sequence < ?",
    OrderRow: _insert(
        "orders",
        OrderRow,
        "account, venue, client_order_id",
        "venue_order_id, request_id, instrument, open, create_time, update_time, data",
    ),
    FillRow: _insert("fills", FillRow, "account, venue, trade_id"),
    FundingRow: _insert("funding", FundingRow, "account, venue, payment_id"),
    TrafficRow: _insert("traffic", TrafficRow, "account, client_order_id, time, sent, venue"),
    TransactionRow: _insert(
        "transactions", TransactionRow, "network, hash", "intent, pending, update_time, data"
    ),
}
