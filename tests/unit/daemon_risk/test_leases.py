"""Leases and the venues' timers, with clocks that tests turn and a disk that may be full."""

import asyncio
from typing import Any

import pytest

from core.clock import SECOND, ManualClock
from core.errors import Reason, Refused, Unconfirmed
from daemon.access.caller import CALLER, OWNER, Caller
from daemon.risk import timers
from daemon.risk.halts import Halts
from daemon.risk.leases import Leases
from daemon.risk.scope import Scope
from daemon.risk.timers import MARGIN
from tests.support.waiting import until


class TimedAccount:
    """An account whose venue has a timer."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.failing = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def cancel_all_after(self, timeout: int) -> None:
        await self.gate.wait()
        if self.failing:
            self.failing -= 1
            raise Unconfirmed(Reason.OUTCOME_UNKNOWN, "no answer")
        self.told.append(timeout)


class Desk:
    """Leases with all that they need."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.full = False
        self.kept = 0
        self.numbers = 0
        self.canceled: list[str] = []
        self.unreachable = False
        self.silent = asyncio.Event()  # account "c" answers to a cancel when this is set
        self.silent.set()
        self.accounts: dict[str, Any] = {"a": TimedAccount(), "b": TimedAccount(), "c": object()}
        self.leases = Leases(
            (), self.clock, self.keep, self.name, lambda id: [self.accounts[id]], self.cancel
        )

    def keep(self) -> None:
        if self.full:
            raise Refused(Reason.JOURNAL_UNAVAILABLE, "the disk is full")
        self.kept += 1

    def name(self, kind: str) -> str:
        self.numbers += 1
        return f"{kind}-{self.numbers}"

    async def cancel(self, account: str) -> None:
        if self.unreachable:
            raise Unconfirmed(Reason.OUTCOME_UNKNOWN, "no answer")
        if account == "c":
            await self.silent.wait()
        self.canceled.append(account)

    def told(self, account: str) -> list[int]:
        found: list[int] = self.accounts[account].told
        return found


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(timers, "_RETRY", 0.0)
    monkeypatch.setattr("daemon.risk.leases._RETRY", 0.001)
    return Desk()


async def rounds(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_timer_is_set_renewed_and_taken_back(desk: Desk) -> None:
    lease = desk.leases.open(5 * SECOND, ("a", "c"))
    await rounds()
    assert desk.told("a") == [5 * SECOND + MARGIN]
    for _ in range(10):  # a second later, and again: late enough still
        desk.clock.advance(SECOND // 10)
        desk.leases.renew(lease.id)
    await rounds()
    assert len(desk.told("a")) == 1
    desk.clock.advance(4 * SECOND)
    desk.leases.renew(lease.id)
    await rounds()
    assert desk.told("a") == [5 * SECOND + MARGIN] * 2
    desk.leases.close(lease.id)
    await rounds()
    assert desk.told("a")[-1] == 0
    assert len(desk.told("a")) == 3


async def test_a_slow_answer_does_not_set_the_timer_after_it_was_taken_back(desk: Desk) -> None:
    account = desk.accounts["a"]
    account.gate.clear()
    lease = desk.leases.open(5 * SECOND, ("a",))
    await rounds()
    desk.leases.close(lease.id)
    await rounds()
    account.gate.set()
    await rounds()
    assert account.told == [5 * SECOND + MARGIN, 0]


async def test_a_timer_that_cannot_be_taken_back_is_tried_again(desk: Desk) -> None:
    lease = desk.leases.open(5 * SECOND, ("a",))
    await rounds()
    desk.accounts["a"].failing = 3
    desk.leases.close(lease.id)
    await until(lambda: desk.told("a")[-1] == 0)


async def test_accounts_of_several_leases_have_the_shortest(desk: Desk) -> None:
    long = desk.leases.open(60 * SECOND, ("a", "b"))
    short = desk.leases.open(5 * SECOND, ("b",))
    await rounds()
    assert desk.told("a") == [60 * SECOND + MARGIN]
    assert desk.told("b")[-1] == 5 * SECOND + MARGIN
    desk.leases.close(long.id)
    await rounds()
    assert desk.told("a")[-1] == 0  # nobody else's
    assert desk.told("b")[-1] == 5 * SECOND + MARGIN
    desk.leases.close(short.id)
    await rounds()
    assert desk.told("b")[-1] == 0


async def test_a_silent_venue_keeps_no_other_orders_open(desk: Desk) -> None:
    desk.silent.clear()
    running = asyncio.create_task(desk.leases.run())
    try:
        await rounds()
        lease = desk.leases.open(5 * SECOND, ("c", "a"))
        desk.leases.open(5 * SECOND, ("b",))
        desk.clock.advance(6 * SECOND)
        desk.leases.open(60 * SECOND, ("a",))  # wakes it up
        await until(lambda: set(desk.canceled) == {"a", "b"})
        assert lease.id in {one.id for one in desk.leases}
        desk.silent.set()
        await until(lambda: "c" in desk.canceled)
        await until(lambda: lease.id not in {one.id for one in desk.leases})
    finally:
        running.cancel()


async def test_a_bot_has_so_many_leases_and_leaves_room_for_others(desk: Desk) -> None:
    for _ in range(100):
        desk.leases.open(5 * SECOND, ("a",))
    with pytest.raises(Refused) as error:
        desk.leases.open(5 * SECOND, ("a",))
    assert error.value.reason is Reason.RATE_LIMITED
    CALLER.set(Caller("another"))
    desk.leases.open(5 * SECOND, ("a",))


async def test_a_halt_on_a_full_disk_is_in_force_and_says_so(desk: Desk) -> None:
    halts = Halts((), desk.clock, desk.keep, desk.name)
    desk.full = True
    for _ in range(2):
        with pytest.raises(Refused, match="h-1 is in force, but not kept for after a restart yet"):
            halts.add(Scope(), False, "")
    with pytest.raises(Refused) as error:
        halts.check(False, "v", "a", "i", "bot")
    assert error.value.reason is Reason.HALTED


async def test_bots_make_so_many_halts_and_the_owner_any(desk: Desk) -> None:
    halts = Halts((), desk.clock, desk.keep, desk.name)
    CALLER.set(Caller("bot"))
    for number in range(1000):
        halts.add(Scope(instrument=str(number)), False, "")
    with pytest.raises(Refused) as error:
        halts.add(Scope(), False, "")
    assert error.value.reason is Reason.RATE_LIMITED
    halts.add(Scope(instrument="1"), False, "")  # it is there already
    CALLER.set(Caller(OWNER))
    halts.add(Scope(), False, "")


async def test_what_expires_is_canceled_once_and_its_timer_taken_back(desk: Desk) -> None:
    running = asyncio.create_task(desk.leases.run())
    try:
        await rounds()
        lease = desk.leases.open(5 * SECOND, ("a",))
        await rounds()
        desk.unreachable = True
        desk.clock.advance(5 * SECOND)
        desk.leases._changed.set()
        with pytest.raises(Refused):
            desk.leases.renew(lease.id)
        await rounds()
        assert [one.id for one in desk.leases] == [lease.id]  # its orders may be open
        desk.unreachable = False
        await until(lambda: not list(desk.leases))
        assert desk.canceled == ["a"]
        # Else the venue would cancel what the bot places afterwards.
        await until(lambda: desk.told("a")[-1] == 0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("back", [-3600 * SECOND, 3600 * SECOND])
async def test_a_clock_that_is_set_neither_lengthens_nor_ends_a_lease(
    desk: Desk, back: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = asyncio.create_task(desk.leases.run())
    try:
        await rounds()
        lease = desk.leases.open(5 * SECOND, ("a",))
        true_now = desk.clock.now
        monkeypatch.setattr(desk.clock, "now", lambda: true_now() + back)
        desk.leases._changed.set()
        await rounds()
        desk.leases.renew(lease.id)
        assert desk.canceled == []
        desk.clock.advance(5 * SECOND)
        desk.leases._changed.set()
        await until(lambda: desk.canceled == ["a"])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_full_disk_opens_no_lease_and_forgets_none(desk: Desk) -> None:
    lease = desk.leases.open(5 * SECOND, ("a",))
    desk.full = True
    with pytest.raises(Refused):
        desk.leases.open(5 * SECOND, ("b",))
    assert desk.told("b") == []
    desk.leases.renew(lease.id)
    with pytest.raises(Refused):
        desk.leases.close(lease.id)
    desk.leases.renew(lease.id)  # it is still there
    desk.full = False
    desk.leases.close(lease.id)
    with pytest.raises(Refused):
        desk.leases.renew(lease.id)


async def test_a_lease_that_a_full_disk_remembers_still_ends(desk: Desk) -> None:
    running = asyncio.create_task(desk.leases.run())
    try:
        await rounds()
        desk.leases.open(5 * SECOND, ("a",))
        desk.full = True
        desk.clock.advance(5 * SECOND)
        desk.leases._changed.set()
        await until(lambda: desk.canceled == ["a"])
        await until(lambda: not list(desk.leases))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_halt_is_in_force_on_a_full_disk_and_kept_when_it_is_asked_again() -> None:
    desk = Desk()
    halts = Halts((), desk.clock, desk.keep, desk.name)
    desk.full = True
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            halts.add(Scope(), False, "stop")
        assert refused.value.reason is Reason.JOURNAL_UNAVAILABLE
        with pytest.raises(Refused) as refused:
            halts.check(False, "paper", "main", "BTC-USDT", "bot")
        assert refused.value.reason is Reason.HALTED
    desk.full = False
    assert halts.add(Scope(), False, "stop").id == "h-1"
    assert desk.kept == 1
    desk.full = True
    with pytest.raises(Refused):
        halts.end("h-1")
    assert halts.get("h-1")
