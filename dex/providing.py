"""What providing liquidity has in common over the families: which pool, approvals, sending."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from chains.evm.model import TransactionPlan
from core.errors import CambistError, Reason, Refused
from core.liquidity import TokenPair
from core.ports import FeeOptions
from core.tokens import Token
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.discovery import PoolFinder
from dex.execution import explained
from dex.family import Family
from dex.lookup import TokenLookup
from dex.network import PoolNetwork
from dex.pools import PoolDirectory, PoolMarket
from dex.refusals import invalid
from dex.spec import PoolVenueSpec

ADD, REMOVE, COLLECT = "liquidity_add", "liquidity_remove", "liquidity_collect"
# Ticks that begin to be used between estimate and execution, the recipient's first balances.
_GAS_RESERVE = 100_000


@dataclass(frozen=True, slots=True)
class Takes:
    """What a change of liquidity may take of a token (`most`), and takes at the present price."""

    token: Token
    most: int
    needed: int


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction to be."""

    owner: str
    to: str
    data: bytes
    purpose: str
    intent: str
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Providing:
    """The parts of a venue that liquidity needs."""

    spec: PoolVenueSpec
    family: Family
    network: PoolNetwork
    directory: PoolDirectory
    finder: PoolFinder
    lookup: TokenLookup
    now: Callable[[], int]  # by the chain's clock or ours, whichever is ahead; ns

    def deadline(self, lifetime: int) -> int:
        """When a transaction that is sent now stops being valid, in seconds."""
        return (self.now() + lifetime) // 1_000_000_000

    async def market(self, text: str) -> PoolMarket:
        """By our id of its market, or by the pool's address."""
        known = self.directory.of_instrument(text)
        return known or await self.finder.at(text)

    def owner(self, text: str) -> str:
        return self.lookup.address(text, "owner")

    def missing(self, id: str, why: str) -> Refused:
        """POSITION_NOT_FOUND."""
        return Refused(
            Reason.POSITION_NOT_FOUND,
            f"{self.spec.id} has no such position: {why}",
            {"venue": self.spec.id, "position": id[:80]},
        )

    def details(self, market: PoolMarket, position: str) -> dict[str, str]:
        """What the transaction remembers."""
        return {
            "venue": self.spec.id,
            "instrument": market.instrument.id,
            "pool": market.address,
            "position": position,
        }

    async def send(self, change: Change, fees: FeeOptions) -> Transaction:
        """Simulates, signs, journals, broadcasts."""
        plan = TransactionPlan(
            sender=change.owner,
            to=change.to,
            data=change.data,
            value=0,
            intent=change.intent,
            purpose=change.purpose,
            details=change.details,
            gas_reserve=_GAS_RESERVE,
        )
        try:
            return await self.network.send(plan, fees)
        except CambistError as error:
            raise explained(error, self.family, self.spec.id) from error

    async def hold(
        self,
        allowances: Allowances,
        owner: str,
        takes: Sequence[Takes],
        intent: str,
        fees: FeeOptions,
    ) -> list[int]:
        """Approves what is needed; what may be taken of each, cut to the balances."""
        held = []
        for place, one in enumerate(takes):
            if not one.most:
                held.append(0)
                continue
            name = f"approve-{place}"
            held.append(
                await allowances.hold(
                    owner, one.token, one.most, one.needed, intent, fees, name=name
                )
            )
        return held


@contextmanager
def holding(
    allowances: Allowances, owner: str, tokens: Sequence[Token], intent: str
) -> Iterator[None]:
    """Releases what was held for an intent, whatever came of it."""
    try:
        yield
    finally:
        for token in tokens:
            allowances.release(owner, token, intent)


def pair(market: PoolMarket, units: tuple[int, int]) -> TokenPair:
    """Units of a market's tokens."""
    return TokenPair(market.token0, market.token1, *units)


def in_order(market: PoolMarket, base: int, quote: int) -> tuple[int, int]:
    """Base and quote units in the contract's order."""
    return (base, quote) if market.base_is_0 else (quote, base)


def part_of(liquidity: int, fraction: Decimal) -> int:
    """A fraction of it, rounded down; FIELD_INVALID when that is nothing."""
    if not fraction.is_finite() or not 0 < fraction <= 1:
        raise invalid("fraction", fraction, "fraction is above 0 and at most 1: 0.5 is half")
    over, under = fraction.as_integer_ratio()
    return liquidity * over // under


def check_slippage(slippage: Decimal) -> None:
    """FIELD_INVALID for what is no slippage."""
    if not slippage.is_finite() or not 0 <= slippage < 1:
        raise invalid(
            "slippage", slippage, "slippage is a fraction from 0 to below 1: 0.005 is 0.5 %"
        )
