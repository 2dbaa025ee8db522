"""One intent and one death, or several: what must hold afterwards, and how long it took to know."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import cambist
from tests.crash.victims import Victim

DONE, REJECTED = "done", "rejected"
_NEVER = 10**9  # a step that is not reached: all are noted


class Intent(Protocol):
    """Something that a bot asks for, and how the world shows whether it happened."""

    async def ask(self) -> str:
        """Asks, again and again where that is right, until there is an answer: DONE or REJECTED."""
        ...

    async def known(self) -> bool:
        """Whether what the daemon says of it by now is definite, and true."""
        ...

    async def effects(self) -> int:
        """How often it happened, by the venue or the chain itself."""
        ...

    async def meanwhile(self, random: Random) -> None:
        """What the world does about it while no daemon is there."""
        ...

    async def over(self) -> None:
        """Tidies the world up."""
        ...


class Scene(Protocol):
    """A daemon, its world, and what can be asked of it."""

    name: str
    victim: Victim
    client: cambist.Client
    patience: float  # seconds in which an outcome must be known once the daemon is started
    in_flight: float  # seconds that a message may be on its way; 0 where none can be held up
    kinds: dict[str, Callable[[], Awaitable[Intent]]]

    def hold(self, arrived: Callable[[], None]) -> None:
        """Keeps the next message with an effect on its way, and tells that it is."""
        ...

    def release(self, random: Random) -> None:
        """Lets it arrive."""
        ...

    async def audit(self) -> None:
        """Holds all that the daemon says against the world."""
        ...


@dataclass(frozen=True, slots=True)
class At:
    """At the n-th step from when it is asked for, or started."""

    step: int


@dataclass(frozen=True, slots=True)
class After:
    """After a time (s)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """While its message is on the way; that arrives when the next daemon is there already."""


Death = At | After | OnTheWay


@dataclass(frozen=True, slots=True)
class Record:
    """What a trial showed."""

    scene: str
    kind: str
    how: str  # "step", "time" or "on the way"
    step: str  # the last one before the death; empty when it did not die
    kills: int
    silent: bool  # whether the bot had gone away as well
    outcome: str
    effects: int
    seconds: float  # from the start of the last daemon until the outcome was known
    problem: str = ""


HOW = {At: "step", After: "time", OnTheWay: "on the way"}


async def trial(
    scene: Scene, kind: str, deaths: Sequence[Death], silent: bool, random: Random
) -> Record:
    """Raises AssertionError where a promise is broken."""
    victim, intent = scene.victim, await scene.kinds[kind]()
    how, step, kills, began = HOW[type(deaths[0])], "", 0, time.monotonic()
    bot = asyncio.create_task(intent.ask(), name="bot")
    waiting: asyncio.Task[object] = bot
    try:
        for death in deaths:
            if not await _dies(scene, waiting, death, fresh=kills > 0):
                break
            kills += 1
            step = step or victim.last_step or "(before any)"
            at_most_once(await intent.effects(), kind)
            if silent:
                bot.cancel()
            await intent.meanwhile(random)
            began = time.monotonic()
            await victim.start()
            if isinstance(death, OnTheWay):
                late = random.uniform(0, scene.in_flight)
                asyncio.get_running_loop().call_later(late, scene.release, random)
            if silent:
                waiting = asyncio.create_task(_until_known(intent), name="looking")
        async with asyncio.timeout(scene.patience):
            await waiting
        seconds = time.monotonic() - began
        async with asyncio.timeout(scene.patience):
            outcome = await (intent.ask() if silent and kills else bot)
            await _until_known(intent)
        found = await intent.effects()
        expected = 1 if outcome == DONE else 0
        assert found == expected, f"{kind} is {outcome}, and happened {found} times"
        async with asyncio.timeout(scene.patience):
            again = await intent.ask()
        assert again == outcome, f"{kind} was {outcome}, and is {again} when asked again"
        found = await intent.effects()
        assert found == expected, f"{kind} happened {found} times when asked for again"
        await intent.over()
    except TimeoutError:
        raise AssertionError(
            f"{kind} killed {how} {step!r} {kills} times: nothing is known after"
            f" {time.monotonic() - began:.1f} s"
        ) from None
    finally:
        for task in (bot, waiting):
            task.cancel()
        await asyncio.gather(bot, waiting, return_exceptions=True)
        victim.spare()
    return Record(scene.name, kind, how, step, kills, silent, outcome, found, seconds)


def at_most_once(effects: int, kind: str) -> None:
    """The promise."""
    assert effects <= 1, f"{kind} happened {effects} times"


async def _until_known(intent: Intent) -> None:
    while not await intent.known():  # noqa: ASYNC110 - what is known has no event of its own
        await asyncio.sleep(0.02)


async def _dies(scene: Scene, work: "asyncio.Task[object]", death: Death, fresh: bool) -> bool:
    """Whether it was killed before the work was done. `fresh`: it has just been started."""
    victim = scene.victim
    victim.order(death.step if isinstance(death, At) else _NEVER)
    if isinstance(death, OnTheWay):
        scene.hold(victim.kill)
    gone = asyncio.create_task(victim.gone())
    try:
        if isinstance(death, After):
            await asyncio.wait({gone, work} if fresh else {gone}, timeout=death.seconds)
            victim.kill()
            await gone
            return True
        async with asyncio.timeout(scene.patience):
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            victim.spare()
            # It may just have read the order: a word with it, and it has or it has not.
            word = asyncio.create_task(_word(scene.client))
            await asyncio.wait({gone, word}, return_when=asyncio.FIRST_COMPLETED)
            word.cancel()
            await asyncio.gather(word, return_exceptions=True)
        if gone.done():
            await gone
            return True
        return False
    finally:
        victim.spare()
        gone.cancel()


async def _word(client: cambist.Client) -> None:
    await client.system.get_status()
