"""Holds a journal against its hash chain: every link, and every row against its last link.

Reads only, and may run beside a daemon. A journal of a million entries takes seconds and little
memory: what belongs together is joined by the database, in a temporary table.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.clock import SECOND
from daemon.journal.chain import GENESIS, KEYS, digest_of, hash_of
from daemon.journal.heads import NAME, Head, read
from daemon.journal.schema import KEPT_FIRST, TABLES, columns
from daemon.journal.store import EventsBefore, IntentGone, IntentRow, IntentsBefore, StoreError

MOST = 100  # faults that are told


@dataclass(frozen=True, slots=True)
class Verified:
    """`head` is the last link's hash: noted elsewhere, it proves later that nothing before it was
    changed. `faults` are in words, and no more than `MOST`."""

    entries: int
    rows: int
    events: int
    head: bytes
    faults: tuple[str, ...]


def verify(path: Path, expected: bytes | None = None) -> Verified:
    """Reads all of a journal. `expected`: a hash that was noted earlier, which must be in the
    chain, as must be what the daemon noted beside it. StoreError where it cannot be read."""
    if not path.exists():
        raise StoreError(f"there is no journal {path}")
    try:
        noted = read(path.with_name(NAME))  # first, for the journal goes on
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        try:
            db.execute("BEGIN")  # one moment of a journal that is being written
            return _verify(db, expected, noted)
        finally:
            db.close()
    except sqlite3.Error as error:
        words = "it has no chain yet: start the daemon once" if "entries" in str(error) else error
        raise StoreError(f"the journal {path} cannot be read: {words}") from error


def _verify(db: sqlite3.Connection, expected: bytes | None, noted: Sequence[Head]) -> Verified:
    faults: list[str] = []
    heads = {one.number: one for one in noted}
    head, entries, seen = GENESIS, 0, expected is None
    for number, kind, name, digest, hash in db.execute(
        "SELECT number, kind, name, digest, hash FROM entries ORDER BY number"
    ):
        entries += 1
        if number != entries:
            faults.append(f"entry {entries} is missing: the next one is {number}")
            entries = number
        if hash_of(head, number, kind, name, digest) != hash and len(faults) < MOST:
            faults.append(f"entry {number} ({kind} {name}) does not follow from the one before")
        if (one := heads.get(number)) is not None and one.hash != hash and len(faults) < MOST:
            faults.append(f"entry {number} is another than was noted at {_moment(one.time)}")
        head = hash
        seen = seen or hash == expected
    if noted and noted[-1].number > entries:
        last = noted[-1]
        faults.append(
            f"it ends at entry {entries}, but entry {last.number} was noted at "
            f"{_moment(last.time)}: its end was cut off, or an older copy was put in its place"
        )
    if not seen:
        faults.append("the hash that was noted is not in the chain: what came before it changed")
    rows = 0
    for kind in TABLES:
        for fault in _table(db, kind):
            if fault is None:
                rows += 1
            elif len(faults) < MOST:
                faults.append(fault)
    events = db.execute("SELECT COUNT(*) FROM events").fetchone()[0]
    return Verified(entries, rows, events, head, tuple(faults))


def _moment(time: int) -> str:
    return f"{datetime.fromtimestamp(time // SECOND, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _table(db: sqlite3.Connection, kind: type) -> Iterator[str | None]:
    """None for each row that is as it was written, else what is wrong."""
    table, what = TABLES[kind], kind.__name__
    pick = "MIN" if kind in KEPT_FIRST else "MAX"
    db.execute("DROP TABLE IF EXISTS temp.last")
    db.execute(
        f"CREATE TEMP TABLE last AS SELECT name, {pick}(number) AS number FROM entries"
        " WHERE kind = ? GROUP BY name",
        (what,),
    )
    db.execute("CREATE INDEX temp.last_by_name ON last (name)")
    name = " || '/' || ".join(f"CAST(t.{key} AS TEXT)" for key in KEYS[kind])
    chosen = ", ".join(f"t.{column}" for column in columns(kind))
    for label, digest, *values in db.execute(
        f"SELECT {name}, e.digest, {chosen} FROM {table} t"
        f" LEFT JOIN last l ON l.name = {name} LEFT JOIN entries e ON e.number = l.number"
    ):
        if digest is None:
            yield f"{table}: {label} was written by nobody"
        elif digest_of(tuple(values)) != digest:
            yield f"{table}: {label} is not as it was written"
        else:
            yield None
    missing = (
        f"SELECT l.name, l.number FROM last l WHERE l.name NOT IN (SELECT {name} FROM {table} t)"
    )
    for label, number in db.execute(missing):
        if not _forgotten(db, kind, label, number):
            yield f"{table}: {label} is gone"


def _forgotten(db: sqlite3.Connection, kind: type, name: str, number: int) -> bool:
    """Whether the chain itself says that a row was removed."""
    if kind is IntentRow:
        found = db.execute(
            "SELECT 1 FROM entries WHERE number > ? AND (kind = ? OR (kind = ? AND name = ?))"
            " LIMIT 1",
            (number, IntentsBefore.__name__, IntentGone.__name__, name),
        )
        return found.fetchone() is not None
    if TABLES[kind] == "events":
        found = db.execute(
            "SELECT MAX(CAST(name AS INTEGER)) FROM entries WHERE kind = ?",
            (EventsBefore.__name__,),
        )
        return name.isdecimal() and int(name) < (found.fetchone()[0] or 0)
    return False
