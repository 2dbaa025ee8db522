"""The best way of a swap, and the best split over several. Pure.

A larger *score* is better: what comes out less the gas, for exact in; for exact out what goes in
and the gas, both with a minus.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import Reason, Refused
from dex.routing.edges import SHIFT, Edge
from dex.routing.graph import Graph, Rated

PARTS = 20  # of a split: twentieths
MAX_LEGS = 4
_TRIED = 12  # ways that a split is chosen from
# A split that wins less than this part of the result is not worth a second leg.
_LEAST_GAIN = 10_000

GasValue = Callable[[Sequence["Leg"]], int]


@dataclass(frozen=True, slots=True)
class Leg:
    """An amount by one way, the pools chosen."""

    edges: tuple[Edge, ...]
    units_in: int
    units_out: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: tokens by address (wrapped for native), `units` of the exact side."""

    token_in: str
    token_out: str
    units: int
    exact_in: bool

    def score(self, legs: Sequence[Leg], gas: int) -> int:
        """How good a result is."""
        if self.exact_in:
            return sum(leg.units_out for leg in legs) - gas
        return -sum(leg.units_in for leg in legs) - gas

    def ideal(self, rate: int) -> int:
        """A score that no way of this rate can exceed; nothing for a way that does not exist."""
        if self.exact_in:
            return self.units * rate >> SHIFT
        return -(self.units << SHIFT) // rate


class Failures:
    """Why ways cannot be gone: the first refusal that is not only about too small an amount."""

    def __init__(self) -> None:
        self._first: Refused | None = None

    def note(self, refusal: Refused) -> None:
        """Keeps the first."""
        if self._first is None:
            self._first = refusal

    def refusal(self) -> Refused:
        """What to say when there was no way."""
        return self._first or Refused(
            Reason.INSUFFICIENT_LIQUIDITY, "no pool on any way has liquidity; try other tokens"
        )


def passed(edges: Sequence[Edge], units: int, exact_in: bool) -> Leg:
    """An amount through pools that are chosen already; Refused where one cannot do it."""
    amount = units
    for edge in edges if exact_in else reversed(edges):
        curve = edge.curve()
        if curve is None:
            raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
        amount = curve.amount_out(amount) if exact_in else curve.amount_in(amount)
    return Leg(tuple(edges), units, amount) if exact_in else Leg(tuple(edges), amount, units)


def through(way: Rated, asked: Asked, failures: Failures) -> Leg | None:
    """The best of a way's pools at each hop: what leaves one hop is what enters the next, and more
    of it is never worse there."""
    amount, chosen = asked.units, []
    for edges in way.steps if asked.exact_in else reversed(way.steps):
        best = _best_of(edges, amount, asked.exact_in, failures)
        if best is None:
            return None
        edge, amount = best
        chosen.append(edge)
    if asked.exact_in:
        return Leg(tuple(chosen), asked.units, amount)
    return Leg(tuple(reversed(chosen)), amount, asked.units)


def _best_of(
    edges: tuple[Edge, ...], units: int, exact_in: bool, failures: Failures
) -> tuple[Edge, int] | None:
    found: tuple[Edge, int] | None = None
    for edge in edges:  # the best rate first
        curve = edge.curve()
        if curve is None:
            continue
        if found is not None:
            ideal = units * edge.rate >> SHIFT if exact_in else (units << SHIFT) // edge.rate
            if ideal <= found[1] if exact_in else ideal >= found[1]:
                break  # nor can those behind it, whose rates are lower
        try:
            amount = curve.amount_out(units) if exact_in else curve.amount_in(units)
        except Refused as refusal:
            failures.note(refusal)
            continue
        if found is None or (amount > found[1] if exact_in else amount < found[1]):
            found = edge, amount
    return found


def best_single(
    graphs: Sequence[Graph], asked: Asked, gas: GasValue, failures: Failures
) -> Leg | None:
    """The best leg that takes all of it; None where there is none."""
    best: Leg | None = None
    score = 0
    for graph in graphs:
        for way in graph.rated(asked.token_in, asked.token_out):
            if best is not None and asked.ideal(way.rate) <= score:
                break  # nor can those behind it be better
            leg = through(way, asked, failures)
            if leg is None:
                continue
            reached = asked.score((leg,), gas((leg,)))
            if best is None or reached > score:
                best, score = leg, reached
    return best


def best_rate(graphs: Sequence[Graph], asked: Asked) -> int:
    """Of any way; 0 where there is none."""
    rated = (graph.rated(asked.token_in, asked.token_out) for graph in graphs)
    return max((ways[0].rate for ways in rated if ways), default=0)


def may_pay(
    graphs: Sequence[Graph], asked: Asked, single: Leg | None, rate: int, gas: GasValue
) -> bool:
    """Whether a split could be better than a single way: not where the whole price impact is less
    than what another leg costs, and not where the last part of the amount brings more by the single
    way than any part could by another."""
    if single is None:
        return True
    gain = asked.ideal(rate) - asked.score((single,), 0)
    gross = single.units_out if asked.exact_in else single.units_in
    if gain <= gross // _LEAST_GAIN or gain <= gas((single, single)) - gas((single,)):
        return False
    fewer = asked.units * (PARTS - 1) // PARTS
    other = _other_rate(graphs, asked, single)
    if not fewer or not other:
        return False
    try:
        rest = passed(single.edges, fewer, asked.exact_in)
    except Refused:
        return True  # so little of it that nothing comes out
    part = Asked(asked.token_in, asked.token_out, asked.units - fewer, asked.exact_in)
    return part.ideal(other) > asked.score((single,), 0) - asked.score((rest,), 0)


def _other_rate(graphs: Sequence[Graph], asked: Asked, single: Leg) -> int:
    """The best rate of a way that shares no pool with a leg; 0 where there is none."""
    used = {edge.market.address for edge in single.edges}
    best = 0
    for graph in graphs:
        for way in graph.rated(asked.token_in, asked.token_out):
            if way.rate <= best:
                break
            best = max(best, _rate_without(way, used))
    return best


def _rate_without(way: Rated, used: set[str]) -> int:
    total = 1 << SHIFT
    for edges in way.steps:
        rate = next((edge.rate for edge in edges if edge.market.address not in used), 0)
        total = -(-total * rate >> SHIFT)
    return total


def split(
    graphs: Sequence[Graph], asked: Asked, gas: GasValue, failures: Failures
) -> list[Leg] | None:
    """The best over two legs and more; None where there are not two ways."""
    tracks = _tracks(graphs, asked, failures)
    best: list[Leg] | None = None
    score = 0
    for count in range(2, len(tracks) + 1):
        legs = _shared(tracks[:count], asked)
        if legs is None:
            continue
        reached = asked.score(legs, gas(legs))
        if best is None or reached > score:
            best, score = legs, reached
    return best


class _Track:
    """A way of a split, with what each number of parts brings, computed once."""

    def __init__(self, edges: tuple[Edge, ...], asked: Asked, failures: Failures) -> None:
        self.edges = edges
        self._asked = asked
        self._failures = failures
        self._known: dict[int, int | None] = {0: 0}

    def gross(self, parts: int) -> int | None:
        """What comes out, or goes in, for so many parts; None where the pools cannot do it."""
        if parts not in self._known:
            units = self._asked.units * parts // PARTS
            try:
                leg = passed(self.edges, units, self._asked.exact_in)
                self._known[parts] = leg.units_out if self._asked.exact_in else leg.units_in
            except Refused as refusal:
                self._failures.note(refusal)
                self._known[parts] = None
        return self._known[parts]

    def gain(self, parts: int) -> int | None:
        """What the part after so many adds to the score."""
        before, after = self.gross(parts), self.gross(parts + 1)
        if before is None or after is None:
            return None
        return after - before if self._asked.exact_in else before - after


def _tracks(graphs: Sequence[Graph], asked: Asked, failures: Failures) -> list[_Track]:
    """Ways that share no pool, the best first, by what they bring for one part."""
    if asked.units < PARTS:
        return []
    part = Asked(asked.token_in, asked.token_out, asked.units // PARTS, asked.exact_in)
    legs: list[Leg] = []
    for graph in graphs:
        for way in graph.rated(asked.token_in, asked.token_out):
            # Side by side, each pool of two tokens is a way of its own.
            options = [way]
            if len(way.steps) == 1:
                options = [Rated(edge.rate, ((edge,),)) for edge in way.steps[0]]
            for option in options:
                leg = through(option, part, failures)
                if leg is not None:
                    legs.append(leg)
    legs.sort(key=lambda leg: -part.score([leg], 0))
    tracks: list[_Track] = []
    used: set[str] = set()
    for leg in legs[:_TRIED]:
        pools = {edge.market.address for edge in leg.edges}
        if pools & used:
            continue
        used |= pools
        tracks.append(_Track(leg.edges, asked, failures))
        if len(tracks) == MAX_LEGS:
            break
    return tracks


def _shared(tracks: Sequence[_Track], asked: Asked) -> list[Leg] | None:
    """The parts dealt out one by one, each to where it brings most; what is over in units goes with
    the first leg. None when a track gets nothing, or the pools cannot do it."""
    parts = [0] * len(tracks)
    gains = [track.gain(0) for track in tracks]
    for _ in range(PARTS):
        place, most = -1, None
        for number, gain in enumerate(gains):
            if gain is not None and (most is None or gain > most):
                place, most = number, gain
        if place < 0:
            return None
        parts[place] += 1
        gains[place] = tracks[place].gain(parts[place])
    if not all(parts):
        return None
    amounts = [asked.units * count // PARTS for count in parts]
    amounts[0] += asked.units - sum(amounts)
    try:
        return [
            passed(track.edges, units, asked.exact_in)
            for track, units in zip(tracks, amounts, strict=True)
        ]
    except Refused:
        return None
