"""The pools of one venue, each in both directions, by the token that goes in.

Rates are integers, units out for one in, times 2**128 and rounded up: the price before a swap, the
fee taken out. No swap gets a better one, which is why ways can be passed by without being computed.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from core.swaps import Hop
from dex.families.curve import Curve
from dex.pools import PoolMarket, PoolState

SHIFT = 128

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


EdgesByToken = dict[str, dict[str, tuple[Edge, ...]]]
"""From a token to its neighbours, by the pools that lead there."""


class Edges:
    """Follows what is added to `markets`; `known` tells a pool's state. `gas` is what a hop
    takes."""

    def __init__(self, venue: str, markets: Markets, known: Known, gas: int) -> None:
        self.venue = venue
        self._markets = markets
        self._known = known
        self._gas = gas
        self._size = -1
        self._by_token: EdgesByToken = {}

    @property
    def size(self) -> int:
        """How many pools there are."""
        return len(self._markets)

    def by_token(self) -> EdgesByToken:
        """All of them; do not change it."""
        if self.size != self._size:
            self._size = self.size
            self._by_token = {}
            for market in self._markets:
                token0, token1 = market.token0.address, market.token1.address
                for one, other, zero_in in ((token0, token1, True), (token1, token0, False)):
                    edge = Edge(self.venue, market, zero_in, self._known, self._gas)
                    to = self._by_token.setdefault(one, {})
                    to[other] = (*to.get(other, ()), edge)
        return self._by_token
