"""The event log as streams: nothing missing, nothing twice, wherever a reader begins."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cambist.v1 import events_pb2 as pb
from core.clock import ManualClock
from core.errors import CambistError, Reason, Refused
from daemon.journal import Journal, SqliteStore
from daemon.journal.events import NewEvent, new_event
from daemon.streams.events import EventReader, EventStream


def event(text: str, account: str = "main") -> NewEvent:
    message = pb.Event(account_notice=pb.AccountNotice(account=account, message=text))
    return new_event(message, 1_700_000_000_000_000_000, account)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(SqliteStore(tmp_path / "journal.sqlite", "normal"), ManualClock())
    await made.open()
    yield made
    await made.close()


async def fill(journal: Journal, first: int, last: int, account: str = "main") -> None:
    await asyncio.gather(*(journal.append(event(str(n), account)) for n in range(first, last + 1)))


async def take(reader: EventReader, count: int) -> list[str]:
    """The next `count` events; fails when they do not come, or more come with them."""
    found: list[str] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            chunk = await reader.next()
            assert chunk is not None
            events = pb.ListEventsResponse.FromString(chunk.data).events
            assert len(events) == chunk.count
            assert reader.resume_token == chunk.resume_token
            found += [one.account_notice.message for one in events]
    assert len(found) == count
    return found


def names(first: int, last: int) -> list[str]:
    return [str(n) for n in range(first, last + 1)]


async def test_from_the_start_through_the_store_into_the_present(journal: Journal) -> None:
    await fill(journal, 1, 1500)
    stream = EventStream(journal)  # made late: what was before is only in the store
    reader = stream.reader(from_start=True)
    assert await take(reader, 1500) == names(1, 1500)
    assert await reader.next(timeout=0) is None
    await fill(journal, 1501, 1600)
    assert await take(reader, 100) == names(1501, 1600)


async def test_from_now_on(journal: Journal) -> None:
    stream = EventStream(journal)
    await fill(journal, 1, 10)
    reader = stream.reader()
    reading = asyncio.create_task(take(reader, 3))
    await fill(journal, 11, 13)
    assert await reading == names(11, 13)


async def test_from_any_token_nothing_is_missing_and_nothing_twice(journal: Journal) -> None:
    stream = EventStream(journal)
    await fill(journal, 1, 1300)
    tokens = [stream.token(n) for n in (0, 1, 511, 512, 513, 1299, 1300)]
    for token, after in zip(tokens, (0, 1, 511, 512, 513, 1299, 1300), strict=True):
        reader = stream.reader(resume_token=token)
        assert await take(reader, 1300 - after) == names(after + 1, 1300)


async def test_a_token_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(SqliteStore(path), ManualClock())
    await journal.open()
    await fill(journal, 1, 5)
    token = EventStream(journal).token(3)
    await journal.close()
    journal = Journal(SqliteStore(path), ManualClock())
    await journal.open()
    assert await take(EventStream(journal).reader(resume_token=token), 2) == ["4", "5"]
    await journal.close()


async def test_a_filter_leaves_out_events_not_places(journal: Journal) -> None:
    stream = EventStream(journal)
    await fill(journal, 1, 600, "other")
    await fill(journal, 601, 603)
    reader = stream.reader(from_start=True, account="main")
    assert await take(reader, 3) == names(601, 603)
    await fill(journal, 604, 700, "other")
    assert await reader.next(timeout=0) is None
    assert reader.position == 700
    again = stream.reader(resume_token=reader.resume_token, account="main")
    await fill(journal, 701, 701)
    assert await take(again, 1) == ["701"]


async def test_an_idle_stream_gives_time_for_a_heartbeat(journal: Journal) -> None:
    reader = EventStream(journal).reader()
    assert await reader.next(timeout=0.001) is None


async def test_one_that_catches_up_is_never_too_slow(journal: Journal) -> None:
    stream = EventStream(journal, max_behind=100)
    await fill(journal, 1, 5000)
    assert await take(stream.reader(from_start=True), 5000) == names(1, 5000)


async def test_one_that_falls_behind_is_told_and_goes_on_from_there(journal: Journal) -> None:
    stream = EventStream(journal, max_behind=100)
    reader = stream.reader()
    await fill(journal, 1, 50)
    assert await take(reader, 50) == names(1, 50)
    await fill(journal, 51, 150)
    assert (await take(reader, 100))[-1] == "150"  # a hundred is not too many
    await fill(journal, 151, 251)
    with pytest.raises(CambistError) as caught:
        await reader.next()
    assert caught.value.reason is Reason.SLOW_READER
    token = caught.value.metadata["resume_token"]
    assert await take(stream.reader(resume_token=token), 101) == names(151, 251)


async def test_memory_is_bounded(journal: Journal) -> None:
    stream = EventStream(journal, max_behind=100)
    await fill(journal, 1, 1000)
    assert len(stream._tail) == 100


@pytest.mark.parametrize("how", ["garbage", "empty", "short", "flipped", "not_base64", "ahead"])
async def test_a_foreign_token_is_refused(journal: Journal, how: str) -> None:
    stream = EventStream(journal)
    await fill(journal, 1, 3)
    good = base64.urlsafe_b64decode(stream.token(2))
    token = {
        "garbage": "bm90IGEgdG9rZW4=",
        "empty": "====",
        "short": base64.urlsafe_b64encode(good[:9]).decode(),
        "flipped": base64.urlsafe_b64encode(bytes([*good[:-1], good[-1] ^ 1])).decode(),
        "not_base64": "\u00fc\u00fc",
        "ahead": stream.token(4),
    }[how]
    with pytest.raises(Refused) as caught:
        stream.reader(resume_token=token)
    assert caught.value.reason is Reason.RESUME_TOKEN_INVALID


async def test_a_token_of_another_journal_is_refused(journal: Journal, tmp_path: Path) -> None:
    await fill(journal, 1, 3)
    other = Journal(SqliteStore(tmp_path / "other.sqlite"), ManualClock())
    await other.open()
    await fill(other, 1, 3)
    with pytest.raises(Refused) as caught:
        EventStream(journal).reader(resume_token=EventStream(other).token(2))
    assert caught.value.reason is Reason.RESUME_TOKEN_INVALID
    await other.close()


async def test_closing_ends_the_readers(journal: Journal) -> None:
    stream = EventStream(journal)
    reading = asyncio.create_task(stream.reader().next())
    await asyncio.sleep(0)
    stream.close()
    with pytest.raises(Refused) as caught:
        await reading
    assert caught.value.reason is Reason.SHUTTING_DOWN
