"""Orders against every venue of the fixtures when it misbehaves: desk, journal, engine, sockets.

Nothing is sent twice, no fill is lost or counted twice, and what may still trade at the venue is
never thought to be less than it is. A venue takes part by its fixture folder; where it takes orders
over a socket too, everything is tried on both ways.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cex.engine import commands
from core.clock import SECOND
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.orders import OrderStatus
from tests.support.cex_fixtures import load, names
from tests.support.local_exchange import Answer
from tests.support.order_templates import templates
from tests.support.stage import Stage, staged

WAYS = [
    pytest.param((name, line), id=f"{name} {'socket' if line else 'rest'}")
    for name in names()
    for line in (False, True)
    if not line or load(name).spec.entry is not None
]


@pytest.fixture(params=WAYS)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    name, line = request.param
    async with staged(name, tmp_path, line) as found:
        yield found


def places(stage: Stage) -> int:
    """How many orders were sent."""
    return len(stage.server.asked(commands.Place))


def accepting(stage: Stage, answer: Answer | None) -> Callable[[Any], Answer | None]:
    """The order is on the book, and the answer is this (None: the usual one)."""

    def meet(command: commands.Place) -> Answer | None:
        if answer is not None:
            stage.server.accept(command)
        return answer

    return meet


NO_ANSWERS = {
    "a lost connection": Answer(drop=True),
    "an answer cut short": Answer(b'{"'),
    "a gateway's page": Answer(b"<html>", 502),
    "a server's error": Answer(b"{}", 500),
    "too many requests": Answer(b"{}", 429, {"Retry-After": "1"}),
    "a ban": Answer(b"{}", 418, {"Retry-After": "1"}),
    "a firewall": Answer(b"<html>", 403),
}
# Each way with one of the two truths behind it, the commonest with both; fewer over a socket, where
# all of them are answers of one kind.
CASES = [
    pytest.param(
        way.values[0], name, accepted, id=f"{way.id}, {name}, {'taken' if accepted else 'lost'}"
    )
    for way in WAYS
    for name, accepted in [
        ("a lost connection", True),
        ("a lost connection", False),
        ("a server's error", True),
        ("too many requests", False),
        ("an answer cut short", True),
        ("a gateway's page", False),
        ("a ban", True),
        ("a firewall", False),
    ][: 4 if way.values[0][1] else 8]  # type: ignore[index]
]


@pytest.mark.parametrize(("stage", "way", "accepted"), CASES, indirect=["stage"])
async def test_a_place_without_an_answer(stage: Stage, way: str, accepted: bool) -> None:
    answer, server = NO_ANSWERS[way], stage.server
    if accepted:
        server.meets[commands.Place] = accepting(stage, answer)
    else:
        server.meets[commands.Place] = lambda command: answer
    state = await stage.place()
    assert state.order.status in (OrderStatus.UNCONFIRMED, OrderStatus.OPEN)
    assert state.order.remaining_quantity == state.order.request.quantity
    waited = stage.silence_over()
    if accepted:
        await stage.becomes(OrderStatus.OPEN)
        server.fill(state.order.client_order_id)
        await stage.becomes(OrderStatus.FILLED)
        await stage.until_fills(1)
    else:
        if waited < stage.account.settle_time:
            await stage.asked_again(commands.GetOrder)
            state = await stage.order()  # "no such order" proves nothing yet: it may be on its way
            assert state.order.status is OrderStatus.UNCONFIRMED
            assert state.order.remaining_quantity == state.order.request.quantity
        stage.clock.advance(stage.account.settle_time)
        await stage.becomes(OrderStatus.REJECTED)
    assert places(stage) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_place_that_times_out_and_appears_late(
    way: tuple[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue took it, says "no such order" for a while, and has it after all."""
    monkeypatch.setattr("cex.engine.websocket._ANSWER", 0.5)
    async with staged(*way[:1], tmp_path, way[1], timeout=0.5) as stage:
        server = stage.server
        hidden = True

        def accept(command: commands.Place) -> Answer:
            server.accept(command)
            return Answer(hang=True)

        def unknown(command: commands.GetOrder) -> Answer | None:
            return server.templates.unknown(command) if hidden else None

        def unlisted(command: commands.ListOpenOrders) -> Answer | None:
            return Answer(server.templates.open_orders(command, ())) if hidden else None

        server.meets[commands.Place] = accept
        server.meets[commands.GetOrder] = unknown
        server.meets[commands.ListOpenOrders] = unlisted
        state = await stage.place()
        assert state.order.status is OrderStatus.UNCONFIRMED
        await stage.asked_again(commands.GetOrder)
        assert (await stage.order()).order.status is OrderStatus.UNCONFIRMED
        hidden = False
        await stage.becomes(OrderStatus.OPEN)
        await stage.never_understated()
        assert places(stage) == 1


async def test_the_same_request_again_sends_nothing(stage: Stage) -> None:
    stage.server.meets[commands.Place] = accepting(stage, Answer(drop=True))
    first, second = await asyncio.gather(stage.place(), stage.place(), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert not isinstance(second, BaseException)
    third = await stage.place()
    names = {one.order.client_order_id for one in (first, second, third)}
    assert len(names) == 1
    await stage.becomes(OrderStatus.OPEN)
    assert places(stage) == 1


async def test_a_fill_that_comes_before_the_acknowledgement(stage: Stage) -> None:
    server = stage.server

    def meet(command: commands.Place) -> Answer:
        answer = server.usual(command, server.line)
        frames = server.fill(command.request.client_order_id)
        server.tell(*frames)  # and once more
        return answer

    server.meets[commands.Place] = meet
    await stage.place()
    await stage.becomes(OrderStatus.FILLED)
    await stage.until_fills(1)
    await stage.settled()
    assert len(await stage.fills()) == 1
    assert places(stage) == 1


async def test_reports_that_come_doubled_and_out_of_order(stage: Stage) -> None:
    server = stage.server
    state = await stage.place()
    name, quantity = state.order.client_order_id, state.order.request.quantity
    opened = server.frames(server.orders[name])
    first = server.fill(name, quantity / 2, tell=False)
    second = server.fill(name, tell=False)
    server.tell(*second, *second, *first, *opened, *first, *second, *opened)
    await stage.becomes(OrderStatus.FILLED)
    await stage.until_fills(2)
    await stage.settled()
    order = (await stage.order()).order
    assert order.filled_quantity == quantity
    assert len(await stage.fills()) == 2


async def test_a_cancel_that_races_a_fill(stage: Stage) -> None:
    server = stage.server
    state = await stage.place()
    name = state.order.client_order_id

    def meet(command: commands.Cancel) -> Answer:
        server.fill(name)
        return server.too_late()

    server.meets[commands.Cancel] = meet
    with pytest.raises((Rejected, Unconfirmed)):
        await stage.cancel(name)
    await stage.becomes(OrderStatus.FILLED)
    await stage.until_fills(1)
    assert len(server.asked(commands.Cancel)) == 1


async def test_a_cancel_that_is_told_as_done_when_a_part_was_filled(stage: Stage) -> None:
    """The stream is behind: the cancel's answer comes first, the trade after it."""
    server = stage.server
    state = await stage.place()
    name, quantity = state.order.client_order_id, state.order.request.quantity
    late = server.fill(name, quantity / 2, tell=False)
    await stage.cancel(name)
    server.tell(*late)
    await stage.becomes(OrderStatus.CANCELED)
    await stage.until_fills(1)
    await stage.settled()
    order = (await stage.order()).order
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELED, quantity / 2)


@pytest.mark.parametrize("done", [True, False], ids=["done", "never arrived"])
async def test_a_cancel_without_an_answer(stage: Stage, done: bool) -> None:
    server = stage.server
    state = await stage.place()
    name = state.order.client_order_id

    def meet(command: commands.Cancel) -> Answer:
        if done:
            server.cancel(name, tell=False)
        return Answer(drop=True)

    server.meets[commands.Cancel] = meet
    with pytest.raises(Unconfirmed):
        await stage.cancel(name)
    await stage.never_understated()
    stage.clock.advance(stage.account.settle_time)
    if done:
        await stage.becomes(OrderStatus.CANCELED)
    else:
        await stage.until_state(lambda order: not order.cancel_requested)
        assert (await stage.order()).order.status is OrderStatus.OPEN
        server.fill(name)
        await stage.becomes(OrderStatus.FILLED)
        await stage.until_fills(1)
    assert len(server.asked(commands.Cancel)) == 1


async def test_a_fill_while_the_stream_is_down(stage: Stage) -> None:
    """The stream ends in the middle of an order's life: what it would have told is asked for."""
    server = stage.server
    state = await stage.place()
    name, quantity = state.order.client_order_id, state.order.request.quantity
    server.fill(name, quantity / 2)
    await stage.becomes(OrderStatus.PARTIALLY_FILLED)
    missed = server.fill(name, tell=False)
    before = len(server.exchange.sockets)
    server.drop()
    await stage.until(lambda: len(server.exchange.sockets) == before, "the stream again")
    await stage.becomes(OrderStatus.FILLED)
    await stage.until_fills(2)
    server.tell(*missed)  # the venue tells it after all
    await stage.settled()
    assert len(await stage.fills()) == 2
    assert places(stage) == 1


async def test_what_the_stream_lost_is_found_by_reconciling(stage: Stage) -> None:
    """A frame that never came, on a stream that stood all the time."""
    server = stage.server
    state = await stage.place()
    server.fill(state.order.client_order_id, tell=False)
    assert await stage.desk.reconcile("main", server.spec.id)
    await stage.becomes(OrderStatus.FILLED)
    await stage.until_fills(1)


async def test_a_burst_of_server_errors_is_survived(stage: Stage) -> None:
    server = stage.server
    server.meets[commands.Place] = accepting(stage, Answer(drop=True))
    left = [Answer(b"<html>", 503), Answer(b"", 500), Answer(drop=True), Answer(b"{}", 502)]
    for kind in (commands.GetOrder, commands.ListOpenOrders):
        server.meets[kind] = lambda command: left.pop() if left else None
    await stage.place()
    await stage.becomes(OrderStatus.OPEN)
    assert not left
    assert places(stage) == 1


async def test_nothing_leaves_while_the_venue_asked_for_silence(stage: Stage) -> None:
    server = stage.server
    server.meets[commands.Place] = lambda command: Answer(b"{}", 429, {"Retry-After": "30"})
    await stage.place()
    await stage.settled()
    sent = len(server.arrived)
    with pytest.raises(Refused) as caught:
        await stage.place("request-2")
    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 0
    assert any(use.blocked_until > stage.clock.now() for use in stage.market.rate_limits())
    assert len(server.arrived) == sent
    stage.silence_over()
    stage.clock.advance(stage.account.settle_time)
    server.meets.clear()
    await stage.until_states(OrderStatus.REJECTED, OrderStatus.REJECTED)
    assert places(stage) == 1


TIMED = [
    way
    for way in WAYS
    if templates(way.values[0][0]).failure(Reason.CLOCK_SKEW) is not None  # type: ignore[index]
]


@pytest.mark.parametrize("stage", TIMED, indirect=True)
@pytest.mark.parametrize("ahead", [3, -3])
async def test_a_clock_three_seconds_off(stage: Stage, ahead: int) -> None:
    """An order that was refused for its time did nothing: it is sent once more, with the time
    mended, and not a third time."""
    server = stage.server
    server.skew = ahead * SECOND
    wrong = server.templates.failure(Reason.CLOCK_SKEW)

    def meet(command: commands.Place) -> Answer | None:
        return wrong if places(stage) == 1 else None

    server.meets[commands.Place] = meet
    state = await stage.place()
    assert state.order.status is OrderStatus.OPEN
    assert places(stage) == 2
    offset = stage.market.offset.offset
    assert abs(offset - server.skew) <= SECOND  # some venues tell whole seconds
    assert len(server.orders) == 1
    server.meets[commands.Place] = lambda command: wrong
    with pytest.raises((Rejected, CambistError)):
        await stage.place("request-2")
    assert places(stage) == 4


async def test_a_token_that_expires(stage: Stage) -> None:
    """The venue ends the stream and takes the old token no more: a new one is asked for, and what
    happened in between is found out."""
    server = stage.server
    stream = server.spec.private.stream
    state = await stage.place()
    tokens = len(server.asked(commands.GetToken))
    server.fill(state.order.client_order_id, state.order.request.quantity / 2, tell=False)
    server.drop()
    await stage.becomes(OrderStatus.PARTIALLY_FILLED)
    await stage.until_fills(1)
    if stream.token is not None:
        assert tokens >= 1
        await stage.until(lambda: len(server.asked(commands.GetToken)) > tokens, "a new token")
    server.fill(state.order.client_order_id)
    await stage.becomes(OrderStatus.FILLED)
    await stage.until_fills(2)


def test_all_venues_take_part() -> None:
    """A fixture folder whose orders cannot be told anew would be left out of all of this."""
    for name in names():
        made = templates(name)
        assert made.quantity > 0
        assert made.price > 0
        request = made.request(made.name())
        half = made.report(request, OrderStatus.PARTIALLY_FILLED, made.quantity / 2)
        assert made.frames(half, made.fill(request, made.quantity / 2)), name
        assert made.frames(made.report(request, OrderStatus.CANCELED, Decimal(0)), None), name
