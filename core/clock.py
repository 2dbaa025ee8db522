"""Time as integers: nanoseconds since the Unix epoch, from a clock that tests can turn."""

import time
from typing import Protocol

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock(Protocol):
    """Where code asks for the time; nothing in Cambist reads the system clock itself."""

    def now(self) -> int:
        """Nanoseconds since the Unix epoch; may be set back by the operating system."""
        ...

    def monotonic(self) -> int:
        """Nanoseconds since an arbitrary moment; never goes back. For intervals."""
        ...


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic_ns)


class ManualClock:
    """A clock that moves only when it is told to; for tests and deterministic simulation."""

    def __init__(self, start: int = 1_700_000_000 * SECOND) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self._now

    def advance(self, nanoseconds: int) -> None:
        self._now += nanoseconds
