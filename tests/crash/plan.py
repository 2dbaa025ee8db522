"""Which deaths an intent is put through: at every step in turn, and at random.

A plan is a generator: it is told (`send`) whether the intent got through without dying.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from random import Random

from tests.crash.trial import After, At, Death, OnTheWay

MOST_STEPS = 60  # more than any intent has
_RECOVERY_STEPS = 25  # of a daemon that starts, about
_LENGTH = 0.08  # seconds that an intent takes, and some more


@dataclass(frozen=True, slots=True)
class Planned:
    """A trial to come."""

    kind: str
    deaths: Sequence[Death]
    silent: bool


Plan = Generator[Planned, bool, None]


def every_step(kinds: Sequence[str], in_flight: bool, stride: int = 1) -> Plan:
    """Each kind's steps in turn until there are no more; `stride` takes each so-many-th only,
    beginning elsewhere for each kind. `in_flight`: and once while the message is on its way."""
    for number, kind in enumerate(kinds):
        for step in range(1 + number % stride, MOST_STEPS, stride):
            if (yield Planned(kind, [At(step)], silent=step // stride % 2 == 1)):
                break
        else:
            raise AssertionError(f"{kind} has more than {MOST_STEPS} steps")
        if in_flight:
            yield Planned(kind, [OnTheWay()], silent=False)


def at_random(kinds: Sequence[str], in_flight: bool, random: Random, rounds: int) -> Plan:
    """So many of each kind: killed at a random time or step, sometimes again and again while the
    next daemon starts, with the bot there or gone."""
    for _ in range(rounds):
        for kind in kinds:
            first: Death = After(_LENGTH * random.random() ** 3)
            chance = random.random()
            if in_flight and chance < 0.15:
                first = OnTheWay()
            elif chance < 0.4:
                first = At(random.randint(1, 16))
            deaths = [first]
            while random.random() < 0.2 and len(deaths) < 4:
                early: Death = After(random.uniform(0, 1.2))
                at: Death = At(random.randint(1, _RECOVERY_STEPS))
                deaths.append(random.choice([early, at]))
            yield Planned(kind, deaths, silent=random.random() < 0.4)


def until(plan: Plan, end: float) -> Plan:
    """The same, but nothing more after a time (monotonic, s)."""
    planned: Planned | None = next(plan, None)
    while planned is not None and time.monotonic() < end:
        survived = yield planned
        try:
            planned = plan.send(survived)
        except StopIteration:
            return
