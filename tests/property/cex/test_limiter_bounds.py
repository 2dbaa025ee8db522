"""However requests come, no window ever holds more than the venue allows."""

from hypothesis import given
from hypothesis import strategies as st

from cex.engine.commands import Priority
from cex.engine.meter import Meter
from cex.engine.spec import Pool, Window

steps = st.lists(
    st.tuples(st.integers(0, 2500), st.integers(1, 6), st.sampled_from(list(Priority))),
    max_size=60,
)


@given(steps, st.sampled_from(list(Window)), st.integers(10, 40))
def test_no_window_is_ever_overdrawn(
    moves: list[tuple[int, int, Priority]], window: Window, limit: int
) -> None:
    interval = 1000
    meter = Meter(Pool("weight", limit, interval, window=window))
    taken: list[tuple[int, int]] = []
    now = 5000
    for later, cost, _ in moves:
        now += later
        delay = meter.delay(cost, 100, now)
        if delay:
            assert delay <= interval
            now += delay
            if meter.delay(cost, 100, now):
                continue
        meter.add(cost, now)
        meter.landed(cost, now, None, now)
        taken.append((now, cost))
    level = 0  # of a decaying counter, times the interval
    for (moment, cost), (before, _) in zip(taken, taken[:1] + taken, strict=False):
        if window is Window.DECAYING:
            level = max(level - (moment - before) * limit, 0) + cost * interval
            assert level <= limit * interval
            continue
        if window is Window.FIXED:
            inside = [c for t, c in taken if t // interval == moment // interval]
        else:
            inside = [c for t, c in taken if moment - interval < t <= moment]
        assert sum(inside) <= limit
