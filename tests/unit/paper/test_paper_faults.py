"""Simulated faults: what is told, what is lost, and what is true all the same."""

from decimal import Decimal

import pytest

from cex.paper.account import PaperAccount
from cex.paper.faults import Fault, FaultKind
from core.clock import SECOND
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.orders import Fill, OrderReport, OrderStatus, Side
from core.ports import Health, StreamState
from tests.support.paper import Desk, named, request


@pytest.fixture
async def desk() -> Desk:
    return await Desk().start()


async def test_place_takes_effect_though_its_answer_is_lost(desk: Desk) -> None:
    a = desk.accounts["a"]
    kind = FaultKind.TIMEOUT_AFTER_EFFECT
    desk.exchange.faults.add(Fault(kind, account="a", operation="place"))
    with pytest.raises(Unconfirmed) as unknown:
        await a.place(request("1", Side.BUY, "1", "3000"))
    assert unknown.value.reason is Reason.OUTCOME_UNKNOWN
    found = await a.query(named("1"))
    assert found is not None
    assert found.status is OrderStatus.OPEN
    with pytest.raises(Rejected):  # sent again, it is recognised
        await a.place(request("1", Side.BUY, "1", "3000"))


async def test_cancel_and_replace_take_effect_though_their_answers_are_lost(desk: Desk) -> None:
    a, faults = desk.accounts["a"], desk.exchange.faults
    await a.place(request("1", Side.BUY, "1", "3000"))
    faults.add(Fault(FaultKind.TIMEOUT_AFTER_EFFECT, operation="replace"))
    with pytest.raises(Unconfirmed):
        await a.replace(named("1"), Decimal(2), Decimal(2900), "")
    changed = await a.query(named("1"))
    assert changed is not None
    assert (changed.quantity, changed.price) == (2, 2900)
    faults.add(Fault(FaultKind.TIMEOUT_AFTER_EFFECT, operation="cancel"))
    with pytest.raises(Unconfirmed):
        await a.cancel(named("1"))
    ended = await a.query(named("1"))
    assert ended is not None
    assert ended.status is OrderStatus.CANCELED


async def test_a_lost_request_has_no_effect(desk: Desk) -> None:
    a = desk.accounts["a"]
    desk.exchange.faults.add(Fault(FaultKind.TIMEOUT_WITHOUT_EFFECT, times=2))
    with pytest.raises(Unconfirmed):
        await a.place(request("1", Side.BUY, "1", "3000"))
    with pytest.raises(Unconfirmed):
        await a.query(named("1"))
    assert await a.query(named("1")) is None


async def test_a_rate_limit_is_proof_that_nothing_happened(desk: Desk) -> None:
    a = desk.accounts["a"]
    id = desk.exchange.faults.add(
        Fault(FaultKind.RATE_LIMIT, times=None, operation="place", retry_after=2 * SECOND)
    )
    for _ in range(3):
        with pytest.raises(Refused) as limited:
            await a.place(request("1", Side.BUY, "1", "3000"))
        assert limited.value.reason is Reason.RATE_LIMITED
        assert limited.value.retry_after == 2 * SECOND
    assert await a.query(named("1")) is None
    desk.exchange.faults.remove(id)
    desk.exchange.faults.remove(id)
    assert (await a.place(request("1", Side.BUY, "1", "3000"))).status is OrderStatus.OPEN


async def test_a_fault_may_strike_one_instrument_only(desk: Desk) -> None:
    a = desk.accounts["a"]
    kind = FaultKind.TIMEOUT_WITHOUT_EFFECT
    desk.exchange.faults.add(Fault(kind, operation="place", instrument="BTC-USDC"))
    await a.place(request("1", Side.BUY, "1", "3000"))
    desk.exchange.faults.add(Fault(kind, operation="place", instrument="ETH-USDC"))
    with pytest.raises(Unconfirmed):
        await a.place(request("2", Side.BUY, "1", "3000"))
    assert [fault.instrument for fault in desk.exchange.faults.active().values()] == ["BTC-USDC"]


async def test_a_dropped_fill_is_found_by_asking(desk: Desk) -> None:
    a, b = desk.accounts["a"], desk.accounts["b"]
    await a.place(request("1", Side.SELL, "1", "3000"))
    desk.exchange.faults.add(Fault(FaultKind.DROP_FILL, account="a"))
    await b.place(request("2", Side.BUY, "0.4", "3000", account="b"))
    assert [r for r in desk.heard["a"] if isinstance(r, Fill)] == []
    await b.place(request("3", Side.BUY, "0.6", "3000", account="b"))
    heard = [r for r in desk.heard["a"] if isinstance(r, Fill)]
    asked = await a.fills("ETH-USDC", 0)
    assert [fill.quantity for fill in asked] == [Decimal("0.4"), Decimal("0.6")]
    assert heard == list(asked)[1:]


async def test_a_report_comes_twice(desk: Desk) -> None:
    desk.exchange.faults.add(Fault(FaultKind.DUPLICATE_REPORT, account="a"))
    await desk.accounts["a"].place(request("1", Side.BUY, "1", "3000"))
    reports = [r for r in desk.heard["a"] if isinstance(r, OrderReport)]
    assert len(reports) == 2
    assert reports[0] == reports[1]


async def test_a_disconnected_stream_says_so_and_loses_what_happens(desk: Desk) -> None:
    a = desk.accounts["a"]
    id = desk.exchange.faults.add(Fault(FaultKind.DISCONNECT, account="a", times=None))
    assert desk.heard["a"][-1] == StreamState("a", False, "simulated disconnect")
    assert a.condition.health is Health.DEGRADED
    await a.place(request("1", Side.BUY, "1", "3000"))
    desk.exchange.faults.remove(id)
    assert [type(r) for r in desk.heard["a"]] == [StreamState] * 3
    assert desk.heard["a"][-1] == StreamState("a", True)
    assert [o.client_order_id for o in await a.open_orders()] == ["1"]
    assert len(desk.heard["b"]) == 1


async def test_a_counted_disconnect_ends_after_so_many_lost_reports(desk: Desk) -> None:
    a = desk.accounts["a"]
    desk.exchange.faults.add(Fault(FaultKind.DISCONNECT, account="a", times=2))
    await a.place(request("1", Side.BUY, "1", "3000"))  # an order report and a balance
    assert desk.heard["a"][-1] == StreamState("a", True)
    await a.cancel(named("1"))
    assert isinstance(desk.heard["a"][-2], OrderReport)


async def test_a_delay_comes_before_the_effect() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        assert await slow.open_orders() == []

    desk = Desk()
    slow = PaperAccount("a", desk.spot, desk.exchange, sleep=sleep)
    desk.exchange.faults.add(Fault(FaultKind.DELAY, operation="place", delay=SECOND // 4))
    await slow.place(request("1", Side.BUY, "1", "3000"))
    assert len(await slow.open_orders()) == 1
    assert waited == [0.25]


def test_faults_are_counted_listed_and_checked() -> None:
    faults = Desk().exchange.faults
    id = faults.add(Fault(FaultKind.RATE_LIMIT, account="a", times=2))
    assert faults.take(FaultKind.RATE_LIMIT, "paper", "b", "place") is None
    assert faults.take(FaultKind.RATE_LIMIT, "paper", "a", "place") is not None
    assert faults.active()[id].times == 1
    faults.clear()
    assert faults.active() == {}
    with pytest.raises(ValueError, match="times"):
        faults.add(Fault(FaultKind.RATE_LIMIT, times=0))


async def test_a_stopped_account_hears_nothing(desk: Desk) -> None:
    a = desk.accounts["a"]
    await a.stop()
    await a.place(request("1", Side.BUY, "1", "3000"))
    desk.exchange.faults.add(Fault(FaultKind.DISCONNECT, account="a", times=None))
    assert len(desk.heard["a"]) == 1
