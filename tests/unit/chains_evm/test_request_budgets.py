"""The budget of requests of a node, and for how long a server asks to be left alone."""

import asyncio

import pytest

from chains.budget import Budget
from chains.nodes import THROTTLED, NodeTrouble, _retry_after
from core.clock import SECOND, ManualClock

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


async def test_a_seconds_worth_comes_at_once_and_what_is_more_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    clock = ManualClock()
    budget = Budget(10, clock)
    for _ in range(10):
        await budget.spend(1, urgent=False, patience=5)
    assert waits == []
    assert not budget.is_spent
    await budget.spend(5, urgent=False, patience=5)
    assert waits == [0.5]
    assert budget.is_spent
    await budget.spend(20, urgent=True, patience=0)  # a transaction waits for nobody,
    assert waits == [0.5]
    await budget.spend(5, urgent=False, patience=5)  # and others for it
    assert waits == [0.5, 3.0]
    with pytest.raises(NodeTrouble) as caught:
        await budget.spend(100, urgent=False, patience=5)
    assert caught.value.pause == 13 * SECOND
    clock.advance(4 * SECOND)  # nothing was taken by what was refused
    assert not budget.is_spent


async def test_without_a_rate_nothing_ever_waits() -> None:
    budget = Budget(0, ManualClock())
    for _ in range(1000):
        await budget.spend(100, urgent=False, patience=0)
    assert not budget.is_spent


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        ("0", 0),
        ("7", 7 * SECOND),
        ("1800", 600 * SECOND),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30 * SECOND),
        ("Sun, 22 Nov 2026 12:00:00 GMT", 600 * SECOND),
        ("Sun, 22 Nov 2026 09:00:00 GMT", THROTTLED),
        ("", THROTTLED),
        ("soon", THROTTLED),
        ("-5", THROTTLED),
        ("1e9", THROTTLED),
        ("9" * 50, THROTTLED),
    ],
)
def test_a_server_says_how_long_to_wait(asked: str, pause: int) -> None:
    assert _retry_after({"Retry-After": asked, "Date": DATE}) == pause


def test_a_date_without_the_servers_own_says_nothing() -> None:
    assert _retry_after({"Retry-After": DATE}) == THROTTLED
