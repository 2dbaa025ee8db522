"""Routes over made-up pools: against every single way, computed without any pruning."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise, permutations, product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import Refused
from dex.families.constant_product import ConstantProductPool
from dex.families.curve import FeeRate
from dex.pools import PoolState
from dex.routing.edges import Edges
from dex.routing.graph import MAX_HOPS, Graph
from dex.routing.search import (
    Asked,
    Failures,
    Leg,
    best_rate,
    best_single,
    may_pay,
    passed,
    split,
)
from tests.support.pool_fakes import DAI, USDC, WETH, WIF, market

TOKENS = (WETH, USDC, DAI, WIF)
PAIRS = [(a, b) for n, a in enumerate(TOKENS) for b in TOKENS[n + 1 :]]
FEES = (FeeRate(997, 1000), FeeRate(9995, 10_000))

Reserves = st.one_of(st.none(), st.tuples(st.integers(1, 10**24), st.integers(1, 10**24)))
Venue = st.lists(Reserves, min_size=len(PAIRS), max_size=len(PAIRS))


def graph(name: str, reserves: list[tuple[int, int] | None], fee: FeeRate) -> Graph:
    states = {}
    markets = []
    for pair, held in zip(PAIRS, reserves, strict=True):
        if held is None:
            continue
        one = market(*pair)
        one = replace(one, address=f"{one.address} of {name}")
        markets.append(one)
        states[one.address] = PoolState(one, ConstantProductPool(*held, fee), 1)
    return Graph([Edges(name, markets, states.get, 75_000)], lambda: 1)


def every_single(graphs: list[Graph], asked: Asked) -> list[Leg]:
    """All that any path of at most MAX_HOPS gives, one at a time."""
    found = []
    middle = [t.address for t in TOKENS if t.address not in (asked.token_in, asked.token_out)]
    for one in graphs:
        for hops in range(MAX_HOPS):
            for between in permutations(middle, hops):
                path = (asked.token_in, *between, asked.token_out)
                steps = [one.ways(*ends) for ends in pairwise(path)]
                edges = [
                    next((w[0][0] for w in ways if len(w) == 1), None) for ways in steps if ways
                ]
                if len(edges) < len(path) - 1 or None in edges:
                    continue
                try:
                    chosen = [edge for edge in edges if edge is not None]
                    found.append(passed(chosen, asked.units, asked.exact_in))
                except Refused:
                    continue
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Graph], Asked]:
    graphs = [graph(f"venue{number}", draw(Venue), fee) for number, fee in enumerate(FEES)]
    give, take = draw(st.permutations(TOKENS))[:2]
    units = draw(st.one_of(st.integers(1, 10**6), st.integers(1, 10**25)))
    return graphs, Asked(give.address, take.address, units, draw(st.booleans()))


@given(cases(), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_no_single_way_is_better(case: tuple[list[Graph], Asked], worth: int) -> None:
    graphs, asked = case

    def gas(legs: Sequence[Leg]) -> int:
        return worth * sum(len(leg.edges) for leg in legs)

    singles = every_single(graphs, asked)
    best = best_single(graphs, asked, gas, Failures())
    assert (best is None) == (not singles)
    if best is not None:
        assert passed(best.edges, asked.units, asked.exact_in) == best
        reached = asked.score([best], gas([best]))
        assert reached == max(asked.score([one], gas([one])) for one in singles)
        assert asked.ideal(best_rate(graphs, asked)) >= asked.score([best], 0)


@given(cases())
@settings(max_examples=200, deadline=None)
def test_ways_of_both_kinds_are_not_missed(case: tuple[list[Graph], Asked]) -> None:
    """Beside the ways of each venue alone, those that change between venues."""
    graphs, asked = case
    together = Graph([edges for one in graphs for edges in one.sources], lambda: 1, mixed=True)
    best = best_single([*graphs, together], asked, lambda legs: 0, Failures())
    pools = [edges.by_token() for one in graphs for edges in one.sources]
    middle = [t.address for t in TOKENS if t.address not in (asked.token_in, asked.token_out)]
    scores = []
    for hops in range(MAX_HOPS):
        for between in permutations(middle, hops):
            path = (asked.token_in, *between, asked.token_out)
            steps = [
                [edge for one in pools for edge in one.get(a, {}).get(b, ())]
                for a, b in pairwise(path)
            ]
            for edges in product(*steps):
                with suppress(Refused):
                    leg = passed(edges, asked.units, asked.exact_in)
                    scores.append(asked.score([leg], 0))
    assert (best is None) == (not scores)
    if best is not None:
        assert asked.score([best], 0) == max(scores)
    for way in together.rated(asked.token_in, asked.token_out):
        assert len({edge.venue for step in way.steps for edge in step}) > 1 or len(way.steps) > 1


@given(cases())
@settings(max_examples=200, deadline=None)
def test_a_split_is_exact_and_is_not_missed(case: tuple[list[Graph], Asked]) -> None:
    graphs, asked = case
    rate = best_rate(graphs, asked)
    assume(rate)

    def free(legs: Sequence[Leg]) -> int:
        return 0

    failures = Failures()
    single = best_single(graphs, asked, free, failures)
    parts = split(graphs, asked, free, failures)
    if parts is None:
        return
    fixed = sum(leg.units_in if asked.exact_in else leg.units_out for leg in parts)
    assert fixed == asked.units
    pools = [(edge.venue, edge.market.address) for leg in parts for edge in leg.edges]
    assert len(set(pools)) == len(pools)
    for leg in parts:
        units = leg.units_in if asked.exact_in else leg.units_out
        assert passed(leg.edges, units, asked.exact_in) == leg
    if single is not None and not may_pay(graphs, asked, single, rate, free):
        # What was passed by would have won no more than is worth a leg, and rounding.
        gross = single.units_out if asked.exact_in else single.units_in
        won = asked.score(parts, 0) - asked.score([single], 0)
        assert won <= gross // 10_000 + 2 * len(pools) + 2
