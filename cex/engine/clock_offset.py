"""How far the venue's clock is from ours.

Kept against the monotonic clock, so that a step of the system's clock does not disturb it.
"""

from collections import deque

from core.clock import Clock

_SAMPLES = 5


class ClockOffset:
    """The venue's time, from samples of its clock.

    A sample is the venue's time and when we asked and got it; the truth lies within half the round
    trip. The sample with the shortest round trip of the last five decides.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)  # (round trip, base)

    def sample(self, asked: int, answered: int, venue_time: int) -> None:
        """Adds a measurement: two monotonic readings around the venue's time (all ns)."""
        middle = (asked + answered) // 2
        self._samples.append((answered - asked, venue_time - middle))

    def reset(self) -> None:
        """Forgets the samples: the venue has just said that they are wrong."""
        self._samples.clear()

    @property
    def known(self) -> bool:
        """Whether there is a sample."""
        return bool(self._samples)

    @property
    def uncertainty(self) -> int:
        """Nanoseconds by which `now` may be wrong; 0 when nothing is known."""
        return min(self._samples)[0] // 2 if self._samples else 0

    @property
    def offset(self) -> int:
        """Venue's clock less the system's, in nanoseconds."""
        return self.now() - self._clock.now()

    def now(self) -> int:
        """The venue's time; the system's when nothing is known."""
        if not self._samples:
            return self._clock.now()
        return self._clock.monotonic() + min(self._samples)[1]
