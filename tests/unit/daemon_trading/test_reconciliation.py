"""What the desk learns by itself: after a start, a reconnect, and from reports out of order."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cambist.v1 import events_pb2 as pb
from core.accounts import Balance, FundingPayment, Position, PositionSide
from core.clock import SECOND
from core.errors import CambistError, Reason, Refused
from core.orders import Fill, Liquidity, OrderReport, OrderStatus, Side
from core.ports import Capability, Health, VenueKind
from daemon.trading import DeskSettings
from tests.support.desks import EAGER, World
from tests.support.model_venue import (
    CAPABILITIES,
    INSTRUMENT,
    SETTLE,
    ModelAccount,
    ModelVenue,
    request,
)

D = Decimal


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "journal.sqlite")
    await made.start()
    await made.ready()
    yield made
    await made.stop()


async def told(world: World, kind: str) -> list[pb.Event]:
    await world.quiet()
    return [event for event in await world.events() if event.WhichOneof("payload") == kind]


async def again(world: World) -> None:
    """A restart, with the venue as it is."""
    await world.crash()
    await world.start()
    await world.ready()
    await world.quiet()


def balance(asset: str, total: str, **more: object) -> Balance:
    made = Balance("main", "model", asset, D(total), D(total))
    return replace(made, **more)  # type: ignore[arg-type]


async def test_what_happened_while_it_was_down_is_learnt(world: World) -> None:
    ids = [(await world.desk.place(f"r{n}", request())).order.client_order_id for n in range(3)]
    await world.crash()
    world.venue.trade(ids[0], D("0.5"))
    world.venue.trade(ids[1], D(1))
    world.venue.end(ids[2])
    await world.start()
    await world.ready()
    await world.quiet()
    orders = [(await world.desk.get("main", id)).order for id in ids]
    assert [order.status for order in orders] == [
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
    ]
    fills, _ = await world.desk.list_fills()
    assert {(fill.client_order_id, fill.quantity) for fill in fills} == {
        (ids[0], D("0.5")),
        (ids[1], D(1)),
    }


async def test_trades_of_others_while_it_was_down_are_learnt(world: World) -> None:
    """On an instrument that it trades: somebody used the account by hand."""
    await world.desk.place("r1", request())
    await world.crash()
    world.venue.accept(replace(request(), client_order_id="theirs"))
    fill = world.venue.trade("theirs", D(1))
    world.venue.outbox.clear()
    await world.start()
    await world.ready()
    fills, _ = await world.desk.list_fills()
    assert [one.trade_id for one in fills] == [fill.trade_id]


async def test_what_was_known_is_not_told_again(world: World) -> None:
    world.venue.holdings = [balance("USDT", "100")]
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D("0.5"))
    world.account.deliver()
    await world.quiet()
    orders, fills = await told(world, "order"), await told(world, "fill")
    for _ in range(3):
        await again(world)
        assert await world.desk.reconcile("main", "model")
    assert await told(world, "order") == orders
    assert await told(world, "fill") == fills


async def test_an_order_that_the_venue_forgot_ends(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D("0.25"))
    del world.venue.orders[id]
    world.venue.clock.advance(SETTLE)
    assert await world.desk.reconcile("main", "model")
    order = (await world.desk.get("main", id)).order
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELED, D("0.25"))
    assert order.reason == "the venue no longer knows the order"


@pytest.mark.parametrize("named", [True, False])
async def test_an_order_from_elsewhere_is_external(world: World, named: bool) -> None:
    venue = world.venue
    id = "theirs" if named else ""
    truth = venue.accept(replace(request(), client_order_id=id))
    venue.outbox.clear()
    assert await world.desk.reconcile("main", "model")
    states, _ = await world.desk.list_orders(open_only=True)
    (order,) = [state.order for state in states]
    assert order.external
    assert order.client_order_id == (id or f"external-{truth.venue_order_id}")
    # It can be canceled, and its fills are ours.
    venue.trade(id, D("0.5"))
    world.account.deliver()
    await world.quiet()
    state = await world.desk.cancel("c1", "main", order.client_order_id)
    assert (state.order.status, state.order.filled_quantity) == (OrderStatus.CANCELED, D("0.5"))
    await again(world)
    assert (await world.desk.get("main", order.client_order_id)).order.status is (
        OrderStatus.CANCELED
    )
    kinds = [event.account_notice.kind for event in await told(world, "account_notice")]
    assert kinds.count("external_order") == 1


async def test_a_report_of_an_unknown_order_asks_for_the_list(world: World) -> None:
    world.venue.accept(replace(request(), client_order_id="theirs"))
    world.account.deliver()
    await world.quiet(40)
    assert (await world.desk.get("main", "theirs")).order.external


async def test_a_trade_of_nobody_is_kept_as_a_fact(world: World) -> None:
    world.venue.accept(replace(request(), client_order_id="theirs"))
    fill = world.venue.trade("theirs", D(1))
    world.venue.outbox.clear()
    for _ in range(3):
        world.account.tell(fill)
    await world.quiet()
    await again(world)
    world.account.tell(fill)
    assert len(await told(world, "fill")) == 1
    fills, _ = await world.desk.list_fills(client_order_id="theirs")
    assert [one.trade_id for one in fills] == [fill.trade_id]


async def test_a_trade_that_the_venue_named_anew_is_known_by_its_own_id(world: World) -> None:
    mine = (await world.desk.place("r1", request())).order
    renamed = Fill(
        trade_id="5",
        venue="model",
        account="main",
        instrument=INSTRUMENT.id,
        client_order_id="stop-1",
        venue_order_id=mine.venue_order_id,
        side=request().side,
        price=D(100),
        quantity=D(1),
        fee=D(0),
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        event_time=world.venue.clock.now(),
    )
    other = replace(renamed, trade_id="6", side=Side.SELL)  # the id of another instrument's, say
    world.account.tell(other)
    world.account.tell(renamed)
    await world.quiet()
    fills, _ = await world.desk.list_fills()
    names = {fill.trade_id: fill.client_order_id for fill in fills}
    assert names == {"5": mine.client_order_id, "6": "stop-1"}
    assert (await world.desk.get("main", mine.client_order_id)).order.filled_quantity == 1


async def test_reports_with_only_the_venues_id_wait_for_the_acknowledgement(world: World) -> None:
    world.account.gate = asyncio.Event()
    placing = asyncio.create_task(world.desk.place("r1", request()))
    await world.until(lambda: world.venue.sent == ["place"])
    await world.quiet(3)
    world.account.tell(OrderReport("", OrderStatus.OPEN, venue_order_id="v1", event_time=1))
    fill = Fill(
        trade_id="t1",
        venue="model",
        account="main",
        instrument=INSTRUMENT.id,
        client_order_id="",
        venue_order_id="v1",
        side=request().side,
        price=D(100),
        quantity=D("0.5"),
        fee=D(0),
        fee_asset="USDT",
        liquidity=Liquidity.MAKER,
        event_time=world.venue.clock.now(),
    )
    other = replace(fill, trade_id="t2", side=Side.SELL, venue_order_id="v9")
    world.account.tell(fill)
    world.account.tell(other)  # the other side: it cannot be this order's
    await world.quiet()
    assert [event.fill.trade_id for event in await told(world, "fill")] == ["t2"]
    world.account.gate.set()
    state = await placing
    await world.quiet()
    state = await world.desk.of_request("main", "r1")
    assert state.order.filled_quantity == D("0.5")
    fills, _ = await world.desk.list_fills(client_order_id=state.order.client_order_id)
    assert [one.trade_id for one in fills] == ["t1"]


async def test_trading_is_refused_until_reconciled_and_cancels_pass(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    await world.crash()
    venue, world.venue.capabilities = world.venue, CAPABILITIES
    blocked = asyncio.Event()

    class Slow(ModelAccount):
        async def balances(self) -> list[Balance]:
            await blocked.wait()
            return []

    await world.start(account=Slow(venue))
    await world.quiet()
    assert world.desk.condition(world.account).health is Health.STARTING
    with pytest.raises(Refused) as caught:
        await world.desk.place("r2", request())
    assert caught.value.reason is Reason.ACCOUNT_NOT_RECONCILED
    assert caught.value.retry_after is not None
    assert (await world.desk.cancel("c1", "main", id)).order.status is OrderStatus.CANCELED
    blocked.set()
    await world.ready()
    await world.desk.place("r2", request())


async def test_a_reconnect_reconciles(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.account.connect(False)
    assert world.desk.condition(world.account).health is Health.DEGRADED
    world.venue.trade(id, D(1))
    world.venue.outbox.clear()
    world.account.connect()
    await world.quiet(40)
    assert (await world.desk.get("main", id)).order.status is OrderStatus.FILLED
    kinds = [event.account_notice.kind for event in await told(world, "account_notice")]
    assert kinds == ["reconciled", "disconnected", "connected"]


async def test_it_reconciles_on_a_timer(tmp_path: Path) -> None:
    settings = replace(EAGER, reconcile_interval=0.001)
    world = World(tmp_path / "journal.sqlite", settings=settings)
    await world.start()
    await world.ready()
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D(1))
    world.venue.outbox.clear()
    async with asyncio.timeout(10):
        while (await world.desk.get("main", id)).order.status is not OrderStatus.FILLED:
            await world.quiet(1)
    await world.stop()


async def test_balances_are_told_when_they_change(world: World) -> None:
    tell = world.account.tell
    tell(balance("USDT", "100", update_time=5))
    tell(balance("USDT", "100", update_time=6))
    tell(balance("USDT", "90", update_time=7))
    tell(balance("USDT", "100", update_time=6))  # late
    told_ = [event.balance.total for event in await told(world, "balance")]
    assert told_ == ["100", "90"]
    world.venue.holdings = [balance("BTC", "1")]
    assert await world.desk.reconcile("main", "model")
    told_ = [f"{e.balance.asset} {e.balance.total}" for e in await told(world, "balance")]
    assert told_ == ["USDT 100", "USDT 90", "BTC 1", "USDT 0"]


async def test_positions_are_told_when_a_trade_changes_them(tmp_path: Path) -> None:
    world = World(tmp_path / "journal.sqlite", ModelVenue(kind=VenueKind.PERPETUAL))
    await world.start()
    await world.ready()
    position = Position("main", "model", "BTC-USDT", PositionSide.NET, D(1), D(100))
    world.account.tell(replace(position, quantity=D(0)))
    world.account.tell(position)
    world.account.tell(replace(position, mark_price=D(101), unrealized_pnl=D(1)))
    world.account.tell(replace(position, quantity=D(-2)))
    assert await world.desk.reconcile("main", "model")  # the venue lists none
    quantities = [event.position.quantity for event in await told(world, "position")]
    assert quantities == ["1", "-2", "0"]
    await world.stop()


async def test_a_funding_payment_counts_once(world: World) -> None:
    payment = FundingPayment(
        "main", "model", "BTC-USDT", "f1", D("-0.5"), "USDT", D("0.0001"), 1_700_000_000
    )
    for _ in range(2):
        world.account.tell(payment)
        await world.quiet()
        await again(world)
    world.account.tell(payment)
    assert len(await told(world, "funding_payment")) == 1
    found, position = await world.desk.list_funding_payments(account="main")
    assert (list(found), position) == ([payment], "")


async def test_one_id_on_two_venues_is_two_accounts(world: World) -> None:
    other = ModelVenue(clock=world.venue.clock, id="other")
    account = ModelAccount(other)
    await world.add(account)
    await world.until(lambda: world.desk.condition(account).health is Health.READY)
    first = (await world.desk.place("r1", request())).order
    second = (await world.desk.place("r2", request(venue="other"))).order
    other.trade(second.client_order_id, D(1))
    account.deliver()
    await world.quiet()
    assert (await world.desk.get("main", first.client_order_id)).order.status is OrderStatus.OPEN
    assert (await world.desk.get("main", second.client_order_id)).order.status is (
        OrderStatus.FILLED
    )
    states, _ = await world.desk.list_orders(account="main", venue="other")
    assert [state.order for state in states] == [
        (await world.desk.get("main", second.client_order_id)).order
    ]
    await world.desk.close(account)
    with pytest.raises(Refused):
        await world.desk.place("r3", request(venue="other"))


async def test_a_bad_report_does_not_end_the_stream(world: World) -> None:
    id = (await world.desk.place("r1", request())).order.client_order_id
    fill = world.venue.trade(id, D(1))
    world.venue.outbox.clear()
    world.account.tell(replace(fill, event_time=2**70))
    world.account.tell(replace(fill, trade_id="x", price=D("NaN")))
    world.account.tell("nonsense")  # type: ignore[arg-type]
    await world.quiet(40)
    order = (await world.desk.get("main", id)).order
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, D(1))
    assert [e.fill.trade_id for e in await told(world, "fill")] == [fill.trade_id]


async def test_an_impossible_order_keeps_the_account_closed_and_the_journal_open(
    world: World,
) -> None:
    truth = world.venue.accept(replace(request(), client_order_id="theirs"))
    truth.update_time = 2**70
    assert not await world.desk.reconcile("main", "model")
    assert world.desk.condition(world.account).health is Health.STARTING
    assert world.journal.available
    truth.update_time = 7
    assert await world.desk.reconcile("main", "model")
    assert world.desk.condition(world.account).health is Health.READY


async def test_memory_is_bounded_and_old_orders_are_still_known(tmp_path: Path) -> None:
    settings = DeskSettings(
        resolve_delay=0, resolve_max_delay=0, reconcile_pause=0, final_orders=5, trade_ids=5
    )
    world = World(tmp_path / "journal.sqlite", settings=settings)
    await world.start()
    await world.ready()
    ids, fills = [], []
    for n in range(20):
        world.venue.clock.advance(1)
        id = (await world.desk.place(f"r{n}", request())).order.client_order_id
        ids.append(id)
        fills.append(world.venue.trade(id, D(1)))
        world.account.deliver()
    await world.quiet()
    ledger = world.desk._office.station("main", "model").ledger
    assert len(list(ledger.recent())) == 5
    assert ledger.open_orders() == []
    for fill in fills:  # all again
        world.account.tell(fill)
        world.account.tell(replace(fill, client_order_id=""))
    await world.quiet(40)
    assert len(await told(world, "fill")) == 20
    assert (await world.desk.place("r0", request())).order.client_order_id == ids[0]
    assert len(world.venue.placed) == 20
    await world.stop()


async def test_reports_that_find_no_room_are_learnt_later(tmp_path: Path) -> None:
    settings = replace(EAGER, inbox=3)
    world = World(tmp_path / "journal.sqlite", settings=settings)
    await world.start()
    await world.ready()
    for n in range(10):
        id = f"theirs{n}"
        world.venue.accept(replace(request(), client_order_id=id))
        world.venue.trade(id, D(1))
    ours = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(ours, D(1))
    world.account.deliver()
    assert world.desk.condition(world.account).health is Health.STARTING
    await world.until(lambda: world.desk.condition(world.account).health is Health.READY)
    assert (await world.desk.get("main", ours)).order.status is OrderStatus.FILLED
    await world.stop()


async def test_a_venue_that_tells_no_fills_is_not_asked(tmp_path: Path) -> None:
    venue = ModelVenue(capabilities=CAPABILITIES - {Capability.FILLS})
    world = World(tmp_path / "journal.sqlite", venue)
    await world.start()
    await world.ready()
    id = (await world.desk.place("r1", request())).order.client_order_id
    world.venue.trade(id, D(1))
    report = world.venue.orders[id].report()
    world.venue.outbox.clear()
    world.account.tell(report)
    notices = await told(world, "account_notice")
    assert [event.account_notice.kind for event in notices] == ["reconciled", "difference"]
    await world.stop()


class FundedAccount(ModelAccount):
    """One that can be asked for its funding payments."""

    def __init__(self, venue: ModelVenue, paid: list[FundingPayment]) -> None:
        super().__init__(venue)
        self.paid = paid
        self.asked: list[int] = []
        self.mute = False

    async def funding_payments(self, since: int) -> list[FundingPayment]:
        self.asked.append(since)
        if self.mute:
            raise CambistError(Reason.VENUE_UNAVAILABLE, "it does not answer")
        return [payment for payment in self.paid if payment.event_time >= since]


async def test_funding_payments_that_no_stream_told_are_asked_for(tmp_path: Path) -> None:
    venue = ModelVenue(kind=VenueKind.PERPETUAL)
    world = World(tmp_path / "journal.sqlite", venue)
    paid: list[FundingPayment] = []
    account = FundedAccount(venue, paid)
    await world.start(account=account)
    await world.ready()
    assert len(account.asked) == 1  # nothing from before is ours to tell
    began = venue.clock.now()
    venue.clock.advance(8 * 3600 * SECOND)
    payment = FundingPayment(
        "main", "model", "BTC-USDT", "f1", D("-0.5"), "USDT", D("0.0001"), venue.clock.now() - 1
    )
    paid.append(payment)
    account.mute = True  # that it cannot be asked keeps nobody from trading
    assert await world.desk.reconcile("main", "model")
    assert await told(world, "funding_payment") == []
    account.mute = False
    for _ in range(3):
        assert await world.desk.reconcile("main", "model")
        await world.quiet()  # when it was asked is written behind
    assert len(await told(world, "funding_payment")) == 1
    assert len(account.asked) == 3  # not in every round
    await world.crash()
    venue.clock.advance(700 * SECOND)
    again_ = FundedAccount(venue, paid)
    await world.start(account=again_)
    await world.ready()
    assert began < again_.asked[0] < payment.event_time
    assert len(await told(world, "funding_payment")) == 1
    await world.stop()
