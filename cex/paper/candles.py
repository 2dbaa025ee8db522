"""Candles and a day's statistics from public trades; bounded history in memory."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.clock import SECOND
from core.market import Candle
from core.money import ZERO

INTERVALS = (1, 60, 300, 900, 3_600, 14_400, 86_400)  # seconds
_KEPT = 1_000  # closed candles an interval
_DAY_INTERVAL, _DAY_CANDLES = 300, 288


@dataclass(frozen=True, slots=True)
class Day:
    """Statistics of the last 24 hours, in steps of five minutes."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal
    quote_volume: Decimal


class _Series:
    """One interval of one instrument. An interval without trades repeats the last price."""

    def __init__(self, instrument: str, interval: int) -> None:
        self._instrument = instrument
        self._interval = interval
        self.closed: deque[Candle] = deque(maxlen=_KEPT)
        self.open_time = -1
        self.prices = (ZERO, ZERO, ZERO, ZERO)  # open, high, low, close
        self.volume = ZERO
        self.quote_volume = ZERO
        self.changed = False

    def roll(self, time: int) -> Candle | None:
        """Closes the running candle when its time is over."""
        start = time - time % (self._interval * SECOND)
        if self.open_time < 0 or start <= self.open_time:
            return None
        done = self.candle(True)
        self.closed.append(done)
        close = self.prices[3]
        self._begin(start, close)
        return done

    def add(self, price: Decimal, quantity: Decimal, time: int) -> None:
        if self.open_time < 0:
            self._begin(time - time % (self._interval * SECOND), price)
        first, high, low, _ = self.prices
        self.prices = (
            (price, price, price, price)
            if not self.volume
            else (first, max(high, price), min(low, price), price)
        )
        self.volume += quantity
        self.quote_volume += price * quantity
        self.changed = True

    def candle(self, closed: bool = False) -> Candle:
        return Candle(
            self._instrument,
            self._interval,
            self.open_time,
            *self.prices,
            self.volume,
            self.quote_volume,
            closed,
        )

    def _begin(self, start: int, price: Decimal) -> None:
        self.open_time = start
        self.prices = (price, price, price, price)
        self.volume = self.quote_volume = ZERO
        self.changed = True


class Candles:
    """All intervals of one instrument."""

    def __init__(self, instrument: str) -> None:
        self._series = {interval: _Series(instrument, interval) for interval in INTERVALS}
        self._closed_day: Day | None = None

    def add(self, price: Decimal, quantity: Decimal, time: int) -> list[Candle]:
        """Counts a trade in; the candles that its time closes."""
        done = self.roll(time)
        for series in self._series.values():
            series.add(price, quantity, time)
        return done

    def roll(self, time: int) -> list[Candle]:
        """The candles that are over at a time, and were not before."""
        done = [candle for s in self._series.values() if (candle := s.roll(time)) is not None]
        if any(candle.interval == _DAY_INTERVAL for candle in done):
            self._closed_day = _sum(list(self._series[_DAY_INTERVAL].closed)[1 - _DAY_CANDLES :])
        return done

    def take_changed(self, interval: int) -> Candle | None:
        """The running candle, if it changed since it was last taken."""
        series = self._series[interval]
        if not series.changed:
            return None
        series.changed = False
        return series.candle()

    def running(self, interval: int) -> Candle | None:
        """The candle that is not closed yet."""
        series = self._series[interval]
        return series.candle() if series.open_time >= 0 else None

    def history(
        self, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        """Candles that open in [start, end), the running one included; the newest `limit`."""
        series = self._series[interval]
        found = [*series.closed, *([series.candle()] if series.open_time >= 0 else [])]
        found = [
            candle
            for candle in found
            if (start is None or candle.open_time >= start)
            and (end is None or candle.open_time < end)
        ]
        return found[-limit:] if start is None else found[:limit]

    def day(self) -> Day | None:
        """None before the first trade."""
        running = self.running(_DAY_INTERVAL)
        if running is None:
            return None
        now = _sum([running])
        if self._closed_day is None or now is None:
            return now
        before = self._closed_day
        return Day(
            before.open,
            max(before.high, now.high),
            min(before.low, now.low),
            before.volume + now.volume,
            before.quote_volume + now.quote_volume,
        )


def _sum(candles: Sequence[Candle]) -> Day | None:
    if not candles:
        return None
    return Day(
        candles[0].open,
        max(candle.high for candle in candles),
        min(candle.low for candle in candles),
        sum((candle.volume for candle in candles), ZERO),
        sum((candle.quote_volume for candle in candles), ZERO),
    )
