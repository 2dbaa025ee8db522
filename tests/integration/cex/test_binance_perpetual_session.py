"""Binance's perpetuals over real connections: an account by its listen key, orders that wait for
their trigger apart from the book, modes that are asked for, and what events only hint at."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.accounts import exchange_account
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.spec import VenueSpec
from cex.engine.timed import TimedAccount
from cex.venues.binance_perpetual import VENUE
from core.accounts import Balance, FundingPayment, MarginMode, Position, PositionMode
from core.clock import MILLISECOND, SECOND, SystemClock
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, StreamState
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

D = Decimal
LIMIT = OrderRequest("CBTONE", "main", "binance_perpetual", "BTC-USDT-PERP", Side.BUY,
                     OrderType.LIMIT, D("0.01"), D("52000.1"))  # fmt: skip
STOP = replace(LIMIT, client_order_id="CBTSTOP", side=Side.SELL, type=OrderType.STOP_MARKET,
               price=None, trigger_price=D(48000), reduce_only=True)  # fmt: skip
WAITING = Order(STOP, OrderStatus.OPEN)
REST_ONLY = replace(VENUE, entry=None)


def case(kind: str, name: str) -> Any:
    """A payload of the fixtures."""
    found = next(c for c in load("binance_perpetual").cases(kind) if c["name"] == name)
    return json.loads(payload(found))


def row(name: str, **changed: Any) -> bytes:
    """A reply of the fixtures, of our order."""
    return json.dumps({**case("replies", name), "symbol": "BTCUSDT", **changed}).encode()


def event(name: str, **changed: Any) -> bytes:
    """An event of the fixtures, of our order."""
    told = case("frames", name)
    told = told.get("data", told)
    return json.dumps({**told, "o": {**told["o"], "s": "BTCUSDT", **changed}}).encode()


@dataclass
class Session:
    exchange: LocalExchange
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)

    def told(self, kind: type) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    def states(self) -> list[bool]:
        return [state.connected for state in self.told(StreamState)]

    def streams(self) -> list[Socket]:
        return [s for s in self.exchange.sockets if s.path.startswith("/private/")]

    def asked(self, what: str) -> list[dict[str, str]]:
        return [seen.params for seen in self.exchange.asked(what)]


@asynccontextmanager
async def opened(spec: VenueSpec, connect: bool = True) -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        keys = iter(range(1, 100))
        now = SystemClock().now() // MILLISECOND
        instruments = case(
            "replies", "instruments: one to trade, one that settles, one of stocks, one with an end"
        )
        other = {**instruments["symbols"][0], "symbol": "BNBUSDT", "baseAsset": "BNB"}
        instruments["symbols"].append(other)
        exchange.on("GET /fapi/v1/time", json.dumps({"serverTime": now}).encode())
        exchange.on("GET /fapi/v1/exchangeInfo", json.dumps(instruments).encode())
        exchange.on(
            "POST /fapi/v1/listenKey",
            lambda seen: Answer(json.dumps({"listenKey": f"key{next(keys)}"}).encode()),
        )
        exchange.on("PUT /fapi/v1/listenKey", b"{}")
        exchange.on("GET /fapi/v1/positionSide/dual", b'{"dualSidePosition": false}')
        hosts = {"rest": exchange.http, "stream": exchange.ws, "ws_api": exchange.ws}
        market = ExchangeVenue(spec, SystemClock(), hosts)
        account = exchange_account("main", market, Credentials("the-api-key", "the-secret-key"))
        found = Session(exchange, account)

        def on_frame(socket: Socket, raw: bytes) -> None:
            asked = json.loads(raw)
            found.commands.append(asked)
            result = case("replies", "a take-profit" if "algo" in asked["method"] else "a cancel")
            result["clientAlgoId"] = asked["params"].get("clientAlgoId", "")
            result["clientOrderId"] = asked["params"].get("origClientOrderId", "")
            socket.send(json.dumps({"id": asked["id"], "status": 200, "result": result}).encode())

        exchange.on_frame = on_frame
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        if connect:
            await account.start(found.reports.append)
            await exchange.until(lambda: found.states() == [True], "the account's stream")
        yield found
        await account.stop()
        await market.stop()


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with opened(REST_ONLY) as found:
        yield found


async def test_events_come_by_a_key_and_a_key_that_expired_is_replaced(session: Session) -> None:
    (stream,) = session.streams()
    assert stream.path == "/private/ws/key1"
    stream.send(event("a trade of ours", c="CBTONE"))
    await session.exchange.until(lambda: session.told(Fill), "a fill")
    (fill,) = session.told(Fill)
    assert (fill.client_order_id, fill.quantity, fill.fee) == ("CBTONE", D("0.004"), D("0.015856"))
    stream.send(json.dumps(case("frames", "the listen key expired")).encode())
    await session.exchange.until(lambda: session.states() == [True, False, True], "the stream")
    (stream,) = session.streams()
    assert stream.path == "/private/ws/key2"


async def test_a_key_is_kept_alive_until_the_venue_does_not_know_it() -> None:
    stream = replace(VENUE.private.stream, keep_interval=SECOND // 20)
    spec = replace(REST_ONLY, private=replace(VENUE.private, stream=stream))
    async with opened(spec) as session:
        keep = "PUT /fapi/v1/listenKey"
        await session.exchange.until(lambda: len(session.asked(keep)) >= 3, "words for the key")
        assert session.states() == [True]
        gone = b'{"code": -1125, "msg": "This listenKey does not exist."}'
        session.exchange.on(keep, lambda seen: Answer(gone, 400))
        await session.exchange.until(lambda: session.states()[:2] == [True, False], "its end")
        session.exchange.on(keep, b"{}")
        await session.exchange.until(lambda: session.states()[-1], "the stream again")
        await session.exchange.until(session.streams, "its connection")
        assert session.streams()[0].path != "/private/ws/key1"


async def test_a_stop_waits_apart_then_becomes_an_order_of_the_book(session: Session) -> None:
    exchange = session.exchange
    placed = row("a take-profit", clientAlgoId="CBTSTOP", orderType="STOP_MARKET", actualOrderId="")
    exchange.on("POST /fapi/v1/algoOrder", placed)
    said = await session.account.place(STOP)
    # What it is called there until it triggers is no order of the book.
    assert (said.status, said.venue_order_id) == (OrderStatus.OPEN, "")
    (asked,) = session.asked("POST /fapi/v1/algoOrder")
    assert (asked["clientAlgoId"], asked["triggerPrice"]) == ("CBTSTOP", "48000")
    (stream,) = session.streams()
    stream.send(event("a stop has become an order", caid="CBTSTOP", ai="77", q="0.01"))
    stream.send(
        event("a trade of ours", c="CBTSTOP", i=77, S="SELL", X="FILLED", z="0.01", l="0.01"),
        event("what a stop has become is over: the order tells", caid="CBTSTOP", ai="77"),
    )
    await exchange.until(lambda: session.told(Fill), "the fill")
    reports = session.told(OrderReport)
    assert [(r.client_order_id, r.venue_order_id, r.status) for r in reports] == [
        ("CBTSTOP", "77", OrderStatus.OPEN),
        ("CBTSTOP", "77", OrderStatus.FILLED),
    ]


async def test_what_has_triggered_is_asked_for_where_it_is_now(session: Session) -> None:
    exchange = session.exchange
    told = "an order that was triggered and not filled"
    exchange.on("GET /fapi/v1/algoOrder", row(told, clientAlgoId="CBTSTOP", actualOrderId="77"))
    exchange.on("GET /fapi/v1/order", row("what it became", clientOrderId="CBTSTOP", orderId=77))
    said = await session.account.query(WAITING)
    assert said is not None
    assert (said.venue_order_id, said.status) == ("77", OrderStatus.OPEN)
    (asked,) = session.asked("GET /fapi/v1/order")
    assert asked["orderId"] == "77"
    # An order that the book no longer has is what its trigger's record says.
    unknown = Answer(b'{"code": -2013, "msg": "Order does not exist."}', 400)
    exchange.on("GET /fapi/v1/order", lambda seen: unknown)
    known = await session.account.query(WAITING)
    assert known is not None
    assert known.venue_order_id == "77"
    # Unknown in both places: looked for in both.
    exchange.on("GET /fapi/v1/algoOrder", lambda seen: unknown)
    assert await session.account.query(WAITING) is None


async def test_all_are_canceled_in_both_places(session: Session) -> None:
    exchange = session.exchange
    book, apart = "DELETE /fapi/v1/allOpenOrders", "DELETE /fapi/v1/algoOpenOrders"
    done = b'{"code": 200, "msg": "The operation of cancel all open order is done."}'
    exchange.on(book, done)
    exchange.on(apart, done)
    assert await session.account.cancel_all("BTC-USDT-PERP") == []
    assert [len(session.asked(what)) for what in (book, apart)] == [1, 1]
    exchange.on(apart, lambda seen: Answer(b'{"code": -1102, "msg": "malformed"}', 400))
    with pytest.raises(Unconfirmed):  # those of the book are gone
        await session.account.cancel_all("BTC-USDT-PERP")
    # All of everything: where there are orders, in either place.
    exchange.on(apart, done)
    orders = case("replies", "open orders: one to sell that only reduces")
    waiting = case(
        "replies",
        "orders that wait: one that has triggered, one of a whole position, one that trails",
    )
    exchange.on("GET /fapi/v1/openOrders", json.dumps(orders).encode())
    exchange.on("GET /fapi/v1/openAlgoOrders", json.dumps(waiting).encode())
    await session.account.cancel_all(None)
    assert [seen["symbol"] for seen in session.asked(apart)[-2:]] == ["BNBUSDT", "BTCUSDT"]


async def test_in_hedge_mode_orders_name_their_side(session: Session) -> None:
    exchange, account = session.exchange, session.account
    assert account.condition.reason == ""
    exchange.on("POST /fapi/v1/positionSide/dual", b'{"code": 200, "msg": "success"}')
    exchange.on("POST /fapi/v1/order", row("a new order", clientOrderId="CBTONE"))
    await account.set_position_mode(PositionMode.HEDGE)
    await account.place(LIMIT)
    await account.place(replace(LIMIT, reduce_only=True))
    sent = session.asked("POST /fapi/v1/order")
    assert [one["positionSide"] for one in sent] == ["LONG", "SHORT"]
    assert all("reduceOnly" not in one for one in sent)
    assert session.asked("GET /fapi/v1/positionSide/dual") == []  # it was set here
    # The mode was changed elsewhere: the venue refuses, the next order asks for it.
    wrong = b'{"code": -4061, "msg": "Order\'s position side does not match user\'s setting."}'
    exchange.on("POST /fapi/v1/order", lambda seen: Answer(wrong, 400))
    with pytest.raises(Rejected):
        await account.place(LIMIT)
    exchange.on("POST /fapi/v1/order", row("a new order", clientOrderId="CBTONE"))
    await account.place(LIMIT)
    assert session.asked("POST /fapi/v1/order")[-1].get("positionSide", "BOTH") == "BOTH"


async def test_what_is_so_already_is_no_error(session: Session) -> None:
    exchange, account = session.exchange, session.account
    instrument = account.venue.instrument("BTC-USDT-PERP")
    for what, code in (("marginType", -4046), ("positionSide/dual", -4059)):
        body = json.dumps({"code": code, "msg": "No need to change."}).encode()
        exchange.on(f"POST /fapi/v1/{what}", lambda seen, body=body: Answer(body, 400))  # type: ignore[misc]
    await account.set_margin_mode(instrument, MarginMode.ISOLATED)
    await account.set_position_mode(PositionMode.ONE_WAY)
    assert session.asked("POST /fapi/v1/marginType")[0]["marginType"] == "ISOLATED"
    open_ = b'{"code": -4047, "msg": "Margin type cannot be changed if there exists open orders."}'
    exchange.on("POST /fapi/v1/marginType", lambda seen: Answer(open_, 400))
    with pytest.raises(Rejected) as caught:
        await account.set_margin_mode(instrument, MarginMode.CROSS)
    assert caught.value.reason is Reason.ORDER_REJECTED


async def test_what_an_event_hints_at_is_asked_for(session: Session) -> None:
    exchange = session.exchange
    balances = case("replies", "balances: margin in several assets")
    payments = case("replies", "funding payments")
    exchange.on("GET /fapi/v3/balance", json.dumps(balances).encode())
    exchange.on("GET /fapi/v1/income", json.dumps(payments).encode())
    (stream,) = session.streams()
    for name in ("positions and balances", "funding"):
        stream.send(json.dumps(case("frames", name)).encode())
    await exchange.until(lambda: session.told(FundingPayment), "what was paid")
    await exchange.until(lambda: len(session.told(Balance)) >= 3, "the balances")
    assert [(p.side.name, p.quantity) for p in session.told(Position)] == [
        ("NET", 0),
        ("LONG", 20),
        ("SHORT", -10),
    ]
    assert session.told(FundingPayment)[0].amount == D("-0.375")
    (asked,) = session.asked("GET /fapi/v1/income")
    assert asked["startTime"] == str(1564745798938 - 60_000)


async def test_the_timer_is_wound_where_there_are_orders(session: Session) -> None:
    exchange, account = session.exchange, session.account
    assert isinstance(account, TimedAccount)
    timer = "POST /fapi/v1/countdownCancelAll"
    exchange.on(timer, b'{"symbol": "BTCUSDT", "countdownTime": "10000"}')
    exchange.on("GET /fapi/v1/openAlgoOrders", b"[]")
    orders = case("replies", "open orders: one to sell that only reduces")
    exchange.on("GET /fapi/v1/openOrders", json.dumps(orders).encode())
    await account.cancel_all_after(10 * SECOND)
    exchange.on("GET /fapi/v1/openOrders", b"[]")
    await account.cancel_all_after(10 * SECOND)  # it has none now, but its timer runs
    await account.cancel_all_after(0)
    await account.cancel_all_after(0)
    wound = [(one["symbol"], one["countdownTime"]) for one in session.asked(timer)]
    assert wound == [("BTCUSDT", "10000"), ("BTCUSDT", "10000"), ("BTCUSDT", "0")]


async def test_an_untriggered_stop_is_not_replaced(session: Session) -> None:
    order = Order(
        replace(STOP, type=OrderType.STOP_LIMIT, price=D(47900), reduce_only=False),
        OrderStatus.OPEN,
    )
    with pytest.raises(Refused) as caught:
        await session.account.replace(order, D("0.02"), D(47800), "CBTOTHER")
    assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE
    assert not [seen for seen in session.exchange.requests if seen.method == "PUT"]


async def test_commands_go_over_a_connection_of_their_own() -> None:
    async with opened(VENUE) as session:
        account, exchange = session.account, session.exchange

        def ready() -> bool:
            line = account._line
            return line is not None and line._connection.live

        await exchange.until(ready, "the connection for commands")
        assert any(s.path == "/ws-fapi/v1" for s in exchange.sockets)
        await account.place(STOP)
        canceled = await account.cancel(Order(LIMIT, OrderStatus.OPEN))
        assert canceled.status is OrderStatus.CANCELED
        methods = [asked["method"] for asked in session.commands]
        assert methods == ["algoOrder.place", "order.cancel"]
        assert all("signature" in asked["params"] for asked in session.commands)
        assert not [seen for seen in exchange.requests if seen.method == "DELETE"]


async def test_several_orders_go_by_one_request_and_stops_by_themselves(session: Session) -> None:
    exchange, account = session.exchange, session.account

    def batch(seen: Seen) -> Answer:
        orders = json.loads(seen.params["batchOrders"])
        rows = [
            {**case("replies", "a new order"), "clientOrderId": one["newClientOrderId"]}
            for one in orders
        ]
        rows[-1] = {"code": -2019, "msg": "Margin is insufficient."}
        return Answer(json.dumps(rows).encode())

    exchange.on("POST /fapi/v1/batchOrders", batch)
    exchange.on("POST /fapi/v1/algoOrder", row("a take-profit", clientAlgoId="CBTSTOP"))
    requests = [replace(LIMIT, client_order_id=f"CBT{n}") for n in range(3)]
    outcomes = await account.place_many([requests[0], STOP, *requests[1:]])
    assert [type(one).__name__ for one in outcomes] == [
        "OrderReport",
        "OrderReport",
        "OrderReport",
        "Rejected",
    ]
    assert len(exchange.asked("POST /fapi/v1/batchOrders")) == 1
