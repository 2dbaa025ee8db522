"""Our mathematics against the deployed routers' own, to the last unit."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.abi import selector, uint_at, uint_word
from chains.evm.codec import hexadecimal, unhex
from chains.nodes import NodeError
from core.errors import Refused
from dex.families.constant_product import MAX_RESERVE, Curve, amount_in, amount_out
from tests.support.evm import Anvil
from tests.support.pools import deployed

pytestmark = pytest.mark.evm

_OUT = selector("getAmountOut(uint256,uint256,uint256)")
_IN = selector("getAmountIn(uint256,uint256,uint256)")
Case = tuple[int, Curve]  # units, pool


async def ask(node: Anvil, router: str, function: bytes, cases: Sequence[Case]) -> list[int | None]:
    """The router's answers; None where it reverts."""
    calls = []
    for units, curve in cases:
        data = function + b"".join(map(uint_word, (units, curve.reserve_in, curve.reserve_out)))
        calls.append(("eth_call", [{"to": router, "data": hexadecimal(data)}, "latest"]))
    answers = []
    for start in range(0, len(calls), 500):
        answers += await node.rpc.batch(calls[start : start + 500])
    return [None if isinstance(a, NodeError) else uint_at(unhex(a)) for a in answers]


def ours(function: bytes, units: int, curve: Curve) -> int | None:
    try:
        return amount_out(curve, units) if function == _OUT else amount_in(curve, units)
    except Refused:
        return None


def compare(function: bytes, cases: Sequence[Case], theirs: Sequence[int | None]) -> int:
    """How many agreed on an amount. Where we refuse, the contract reverts too, gives nothing, or
    the pair could not hold the result."""
    agreed = 0
    for (units, curve), their in zip(cases, theirs, strict=True):
        our = ours(function, units, curve)
        if our is not None:
            assert our == their, (units, curve)
            agreed += 1
        elif their:
            taken = units if function == _OUT else their
            assert curve.reserve_in + taken > MAX_RESERVE, (units, curve)
    return agreed


def magnitude(randomness: random.Random, low: int, high: int) -> int:
    """A number of any order of magnitude."""
    return min(randomness.randrange(2 ** randomness.randrange(1, high.bit_length())) + low, high)


async def test_thousands_of_random_pools_and_sizes_in_both_directions() -> None:
    randomness = random.Random(20_260_101)
    trillion_tokens = 10**30
    cases = [
        (
            magnitude(randomness, 1, trillion_tokens),
            Curve(
                magnitude(randomness, 1_000, MAX_RESERVE // 2),
                magnitude(randomness, 1_000, MAX_RESERVE // 2),
            ),
        )
        for _ in range(2_000)
    ]
    async with deployed(wallets=()) as (node, contracts):
        for router in (contracts.uniswap_v2.router, contracts.pangolin.router):
            for function in (_OUT, _IN):
                theirs = await ask(node, router, function, cases)
                assert compare(function, cases, theirs) > 500


async def test_the_corners() -> None:
    edges = [1, 2, 3, 996, 997, 998, 999, 1_000, 1_001, 10**6, 10**18, 10**30]
    edges += [MAX_RESERVE - 1, MAX_RESERVE]
    cases = [(units, Curve(one, two)) for units in edges for one in edges for two in edges]
    async with deployed(wallets=()) as (node, contracts):
        for function in (_OUT, _IN):
            theirs = await ask(node, contracts.uniswap_v2.router, function, cases)
            assert compare(function, cases, theirs) > 100


_CASES = st.lists(
    st.tuples(
        st.integers(1, 10**30),
        st.builds(Curve, st.integers(1, MAX_RESERVE), st.integers(1, MAX_RESERVE)),
    ),
    min_size=100,
    max_size=100,
)


def test_what_hypothesis_thinks_of() -> None:
    loop = asyncio.new_event_loop()
    world = deployed(wallets=())
    node, contracts = loop.run_until_complete(world.__aenter__())
    try:

        @given(_CASES)
        @settings(max_examples=15, deadline=None)
        def holds(cases: list[Case]) -> None:
            for function in (_OUT, _IN):
                router = contracts.pangolin.router
                theirs = loop.run_until_complete(ask(node, router, function, cases))
                compare(function, cases, theirs)

        holds()
    finally:
        loop.run_until_complete(world.__aexit__(None, None, None))
        loop.close()
