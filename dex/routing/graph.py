"""The ways from one token to another through the pools of one venue, or of several together."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from dex.routing.edges import SHIFT, Edge, Edges, EdgesByToken

MAX_HOPS = 3
_MOST_WAYS = 48
_REMEMBERED = 1_024  # pairs of tokens


Way = tuple[tuple[Edge, ...], ...]
"""From one token to another: at each hop the pools to choose from."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A way as it is now: at each hop those pools that can be traded, the best rate first; and the
    best rate of the whole."""

    rate: int
    steps: Way


class Graph:
    """Of one venue's pools or of several venues' together; `version` is another value whenever a
    state has changed. `mixed`: only the ways that need pools of more than one venue."""

    def __init__(
        self, edges: Sequence[Edges], version: Callable[[], Hashable], mixed: bool = False
    ) -> None:
        self.sources = tuple(edges)
        self.version = version
        self._mixed = mixed
        self._size = -1
        self._edges: EdgesByToken = {}
        self._ways: dict[tuple[str, str], tuple[Way, ...]] = {}
        self._rated: dict[tuple[str, str], tuple[Hashable, tuple[Rated, ...]]] = {}

    def ways(self, start: str, end: str) -> tuple[Way, ...]:
        """All ways between two tokens (addresses), the shortest first."""
        self._follow()
        found = self._ways.get((start, end))
        if found is None:
            found = tuple(islice(self._search(start, end), _MOST_WAYS))
            if len(self._ways) >= _REMEMBERED:
                self._ways.clear()
            self._ways[start, end] = found
        return found

    def rated(self, start: str, end: str) -> tuple[Rated, ...]:
        """Those that can be gone, the best rate first, and of equal ones the shortest."""
        self._follow()
        version = self.version()
        known = self._rated.get((start, end))
        if known is not None and known[0] == version:
            return known[1]
        ways = (_rated(way) for way in self.ways(start, end))
        found = tuple(sorted((way for way in ways if way.rate), key=_order))
        if len(self._rated) >= _REMEMBERED:
            self._rated.clear()
        self._rated[start, end] = version, found
        return found

    def hubs(self, most: int) -> list[str]:
        """The tokens with the most neighbours, those first."""
        self._follow()
        by_neighbours = sorted(self._edges, key=lambda token: -len(self._edges[token]))
        return by_neighbours[:most]

    def _follow(self) -> None:
        size = 0  # pools come and none goes: the sum tells
        for source in self.sources:
            size += source.size
        if size == self._size:
            return
        self._size = size
        self._ways.clear()
        self._rated.clear()
        if len(self.sources) == 1:
            self._edges = self.sources[0].by_token()
            return
        self._edges = {}
        for source in self.sources:
            for one, neighbours in source.by_token().items():
                to = self._edges.setdefault(one, {})
                for other, edges in neighbours.items():
                    to[other] = (*to.get(other, ()), *edges)

    def _search(self, start: str, end: str) -> Iterator[Way]:
        for hops in range(2 if self._mixed else 1, MAX_HOPS + 1):
            for tokens in self._paths((start,), end, hops):
                way = tuple(self._edges[one][other] for one, other in pairwise(tokens))
                if not self._mixed or len({edge.venue for edges in way for edge in edges}) > 1:
                    yield way

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
