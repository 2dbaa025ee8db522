"""A venue of pools on one network, of whichever family, behind core.swaps.SwapVenue."""

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from core.clock import Clock
from core.errors import Reason, Refused
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
from dex.allowances import Allowances
from dex.discovery import PoolFinder
from dex.execution import Executor
from dex.family import family_of
from dex.feeds import PoolViews, StateFeed, TradeFeed
from dex.lookup import TokenLookup
from dex.network import PoolNetwork, Unsubscribe
from dex.permits import permits_of
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory
from dex.providing import Providing
from dex.quoter import Quoter
from dex.refusals import invalid
from dex.spec import PoolVenueSpec
from dex.swap_events import SwapEvents
from dex.swapper import Swapper

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
        self.quoter = Quoter(
            spec, network, self.directory, self.states, self.finder, self.lookup, clock
        )
        self.swapper = Swapper(spec, self.executor, self.directory, self.states, self.lookup, clock)
        spender = self.family.liquidity_spender(spec)
        self._liquidity_allowances = (
            self.allowances if spender == spec.deployment.router else Allowances(network, spender)
        )
        parts = Providing(
            spec, self.family, network, self.directory, self.finder, self.lookup, self.swapper.now
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
        await self.quoter.gas_price.stop()
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
        self,
        token_in: Token,
        token_out: Token,
        units: int,
        exact_in: bool,
        slippage: Decimal,
        limit: SwapLimit | None = None,
    ) -> Quote:
        return await self.quoter.quote(token_in, token_out, units, exact_in, slippage, limit)

    def on_pools(self, callback: Callable[[], None]) -> Unsubscribe:
        return self.states.subscribe(lambda refresh: callback())

    @property
    def spenders(self) -> Sequence[str]:
        """The contracts that take tokens for the venue: for swaps, and who provides liquidity."""
        found = [*self.swapper.spenders, self._liquidity_allowances.spender]
        return list(dict.fromkeys(found))

    async def required_approval(
        self, quote: Quote, owner: str, method: ApprovalMethod = ApprovalMethod.EXACT
    ) -> Approval | None:
        return await self.swapper.required_approval(quote, owner, method)

    async def approval_offers(self, quote: Quote, owner: str) -> Sequence[ApprovalOffer]:
        return await self.swapper.approval_offers(quote, owner)

    async def approve(
        self,
        owner: str,
        token: Token,
        units: int,
        intent: str,
        fees: FeeOptions,
        spender: str = "",
    ) -> Transaction:
        if token.is_native:
            message = f"{token.symbol} is the chain's own coin: nothing to approve"
            raise self._unsupported("approve", message)
        owner = self.lookup.address(owner, "owner")
        allowances = self._allowances_of(spender)
        return await allowances.approve(owner, token, units, intent, fees)

    def _allowances_of(self, spender: str) -> Allowances:
        """The router's where none is named."""
        wanted = self.lookup.address(spender, "spender") if spender else self.allowances.spender
        if wanted not in self.spenders:
            known = ", ".join(self.spenders)
            raise invalid("spender", spender, f"the contracts of {self.spec.id} are {known}")
        own = self.allowances, self._liquidity_allowances, permits_of(self.network).permit2
        return next(one for one in own if one.spender == wanted)

    async def rehearse(
        self,
        quote: Quote,
        owner: str,
        deadline: int,
        approval: ApprovalMethod = ApprovalMethod.EXACT,
    ) -> bool:
        return await self.swapper.rehearse(quote, owner, deadline, approval)

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
        return await self.swapper.swap(quote, owner, intent, deadline, fees, approval)

    def _unsupported(self, capability: str, message: str) -> Refused:
        metadata = {"venue": self.spec.id, "capability": capability}
        return Refused(Reason.UNSUPPORTED_BY_VENUE, message, metadata)
