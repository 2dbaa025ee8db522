"""What an account of the paper exchange sees: orders, money, reports, refusals."""

import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest

from cex.paper.markets import MARKETS
from core.accounts import Balance, FundingPayment, Position
from core.clock import SECOND
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.orders import Fill, Liquidity, OrderReport, OrderStatus, OrderType, Side, TimeInForce
from core.ports import StreamState
from tests.support.paper import Desk, named, perpetual, request


@pytest.fixture
async def desk() -> Desk:
    return await Desk().start()


async def test_two_accounts_trade_and_pay_their_fees(desk: Desk) -> None:
    a, b = desk.accounts["a"], desk.accounts["b"]
    rests = await a.place(request("1", Side.SELL, "2", "3000"))
    assert (rests.status, rests.filled_quantity) == (OrderStatus.OPEN, 0)
    assert desk.available("a", "ETH") == 28
    taken = await b.place(request("2", Side.BUY, "1.5", "3001", account="b"))
    assert (taken.status, taken.filled_notional) == (OrderStatus.FILLED, 4500)
    assert desk.total("a", "ETH") == Decimal("28.5")
    assert desk.total("a", "USDC") == 104500 - Decimal("2.25")  # 0.05 % of 4500
    assert desk.total("b", "ETH") == Decimal("31.5") - Decimal("0.0015")  # 0.1 % of 1.5
    assert desk.total("b", "USDC") == 95500
    fills = [report for report in desk.heard["a"] if isinstance(report, Fill)]
    assert [(f.price, f.quantity, f.fee, f.fee_asset, f.liquidity) for f in fills] == [
        (3000, Decimal("1.5"), Decimal("2.25"), "USDC", Liquidity.MAKER)
    ]
    assert await a.fills("ETH-USDC", 0) == fills
    query = await a.query(named("1"))
    assert query is not None
    assert (query.status, query.filled_quantity) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal("1.5"),
    )


async def test_reports_tell_connection_order_and_balance(desk: Desk) -> None:
    await desk.accounts["a"].place(request("1", Side.BUY, "1", "3000"))
    connected, order, balance = desk.heard["a"]
    assert connected == StreamState("a", True)
    assert isinstance(order, OrderReport)
    assert order.status is OrderStatus.OPEN
    assert isinstance(balance, Balance)
    assert (balance.asset, balance.total, balance.available) == ("USDC", 100_000, 97_000)


async def test_a_client_order_id_serves_once_for_ever(desk: Desk) -> None:
    a = desk.accounts["a"]
    order = request("1", Side.BUY, "1", "3000")
    await a.place(order)
    for _ in range(2):  # while it is open, and when it is final
        with pytest.raises(Rejected) as refused:
            await a.place(order)
        assert refused.value.reason is Reason.ORDER_REJECTED
        assert refused.value.metadata["venue_code"] == "DUPLICATE_CLIENT_ORDER_ID"
        if (await a.open_orders()) != []:
            await a.cancel(named("1"))
    await desk.accounts["b"].place(replace(order, account="b"))  # another account's ids are free


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": Decimal("3000.001")}, Reason.ORDER_RULE_BROKEN),
        ({"quantity": Decimal("0.00001")}, Reason.ORDER_RULE_BROKEN),
        ({"quantity": Decimal("0.001")}, Reason.ORDER_RULE_BROKEN),  # 3 USDC
        ({"quantity": Decimal("NaN")}, Reason.ORDER_RULE_BROKEN),
        ({"quantity": Decimal("-1")}, Reason.ORDER_RULE_BROKEN),
        ({"price": Decimal(0)}, Reason.ORDER_RULE_BROKEN),
        ({"price": None}, Reason.ORDER_RULE_BROKEN),
        ({"type": OrderType.MARKET}, Reason.ORDER_RULE_BROKEN),
        ({"trigger_price": Decimal(2900)}, Reason.ORDER_RULE_BROKEN),
        ({"type": OrderType.STOP_LIMIT}, Reason.ORDER_RULE_BROKEN),
        ({"max_slippage": Decimal("0.1")}, Reason.ORDER_RULE_BROKEN),
        ({"client_order_id": ""}, Reason.ORDER_RULE_BROKEN),
        ({"client_order_id": "x" * 65}, Reason.ORDER_RULE_BROKEN),
        ({"reduce_only": True}, Reason.UNSUPPORTED_BY_VENUE),
        ({"instrument": "ETH-EUR"}, Reason.INSTRUMENT_NOT_FOUND),
        ({"instrument": "ETH-USDT-PERP"}, Reason.INSTRUMENT_NOT_FOUND),
        ({"quantity": Decimal(40)}, Reason.INSUFFICIENT_BALANCE),
    ],
)
async def test_what_is_wrong_is_refused_before_and_rejected_after_sending(
    desk: Desk, changes: dict[str, object], reason: Reason
) -> None:
    order = replace(request("1", Side.BUY, "1", "3000"), **changes)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        await desk.accounts["a"].check(order)
    assert refused.value.reason is reason
    with pytest.raises(Rejected) as rejected:
        await desk.accounts["a"].place(order)
    assert rejected.value.reason is reason
    assert await desk.accounts["a"].query(named(order.client_order_id)) is None
    assert desk.available("a", "USDC") == 100_000
    assert len(desk.heard["a"]) == 1


async def test_an_order_of_another_account_or_venue_is_refused(desk: Desk) -> None:
    for changes in ({"account": "b"}, {"venue": "paper_perpetual"}):
        with pytest.raises(Refused):
            await desk.accounts["a"].place(request("1", Side.BUY, "1", "3000", **changes))


async def test_a_market_order_expires_when_the_book_is_empty(desk: Desk) -> None:
    await desk.accounts["b"].place(request("1", Side.SELL, "1", "3000", account="b"))
    report = await desk.accounts["a"].place(request("2", Side.BUY, "3", None))
    assert (report.status, report.filled_quantity) == (OrderStatus.EXPIRED, 1)
    assert "no more quantity" in report.reason


async def test_a_market_order_keeps_within_its_slippage(desk: Desk) -> None:
    b = desk.accounts["b"]
    for id, price in (("1", "3000"), ("2", "3015"), ("3", "3030.01")):
        await b.place(request(id, Side.SELL, "1", price, account="b"))
    order = request("4", Side.BUY, "3", None, max_slippage=Decimal("0.01"))
    report = await desk.accounts["a"].place(order)
    assert (report.status, report.filled_quantity) == (OrderStatus.EXPIRED, 2)
    assert "max_slippage" in report.reason


async def test_a_market_buy_that_cannot_be_paid_is_rejected(desk: Desk) -> None:
    await desk.accounts["b"].place(request("1", Side.SELL, "30", "3400", account="b"))
    with pytest.raises(Rejected) as rejected:
        await desk.accounts["a"].place(request("2", Side.BUY, "30", None))
    assert rejected.value.reason is Reason.INSUFFICIENT_BALANCE


async def test_cancel_frees_the_money_and_happens_once(desk: Desk) -> None:
    a = desk.accounts["a"]
    await a.place(request("1", Side.BUY, "1", "3000"))
    report = await a.cancel(named("1"))
    assert report.status is OrderStatus.CANCELED
    assert desk.available("a", "USDC") == 100_000
    with pytest.raises(Rejected) as final:
        await a.cancel(named("1"))
    assert final.value.reason is Reason.ORDER_FINAL
    with pytest.raises(Rejected) as unknown:
        await a.cancel(named("2"))
    assert unknown.value.reason is Reason.ORDER_NOT_FOUND


async def test_cancel_all_by_instrument_and_of_everything(desk: Desk) -> None:
    a = desk.accounts["a"]
    await a.place(request("1", Side.BUY, "1", "3000"))
    await a.place(request("2", Side.BUY, "1", "3000"))
    await a.place(request("3", Side.BUY, "1", "3000", instrument="ETH-USDT"))
    canceled = await a.cancel_all("ETH-USDC")
    assert [report.client_order_id for report in canceled] == ["1", "2"]
    assert [report.client_order_id for report in await a.cancel_all(None)] == ["3"]
    assert await a.cancel_all(None) == []


async def test_replace_changes_the_order_and_its_reservation(desk: Desk) -> None:
    a = desk.accounts["a"]
    await a.place(request("1", Side.BUY, "2", "3000"))
    await desk.accounts["b"].place(request("2", Side.SELL, "0.5", "3000", account="b"))
    report = await a.replace(named("1"), Decimal(4), Decimal(2000), "ignored")
    assert (report.client_order_id, report.quantity, report.price) == ("1", 4, 2000)
    assert desk.available("a", "USDC") == 98_500 - 7_000
    for quantity, price, reason in (
        ("0.5", "2000", Reason.ORDER_RULE_BROKEN),
        ("4", "2000.001", Reason.ORDER_RULE_BROKEN),
        ("400", "2000", Reason.INSUFFICIENT_BALANCE),
    ):
        with pytest.raises(Rejected) as rejected:
            await a.replace(named("1"), Decimal(quantity), Decimal(price), "")
        assert rejected.value.reason is reason
    assert desk.available("a", "USDC") == 91_500


async def test_replace_may_trade(desk: Desk) -> None:
    await desk.accounts["b"].place(request("1", Side.SELL, "1", "3000", account="b"))
    await desk.accounts["a"].place(request("2", Side.BUY, "3", "2900"))
    report = await desk.accounts["a"].replace(named("2"), Decimal(2), Decimal(3000), "")
    assert (report.status, report.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, 1)
    assert desk.available("a", "USDC") == 94_000


async def test_an_order_never_meets_one_of_its_own_account(desk: Desk) -> None:
    a = desk.accounts["a"]
    await a.place(request("1", Side.SELL, "1", "3000"))
    report = await a.place(request("2", Side.BUY, "1", "3000"))
    assert (report.status, report.filled_quantity) == (OrderStatus.EXPIRED, 0)
    assert "self-trade" in report.reason
    assert [order.client_order_id for order in await a.open_orders()] == ["1"]
    assert desk.available("a", "USDC") == 100_000


@pytest.mark.parametrize(
    ("type_", "side", "trigger", "moves_to"),
    [
        (OrderType.STOP_MARKET, Side.SELL, "2990", "2990"),
        (OrderType.STOP_MARKET, Side.BUY, "3010", "3010"),
        (OrderType.TAKE_PROFIT_MARKET, Side.SELL, "3010", "3010"),
        (OrderType.TAKE_PROFIT_MARKET, Side.BUY, "2990", "2990"),
    ],
)
async def test_stops_wait_for_the_last_price(
    desk: Desk, type_: OrderType, side: Side, trigger: str, moves_to: str
) -> None:
    a, b = desk.accounts["a"], desk.accounts["b"]

    async def trade(id: str, price: str) -> None:
        """Trades 0.1 at a price, with depth left on both sides of it."""
        third = Side.BUY if side is Side.SELL else Side.SELL
        await b.place(request(f"{id}1", third, "5", price, account="b"))
        other = Side.SELL if third is Side.BUY else Side.BUY
        order = request(f"{id}2", other, "0.1", price, client_order_id=f"{id}2")
        await a.place(order)

    await trade("x", "3000")
    await b.cancel_all(None)
    stop = request(
        "s", side, "1", None, type=type_, trigger_price=Decimal(trigger), instrument="ETH-USDC"
    )
    waiting = await a.place(stop)
    assert waiting.status is OrderStatus.OPEN
    assert desk.available("a", "ETH") == desk.total("a", "ETH")  # nothing is reserved yet
    await trade("y", moves_to)
    report = await a.query(named("s"))
    assert report is not None
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, 1)


async def test_a_stop_limit_rests_once_triggered_and_expires_without_balance(desk: Desk) -> None:
    a, b = desk.accounts["a"], desk.accounts["b"]
    kind = OrderType.STOP_LIMIT
    rests = request("r", Side.BUY, "1", "3005", type=kind, trigger_price=Decimal(3010))
    poor = request("p", Side.BUY, "33", "3004", type=kind, trigger_price=Decimal(3010))
    await a.place(rests)
    await a.place(poor)
    await b.place(request("1", Side.SELL, "1", "3010", account="b"))
    await a.place(request("2", Side.BUY, "1", "3010"))
    after = await a.query(named("r"))
    assert after is not None
    assert after.status is OrderStatus.OPEN
    assert desk.available("a", "USDC") == 100_000 - 3_010 - 3_005
    expired = await a.query(named("p"))
    assert expired is not None
    assert (expired.status, expired.filled_quantity) == (OrderStatus.EXPIRED, 0)
    assert "needs" in expired.reason


async def test_a_stop_whose_price_has_passed_triggers_at_once(desk: Desk) -> None:
    a, b = desk.accounts["a"], desk.accounts["b"]
    await b.place(request("1", Side.BUY, "2", "2900", account="b"))
    await a.place(request("2", Side.SELL, "1", "2900"))
    late = request(
        "3", Side.SELL, "1", None, type=OrderType.STOP_MARKET, trigger_price=Decimal(2950)
    )
    assert (await a.place(late)).status is OrderStatus.FILLED


async def test_positions_open_close_and_free_their_margin(desk: Desk) -> None:
    p, q = desk.accounts["p"], desk.accounts["q"]
    await q.place(perpetual("1", Side.SELL, "2", "3060", account="q"))
    await p.place(perpetual("2", Side.BUY, "2", None))
    (position,) = await p.positions()
    assert (position.quantity, position.entry_price, position.margin) == (2, 3060, 612)
    assert [r.quantity for r in desk.heard["q"] if isinstance(r, Position)] == [-2]
    assert desk.available("p", "USDT") == 100_000 - Decimal("3.06") - 612
    with pytest.raises(Rejected) as too_much:
        await p.place(perpetual("3", Side.SELL, "3", "3100", reduce_only=True))
    assert too_much.value.reason is Reason.REDUCE_ONLY_WOULD_INCREASE
    await p.place(perpetual("4", Side.SELL, "2", "3100", reduce_only=True))
    await q.place(perpetual("5", Side.BUY, "2", "3100", account="q"))
    assert await p.positions() == []
    assert desk.total("p", "USDT") == 100_000 - Decimal("3.06") + 80 - Decimal("1.24")
    assert desk.available("p", "USDT") == desk.total("p", "USDT")


async def test_a_reduce_only_order_ends_with_its_position(desk: Desk) -> None:
    p, q = desk.accounts["p"], desk.accounts["q"]
    await q.place(perpetual("1", Side.SELL, "1", "3060", account="q"))
    await p.place(perpetual("2", Side.BUY, "1", "3060"))
    await p.place(perpetual("3", Side.SELL, "1", "3500", reduce_only=True))
    await q.place(perpetual("4", Side.BUY, "1", "3060", account="q"))
    await p.place(perpetual("5", Side.SELL, "1", "3060"))
    report = await p.query(named("3"))
    assert report is not None
    assert report.status is OrderStatus.EXPIRED


async def test_funding_is_paid_at_mark_between_long_and_short() -> None:
    desk = await Desk(funding_interval=60 * SECOND).start()
    p, q = desk.accounts["p"], desk.accounts["q"]
    await q.place(perpetual("1", Side.SELL, "2", "3060", account="q"))
    await p.place(perpetual("2", Side.BUY, "2", "3060"))
    before = desk.total("p", "USDT"), desk.total("q", "USDT")
    instrument = desk.futures.instruments["ETH-USDT-PERP"]
    due = await desk.futures.funding(instrument)
    desk.exchange.step()
    assert desk.total("p", "USDT") == before[0]
    desk.clock.advance(due.next_time - desk.clock.now())
    desk.exchange.step()
    now = await desk.futures.funding(instrument)
    payments = [r for r in desk.heard["p"] if isinstance(r, FundingPayment)]
    (payment,) = payments
    assert payment.rate is not None
    assert payment.amount == -2 * now.mark_price * payment.rate != 0
    assert desk.total("p", "USDT") == before[0] + payment.amount
    assert desk.total("q", "USDT") == before[1] - payment.amount
    assert now.next_time == due.next_time + 60 * SECOND
    desk.exchange.step()
    assert len([r for r in desk.heard["p"] if isinstance(r, FundingPayment)]) == 1
    assert await p.funding_payments(0) == payments


async def test_a_position_without_margin_is_closed_at_mark() -> None:
    moving = tuple(
        replace(m, motion=replace(m.motion, levels=0, taker_chance=0, volatility=20_000))
        for m in MARKETS
    )
    desk = await Desk(markets=moving).start()
    p, q = desk.accounts["p"], desk.accounts["q"]
    await p.set_leverage(desk.futures.instruments["ETH-USDT-PERP"], 50)
    await q.set_leverage(desk.futures.instruments["ETH-USDT-PERP"], 50)
    await q.place(perpetual("1", Side.SELL, "1000", "3060", account="q"))
    await p.place(perpetual("2", Side.BUY, "1000", "3060"))
    await p.place(perpetual("3", Side.SELL, "1", "9000"))
    losers: list[Fill] = []
    for _ in range(200):
        desk.exchange.step()
        heard = desk.heard["p"] + desk.heard["q"]
        losers = [r for r in heard if isinstance(r, Fill) and r.details]
        if losers:
            break
    fill = losers[0]
    assert fill.details == {"liquidation": "true"}
    assert fill.quantity == 1000
    assert fill.fee == fill.price * 1000 * Decimal("0.005")
    account = desk.accounts[fill.account]
    assert await account.positions() == []
    assert await account.open_orders() == []
    assert desk.total(fill.account, "USDT") >= 0
    assert desk.exchange.pits["ETH-USDT-PERP"].engine.positions[fill.account] == 0
    report = await account.query(named(fill.client_order_id))
    assert report is not None
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, 1000)


async def test_leverage_is_bounded(desk: Desk) -> None:
    instrument = desk.futures.instruments["ETH-USDT-PERP"]
    for leverage in (0, 51):
        with pytest.raises(Rejected):
            await desk.accounts["p"].set_leverage(instrument, leverage)
    with pytest.raises(Rejected):
        await desk.accounts["a"].set_leverage(instrument, 2)
    await desk.accounts["p"].set_leverage(instrument, 50)
    (position,) = [r for r in desk.heard["p"] if isinstance(r, Position)]
    assert position.leverage == 50


async def test_open_orders_are_bounded(desk: Desk) -> None:
    a = desk.accounts["a"]
    for number in range(500):
        await a.place(request(str(number), Side.BUY, "0.01", "1000"))
    with pytest.raises(Rejected) as full:
        await a.place(request("more", Side.BUY, "0.01", "1000"))
    assert full.value.reason is Reason.ORDER_RULE_BROKEN


async def test_what_could_not_be_written_has_not_happened(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = desk.accounts["a"]
    await a.place(request("1", Side.BUY, "1", "3000"))
    heard = len(desk.heard["a"])

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(desk.exchange.clearing.store, "write", broken)
        with pytest.raises(Unconfirmed):
            await a.place(request("2", Side.BUY, "1", "3000"))
        with pytest.raises(Unconfirmed):
            await a.cancel(named("1"))
    assert await a.query(named("2")) is None
    assert [order.client_order_id for order in await a.open_orders()] == ["1"]
    assert desk.available("a", "USDC") == 97_000
    assert len(desk.heard["a"]) == heard
    report = await desk.accounts["b"].place(request("3", Side.SELL, "1", "3000", account="b"))
    assert report.status is OrderStatus.FILLED


async def test_an_unreadable_file_proves_nothing_and_heals(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = desk.accounts["a"]
    await a.place(request("1", Side.BUY, "1", "3000"))

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        for name in ("write", "open_orders", "order", "has_order"):
            patch.setattr(desk.exchange.clearing.store, name, broken)
        for _ in range(2):
            with pytest.raises(Unconfirmed) as unknown:
                await a.cancel(named("1"))
            assert unknown.value.reason is Reason.VENUE_UNAVAILABLE
        with pytest.raises(Unconfirmed):
            await a.query(named("2"))  # not "no such order"
        with pytest.raises(Unconfirmed):
            await a.open_orders()  # not "none"
    assert [order.client_order_id for order in await a.open_orders()] == ["1"]
    assert (await a.cancel(named("1"))).status is OrderStatus.CANCELED


async def test_fok_and_ioc_leave_nothing_in_the_book(desk: Desk) -> None:
    await desk.accounts["b"].place(request("1", Side.SELL, "1", "3000", account="b"))
    a = desk.accounts["a"]
    killed = await a.place(request("2", Side.BUY, "2", "3000", time_in_force=TimeInForce.FOK))
    assert (killed.status, killed.filled_quantity) == (OrderStatus.EXPIRED, 0)
    part = await a.place(request("3", Side.BUY, "2", "3000", time_in_force=TimeInForce.IOC))
    assert (part.status, part.filled_quantity) == (OrderStatus.EXPIRED, 1)
    assert await a.open_orders() == []
    await desk.accounts["b"].place(request("4", Side.SELL, "1", "2000", account="b"))
    with pytest.raises(Rejected) as takes:
        await a.place(request("5", Side.BUY, "1", "2000", time_in_force=TimeInForce.POST_ONLY))
    assert takes.value.reason is Reason.POST_ONLY_WOULD_TAKE


async def test_fee_rates_and_balances_are_told(desk: Desk) -> None:
    rates = await desk.accounts["a"].fee_rates(desk.spot.instruments["ETH-USDC"])
    assert (rates.maker, rates.taker) == (Decimal("0.0005"), Decimal("0.001"))
    held = {balance.asset: balance.total for balance in await desk.accounts["a"].balances()}
    assert held == {"USDT": 100_000, "USDC": 100_000, "BTC": 2, "ETH": 30, "AVAX": 500, "SOL": 100}
