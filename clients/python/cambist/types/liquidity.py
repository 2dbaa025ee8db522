"""Liquidity positions."""

from dataclasses import dataclass
from decimal import Decimal

from cambist.types.chains import TokenAmount


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The prices between which a position of concentrated liquidity works."""

    lower_price: Decimal  # The lower price, quote a base unit.
    upper_price: Decimal  # The upper price, quote a base unit.


@dataclass(frozen=True, slots=True)
class LiquidityPosition:
    """A liquidity position."""

    venue: str  # The venue.
    id: str  # Its id: the token id of concentrated liquidity, the pool's address otherwise.
    pool: str  # The pool's address.
    owner: str  # Who owns it.
    liquidity: int  # The pool's own measure of liquidity, an integer.
    amounts: tuple[TokenAmount, ...]  # What it would give now, a token each.
    uncollected_fees: tuple[TokenAmount, ...]  # Fees that can be collected, a token each.
    range: PriceRange | None  # The prices between which it works; absent when everywhere.
    in_range: bool  # Whether the price is in its range.
