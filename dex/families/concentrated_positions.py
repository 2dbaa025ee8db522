"""Positions of concentrated liquidity: calldata and answers of the position manager, prices as
ticks, and what a position is worth. Pure.

Source: https://docs.uniswap.org/contracts/v3/reference/periphery/NonfungiblePositionManager.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from chains.evm.abi import WORD, address_at, address_word, selector, uint_at, uint_word
from chains.evm.codec import keccak, unhex
from dex.families.concentrated_abi import int_word, signed_at
from dex.families.concentrated_math_liquidity import (
    Growth,
    amounts_for_liquidity,
    fees_earned,
    growth_inside,
    liquidity_for_amounts,
)
from dex.families.concentrated_math_ticks import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    sqrt_price_at,
    tick_at,
    tick_spacing_bounds,
)

MAX_UINT128 = 2**128 - 1
_Q192 = 2**192
_PRICE_DIGITS = 18


# -- what is asked


def balance_of(owner: str) -> bytes:
    return selector("balanceOf(address)") + address_word(owner)


def token_of_owner(owner: str, index: int) -> bytes:
    name = "tokenOfOwnerByIndex(address,uint256)"
    return selector(name) + address_word(owner) + uint_word(index)


def owner_of(token: int) -> bytes:
    return selector("ownerOf(uint256)") + uint_word(token)


def positions(token: int) -> bytes:
    return selector("positions(uint256)") + uint_word(token)


def pool_questions(manager: str, lower: int, upper: int) -> tuple[bytes, ...]:
    """What of a pool a position's worth depends on; `Surroundings.decoded` reads the answers."""
    packed = unhex(manager) + int_word(lower)[-3:] + int_word(upper)[-3:]
    return (
        selector("slot0()"),
        selector("feeGrowthGlobal0X128()"),
        selector("feeGrowthGlobal1X128()"),
        selector("ticks(int24)") + int_word(lower),
        selector("ticks(int24)") + int_word(upper),
        selector("positions(bytes32)") + keccak(packed),
    )


# -- what is answered


@dataclass(frozen=True, slots=True)
class Held:
    """A position as its manager keeps it."""

    token0: str
    token1: str
    fee: int
    lower: int
    upper: int
    liquidity: int
    last: Growth
    owed0: int
    owed1: int

    @classmethod
    def decoded(cls, data: bytes) -> "Held":
        """From the answer to `positions`; ValueError when it is none."""
        if len(data) != 12 * WORD:
            raise ValueError("not an answer of a position manager")
        return cls(
            token0=address_at(data, 2),
            token1=address_at(data, 3),
            fee=uint_at(data, 4),
            lower=signed_at(data, 5),
            upper=signed_at(data, 6),
            liquidity=uint_at(data, 7),
            last=Growth(uint_at(data, 8), uint_at(data, 9)),
            owed0=uint_at(data, 10),
            owed1=uint_at(data, 11),
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The pool about a position. `pooled`, `pooled_last` and what is owed are the pool's own record
    of all positions with the same ticks that the manager keeps."""

    sqrt_price: int
    tick: int
    everywhere: Growth
    below: Growth
    above: Growth
    pooled: int
    pooled_last: Growth
    pooled_owed0: int
    pooled_owed1: int

    @classmethod
    def decoded(cls, answers: list[bytes]) -> "Surroundings":
        """From the answers to `pool_questions`; ValueError when they are none."""
        slot0, global0, global1, lower, upper, record = answers
        return cls(
            sqrt_price=uint_at(slot0),
            tick=signed_at(slot0, 1),
            everywhere=Growth(uint_at(global0), uint_at(global1)),
            below=Growth(uint_at(lower, 2), uint_at(lower, 3)),
            above=Growth(uint_at(upper, 2), uint_at(upper, 3)),
            pooled=uint_at(record),
            pooled_last=Growth(uint_at(record, 1), uint_at(record, 2)),
            pooled_owed0=uint_at(record, 3),
            pooled_owed1=uint_at(record, 4),
        )


def amounts(held: Held, sqrt_price: int, liquidity: int, up: bool = False) -> tuple[int, int]:
    """Units of both tokens for a part of a position: what is given back, or (`up`) taken."""
    low, high = sqrt_price_at(held.lower), sqrt_price_at(held.upper)
    return amounts_for_liquidity(sqrt_price, low, high, liquidity, up)


def uncollected(held: Held, around: Surroundings) -> tuple[int, int]:
    """What collecting pays now, to the last unit: the manager's count, and no more than the pool's,
    which rounds for all positions of the same ticks together."""
    if not held.liquidity:  # nothing new is counted, and the pool has been told of all
        return held.owed0, held.owed1
    inside = growth_inside(
        around.tick, held.lower, held.upper, around.everywhere, around.below, around.above
    )
    new0, new1 = fees_earned(held.liquidity, inside, held.last)
    pool0, pool1 = fees_earned(around.pooled, inside, around.pooled_last)
    return (
        min(held.owed0 + new0, around.pooled_owed0 + pool0),
        min(held.owed1 + new1, around.pooled_owed1 + pool1),
    )


# -- what is sent


@dataclass(frozen=True, slots=True)
class Offer:
    """Amounts of both tokens, and the least of each that must be taken; `deadline` in seconds."""

    units0: int
    units1: int
    least0: int
    least1: int
    deadline: int


def mint(
    token0: str, token1: str, fee: int, lower: int, upper: int, offer: Offer, owner: str
) -> bytes:
    """Opens a position."""
    types = "address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256"
    words = [address_word(token0), address_word(token1), uint_word(fee)]
    words += [int_word(lower), int_word(upper)]
    words += map(uint_word, (offer.units0, offer.units1, offer.least0, offer.least1))
    words += [address_word(owner), uint_word(offer.deadline)]
    return selector(f"mint(({types}))") + b"".join(words)


def increase(token: int, offer: Offer) -> bytes:
    """Adds to a position."""
    name = "increaseLiquidity((uint256,uint256,uint256,uint256,uint256,uint256))"
    numbers = (token, offer.units0, offer.units1, offer.least0, offer.least1, offer.deadline)
    return selector(name) + b"".join(map(uint_word, numbers))


def decrease(token: int, liquidity: int, least0: int, least1: int, deadline: int) -> bytes:
    """Takes liquidity out; what it gives waits to be collected."""
    name = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
    return selector(name) + b"".join(map(uint_word, (token, liquidity, least0, least1, deadline)))


def collect(token: int, owner: str) -> bytes:
    """Pays everything that a position is owed."""
    name = "collect((uint256,address,uint128,uint128))"
    most = uint_word(MAX_UINT128)
    return selector(name) + uint_word(token) + address_word(owner) + most * 2


def burn(token: int) -> bytes:
    """Forgets a position that is empty."""
    return selector("burn(uint256)") + uint_word(token)


# -- prices


def usable_ticks(lower: tuple[int, int], upper: tuple[int, int], spacing: int) -> tuple[int, int]:
    """The narrowest usable ticks about two prices (token1 units for token0 units). ValueError when
    the lower is not below the upper."""
    lowest, highest = tick_spacing_bounds(spacing)
    low = tick_of_price(*lower) // spacing * spacing
    high = -(-_ceil_tick(*upper) // spacing) * spacing
    low, high = max(low, lowest), min(high, highest)
    if low >= high:
        raise ValueError("the lower price is not below the upper")
    return low, high


def tick_of_price(units1: int, units0: int) -> int:
    """The highest tick at or below a price; the ends of all ticks for prices beyond."""
    root = isqrt(units1 * _Q192 // units0)
    if root < MIN_SQRT_PRICE:
        return MIN_TICK
    return tick_at(root) if root < MAX_SQRT_PRICE else MAX_TICK


def _ceil_tick(units1: int, units0: int) -> int:
    """The lowest tick at or above a price."""
    tick = tick_of_price(units1, units0)
    squared = sqrt_price_at(tick) ** 2
    below = squared * units0 < units1 * _Q192 and tick < MAX_TICK
    return tick + 1 if below else tick


def price_at(tick: int, shift: int, inverted: bool) -> Decimal:
    """A tick's price, token1 a token0 in whole tokens (the other way round when `inverted`), to 18
    digits; `shift` is token0's decimals less token1's."""
    squared = Decimal(sqrt_price_at(tick) ** 2)
    price = (squared / _Q192).scaleb(shift)
    if inverted:
        price = 1 / price
    return price.quantize(Decimal(1).scaleb(price.adjusted() - _PRICE_DIGITS + 1))


def moved(sqrt_price: int, slippage: Decimal, up: bool) -> int:
    """A sqrt price after the price rose or fell by a fraction, kept in the contract's range."""
    over, under = ((1 + slippage) if up else (1 - slippage)).as_integer_ratio()
    root = isqrt(sqrt_price**2 * over // under)
    return min(max(root, MIN_SQRT_PRICE), MAX_SQRT_PRICE - 1)


def liquidity_of(sqrt_price: int, lower: int, upper: int, units0: int, units1: int) -> int:
    """What two amounts are enough for."""
    low, high = sqrt_price_at(lower), sqrt_price_at(upper)
    return liquidity_for_amounts(sqrt_price, low, high, units0, units1)


def least_taken(
    sqrt_price: int, lower: int, upper: int, units0: int, units1: int, slippage: Decimal
) -> tuple[int, int]:
    """The least of each token that adding may take, if the price moves by at most the slippage
    until then: each where it is scarcest."""
    low, high = sqrt_price_at(lower), sqrt_price_at(upper)
    risen, fallen = moved(sqrt_price, slippage, True), moved(sqrt_price, slippage, False)
    most = liquidity_for_amounts(risen, low, high, units0, units1)
    least0, _ = amounts_for_liquidity(risen, low, high, most, False)
    most = liquidity_for_amounts(fallen, low, high, units0, units1)
    _, least1 = amounts_for_liquidity(fallen, low, high, most, False)
    return least0, least1


def least_amounts(
    sqrt_price: int, lower: int, upper: int, liquidity: int, slippage: Decimal
) -> tuple[int, int]:
    """The least of each token that so much liquidity may give back, if the price moves by at most
    the slippage until then: token0 shrinks as the price rises, token1 as it falls."""
    low, high = sqrt_price_at(lower), sqrt_price_at(upper)
    risen, fallen = moved(sqrt_price, slippage, True), moved(sqrt_price, slippage, False)
    least0, _ = amounts_for_liquidity(risen, low, high, liquidity, False)
    _, least1 = amounts_for_liquidity(fallen, low, high, liquidity, False)
    return least0, least1
