"""The desk's commands against a venue that answers, refuses, rejects, and does not answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cambist.v1 import trading_pb2
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.orders import OrderRequest, OrderStatus
from tests.support.desks import World
from tests.support.model_venue import SETTLE, request

D = Decimal


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "journal.sqlite")
    await made.start()
    await made.ready()
    yield made
    await made.stop()


async def statuses(world: World, client_order_id: str) -> list[str]:
    """The statuses that the log tells of an order."""
    await world.quiet()
    return [
        trading_pb2.OrderStatus.Name(event.order.status).removeprefix("ORDER_STATUS_")
        for event in await world.events()
        if event.order.client_order_id == client_order_id
    ]


async def test_an_order_is_journaled_sent_and_told(world: World) -> None:
    state = await world.desk.place("r1", request())
    assert state.order.status is OrderStatus.OPEN
    assert state.order.venue_order_id == "v1"
    assert await statuses(world, state.order.client_order_id) == ["PENDING", "OPEN"]
    assert (await world.desk.of_request("main", "r1")) == state


async def test_the_same_request_places_once(world: World) -> None:
    first = await world.desk.place("r1", request())
    again = await world.desk.place("r1", request())
    assert again == first
    assert len(world.venue.placed) == 1


async def test_the_same_request_for_another_order_is_refused(world: World) -> None:
    await world.desk.place("r1", request())
    with pytest.raises(Refused) as caught:
        await world.desk.place("r1", request(venue="model", side=request().side.__class__.SELL))
    assert caught.value.reason is Reason.REQUEST_ID_REUSED


async def test_a_rejection_is_final_and_said_again(world: World) -> None:
    world.account.script.append("reject")
    for _ in range(2):
        with pytest.raises(Rejected):
            await world.desk.place("r1", request())
    state = await world.desk.of_request("main", "r1")
    assert state.order.status is OrderStatus.REJECTED
    assert world.venue.sent == ["place"]


async def test_what_was_refused_may_be_tried_again(world: World) -> None:
    world.account.script.append("refuse")
    with pytest.raises(Refused) as caught:
        await world.desk.place("r1", request())
    assert caught.value.reason is Reason.RATE_LIMITED
    refused = await world.desk.of_request("main", "r1")
    assert refused.order.status is OrderStatus.REJECTED
    state = await world.desk.place("r1", request())
    assert state.order.status is OrderStatus.OPEN
    assert state.order.client_order_id != refused.order.client_order_id
    assert (await world.desk.of_request("main", "r1")) == state


async def test_no_answer_is_no_rejection(world: World) -> None:
    world.account.script.append("timeout")
    state = await world.desk.place("r1", request())
    assert state.order.status is OrderStatus.UNCONFIRMED
    id = state.order.client_order_id
    await world.quiet()
    assert await statuses(world, id) == ["PENDING", "UNCONFIRMED", "OPEN"]
    assert len(world.venue.placed) == 1


async def test_an_order_that_was_lost_is_rejected_only_after_the_settle_time(world: World) -> None:
    world.account.script.append("lose")
    state = await world.desk.place("r1", request())
    id = state.order.client_order_id
    await world.quiet(50)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.UNCONFIRMED
    world.venue.clock.advance(SETTLE)
    await world.quiet(50)
    after = (await world.desk.get("main", id)).order
    assert after.status is OrderStatus.REJECTED
    assert after.reason == "it never reached the venue"
    with pytest.raises(Rejected):
        await world.desk.place("r1", request())


async def test_an_order_that_arrives_late_is_found(world: World) -> None:
    world.account.script.append("late")
    id = (await world.desk.place("r1", request())).order.client_order_id
    await world.quiet()
    world.venue.clock.advance(SETTLE - 1)
    world.venue.arrive()
    await world.quiet()
    assert (await world.desk.get("main", id)).order.status is OrderStatus.OPEN


async def test_a_fill_is_proof_against_a_venue_that_forgot_the_order(world: World) -> None:
    world.account.script.append("timeout")
    world.account.query_gate = asyncio.Event()
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D(1))
    world.venue.outbox.clear()
    del world.venue.orders[id]
    world.venue.clock.advance(SETTLE)
    world.account.query_gate.set()
    await world.quiet(40)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.FILLED
    assert "REJECTED" not in await statuses(world, id)


async def test_the_settle_time_counts_from_the_end_of_the_call(world: World) -> None:
    """A request may have waited for its turn: when it left is not known, only when it must have."""
    world.account.gate = asyncio.Event()
    world.account.script.append("late")
    placing = asyncio.create_task(world.desk.place("r1", request()))
    await world.until(lambda: world.venue.sent == ["place"])
    world.venue.clock.advance(3 * SETTLE)
    world.account.gate.set()
    id = (await placing).order.client_order_id
    await world.quiet(30)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.UNCONFIRMED
    world.venue.clock.advance(SETTLE - 1)
    world.venue.arrive()
    await world.quiet(30)
    assert await statuses(world, id) == ["PENDING", "UNCONFIRMED", "OPEN"]


async def test_an_answer_of_before_a_command_says_nothing_of_it(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.account.script.append("lose")
    with pytest.raises(Unconfirmed):
        await world.desk.cancel("c1", "main", id)
    world.venue.clock.advance(SETTLE)
    world.account.query_gate = asyncio.Event()
    await world.quiet()  # the resolver has asked: the order is open, that cancel had no effect
    world.account.gate = asyncio.Event()
    canceling = asyncio.create_task(world.desk.cancel("c2", "main", id))
    await world.until(lambda: world.venue.sent == ["place", "cancel", "cancel"])
    world.account.query_gate.set()
    await world.quiet()
    assert (await world.desk.get("main", id)).order.cancel_requested
    world.account.gate.set()
    assert (await canceling).order.status is OrderStatus.CANCELED


async def test_could_not_ask_is_no_proof(world: World) -> None:
    world.account.script.append("lose")
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.down = True
    world.venue.clock.advance(10 * SETTLE)
    await world.quiet(50)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.UNCONFIRMED
    world.venue.down = False
    await world.quiet(50)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.REJECTED


async def test_a_bug_in_an_account_leaves_the_order_unconfirmed(world: World) -> None:
    world.account.script.append("break")
    state = await world.desk.place("r1", request())
    assert state.order.status is OrderStatus.UNCONFIRMED
    await world.quiet()
    assert (await world.desk.of_request("main", "r1")).order.status is OrderStatus.OPEN


async def test_a_fill_ahead_of_the_acknowledgement_is_kept(world: World) -> None:
    world.account.gate = asyncio.Event()
    placing = asyncio.create_task(world.desk.place("r1", request()))
    await world.until(lambda: world.venue.sent == ["place"])
    # The venue has it and trades it, and the stream is faster than the reply.
    id = (await world.desk.of_request("main", "r1")).order.client_order_id
    early = world.venue.accept(world.venue.placed[-1]) if world.venue.placed else None
    assert early is None
    state = await world.desk.get("main", id)
    world.venue.accept(state.order.request)
    world.venue.trade(id, D("0.4"))
    world.account.deliver()
    await world.quiet()
    order = (await world.desk.get("main", id)).order
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert (order.filled_quantity, order.filled_notional) == (D("0.4"), D("40"))
    placing.cancel()


async def test_fills_count_once_and_sum_up(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    first = world.venue.trade(id, D("0.25"))
    second = world.venue.trade(id, D("0.75"))
    for report in (second, first, second, first):
        world.account.tell(report)
    world.account.deliver()
    await world.quiet()
    order = (await world.desk.get("main", id)).order
    assert order.status is OrderStatus.FILLED
    assert (order.filled_quantity, order.filled_notional) == (D(1), D(100))
    fills, position = await world.desk.list_fills(client_order_id=id)
    assert sorted(fill.trade_id for fill in fills) == sorted([first.trade_id, second.trade_id])
    assert position == ""
    told = [event.fill.trade_id for event in await world.events() if event.HasField("fill")]
    assert sorted(told) == sorted([first.trade_id, second.trade_id])


async def test_fills_that_the_stream_lost_are_fetched(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D(1))
    report = world.venue.orders[id].report()
    world.venue.outbox.clear()
    world.account.tell(report)
    await world.quiet(50)
    fills, _ = await world.desk.list_fills(client_order_id=id)
    assert [fill.quantity for fill in fills] == [D(1)]


async def test_a_cancel_ends_an_order(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    state = await world.desk.cancel("c1", "main", id)
    assert state.order.status is OrderStatus.CANCELED
    assert await world.desk.cancel("c1", "main", id) == state
    with pytest.raises(Refused) as caught:
        await world.desk.cancel("c2", "main", id)
    assert caught.value.reason is Reason.ORDER_FINAL


async def test_a_cancel_that_a_fill_outran_says_so(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D(1))
    with pytest.raises(Rejected) as caught:
        await world.desk.cancel("c1", "main", id)
    assert caught.value.reason is Reason.ORDER_FINAL
    assert (await world.desk.get("main", id)).order.status is OrderStatus.FILLED


@pytest.mark.parametrize("mode", ["timeout", "late"])
async def test_an_unconfirmed_cancel_is_found_out(world: World, mode: str) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.account.script.append(mode)
    with pytest.raises(Unconfirmed):
        await world.desk.cancel("c1", "main", id)
    order = (await world.desk.get("main", id)).order
    assert order.cancel_requested
    world.venue.clock.advance(SETTLE - 1)
    world.venue.arrive()
    await world.quiet(50)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.CANCELED


async def test_a_cancel_that_was_lost_is_no_longer_requested(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.account.script.append("lose")
    with pytest.raises(Unconfirmed):
        await world.desk.cancel("c1", "main", id)
    world.venue.clock.advance(SETTLE)
    await world.quiet(50)
    order = (await world.desk.get("main", id)).order
    assert (order.status, order.cancel_requested) == (OrderStatus.OPEN, False)
    state = await world.desk.cancel("c1", "main", id)
    assert state.order.status is OrderStatus.CANCELED


async def test_a_refused_cancel_leaves_the_order(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.account.script.append("refuse")
    with pytest.raises(Refused):
        await world.desk.cancel("c1", "main", id)
    order = (await world.desk.get("main", id)).order
    assert (order.status, order.cancel_requested) == (OrderStatus.OPEN, False)


@pytest.mark.parametrize("together", [True, False])
async def test_all_are_canceled(world: World, together: bool) -> None:
    if not together:
        from core.ports import Capability

        world.venue.capabilities -= {Capability.CANCEL_ALL}
    ids = [(await world.desk.place(f"r{n}", request())).order.client_order_id for n in range(3)]
    states = await world.desk.cancel_all("c1", "main", "model")
    assert {state.order.client_order_id for state in states} == set(ids)
    assert {state.order.status for state in states} == {OrderStatus.CANCELED}
    assert world.venue.open() == []


@pytest.mark.parametrize("mode", ["ok", "told"])
@pytest.mark.parametrize("in_place", [True, False])
async def test_a_replacement_keeps_track(world: World, in_place: bool, mode: str) -> None:
    """Whether the reply tells of it first or the stream."""
    world.venue.replaces_in_place = in_place
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D("0.25"))
    world.account.deliver()
    await world.quiet()
    world.account.script.append(mode)
    state = await world.desk.replace("x1", "main", id, D(2), D(101))
    assert (state.order.client_order_id == id) is in_place
    assert state.order.request.price == D(101)
    assert state.order.remaining_quantity == D("1.75")
    assert await world.desk.replace("x1", "main", id, D(2), D(101)) == state
    world.account.deliver()
    await world.quiet()
    old = (await world.desk.get("main", id)).order
    assert old.status is (OrderStatus.PARTIALLY_FILLED if in_place else OrderStatus.CANCELED)
    assert world.venue.open() == [state.order.client_order_id]


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("mode", ["timeout", "late", "lose"])
async def test_an_unconfirmed_replacement_is_found_out(
    world: World, in_place: bool, mode: str
) -> None:
    world.venue.replaces_in_place = in_place
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.account.script.append(mode)
    with pytest.raises(Unconfirmed):
        await world.desk.replace("x1", "main", id, D(2), D(101))
    world.venue.clock.advance(SETTLE - 1)
    world.venue.arrive()
    world.venue.clock.advance(SETTLE)
    await world.quiet(50)
    (open_,) = world.venue.open()
    assert (open_ == id) is (in_place or mode == "lose")
    state = await world.desk.get("main", open_)
    assert state.replacement is None
    assert state.order.request.price == (D(100) if mode == "lose" else D(101))
    again = await world.desk.replace("x1", "main", id, D(2), D(101))
    assert again.order.request.price == D(101)
    assert len(world.venue.open()) == 1


@pytest.mark.parametrize("timed", [True, False])
async def test_a_stale_report_does_not_take_a_change_back(world: World, timed: bool) -> None:
    """Of the same moment by the venue's clock, or of none."""
    id = (await world.desk.place("r1", request())).order.client_order_id
    before = world.venue.orders[id].report()
    if not timed:
        before = replace(before, event_time=0)
    await world.desk.replace("x1", "main", id, D(2), D(101))
    world.account.tell(before)
    world.venue.trade(id, D("1.5"))
    world.account.tell(world.venue.tape[-1])
    world.account.tell(before)
    world.account.deliver()
    await world.quiet()
    order = (await world.desk.get("main", id)).order
    assert (order.request.quantity, order.request.price) == (D(2), D(101))
    assert (order.status, order.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, D("1.5"))


async def test_a_replacement_by_the_same_is_not_sent(world: World) -> None:
    state = await world.desk.place("r1", request())
    id = state.order.client_order_id
    assert await world.desk.replace("x1", "main", id, D(1), D(100)) == state
    assert world.venue.sent == ["place"]


@pytest.mark.parametrize("mode", ["late", "timeout"])
async def test_a_new_order_of_the_old_ones_terms_is_told_from_it(world: World, mode: str) -> None:
    """Filled in part, and as much again: what is left has the terms that the order had."""
    world.venue.replaces_in_place = False
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D("0.5"))
    world.account.deliver()
    await world.quiet()
    world.account.script.append(mode)
    with pytest.raises(Unconfirmed):
        await world.desk.replace("x1", "main", id, D("1.5"), D(100))
    await world.quiet(30)
    world.venue.clock.advance(SETTLE)
    world.venue.arrive()
    world.account.deliver()
    await world.quiet(30)
    (new,) = world.venue.open()
    order = (await world.desk.get("main", new)).order
    assert new != id
    assert not order.external


async def test_a_dry_run_changes_nothing(world: World) -> None:
    state = await world.desk.place("r1", request(), dry_run=True)
    assert state.order.status is OrderStatus.PENDING
    assert world.venue.sent == []
    with pytest.raises(Refused):
        await world.desk.of_request("main", "r1")


async def test_a_dry_run_asks_a_venue_that_can_be_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[OrderRequest] = []

    async def preview(request: OrderRequest) -> None:
        asked.append(request)
        raise Refused(Reason.INSUFFICIENT_BALANCE, "the venue would not take it")

    monkeypatch.setattr(world.account, "preview", preview, raising=False)
    with pytest.raises(Refused) as caught:
        await world.desk.place("r1", request(), dry_run=True)
    assert caught.value.reason is Reason.INSUFFICIENT_BALANCE
    assert len(asked) == 1
    assert world.venue.sent == []
    await world.desk.place("r2", request())  # and is not asked when it counts
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("quantity", "price"), [("0.0005", "100"), ("1.0001", "100"), ("1", "100.001")]
)
async def test_rules_are_checked_first(world: World, quantity: str, price: str) -> None:
    with pytest.raises(Refused) as caught:
        await world.desk.place("r1", request(quantity, price))
    assert caught.value.reason is Reason.ORDER_RULE_BROKEN
    assert not [event for event in await world.events() if event.HasField("order")]
    assert world.venue.sent == []


async def test_orders_are_listed_in_pages(world: World) -> None:
    ids = []
    for n in range(5):
        world.venue.clock.advance(1)
        ids.append((await world.desk.place(f"r{n}", request())).order.client_order_id)
    found: list[str] = []
    position = ""
    while True:
        page, position = await world.desk.list_orders(account="main", size=2, before=position)
        assert len(page) <= 2
        found += [state.order.client_order_id for state in page]
        if not position:
            break
    assert found == ids[::-1]
    with pytest.raises(Refused) as caught:
        await world.desk.list_orders(before='[1,"a"]')
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


async def test_an_order_explains_itself(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D(1))
    world.account.deliver()
    await world.quiet()
    steps = await world.desk.explain("main", id)
    assert [step.kind for step in steps][:3] == ["request", "check", "event"]
    assert "within the limits" in steps[1].summary
    assert any("filled: buy 1 at 100" in step.summary for step in steps)
    assert [step.time for step in steps] == sorted(step.time for step in steps)
    with pytest.raises(Refused):
        await world.desk.explain("main", "nobody")
