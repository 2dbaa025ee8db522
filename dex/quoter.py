"""Quotes from memory, of one venue's pools: the best way, or one pool within a limit."""

from collections.abc import Iterator
from decimal import Decimal

from core.clock import Clock
from core.errors import CambistError, Reason, Refused
from core.swaps import Quote, SwapLimit
from core.tokens import Token
from dex.discovery import PoolFinder
from dex.gas_price import GasPrice
from dex.limits import Limited, check_limit, limited
from dex.lookup import TokenLookup
from dex.network import PoolNetwork
from dex.pool_state import PoolStates
from dex.pools import PoolDirectory
from dex.quoting import QuoteRequest, check_ends, check_request
from dex.reach import MAX_HUBS, Reach
from dex.refusals import of_venue
from dex.routing.edges import Edge, Edges
from dex.routing.gas import HOP
from dex.routing.graph import Graph
from dex.routing.quotes import Routed, limited_quote
from dex.routing.quotes import quote as quote_route
from dex.routing.search import Asked, Leg
from dex.spec import PoolVenueSpec


class Quoter:
    """What one venue's router would make of a swap now (dex.reach.Source)."""

    def __init__(
        self,
        spec: PoolVenueSpec,
        network: PoolNetwork,
        directory: PoolDirectory,
        states: PoolStates,
        finder: PoolFinder,
        lookup: TokenLookup,
        clock: Clock,
    ) -> None:
        self.spec = spec
        self.states = states
        edges = Edges(spec.id, directory, states.known, HOP[spec.protocol.family])
        self.graph = Graph([edges], lambda: states.version)
        self.gas_price = GasPrice(network, states, clock)
        self._network = network
        self._finder = finder
        self._lookup = lookup
        self._clock = clock
        self._reach: Reach | None = None

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
            return self._lookup.erc20(self._network.info.native).address
        except Refused:
            return ""

    async def quote(
        self,
        token_in: Token,
        token_out: Token,
        units: int,
        exact_in: bool,
        slippage: Decimal,
        limit: SwapLimit | None = None,
    ) -> Quote:
        """As core.swaps.SwapVenue.quote: the best way through the venue's own pools, over several
        where that is better, and by several at once where its router can do that; with a limit by
        the one pool that does most."""
        request = QuoteRequest(token_in, token_out, units, exact_in, slippage)
        check_request(request)
        now, block_time = self._clock.now(), self._network.info.block_time
        if limit is not None:
            routed, done = await self.within(request, limit)
            return limited_quote(self.spec.id, routed, done, request, limit, now, block_time)
        asked = await self.asked(request)
        if self.reach.ideal(asked) is None:
            asked = await self.asked(request, again=True)
        with of_venue(self.spec.id):
            best = self.reach.best(asked)
        return quote_route(self.spec.id, best, request, now, block_time)

    async def asked(self, request: QuoteRequest, again: bool = False) -> Asked:
        """What is asked of the pools, once those are known that may be a part of a route; `again`
        asks the chain about those that were not there, once a block. Refused with BOOK_NOT_LIVE, or
        when nothing is known and the chain cannot be asked."""
        first, second = self._lookup.erc20(request.token_in), self._lookup.erc20(request.token_out)
        check_ends(first, second)
        self.reach.check_live()
        try:
            await self._finder.scout(first, second, self._hubs, again)
        except CambistError:
            if not self.graph.ways(first.address, second.address):
                raise
        return Asked(first.address, second.address, request.units, request.exact_in)

    async def within(self, request: QuoteRequest, limit: SwapLimit) -> tuple[Routed, Limited]:
        """The pool of the two tokens that does most within a limit. Refused with POOL_NOT_FOUND
        where there is none, with SLIPPAGE_EXCEEDED where none can."""
        check_limit(limit)
        asked = await self.asked(request)
        if next(self._direct(asked), None) is None:
            asked = await self.asked(request, again=True)
        best: tuple[Edge, Limited] | None = None
        refusal: Refused | None = None
        for edge in self._direct(asked):
            curve = edge.curve()
            if curve is None:
                continue
            try:
                done = limited(curve, request, limit)
            except Refused as error:
                refusal = refusal or error
                continue
            if best is None or done.better_than(best[1], request.exact_in):
                best = edge, done
        if best is not None:
            edge, done = best
            leg = Leg((edge,), done.units_in, done.units_out)
            return self.reach.routed([leg], asked), done
        if refusal is not None:
            refusal.metadata.setdefault("venue", self.spec.id)
            raise refusal
        raise Refused(
            Reason.POOL_NOT_FOUND,
            f"{self.spec.id} has no pool of {request.token_in.symbol} and "
            f"{request.token_out.symbol}; a swap with a limit price goes by one pool of the two: "
            "leave the limit out to go by others",
            {"venue": self.spec.id, "pool": ""},
        )

    def _direct(self, asked: Asked) -> Iterator[Edge]:
        """The venue's pools of two tokens."""
        for way in self.graph.ways(asked.token_in, asked.token_out):
            if len(way) == 1:
                yield from way[0]

    def _hubs(self) -> list[str]:
        return self.graph.hubs(MAX_HUBS)
