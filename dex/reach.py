"""What one router contract can do in one transaction, and the best that it can do."""

from collections.abc import Hashable, Sequence
from typing import Protocol

from core.errors import Reason, Refused
from dex.gas_price import GasPrice
from dex.pool_state import PoolStates
from dex.routing import gas
from dex.routing.graph import Graph
from dex.routing.quotes import Routed
from dex.routing.search import Asked, Failures, Leg, best_rate, best_single, may_pay, split
from dex.spec import FamilyName, PoolVenueSpec, RouterKind

MAX_HUBS = 4
# Routers that go on with all that they have of a token, by either kind of pool.
MIXING = frozenset({RouterKind.SWAP_ROUTER_02})


class Source(Protocol):
    """A venue whose pools may be a part of a route."""

    @property
    def spec(self) -> PoolVenueSpec: ...

    @property
    def states(self) -> PoolStates: ...

    @property
    def graph(self) -> Graph: ...


class Reach:
    """The pools that the router of `sources[0]` passes. Only a router with a multicall splits a
    swap: those of concentrated liquidity."""

    def __init__(self, sources: Sequence[Source], wrapped: str, price: GasPrice) -> None:
        self._sources = tuple(sources)
        self._spec = sources[0].spec
        self._wrapped = wrapped
        self._price = price
        self._splits = self._spec.protocol.family is FamilyName.CONCENTRATED
        self._mixed: Graph | None = None
        if len(self._sources) > 1 and self._spec.deployment.router_kind in MIXING:
            edges = [edges for source in self._sources for edges in source.graph.sources]
            self._mixed = Graph(edges, self._version, mixed=True)
        self._worths: dict[str, tuple[int, int, gas.Worth | None]] = {}

    @property
    def size(self) -> int:
        """How many venues it spans."""
        return len(self._sources)

    @property
    def venues(self) -> list[str]:
        """Those that it spans and that are current."""
        return [one.spec.id for one in self._sources if not one.states.why_not_live]

    def best(self, asked: Asked) -> Routed:
        """The best route; Refused when there is none, or the pools are not current."""
        live = self._live()
        graphs = self._graphs(live, asked.exact_in)
        block = min(source.states.block for source in live)
        token = asked.token_out if asked.exact_in else asked.token_in
        worth = self._worth(token, graphs, block)
        value = worth or gas.NOTHING

        def cost(legs: Sequence[Leg]) -> int:
            return value.of(gas.units(legs))

        rate = best_rate(graphs, asked)
        if rate == 0:
            raise self._no_way(asked)
        failures = Failures()
        single = best_single(graphs, asked, cost, failures)
        legs = None if single is None else [single]
        if self._splits and may_pay(graphs, asked, single, rate, cost):
            parts = split(graphs, asked, cost, failures)
            if parts is not None and (
                legs is None or asked.score(parts, cost(parts)) > asked.score(legs, cost(legs))
            ):
                legs = parts
        if legs is None:
            raise failures.refusal()
        return self._routed(legs, worth, block)

    def routed(self, legs: Sequence[Leg], asked: Asked) -> Routed:
        """Legs that somebody else has chosen, with what their gas is worth."""
        live = self._live()
        block = min(source.states.block for source in live)
        token = asked.token_out if asked.exact_in else asked.token_in
        return self._routed(legs, self._worth(token, [one.graph for one in live], block), block)

    def _routed(self, legs: Sequence[Leg], worth: gas.Worth | None, block: int) -> Routed:
        taken = gas.units(legs)
        return Routed(
            legs=tuple(legs),
            executor=self._spec.id,
            spender=self._spec.deployment.router,
            gas=taken,
            gas_cost=None if worth is None else worth.of(taken),
            block=block,
        )

    def ideal(self, asked: Asked) -> int | None:
        """A score that no route exceeds; None where there is no way."""
        rate = best_rate(self._graphs(self._sources, asked.exact_in), asked)
        return asked.ideal(rate) if rate else None

    def _graphs(self, live: Sequence[Source], exact_in: bool) -> list[Graph]:
        """Those of the ways that one kind of pool makes, and those of both kinds in a row, which
        the router goes for exact in only, and which need all sources."""
        graphs = [source.graph for source in live]
        if exact_in and self._mixed is not None and len(live) == len(self._sources):
            graphs.append(self._mixed)
        return graphs

    def _version(self) -> tuple[Hashable, ...]:
        return tuple([source.graph.version() for source in self._sources])

    def check_live(self) -> None:
        """Refused with BOOK_NOT_LIVE while no source may be traded on."""
        self._live()

    def _live(self) -> list[Source]:
        found = [source for source in self._sources if not source.states.why_not_live]
        if not found:
            why = self._sources[0].states.why_not_live
            raise Refused(
                Reason.BOOK_NOT_LIVE,
                f"the state of the pools is not current ({why}); try again",
                {
                    "venue": self._spec.id,
                    "instrument": "",
                    "block": str(self._sources[0].states.block),
                },
            )
        return found

    def _worth(self, token: str, graphs: Sequence[Graph], block: int) -> gas.Worth | None:
        """Kept for a block, and a price."""
        price = self._price.wei
        known = self._worths.get(token)
        if known is not None and known[:2] == (block, price):
            return known[2]
        found = gas.worth(price, self._wrapped, token, graphs)
        if len(self._worths) >= 1_024:
            self._worths.clear()
        self._worths[token] = block, price, found
        return found

    def _no_way(self, asked: Asked) -> Refused:
        return Refused(
            Reason.POOL_NOT_FOUND,
            f"{self._spec.id} has no pool of {asked.token_in} and {asked.token_out}, and no way "
            "from one to the other by its other pools",
            {"venue": self._spec.id, "pool": ""},
        )
