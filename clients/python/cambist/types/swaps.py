"""Pools, quotes, swaps."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cambist.types._enum import WireEnum
from cambist.types.chains import TokenAmount


class SwapMode(WireEnum):
    """Which amount of a swap is fixed."""

    UNKNOWN = 0
    EXACT_IN = 1  # What goes in is fixed.
    EXACT_OUT = 2  # What comes out is fixed.


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool."""

    venue: str  # The venue.
    address: str  # Its address.
    reserves: tuple[TokenAmount, ...]  # What it holds of each token.
    fee: Decimal  # Its fee, as a fraction of what goes in.
    block: int  # The block that this is of.
    instrument: str  # Our id of its market.


class ApprovalMethod(WireEnum):
    """How a contract is let to take a token."""

    UNKNOWN = 0
    EXACT = 1  # A transaction before, for exactly what is needed.
    UNLIMITED = 2  # A transaction before, for everything, once and for all.
    EIP2612 = 3  # A signature that the token checks, exact and short-lived, within the swap.
    PERMIT2 = 4  # A signature that Permit2 checks; Permit2 is approved exactly where it must be.
    PERMIT2_UNLIMITED = 5  # The same; Permit2 is approved for everything, once and for all.


@dataclass(frozen=True, slots=True)
class ApprovalOffer:
    """A way to allow a token for a swap."""

    method: ApprovalMethod  # The way.
    offered: bool  # Whether it can be used for this swap.
    reason: str  # Why not, where it cannot.


@dataclass(frozen=True, slots=True)
class RequiredApproval:
    """An approval that a swap needs."""

    spender: str  # The contract that takes the token.
    amount: TokenAmount  # How much it must be allowed.
    method: ApprovalMethod  # The way that was asked for.
    # It is signed, and the swap's own transaction brings it; else it is a transaction before.
    by_signature: bool


@dataclass(frozen=True, slots=True)
class SwapHop:
    """A pool on the way of a swap."""

    venue: str  # The pool's venue.
    pool: str  # The pool's address.
    token_in: str  # What goes in, by address; the wrapped token for the native coin.
    token_out: str  # What comes out, by address; the wrapped token for the native coin.
    fee: Decimal  # The pool's fee, as a fraction.


@dataclass(frozen=True, slots=True)
class SwapLeg:
    """A part of a swap that goes its own way. All parts are one transaction."""

    share: Decimal  # How much of the fixed amount it is, as a fraction.
    amount_in: TokenAmount  # What goes in.
    amount_out: TokenAmount  # What comes out.
    # The least that comes out of it (exact in) or the most that goes into it (exact out).
    guaranteed: TokenAmount
    hops: tuple[SwapHop, ...]  # The pools, in the order in which they are passed.


@dataclass(frozen=True, slots=True)
class Quote:
    """What a swap would give at a block."""

    id: str  # Its id.
    venue: str  # The venue.
    mode: SwapMode  # Which amount is fixed.
    amount_in: TokenAmount  # What goes in.
    amount_out: TokenAmount  # What comes out.
    # The least that comes out (exact in) or the most that goes in (exact out).
    guaranteed: TokenAmount
    slippage: Decimal  # How far the price may move, as a fraction.
    price: Decimal  # Out for one in, fees included.
    price_impact: Decimal  # How far the swap itself moves the price, as a fraction, fees excluded.
    pools: tuple[str, ...]  # The pools that it goes through, by address.
    block: int  # The block that it is of.
    create_time: datetime | None  # When it was made.
    expire_time: datetime | None  # Until when it may be executed.
    # What the wallet must approve first; absent when nothing, or when no wallet was named.
    required_approval: RequiredApproval | None
    plan: str  # The plan in words.
    legs: tuple[SwapLeg, ...]  # The parts, each with its way.
    executor: str  # The venue whose router executes it.
    gas: int  # An estimate of the gas that it takes.
    # What that gas is worth now: in the token that comes out (exact in) or goes in (exact out).
    gas_cost: TokenAmount | None
    # The ways to allow the token that goes in; empty for the native coin, and without a wallet.
    approvals: tuple[ApprovalOffer, ...]
    # The worst price that a unit may have, out for one in; none where none was asked for.
    limit_price: Decimal | None
    partial: bool  # Whether a part may be traded where the limit price leaves no more.
    # The fixed amount that was asked for; `amount_in` and `amount_out` are less where the limit
    # price lets only a part through now. None without a limit price.
    asked_amount: TokenAmount | None
