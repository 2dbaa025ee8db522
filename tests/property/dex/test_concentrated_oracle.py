"""Our mathematics of concentrated liquidity against QuoterV2, to the last unit."""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.codec import hexadecimal, unhex
from chains.nodes import NodeError
from dex.families import concentrated_abi as abi
from dex.families.concentrated import ConcentratedPool, swap
from dex.families.concentrated_math import ContractReverts
from dex.families.concentrated_math_ticks import MAX_SQRT_PRICE, MIN_SQRT_PRICE
from dex.pools import PoolMarket
from dex.venue import PoolVenue
from tests.support.evm import Anvil
from tests.support.pools import PoolWorld, connected, deployed

pytestmark = pytest.mark.evm

VENUES = ("uniswap_v3@ethereum_local", "pancakeswap_v3@ethereum_local")


class Case(NamedTuple):
    """A swap of `units` over one pool; `limit` 0 is none."""

    venue: str
    pool: int  # which of the venue's
    zero_in: bool
    exact_in: bool
    units: int
    limit: int = 0


class Stage:
    """The chain's pools, read into memory once."""

    def __init__(self, node: Anvil, venues: dict[str, PoolVenue]) -> None:
        self.node = node
        self.quoters = {id: venue.spec.deployment.quoter for id, venue in venues.items()}
        self.pools: dict[str, list[tuple[PoolMarket, ConcentratedPool]]] = {}
        for id in VENUES:
            self.pools[id] = []
            for market in venues[id].directory:
                state = venues[id].states.known(market.address)
                assert state is not None
                assert isinstance(state.content, ConcentratedPool)
                self.pools[id].append((market, state.content))

    def of(self, case: Case) -> tuple[PoolMarket, ConcentratedPool]:
        pools = self.pools[case.venue]
        return pools[case.pool % len(pools)]

    async def compare(self, cases: Sequence[Case]) -> int:
        """Asserts that all are equal; how many swaps were possible."""
        possible = 0
        for case, theirs in zip(cases, await self._ask(cases), strict=True):
            _, pool = self.of(case)
            try:
                ours = swap(pool, case.zero_in, case.units, case.exact_in, case.limit)
            except ContractReverts:
                assert theirs is None, case
                continue
            if theirs is None:
                # The quoter refuses what stops half-way, if there is no limit to stop at.
                assert (case.exact_in, case.limit, ours.complete) == (False, 0, False), case
                continue
            possible += 1
            amount = ours.units_out if case.exact_in else ours.units_in
            assert (amount, ours.sqrt_price) == (theirs.amount, theirs.sqrt_price), case
        return possible

    async def _ask(self, cases: Sequence[Case]) -> list[abi.QuoterAnswer | None]:
        calls = []
        for case in cases:
            market, _ = self.of(case)
            tokens = market.token0.address, market.token1.address
            give, take = tokens if case.zero_in else tokens[::-1]
            data = abi.quote_single(
                give, take, case.units, case.exact_in, market.fee.pips, case.limit
            )
            wire = {"to": self.quoters[case.venue], "data": hexadecimal(data), "gas": "0x3b9aca00"}
            calls.append(("eth_call", [wire, "latest"]))
        answers = []
        for start in range(0, len(calls), 200):
            answers += await self.node.rpc.batch(calls[start : start + 200])
        return [
            None if isinstance(answer, NodeError) else abi.decode_quote(unhex(answer))
            for answer in answers
        ]


def stage_of(world: PoolWorld) -> Stage:
    return Stage(world.node, world.venues)


def magnitude(randomness: random.Random, low: int, high: int) -> int:
    """A number of any order of magnitude."""
    return min(randomness.randrange(2 ** randomness.randrange(1, high.bit_length())) + low, high)


async def test_thousands_of_sizes_over_all_pools_in_all_directions() -> None:
    randomness = random.Random(20_261_122)
    cases = [
        Case(
            randomness.choice(VENUES),
            randomness.randrange(5),
            randomness.random() < 0.5,
            randomness.random() < 0.5,
            # From 1e-18 to 1e12 tokens of 18 decimals.
            magnitude(randomness, 1, 10**30),
        )
        for _ in range(2_000)
    ]
    # Sizes about what the pools hold, which go through several ticks.
    cases += [case._replace(units=magnitude(randomness, 1, 10**23)) for case in cases[:1_000]]
    async with deployed(wallets=()) as (node, contracts):
        async with connected(node, contracts) as world:
            stage = stage_of(world)
            assert await stage.compare(cases) > 1_500
            crossed = 0
            for case in cases:
                done = swap(stage.of(case)[1], case.zero_in, case.units, case.exact_in)
                crossed += done.crossed > 1 and done.complete
            assert crossed > 100


async def test_limits_and_the_corners() -> None:
    randomness = random.Random(7)
    edges = [1, 2, 3, 10, 333, 10**6, 10**18, 2**96, 2**128, 2**160, 2**200, 2**255 - 1]
    async with deployed(wallets=()) as (node, contracts):
        async with connected(node, contracts) as world:
            stage = stage_of(world)
            cases = []
            for id, pools in stage.pools.items():
                for place, (_, pool) in enumerate(pools):
                    for zero_in in (True, False):
                        for exact_in in (True, False):
                            cases += [Case(id, place, zero_in, exact_in, n) for n in edges]
                            for _ in range(20):
                                units = magnitude(randomness, 1, 10**26)
                                step = randomness.randrange(1, pool.sqrt_price // 3)
                                limit = pool.sqrt_price + (-step if zero_in else step)
                                cases.append(Case(id, place, zero_in, exact_in, units, limit))
                            end = MIN_SQRT_PRICE + 1 if zero_in else MAX_SQRT_PRICE - 1
                            cases.append(Case(id, place, zero_in, exact_in, 2**255 - 1, end))
            assert await stage.compare(cases) > 500


_CASES = st.lists(
    st.builds(
        Case,
        st.sampled_from(VENUES),
        st.integers(0, 4),
        st.booleans(),
        st.booleans(),
        st.integers(0, 30).flatmap(lambda scale: st.integers(1, int(10 ** (scale + 1)))),
        st.just(0),
    ),
    min_size=100,
    max_size=100,
)


def test_what_hypothesis_thinks_of() -> None:
    loop = asyncio.new_event_loop()
    world_of_node = deployed(wallets=())
    node, contracts = loop.run_until_complete(world_of_node.__aenter__())
    connection = connected(node, contracts)
    stage = stage_of(loop.run_until_complete(connection.__aenter__()))
    try:

        @given(_CASES)
        @settings(max_examples=15, deadline=None)
        def holds(cases: list[Case]) -> None:
            loop.run_until_complete(stage.compare(cases))

        holds()
    finally:
        loop.run_until_complete(connection.__aexit__(None, None, None))
        loop.run_until_complete(world_of_node.__aexit__(None, None, None))
        loop.close()
