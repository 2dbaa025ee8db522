"""Accounts against a venue that misbehaves: nothing is sent twice, nothing is lost or invented."""

import json
import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from core.accounts import Balance
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.orders import Order, OrderStatus, OrderType, TimeInForce, advance
from core.ports import Health
from tests.integration.cex.conftest import REQUEST, Bench, order_of
from tests.support.binance_server import error
from tests.support.local_exchange import Answer, Seen

PLACE = "POST /api/v3/order"


async def test_an_order_lives_its_life(bench: Bench) -> None:
    await bench.connect_account()
    report = await bench.account.place(REQUEST)
    assert report.status is OrderStatus.OPEN
    order = advance(Order(REQUEST), report)
    assert [o.client_order_id for o in await bench.account.open_orders()] == ["CBTEXAMPLE1"]
    canceled = await bench.account.cancel(order)
    assert canceled.status is OrderStatus.CANCELED
    assert canceled.client_order_id == REQUEST.client_order_id
    assert await bench.account.open_orders() == []
    with pytest.raises(Rejected) as caught:
        await bench.account.cancel(order)
    assert caught.value.reason is Reason.ORDER_NOT_FOUND
    assert bench.account.condition.health is Health.READY


@pytest.mark.parametrize("way", ["hang", "drop", "garbage", "5xx", "429", "418", "-1007"])
@pytest.mark.parametrize("accepted", [True, False])
async def test_a_place_without_a_clear_answer_is_unconfirmed_and_can_be_asked_for(
    bench: Bench, way: str, accepted: bool
) -> None:
    answers = {
        "hang": Answer(hang=True),
        "drop": Answer(drop=True),
        "garbage": Answer(b'{"orderId": 1'),
        "5xx": Answer(b"<html>", 502),
        "429": error(-1003, "Too much request weight used.", 429, retry_after="1"),
        "418": error(-1003, "Way too much request weight used.", 418, retry_after="1"),
        "-1007": error(-1007, "Timeout waiting for response from backend server."),
    }
    bench.market.http._timeout = 0.3
    await bench.market.http.close()
    await bench.market.http.open()

    def place(order: dict[str, Any]) -> Answer:
        if accepted:
            bench.server.orders[order["clientOrderId"]] = order
        return answers[way]

    bench.server.place_mode = place
    with pytest.raises(Unconfirmed) as caught:
        await bench.account.place(REQUEST)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
    assert len(bench.exchange.asked(PLACE)) == 1  # never twice
    if way in ("429", "418"):
        assert caught.value.retry_after == 1_000_000_000
        with pytest.raises(Refused) as refused:  # the breaker: nothing leaves meanwhile
            await bench.account.place(replace(REQUEST, client_order_id="CBTEXAMPLE2"))
        assert refused.value.reason is Reason.RATE_LIMITED
        assert len(bench.exchange.asked(PLACE)) == 1
        bench.market.limiter._gate.paused_until = 0
    known = await bench.account.query(order_of())
    if accepted:
        assert known is not None
        assert known.status is OrderStatus.OPEN
    else:
        assert known is None  # the venue's own "no such order"
    assert bench.account.settle_time >= 5_000_000_000


async def test_an_unreachable_venue_refuses_because_nothing_was_sent(bench: Bench) -> None:
    bench.market.http._hosts["rest"] = "http://127.0.0.1:1"  # type: ignore[index]
    for call in (bench.account.place(REQUEST), bench.account.cancel(order_of())):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.reason is Reason.VENUE_UNAVAILABLE


async def test_could_not_ask_is_not_no_such_order(bench: Bench) -> None:
    bench.exchange.on("GET /api/v3/order", lambda seen: Answer(b"<html>", 503))
    with pytest.raises(CambistError) as caught:
        await bench.account.query(order_of())
    assert caught.value.reason is Reason.VENUE_UNAVAILABLE
    assert len(bench.exchange.asked("GET /api/v3/order")) == 3  # reads are repeated


async def test_a_burst_of_server_errors_is_survived_by_reads(bench: Bench) -> None:
    await bench.account.place(REQUEST)
    left = [Answer(b"", 500), Answer(drop=True)]
    original = bench.exchange._handlers["GET /api/v3/order"]

    def flaky(seen: Seen) -> Any:
        return left.pop() if left else original(seen)

    bench.exchange.on("GET /api/v3/order", flaky)
    assert await bench.account.query(order_of()) is not None


async def test_a_cancel_leaves_once_even_on_a_connection_that_the_venue_closed(
    bench: Bench,
) -> None:
    """aiohttp would repeat a DELETE by itself: for a cancel that is one request too many."""
    await bench.account.place(REQUEST)
    bench.exchange.on("DELETE /api/v3/order", lambda seen: Answer(drop=True))
    with pytest.raises(Unconfirmed):
        await bench.account.cancel(order_of())
    assert len(bench.exchange.asked("DELETE /api/v3/order")) == 1


async def test_a_wrong_clock_is_set_and_the_order_sent_once_more(bench: Bench) -> None:
    bench.server.skew_ms = 3_000  # the venue moved, or we did
    report = await bench.account.place(REQUEST)
    assert report.status is OrderStatus.OPEN
    assert len(bench.exchange.asked(PLACE)) == 1  # one second ahead is allowed, three behind too
    bench.server.skew_ms = -3_000
    report = await bench.account.place(replace(REQUEST, client_order_id="CBTEXAMPLE2"))
    assert report.status is OrderStatus.OPEN
    asked = bench.exchange.asked(PLACE)
    assert len(asked) == 3  # refused for its time, which proves that it did nothing, then accepted
    assert asked[1].params["newClientOrderId"] == asked[2].params["newClientOrderId"]
    assert abs(bench.market.offset.offset + 3_000_000_000) < 1_000_000_000
    assert len(bench.server.orders) == 2


async def test_a_clock_that_stays_wrong_ends_after_one_repetition(bench: Bench) -> None:
    text = "Timestamp for this request is outside of the recvWindow."
    bench.server.place_mode = lambda order: error(-1021, text)
    with pytest.raises(Rejected) as caught:
        await bench.account.place(REQUEST)
    assert caught.value.reason is Reason.CLOCK_SKEW
    assert len(bench.exchange.asked(PLACE)) == 2


async def test_a_machine_whose_clock_is_far_off_does_not_trade(bench: Bench) -> None:
    bench.server.skew_ms = 120_000
    await bench.market.reference.synchronize()
    bench.market.offset.reset()
    await bench.market.reference.synchronize()
    with pytest.raises(Refused) as caught:
        await bench.account.place(REQUEST)
    assert caught.value.reason is Reason.CLOCK_SKEW
    assert bench.exchange.asked(PLACE) == []
    assert bench.market.condition.health is Health.DEGRADED


async def test_a_fill_that_comes_before_the_acknowledgement(bench: Bench) -> None:
    await bench.connect_account()

    def place(order: dict[str, Any]) -> None:
        name = order["clientOrderId"]
        bench.server.orders[name] = dict(order)
        bench.server.fill(name, "0.1", "99.5")

    bench.server.place_mode = place
    report = await bench.account.place(REQUEST)
    await bench.exchange.until(bench.fills)
    assert len(bench.fills()) == 1
    order = Order(REQUEST)
    for said in (*bench.orders(), report):  # late acknowledgement last
        order = advance(order, said)
    assert order.status is OrderStatus.FILLED
    assert order.filled_quantity == Decimal("0.1")


async def test_fills_in_the_reply_go_to_the_sink_once(bench: Bench) -> None:
    await bench.connect_account()
    trade = {"price": "99", "qty": "0.1", "commission": "0", "commissionAsset": "BNB", "tradeId": 9}

    def place(order: dict[str, Any]) -> None:
        order |= {"status": "FILLED", "executedQty": "0.1", "fills": [trade]}

    bench.server.place_mode = place
    report = await bench.account.place(REQUEST)
    assert report.status is OrderStatus.FILLED
    assert [fill.trade_id for fill in bench.fills()] == ["9"]
    assert bench.orders() == []  # the report is the answer


async def test_a_stream_that_breaks_is_told_and_comes_back(bench: Bench) -> None:
    await bench.connect_account()
    bench.server.account_sockets[0].drop()
    await bench.exchange.until(lambda: bench.states() == [True, False, True], "the stream again")
    await bench.account.place(REQUEST)
    bench.server.fill(REQUEST.client_order_id, "0.1", "99.5")
    await bench.exchange.until(bench.fills)


async def test_a_subscription_that_ends_is_started_again(bench: Bench) -> None:
    await bench.connect_account()
    bench.server.report({"e": "eventStreamTerminated", "E": 1})
    await bench.exchange.until(lambda: bench.states() == [True, False, True])


async def test_an_account_event_that_cannot_be_understood_asks_for_reconciliation(
    bench: Bench,
) -> None:
    await bench.connect_account()
    await bench.account.place(REQUEST)
    order = bench.server.orders[REQUEST.client_order_id]
    event = bench.server.execution(order, "TRADE", X="A_NEW_STATE")
    bench.server.report(event)
    await bench.exchange.until(lambda: bench.states() == [True, False, True])
    assert "A_NEW_STATE" in bench.account.condition.reason
    assert bench.account.condition.health is Health.DEGRADED
    for _ in range(20):
        bench.server.report(event)  # a flood does not multiply it
    bench.server.fill(REQUEST.client_order_id, "0.1", "99.5")
    await bench.exchange.until(bench.fills)
    assert bench.states() == [True, False, True]
    assert len(bench.server.account_sockets) == 1


async def test_a_login_that_the_venue_refuses_is_a_reason_and_is_tried_again(bench: Bench) -> None:
    bench.server.login_error = (-2015, "Invalid API-key the-api-key, IP, or permissions.")
    await bench.account.start(bench.reports.append)
    await bench.exchange.until(lambda: "-2015" in bench.account.condition.reason)
    assert bench.account.condition.health is Health.DOWN
    assert "the-api-key" not in bench.account.condition.reason
    assert bench.states() == []
    bench.server.login_error = None
    await bench.exchange.until(lambda: bench.states() == [True])


async def test_a_login_refused_for_its_time_sets_the_clock(bench: Bench) -> None:
    bench.server.login_error = (-1021, "Timestamp for this request is outside of the recvWindow.")
    before = len(bench.exchange.asked("GET /api/v3/time"))
    await bench.account.start(bench.reports.append)
    await bench.exchange.until(lambda: len(bench.exchange.asked("GET /api/v3/time")) > before)
    bench.server.login_error = None
    await bench.exchange.until(lambda: bench.states() == [True])


async def test_balances_are_told(bench: Bench) -> None:
    await bench.connect_account()
    held = {balance.asset: balance for balance in await bench.account.balances()}
    assert held["USDT"].total == Decimal(1005)
    position = {"e": "outboundAccountPosition", "E": 1, "u": 1}
    bench.server.report({**position, "B": [{"a": "USDT", "f": "900.00", "l": "105.00"}]})
    await bench.exchange.until(lambda: [r for r in bench.reports if isinstance(r, Balance)])
    told = next(r for r in bench.reports if isinstance(r, Balance))
    assert (told.total, told.available) == (Decimal(1005), Decimal(900))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"quantity": Decimal("0.000001")}, Reason.ORDER_RULE_BROKEN),
        ({"price": Decimal("99.123")}, Reason.ORDER_RULE_BROKEN),
        ({"quantity": Decimal("0.01")}, Reason.ORDER_RULE_BROKEN),  # notional
        ({"instrument": "NO-SUCH"}, Reason.INSTRUMENT_NOT_FOUND),
        ({"reduce_only": True}, Reason.UNSUPPORTED_BY_VENUE),
        (
            {"type": OrderType.STOP_MARKET, "time_in_force": TimeInForce.FOK},
            Reason.UNSUPPORTED_BY_VENUE,
        ),
        ({"quantity": Decimal(100)}, Reason.INSUFFICIENT_BALANCE),
    ],
)
async def test_a_check_refuses_without_sending(
    bench: Bench, changed: dict[str, Any], reason: Reason
) -> None:
    await bench.account.check(REQUEST)
    with pytest.raises(Refused) as caught:
        await bench.account.check(replace(REQUEST, **changed))
    assert caught.value.reason is reason
    assert bench.exchange.asked(PLACE) == []


def replaced(bench: Bench, cancel: str, place: str, status: int, code: int | None = None) -> None:
    canceled = {
        "symbol": "BTCUSDT",
        "origClientOrderId": REQUEST.client_order_id,
        "orderId": 1,
        "clientOrderId": "c",
        "transactTime": 2,
        "price": "99.5",
        "origQty": "0.1",
        "executedQty": "0",
        "cummulativeQuoteQty": "0",
        "status": "CANCELED",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
    }
    placed = {**canceled, "clientOrderId": "CBTNEW", "orderId": 2, "status": "NEW", "fills": []}
    placed |= {"origQty": "0.2", "price": "98"}
    del placed["origClientOrderId"]
    fault = {"code": -2010, "msg": "Order would immediately match and take."}
    gone = {"code": -2011, "msg": "Unknown order sent."}
    data = {
        "cancelResult": cancel,
        "newOrderResult": place,
        "cancelResponse": canceled if cancel == "SUCCESS" else gone,
        "newOrderResponse": {"SUCCESS": placed, "FAILURE": fault}.get(place),
    }
    body = data if code is None else {"code": code, "msg": "failed", "data": data}
    bench.exchange.on(
        "POST /api/v3/order/cancelReplace", lambda seen: Answer(json.dumps(body).encode(), status)
    )


async def test_a_replacement_reports_both_orders(bench: Bench) -> None:
    await bench.connect_account()
    replaced(bench, "SUCCESS", "SUCCESS", 200)
    report = await bench.account.replace(order_of(), Decimal("0.2"), Decimal(98), "CBTNEW")
    assert (report.client_order_id, report.status) == ("CBTNEW", OrderStatus.OPEN)
    told = [(o.client_order_id, o.status) for o in bench.orders()]
    assert told == [(REQUEST.client_order_id, OrderStatus.CANCELED)]


async def test_a_replacement_whose_new_order_is_rejected_tells_that_the_old_one_is_gone(
    bench: Bench,
) -> None:
    await bench.connect_account()
    replaced(bench, "SUCCESS", "FAILURE", 409, -2021)
    with pytest.raises(Rejected) as caught:
        await bench.account.replace(order_of(), Decimal("0.2"), Decimal(98), "CBTNEW")
    assert caught.value.reason is Reason.POST_ONLY_WOULD_TAKE
    told = [(o.client_order_id, o.status) for o in bench.orders()]
    assert told == [(REQUEST.client_order_id, OrderStatus.CANCELED)]
    assert caught.value.metadata["replaced"] == "canceled"


async def test_a_replacement_of_an_order_that_is_gone_changes_nothing(bench: Bench) -> None:
    await bench.connect_account()
    replaced(bench, "FAILURE", "NOT_ATTEMPTED", 400, -2022)
    with pytest.raises(Rejected) as caught:
        await bench.account.replace(order_of(), Decimal("0.2"), Decimal(98), "CBTNEW")
    assert caught.value.reason is Reason.ORDER_NOT_FOUND
    assert bench.orders() == []


async def test_a_smaller_order_keeps_its_place_where_the_symbol_allows_it(bench: Bench) -> None:
    amended = {
        "transactTime": 5,
        "amendedOrder": {
            "symbol": "BTCUSDT",
            "orderId": 1,
            "origClientOrderId": REQUEST.client_order_id,
            "clientOrderId": REQUEST.client_order_id,
            "price": "99.5",
            "qty": "0.06",
            "executedQty": "0",
            "cumulativeQuoteQty": "0",
            "status": "NEW",
            "timeInForce": "GTC",
            "type": "LIMIT",
            "side": "BUY",
        },
    }
    amend = "PUT /api/v3/order/amend/keepPriority"
    bench.exchange.on(amend, json.dumps(amended).encode())
    report = await bench.account.replace(order_of(), Decimal("0.06"), Decimal("99.5"), "CBTNEW")
    assert (report.client_order_id, report.quantity) == (REQUEST.client_order_id, Decimal("0.06"))
    text = "Order amend is not supported for this symbol."
    bench.exchange.on(amend, lambda seen: error(-2038, text))
    replaced(bench, "SUCCESS", "SUCCESS", 200)
    report = await bench.account.replace(order_of(), Decimal("0.06"), Decimal("99.5"), "CBTNEW")
    assert report.client_order_id == "CBTNEW"


async def test_all_orders_are_canceled_instrument_by_instrument(bench: Bench) -> None:
    assert await bench.account.cancel_all(None) == []
    bench.exchange.on("DELETE /api/v3/openOrders", lambda seen: error(-2011, "Unknown order sent."))
    assert await bench.account.cancel_all("BTC-USDT") == []
    await bench.account.place(REQUEST)
    order = bench.server.orders[REQUEST.client_order_id]
    done = {**order, "status": "CANCELED", "origClientOrderId": REQUEST.client_order_id}
    bench.exchange.on("DELETE /api/v3/openOrders", json.dumps([done]).encode())
    reports = await bench.account.cancel_all(None)
    assert [(r.client_order_id, r.status) for r in reports] == [
        (REQUEST.client_order_id, OrderStatus.CANCELED)
    ]


async def test_fills_are_read_to_the_last_page(bench: Bench) -> None:
    day = 86_400_000
    now = bench.server.now()
    trades: list[dict[str, Any]] = [
        {
            "symbol": "BTCUSDT",
            "id": number,
            "orderId": 5,
            "price": "1",
            "qty": "1",
            "commission": "0",
            "commissionAsset": "BNB",
            "time": now - 3 * day + number,
            "isBuyer": True,
            "isMaker": True,
        }
        for number in range(2500)
    ]

    def answer(seen: Seen) -> Answer:
        params = seen.params
        if "fromId" in params:
            found = [t for t in trades if t["id"] >= int(params["fromId"])]
        else:
            start, end = int(params["startTime"]), int(params["endTime"])
            assert end - start < day
            found = [t for t in trades if start <= t["time"] <= end]
        return Answer(json.dumps(found[: int(params["limit"])]).encode())

    bench.exchange.on("GET /api/v3/myTrades", answer)
    since = (now - 6 * day) * 1_000_000
    fills = await bench.account.fills("BTC-USDT", since)
    assert [fill.trade_id for fill in fills] == [str(number) for number in range(2500)]
    everything = await bench.account.fills("BTC-USDT", 0)
    assert len(everything) == 2500


async def test_no_secret_is_shown_anywhere(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await bench.connect_account()
    bench.server.place_mode = lambda order: error(-2010, "the-secret-key and the-api-key are bad")
    with pytest.raises(Rejected) as caught:
        await bench.account.place(REQUEST)
    shown = f"{caught.value} {caught.value.metadata} {bench.account._credentials!r} {caplog.text}"
    assert "the-secret-key" not in shown
    assert "the-api-key" not in shown
    with pytest.raises(Refused) as missing:
        ExchangeAccount("x", bench.market, Credentials("", "the-secret-key"))
    assert missing.value.reason is Reason.FIELD_REQUIRED


async def test_a_key_that_cannot_sign_is_said_and_nothing_is_sent(bench: Bench) -> None:
    broken = Credentials("a-key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    account = ExchangeAccount("broken", bench.market, broken)
    with pytest.raises(Refused) as caught:
        await account.place(REQUEST)
    assert caught.value.reason is Reason.VENUE_AUTHENTICATION_FAILED
    assert "AAAA" not in str(caught.value)
    assert bench.exchange.asked(PLACE) == []
    await account.start(lambda report: None)
    await bench.exchange.until(lambda: account.condition.health is Health.DOWN)
    await account.stop()
