"""Pool state: one read a block, honest about its age, right again after anything."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from chains.evm.model import Call, CallError
from core.clock import ManualClock
from core.errors import CambistError, Reason, Refused
from core.market import BookState
from core.ports import Health
from dex import pool_state
from dex.constant_product_family import ConstantProductFamily
from dex.feeds import PoolViews
from dex.pool_state import PoolStates, Refresh
from dex.swap_events import SwapEvents
from tests.support.evm import until
from tests.support.pool_fakes import DAI, USDC, Answer, FakeNetwork, market, reserves

POOL = market()
OTHER = market(DAI, USDC)


@asynccontextmanager
async def following(
    answer: Callable[[Call, int | str], Answer], height: int = 0
) -> AsyncIterator[tuple[FakeNetwork, PoolStates, list[Refresh]]]:
    network = FakeNetwork(answer, height)
    reader = ConstantProductFamily().reader
    states = PoolStates(network, reader)  # type: ignore[arg-type]  # only the part that it uses
    told: list[Refresh] = []
    states.subscribe(told.append)
    states.track(POOL)
    states.track(OTHER)
    states.start()
    try:
        yield network, states, told
    finally:
        await states.stop()


def by_block(call: Call, block: int | str) -> Answer:
    assert isinstance(block, int)
    return reserves(block * 10, block)


async def test_one_read_a_block_for_all_pools_at_that_block() -> None:
    async with following(by_block) as (network, states, told):
        for number in (5, 6):
            network.block(number)
            await until(lambda n=number: states.block == n)  # type: ignore[misc]
        assert network.reads == [(2, 5), (2, 6)]
        assert states.live(POOL).reserve0 == 60
        assert states.block_time(6) == 72 * 10**9
        assert [(refresh.block, len(refresh.changed)) for refresh in told] == [(5, 2), (6, 2)]


async def test_it_does_not_wait_for_the_next_block_to_begin() -> None:
    async with following(by_block, height=3) as (_, states, _told):
        await until(lambda: states.block == 3)
        assert states.live(POOL).block == 3


async def test_unchanged_pools_are_not_called_changed() -> None:
    async with following(lambda call, block: reserves(1, 2)) as (network, states, told):
        network.block(1)
        await until(lambda: states.block == 1)
        network.block(2)
        await until(lambda: states.block == 2)
        assert told[1].changed == frozenset()
        assert states.live(POOL).block == 2


async def test_a_reorganisation_is_read_again_and_says_from_where() -> None:
    content = {4: 40, 5: 50}
    async with following(lambda c, b: reserves(content[int(b)], 1)) as (network, states, told):
        network.block(4)
        await until(lambda: states.block == 4)
        network.block(5)
        await until(lambda: states.block == 5)
        content.update({4: 41, 5: 51})
        network.block(4, "0xother4")
        network.block(5, "0xother5")
        await until(lambda: states.live(POOL).reserve0 == 51)
        assert told[-1].first == 4
        assert told[-1].block == 5


async def test_a_failed_read_makes_the_state_stale_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_state, "_FIRST_RETRY", 0.01)
    async with following(by_block) as (network, states, told):
        network.block(1)
        await until(lambda: states.block == 1)
        network.trouble = CambistError(Reason.NODE_UNAVAILABLE, "no node answers")
        network.block(2)
        await until(lambda: told and not told[-1].live)
        with pytest.raises(Refused, match="no node answers") as refused:
            states.live(POOL)
        assert refused.value.reason is Reason.BOOK_NOT_LIVE
        assert states.known(POOL.address) is not None
        network.trouble = None
        await until(lambda: states.block == 2)
        assert told[-1].live
        assert states.live(POOL).reserve1 == 2


async def test_a_chain_that_is_down_is_noticed_without_a_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_state, "_PULSE", 0.01)
    async with following(by_block) as (network, states, told):
        network.block(1)
        await until(lambda: states.block == 1)
        network.health = Health.DOWN
        await until(lambda: told and not told[-1].live)
        assert "said the test" in states.why_not_live
        network.health = Health.READY
        await until(lambda: told[-1].live)


async def test_a_state_that_falls_behind_is_not_live() -> None:
    async with following(by_block) as (network, states, _):
        network.block(1)
        await until(lambda: states.block == 1)
        network.height = 1 + pool_state.MAX_LAG
        assert not states.why_not_live
        network.height += 1
        assert "behind" in states.why_not_live


@pytest.mark.parametrize("answer", [CallError("reverted"), b"", bytes(32)])
async def test_an_address_without_a_pool_is_said_to_have_none(answer: Answer) -> None:
    def one_is_missing(call: Call, block: int | str) -> Answer:
        return answer if call.to == OTHER.address else reserves(1, 2)

    async with following(one_is_missing) as (network, states, _):
        network.block(1)
        await until(lambda: states.block == 1)
        assert states.live(POOL).reserve0 == 1
        with pytest.raises(Refused) as refused:
            states.live(OTHER)
        assert refused.value.reason is Reason.POOL_NOT_FOUND


async def test_blocks_that_come_faster_than_reads_are_conflated() -> None:
    async with following(by_block) as (network, states, told):
        for number in range(1, 50):
            network.block(number)
        await until(lambda: states.block == 49)
        assert len(network.reads) <= 2
        assert told[-1].first == 1


async def test_books_say_what_state_they_are_in() -> None:
    async with following(by_block) as (network, states, _):
        clock = ManualClock()
        swaps = SwapEvents(network, states, clock)  # type: ignore[arg-type]
        views = PoolViews(states, swaps, clock)
        assert views.book(POOL, 5).state is BookState.SYNCING
        network.block(1000)
        await until(lambda: states.block == 1000)
        live = views.book(POOL, 5)
        assert (live.state, live.sequence) == (BookState.LIVE, 1000)
        network.health = Health.DOWN
        stale = views.book(POOL, 5)
        assert stale.state is BookState.STALE
        assert stale.reason
