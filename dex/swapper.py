"""What a venue sends for its quotes, and what that needs of a wallet."""

from collections.abc import Sequence

from chains.evm import permit2
from core.clock import Clock
from core.errors import Reason, Refused
from core.ports import FeeOptions
from core.swaps import Approval, ApprovalMethod, ApprovalOffer, Quote
from core.tokens import Token
from core.transactions import Transaction
from dex.execution import Executor
from dex.lookup import TokenLookup
from dex.plans import SwapPlan
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory, PoolMarket
from dex.quoting import check_fresh
from dex.routing.plans import route_details, swap_plan
from dex.spec import PoolVenueSpec


class Swapper:
    """Of one venue, for any wallet."""

    def __init__(
        self,
        spec: PoolVenueSpec,
        executor: Executor,
        directory: PoolDirectory,
        states: PoolStates,
        lookup: TokenLookup,
        clock: Clock,
    ) -> None:
        self._spec = spec
        self._executor = executor
        self._directory = directory
        self._states = states
        self._lookup = lookup
        self._clock = clock

    @property
    def spenders(self) -> Sequence[str]:
        """The contracts that take tokens for swaps: the router, and Permit2 where the exchange has
        a router that goes by it."""
        deployment = self._spec.deployment
        return [deployment.router, *([permit2.ADDRESS] if deployment.universal_router else [])]

    async def required_approval(
        self, quote: Quote, owner: str, method: ApprovalMethod
    ) -> Approval | None:
        units = quote.units_in if quote.exact_in else quote.guaranteed
        owner = self._lookup.address(owner, "owner")
        return await self._executor.approving.required(quote.token_in, units, owner, method)

    async def approval_offers(self, quote: Quote, owner: str) -> Sequence[ApprovalOffer]:
        owner = self._lookup.address(owner, "owner")
        return await self._executor.approving.offers(quote.token_in, owner)

    async def swap(
        self,
        quote: Quote,
        owner: str,
        intent: str,
        deadline: int,
        fees: FeeOptions,
        approval: ApprovalMethod,
    ) -> Transaction:
        """`deadline` in ns; 0 for the venue's default."""
        return await self._executor.send(self._plan(quote, owner, intent, deadline), fees, approval)

    async def rehearse(
        self, quote: Quote, owner: str, deadline: int, approval: ApprovalMethod
    ) -> bool:
        """As core.swaps.SwapVenue.rehearse."""
        return await self._executor.rehearse(self._plan(quote, owner, "", deadline), approval)

    def _plan(self, quote: Quote, owner: str, intent: str, deadline: int) -> SwapPlan:
        if quote.executor != self._spec.id:
            raise Refused(
                Reason.QUOTE_NOT_FOUND,
                f"the quote is for the router of {quote.executor or quote.venue}, not of "
                f"{self._spec.id}",
                {"quote": quote.id},
            )
        check_fresh(quote, self._clock.now())
        tokens = quote.legs[0].hops[0].token_in, quote.legs[0].hops[-1].token_out
        market = self._directory.between(*tokens, [hop for leg in quote.legs for hop in leg.hops])
        return swap_plan(
            quote,
            self._spec,
            sender=self._lookup.address(owner, "owner"),
            intent=intent,
            deadline=deadline or self.deadline(),
            measured=not all(
                self._directory.listed_at(token.address)
                for leg in quote.legs
                for hop in leg.hops
                for token in (hop.token_in, hop.token_out)
            ),
            details=self.details(market, quote.token_in, quote.token_out) | route_details(quote),
        )

    def deadline(self) -> int:
        """When a swap that is sent now stops being valid, in ns."""
        return self.now() + self._spec.deployment.lifetime

    def now(self) -> int:
        """In ns, by the chain's clock or ours, whichever is ahead."""
        return max(self._clock.now(), self._states.chain_time)

    def is_trusted(self, market: PoolMarket) -> bool:
        """Whether both tokens are of the list; others may keep a part of each transfer."""
        tokens = market.token0, market.token1
        return all(self._directory.listed_at(token.address) for token in tokens)

    def details(self, market: PoolMarket, token_in: Token, token_out: Token) -> dict[str, str]:
        """What a swap's transaction must remember for its fill to be read after a restart."""
        return {
            "venue": self._spec.id,
            "instrument": market.instrument.id,
            "pool": market.address,
            "token_in": token_in.address,
            "token_out": token_out.address,
        }
