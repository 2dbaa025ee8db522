"""Writes what a journal holds as JSON lines or Parquet, for spreadsheets and audits."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from cambist.v1 import events_pb2
from daemon.journal.schema import TABLES, columns
from daemon.journal.store import StoreError

KINDS = {
    table: kind for kind, table in TABLES.items() if table not in ("meta", "intents", "traffic")
}
_BATCH = 10_000


def rows(path: Path, table: str, since: int = 0) -> Iterator[dict[str, Any]]:
    """One table's rows, oldest first; exact: numbers of money are strings. `since` in ns."""
    kind = KINDS[table]
    names = columns(kind)
    time = next(one for one in ("time", "create_time", "event_time") if one in names)
    if not path.exists():
        raise StoreError(f"there is no journal {path}")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        with closing(db):
            sql = f"SELECT {', '.join(names)} FROM {table} WHERE {time} >= ? ORDER BY {time}"
            for values in db.execute(sql, (since,)):
                row = dict(zip(names, values, strict=True))
                yield _readable(table, row)
    except sqlite3.Error as error:
        raise StoreError(f"the journal {path} cannot be read: {error}") from error


def _readable(table: str, row: dict[str, Any]) -> dict[str, Any]:
    data = row.pop("data")
    if table == "events":
        event = events_pb2.Event.FromString(data)
        said = MessageToDict(event, preserving_proto_field_name=True)
        return row | {"kind": event.WhichOneof("payload"), "event": said}
    return row | {"value": json.loads(data)}


def write_json_lines(found: Iterator[dict[str, Any]], file: Any) -> int:
    """A row a line; how many."""
    count = 0
    for count, row in enumerate(found, 1):  # noqa: B007 - the count is what is returned
        file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    return count


def write_parquet(found: Iterator[dict[str, Any]], path: Path) -> int:
    """The same in columns, what is nested as JSON text. ModuleNotFoundError without pyarrow."""
    import pyarrow
    import pyarrow.parquet

    writer, count = None, 0
    try:
        while True:
            batch = [_flat(row) for _, row in zip(range(_BATCH), found, strict=False)]
            if not batch and writer is not None:
                return count
            table = pyarrow.Table.from_pylist(batch, schema=writer and writer.schema)
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(path, table.schema, compression="zstd")
            if batch:
                writer.write_table(table)
            count += len(batch)
    finally:
        if writer is not None:
            writer.close()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        for key, value in row.items()
    }
