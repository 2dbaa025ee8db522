"""Rate limits: who waits, for whom, for how long."""

import asyncio

import pytest

from cex.engine.commands import Priority
from cex.engine.gate import Gates
from cex.engine.limiter import Limiter
from cex.engine.meter import Permit
from cex.engine.spec import REQUESTED, Pool, Window
from core.clock import SECOND, ManualClock
from core.errors import Reason, Refused

CANCEL, PLACE, QUERY = Priority.CANCEL, Priority.PLACE, Priority.QUERY
START = 1_700_000_040 * SECOND  # a whole minute


def limiter(*pools: Pool) -> tuple[Limiter, ManualClock]:
    clock = ManualClock(START)
    return Limiter("venue", pools, clock.now), clock


async def take(of: Limiter, cost: int = 1, priority: Priority = QUERY, scope: str = "") -> Permit:
    return await of.acquire({"weight": cost}, scope, priority, patience=0)


def used(of: Limiter) -> dict[tuple[str, str], int]:
    return {(usage.pool, usage.scope): usage.used for usage in of.usage()}


async def test_a_full_pool_refuses_and_says_for_how_long() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND))
    clock.advance(20 * SECOND)
    (await take(of, 75)).landed({})
    with pytest.raises(Refused) as caught:
        await take(of, 1)
    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after == 40 * SECOND
    clock.advance(40 * SECOND)
    (await take(of, 1)).landed({})


async def test_queries_leave_room_for_places_and_places_for_cancels() -> None:
    of, _ = limiter(Pool("weight", 100, 60 * SECOND))
    await take(of, 75, QUERY)
    with pytest.raises(Refused):
        await take(of, 1, QUERY)
    await take(of, 15, PLACE)
    with pytest.raises(Refused):
        await take(of, 1, PLACE)
    await take(of, 5, CANCEL)
    with pytest.raises(Refused):
        await take(of, 1, CANCEL)


async def test_a_rolling_window_frees_what_is_an_interval_old() -> None:
    of, clock = limiter(Pool("weight", 10, 10 * SECOND, window=Window.ROLLING))
    await take(of, 4, CANCEL)
    clock.advance(3 * SECOND)
    await take(of, 5, CANCEL)
    with pytest.raises(Refused) as caught:
        await take(of, 3, CANCEL)
    assert caught.value.retry_after == 7 * SECOND
    clock.advance(7 * SECOND)
    await take(of, 3, CANCEL)
    assert used(of) == {("weight", ""): 8}


async def test_the_venues_own_count_replaces_ours() -> None:
    of, _ = limiter(Pool("weight", 100, 60 * SECOND))
    first, second = await take(of, 10), await take(of, 10)
    first.landed({"weight": 40})
    assert used(of) == {("weight", ""): 50}  # 40 counted, 10 on their way
    second.landed({"weight": 41})  # places that succeed cost nothing there
    assert used(of) == {("weight", ""): 41}
    second.landed({"weight": 99})  # once only
    assert used(of) == {("weight", ""): 41}


async def test_a_count_without_a_name_is_of_the_pools_that_the_request_took_from() -> None:
    of, _ = limiter(Pool("weight", 100, 60 * SECOND), Pool("other", 100, 60 * SECOND))
    (await of.acquire({"other": 3}, "", QUERY)).landed({"other": 7})
    (await take(of, 10)).landed({REQUESTED: 40})
    assert used(of) == {("other", ""): 7, ("weight", ""): 40}


async def test_a_count_of_a_window_that_has_ended_says_nothing() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND))
    permit = await take(of, 10)
    clock.advance(61 * SECOND)
    await take(of, 1)
    permit.landed({"weight": 95})
    assert used(of)[("weight", "")] <= 11


async def test_accounts_have_budgets_of_their_own_and_share_the_address() -> None:
    of, _ = limiter(Pool("weight", 100, 60 * SECOND), Pool("orders", 10, SECOND, account=True))
    for scope in ("a", "a", "b"):
        await of.acquire({"weight": 1, "orders": 1}, scope, PLACE)
    assert used(of) == {("weight", ""): 3, ("orders", "a"): 2, ("orders", "b"): 1}


async def test_after_a_ban_nothing_leaves_until_it_is_over() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND))
    of.pause(120 * SECOND)
    for priority in Priority:
        with pytest.raises(Refused) as caught:
            await take(of, 1, priority)
        assert caught.value.retry_after == 120 * SECOND
    clock.advance(120 * SECOND)
    await take(of)


async def test_an_exhausted_order_budget_does_not_stop_cancels() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND), Pool("orders", 10, SECOND, account=True))
    of.pause(3 * SECOND, ["orders"], "a")
    with pytest.raises(Refused) as caught:
        await of.acquire({"weight": 1, "orders": 1}, "a", PLACE)
    assert caught.value.retry_after == 3 * SECOND
    await of.acquire({"weight": 1}, "a", CANCEL)
    await of.acquire({"weight": 1, "orders": 1}, "b", PLACE)
    clock.advance(3 * SECOND)
    await of.acquire({"weight": 1, "orders": 1}, "a", PLACE)


async def test_who_waits_is_served_by_priority_then_in_order() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND))
    (await take(of, 95, CANCEL)).landed({})
    served: list[str] = []

    async def wait(name: str, priority: Priority) -> None:
        await of.acquire({"weight": 1}, "", priority, patience=100 * SECOND)
        served.append(name)

    arrivals = [("query 1", QUERY), ("place", PLACE), ("query 2", QUERY), ("cancel", CANCEL)]
    waiting = [asyncio.create_task(wait(*arrival)) for arrival in arrivals]
    await asyncio.sleep(0)
    assert len(of._gate._waiters) == 4
    assert served == []
    clock.advance(60 * SECOND)
    of.dispatch()
    await asyncio.gather(*waiting)
    assert served == ["cancel", "place", "query 1", "query 2"]


async def test_one_who_waits_for_one_pool_does_not_hold_up_another() -> None:
    of, _ = limiter(Pool("weight", 100, 60 * SECOND), Pool("orders", 10, 60 * SECOND, account=True))
    await of.acquire({"orders": 9}, "a", PLACE)
    blocked = asyncio.create_task(of.acquire({"orders": 1}, "a", PLACE, patience=100 * SECOND))
    await asyncio.sleep(0)
    assert of._gate._waiters
    await of.acquire({"weight": 1}, "a", QUERY)
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)
    assert of._gate._waiters == []


async def test_who_gives_up_waiting_takes_nothing() -> None:
    of, _ = limiter(Pool("weight", 100, SECOND // 50))
    await take(of, 95, CANCEL)
    with pytest.raises(Refused):
        # The clock stands still, so that the turn never comes.
        await of.acquire({"weight": 1}, "", CANCEL, patience=SECOND // 20)
    assert used(of) == {("weight", ""): 95}
    assert of._gate._waiters == []


async def test_something_larger_than_its_share_passes_alone() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND))
    (await take(of, 90, QUERY)).landed({})
    with pytest.raises(Refused):
        await take(of, 90, QUERY)
    clock.advance(60 * SECOND)
    await take(of, 90, QUERY)


async def test_requests_on_their_way_count_in_the_next_window_too() -> None:
    of, clock = limiter(Pool("weight", 100, 60 * SECOND))
    permit = await take(of, 70)
    clock.advance(60 * SECOND)
    assert used(of) == {("weight", ""): 70}
    permit.landed({"weight": 3})  # the figure may be the old window's
    assert used(of) == {("weight", ""): 70}


async def test_a_pool_may_have_a_budget_for_each_word() -> None:
    of, _ = limiter(Pool("place", 10, 2 * SECOND, account=True), Pool("orders", 15, 2 * SECOND))
    costs = [{"place/BTC": 1, "orders": 1}, {"place/ETH": 1, "orders": 1}]
    for _ in range(7):
        (await of.acquire(costs[0], "me", QUERY, patience=0)).landed({})
    with pytest.raises(Refused):
        await of.acquire(costs[0], "me", QUERY, patience=0)
    for _ in range(4):
        (await of.acquire(costs[1], "me", QUERY, patience=0)).landed({})
    with pytest.raises(Refused):  # what both take from
        await of.acquire(costs[1], "me", QUERY, patience=0)
    assert used(of) == {("orders", ""): 11, ("place/BTC", "me"): 7, ("place/ETH", "me"): 4}


async def test_a_decaying_counter_falls_steadily() -> None:
    of, clock = limiter(Pool("weight", 60, 60 * SECOND, window=Window.DECAYING))
    await take(of, 50, CANCEL)
    clock.advance(10 * SECOND)
    assert used(of) == {("weight", ""): 40}
    await take(of, 17, CANCEL)  # to 57, which is 95 % of 60
    with pytest.raises(Refused) as caught:
        await take(of, 2, CANCEL)
    assert caught.value.retry_after == 2 * SECOND
    clock.advance(SECOND // 2)
    assert used(of) == {("weight", ""): 57}  # what is left of a point counts as one
    clock.advance(3 * SECOND // 2)
    await take(of, 2, CANCEL)
    clock.advance(10 * 60 * SECOND)
    assert used(of) == {("weight", ""): 0}


async def test_more_than_a_decaying_counter_allows_waits_until_it_is_empty() -> None:
    of, clock = limiter(Pool("weight", 10, 10 * SECOND, window=Window.DECAYING))
    (await take(of, 4, CANCEL)).landed({})
    with pytest.raises(Refused) as caught:
        await take(of, 30, CANCEL)
    assert caught.value.retry_after == 4 * SECOND
    clock.advance(4 * SECOND)
    (await take(of, 30, CANCEL)).landed({})
    assert used(of) == {("weight", ""): 30}


async def test_the_venues_figure_replaces_ours_of_a_decaying_counter() -> None:
    of, clock = limiter(Pool("weight", 60, 60 * SECOND, window=Window.DECAYING))
    first, second = await take(of, 8, CANCEL), await take(of, 1, CANCEL)
    first.landed({"weight": 20})  # the second is still on its way
    assert used(of) == {("weight", ""): 21}
    second.landed({})
    clock.advance(SECOND)
    assert used(of) == {("weight", ""): 20}


async def test_venues_at_one_host_share_what_is_shared_and_a_ban() -> None:
    clock, gates = ManualClock(START), Gates()
    pools = (Pool("weight", 100, 60 * SECOND, shared=True), Pool("create", 10, SECOND))
    hosts = ("https://api.example", "https://API.example/", "https://other.example")
    spot, perpetual, elsewhere = (
        Limiter(str(number), pools, clock.now, gates.at(host)) for number, host in enumerate(hosts)
    )
    for of in (spot, perpetual, elsewhere):
        await of.acquire({"weight": 30, "create": 6}, "", CANCEL, patience=0)
    assert used(spot) == used(perpetual) == {("create", ""): 6, ("weight", ""): 60}
    assert used(elsewhere) == {("create", ""): 6, ("weight", ""): 30}
    perpetual.pause(5 * SECOND)
    for of in (spot, perpetual):
        with pytest.raises(Refused) as caught:
            await take(of)
        assert caught.value.retry_after == 5 * SECOND
        assert {usage.blocked for usage in of.usage()} == {START + 5 * SECOND}
    await take(elsewhere)


async def test_a_cancel_of_one_product_goes_before_a_place_of_another() -> None:
    clock, gates = ManualClock(START), Gates()
    pools = (Pool("weight", 100, 60 * SECOND, shared=True),)
    gate = gates.at("https://api.example")
    spot, perpetual = (Limiter(name, pools, clock.now, gate) for name in ("spot", "perpetual"))
    (await take(spot, 95, CANCEL)).landed({})
    served: list[Priority] = []

    async def wait(of: Limiter, priority: Priority) -> None:
        await of.acquire({"weight": 1}, "", priority, patience=100 * SECOND)
        served.append(priority)

    waiting = [
        asyncio.create_task(wait(of, priority))
        for of, priority in ((spot, PLACE), (perpetual, CANCEL))
    ]
    await asyncio.sleep(0)
    clock.advance(60 * SECOND)
    spot.dispatch()
    await asyncio.gather(*waiting)
    assert served == [CANCEL, PLACE]
