"""A venue of pools on one network, of whichever family, behind core.swaps.SwapVenue."""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from chains.evm import permit2
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
from core.swaps import Approval, ApprovalMethod, ApprovalOffer, Pool, Quote
from core.tokens import Token
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.discovery import PoolFinder
from dex.execution import Executor
from dex.family import family_of
from dex.feeds import PoolViews, StateFeed, TradeFeed
from dex.gas_price import GasPrice
from dex.lookup import TokenLookup
from dex.network import PoolNetwork, Unsubscribe
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory, PoolMarket
from dex.providing import Providing
from dex.quoting import QuoteRequest, check_ends, check_fresh, check_request
from dex.reach import MAX_HUBS, Reach
from dex.refusals import invalid, of_venue
from dex.routing.edges import Edges
from dex.routing.gas import HOP
from dex.routing.graph import Graph
from dex.routing.plans import route_details, swap_plan
from dex.routing.quotes import quote as quote_route
from dex.routing.search import Asked
from dex.spec import PoolVenueSpec
from dex.swap_events import SwapEvents

CAPABILITIES = frozenset(
    {
        Capability.ORDER_BOOK,
        Capability.TRADES,
        Capability.TICKER,
        Capability.LIMIT,
        Capability.MARKET,
        Capability.IOC,
        Capability.FOK,
        Capability.FILLS,
        Capability.BALANCES,
        Capability.FEES,
        Capability.SWAP,
        Capability.LIQUIDITY,
    }
)
MAX_DEPTH = 1_000
_RECENT_BLOCKS = 1_000  # how far `trades` looks back


class PoolVenue:
    """All pools of one factory. `tokens` is the live token list, of any network.

    The pools of the spec's table are known from the start; any other pool of the factory is known
    from the first call that names it, by address or by its tokens.
    """

    def __init__(
        self, spec: PoolVenueSpec, network: PoolNetwork, tokens: Collection[Token], clock: Clock
    ) -> None:
        self.spec = spec
        self.network = network
        self.clock = clock
        self.family = family_of(spec)
        self.directory = PoolDirectory(spec, tokens, self.family)
        self.states = PoolStates(network, self.family.reader)
        self.swaps = SwapEvents(network, self.states, clock)
        self.views = PoolViews(self.states, self.swaps, clock)
        self.allowances = Allowances(network, spec.deployment.router)
        self.executor = Executor(spec, self.family, network, self.allowances)
        self.lookup = TokenLookup(network, self.directory, spec.deployment.wrapped)
        self.finder = PoolFinder(
            spec, self.family, network, self.directory, self.lookup, self.states
        )
        hop = HOP[spec.protocol.family]
        edges = Edges(spec.id, self.directory, self.states.known, hop)
        self.graph = Graph([edges], lambda: self.states.version)
        self.gas_price = GasPrice(network, self.states, clock)
        self._reach: Reach | None = None
        spender = self.family.liquidity_spender(spec)
        self._liquidity_allowances = (
            self.allowances if spender == spec.deployment.router else Allowances(network, spender)
        )
        parts = Providing(
            spec, self.family, network, self.directory, self.finder, self.lookup, self._now
        )
        self.liquidity = self.family.liquidity(parts, self._liquidity_allowances)
        self._info = VenueInfo(
            id=spec.id,
            name=spec.name,
            kind=VenueKind.POOL,
            capabilities=CAPABILITIES,
            network=spec.deployment.network,
            documentation=spec.protocol.documentation,
        )

    # -- core.ports.Venue

    @property
    def info(self) -> VenueInfo:
        return self._info

    @property
    def condition(self) -> Condition:
        below = self.network.condition
        if below.health in (Health.DOWN, Health.STARTING):
            return below
        why = self.states.why_not_live
        if why:
            return Condition(Health.DEGRADED, why, below.since)
        missing = [
            market.instrument.id for market in self.directory if self.states.missing(market.address)
        ]
        if missing:
            return Condition(Health.DEGRADED, f"no such pool: {', '.join(missing)}", below.since)
        return below

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self.directory.instruments

    async def start(self) -> None:
        self.allowances.start()
        if self._liquidity_allowances is not self.allowances:
            self._liquidity_allowances.start()
        self.states.start()
        self.swaps.start()
        self.finder.start()

    async def stop(self) -> None:
        await self.gas_price.stop()
        await self.finder.stop()
        await self.swaps.stop()
        await self.states.stop()
        self.allowances.stop()
        if self._liquidity_allowances is not self.allowances:
            self._liquidity_allowances.stop()

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> Feed:
        market = self.finder.of_instrument(instrument.id)
        if channel in (Channel.BOOK, Channel.TICKER):
            return StateFeed(self.views, channel, market, sink)
        if channel is Channel.TRADES:
            return TradeFeed(self.swaps, market, sink)
        raise self._unsupported(channel.value, f"pools have no {channel.value}")

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        market = self.finder.of_instrument(instrument.id)
        if not 0 < depth <= MAX_DEPTH:
            raise invalid("depth", depth, f"depth is from 1 to {MAX_DEPTH}")
        return self.views.book(market, depth)

    async def ticker(self, instrument: Instrument) -> Ticker:
        market = self.finder.of_instrument(instrument.id)
        return self.views.ticker(market, self.states.live(market))

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        market = self.finder.of_instrument(instrument.id)
        if limit <= 0:
            raise invalid("limit", limit, "the limit must be above zero")
        return await self.swaps.recent(market, limit, _RECENT_BLOCKS)

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        raise self._unsupported("candles", "pools have no candles; build them from the trades")

    async def funding(self, instrument: Instrument) -> Funding:
        raise self._unsupported("funding", "pools have no funding")

    # -- core.swaps.SwapVenue

    async def pools(self) -> Sequence[Pool]:
        """Those whose state is known."""
        states = (self.states.known(market.address) for market in self.directory)
        return [state.pool(self.spec.id) for state in states if state is not None]

    async def pool(self, address: str) -> Pool:
        market = await self.finder.at(address)
        return (await self.finder.state(market)).pool(self.spec.id)

    async def find_token(self, text: str) -> Token:
        return await self.lookup.find(text)

    async def quote(
        self, token_in: Token, token_out: Token, units: int, exact_in: bool, slippage: Decimal
    ) -> Quote:
        """The best way through the venue's own pools: over several where that is better, and by
        several at once where its router can do that."""
        request = QuoteRequest(token_in, token_out, units, exact_in, slippage)
        check_request(request)
        asked = await self.asked(request)
        if self.reach.ideal(asked) is None:
            asked = await self.asked(request, again=True)
        with of_venue(self.spec.id):
            routed = self.reach.best(asked)
        now, block_time = self.clock.now(), self.network.info.block_time
        return quote_route(self.spec.id, routed, request, now, block_time)

    async def asked(self, request: QuoteRequest, again: bool = False) -> Asked:
        """What is asked of the pools, once those are known that may be a part of a route; `again`
        asks the chain about those that were not there, once a block. Refused with BOOK_NOT_LIVE, or
        when nothing is known and the chain cannot be asked."""
        first, second = self.lookup.erc20(request.token_in), self.lookup.erc20(request.token_out)
        check_ends(first, second)
        self.reach.check_live()
        try:
            await self.finder.scout(first, second, self._hubs, again)
        except CambistError:
            if not self.graph.ways(first.address, second.address):
                raise
        return Asked(first.address, second.address, request.units, request.exact_in)

    def _hubs(self) -> list[str]:
        return self.graph.hubs(MAX_HUBS)

    @property
    def reach(self) -> Reach:
        """What the router makes of the venue's own pools."""
        if self._reach is None:
            self._reach = Reach([self], self.wrapped, self.gas_price)
        return self._reach

    @property
    def wrapped(self) -> str:
        """The token that stands for the native coin in pools; "" where none is known."""
        try:
            return self.lookup.erc20(self.network.info.native).address
        except Refused:
            return ""

    def on_pools(self, callback: Callable[[], None]) -> Unsubscribe:
        return self.states.subscribe(lambda refresh: callback())

    @property
    def spenders(self) -> Sequence[str]:
        """The contracts that take tokens for the venue: the router, who provides liquidity, and
        Permit2 where the exchange has a router that goes by it."""
        found = [self.allowances.spender, self._liquidity_allowances.spender]
        if self.spec.deployment.universal_router:
            found.append(permit2.ADDRESS)
        return list(dict.fromkeys(found))

    async def required_approval(
        self, quote: Quote, owner: str, method: ApprovalMethod = ApprovalMethod.EXACT
    ) -> Approval | None:
        units = quote.units_in if quote.exact_in else quote.guaranteed
        owner = self.lookup.address(owner, "owner")
        return await self.executor.approving.required(quote.token_in, units, owner, method)

    async def approval_offers(self, quote: Quote, owner: str) -> Sequence[ApprovalOffer]:
        owner = self.lookup.address(owner, "owner")
        return await self.executor.approving.offers(quote.token_in, owner)

    async def approve(
        self, owner: str, token: Token, units: int, intent: str, fees: FeeOptions
    ) -> Transaction:
        if token.is_native:
            message = f"{token.symbol} is the chain's own coin: nothing to approve"
            raise self._unsupported("approve", message)
        owner = self.lookup.address(owner, "owner")
        return await self.allowances.approve(owner, token, units, intent, fees)

    async def swap(
        self,
        quote: Quote,
        owner: str,
        intent: str,
        deadline: int,
        fees: FeeOptions,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> Transaction:
        """`deadline` in ns; 0 for the venue's default."""
        if quote.executor != self.spec.id:
            raise Refused(
                Reason.QUOTE_NOT_FOUND,
                f"the quote is for the router of {quote.executor or quote.venue}, not of "
                f"{self.spec.id}",
                {"quote": quote.id},
            )
        check_fresh(quote, self.clock.now())
        tokens = quote.legs[0].hops[0].token_in, quote.legs[0].hops[-1].token_out
        market = self.directory.between(*tokens, [hop for leg in quote.legs for hop in leg.hops])
        plan = swap_plan(
            quote,
            self.spec,
            sender=self.lookup.address(owner, "owner"),
            intent=intent,
            deadline=deadline or self.deadline(),
            measured=not all(
                self.directory.listed_at(token.address)
                for leg in quote.legs
                for hop in leg.hops
                for token in (hop.token_in, hop.token_out)
            ),
            details=self.details(market, quote.token_in, quote.token_out) | route_details(quote),
        )
        return await self.executor.send(plan, fees, approval)

    # -- for the account

    def deadline(self) -> int:
        """When a swap that is sent now stops being valid, in ns; by the chain's clock or ours,
        whichever is ahead."""
        return self._now() + self.spec.deployment.lifetime

    def _now(self) -> int:
        return max(self.clock.now(), self.states.chain_time)

    def is_trusted(self, market: PoolMarket) -> bool:
        """Whether both tokens are of the list; others may keep a part of each transfer."""
        tokens = market.token0, market.token1
        return all(self.directory.listed_at(token.address) for token in tokens)

    def details(self, market: PoolMarket, token_in: Token, token_out: Token) -> dict[str, str]:
        """What a swap's transaction must remember for its fill to be read after a restart."""
        return {
            "venue": self.spec.id,
            "instrument": market.instrument.id,
            "pool": market.address,
            "token_in": token_in.address,
            "token_out": token_out.address,
        }

    def _unsupported(self, capability: str, message: str) -> Refused:
        metadata = {"venue": self.spec.id, "capability": capability}
        return Refused(Reason.UNSUPPORTED_BY_VENUE, message, metadata)
