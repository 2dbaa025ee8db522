"""An order that is changed in place and fills at the same moment, in every order of the news."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import Unconfirmed
from core.orders import Fill, OrderReport, OrderStatus
from daemon.trading import OrderState
from tests.support.desks import World
from tests.support.model_venue import SETTLE, request

D = Decimal


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "journal.sqlite")
    await world.start()
    await world.ready()
    yield world
    await world.stop()


def tell(world: World, *kinds: type) -> None:
    """The stream tells, of what has happened, only this; the rest is lost."""
    reports = [report for report in world.venue.outbox if isinstance(report, kinds)]
    world.venue.outbox.clear()
    for report in reports:
        world.account.tell(report)


async def now(world: World, id: str) -> OrderState:
    return await world.desk.get("main", id)


@pytest.mark.parametrize("told", [(Fill,), (Fill, OrderReport), (OrderReport,), ()])
@pytest.mark.parametrize("filled", ["0.5", "1", "1.5", "2"])
@pytest.mark.parametrize("answer", ["ok", "timeout"])
async def test_what_is_filled_beyond_the_old_quantity_ends_nothing(
    world: World, told: tuple[type, ...], filled: str, answer: str
) -> None:
    id = (await world.desk.place("r1", request("1", "100"))).order.client_order_id
    world.venue.outbox.clear()
    change = world.venue.change

    def change_and_trade(old: str, quantity: Decimal, price: Decimal, new: str) -> object:
        truth = change(old, quantity, price, new)
        world.venue.outbox.clear()
        world.venue.trade(old, D(filled))
        tell(world, *told)  # ahead of the answer
        return truth

    world.venue.change = change_and_trade  # type: ignore[method-assign, assignment]
    world.account.script.append(answer)
    if answer == "ok":
        await world.desk.replace("x1", "main", id, D(2), D(101))
    else:
        with pytest.raises(Unconfirmed):
            await world.desk.replace("x1", "main", id, D(2), D(101))
        await world.quiet(30)
    await world.quiet(30)
    state = await now(world, id)
    order = state.order
    assert (order.request.quantity, order.request.price) == (D(2), D(101))
    assert order.filled_quantity == D(filled)
    whole = OrderStatus.FILLED if filled == "2" else OrderStatus.PARTIALLY_FILLED
    assert order.status is whole
    assert state.replacement is None
    assert (await world.desk.replace("x1", "main", id, D(2), D(101))).order == order
    if whole is not OrderStatus.FILLED:
        world.venue.trade(id, D(2) - D(filled))
        world.account.deliver()
        await world.quiet()
        assert (await now(world, id)).order.status is OrderStatus.FILLED
    orders = [event.order for event in await world.events() if event.HasField("order")]
    ends = [one for one in orders if one.status == OrderStatus.FILLED.value]
    assert ends == orders[-1:]  # nothing comes after the end


async def test_a_change_and_its_fills_are_found_after_a_crash(world: World, tmp_path: Path) -> None:
    id = (await world.desk.place("r1", request("1", "100"))).order.client_order_id
    world.account.script.append("timeout")
    with pytest.raises(Unconfirmed):
        await world.desk.replace("x1", "main", id, D(2), D(101))
    world.venue.trade(id, D(2))
    await world.crash()
    await world.start()
    await world.ready()
    await world.quiet(30)
    world.venue.clock.advance(SETTLE)
    await world.quiet(30)
    state = await now(world, id)
    assert state.replacement is None
    assert state.order.status is OrderStatus.FILLED
    assert (state.order.request.quantity, state.order.request.price) == (D(2), D(101))
    assert await world.desk.replace("x1", "main", id, D(2), D(101)) == state


@pytest.mark.parametrize("mode", ["lose", "reject", "refuse"])
async def test_a_change_that_was_not_made_lets_the_order_end(world: World, mode: str) -> None:
    """Filled by the old quantity while the change was under way: done when there is no change."""
    id = (await world.desk.place("r1", request("1", "100"))).order.client_order_id
    command = world.account._command

    async def trade_first(name: str, effect: object) -> object:
        world.venue.trade(id, D(1))
        tell(world, Fill)
        return await command(name, effect)  # type: ignore[arg-type]

    world.account._command = trade_first  # type: ignore[method-assign, assignment]
    world.account.script.append(mode)
    with pytest.raises(Exception, match=r"."):
        await world.desk.replace("x1", "main", id, D(2), D(101))
    world.venue.clock.advance(SETTLE)
    await world.quiet(50)
    state = await now(world, id)
    assert state.replacement is None
    assert state.order.status is OrderStatus.FILLED
    assert (state.order.request.quantity, state.order.request.price) == (D(1), D(100))
