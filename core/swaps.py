"""Quotes, pools and swaps: what only a decentralized exchange has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol

from core.ports import FeeOptions, Venue
from core.tokens import Token
from core.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's state at a block. Token order is the contract's; amounts are integers."""

    venue: str
    address: str
    token0: Token
    token1: Token
    reserve0: int
    reserve1: int
    fee: Decimal  # a fraction: 0.003 is 0.3 %
    block: int
    instrument: str  # our id of its market, BASE-QUOTE
    inverted: bool = False  # whether the market's base is token1


class ApprovalMethod(Enum):
    """How a contract is let to take a token."""

    EXACT = "exact"  # a transaction of its own, for what the swap takes
    UNLIMITED = "unlimited"  # the same for everything, once and for all
    EIP2612 = "eip2612"  # a signature that the token checks, within the swap
    PERMIT2 = "permit2"  # a signature that Permit2 checks, which is approved exactly where it must
    PERMIT2_UNLIMITED = "permit2_unlimited"  # the same; Permit2 is approved once and for all


@dataclass(frozen=True, slots=True)
class Approval:
    """What a token's owner must allow before a swap can be sent, or with it.

    `by_signature`: the swap itself brings it, and no transaction goes before. By Permit2 there is
    always a signature: one that is not by signature is Permit2's own approval, and comes before.
    """

    token: Token
    spender: str
    units: int
    method: ApprovalMethod = ApprovalMethod.EXACT
    by_signature: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalOffer:
    """A way to allow a token for a swap; `why_not` is empty where it is offered."""

    method: ApprovalMethod
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """A pool that a part of a swap goes through. `fee` is the pool's, as a fraction."""

    venue: str
    pool: str
    token_in: Token
    token_out: Token
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a swap: how much goes which way. Amounts in units of the swap's two tokens;
    `guaranteed` as in a quote, for this part."""

    units_in: int
    units_out: int
    guaranteed: int
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class SwapLimit:
    """The worst price that a unit of a swap may have: whole tokens out for one in, fees included.

    `partial`: what can be had within it is traded, and told as the part that it is; else all of the
    amount is, or nothing.
    """

    price: Decimal
    partial: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """What a swap would give at a block.

    `exact_in` tells which amount is fixed. `guaranteed` is the least out (exact in) or the most in
    (exact out) that the transaction will accept. `price` is amount out for one unit in, fees
    included; `price_impact` is a fraction against the pools' mid prices, fees excluded.

    `legs` are the parts, executed by one transaction to the router of the venue `executor`, which
    is the contract `spender`. `gas` is an estimate of what the swap takes, `gas_cost` its worth in
    units of the token that is not fixed (out for exact in); None where that is not known.

    A quote within a `limit` is one pool's. Where the limit lets a part be traded, `units_in` and
    `units_out` are what it lets through now, `asked` is what was asked for of the exact side, and
    `price_limit`, where it is not 0, the pool's own measure of the limit, at which it stops.
    """

    id: str
    venue: str
    network: str
    token_in: Token
    token_out: Token
    exact_in: bool
    units_in: int
    units_out: int
    guaranteed: int
    slippage: Decimal  # a fraction
    price: Decimal
    price_impact: Decimal
    pools: tuple[str, ...]
    block: int
    create_time: int
    expire_time: int
    legs: tuple[Leg, ...] = ()
    executor: str = ""
    spender: str = ""
    gas: int = 0
    gas_cost: int | None = None
    limit: SwapLimit | None = None
    asked: int = 0
    price_limit: int = 0


class SwapVenue(Venue, Protocol):
    """A venue of pools on one network."""

    async def pools(self) -> Sequence[Pool]: ...

    async def pool(self, address: str) -> Pool:
        """Any pool of the venue's family, known beforehand or not."""
        ...

    async def find_token(self, text: str) -> Token:
        """By address, or by symbol where it is unambiguous; raises Refused with TOKEN_NOT_FOUND,
        or TOKEN_AMBIGUOUS with the candidates."""
        ...

    async def quote(
        self,
        token_in: Token,
        token_out: Token,
        units: int,
        exact_in: bool,
        slippage: Decimal,
        limit: SwapLimit | None = None,
    ) -> Quote:
        """From pool state in memory. `units` is the exact side's amount. With a limit it is by one
        pool of the two tokens; Refused with SLIPPAGE_EXCEEDED where that cannot be kept."""
        ...

    async def required_approval(
        self, quote: Quote, owner: str, method: ApprovalMethod = ApprovalMethod.EXACT
    ) -> Approval | None:
        """What `owner` must allow; None when the allowance is there. Refused with
        UNSUPPORTED_BY_VENUE for a method that is not offered."""
        ...

    async def approval_offers(self, quote: Quote, owner: str) -> Sequence[ApprovalOffer]:
        """Every method, and why not where it is not offered; none for the native coin. The chain
        is asked."""
        ...

    async def approve(
        self,
        owner: str,
        token: Token,
        units: int,
        intent: str,
        fees: FeeOptions,
        spender: str = "",
    ) -> Transaction:
        """Allows the venue's router, or another contract of its `spenders`, exactly `units` of a
        token. FIELD_INVALID for any other contract."""
        ...

    async def rehearse(
        self,
        quote: Quote,
        owner: str,
        deadline: int,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> bool:
        """Refused for what `swap` would refuse; nothing is signed or sent. False where the swap
        could not be simulated, because what it takes is not allowed yet."""
        ...

    async def swap(
        self,
        quote: Quote,
        owner: str,
        intent: str,
        deadline: int,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        """Simulates, signs, journals and broadcasts; approves as asked where it must.
        The fill is read from the receipt and reported through the wallet's Account."""
        ...

    def on_pools(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back whenever pools were read, once a block and more; returns what ends that."""
        ...
