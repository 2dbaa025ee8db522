"""What a chain alone cannot show: that its end was cut off, or that an older copy was put back."""

import shutil
import sqlite3
from pathlib import Path

from core.clock import SECOND, ManualClock
from daemon.journal import Journal, SqliteStore
from daemon.journal.heads import NAME, Heads, read
from daemon.journal.verify import verify
from tests.unit.daemon_journal.test_hash_chain import event

CLOCK = ManualClock()


async def run(path: Path, count: int, first: int = 1) -> None:
    """One life of a daemon."""
    journal = Journal(SqliteStore(path, "normal"), CLOCK)
    await journal.open()
    heads = Heads(path, journal, CLOCK)
    await heads.begin()
    for number in range(first, first + count):
        await journal.append(event(number))
    await heads.note()
    await heads.note()  # nothing new: nothing is written
    await journal.close()


async def test_a_head_is_noted_where_the_chain_went_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await run(path, 5)
    await run(path, 5, first=6)
    noted = read(tmp_path / NAME)
    assert len(noted) == 2
    assert (noted[-1].number, noted[-1].hash) == (verify(path).entries, verify(path).head)
    assert verify(path).faults == ()
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


async def test_a_cut_end_shows_though_what_is_left_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await run(path, 10)
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM entries WHERE kind = 'EventRow' AND CAST(name AS INTEGER) > 7")
        db.execute("DELETE FROM events WHERE sequence > 7")
    db.close()
    (fault,) = verify(path).faults
    assert "its end was cut off, or an older copy was put in its place" in fault
    await run(path, 10, first=8)  # and it still shows when the journal has grown over it
    (fault,) = verify(path).faults
    assert "is another than was noted at" in fault


async def test_an_older_copy_shows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await run(path, 3)
    shutil.copy(path, tmp_path / "copy.sqlite")
    await run(path, 3, first=4)
    shutil.copy(tmp_path / "copy.sqlite", path)
    (fault,) = verify(path).faults
    assert "an older copy was put in its place" in fault


async def test_the_file_is_bounded_and_a_torn_line_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await run(path, 3)
    head = read(tmp_path / NAME)[-1]
    line = f"{SECOND} {head.number} {head.hash.hex()}\n"
    (tmp_path / NAME).write_text(line * 9000)
    await run(path, 1, first=4)
    assert len(read(tmp_path / NAME)) == 2000
    with (tmp_path / NAME).open("a") as file:
        file.write("17000 5 ab")
    assert read(tmp_path / NAME)[-1].number == verify(path).entries
    assert verify(path).faults == ()
    (tmp_path / NAME).write_text(line + "half a li")
    assert verify(path).faults == ()
