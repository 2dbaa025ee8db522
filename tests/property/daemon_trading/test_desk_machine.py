"""The desk against any history: commands, faults, lost and repeated reports, full disks, crashes.

Whatever happens in whatever order, at every moment: the log has no gap and tells each trade once,
and no request has more than one effect at the venue. And when the venue can be asked again and
what is on its way has arrived, journal and venue agree.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.errors import CambistError, Reason, Refused
from core.orders import FINAL, Fill, OrderReport, OrderStatus, Side
from daemon.trading import OrderState
from tests.support.desks import World
from tests.support.model_venue import SETTLE, request

T = TypeVar("T")
D = Decimal
MODES = ["ok", "ok", "refuse", "reject", "lose", "timeout", "late", "break"]
modes = st.sampled_from(MODES)
picks = st.integers(0, 1_000)
quantities = st.sampled_from(["1", "2", "0.5"])


class DeskMachine(RuleBasedStateMachine):
    """One account of one venue. A rule that has nothing to work on does nothing: a precondition
    would make what is drawn depend on how the writer's thread is scheduled."""

    def __init__(self) -> None:
        super().__init__()
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name) / "journal.sqlite")
        self.requests: dict[str, tuple[str, str]] = {}  # id -> quantity and price
        self.orders: list[str] = []
        self.answers: dict[str, bytes] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(in_place=st.booleans())
    def begin(self, in_place: bool) -> None:
        self.world.venue.replaces_in_place = in_place
        self.do(self._begin())

    async def _begin(self) -> None:
        await self.world.start()
        await self.world.quiet(3)

    # What a bot does.

    @rule(quantity=quantities, mode=modes, side=st.sampled_from(Side))
    def place(self, quantity: str, mode: str, side: Side) -> None:
        id = f"p{len(self.requests)}"
        price = "100" if side is Side.BUY else "200"
        self.requests[id] = quantity, price
        self.do(self._place(id, mode))

    @rule(pick=picks, mode=modes)
    def place_again(self, pick: int, mode: str) -> None:
        if not self.requests:
            return
        self.do(self._place(sorted(self.requests)[pick % len(self.requests)], mode))

    async def _place(self, id: str, mode: str) -> None:
        quantity, price = self.requests[id]
        side = Side.BUY if price == "100" else Side.SELL
        asked = request(quantity, price, side)
        await self._command("place", id, mode, lambda: self.world.desk.place(id, asked))

    @rule(pick=picks, mode=modes)
    def cancel(self, pick: int, mode: str) -> None:
        if not self.orders:
            return
        order = self.orders[pick % len(self.orders)]
        id = f"c{pick % 7}-{order}"
        desk = self.world.desk
        self.do(self._command("cancel", id, mode, lambda: desk.cancel(id, "main", order)))

    @rule(pick=picks, mode=modes, quantity=quantities)
    def replace(self, pick: int, mode: str, quantity: str) -> None:
        if not self.orders:
            return
        order = self.orders[pick % len(self.orders)]
        id = f"x{quantity}-{order}"
        desk, whole = self.world.desk, D(quantity) + 1
        self.do(
            self._command(
                "replace", id, mode, lambda: desk.replace(id, "main", order, whole, D(150))
            )
        )

    async def _command(self, method: str, id: str, mode: str, act: Any) -> None:
        world = self.world

        async def handler() -> bytes:
            state: OrderState = await act()
            return f"{state.order.client_order_id} {state.order.status.name}".encode()

        if mode != "ok":
            world.account.script.append(mode)
        answer = None
        with suppress(CambistError, RuntimeError):  # the latter is mode "break"
            answer = await world.journal.intents.run(method, id, id.encode(), handler)
        if answer is not None:
            assert self.answers.setdefault(id, answer) == answer
            order = answer.decode().split(" ")[0]
            if order not in self.orders:
                self.orders.append(order)
        world.account.script.clear()
        await world.quiet(2)

    # What the venue does.

    @rule(pick=picks, part=st.sampled_from(["0.25", "1", "all"]))
    def trade(self, pick: int, part: str) -> None:
        venue = self.world.venue
        if not venue.open():
            return
        id = venue.open()[pick % len(venue.open())]
        truth = venue.orders[id]
        left = truth.request.quantity - truth.filled
        venue.trade(id, left if part == "all" else min(left, D(part)))

    @rule(pick=picks)
    def expire(self, pick: int) -> None:
        venue = self.world.venue
        if venue.open():
            venue.end(venue.open()[pick % len(venue.open())], OrderStatus.EXPIRED)

    @rule(pick=picks, how=st.sampled_from(["first", "any", "twice", "drop", "anonymous", "all"]))
    def report(self, pick: int, how: str) -> None:
        self.do(self._report(pick, how))

    async def _report(self, pick: int, how: str) -> None:
        outbox, account = self.world.venue.outbox, self.world.account
        if how == "all":
            account.deliver()
        elif outbox:
            outbox.rotate(0 if how == "first" else -(pick % len(outbox)))
            report = outbox.popleft()
            if how == "anonymous" and isinstance(report, OrderReport | Fill):
                report = replace(report, client_order_id="")
            for _ in range({"drop": 0, "twice": 2}.get(how, 1)):
                account.tell(report)
        await self.world.quiet(2)

    @rule(down=st.booleans())
    def reach(self, down: bool) -> None:
        self.world.venue.down = down
        self.do(self.world.quiet(2))

    @rule(part=st.sampled_from([1, 2, 8]))
    def wait(self, part: int) -> None:
        self.world.venue.clock.advance(SETTLE // part)
        self.world.venue.arrive()
        self.do(self.world.quiet(3))

    @rule()
    def reconnect(self) -> None:
        self.do(self._reconnect())

    async def _reconnect(self) -> None:
        self.world.account.connect(False)
        self.world.account.connect()
        await self.world.quiet(5)

    # What the machine does.

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.do(self._disk(full))

    async def _disk(self, full: bool) -> None:
        self.world.store.failing = "the disk is full" if full else ""
        if not full:
            await self.world.until(lambda: self.world.journal.available)
        await self.world.quiet(2)

    @rule()
    def crash(self) -> None:
        self.do(self._crash())

    async def _crash(self) -> None:
        await self.world.crash()
        await self._begin()

    # What holds.

    @invariant()
    def the_log_has_no_gap_and_tells_each_trade_once(self) -> None:
        if not hasattr(self.world, "journal"):
            return
        events = self.do(self.world.events())
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        told = Counter(event.fill.trade_id for event in events if event.HasField("fill"))
        assert set(told.values()) <= {1}

    @invariant()
    def a_request_has_one_effect_at_most(self) -> None:
        sent = Counter(request.client_order_id for request in self.world.venue.placed)
        assert set(sent.values()) <= {1}

    def teardown(self) -> None:
        try:
            if hasattr(self.world, "journal"):
                self.do(self._agree())
                self.do(self.world.stop())
        finally:
            self.loop.close()
            self.folder.cleanup()
            structlog.reset_defaults()

    async def _agree(self) -> None:
        world, venue = self.world, self.world.venue
        await self._disk(False)
        venue.down = False
        for _ in range(3):
            venue.clock.advance(SETTLE)
            venue.arrive()
            world.account.deliver()
            await world.quiet(10)
            await world.desk.reconcile("main", "model")
            await world.quiet(10)
        assert await world.desk.reconcile("main", "model")
        await world.quiet(20)
        fills, _ = await world.desk.list_fills(size=1000)
        assert sorted(f.trade_id for f in fills) == sorted(f.trade_id for f in venue.tape)
        states, _ = await world.desk.list_orders(size=1000)
        by_id = {state.order.client_order_id: state.order for state in states}
        sums = Counter[str]()
        for fill in fills:
            sums[fill.client_order_id] += fill.quantity  # type: ignore[assignment]
        for id, truth in venue.orders.items():
            order = by_id.pop(id)
            assert (order.status, order.filled_quantity) == (truth.status, truth.filled), order
            assert order.filled_quantity == sums[id]
            assert not order.external
            assert not (order.cancel_requested and order.status not in FINAL)
        assert {order.status for order in by_id.values()} <= {OrderStatus.REJECTED}
        assert all(state.replacement is None for state in states)


DeskMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestDeskMachine = DeskMachine.TestCase


async def test_the_machine_can_tell_a_lie(tmp_path: Path) -> None:
    """A desk whose venue breaks its word on `settle_time` is caught by reconciliation."""
    world = World(tmp_path / "journal.sqlite")
    await world.start()
    await world.ready()
    world.account.script.append("late")
    id = (await world.desk.place("p1", request())).order.client_order_id
    world.venue.clock.advance(2 * SETTLE)
    await world.quiet(30)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.REJECTED
    world.venue.arrive()
    assert await world.desk.reconcile("main", "model")
    assert (await world.desk.get("main", id)).order.status is OrderStatus.OPEN
    await world.quiet()
    notices = [e.account_notice.kind for e in await world.events() if e.HasField("account_notice")]
    assert "difference" in notices
    await world.stop()


async def test_trading_waits_for_the_first_reconciliation(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.sqlite")
    world.venue.down = True
    await world.start()
    await world.quiet()
    with pytest.raises(Refused) as caught:
        await world.desk.place("p1", request())
    assert caught.value.reason is Reason.ACCOUNT_NOT_RECONCILED
    world.venue.down = False
    await world.ready()
    assert (await world.desk.place("p1", request())).order.status is OrderStatus.OPEN
    await world.stop()
