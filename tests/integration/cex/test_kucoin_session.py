"""KuCoin over real connections: tokens and their endpoints, pings that it wants, fills that are
asked for, open orders by instrument, budgets that its headers tell."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from cex.engine import websocket
from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.signing import hmac_base64
from cex.venues.kucoin import VENUE
from core.clock import MILLISECOND, SystemClock
from core.errors import Reason, Rejected, Unconfirmed
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, StreamState
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

SECRET, PASSPHRASE = "the-secret-key", "the-passphrase"
REQUEST = OrderRequest(
    "CBTEXAMPLE1",
    "main",
    "kucoin",
    "BTC-USDT",
    Side.BUY,
    OrderType.LIMIT,
    Decimal("0.01"),
    Decimal("50000"),
)
ORDER = Order(REQUEST, OrderStatus.OPEN, "670fd33bf9406e0007ab3945")


def case(kind: str, name: str) -> dict[str, Any]:
    """A case of the fixtures."""
    return next(c for c in load("kucoin").cases(kind) if c["name"] == name)


def ok(data: Any) -> bytes:
    return json.dumps({"code": "200000", "data": data}).encode()


@dataclass
class Session:
    exchange: LocalExchange
    market: ExchangeVenue
    account: ExchangeAccount
    frames: list[dict[str, Any]] = field(default_factory=list)
    reports: list[AccountReport] = field(default_factory=list)
    greets: bool = True

    def frame(self, socket: Socket, raw: bytes) -> None:
        asked = json.loads(raw)
        self.frames.append(asked)
        kind = "pong" if asked["type"] == "ping" else "ack"
        socket.send(json.dumps({"id": asked["id"], "type": kind}).encode())

    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]

    async def connect(self) -> Socket:
        """Until the account's stream stands."""
        await self.account.start(self.reports.append)
        await self.exchange.until(lambda: self.exchange.sockets, "a connection")
        socket = self.exchange.sockets[0]
        assert not socket.frames
        if self.greets:
            socket.send(b'{"id":"hQvf8jkno","type":"welcome"}')
        await self.exchange.until(
            lambda: [r.connected for r in self.reports if isinstance(r, StreamState)] == [True],
            "the account's stream",
        )
        return socket


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        server = {"endpoint": f"{exchange.ws}/", "pingInterval": 1000, "pingTimeout": 10000}
        exchange.on("GET /api/v1/timestamp", ok(SystemClock().now() // MILLISECOND))
        exchange.on("GET /api/v2/symbols", payload(case("replies", "instruments")))
        token = ok({"token": "SECRET-TOKEN", "instanceServers": [server]})
        exchange.on("POST /api/v1/bullet-private", token)
        hosts = {"rest": exchange.http, "stream": "ws://127.0.0.1:1"}  # the token's counts
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        credentials = Credentials("the-api-key", SECRET, PASSPHRASE)
        account = ExchangeAccount("main", market, credentials)
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        found = Session(exchange, market, account)
        exchange.on_frame = found.frame
        yield found
        await account.stop()
        await market.stop()


async def test_a_token_names_the_endpoint_and_how_often_to_ping(session: Session) -> None:
    socket = await session.connect()
    assert socket.path.startswith("/?token=SECRET-TOKEN&connectId=")
    (seen,) = session.exchange.asked("POST /api/v1/bullet-private")
    assert seen.headers["KC-API-PASSPHRASE"] == hmac_base64(SECRET, PASSPHRASE)
    topics = [frame["topic"] for frame in session.frames]
    assert topics == ["/spotMarket/tradeOrdersV2", "/account/balance"]
    assert all(frame["privateChannel"] for frame in session.frames)
    # It wants to hear us whatever it sends itself.
    busy = json.dumps(case("frames", "a balance")["payload"]).encode()

    def pinged() -> bool:
        socket.send(busy)
        return "ping" in session.types()

    await session.exchange.until(pinged, "a ping")


async def test_a_venue_that_forgets_to_greet_is_used_all_the_same(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_GREETING", 0.05)
    session.greets = False
    await session.connect()
    assert session.types().count("subscribe") == 2


async def test_a_match_is_asked_for_and_comes_with_its_fee(session: Session) -> None:
    session.exchange.on("GET /api/v1/hf/fills", payload(case("replies", "fills")))
    socket = await session.connect()
    match = case("frames", "a trade of ours: its fee is asked for")["payload"]
    match["data"]["symbol"] = "BTC-USDT"
    socket.send(json.dumps(match).encode())

    def fills() -> list[Fill]:
        return [report for report in session.reports if isinstance(report, Fill)]

    await session.exchange.until(fills, "the fill")
    (fill,) = fills()
    assert (fill.fee, fill.fee_asset) == (Decimal("0.000677176"), "USDT")
    (report,) = [r for r in session.reports if isinstance(r, OrderReport)]
    assert report.filled_quantity == Decimal("0.1")
    (seen,) = session.exchange.asked("GET /api/v1/hf/fills")
    assert seen.query["symbol"] == "BTC-USDT"
    assert int(seen.query["startAt"]) < match["data"]["ts"] // MILLISECOND


async def test_open_orders_are_asked_for_by_instrument_and_in_pages(session: Session) -> None:
    found = case("replies", "open orders")["payload"]["data"]["items"][0]

    def page(seen: Seen) -> Answer:
        symbol, number = seen.query["symbol"], int(seen.query["pageNum"])
        pages = 2 if symbol == "BTC-USDT" else 1
        item = {**found, "symbol": "BTC-USDT", "clientOid": f"{symbol}{number}"}
        return Answer(ok({"currentPage": number, "totalPage": pages, "items": [item]}))

    symbols = {"symbols": ["BTC-USDT", "KCS-USDT"]}
    session.exchange.on("GET /api/v1/hf/orders/active/symbols", ok(symbols))
    session.exchange.on("GET /api/v1/hf/orders/active/page", page)
    orders = await session.account.open_orders()
    assert [o.client_order_id for o in orders] == ["BTC-USDT1", "BTC-USDT2", "KCS-USDT1"]
    session.exchange.on("GET /api/v1/hf/orders/active/symbols", ok({"symbols": []}))
    assert not await session.account.open_orders()


async def test_a_refusal_comes_with_a_success_of_the_transport(session: Session) -> None:
    refused = {"code": "200004", "msg": "Balance insufficient!"}
    session.exchange.on("POST /api/v1/hf/orders", json.dumps(refused).encode())
    with pytest.raises(Rejected) as caught:
        await session.account.place(REQUEST)
    assert caught.value.reason is Reason.INSUFFICIENT_BALANCE


async def test_headers_tell_what_is_used_and_how_long_to_wait(session: Session) -> None:
    headers = {"gw-ratelimit-limit": "4000", "gw-ratelimit-remaining": "3900"}
    taken = ok({"orderId": ORDER.venue_order_id})
    path = f"/api/v1/hf/orders/{ORDER.venue_order_id}"
    session.exchange.on(f"DELETE {path}", lambda seen: Answer(taken, 200, headers))
    assert (await session.account.cancel(ORDER)).status is OrderStatus.OPEN
    assert {limit.name: limit.used for limit in session.market.rate_limits()}["spot"] == 100
    body = json.dumps({"code": "429000", "msg": "Too Many Requests"}).encode()
    full = {**headers, "gw-ratelimit-remaining": "0", "gw-ratelimit-reset": "1489"}
    session.exchange.on(f"DELETE {path}", lambda seen: Answer(body, 429, full))
    with pytest.raises(Unconfirmed) as caught:
        await session.account.cancel(ORDER)
    assert caught.value.retry_after == 1489 * MILLISECOND


async def test_what_could_not_be_canceled_everywhere_stays_unconfirmed(session: Session) -> None:
    failed = [{"symbol": "BTC-USDT", "error": "can't cancel, system timeout"}]
    answer = {"succeedSymbols": ["ETH-USDT"], "failedSymbols": failed}
    session.exchange.on("DELETE /api/v1/hf/orders/cancelAll", ok(answer))
    with pytest.raises(Unconfirmed):
        await session.account.cancel_all(None)
    session.exchange.on("DELETE /api/v1/hf/orders/cancelAll", ok({**answer, "failedSymbols": []}))
    assert not await session.account.cancel_all(None)
