"""Orders over a websocket: chosen while it is up, and as careful as REST."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from cex.engine import websocket
from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues import catalogue
from core.clock import SECOND, SystemClock
from core.errors import Reason, Refused, Rejected, Unconfirmed
from core.orders import OrderStatus
from core.ports import Health
from tests.integration.cex.conftest import REQUEST, Bench, order_of
from tests.support.binance_server import error
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Socket

PLACE = "POST /api/v3/order"


def ways(bench: Bench, what: str = PLACE) -> list[str]:
    """How each request of a kind came."""
    return [seen.headers.get("Way", "REST") for seen in bench.exchange.asked(what)]


async def test_orders_go_over_the_socket_while_it_is_up_and_by_rest_else(bench: Bench) -> None:
    await bench.account.place(REQUEST)
    await bench.connect_account()
    second = replace(REQUEST, client_order_id="CBTEXAMPLE2")
    assert (await bench.account.place(second)).status is OrderStatus.OPEN
    canceled = await bench.account.cancel(order_of(second))
    assert canceled.status is OrderStatus.CANCELED
    assert ways(bench) == ["REST", "socket"]
    assert ways(bench, "DELETE /api/v3/order") == ["socket"]
    assert await bench.account.query(order_of()) is not None  # questions go by REST
    bench.server.login_error = (-2015, "Invalid API-key.")
    bench.server.account_sockets[0].drop()
    await bench.exchange.until(lambda: bench.states()[-1:] == [False])
    await bench.account.place(replace(REQUEST, client_order_id="CBTEXAMPLE3"))
    assert ways(bench) == ["REST", "socket", "REST"]


@pytest.mark.parametrize("way", ["drop", "hang", "garbage", "-1007", "429"])
@pytest.mark.parametrize("accepted", [True, False])
async def test_what_was_sent_and_not_answered_is_unconfirmed_and_sent_once(
    bench: Bench, way: str, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.connect_account()
    monkeypatch.setattr(websocket, "_ANSWER", 0.2 if way == "hang" else 10)
    answers = {
        "drop": Answer(drop=True),
        "hang": Answer(hang=True),
        "garbage": Answer(b'{"orderId": 1}'),
        "-1007": error(-1007, "Timeout waiting for response from backend server.", 500),
        "429": error(-1003, "Too much request weight used.", 429),
    }

    def place(order: dict[str, Any]) -> Answer:
        if accepted:
            bench.server.orders[order["clientOrderId"]] = order
        return answers[way]

    bench.server.place_mode = place
    with pytest.raises(Unconfirmed) as caught:
        await bench.account.place(REQUEST)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
    assert ways(bench) == ["socket"]
    if way == "429":
        with pytest.raises(Refused) as refused:  # nothing leaves meanwhile, on no way
            await bench.account.place(replace(REQUEST, client_order_id="CBTEXAMPLE2"))
        assert refused.value.reason is Reason.RATE_LIMITED
        bench.market.limiter._gate.paused_until = 0
    known = await bench.account.query(order_of())
    assert (known is not None) == accepted


async def test_a_late_answer_disturbs_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.connect_account()
    monkeypatch.setattr(websocket, "_ANSWER", 0.1)
    bench.server.place_mode = lambda order: Answer(hang=True)
    with pytest.raises(Unconfirmed):
        await bench.account.place(REQUEST)
    socket = bench.server.account_sockets[0]
    asked = json.loads(socket.frames[-1])
    socket.send(json.dumps({"id": asked["id"], "status": 200, "result": {}}).encode())
    monkeypatch.setattr(websocket, "_ANSWER", 10)
    bench.server.place_mode = lambda order: None
    report = await bench.account.place(replace(REQUEST, client_order_id="CBTEXAMPLE2"))
    assert report.client_order_id == "CBTEXAMPLE2"
    assert bench.account.condition.health is Health.READY


async def test_answers_in_any_order_find_their_commands(bench: Bench) -> None:
    await bench.connect_account()
    socket = bench.server.account_sockets[0]
    waiting: list[dict[str, Any]] = []
    bench.exchange.on_frame = lambda _, frame: waiting.append(json.loads(frame))
    names = [f"CBTEXAMPLE{number}" for number in range(1, 6)]
    requests = [replace(REQUEST, client_order_id=name) for name in names]
    places = [asyncio.create_task(bench.account.place(request)) for request in requests]
    await bench.exchange.until(lambda: len(waiting) == len(places))
    assert len({message["id"] for message in waiting}) == len(places)
    example = load("binance").cases("entry")[0]["payload"]
    for message in reversed(waiting):
        result = {**example["result"], "clientOrderId": message["params"]["newClientOrderId"]}
        socket.send(json.dumps({**example, "id": message["id"], "result": result}).encode())
    assert [(await place).client_order_id for place in places] == names


async def test_a_rejection_is_one_and_limits_are_told(bench: Bench) -> None:
    await bench.connect_account()
    text = "Account has insufficient balance for requested action."
    bench.server.place_mode = lambda order: error(-2010, text)
    with pytest.raises(Rejected) as caught:
        await bench.account.place(REQUEST)
    assert caught.value.reason is Reason.INSUFFICIENT_BALANCE
    assert caught.value.metadata["venue_code"] == "-2010"
    used = {use.pool: use.used for use in bench.market.usage()}
    assert used["orders_10s"] == 1
    assert used["weight"] > 0


async def test_a_wrong_clock_is_set_and_the_order_sent_once_more(bench: Bench) -> None:
    await bench.connect_account()
    bench.server.skew_ms = -3_000
    report = await bench.account.place(REQUEST)
    assert report.status is OrderStatus.OPEN
    assert ways(bench) == ["socket", "socket"]
    assert abs(bench.market.offset.offset + 3 * SECOND) < SECOND


async def test_no_secret_is_shown_when_the_key_cannot_sign(bench: Bench) -> None:
    await bench.connect_account()
    line = bench.account._line
    assert line is not None
    broken = Credentials("the-api-key", "-----BEGIN PRIVATE KEY-----\nthe-secret-key\n")
    session = line._session
    line._session = lambda: replace(session(), credentials=broken)
    with pytest.raises(Refused) as caught:
        await bench.account.place(REQUEST)
    assert caught.value.reason is Reason.VENUE_AUTHENTICATION_FAILED
    assert "the-secret-key" not in caught.value.message


# -- a connection of its own -----------------------------------------------------------------------


class Bybit:
    """Answers the frames of Bybit's streams, the order entry's among them."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.exchange = exchange
        self.orders: list[dict[str, Any]] = []
        self.closed = False  # whether the order entry turns everybody away
        exchange.on_frame = self.frame
        replies = {case["name"]: case for case in load("bybit").cases("replies")}
        exchange.on("GET /v5/market/instruments-info", payload(replies["instruments"]))
        now = {"retCode": 0, "result": {"timeNano": str(SystemClock().now())}}
        exchange.on("GET /v5/market/time", json.dumps(now).encode())
        done = {"retCode": 0, "result": {"orderId": "9", "orderLinkId": REQUEST.client_order_id}}
        exchange.on("POST /v5/order/create", json.dumps(done).encode())

    @property
    def entry(self) -> list[Socket]:
        return [socket for socket in self.exchange.sockets if socket.path == "/v5/trade"]

    def frame(self, socket: Socket, raw: bytes) -> None:
        asked = json.loads(raw)
        if socket.path != "/v5/trade":
            answer = {"success": True, "ret_msg": "", "op": asked["op"], "req_id": asked["req_id"]}
            socket.send(json.dumps(answer).encode())
            return
        answer = {"reqId": asked["reqId"], "retCode": 0, "retMsg": "OK", "op": asked["op"]}
        if asked["op"] == "auth" and self.closed:
            answer |= {"retCode": 10004, "retMsg": "Invalid sign"}
        elif asked["op"] != "auth":
            self.orders.append(asked)
            order = asked["args"][0]
            answer["data"] = {"orderId": "7", "orderLinkId": order["orderLinkId"]}
        socket.send(json.dumps(answer).encode())


@pytest.fixture
async def bybit() -> AsyncIterator[tuple[Bybit, ExchangeAccount]]:
    async with LocalExchange() as exchange:
        server = Bybit(exchange)
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(catalogue()["bybit"], SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials("the-api-key", "the-secret-key"))
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        await account.start(lambda report: None)
        yield server, account
        await account.stop()
        await market.stop()


async def test_a_connection_of_its_own_is_logged_in_and_left_when_it_breaks(
    bybit: tuple[Bybit, ExchangeAccount],
) -> None:
    server, account = bybit
    assert account._line is not None
    up = account._line._connection
    await server.exchange.until(lambda: up.live, "the order entry")
    await server.exchange.until(lambda: account.condition.health is Health.READY)
    request = replace(REQUEST, venue="bybit")
    assert (await account.place(request)).venue_order_id == "7"
    assert [order["op"] for order in server.orders] == ["order.create"]
    assert set(server.orders[0]["header"]) == {"X-BAPI-TIMESTAMP", "X-BAPI-RECV-WINDOW"}
    server.closed = True
    server.entry[0].drop()
    await server.exchange.until(lambda: "10004" in account.condition.reason)
    assert account.condition.health is Health.DEGRADED
    assert (await account.place(request)).venue_order_id == "9"  # by REST
    assert len(server.orders) == 1
    server.closed = False
    await server.exchange.until(lambda: up.live, "the order entry again")
    await server.exchange.until(lambda: account.condition.health is Health.READY)
    assert (await account.place(request)).venue_order_id == "7"
