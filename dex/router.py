"""One venue over all exchanges of a network: the best route, by whichever router executes it.

A swap is one transaction to one router. No deployed contract passes the pools of unrelated
exchanges, so a route stays within what one router reaches (docs/decisions/0009): the pools of its
exchange, and for Uniswap's second router those of V2 and V3 together. This venue compares what each
router would make of the swap, gas paid, and executes by the best. Fills are told by the account at
the venue whose router it was.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NoReturn

from core.clock import Clock
from core.errors import CambistError, Reason, Refused
from core.instruments import Instrument
from core.market import BookSnapshot, Candle, Funding, Ticker, Trade
from core.ports import (
    Capability,
    Channel,
    Condition,
    Feed,
    FeeOptions,
    Health,
    MarketSink,
    VenueInfo,
    VenueKind,
)
from core.swaps import Approval, ApprovalMethod, ApprovalOffer, Pool, Quote, SwapLimit
from core.tokens import Token
from core.transactions import Transaction
from dex.limits import Limited
from dex.network import PoolNetwork, Unsubscribe
from dex.quoting import QuoteRequest, check_request
from dex.reach import Reach
from dex.refusals import of_venue
from dex.routing.quotes import Routed, limited_quote
from dex.routing.quotes import quote as quote_route
from dex.spec import FamilyName
from dex.venue import PoolVenue

PREFIX = "router@"


class RouterVenue:
    """`venues` are those of one network, at least one; they are started by others."""

    def __init__(self, network: PoolNetwork, venues: Sequence[PoolVenue], clock: Clock) -> None:
        self.network = network
        self._clock = clock
        self._venues = {venue.spec.id: venue for venue in venues}
        reaches = {venue.spec.id: self._reach(venue) for venue in venues}
        # Those that reach most come first: what they find spares the others their search.
        self._reaches = dict(sorted(reaches.items(), key=lambda item: -item[1].size))
        self._info = VenueInfo(
            id=PREFIX + network.info.id,
            name=f"Best route on {network.info.id}",
            kind=VenueKind.POOL,
            capabilities=frozenset({Capability.SWAP}),
            network=network.info.id,
        )

    def _reach(self, venue: PoolVenue) -> Reach:
        quoter, pair_factory = venue.quoter, venue.spec.deployment.pair_factory
        beside = [
            other.quoter
            for other in self._venues.values()
            if pair_factory
            and other.spec.protocol.family is FamilyName.CONSTANT_PRODUCT
            and other.spec.deployment.factory == pair_factory
        ]
        return (
            quoter.reach
            if not beside
            else Reach([quoter, *beside], quoter.wrapped, quoter.gas_price)
        )

    # -- core.ports.Venue

    @property
    def info(self) -> VenueInfo:
        return self._info

    @property
    def condition(self) -> Condition:
        """Ready while one of the venues is; the reason names those that are not."""
        below = {id: venue.condition for id, venue in self._venues.items()}
        order = (Health.READY, Health.DEGRADED, Health.STARTING, Health.DOWN)
        best = min(below.values(), key=lambda one: order.index(one.health))
        missing = [f"{id}: {one.reason}" for id, one in below.items() if one.health != best.health]
        if missing and best.health is Health.READY:
            return Condition(Health.DEGRADED, "; ".join(missing), best.since)
        return best

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """None: it has quotes and swaps only."""
        return {}

    async def start(self) -> None:
        """Nothing: the venues follow the chain."""

    async def stop(self) -> None:
        """Nothing either."""

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> Feed:
        self._elsewhere(channel.value)

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        self._elsewhere("order_book")

    async def ticker(self, instrument: Instrument) -> Ticker:
        self._elsewhere("ticker")

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        self._elsewhere("trades")

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        self._elsewhere("candles")

    async def funding(self, instrument: Instrument) -> Funding:
        self._elsewhere("funding")

    # -- core.swaps.SwapVenue

    async def pools(self) -> Sequence[Pool]:
        """Those of all venues."""
        return [pool for venue in self._venues.values() for pool in await venue.pools()]

    async def pool(self, address: str) -> Pool:
        """Of whichever venue has it."""
        refusal: Refused | None = None
        for venue in self._venues.values():
            try:
                return await venue.pool(address)
            except Refused as error:
                refusal = error
        assert refusal is not None  # there is at least one venue
        raise refusal

    async def find_token(self, text: str) -> Token:
        return await self._any().find_token(text)

    async def quote(
        self,
        token_in: Token,
        token_out: Token,
        units: int,
        exact_in: bool,
        slippage: Decimal,
        limit: SwapLimit | None = None,
    ) -> Quote:
        request = QuoteRequest(token_in, token_out, units, exact_in, slippage)
        check_request(request)
        now, block_time = self._clock.now(), self.network.info.block_time
        errors: list[CambistError] = []
        if limit is not None:
            routed, done = await self._within(request, limit, errors)
            return limited_quote(self._info.id, routed, done, request, limit, now, block_time)
        best = await self._best(request, errors, again=False)
        if best is None and any(one.reason is Reason.POOL_NOT_FOUND for one in errors):
            errors.clear()
            best = await self._best(request, errors, again=True)
        if best is None:
            raise _most_telling(errors)
        return quote_route(self._info.id, best, request, now, block_time)

    async def _within(
        self, request: QuoteRequest, limit: SwapLimit, errors: list[CambistError]
    ) -> tuple[Routed, Limited]:
        """The one pool of all venues that does most within a limit."""
        best: tuple[Routed, Limited] | None = None
        for venue in self._venues.values():
            try:
                found = await venue.quoter.within(request, limit)
            except CambistError as error:
                errors.append(error)
                continue
            if best is None or found[1].better_than(best[1], request.exact_in):
                best = found
        if best is None:
            raise _most_telling(errors)
        return best

    async def _best(
        self, request: QuoteRequest, errors: list[CambistError], again: bool
    ) -> Routed | None:
        best: Routed | None = None
        score = 0
        searched: set[str] = set()
        for id, reach in self._reaches.items():
            if id in searched:
                continue
            try:
                asked = await self._venues[id].quoter.asked(request, again)
                if best is not None:
                    ideal = reach.ideal(asked)
                    if ideal is None or ideal <= score:
                        continue
                with of_venue(id):
                    found = reach.best(asked)
                searched.update(reach.venues)
            except CambistError as error:
                errors.append(error)
                continue
            if best is None or found.score(request.exact_in) > score:
                best, score = found, found.score(request.exact_in)
        return best

    async def required_approval(
        self, quote: Quote, owner: str, method: ApprovalMethod = ApprovalMethod.EXACT
    ) -> Approval | None:
        return await self._executor(quote).required_approval(quote, owner, method)

    async def approval_offers(self, quote: Quote, owner: str) -> Sequence[ApprovalOffer]:
        return await self._executor(quote).approval_offers(quote, owner)

    async def approve(
        self,
        owner: str,
        token: Token,
        units: int,
        intent: str,
        fees: FeeOptions,
        spender: str = "",
    ) -> Transaction:
        self._elsewhere("approve")

    async def rehearse(
        self,
        quote: Quote,
        owner: str,
        deadline: int,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> bool:
        return await self._executor(quote).rehearse(quote, owner, deadline, approval)

    async def swap(
        self,
        quote: Quote,
        owner: str,
        intent: str,
        deadline: int,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        return await self._executor(quote).swap(quote, owner, intent, deadline, fees, approval)

    def on_pools(self, callback: Callable[[], None]) -> Unsubscribe:
        ends = [venue.on_pools(callback) for venue in self._venues.values()]

        def end() -> None:
            for one in ends:
                one()

        return end

    # --

    def _any(self) -> PoolVenue:
        return next(iter(self._venues.values()))

    def _executor(self, quote: Quote) -> PoolVenue:
        venue = self._venues.get(quote.executor)
        if venue is None:
            raise Refused(
                Reason.QUOTE_NOT_FOUND,
                f"the quote is for the router of {quote.executor or quote.venue}, which is not on "
                f"{self.network.info.id}",
                {"quote": quote.id},
            )
        return venue

    def _elsewhere(self, capability: str) -> NoReturn:
        known = ", ".join(sorted(self._venues))
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"{self._info.id} finds routes and swaps; for anything else name a venue: {known}",
            {"venue": self._info.id, "capability": capability},
        )


def _most_telling(errors: Sequence[CambistError]) -> CambistError:
    """Of several refusals the one that says most: that there is no pool says least."""
    return next((one for one in errors if one.reason is not Reason.POOL_NOT_FOUND), errors[0])
