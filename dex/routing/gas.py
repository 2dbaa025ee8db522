"""What a route costs in gas, and what that is worth. Pure.

The units are what the contracts of npm's packages took on a local chain, rounded up: enough to
compare routes by. What is sent has the node's own estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dex.routing.graph import Graph
from dex.routing.search import Asked, Failures, Leg, best_single
from dex.spec import FamilyName

TRANSACTION = 40_000  # 21,000, calldata, the router's own work
HOP = {FamilyName.CONSTANT_PRODUCT: 75_000, FamilyName.CONCENTRATED: 95_000}
_LEG = 5_000  # one more call of a multicall
# From one kind of pool to the other: one more call, and the token goes by the router.
_CHANGE = 40_000
_PROBE = 10**15  # of the native coin: little enough to move no price


def units(legs: Sequence[Leg]) -> int:
    """Gas of a route."""
    total = TRANSACTION + _LEG * (len(legs) - 1)
    for leg in legs:
        for edge in leg.edges:
            total += edge.gas
        if len(leg.edges) > 1:
            total += _CHANGE * sum(one.venue != other.venue for one, other in pairwise(leg.edges))
    return total


@dataclass(frozen=True, slots=True)
class Worth:
    """What a unit of gas is worth: `over` / `under` units of a token."""

    over: int
    under: int

    def of(self, gas: int) -> int:
        """Rounded up to a unit of the token."""
        return -(-gas * self.over // self.under)


NOTHING = Worth(0, 1)


def worth(price: int, wrapped: str, token: str, graphs: Sequence[Graph]) -> Worth | None:
    """Of gas at `price` (wei), in a token; None where no pool leads from the native coin to it."""
    if price == 0:
        return NOTHING
    if token == wrapped:
        return Worth(price, 1)
    asked = Asked(wrapped, token, _PROBE, True)
    found = best_single(graphs, asked, lambda legs: 0, Failures())
    return None if found is None else Worth(price * found.units_out, _PROBE)
