"""Pools of concentrated liquidity: Uniswap V3 and its forks, equal to the contracts to the unit.

Source: the pool's swap in https://docs.uniswap.org/contracts/v3/reference/core/UniswapV3Pool.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt

from core.errors import Reason, Refused
from dex.families.concentrated_math import (
    MILLION,
    ContractReverts,
    amount0_delta,
    amount1_delta,
    swap_step,
)
from dex.families.concentrated_math_ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    NO_TICKS,
    Ticks,
    sqrt_price_at,
    tick_at,
)
from dex.families.curve import FeeRate, Ratio
from dex.refusals import invalid

# The contract takes an amount as int256.
MAX_AMOUNT = 2**255 - 1
_Q192 = 2**192


@dataclass(frozen=True, slots=True)
class ConcentratedPool:
    """A pool at the end of a block. `fee` in millionths. Before it is initialised its price is 0.

    `tick` is the contract's: at an initialised tick that the price reached from above it is one
    less than the price's own.
    """

    fee: int
    spacing: int
    sqrt_price: int = 0
    tick: int = 0
    liquidity: int = 0
    ticks: Ticks = NO_TICKS

    @property
    def reserves(self) -> tuple[int, int]:
        """What its positions hold; fees that wait for their owners are not a part of it."""
        total0 = total1 = 0
        for lower, upper, liquidity in self.ranges():
            low, high = sqrt_price_at(lower), sqrt_price_at(upper)
            middle = min(max(self.sqrt_price, low), high)
            if middle < high:
                total0 += amount0_delta(middle, high, liquidity, False)
            if middle > low:
                total1 += amount1_delta(low, middle, liquidity, False)
        return total0, total1

    def ranges(self) -> Iterator[tuple[int, int, int]]:
        """Lower tick, upper tick and liquidity of each stretch that has any."""
        liquidity = 0
        for lower, upper in zip(self.ticks.indexes, self.ticks.indexes[1:], strict=False):
            liquidity += self.ticks.at[lower].net
            if liquidity:
                yield lower, upper, liquidity

    def curve(self, zero_in: bool) -> "ConcentratedCurve":
        """The pool seen by somebody who sells token0, or token1."""
        return ConcentratedCurve(self, zero_in)


@dataclass(frozen=True, slots=True)
class Swapped:
    """What a swap took and gave, fee included, and how it left the pool. `crossed` counts the
    initialised ticks that it went through. `complete`: not stopped by the price limit."""

    units_in: int
    units_out: int
    sqrt_price: int
    liquidity: int
    crossed: int
    complete: bool
    _tick: int | None = None

    @property
    def tick(self) -> int:
        """The contract's tick after the swap."""
        return tick_at(self.sqrt_price) if self._tick is None else self._tick


def swap(
    pool: ConcentratedPool, zero_in: bool, units: int, exact_in: bool, sqrt_limit: int = 0
) -> Swapped:
    """Swaps until `units` are in (or out), or the sqrt price is `sqrt_limit`; 0 is the end of all
    prices. Raises ContractReverts where the contract would.

    A swap that finds no more liquidity goes on to the limit, as the contract does, and is not
    complete.
    """
    limit = sqrt_limit or (MIN_SQRT_PRICE + 1 if zero_in else MAX_SQRT_PRICE - 1)
    price, tick, liquidity = pool.sqrt_price, pool.tick, pool.liquidity
    ticks, spacing, fee = pool.ticks, pool.spacing, pool.fee
    if price == 0:
        raise ContractReverts("the pool is not initialised")
    if not 0 < units <= MAX_AMOUNT:
        raise ContractReverts("the amount does not fit")
    if not (MIN_SQRT_PRICE < limit < price if zero_in else price < limit < MAX_SQRT_PRICE):
        raise ContractReverts("the price is past the limit already")
    remaining, total_in, total_out, crossed = units, 0, 0, 0
    final_tick: int | None = tick
    while remaining and price != limit:
        if liquidity:
            following, initialised = (
                ticks.next_below(tick, spacing) if zero_in else ticks.next_above(tick, spacing)
            )
        else:  # nothing is traded, so nothing is rounded, up to where liquidity begins
            following, initialised = _next_anywhere(ticks, tick, zero_in)
        following = min(max(following, MIN_TICK), MAX_TICK)
        goal = sqrt_price_at(following)
        target = max(goal, limit) if zero_in else min(goal, limit)
        if liquidity:
            start = price
            price, step_in, step_out, step_fee = swap_step(
                price, target, liquidity, remaining, exact_in, fee
            )
            total_in += step_in + step_fee
            total_out += step_out
            remaining -= step_in + step_fee if exact_in else step_out
        else:
            start, price = price, target
        if price == goal:
            if initialised:
                net = ticks.at[following].net
                liquidity += -net if zero_in else net
                crossed += 1
            tick = following - 1 if zero_in else following
            final_tick = tick
        elif price != start:
            final_tick = None
    return Swapped(total_in, total_out, price, liquidity, crossed, not remaining, final_tick)


def _next_anywhere(ticks: Ticks, tick: int, zero_in: bool) -> tuple[int, bool]:
    """The next initialised tick in a direction, however far; else the last of all."""
    place = bisect_right(ticks.indexes, tick)
    if zero_in:
        return (ticks.indexes[place - 1], True) if place else (MIN_TICK, False)
    return (ticks.indexes[place], True) if place < len(ticks.indexes) else (MAX_TICK, False)


@dataclass(frozen=True, slots=True)
class ConcentratedCurve:
    """A pool in one direction; see dex.families.curve.Curve."""

    pool: ConcentratedPool
    zero_in: bool

    @property
    def fee(self) -> FeeRate:
        return FeeRate(MILLION - self.pool.fee, MILLION)

    @property
    def is_empty(self) -> bool:
        return self.pool.sqrt_price == 0 or not self.pool.ticks.indexes

    @property
    def mid(self) -> Ratio:
        squared = self.pool.sqrt_price**2
        return (squared, _Q192) if self.zero_in else (_Q192, squared)

    def reversed(self) -> "ConcentratedCurve":
        return ConcentratedCurve(self.pool, not self.zero_in)

    def amount_out(self, units_in: int) -> int:
        done = self._swap(units_in, True)
        if not done.complete:
            raise self._too_much("units_in", units_in, done.units_in)
        if done.units_out == 0:
            raise invalid(
                "amount", units_in, "the pool would give nothing for so small an amount; trade more"
            )
        return done.units_out

    def amount_in(self, units_out: int) -> int:
        done = self._swap(units_out, False)
        if not done.complete:
            raise self._too_much("units_out", units_out, done.units_out)
        return done.units_in

    def most_in(self, worst: Ratio) -> int:
        """The contract rounds what goes in upwards, by up to a unit past the limit: one less."""
        limit = self.limit(worst)
        return max(self._until(limit, True).units_in - 1, 0) if limit else 0

    def most_out(self, worst: Ratio) -> int:
        """One less than comes out up to the limit: with all of it the contract would go as far as
        the limit itself, and take what a part of a unit costs besides."""
        limit = self.limit((worst[1], worst[0]))
        return max(self._until(limit, False).units_out - 1, 0) if limit else 0

    def limit(self, worst: Ratio) -> int:
        """The sqrt price up to which every unit, fee included, gives at least `worst` out a unit
        in."""
        over = worst[0] * MILLION
        under = worst[1] * (MILLION - self.pool.fee)
        if self.zero_in:
            root = isqrt(max(over * _Q192 - 1, 0) // under) + 1  # rounded up
            limit = max(root, MIN_SQRT_PRICE + 1)
            return limit if limit < self.pool.sqrt_price else 0
        limit = min(isqrt(under * _Q192 // over), MAX_SQRT_PRICE - 1)
        return limit if limit > self.pool.sqrt_price else 0

    def _until(self, limit: int, exact_in: bool) -> Swapped:
        return swap(self.pool, self.zero_in, MAX_AMOUNT, exact_in, limit)

    def _swap(self, units: int, exact_in: bool) -> Swapped:
        if units <= 0:
            raise invalid("amount", units, "the amount must be above zero")
        if self.is_empty:
            raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
        try:
            return swap(self.pool, self.zero_in, units, exact_in)
        except ContractReverts as error:
            raise Refused(
                Reason.INSUFFICIENT_LIQUIDITY,
                f"the pool cannot do that ({error}); trade less",
                {"units": str(units)},
            ) from error

    def _too_much(self, field: str, units: int, most: int) -> Refused:
        word = "take" if field == "units_in" else "give"
        return Refused(
            Reason.INSUFFICIENT_LIQUIDITY,
            f"the pool's liquidity ends before that: it can {word} {most} units; trade less",
            {field: str(units), "most": str(most)},
        )
