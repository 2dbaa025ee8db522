"""Where the daemon is in its life, how its parts are, and who is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from core.clock import Clock
from core.errors import Reason, Refused
from core.ports import Condition, Health


class State(Enum):
    """The daemon's states; the numbers are those of the wire."""

    STARTING = 1
    LOCKED = 2
    RECONCILING = 3
    READY = 4
    DEGRADED = 5
    STOPPING = 6


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the daemon and how it is."""

    kind: str  # venue, network, account, journal, sandbox
    id: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon as a whole."""

    state: State
    components: tuple[Component, ...]


Source = Callable[[], Iterable[Component]]

# Conditions are read, not pushed: a part that changes between two looks and back is not news.
LOOK_SECONDS = 0.2  # float: asyncio.sleep takes seconds


class Lifecycle:
    """Derives the daemon's state from its parts, and admits calls accordingly."""

    def __init__(self, clock: Clock) -> None:
        self.start_time = clock.now()
        self._sources: list[Source] = []
        self._begun = False
        self._stopping = False
        self._changed = asyncio.Event()
        self._last: Status | None = None

    def watch(self, source: Source) -> None:
        """Adds parts to what is reported."""
        self._sources.append(source)

    def begin(self) -> None:
        """The journal is open and calls may come."""
        self._begun = True
        self.look()

    def stop(self) -> None:
        """Nothing new is taken from now on."""
        self._stopping = True
        self.look()

    def admit(self, always: bool) -> None:
        """Raises when a call may not be taken in the present state."""
        if always:
            return
        if self._stopping:
            raise Refused(Reason.SHUTTING_DOWN, "the daemon is shutting down")
        if not self._begun:
            raise Refused(
                Reason.STARTING_UP,
                "the daemon is starting: retry in a second",
                {"state": "STARTING"},
                retry_after=1_000_000_000,
            )

    def status(self) -> Status:
        """The state of the daemon and of each part, now."""
        components = tuple(part for source in self._sources for part in source())
        return Status(self._state(components), components)

    def _state(self, components: tuple[Component, ...]) -> State:
        if self._stopping:
            return State.STOPPING
        if not self._begun:
            return State.STARTING
        healths = {(part.kind, part.condition.health) for part in components}
        if any(health is Health.STARTING for kind, health in healths if kind == "account"):
            return State.RECONCILING
        if any(health is Health.STARTING for _, health in healths):
            return State.STARTING
        if any(health in (Health.DEGRADED, Health.DOWN) for _, health in healths):
            return State.DEGRADED
        return State.READY

    def look(self) -> None:
        """Tells the watchers if anything has changed."""
        status = self.status()
        if status != self._last:
            self._last = status
            self._changed.set()
            self._changed = asyncio.Event()

    async def run(self) -> None:
        """Looks again and again; a task of the daemon's own."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def statuses(self, silence: float) -> AsyncIterator[Status | None]:  # float: seconds
        """The status now and after each change; None after `silence` seconds without one. Ends
        after STOPPING."""
        while True:
            changed = self._changed
            status = self.status()
            yield status
            if status.state is State.STOPPING:
                return
            while not await _happens(changed, silence):
                yield None


async def _happens(event: asyncio.Event, seconds: float) -> bool:  # float: asyncio takes seconds
    """Whether it does within the time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
