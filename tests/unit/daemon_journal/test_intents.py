"""One request id, one effect, one answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from core.clock import SECOND, ManualClock
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from daemon.journal import Journal
from daemon.journal.intents import RETENTION
from tests.support.desks import FrailStore
from tests.support.waiting import until


class Effect:
    """A handler that counts, and ends as it is told to."""

    def __init__(self, *ends: bytes | Exception) -> None:
        self.ends = list(ends)
        self.runs = 0
        self.gate: asyncio.Event | None = None

    async def __call__(self) -> bytes:
        self.runs += 1
        if self.gate is not None:
            await self.gate.wait()
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if isinstance(end, Exception):
            raise end
        return end


Opener = Callable[[], Awaitable[Journal]]


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def reopen(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Opener]:
    """Opens the journal; again: after a crash that let nothing more be written."""
    journals: list[Journal] = []
    stores: list[FrailStore] = []

    async def open_() -> Journal:
        for store in stores:
            store.die()
        for journal in journals:
            await journal.close()
        stores.append(FrailStore(tmp_path / "journal.sqlite"))
        journals.append(Journal(stores[-1], clock, retry_delay=0.001))
        await journals[-1].open()
        return journals[-1]

    yield open_
    for journal in journals:
        await journal.close()


async def test_a_repeated_request_gets_the_first_answer(reopen: Opener) -> None:
    journal = await reopen()
    effect = Effect(b"first", b"second")
    for _ in range(3):
        assert await journal.intents.run("Place", "r1", b"body", effect) == b"first"
    journal = await reopen()
    assert await journal.intents.run("Place", "r1", b"body", effect) == b"first"
    assert effect.runs == 1


@pytest.mark.parametrize(("method", "body"), [("Place", b"other"), ("Cancel", b"body")])
async def test_an_id_stands_for_one_request(reopen: Opener, method: str, body: bytes) -> None:
    journal = await reopen()
    effect = Effect(b"first")
    await journal.intents.run("Place", "r1", b"body", effect)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await journal.intents.run(method, "r1", body, effect)
        assert caught.value.reason is Reason.REQUEST_ID_REUSED
        journal = await reopen()
    assert effect.runs == 1


async def test_those_who_ask_at_once_share_the_answer(reopen: Opener) -> None:
    journal = await reopen()
    effect = Effect(b"first", b"second")
    effect.gate = asyncio.Event()
    asking = [
        asyncio.create_task(journal.intents.run("Place", "r1", b"body", effect)) for _ in range(20)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await journal.intents.run("Place", "r1", b"other", effect)
    assert caught.value.reason is Reason.REQUEST_ID_REUSED
    effect.gate.set()
    assert await asyncio.gather(*asking) == [b"first"] * 20
    assert effect.runs == 1


async def test_a_caller_that_goes_away_does_not_stop_the_effect(reopen: Opener) -> None:
    journal = await reopen()
    effect = Effect(b"first")
    effect.gate = asyncio.Event()
    asking = asyncio.create_task(journal.intents.run("Place", "r1", b"body", effect))
    await until(lambda: effect.runs)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    effect.gate.set()
    assert await journal.intents.run("Place", "r1", b"body", effect) == b"first"
    assert effect.runs == 1


async def test_a_rejection_is_an_answer(reopen: Opener) -> None:
    journal = await reopen()
    effect = Effect(Rejected(Reason.ORDER_REJECTED, "no", {"venue_code": "-2010"}), b"second")
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            await journal.intents.run("Place", "r1", b"body", effect)
        assert caught.value.reason is Reason.ORDER_REJECTED
        assert (caught.value.message, caught.value.metadata) == ("no", {"venue_code": "-2010"})
        journal = await reopen()
    assert effect.runs == 1


async def test_a_refusal_leaves_nothing(reopen: Opener) -> None:
    journal = await reopen()
    effect = Effect(Refused(Reason.RATE_LIMITED, "later"), b"second")
    with pytest.raises(Refused):
        await journal.intents.run("Place", "r1", b"body", effect)
    assert await journal.intents.run("Place", "r1", b"another body", effect) == b"second"


@pytest.mark.parametrize(
    "end",
    [
        Unconfirmed(Reason.OUTCOME_UNKNOWN, "who knows"),
        CambistError(Reason.INTERNAL, "what"),
        RuntimeError("a bug"),
    ],
)
@pytest.mark.parametrize("crash", [True, False])
async def test_what_is_not_known_is_found_out_by_the_same_request(
    reopen: Opener, end: Exception, crash: bool
) -> None:
    journal = await reopen()
    effect = Effect(end, Refused(Reason.RATE_LIMITED, "later"), b"done")
    with pytest.raises(type(end)):
        await journal.intents.run("Place", "r1", b"body", effect)
    await journal.append(fact=True)
    if crash:
        journal = await reopen()
    # Something may have been done: the id stays bound to its body, even through a refusal.
    with pytest.raises(Refused):
        await journal.intents.run("Place", "r1", b"body", effect)
    with pytest.raises(Refused) as caught:
        await journal.intents.run("Place", "r1", b"another", effect)
    assert caught.value.reason is Reason.REQUEST_ID_REUSED
    assert await journal.intents.run("Place", "r1", b"body", effect) == b"done"
    assert effect.runs == 3


async def test_an_intent_is_durable_before_what_its_handler_journals(reopen: Opener) -> None:
    journal = await reopen()
    order: list[str] = []

    async def handler() -> bytes:
        await journal.append(fact=True)  # durable, so what is before it is, too
        row = await journal.read(lambda store: store.intent("r1"))
        order.append(row.state if row else "missing")
        return b"done"

    await journal.intents.run("Place", "r1", b"body", handler)
    row = await journal.read(lambda store: store.intent("r1"))
    assert row is not None
    assert [*order, row.state] == ["begun", "done"]


async def test_without_a_journal_nothing_runs_or_is_remembered(tmp_path: Path) -> None:
    store = FrailStore(tmp_path / "journal.sqlite")
    journal = Journal(store, ManualClock(), retry_delay=0.001)
    await journal.open()
    store.failing = "the disk is full"

    async def handler() -> bytes:
        await journal.append()
        raise AssertionError("it was not durable")

    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await journal.intents.run("Place", "r1", b"body", handler)
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
    store.failing = ""
    await until(lambda: journal.available)
    assert await journal.intents.run("Place", "r1", b"body", Effect(b"done")) == b"done"
    await journal.close()


async def test_an_answer_is_given_though_the_disk_is_full_by_then(tmp_path: Path) -> None:
    store = FrailStore(tmp_path / "journal.sqlite")
    journal = Journal(store, ManualClock(), retry_delay=0.001)
    await journal.open()

    async def handler() -> bytes:
        await journal.append(fact=True)
        store.failing = "the disk is full"
        return b"done"

    assert await journal.intents.run("Place", "r1", b"body", handler) == b"done"
    assert await journal.intents.run("Place", "r1", b"body", Effect(b"other")) == b"done"
    store.failing = ""
    await until(lambda: journal.available)
    row = await journal.read(lambda store: store.intent("r1"))
    assert row is not None
    assert (row.state, row.answer) == ("done", b"done")
    await journal.close()


async def test_ids_are_kept_for_the_retention_and_not_for_ever(
    reopen: Opener, clock: ManualClock
) -> None:
    journal = await reopen()
    effect = Effect(b"first", b"second")
    await journal.intents.run("Place", "r1", b"body", effect)
    clock.advance(RETENTION * SECOND)
    journal = await reopen()
    assert await journal.intents.run("Place", "r1", b"body", effect) == b"first"
    clock.advance(1)
    journal.intents.prune()
    await journal.append(fact=True)
    assert await journal.intents.run("Place", "r1", b"body", effect) == b"second"
    assert journal.intents.kept_seconds == RETENTION


async def test_memory_is_bounded(reopen: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.journal.intents._REMEMBERED", 10)
    journal = await reopen()
    effect = Effect(b"answer")
    for n in range(50):
        await journal.intents.run("Place", f"r{n}", b"body", effect)
    assert len(journal.intents._answers) == 10
    assert await journal.intents.run("Place", "r0", b"body", effect) == b"answer"
    assert effect.runs == 50


async def test_what_stands_in_the_way_of_looking_is_no_proof_that_nothing_was_sent(
    reopen: Opener,
) -> None:
    """A request was sent, the daemon died, and after its restart the keys are locked."""
    journal = await reopen()
    locked = Refused(Reason.SECRETS_LOCKED, "unlock", {"account": "main"})
    halted = Refused(Reason.HALTED, "halted")
    effect = Effect(Unconfirmed(Reason.OUTCOME_UNKNOWN, "dead"), locked, halted, b"first")
    with pytest.raises(Unconfirmed):
        await journal.intents.run("Place", "r1", b"body", effect)
    await journal.append(fact=True)  # what it sent took its beginning along to the disk
    journal = await reopen()
    with pytest.raises(Unconfirmed) as caught:
        await journal.intents.run("Place", "r1", b"body", effect)
    assert (caught.value.reason, caught.value.metadata) == (locked.reason, locked.metadata)
    with pytest.raises(Refused):  # decided by one who has looked
        await journal.intents.run("Place", "r1", b"body", effect)
    assert await journal.intents.run("Place", "r1", b"body", effect) == b"first"
    with pytest.raises(Refused):  # one that was never begun
        await journal.intents.run("Place", "r2", b"body", Effect(locked))
