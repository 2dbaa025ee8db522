"""The health of something with several parts: the worst part speaks for all."""

from core.clock import SECOND, Clock
from core.ports import Condition, Health

_ORDER = {Health.READY: 0, Health.DEGRADED: 1, Health.STARTING: 2, Health.DOWN: 3}
_FAULT_SHOWS = 60 * SECOND


class Conditions:
    """Named parts, each ready or not and why.

    A fault (a payload that could not be understood, say) shows for a minute after it last happened.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parts: dict[str, tuple[Condition, int]] = {}  # with the end of its validity, 0 none

    def set(self, part: str, health: Health, reason: str = "") -> None:
        """A part's health from now on; `since` moves only when the health changes."""
        self._put(part, health, reason, 0)

    def fault(self, part: str, reason: str) -> None:
        """Something went wrong that may not repeat."""
        self._put(part, Health.DEGRADED, reason, self._clock.now() + _FAULT_SHOWS)

    def clear(self, part: str) -> None:
        """The part is no longer of interest."""
        self._parts.pop(part, None)

    def _put(self, part: str, health: Health, reason: str, until: int) -> None:
        old = self._parts.get(part)
        same = old is not None and old[0].health is health
        since = old[0].since if old is not None and same else self._clock.now()
        self._parts[part] = (Condition(health, reason, since), until)

    @property
    def current(self) -> Condition:
        """The worst part; of equals the one that has been so the longest."""
        now = self._clock.now()
        for part in [p for p, (_, until) in self._parts.items() if until and until <= now]:
            del self._parts[part]
        if not self._parts:
            return Condition(Health.STARTING)
        return min(
            (condition for condition, _ in self._parts.values()),
            key=lambda c: (-_ORDER[c.health], c.since),
        )
