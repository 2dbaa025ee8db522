"""A venue of constant-product pools on one network, behind core.swaps.SwapVenue."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from chains.evm.abi import address_at
from chains.evm.model import Call, CallError
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
from core.swaps import Approval, Pool, Quote
from core.tokens import Token
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.execution import Executor, SwapPlan
from dex.families.constant_product_abi import get_pair, pair_questions
from dex.feeds import PoolViews, StateFeed, TradeFeed
from dex.lookup import TokenLookup
from dex.network import PoolNetwork
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory, PoolMarket, PoolState
from dex.quoting import QuoteRequest, check_fresh, check_request
from dex.quoting import quote as quote_pool
from dex.refusals import invalid, of_venue
from dex.spec import PoolVenueSpec
from dex.swap_events import SwapEvents

_log = logging.getLogger(__name__)

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
    }
)
MAX_DEPTH = 1_000
_RECENT_BLOCKS = 1_000  # how far `trades` looks back


class PoolVenue:
    """All pools of one factory. `tokens` is the live token list, of any network.

    The pools of the spec's table are known from the start; any other pair of the factory is known
    from the first call that names it, by address or by its tokens.
    """

    def __init__(
        self, spec: PoolVenueSpec, network: PoolNetwork, tokens: Collection[Token], clock: Clock
    ) -> None:
        self.spec = spec
        self.network = network
        self.clock = clock
        self.directory = PoolDirectory(spec, tokens)
        self.states = PoolStates(network)
        self.swaps = SwapEvents(network, self.states, clock)
        self.views = PoolViews(self.states, self.swaps, clock)
        self.allowances = Allowances(network, spec.deployment.router)
        self.executor = Executor(spec, network, self.allowances)
        self.lookup = TokenLookup(network, self.directory, spec.deployment.wrapped)
        self._info = VenueInfo(
            id=spec.id,
            name=spec.name,
            kind=VenueKind.POOL,
            capabilities=CAPABILITIES,
            network=spec.deployment.network,
            documentation=spec.protocol.documentation,
        )
        self._loading: asyncio.Task[None] | None = None
        self._unloaded: list[tuple[str, str]] = []

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
        for token_a, token_b in self.spec.deployment.pools:
            first, second = self.directory.listed_at(token_a), self.directory.listed_at(token_b)
            if first is None or second is None:
                self._unloaded.append((token_a, token_b))
            else:
                self.states.track(self.directory.add(self.directory.candidate(first, second)))
        self.allowances.start()
        self.states.start()
        self.swaps.start()
        if self._unloaded:
            self._loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self.swaps.stop()
        await self.states.stop()
        self.allowances.stop()

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> Feed:
        market = self.market(instrument.id)
        if channel in (Channel.BOOK, Channel.TICKER):
            return StateFeed(self.views, channel, market, sink)
        if channel is Channel.TRADES:
            return TradeFeed(self.swaps, market, sink)
        raise self._unsupported(channel.value, f"pools have no {channel.value}")

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        market = self.market(instrument.id)
        if not 0 < depth <= MAX_DEPTH:
            raise invalid("depth", depth, f"depth is from 1 to {MAX_DEPTH}")
        return self.views.book(market, depth)

    async def ticker(self, instrument: Instrument) -> Ticker:
        market = self.market(instrument.id)
        return self.views.ticker(market, self.states.live(market))

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        return await self.swaps.recent(self.market(instrument.id), limit, _RECENT_BLOCKS)

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
        market = await self.find_market(address)
        return (await self._state(market)).pool(self.spec.id)

    async def find_token(self, text: str) -> Token:
        return await self.lookup.find(text)

    async def quote(
        self, token_in: Token, token_out: Token, units: int, exact_in: bool, slippage: Decimal
    ) -> Quote:
        request = QuoteRequest(token_in, token_out, units, exact_in, slippage)
        check_request(request)
        first, second = self.lookup.erc20(token_in), self.lookup.erc20(token_out)
        state = await self._state(self._market_of(first, second))
        with of_venue(self.spec.id):
            return quote_pool(
                self.spec.id,
                state,
                state.curve(first),
                request,
                self.clock.now(),
                self.network.info.block_time,
            )

    async def required_approval(self, quote: Quote, owner: str) -> Approval | None:
        token = quote.token_in
        if token.is_native:
            return None
        units = quote.units_in if quote.exact_in else quote.guaranteed
        owner = self.lookup.address(owner, "owner")
        _, allowance = await self.allowances.read(owner, token)
        if self.allowances.free(owner, token, allowance) >= units:
            return None
        return Approval(token, self.allowances.spender, units)

    async def approve(
        self, owner: str, token: Token, units: int, intent: str, fees: FeeOptions
    ) -> Transaction:
        if token.is_native:
            message = f"{token.symbol} is the chain's own coin: nothing to approve"
            raise self._unsupported("approve", message)
        owner = self.lookup.address(owner, "owner")
        return await self.allowances.approve(owner, token, units, intent, fees)

    async def swap(
        self, quote: Quote, owner: str, intent: str, deadline: int, fees: FeeOptions
    ) -> Transaction:
        """`deadline` in ns; 0 for the venue's default."""
        if quote.venue != self.spec.id:
            raise Refused(
                Reason.QUOTE_NOT_FOUND,
                f"the quote is of {quote.venue}, not of {self.spec.id}",
                {"quote": quote.id},
            )
        check_fresh(quote, self.clock.now())
        market = await self.find_market(quote.pools[0])
        first, second = self.lookup.erc20(quote.token_in), self.lookup.erc20(quote.token_out)
        plan = SwapPlan(
            sender=self.lookup.address(owner, "owner"),
            token_in=quote.token_in,
            token_out=quote.token_out,
            exact_in=quote.exact_in,
            exact=quote.units_in if quote.exact_in else quote.units_out,
            limit=quote.guaranteed,
            path=(first.address, second.address),
            intent=intent,
            deadline=deadline or self.deadline(),
            measured=not self.is_trusted(market),
            details=self.details(market, quote.token_in, quote.token_out)
            | {
                "kind": "swap",
                "quoted_in": str(quote.units_in),
                "quoted_out": str(quote.units_out),
                "guaranteed": str(quote.guaranteed),
                "exact_in": "1" if quote.exact_in else "0",
                "quoted_block": str(quote.block),
            },
        )
        return await self.executor.send(plan, fees)

    # -- for the account

    def market(self, instrument: str) -> PoolMarket:
        """The pool of an instrument; Refused with INSTRUMENT_NOT_FOUND."""
        market = self.directory.of_instrument(instrument)
        if market is None:
            raise Refused(
                Reason.INSTRUMENT_NOT_FOUND,
                f"{self.spec.id} has no instrument {instrument[:80]!r}; a pool that is not listed "
                "is known once it was asked for by its address",
                {"venue": self.spec.id, "instrument": instrument[:80]},
            )
        return market

    async def find_market(self, address: str) -> PoolMarket:
        """The pool of an address, asking the chain if it was never heard of."""
        pool = self.lookup.address(address, "pool")
        return self.directory.at(pool) or await self._discover(pool)

    def deadline(self) -> int:
        """When a swap that is sent now stops being valid, in ns; by the chain's clock or ours,
        whichever is ahead."""
        now = max(self.clock.now(), self.states.chain_time)
        return now + self.spec.deployment.lifetime

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

    # --

    def _market_of(self, token_a: Token, token_b: Token) -> PoolMarket:
        if token_a.address == token_b.address:
            raise invalid(
                "token_out",
                token_b.symbol,
                f"{token_a.symbol} against itself has no pool: wrap or unwrap it instead",
            )
        return self.directory.candidate(token_a, token_b)

    async def _state(self, market: PoolMarket) -> PoolState:
        """From memory; read once from the chain when the pool is new."""
        if self.states.known(market.address) is None:
            if await self.states.read(market) is None:
                raise Refused(
                    Reason.POOL_NOT_FOUND,
                    f"{self.spec.id} has no pool of {market.base.symbol} and {market.quote.symbol}",
                    {"venue": self.spec.id, "pool": market.address},
                )
            self.directory.add(market)
        return self.states.live(market)

    async def _discover(self, address: str) -> PoolMarket:
        answers = await self.network.multicall([Call(address, data) for data in pair_questions()])
        try:
            factory, token0, token1 = (_address(answer) for answer in answers)
        except ValueError as error:
            raise self._no_pool(address, "it does not answer as a pair does") from error
        if factory != self.spec.deployment.factory:
            raise self._no_pool(address, f"its factory is {factory}")
        (pair,) = await self.network.multicall([Call(factory, get_pair(token0, token1))])
        if isinstance(pair, CallError) or _address(pair) != address:
            raise self._no_pool(address, "the factory does not know it")
        first, second = await self.lookup.at(token0), await self.lookup.at(token1)
        market = self.directory.candidate(first, second, address)
        await self._state(market)
        return market

    async def _load(self) -> None:
        """Pools of the table whose tokens are in no list: their metadata is on the chain."""
        for pause in (1, 2, 5, 10, 30, 60, 120):
            for pair in list(self._unloaded):
                try:
                    first, second = [await self.lookup.at(address) for address in pair]
                except CambistError as error:
                    _log.info("pool %s of %s not loaded yet: %s", pair, self.spec.id, error.reason)
                    continue
                self.states.track(self.directory.add(self.directory.candidate(first, second)))
                self._unloaded.remove(pair)
            if not self._unloaded:
                return
            await asyncio.sleep(pause)

    def _no_pool(self, address: str, why: str) -> Refused:
        return Refused(
            Reason.POOL_NOT_FOUND,
            f"{address} is not a pool of {self.spec.id}: {why}",
            {"venue": self.spec.id, "pool": address},
        )

    def _unsupported(self, capability: str, message: str) -> Refused:
        metadata = {"venue": self.spec.id, "capability": capability}
        return Refused(Reason.UNSUPPORTED_BY_VENUE, message, metadata)


def _address(answer: bytes | CallError) -> str:
    if isinstance(answer, CallError) or len(answer) != 32:
        raise ValueError("no address")
    return address_at(answer)
