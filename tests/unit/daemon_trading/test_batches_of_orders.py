"""Orders that leave together: journaled before the one request, and judged one by one."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import CambistError, Reason, Refused
from core.orders import OrderReport, OrderRequest, OrderStatus
from daemon.trading.state import OrderState
from tests.support.desks import World
from tests.support.model_venue import ModelAccount, ModelVenue, request


class BatchAccount(ModelAccount):
    """One that takes several orders at once; `script` is of each order in turn."""

    def __init__(self, venue: ModelVenue, world: World) -> None:
        super().__init__(venue)
        self._world = world
        self.batches: list[list[str]] = []
        self.broken = False
        self.durable: list[bool] = []

    async def place_many(
        self, requests: Sequence[OrderRequest]
    ) -> Sequence[OrderReport | CambistError]:
        names = [one.client_order_id for one in requests]
        self.batches.append(names)
        told = await self._world.events()
        self.durable.append(set(names) <= {event.order.client_order_id for event in told})
        if self.broken:
            raise RuntimeError("a bug in the account")
        found: list[OrderReport | CambistError] = []
        for one in requests:
            try:
                found.append(await self.place(one))
            except CambistError as error:
                found.append(error)
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "journal.sqlite")
    await made.start(account=BatchAccount(made.venue, made))
    await made.ready()
    yield made
    await made.stop()


def account(world: World) -> BatchAccount:
    assert isinstance(world.account, BatchAccount)
    return world.account


def kinds(found: Sequence[OrderState | CambistError]) -> list[str]:
    return [
        one.order.status.name if isinstance(one, OrderState) else type(one).__name__
        for one in found
    ]


def orders(number: int) -> list[tuple[str, OrderRequest]]:
    return [(f"r{n}", request(price=str(100 + n))) for n in range(number)]


async def test_they_leave_in_their_order_by_one_request_once_all_are_durable(world: World) -> None:
    found = await world.desk.place_many(orders(5))
    assert kinds(found) == ["OPEN"] * 5
    ids = [one.order.client_order_id for one in found if isinstance(one, OrderState)]
    assert account(world).batches == [ids]
    assert account(world).durable == [True]
    assert [one.order.request.price for one in found if isinstance(one, OrderState)] == [
        100 + n for n in range(5)
    ]
    again = await world.desk.place_many(orders(5))
    assert again == found
    assert len(world.venue.placed) == 5  # nothing twice
    assert len(account(world).batches) == 1


async def test_each_has_its_own_outcome_and_those_that_may_not_are_not_waited_for(
    world: World,
) -> None:
    wanted = orders(6)
    wanted[1] = ("r1", replace(wanted[1][1], instrument="NO-SUCH"))
    account(world).script.extend(["ok", "reject", "timeout", "lose", "refuse"])
    found = await world.desk.place_many(wanted)
    assert kinds(found) == ["OPEN", "Refused", "Rejected", "UNCONFIRMED", "UNCONFIRMED", "Refused"]
    assert isinstance(found[1], Refused)
    assert found[1].reason is Reason.INSTRUMENT_NOT_FOUND
    assert [len(batch) for batch in account(world).batches] == [5]
    assert len(world.venue.placed) == 2  # the first, and the one whose answer was lost
    again = await world.desk.place_many(wanted)
    assert kinds(again)[:3] == ["OPEN", "Refused", "Rejected"]
    assert isinstance(again[5], OrderState)  # what never left may be tried again
    assert again[5].order.status is OrderStatus.OPEN


async def test_a_bug_leaves_all_of_them_unconfirmed(world: World) -> None:
    account(world).broken = True
    found = await world.desk.place_many(orders(3))
    assert kinds(found) == ["UNCONFIRMED"] * 3
    assert len(account(world).batches) == 1


async def test_the_same_request_twice_in_a_batch_is_placed_once(world: World) -> None:
    (one,) = orders(1)
    found = await world.desk.place_many([one, one])
    assert len(world.venue.placed) == 1
    assert [isinstance(state, OrderState) for state in found] == [True, True]


async def test_without_batches_they_go_one_by_one(tmp_path: Path) -> None:
    plain = World(tmp_path / "journal.sqlite")
    await plain.start()
    await plain.ready()
    plain.account.script.extend(["ok", "reject"])
    assert kinds(await plain.desk.place_many(orders(3))) == ["OPEN", "Rejected", "OPEN"]
    assert kinds(await plain.desk.place_many([])) == []
    stranger = [("r9", request(account="nobody")), ("r8", request())]
    assert kinds(await plain.desk.place_many(stranger)) == ["Refused", "OPEN"]
    await plain.stop()
