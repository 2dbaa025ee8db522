"""Prices that orders are held against: what an instrument costs, here and on other venues.

Tickers are asked for when somebody needs them and kept for a moment, so that an order waits for one
only when none was asked for lately.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from core.clock import SECOND, Clock
from core.errors import CambistError
from core.instruments import Instrument, InstrumentStatus
from core.market import Ticker
from core.ports import Health, Venue

_FRESH = SECOND  # used as it is
_USABLE = 10 * SECOND  # used, while a newer one is fetched
_PATIENCE = 2.0  # float: seconds
_VENUES = 5  # asked for a comparison, at most
# Quotes that stand for the same thing within any band that makes sense.
_DOLLARS = frozenset({"USD", "USDT", "USDC"})


@dataclass(slots=True)
class _Known:
    ticker: Ticker
    time: int


class Prices:
    """Over the venues of a registry."""

    def __init__(self, venues: Mapping[str, Venue], clock: Clock) -> None:
        self._venues = venues
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Ticker | None]] = {}

    async def of(self, instrument: Instrument) -> Decimal | None:
        """The middle of the best prices, or the last price; None when the venue does not say."""
        ticker = await self._ticker(instrument)
        return mid(ticker) if ticker else None

    def last(self, venue: str, instrument: str) -> Decimal | None:
        """What was known last, however old."""
        known = self._known.get((venue, instrument))
        return mid(known.ticker) if known else None

    async def elsewhere(self, instrument: Instrument) -> Decimal | None:
        """The median of what the same thing costs on other venues; None when none of them says."""
        others = list(self._same(instrument))[:_VENUES]
        found = await asyncio.gather(*(self.of(one) for one in others))
        prices = [price for price in found if price is not None]
        return median(prices) if prices else None

    def _same(self, instrument: Instrument) -> Iterable[Instrument]:
        quotes = _DOLLARS if instrument.quote in _DOLLARS else {instrument.quote}
        for venue in self._venues.values():
            if venue.info.id == instrument.venue or venue.condition.health is not Health.READY:
                continue
            yield from (
                one
                for quote in sorted(quotes)
                for suffix in ("", "-PERP")
                if (one := venue.instruments.get(f"{instrument.base}-{quote}{suffix}"))
                and one.status is InstrumentStatus.TRADING
            )

    async def _ticker(self, instrument: Instrument) -> Ticker | None:
        key = instrument.venue, instrument.id
        known, now = self._known.get(key), self._clock.monotonic()
        if known is not None and now - known.time < _FRESH:
            return known.ticker
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(instrument))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key))
        if known is not None and now - known.time < _USABLE:
            return known.ticker
        return await asyncio.shield(task)

    async def _ask(self, instrument: Instrument) -> Ticker | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                ticker = await self._venues[instrument.venue].ticker(instrument)
        except (CambistError, TimeoutError, KeyError):
            return None
        key = instrument.venue, instrument.id
        self._known[key] = _Known(ticker, self._clock.monotonic())
        return ticker


def mid(ticker: Ticker) -> Decimal | None:
    """Between the best prices where both are told, else the last one."""
    if ticker.bid_price and ticker.ask_price:
        return (ticker.bid_price + ticker.ask_price) / 2
    return ticker.last_price
