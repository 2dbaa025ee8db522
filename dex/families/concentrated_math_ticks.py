"""Ticks: prices 1.0001**tick, and which of them a pool's positions begin or end at.

Source: https://docs.uniswap.org/contracts/v3/reference/core/libraries/TickMath and TickBitmap.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

MIN_TICK = -887_272
MAX_TICK = 887_272
MIN_SQRT_PRICE = 4_295_128_739
MAX_SQRT_PRICE = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342

# 2**128 / 1.0001**(2**i / 2), as the contract has them; a test computes them anew.
_FACTORS = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
_MAX_UINT = 2**256 - 1


@lru_cache(maxsize=65_536)
def sqrt_price_at(tick: int) -> int:
    """The sqrt price of a tick; ValueError outside of the contract's range."""
    distance = abs(tick)
    if distance > MAX_TICK:
        raise ValueError(f"tick {tick} is outside of {MIN_TICK} to {MAX_TICK}")
    ratio = 1 << 128
    for place, factor in enumerate(_FACTORS):
        if distance >> place & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = _MAX_UINT // ratio
    return -(-ratio >> 32)  # rounded up, so that tick_at(sqrt_price_at(tick)) is tick


def tick_at(sqrt_price: int) -> int:
    """The highest tick whose sqrt price is at most that; ValueError outside of the range."""
    if not MIN_SQRT_PRICE <= sqrt_price < MAX_SQRT_PRICE:
        raise ValueError(f"sqrt price {sqrt_price} is outside of the contract's range")
    # 2**96 is tick 0, and a doubling of the sqrt price 13863.6 ticks: off by one bit at most.
    estimate = (sqrt_price.bit_length() - 97) * 13_864
    low = max(estimate - 200, MIN_TICK)
    high = min(estimate + 14_200, MAX_TICK)
    while low < high:
        middle = (low + high + 1) // 2
        if sqrt_price_at.__wrapped__(middle) <= sqrt_price:
            low = middle
        else:
            high = middle - 1
    return low


def tick_spacing_bounds(spacing: int) -> tuple[int, int]:
    """The lowest and the highest tick that a position can use."""
    return -(-MIN_TICK // spacing) * spacing, MAX_TICK // spacing * spacing


@dataclass(frozen=True, slots=True)
class TickLiquidity:
    """What begins and ends at a tick: `gross` counts all of it, `net` is what is added when the
    price goes up through it."""

    gross: int
    net: int


@dataclass(frozen=True, slots=True)
class Ticks:
    """The initialised ticks of a pool. A change makes a new value."""

    indexes: tuple[int, ...]  # sorted
    at: Mapping[int, TickLiquidity]

    @classmethod
    def of(cls, ticks: Mapping[int, TickLiquidity]) -> "Ticks":
        """Those whose gross liquidity is not zero."""
        held = {index: tick for index, tick in ticks.items() if tick.gross}
        return cls(tuple(sorted(held)), held)

    def with_position(self, lower: int, upper: int, change: int) -> "Ticks":
        """After liquidity was added between two ticks, or taken away (negative). ValueError when
        more is taken than is there."""
        changed = dict(self.at)
        for index, sign in ((lower, 1), (upper, -1)):
            old = changed.get(index, _NOTHING)
            new = TickLiquidity(old.gross + change, old.net + sign * change)
            if new.gross < 0:
                raise ValueError(f"tick {index} has less liquidity than was taken from it")
            changed[index] = new
        return Ticks.of(changed)

    def next_below(self, tick: int, spacing: int) -> tuple[int, bool]:
        """The next initialised tick at or below, or the end of the bitmap's word where there is
        none in it; and whether it is initialised. The contract stops there too, and rounds."""
        compressed = tick // spacing
        end = (compressed >> 8 << 8) * spacing
        place = bisect_right(self.indexes, tick) - 1
        if place >= 0 and self.indexes[place] >= end:
            return self.indexes[place], True
        return end, False

    def next_above(self, tick: int, spacing: int) -> tuple[int, bool]:
        """The same, strictly above."""
        compressed = tick // spacing + 1
        end = ((compressed >> 8 << 8) + 255) * spacing
        place = bisect_right(self.indexes, tick)
        if place < len(self.indexes) and self.indexes[place] <= end:
            return self.indexes[place], True
        return end, False

    def liquidity_at(self, tick: int) -> int:
        """The liquidity that is active at a tick."""
        place = bisect_left(self.indexes, tick + 1)
        return sum(self.at[index].net for index in self.indexes[:place])


_NOTHING = TickLiquidity(0, 0)
NO_TICKS = Ticks((), {})


def words(spacing: int) -> Iterable[int]:
    """The positions of the bitmap's words that may hold ticks of a pool."""
    lowest, highest = tick_spacing_bounds(spacing)
    return range(lowest // spacing >> 8, (highest // spacing >> 8) + 1)


def ticks_in_word(word: int, bits: int, spacing: int) -> list[int]:
    """The initialised ticks that a word of the bitmap tells."""
    return [((word << 8) + bit) * spacing for bit in range(256) if bits >> bit & 1]
