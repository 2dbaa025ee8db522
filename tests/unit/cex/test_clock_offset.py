"""The venue's clock from samples of it."""

from cex.engine.clock_offset import ClockOffset
from core.clock import MILLISECOND, SECOND, ManualClock


class Stepped(ManualClock):
    """A machine whose clock can be set."""

    step = 0

    def now(self) -> int:
        return super().now() + self.step


def test_without_a_sample_the_venues_time_is_ours() -> None:
    clock = ManualClock()
    offset = ClockOffset(clock)
    assert not offset.known
    assert offset.now() == clock.now()
    assert offset.offset == 0


def test_the_quickest_sample_counts() -> None:
    clock = ManualClock()
    offset = ClockOffset(clock)
    for trip, error in ((400, 150), (20, 2), (900, -300)):
        asked = clock.monotonic()
        clock.advance(trip * MILLISECOND)
        truth = clock.now() + 3 * SECOND - trip // 2 * MILLISECOND
        offset.sample(asked, clock.monotonic(), truth + error * MILLISECOND)
    assert offset.offset == 3 * SECOND + 2 * MILLISECOND
    assert offset.uncertainty == 10 * MILLISECOND


def test_setting_the_machines_clock_does_not_disturb_it() -> None:
    clock = Stepped()
    offset = ClockOffset(clock)
    offset.sample(clock.monotonic(), clock.monotonic(), clock.now() + SECOND)
    before = offset.now()
    clock.step = -3600 * SECOND
    assert offset.now() == before
    assert offset.offset == 3601 * SECOND


def test_only_the_last_five_samples_count() -> None:
    clock = ManualClock()
    offset = ClockOffset(clock)
    offset.sample(clock.monotonic(), clock.monotonic(), clock.now() + 60 * SECOND)
    for _ in range(5):
        asked = clock.monotonic()
        clock.advance(10 * MILLISECOND)
        offset.sample(asked, clock.monotonic(), clock.now() - 5 * MILLISECOND)
    assert offset.offset == 0


def test_streams_tell_the_offset_less_the_quickest_way() -> None:
    clock = ManualClock()
    offset = ClockOffset(clock)
    assert offset.stream is None
    assert offset.skew == 0
    for late in (300, 40, 900):
        offset.hear(3 * SECOND - late * MILLISECOND)
    assert offset.stream == offset.skew == 3 * SECOND - 40 * MILLISECOND
    clock.advance(70 * SECOND)
    offset.hear(-9 * SECOND)  # a message that was long on its way
    assert offset.stream == 3 * SECOND - 40 * MILLISECOND
    clock.advance(70 * SECOND)
    offset.hear(-9 * SECOND)
    assert offset.stream == -9 * SECOND
    clock.advance(200 * SECOND)
    assert offset.stream is None


def test_a_stream_ahead_of_us_is_beyond_doubt_and_one_behind_may_be_late() -> None:
    clock = ManualClock()
    offset = ClockOffset(clock)
    offset.sample(clock.monotonic(), clock.monotonic(), clock.now() + SECOND)
    offset.hear(-60 * SECOND)
    assert offset.skew == SECOND
    offset.hear(60 * SECOND)
    assert offset.skew == 60 * SECOND
