"""Providing liquidity to pools: positions, what they are worth, how they change."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from core.ports import FeeOptions
from core.swaps import ApprovalMethod
from core.tokens import Token
from core.transactions import Transaction

PriceRange = tuple[Decimal, Decimal]  # lower and upper, quote a base unit


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Units of a pool's two tokens, in the contract's order; `inverted` where the market's base is
    token1."""

    token0: Token
    token1: Token
    units0: int
    units1: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class LiquidityPosition:
    """Somebody's part of a pool at a block.

    `id` is the token id of concentrated liquidity, the pool's address otherwise. `liquidity` is
    the pool's own measure. `amounts` is what it would give now, `uncollected` what collecting would
    pay besides; fees of constant product are a part of `amounts`. `range` is None where the
    position works at every price.
    """

    venue: str
    id: str
    pool: str
    instrument: str
    owner: str
    liquidity: int
    amounts: TokenPair
    uncollected: TokenPair
    range: PriceRange | None
    in_range: bool
    block: int


@dataclass(frozen=True, slots=True)
class LiquidityQuote:
    """What adding would take, or removing give, at a block; `liquidity` is the part that would be
    added or removed."""

    amounts: TokenPair
    liquidity: int
    block: int


@dataclass(frozen=True, slots=True)
class LiquiditySpec:
    """What to add to a pool. The most of base and quote, in units; as much is taken as fits the
    pool's price. `range` is for concentrated liquidity; None is every price. `slippage` is how far
    the price may move until it is added, as a fraction."""

    pool: str
    base_units: int
    quote_units: int
    range: PriceRange | None
    slippage: Decimal


class Liquidity(Protocol):
    """What a venue of pools lets a wallet do with liquidity. Addresses are the network's.

    Mutations are simulated, signed, journaled and broadcast once an intent; where the tokens'
    allowances are too low they are approved first, exactly, or as `approval` asks. Refused with
    UNSUPPORTED_BY_VENUE for a method that is not offered.
    """

    async def positions(self, owner: str) -> Sequence[LiquidityPosition]: ...

    async def position(self, id: str, owner: str) -> LiquidityPosition:
        """`owner` may be "" where the id itself tells it. Refused with POSITION_NOT_FOUND."""
        ...

    async def quote_add(self, spec: LiquiditySpec) -> LiquidityQuote: ...

    async def quote_remove(self, id: str, owner: str, fraction: Decimal) -> LiquidityQuote:
        """What the liquidity itself would give; fees that can be collected come besides."""
        ...

    async def add(
        self,
        spec: LiquiditySpec,
        position: str,
        owner: str,
        intent: str,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        """Opens a position, or increases `position`, whose range counts then. By EIP-2612 a token
        that takes no permits is approved exactly, as long as the other takes them."""
        ...

    async def remove(
        self,
        id: str,
        owner: str,
        fraction: Decimal,
        slippage: Decimal,
        intent: str,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        """Takes a fraction out, with all fees; 1 closes the position."""
        ...

    async def collect(self, id: str, owner: str, intent: str, fees: FeeOptions) -> Transaction: ...


@runtime_checkable
class LiquidityVenue(Protocol):
    """A venue of pools that liquidity can be given to."""

    @property
    def liquidity(self) -> Liquidity: ...
