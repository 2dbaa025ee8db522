"""An order as a swap: what it comes to on its pool now, and its one transaction."""

from core.errors import CambistError, Refused, Rejected, Unconfirmed
from core.orders import OrderRequest
from core.ports import FeeOptions, TransactionLog
from core.tokens import Token
from core.transactions import Transaction
from dex import orders
from dex.orders import SwapTerms
from dex.plans import SwapPlan
from dex.pools import PoolState
from dex.refusals import of_venue
from dex.settlement import order_details
from dex.settler import Settler
from dex.venue import PoolVenue


class Placing:
    """The orders of one wallet on one venue; `fees` is how each transaction is priced."""

    def __init__(
        self,
        venue: PoolVenue,
        address: str,
        settler: Settler,
        log: TransactionLog,
        fees: FeeOptions,
    ) -> None:
        self._venue = venue
        self._address = address
        self._settler = settler
        self._log = log
        self._fees = fees

    def terms(self, request: OrderRequest) -> tuple[SwapTerms | str, PoolState]:
        """The swap that an order comes to now, or why nothing can be traded. Raises Refused."""
        market = self._venue.finder.of_instrument(request.instrument)
        orders.check(request, market)
        state = self._venue.states.live(market)
        slippage = self._venue.spec.deployment.market_slippage
        with of_venue(self._venue.spec.id):
            return orders.terms(request, state, slippage), state

    def takes(self, terms: SwapTerms, state: PoolState) -> tuple[Token, int]:
        """What the swap takes from the wallet at the present price."""
        if terms.exact_in:
            return state.market.base, terms.base_units
        return state.market.quote, terms.quoted

    async def send(self, request: OrderRequest, terms: SwapTerms, state: PoolState) -> Transaction:
        """Refused is proof that nothing was signed."""
        try:
            plan = self._plan(request, terms, state)
            return await self._venue.executor.send(plan, self._fees)
        except (Refused, Rejected, Unconfirmed):
            raise
        except CambistError as error:
            # The chain could not be asked; the log knows whether anything was signed before.
            transaction = await self.swap_of(request.client_order_id)
            if transaction is not None:
                return transaction
            raise refused(error) from error

    async def swap_of(self, intent: str) -> Transaction | None:
        """The intent's transaction: the one that is or may get in a block, else the last."""
        network = self._venue.network.info.id
        found = [
            one for one in await self._log.by_intent(network, intent) if self._settler.concerns(one)
        ]
        alive = [one for one in found if not self._settler.is_gone(one)]
        return (alive or found)[-1] if found else None

    def _plan(self, request: OrderRequest, terms: SwapTerms, state: PoolState) -> SwapPlan:
        market = state.market
        token_in, _ = self.takes(terms, state)
        token_out = market.quote if terms.exact_in else market.base
        return SwapPlan(
            sender=self._address,
            token_in=token_in,
            token_out=token_out,
            exact_in=terms.exact_in,
            exact=terms.base_units,
            limit=terms.guaranteed,
            path=(token_in.address, token_out.address),
            fees=(market.fee.pips,),
            price_limit=terms.price_limit,
            intent=request.client_order_id,
            deadline=self._venue.swapper.deadline(),
            measured=not self._venue.swapper.is_trusted(market),
            details=self._venue.swapper.details(market, token_in, token_out)
            | order_details(request, terms, state),
        )


def refused(error: CambistError) -> Refused:
    """A question that the chain did not answer, where nothing was sent."""
    if isinstance(error, Refused):
        return error
    message = f"nothing was sent: {error.message}"
    return Refused(error.reason, message, error.metadata, error.retry_after)
