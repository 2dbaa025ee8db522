"""The journal: order, sequence numbers, durability, and what happens when the disk says no."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cambist.v1 import events_pb2 as pb
from core.clock import ManualClock
from core.errors import Reason, Refused
from core.ports import Health
from daemon.journal import Journal, SqliteStore
from daemon.journal.events import NewEvent, new_event
from daemon.journal.store import EventRow, MetaRow
from tests.support.desks import FrailStore
from tests.support.waiting import until


def event(text: str, account: str = "main", subject: str = "") -> NewEvent:
    message = pb.Event(account_notice=pb.AccountNotice(account=account, message=text))
    return new_event(message, 1_700_000_000_000_000_000, account, subject)


@pytest.fixture
async def store(tmp_path: Path) -> FrailStore:
    return FrailStore(tmp_path / "journal.sqlite")


@pytest.fixture
async def journal(store: FrailStore) -> AsyncIterator[Journal]:
    made = Journal(store, ManualClock(), retry_delay=0.001)
    await made.open()
    yield made
    await made.close()


async def told(journal: Journal) -> list[str]:
    rows = await journal.read(lambda store: store.events(0, 10_000))
    events = [pb.Event.FromString(row.data) for row in rows]
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert [one.sequence for one in events] == [row.sequence for row in rows]
    return [one.account_notice.message for one in events]


async def test_events_are_numbered_in_the_order_of_their_appending(journal: Journal) -> None:
    futures = [journal.append(event(f"a{n}"), event(f"b{n}")) for n in range(500)]
    assert await asyncio.gather(*futures) == [2 * n + 2 for n in range(500)]
    assert await told(journal) == [f"{x}{n}" for n in range(500) for x in "ab"]
    assert journal.sequence == 1000


async def test_the_bytes_are_those_that_protobuf_would_write(journal: Journal) -> None:
    for _ in range(200):
        await journal.append(event("x"))
    row = (await journal.read(lambda store: store.events(199, 1)))[0]
    assert pb.Event.FromString(row.data).SerializeToString(deterministic=True) == row.data


async def test_identity_and_sequence_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    seen = set()
    for n in range(3):
        journal = Journal(SqliteStore(path), ManualClock())
        await journal.open()
        assert journal.sequence == n
        assert await journal.append(event("x")) == n + 1
        seen.add(journal.daemon_id)
        await journal.close()
    assert len(seen) == 1
    assert len(seen.pop()) == 16


async def test_what_is_queued_is_written_before_it_closes(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(SqliteStore(path), ManualClock())
    await journal.open()
    for n in range(2000):
        journal.append(event(str(n)), fact=True)
    await journal.close()
    with pytest.raises(Refused):
        journal.append(event("late"))
    journal = Journal(SqliteStore(path), ManualClock())
    await journal.open()
    assert await told(journal) == [str(n) for n in range(2000)]
    await journal.close()


async def test_subscribers_see_events_when_they_are_durable(
    journal: Journal, store: FrailStore
) -> None:
    seen: list[EventRow] = []
    stop = journal.subscribe(seen.extend)
    store.failing = "not now"
    future = journal.append(event("kept"), fact=True)
    with pytest.raises(Refused):
        await future
    assert seen == []
    store.failing = ""
    await until(lambda: seen and journal.available)
    assert [row.sequence for row in seen] == [1]
    stop()
    await journal.append(event("more"))
    assert len(seen) == 1


async def test_a_broken_journal_withdraws_intents_and_keeps_facts(
    journal: Journal, store: FrailStore
) -> None:
    await journal.append(event("before"))
    store.failing = "cannot write the journal: the disk is full"
    intent, fact = journal.append(event("intent")), journal.append(event("fact 1"), fact=True)
    for future in (intent, fact):
        with pytest.raises(Refused) as caught:
            await future
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
        assert "disk is full" in caught.value.message
    assert journal.condition.health is Health.DOWN
    assert not journal.available
    with pytest.raises(Refused):
        journal.append(event("refused at once"))
    journal.append(event("fact 2"), fact=True)
    recovered = asyncio.Event()
    journal.on_recovery(recovered.set)
    store.failing = ""
    await asyncio.wait_for(recovered.wait(), 10)
    assert journal.condition.health is Health.READY
    await journal.append(event("after"))
    assert await told(journal) == ["before", "fact 1", "fact 2", "after"]


async def test_it_recovers_with_nothing_to_write(journal: Journal, store: FrailStore) -> None:
    store.failing = "not now"
    with pytest.raises(Refused):
        await journal.append(event("intent"))
    store.failing = ""
    await until(lambda: journal.available)
    assert await told(journal) == []


async def test_the_queue_is_bounded(tmp_path: Path) -> None:
    store = FrailStore(tmp_path / "journal.sqlite")
    journal = Journal(store, ManualClock(), queue_limit=10, retry_delay=0.001)
    await journal.open()
    await journal.append()
    store.failing = "not now"
    for _ in range(10):
        journal.append(event("fact"), fact=True)
    assert not journal.has_room
    with pytest.raises(Refused):
        journal.append(event("one too many"), fact=True)
    store.failing = ""
    await until(lambda: journal.has_room)
    assert await told(journal) == ["fact"] * 10
    await journal.close()


async def test_intents_leave_room_for_facts(tmp_path: Path) -> None:
    journal = Journal(FrailStore(tmp_path / "journal.sqlite"), ManualClock(), queue_limit=10)
    await journal.open()
    await journal.append()
    for _ in range(5):
        journal.append(event("intent"))
    with pytest.raises(Refused) as caught:
        journal.append(event("intent"))
    assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
    journal.append(event("fact"), fact=True)
    await journal.close()


async def one_more(journal: Journal) -> int | Refused:
    """Appends a long event; the error as a value."""
    try:
        return await journal.append(event("x" * 500))
    except Refused as error:
        return error


async def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """SQLite's own SQLITE_FULL, by its limit on the file's pages."""
    path = tmp_path / "journal.sqlite"
    store = SqliteStore(path, "normal", max_pages=60)
    journal = Journal(store, ManualClock(), retry_delay=0.001)
    await journal.open()
    written = 0
    while not isinstance(ended := await one_more(journal), Refused):
        written += 1
    assert "disk is full" in ended.message
    assert ended.reason is Reason.JOURNAL_UNAVAILABLE
    assert journal.append(event("a fact"), fact=True) is not None
    kept = await told(journal)
    assert kept.count("x" * 500) == written > 10
    with sqlite3.connect(path) as other:  # space is made
        other.execute("DELETE FROM meta WHERE key = 'probe'")
    store.limit(100_000)
    await until(lambda: journal.available)
    await journal.append(event("after"))
    assert await told(journal) == ["x" * 500] * written + ["a fact", "after"]
    await journal.close()


async def test_a_lock_that_another_holds_is_waited_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(SqliteStore(path, busy_timeout=1), ManualClock(), retry_delay=0.001)
    await journal.open()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused, match="holds a lock"):
        await journal.append(event("x"))
    other.execute("ROLLBACK")
    other.close()
    await until(lambda: journal.available)
    await journal.append(event("y"))
    assert await told(journal) == ["y"]
    await journal.close()


async def test_a_poisonous_row_breaks_loudly_not_silently(journal: Journal) -> None:
    with pytest.raises(Refused):
        await journal.append(MetaRow("key", object()))  # type: ignore[arg-type]
    await until(lambda: journal.available)
    await journal.append(event("x"))
    assert await told(journal) == ["x"]


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    before = os.umask(0)
    try:
        journal = Journal(SqliteStore(path), ManualClock())
        await journal.open()
        await journal.append(event("x"))
        for name in os.listdir(tmp_path):
            assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600, name
        await journal.close()
    finally:
        os.umask(before)


async def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 999")
    with pytest.raises(Refused, match="newer version"):
        await Journal(SqliteStore(path), ManualClock()).open()


async def test_a_file_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database, but long enough to be looked at as one" * 40)
    journal = Journal(SqliteStore(path), ManualClock())
    with pytest.raises(Refused, match="no SQLite database"):
        await journal.open()
    assert journal.condition.health is Health.DOWN
