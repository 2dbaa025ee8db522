"""Turns of callers: nobody waits for another's, and a refusal comes at a pace too."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from core.clock import SECOND
from core.errors import Reason, Refused
from daemon.rpc import pace
from daemon.rpc.pace import LONGEST_WAIT, REFUSALS_A_SECOND, TURN_BYTES, Pace


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every wait in ns; nobody waits in truth."""
    waits: list[int] = []

    async def sleep(nanoseconds: int) -> None:
        waits.append(nanoseconds)

    monkeypatch.setattr(pace, "_sleep", sleep)
    return waits


def still(now: int = 10 * SECOND) -> Callable[[], int]:
    return lambda: now


async def test_a_second_at_once_then_in_turn_then_refused(slept: list[int]) -> None:
    turns = Pace(10, still())
    for _ in range(10):
        await turns.turn("a")
    assert slept == []
    for _ in range(10):
        await turns.turn("a")
    assert slept == [SECOND // 10 * (n + 1) for n in range(10)]
    for number in range(3):
        with pytest.raises(Refused) as refused:
            await turns.turn("a")
        assert refused.value.reason is Reason.RATE_LIMITED
        assert refused.value.retry_after == LONGEST_WAIT
        assert slept[-1] == SECOND // REFUSALS_A_SECOND * (number + 1)


async def test_one_caller_does_not_take_the_turns_of_another(slept: list[int]) -> None:
    turns = Pace(10, still())
    for _ in range(20):
        await turns.turn("a")
    slept.clear()
    await turns.turn("b")
    assert slept == []


async def test_turns_come_back_with_time_and_are_not_hoarded(slept: list[int]) -> None:
    now = [100 * SECOND]
    turns = Pace(10, lambda: now[0])
    for _ in range(10):
        await turns.turn("a")
    now[0] += 3600 * SECOND
    for _ in range(10):
        await turns.turn("a")
    assert slept == []
    await turns.turn("a")
    assert slept == [SECOND // 10]


async def test_large_requests_take_more_turns_and_are_not_held(slept: list[int]) -> None:
    turns = Pace(10, still())
    await turns.turn("a", 5 * TURN_BYTES)
    assert slept == []
    await turns.turn("a", 1000 * TURN_BYTES)  # as much as there is in a second, at the most
    assert slept == [SECOND * 6 // 10]
    await turns.turn("a", 3 * TURN_BYTES)
    assert slept[1:] == [LONGEST_WAIT]
    with pytest.raises(Refused):
        await turns.turn("a", TURN_BYTES)
    assert len(slept) == 2


async def test_no_more_are_held_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_HELD", 3)
    released = asyncio.Event()

    async def sleep(nanoseconds: int) -> None:
        await released.wait()

    monkeypatch.setattr(pace, "_sleep", sleep)
    turns = Pace(1, still())
    calls: list[asyncio.Task[Any]] = [asyncio.create_task(turns.turn("a")) for _ in range(12)]
    await asyncio.sleep(0)
    # One at once, one in its turn, three held; the others have been refused.
    assert sum(task.done() for task in calls) == 12 - 1 - 3
    released.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(end, Refused) for end in ends) == 10


async def test_callers_that_are_gone_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, slept: list[int]
) -> None:
    monkeypatch.setattr(pace, "_MOST_CALLERS", 5)
    now = [0]
    turns = Pace(10, lambda: now[0])
    for number in range(1000):
        now[0] += SECOND
        await turns.turn(str(number))
        assert len(turns._callers) <= 6


async def test_no_rate_no_bound(slept: list[int]) -> None:
    turns = Pace(0)
    for _ in range(10_000):
        await turns.turn("a")
    assert slept == []
