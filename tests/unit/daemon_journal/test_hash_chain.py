"""The hash chain: whatever is changed behind the journal's back shows."""

import json
import sqlite3
from pathlib import Path

import pytest

from cambist.v1 import events_pb2
from core.clock import SECOND, ManualClock
from core.errors import Reason, Refused
from daemon.journal import Journal, SqliteStore
from daemon.journal.events import NewEvent
from daemon.journal.export import rows, write_json_lines, write_parquet
from daemon.journal.store import FillRow, IntentGone, IntentRow, IntentsBefore, OrderRow, StoreError
from daemon.journal.verify import verify
from daemon.streams.events import EventStream

CLOCK = ManualClock()


def event(number: int) -> NewEvent:
    message = events_pb2.Event(
        account_notice=events_pb2.AccountNotice(account="a", message=f"number {number}")
    )
    return NewEvent(number * SECOND, "a", f"s{number}", message.SerializeToString())


def order(id: str, data: bytes = b"{}") -> OrderRow:
    return OrderRow("a", "v", id, "", f"r-{id}", "X-Y", 1, 1, 2, data)


def fill(id: str, data: bytes = b"{}") -> FillRow:
    return FillRow("a", "v", id, "X-Y", "o", 5, data)


async def written(path: Path) -> None:
    journal = Journal(SqliteStore(path, "normal"), CLOCK)
    await journal.open()
    for number in range(1, 21):
        await journal.append(event(number), order("one", b'{"n":%d}' % number), fill(f"t{number}"))
    await journal.append(fill("t1", b'{"again":1}'), fact=True)
    await journal.append(IntentRow("i1", "m", b"d", "begun", b"", 1))
    await journal.append(IntentRow("i1", "m", b"d", "done", b"a", 1))
    await journal.append(IntentRow("i2", "m", b"d", "begun", b"", 1), IntentGone("i2"))
    await journal.append(IntentRow("i3", "m", b"d", "done", b"", 1))
    await journal.append(IntentsBefore(1))
    await journal.close()


async def test_what_was_written_is_good_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    await written(path)
    first = verify(path)
    assert (first.faults, first.events) == ((), 20)
    journal = Journal(SqliteStore(path, "normal"), CLOCK)
    await journal.open()
    await journal.append(event(21))
    await journal.close()
    second = verify(path, expected=first.head)
    assert second.faults == ()
    assert second.entries > first.entries
    assert second.head != first.head


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE events SET data = x'00' WHERE sequence = 7", "events: 7 is not as it was"),
        ("DELETE FROM events WHERE sequence = 7", "events: 7 is gone"),
        ("INSERT INTO events VALUES (99, 1, 'a', '', x'00')", "events: 99 was written by nobody"),
        ("UPDATE orders SET data = '{}'", "orders: a/v/one is not as it was"),
        ("DELETE FROM orders", "orders: a/v/one is gone"),
        ("UPDATE fills SET event_time = 6 WHERE trade_id = 't1'", "fills: a/v/t1 is not as it was"),
        ("DELETE FROM fills WHERE trade_id = 't3'", "fills: a/v/t3 is gone"),
        ("DELETE FROM entries WHERE number = 9", "entry 9 is missing"),
        (
            "UPDATE entries SET name = 'x' WHERE number = 9",
            "x) does not follow from the one before",
        ),
        ("UPDATE meta SET value = 'other' WHERE key = 'daemon_id'", "meta: daemon_id is not as"),
    ],
)
async def test_a_change_behind_its_back_shows(tmp_path: Path, sql: str, fault: str) -> None:
    path = tmp_path / "j.sqlite"
    await written(path)
    db = sqlite3.connect(path)
    db.execute(sql)
    db.commit()
    db.close()
    assert any(fault in one for one in verify(path).faults), verify(path).faults


async def test_a_chain_that_was_made_anew_does_not_have_the_hash_that_was_noted(
    tmp_path: Path,
) -> None:
    await written(tmp_path / "a.sqlite")
    noted = verify(tmp_path / "a.sqlite").head
    journal = Journal(SqliteStore(tmp_path / "b.sqlite", "normal"), CLOCK)
    await journal.open()
    await journal.append(event(1))
    await journal.close()
    found = verify(tmp_path / "b.sqlite", expected=noted)
    assert found.faults == (
        "the hash that was noted is not in the chain: what came before it changed",
    )


async def test_old_events_are_forgotten_and_the_rest_is_still_good(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    await written(path)
    journal = Journal(SqliteStore(path, "normal"), CLOCK)
    await journal.open()
    stream = EventStream(journal)
    token = stream.token(3)
    assert await journal.forget_events(11 * SECOND) == 10
    assert await journal.forget_events(11 * SECOND) == 0
    with pytest.raises(Refused) as refused:
        await stream.reader(resume_token=token).next()
    assert refused.value.reason is Reason.RESUME_TOKEN_INVALID
    chunk = await stream.reader(from_start=True).next()
    assert chunk is not None
    assert chunk.count == 10
    stream.close()
    await journal.close()
    found = verify(path)
    assert (found.faults, found.events) == ((), 10)


async def test_a_file_that_is_taken_away_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal(SqliteStore(path, "normal"), CLOCK)
    await journal.open()
    await journal.append(event(1))
    path.rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(Refused) as refused:
        await journal.append(event(2))
    assert "was removed or replaced" in refused.value.message
    await journal.close()


async def test_exports_are_exact_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    await written(path)
    out = tmp_path / "events.jsonl"
    with out.open("w") as file:
        assert write_json_lines(rows(path, "events"), file) == 20
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(1, 21))
    assert lines[0]["event"]["account_notice"]["message"] == "number 1"
    assert [row["value"] for row in rows(path, "orders")] == [{"n": 20}]
    pyarrow = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    assert write_parquet(rows(path, "events"), tmp_path / "events.parquet") == 20
    table = pyarrow.read_table(tmp_path / "events.parquet")
    assert table.column("sequence").to_pylist() == list(range(1, 21))
    assert json.loads(table.column("event")[4].as_py())["account_notice"]["account"] == "a"


def test_no_journal_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no journal"):
        verify(tmp_path / "none.sqlite")
