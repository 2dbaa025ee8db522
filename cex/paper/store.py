"""The file of the books of record: SQLite, one transaction a command.

WAL with synchronous=NORMAL: what was committed survives the death of the process (not of the
machine's power). Amounts are canonical decimal strings. Final orders and fills live only here,
never in memory.
"""

import sqlite3
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from cex.paper.ledger import OpenOrder
from cex.paper.margin import Holding
from cex.paper.rows import fill_of, fill_row, holding_row, open_order, order_row, payment_row
from core.accounts import FundingPayment
from core.errors import Reason, Refused
from core.instruments import InstrumentKind
from core.money import parse, text
from core.orders import Fill

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL, trade INTEGER NOT NULL, time INTEGER NOT NULL, funding INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS simulation (
  id INTEGER PRIMARY KEY CHECK (id = 1), tick INTEGER NOT NULL, markets TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS accounts (
  id TEXT PRIMARY KEY, venue TEXT NOT NULL, kind INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS balances (
  account TEXT NOT NULL, asset TEXT NOT NULL, total TEXT NOT NULL, PRIMARY KEY (account, asset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holdings (
  account TEXT NOT NULL, instrument TEXT NOT NULL, quantity TEXT NOT NULL, cost TEXT NOT NULL,
  realized TEXT NOT NULL, leverage INTEGER NOT NULL, mark TEXT NOT NULL,
  PRIMARY KEY (account, instrument)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
  number INTEGER PRIMARY KEY, account TEXT NOT NULL, client_order_id TEXT NOT NULL,
  venue TEXT NOT NULL, instrument TEXT NOT NULL, side INTEGER NOT NULL, type INTEGER NOT NULL,
  quantity TEXT NOT NULL, price TEXT, trigger_price TEXT, time_in_force INTEGER NOT NULL,
  reduce_only INTEGER NOT NULL, status INTEGER NOT NULL, filled TEXT NOT NULL,
  notional TEXT NOT NULL, reason TEXT NOT NULL, active INTEGER NOT NULL,
  priority INTEGER NOT NULL, create_time INTEGER NOT NULL, update_time INTEGER NOT NULL,
  is_open INTEGER NOT NULL, max_slippage TEXT, UNIQUE (account, client_order_id)
);
CREATE INDEX IF NOT EXISTS open_orders ON orders (priority) WHERE is_open = 1;
CREATE TABLE IF NOT EXISTS fills (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, instrument TEXT NOT NULL, time INTEGER NOT NULL,
  trade_id TEXT NOT NULL, venue TEXT NOT NULL, client_order_id TEXT NOT NULL,
  venue_order_id TEXT NOT NULL, side INTEGER NOT NULL, price TEXT NOT NULL,
  quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, liquidity INTEGER NOT NULL,
  details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS fills_since ON fills (account, instrument, time);
CREATE TABLE IF NOT EXISTS payments (
  id TEXT NOT NULL, account TEXT NOT NULL, venue TEXT NOT NULL, instrument TEXT NOT NULL,
  amount TEXT NOT NULL, asset TEXT NOT NULL, rate TEXT NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) WITHOUT ROWID;
"""

_SAVE_ORDER = (
    "INSERT INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (number) DO UPDATE SET quantity = excluded.quantity, price = excluded.price, "
    "status = excluded.status, filled = excluded.filled, notional = excluded.notional, "
    "reason = excluded.reason, active = excluded.active, priority = excluded.priority, "
    "update_time = excluded.update_time, is_open = excluded.is_open"
)
_SAVE_FILL = (
    "INSERT INTO fills (account, instrument, time, trade_id, venue, client_order_id, "
    "venue_order_id, side, price, quantity, fee, fee_asset, liquidity, details) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


@dataclass(slots=True)
class Counters:
    """What must never repeat or go back."""

    number: int = 0  # last order number; priorities are drawn from it too
    trade: int = 0  # last trade id
    time: int = 0  # ns, of the last command
    funding: int = 0  # ns, when funding is next due; 0 before the first


@dataclass(slots=True)
class Batch:
    """All that one command changed; written in one transaction."""

    orders: dict[int, OpenOrder] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    payments: list[FundingPayment] = field(default_factory=list)
    balances: list[tuple[str, str, Decimal]] = field(default_factory=list)
    holdings: list[tuple[str, Holding]] = field(default_factory=list)
    simulation: tuple[int, str] | None = None  # tick, and the markets as JSON


class Store:
    """The SQLite file; `path` None keeps it in memory. Opening it raises Refused where it cannot be
    used; the rest raises sqlite3.Error."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.Error as error:
            raise Refused(
                Reason.VENUE_UNAVAILABLE,
                f"{path} cannot be used ({error}): mend it, or move it away to begin with new "
                "paper accounts",
            ) from error

    def _open(self) -> None:
        path = self._path
        self._db = sqlite3.connect(str(path) if path else ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        # A checkpoint waits for the disk: `checkpoint` does it off the event loop, and this
        # limit (pages) only bounds the log where nobody calls that.
        self._db.execute("PRAGMA wal_autocheckpoint = 16384")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Closes the file; safe to call twice."""
        self._db.close()

    def checkpoint(self) -> None:
        """Moves the log into the file. Blocks for the disk; call it in a thread."""
        if self._path is None:
            return
        db = sqlite3.connect(str(self._path))
        try:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            db.close()

    def write(self, batch: Batch, counters: Counters) -> None:
        """Everything of a batch, or nothing."""
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        try:
            for order in batch.orders.values():
                execute(_SAVE_ORDER, order_row(order))
            if batch.fills:
                self._db.executemany(_SAVE_FILL, map(fill_row, batch.fills))
            for payment in batch.payments:
                execute("INSERT INTO payments VALUES (?,?,?,?,?,?,?,?)", payment_row(payment))
            for account, asset, total in batch.balances:
                execute("REPLACE INTO balances VALUES (?,?,?)", (account, asset, text(total)))
            for account, holding in batch.holdings:
                execute(
                    "REPLACE INTO holdings VALUES (?,?,?,?,?,?,?)", holding_row(account, holding)
                )
            if batch.simulation is not None:
                execute("REPLACE INTO simulation VALUES (1,?,?)", batch.simulation)
            execute(
                "REPLACE INTO counters VALUES (1,?,?,?,?)",
                (counters.number, counters.trade, counters.time, counters.funding),
            )
            execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                execute("ROLLBACK")
            raise

    def add_account(
        self, id: str, venue: str, kind: InstrumentKind, totals: dict[str, Decimal]
    ) -> None:
        """Records a new account with what it holds."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("INSERT INTO accounts VALUES (?,?,?)", (id, venue, kind.value))
            self._db.executemany(
                "INSERT INTO balances VALUES (?,?,?)",
                [(id, asset, text(total)) for asset, total in totals.items()],
            )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def prune(self, before: int) -> None:
        """Forgets final orders, fills and payments older than a time (ns)."""
        self._db.execute("DELETE FROM orders WHERE is_open = 0 AND update_time < ?", (before,))
        self._db.execute("DELETE FROM fills WHERE time < ?", (before,))
        self._db.execute("DELETE FROM payments WHERE time < ?", (before,))

    # --- reading ---

    def counters(self) -> Counters:
        """As last written."""
        row = self._db.execute("SELECT number, trade, time, funding FROM counters").fetchone()
        return Counters(*row) if row else Counters()

    def simulation(self) -> tuple[int, str] | None:
        """Tick and markets as last written."""
        row = self._db.execute("SELECT tick, markets FROM simulation").fetchone()
        return (row[0], row[1]) if row else None

    def accounts(self) -> list[tuple[str, str, InstrumentKind]]:
        """Id, venue and kind of every account."""
        rows = self._db.execute("SELECT id, venue, kind FROM accounts")
        return [(id, venue, InstrumentKind(kind)) for id, venue, kind in rows]

    def balances(self, account: str) -> dict[str, Decimal]:
        """Totals by asset."""
        rows = self._db.execute("SELECT asset, total FROM balances WHERE account = ?", (account,))
        return {asset: parse(total) for asset, total in rows}

    def holdings(self, account: str) -> dict[str, Holding]:
        """Positions by instrument, without what open orders add."""
        rows = self._db.execute(
            "SELECT instrument, quantity, cost, realized, leverage, mark FROM holdings "
            "WHERE account = ?",
            (account,),
        )
        return {
            id: Holding(id, parse(quantity), parse(cost), parse(realized), leverage, parse(mark))
            for id, quantity, cost, realized, leverage, mark in rows
        }

    def open_orders(self) -> list[OpenOrder]:
        """All open orders of all accounts, first in the queue first."""
        rows = self._db.execute("SELECT * FROM orders WHERE is_open = 1 ORDER BY priority")
        return [open_order(row) for row in rows]

    def order(self, account: str, client_order_id: str) -> OpenOrder | None:
        """One order, open or final."""
        row = self._db.execute(
            "SELECT * FROM orders WHERE account = ? AND client_order_id = ?",
            (account, client_order_id),
        ).fetchone()
        return open_order(row) if row else None

    def has_order(self, account: str, client_order_id: str) -> bool:
        """Whether the id was ever used."""
        query = "SELECT 1 FROM orders WHERE account = ? AND client_order_id = ?"
        return self._db.execute(query, (account, client_order_id)).fetchone() is not None

    def fills(self, account: str, instrument: str, since: int) -> list[Fill]:
        """From a time on, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM fills WHERE account = ? AND instrument = ? AND time >= ? ORDER BY id",
            (account, instrument, since),
        )
        return [fill_of(row) for row in rows]

    def payments(self, account: str, since: int) -> list[FundingPayment]:
        """Funding payments from a time on, oldest first."""
        rows = self._db.execute(
            "SELECT id, account, venue, instrument, amount, asset, rate, time FROM payments "
            "WHERE account = ? AND time >= ? ORDER BY time, id",
            (account, since),
        )
        return [
            FundingPayment(holder, venue, instrument, id, parse(amount), asset, parse(rate), time)
            for id, holder, venue, instrument, amount, asset, rate, time in rows
        ]
