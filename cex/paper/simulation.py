"""The simulated public: where fair prices go, what makers quote around them, who comes to take.

Everything follows from (seed, tick, market) in integers, so that the same seed gives the same
tape on every machine, and a market that is opened again goes on as if it had never stopped: its
whole state is the tick and one offset a market. Nothing here touches a book; the exchange enters
what `quotes` and `takers` say.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cex.paper.markets import Market
from core.orders import Side

FINENESS = 1_000  # fair prices are counted in thousandths of a tick
_MILLION = 1_000_000
# The sum of four draws from [-1000, 1000] is bell-shaped enough; its standard deviation:
_DRAW, _DEVIATION = 1_000, 1_155


@dataclass(frozen=True, slots=True)
class Quote:
    """One order of the simulated public, in ticks and steps."""

    side: Side
    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Taker:
    """One market order of the simulated public."""

    side: Side
    quantity: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A market in integers. The reference price is `numerator / denominator` times that of the
    market it follows, or `anchor`."""

    index: int
    market: Market
    anchor: int
    level_steps: int
    numerator: int = 1
    denominator: int = 1


class Simulation:
    """Fair prices of all markets at one tick."""

    def __init__(self, markets: Sequence[Market], seed: int) -> None:
        self._seed = seed
        ticks = {market.instrument.id: market.instrument.price_tick for market in markets}
        self._rows = {
            market.instrument.id: _row(index, market, ticks) for index, market in enumerate(markets)
        }
        self.tick = 0
        self.offsets = dict.fromkeys(self._rows, 0)
        self._fair: dict[str, int] = {}
        self._revalue()

    def restore(self, tick: int, offsets: Mapping[str, int]) -> None:
        """Goes on from where another simulation was; markets it did not know start fresh."""
        self.tick = tick
        self.offsets = {id: offsets.get(id, 0) for id in self._rows}
        self._revalue()

    def advance(self) -> None:
        """One tick: every fair price moves."""
        self.tick += 1
        for id, row in self._rows.items():
            motion = row.market.motion
            rng = self._rng(row, 0)
            noise = sum(rng.randint(-_DRAW, _DRAW) for _ in range(4))
            offset = self.offsets[id]
            offset += row.anchor * motion.volatility * noise // (_MILLION * _DEVIATION)
            offset -= offset // motion.pull
            self.offsets[id] = max(-row.anchor // 2, min(row.anchor, offset))
        self._revalue()

    def fair(self, id: str) -> Decimal:
        """The fair price, in quote a base unit; finer than the tick."""
        tick = self._rows[id].market.instrument.price_tick
        return Decimal(self._fair[id]) * tick / FINENESS

    def quotes(self, id: str) -> list[Quote]:
        """The makers' ladders at this tick, best first, buy and sell in turn."""
        row, fair = self._rows[id], self._fair[id]
        motion, rng = row.market.motion, self._rng(row, 1)
        half = fair * motion.spread // (2 * _MILLION)
        bid = (fair - half) // FINENESS
        ask = max(-((-fair - half) // FINENESS), bid + 1)
        quotes = []
        for level in range(motion.levels):
            for side, price in (
                (Side.BUY, bid - level * motion.level_gap),
                (Side.SELL, ask + level * motion.level_gap),
            ):
                # 60 to 140 percent of the usual size, growing by a quarter of it each level
                steps = row.level_steps * rng.randint(60, 140) * (4 + level) // 400
                if price > 0:
                    quotes.append(Quote(side, price, max(1, steps)))
        return quotes

    def takers(self, id: str) -> list[Taker]:
        """Who comes at this tick to trade at any price: nobody, or one or two takers."""
        row = self._rows[id]
        rng = self._rng(row, 2)
        takers = []
        for _ in range(2):
            if rng.randrange(200) < row.market.motion.taker_chance:
                side = Side.BUY if rng.getrandbits(1) else Side.SELL
                takers.append(Taker(side, max(1, row.level_steps * rng.randint(1, 100) // 200)))
        return takers

    def _revalue(self) -> None:
        # Table order: a market stands behind the one that it follows.
        for id, row in self._rows.items():
            reference = row.anchor
            if row.market.motion.follows:
                reference = self._fair[row.market.motion.follows] * row.numerator // row.denominator
            self._fair[id] = max(FINENESS, reference + self.offsets[id])

    def _rng(self, row: _Row, purpose: int) -> random.Random:
        mixed = ((self._seed * 1_000_003 + self.tick) * 1_009 + row.index) * 4 + purpose
        return random.Random(mixed)


def _row(index: int, market: Market, ticks: Mapping[str, Decimal]) -> _Row:
    motion, instrument = market.motion, market.instrument
    anchor = int(motion.start / instrument.price_tick * FINENESS)
    steps = int(motion.level_quantity / instrument.quantity_step)
    if not motion.follows:
        return _Row(index, market, anchor, steps)
    ratio = (ticks[motion.follows] / instrument.price_tick).as_integer_ratio()
    return _Row(index, market, anchor, steps, *ratio)
