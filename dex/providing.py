"""What providing liquidity has in common over the families: which pool, approvals, sending."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from chains.evm.model import TransactionPlan
from core.errors import CambistError, Reason, Refused
from core.liquidity import TokenPair
from core.ports import FeeOptions
from core.swaps import ApprovalMethod
from core.tokens import Token
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.approving import BY_PERMIT2
from dex.discovery import PoolFinder
from dex.execution import explained
from dex.family import Family
from dex.lookup import TokenLookup
from dex.network import PoolNetwork
from dex.permit_turns import SEPARATOR
from dex.permits import Grant, Signed, not_offered, permits_of
from dex.pools import PoolDirectory, PoolMarket
from dex.refusals import invalid
from dex.spec import PoolVenueSpec

ADD, REMOVE, COLLECT = "liquidity_add", "liquidity_remove", "liquidity_collect"
# Ticks that begin to be used between estimate and execution, the recipient's first balances.
_GAS_RESERVE = 100_000
_NANO = 1_000_000_000


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
class Allowing:
    """How tokens are to be allowed for a change; `deadline` in seconds, as the change's own."""

    owner: str
    intent: str
    method: ApprovalMethod
    deadline: int


@dataclass(slots=True)
class Allowed:
    """What may be taken of each token, in their order, and the permits that the transaction must
    bring for it."""

    units: list[int] = field(default_factory=list)
    permits: list[Signed] = field(default_factory=list)
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

    @asynccontextmanager
    async def allowed(
        self, allowances: Allowances, change: Allowing, takes: Sequence[Takes], fees: FeeOptions
    ) -> AsyncIterator[Allowed]:
        """What may be taken of each token, cut to the balances, for as long as the transaction is
        being sent. Approves what is needed, or has permits signed for it."""
        if change.method is ApprovalMethod.EIP2612:
            await self._check_permits(change.owner, takes)
        made = Allowed()
        async with AsyncExitStack() as stack:
            for place, one in enumerate(takes):
                if not one.most:
                    made.units.append(0)
                elif change.method is ApprovalMethod.EIP2612 and not isinstance(
                    await permits_of(self.network).of_token(one.token, change.owner), str
                ):
                    await self._permit(stack, made, allowances, change, one)
                else:
                    stack.callback(allowances.release, change.owner, one.token, change.intent)
                    held = await allowances.hold(
                        *(change.owner, one.token, one.most, one.needed, change.intent, fees),
                        name=f"approve-{place}",
                        unlimited=change.method is ApprovalMethod.UNLIMITED,
                    )
                    made.units.append(held)
            yield made

    async def _permit(
        self,
        stack: AsyncExitStack,
        made: Allowed,
        allowances: Allowances,
        change: Allowing,
        takes: Takes,
    ) -> None:
        granted = await stack.enter_async_context(
            allowances.permitting(
                change.owner, takes.token, takes.most, takes.needed, change.intent
            )
        )
        made.units.append(granted.units)
        if granted.covered:
            return
        grant = Grant(
            change.owner,
            takes.token,
            allowances.spender,
            granted.units,
            change.deadline * _NANO,
            change.intent,
            "change of liquidity",
        )
        permit = await stack.enter_async_context(permits_of(self.network).by_token(grant))
        made.permits.append(permit)
        for name, text in permit.details.items():
            known = made.details.get(name)
            made.details[name] = text if known is None else f"{known}{SEPARATOR}{text}"

    async def _check_permits(self, owner: str, takes: Sequence[Takes]) -> None:
        """Refused with UNSUPPORTED_BY_VENUE where no token takes permits."""
        refusal: Refused | None = None
        for one in takes:
            if one.most:
                found = await permits_of(self.network).of_token(one.token, owner)
                if not isinstance(found, str):
                    return
                refusal = not_offered(ApprovalMethod.EIP2612, one.token, found)
        if refusal is not None:
            raise refusal


def check_method(method: ApprovalMethod, token: Token, by_permit: bool) -> None:
    """UNSUPPORTED_BY_VENUE for what a contract of liquidity does not take; `by_permit`: it takes
    the tokens' permits."""
    if method in BY_PERMIT2:
        raise not_offered(method, token, "liquidity is not provided by Permit2")
    if method is ApprovalMethod.EIP2612 and not by_permit:
        raise not_offered(method, token, "the router takes no permits when liquidity is added")


def pair(market: PoolMarket, units: tuple[int, int]) -> TokenPair:
    """Units of a market's tokens."""
    return TokenPair(market.token0, market.token1, *units, inverted=not market.base_is_0)


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
