"""SIGKILL between any two writes of the journal: nothing is sent twice, nothing is lost.

A bot works through a list of requests. The process dies before or after the n-th write, for every
n that there is; it comes back, and the bot repeats whatever was not answered, and, to be mean, what
was answered too. At the end the journal and the venue agree.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import CambistError, Refused, Rejected
from core.orders import FINAL, OrderRequest, OrderStatus
from daemon.trading import OrderState
from tests.support.desks import World
from tests.support.model_venue import SETTLE, request

D = Decimal
_MOST = 60  # writes of the whole list, more than there are


class Bot:
    """Works the list off, and remembers the answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: dict[str, bytes] = {}

    async def ask(
        self, method: str, id: str, body: bytes, act: Callable[[], Awaitable[OrderState]]
    ) -> str:
        """A request by way of the intents; the client order id of the answer, "" for a rejection.
        What was answered before must be answered the same again."""

        async def handler() -> bytes:
            state = await act()
            return f"{state.order.client_order_id} {state.order.status.name}".encode()

        world = self.world
        for _ in range(200):
            try:
                answer = await world.journal.intents.run(method, id, body, handler)
            except Rejected as error:
                answer = f" {error.reason}".encode()
            except CambistError:
                if world.store.dead:
                    raise
                world.venue.clock.advance(SETTLE // 4)  # not known, or not now: again, a bit later
                await world.quiet(3)
                continue
            if not world.store.dead:
                assert self.answers.setdefault(id, answer) == answer
            return answer.decode().split(" ")[0]
        raise AssertionError(f"{id} is never answered")

    async def place(self, id: str, asked: OrderRequest) -> str:
        """An order that the venue has; a new request when the first proves to be lost for good."""
        desk = self.world.desk
        order_id = await self.ask("place", id, id.encode(), lambda: desk.place(id, asked))
        for _ in range(200):
            order = (await desk.get("main", order_id)).order
            if order.status is OrderStatus.REJECTED:
                assert order_id not in self.world.venue.orders
                return await self.place(f"{id}+", asked)
            if order.status is not OrderStatus.UNCONFIRMED:
                return order_id
            self.world.venue.clock.advance(SETTLE // 4)
            await self.world.quiet(3)
        raise AssertionError(f"{id} is never found out")

    async def work(self) -> None:
        """The list. Venue faults strike the first time only."""
        world, desk, venue = self.world, self.world.desk, self.world.venue
        script = world.account.script
        await world.ready()

        first = await self.place("p1", request())
        if not venue.tape:
            venue.trade(first, D("0.5"))
        world.account.deliver()

        if "p2" not in self.answers and "timeout" not in venue.notes:
            venue.notes.add("timeout")
            script.append("timeout")
        second = await self.place("p2", request("2", "90"))

        await self.ask("cancel", "c1", b"c", lambda: desk.cancel("c1", "main", first))

        if "p3" not in self.answers and "reject" not in venue.notes:
            venue.notes.add("reject")
            script.append("reject")
        await self.ask("place", "p3", b"3", lambda: desk.place("p3", request("3", "80")))
        script.clear()
        third = await self.ask(
            "replace", "x2", b"x", lambda: desk.replace("x2", "main", second, D(3), D(91))
        )
        if len(venue.tape) < 2:
            venue.trade(third, D(3))
        world.account.deliver()

    async def work_and_wait(self) -> None:
        """The list, and until all doubts must have ended."""
        await self.work()
        self.world.venue.clock.advance(2 * SETTLE)
        assert await self.world.desk.reconcile("main", "model")
        await self.world.quiet(50)


async def run(
    world: World, die_before: int | None = None, die_after: int | None = None
) -> tuple[Bot, bool]:
    """The list with one death at most; whether it came."""
    bot = Bot(world)
    await world.start(die_before, die_after)
    work = asyncio.create_task(bot.work_and_wait())
    await asyncio.wait(
        {work, asyncio.create_task(world.died.wait())}, return_when=asyncio.FIRST_COMPLETED
    )
    died = world.store.dead
    if died:
        await world.crash()
        await asyncio.gather(work, return_exceptions=True)
        await world.start()
        await bot.work_and_wait()
    else:
        await work
    return bot, died


async def agree(world: World, bot: Bot) -> None:
    """The journal tells the venue's truth, once."""
    venue = world.venue
    sent = Counter(request.client_order_id for request in venue.placed)
    assert not [id for id, times in sent.items() if times > 1]
    assert len(venue.placed) <= 4  # p1, p2, x2 where it makes an order, p3 if it died first
    states, _ = await world.desk.list_orders()
    assert set(venue.orders) <= {state.order.client_order_id for state in states}
    for state in states:
        order = state.order
        truth = venue.orders.get(order.client_order_id)
        if truth is None:
            assert order.status is OrderStatus.REJECTED
            continue
        assert (order.status, order.filled_quantity) == (truth.status, truth.filled)
        assert order.status in FINAL or order.status is OrderStatus.OPEN
        assert not order.external
    fills, _ = await world.desk.list_fills()
    assert sorted(f.trade_id for f in fills) == sorted(f.trade_id for f in venue.tape)
    events = await world.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    told = Counter(event.fill.trade_id for event in events if event.HasField("fill"))
    assert told == Counter(f.trade_id for f in venue.tape)


@pytest.mark.parametrize("in_place", [True, False], ids=["amended", "made_anew"])
@pytest.mark.parametrize("side", ["die_before", "die_after"])
async def test_a_crash_at_any_write(tmp_path: Path, side: str, in_place: bool) -> None:
    for write in range(1, _MOST):
        world = World(tmp_path / f"{write}.sqlite")
        world.venue.replaces_in_place = in_place
        bot, died = await run(world, **{side: write})
        await agree(world, bot)
        await world.stop()
        if not died:
            assert write > 10, "the list has more writes than that"
            return
    raise AssertionError("the list has more writes than _MOST")


async def test_nothing_is_sent_without_a_journal(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.sqlite")
    await world.start()
    await world.ready()
    world.store.failing = "the disk is full"
    for id in ("p1", "p1", "p2"):
        with pytest.raises(Refused):
            await world.desk.place(id, request())
    assert world.venue.sent == []
    world.store.failing = ""
    await world.until(lambda: world.journal.available)
    assert (await world.desk.place("p1", request())).order.status is OrderStatus.OPEN
    assert len(world.venue.placed) == 1
    await world.stop()


async def test_cancels_pass_while_the_disk_is_full(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.sqlite")
    await world.start()
    await world.ready()
    ids = [
        (await world.desk.place(id, request())).order.client_order_id for id in ("p1", "p2", "p3")
    ]
    account = request().account
    world.store.failing = "the disk is full"
    with pytest.raises(Refused):
        await world.desk.place("p4", request())
    await world.desk.cancel("c1", account, ids[0])
    await world.desk.cancel_all("c2", account, request().venue)
    await world.quiet()
    assert not any(truth.status is OrderStatus.OPEN for truth in world.venue.orders.values())
    world.store.failing = ""
    await world.until(lambda: world.journal.available)
    await world.quiet()
    for id in ids:
        assert (await world.desk.get(account, id)).order.status is OrderStatus.CANCELED
    await world.stop()


async def test_what_happened_while_the_disk_was_full_is_told_later(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.sqlite")
    await world.start()
    await world.ready()
    id = (await world.desk.place("p1", request())).order.client_order_id
    before = world.journal.sequence
    world.store.failing = "the disk is full"
    world.venue.trade(id, D(1))
    world.account.deliver()
    await world.quiet()
    assert world.journal.sequence == before
    world.store.failing = ""
    await world.until(lambda: world.journal.available and world.journal.sequence > before)
    await world.quiet()
    fills, _ = await world.desk.list_fills()
    assert [fill.quantity for fill in fills] == [D(1)]
    events = await world.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    await world.stop()
