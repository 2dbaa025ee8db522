"""The pools of one venue as a graph of tokens, and the ways through it.

Rates are integers, units out for one in, times 2**128 and rounded up: the price before a swap, the
fee taken out. No swap gets a better one, which is why ways can be passed by without being computed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from core.swaps import Hop
from dex.families.curve import Curve
from dex.pools import PoolMarket, PoolState

MAX_HOPS = 3
SHIFT = 128
_MOST_WAYS = 48
_REMEMBERED = 1_024  # pairs of tokens

Known = Callable[[str], PoolState | None]


class Markets(Protocol):
    """The pools of a venue; more may come, none goes."""

    def __iter__(self) -> Iterator[PoolMarket]: ...

    def __len__(self) -> int: ...


class Edge:
    """A pool in one direction; looks its state up anew when that has changed."""

    __slots__ = ("_curve", "_known", "_state", "gas", "hop", "market", "rate", "venue", "zero_in")

    def __init__(
        self, venue: str, market: PoolMarket, zero_in: bool, known: Known, gas: int
    ) -> None:
        self.venue = venue
        self.gas = gas
        self.market = market
        self.zero_in = zero_in
        self.rate = 0
        ends = market.token0, market.token1
        give, take = ends if zero_in else ends[::-1]
        self.hop = Hop(venue, market.address, give, take, market.fee.fraction)
        self._known = known
        self._state: PoolState | None = None
        self._curve: Curve | None = None

    def curve(self) -> Curve | None:
        """The pool as it is now; None when nothing can be traded there."""
        state = self._known(self.market.address)
        if state is not self._state:
            before, self._state = self._state, state
            if state is None or before is None or state.content != before.content:
                self._look(state)
        return self._curve

    def _look(self, state: PoolState | None) -> None:
        self._curve, self.rate = None, 0
        if state is None:
            return
        curve = state.content.curve(self.zero_in)
        if curve.is_empty:
            return
        over, under = curve.mid
        fee = curve.fee
        self._curve = curve
        self.rate = -(-((over * fee.kept) << SHIFT) // (under * fee.whole))


Way = tuple[tuple[Edge, ...], ...]
"""From one token to another: at each hop the pools to choose from."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A way as it is now: at each hop those pools that can be traded, the best rate first; and the
    best rate of the whole."""

    rate: int
    steps: Way


class Graph:
    """Follows what is added to `markets`; `known` tells a pool's state, and `version` is another
    number whenever a state has changed. `gas` is what a hop takes."""

    def __init__(
        self, venue: str, markets: Markets, known: Known, version: Callable[[], int], gas: int
    ) -> None:
        self.venue = venue
        self._markets = markets
        self._known = known
        self._version = version
        self._gas = gas
        self._size = -1
        self._edges: dict[str, dict[str, tuple[Edge, ...]]] = {}
        self._ways: dict[tuple[str, str], tuple[Way, ...]] = {}
        self._rated: dict[tuple[str, str], tuple[int, tuple[Rated, ...]]] = {}

    def ways(self, start: str, end: str) -> tuple[Way, ...]:
        """All ways between two tokens (addresses), the shortest first."""
        if len(self._markets) != self._size:
            self._build()
        found = self._ways.get((start, end))
        if found is None:
            found = tuple(self._search(start, end))
            if len(self._ways) >= _REMEMBERED:
                self._ways.clear()
            self._ways[start, end] = found
        return found

    def rated(self, start: str, end: str) -> tuple[Rated, ...]:
        """Those that can be gone, the best rate first, and of equal ones the shortest."""
        version = self._version()
        known = self._rated.get((start, end))
        if known is not None and known[0] == version and len(self._markets) == self._size:
            return known[1]
        ways = (_rated(way) for way in self.ways(start, end))
        found = tuple(sorted((way for way in ways if way.rate), key=_order))
        if len(self._rated) >= _REMEMBERED:
            self._rated.clear()
        self._rated[start, end] = version, found
        return found

    def hubs(self, most: int) -> list[str]:
        """The tokens with the most neighbours, those first."""
        if len(self._markets) != self._size:
            self._build()
        by_neighbours = sorted(self._edges, key=lambda token: -len(self._edges[token]))
        return by_neighbours[:most]

    def _build(self) -> None:
        self._size = len(self._markets)
        self._ways.clear()
        self._rated.clear()
        edges: dict[str, dict[str, tuple[Edge, ...]]] = {}
        for market in self._markets:
            token0, token1 = market.token0.address, market.token1.address
            for one, other, zero_in in ((token0, token1, True), (token1, token0, False)):
                edge = Edge(self.venue, market, zero_in, self._known, self._gas)
                to = edges.setdefault(one, {})
                to[other] = (*to.get(other, ()), edge)
        self._edges = edges

    def _search(self, start: str, end: str) -> Iterator[Way]:
        found = 0
        for hops in range(1, MAX_HOPS + 1):
            for tokens in self._paths((start,), end, hops):
                yield tuple(self._edges[one][other] for one, other in pairwise(tokens))
                found += 1
                if found >= _MOST_WAYS:
                    return

    def _paths(self, path: tuple[str, ...], end: str, hops: int) -> Iterator[tuple[str, ...]]:
        """Paths of exactly so many hops that pass no token twice."""
        neighbours = self._edges.get(path[-1], {})
        if hops == 1:
            if end in neighbours:
                yield (*path, end)
            return
        # Tokens that lead to many others come first, where not all can be had.
        for token in sorted(neighbours, key=lambda token: -len(self._edges[token])):
            if token != end and token not in path:
                yield from self._paths((*path, token), end, hops - 1)


def _rated(way: Way) -> Rated:
    total, steps = 1 << SHIFT, []
    for edges in way:
        usable = [edge for edge in edges if edge.curve() is not None]
        usable.sort(key=lambda edge: edge.rate, reverse=True)
        if not usable:
            return Rated(0, ())
        total = -(-total * usable[0].rate >> SHIFT)
        steps.append(tuple(usable))
    return Rated(total, tuple(steps))


def _order(way: Rated) -> tuple[int, int]:
    return -way.rate, len(way.steps)
