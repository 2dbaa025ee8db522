"""How far the venue's clock is from ours.

Kept against the monotonic clock, so that a step of the system's clock does not disturb it.
"""

from collections import deque

from core.clock import SECOND, Clock

_SAMPLES = 5
_MINUTE = 60 * SECOND


class ClockOffset:
    """The venue's time, from samples of its clock.

    A sample is the venue's time and when we asked and got it; the truth lies within half the round
    trip. The sample with the shortest round trip of the last five decides.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)  # (round trip, base)
        self._heard: deque[tuple[int, int]] = deque(maxlen=2)  # (a minute's begin, the largest)

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

    def hear(self, ahead: int) -> None:
        """Adds what a stream told: the time of an event less that of its receipt (ns)."""
        now = self._clock.monotonic()
        if not self._heard or now - self._heard[-1][0] >= _MINUTE:
            self._heard.append((now, ahead))
        elif ahead > self._heard[-1][1]:
            self._heard[-1] = (self._heard[-1][0], ahead)

    @property
    def stream(self) -> int | None:
        """Venue's clock less the system's as its streams tell it, in nanoseconds: too small by the
        quickest way of a message in the last two minutes; None when nothing came."""
        oldest = self._clock.monotonic() - 2 * _MINUTE
        return max((ahead for begin, ahead in self._heard if begin > oldest), default=None)

    @property
    def skew(self) -> int:
        """The best word on how far the clocks are apart (ns); 0 when nothing is known.

        A stream that is ahead of us is beyond doubt; one that is behind may be late.
        """
        stream = self.stream
        if not self.known:
            return stream or 0
        return max(self.offset, stream) if stream is not None and stream > 0 else self.offset

    def now(self) -> int:
        """The venue's time; the system's when nothing is known."""
        if not self._samples:
            return self._clock.now()
        return self._clock.monotonic() + min(self._samples)[1]
