"""Gate over real connections: each subscription signed, orders over the socket, market buys with a
worst price, orders that are known by our name only while they are open."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.signing import hmac_hex
from cex.venues.gate_io import VENUE
from core.accounts import Balance
from core.clock import MILLISECOND, SystemClock
from core.errors import Unconfirmed
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, StreamState
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

KEY, SECRET = "the-api-key", "the-secret-key"
REQUEST = OrderRequest(
    "t-CBTEXAMPLE1",
    "main",
    "gate_io",
    "ETH-USDT",
    Side.BUY,
    OrderType.LIMIT,
    Decimal("0.01"),
    Decimal("1900"),
)
ORDER = Order(REQUEST, create_time=1_700_000_000 * 10**9)


def case(kind: str, name: str) -> dict[str, Any]:
    """A case of the fixtures."""
    return next(c for c in load("gate_io").cases(kind) if c["name"] == name)


def told(**changed: Any) -> dict[str, Any]:
    """An order as the venue tells it."""
    found: dict[str, Any] = case("replies", "an order that rests")["payload"]
    return {**found, "text": REQUEST.client_order_id, "currency_pair": "ETH_USDT", **changed}


@dataclass
class Server:
    """Answers frames as the venue does; `results` are those of orders over the socket."""

    exchange: LocalExchange
    signed: list[str] = field(default_factory=list)  # channels whose signature was right
    orders: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    silent: bool = False  # about orders

    def frame(self, socket: Socket, raw: bytes) -> None:
        asked = json.loads(raw)
        if asked["event"] == "api":
            self._order(socket, asked)
            return
        channel, time = asked["channel"], asked["time"]
        payload = f"channel={channel}&event={asked['event']}&time={time}"
        if asked.get("auth", {}).get("SIGN") == hmac_hex(SECRET, payload, "sha512"):
            self.signed.append(channel)
        answer = {"id": asked["id"], "channel": channel, "event": asked["event"], "error": None}
        socket.send(json.dumps({**answer, "result": {"status": "success"}}).encode())

    def _order(self, socket: Socket, asked: dict[str, Any]) -> None:
        channel, sent = asked["channel"], asked["payload"]
        header = {"channel": channel, "event": "api", "status": "200"}
        answer: dict[str, Any] = {"request_id": sent["req_id"], "header": header}
        if channel == "spot.login":
            text = f"api\n{channel}\n\n{sent['timestamp']}"
            assert sent["signature"] == hmac_hex(SECRET, text, "sha512")
            answer["data"] = {"result": {"api_key": sent["api_key"], "uid": "1"}}
        else:
            self.orders.append({"channel": channel, **sent["req_param"]})
            if self.silent:
                socket.drop()
                return
            acknowledged = {**answer, "ack": True, "data": {"result": {"req_id": "x"}}}
            socket.send(json.dumps(acknowledged).encode())
            answer["data"] = {"result": self.results[channel]}
        socket.send(json.dumps(answer).encode())


@dataclass
class Session:
    exchange: LocalExchange
    server: Server
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)

    async def connect(self) -> None:
        """Until the account's stream stands, and orders go over the other connection."""
        await self.account.start(self.reports.append)
        await self.exchange.until(
            lambda: [r.connected for r in self.reports if isinstance(r, StreamState)] == [True],
            "the account's stream",
        )
        line = self.account._entry
        assert line is not None
        await self.exchange.until(lambda: line.connection.live, "the line for orders")


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        server = Server(exchange)
        exchange.on_frame = server.frame
        now = {"server_time": SystemClock().now() // MILLISECOND}
        exchange.on("GET /api/v4/spot/time", json.dumps(now).encode())
        exchange.on("GET /api/v4/spot/currency_pairs", payload(case("replies", "instruments")))
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials(KEY, SECRET))
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield Session(exchange, server, market, account)
        await account.stop()
        await market.stop()


async def test_each_subscription_is_signed_and_its_reports_arrive(session: Session) -> None:
    await session.connect()
    assert session.server.signed == ["spot.orders_v2", "spot.usertrades", "spot.balances"]
    stream = next(s for s in session.exchange.sockets if any(b"orders_v2" in f for f in s.frames))
    for name in ("a new order", "a trade of ours whose fee is in GT", "balances"):
        frame = json.dumps(case("frames", name)["payload"]).replace("BTC_USDT", "ETH_USDT")
        stream.send(frame.encode())
    await session.exchange.until(lambda: len(session.reports) == 4, "three reports")
    order, fill, balance = session.reports[1:]
    assert isinstance(order, OrderReport)
    assert isinstance(fill, Fill)
    assert (fill.fee, fill.fee_asset) == (Decimal("0.4"), "GT")
    assert isinstance(balance, Balance)


async def test_a_market_buy_goes_over_the_socket_with_a_worst_price(session: Session) -> None:
    book = {"id": 1, "asks": [["2000", "5"]], "bids": [["1999", "5"]]}
    session.exchange.on("GET /api/v4/spot/order_book", json.dumps(book).encode())
    session.server.results["spot.order_place"] = told(
        status="closed", finish_as="filled", left="0", amount="0.01", filled_total="20",
        time_in_force="ioc",
    )  # fmt: skip
    await session.connect()
    request = replace(REQUEST, type=OrderType.MARKET, price=None, max_slippage=Decimal("0.01"))
    report = await session.account.place(request)
    (sent,) = session.server.orders
    assert sent["type"] == "limit"
    assert sent["time_in_force"] == "ioc"
    assert (sent["amount"], sent["price"]) == ("0.01", "2020")
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, Decimal("0.01"))
    assert report.price is None  # the bound is ours
    assert not session.exchange.asked("POST /api/v4/spot/orders")


async def test_an_order_without_an_answer_is_found_among_those_that_ended(
    session: Session,
) -> None:
    """Its name finds it only while it is open; then it is one of a list, here on the third page."""
    session.server.silent = True
    await session.connect()
    with pytest.raises(Unconfirmed):
        await session.account.place(REQUEST)
    assert not session.exchange.asked("POST /api/v4/spot/orders")
    gone = {"label": "ORDER_NOT_FOUND", "message": "Order not found"}
    session.exchange.on(
        "GET /api/v4/spot/orders/t-CBTEXAMPLE1",
        lambda seen: Answer(json.dumps(gone).encode(), 404),
    )
    pages = 3

    def ended(seen: Seen) -> Answer:
        assert seen.query["status"] == "finished"
        assert seen.query["from"] == "1699999940"
        full = [told(id=str(n), text="t-other") for n in range(100)]
        mine = told(id="7", status="closed", finish_as="filled", left="0")
        last = [mine] if pages == 3 else []
        found = full if int(seen.query["page"]) < 3 else [told(text="web"), *last]
        return Answer(json.dumps(found).encode())

    session.exchange.on("GET /api/v4/spot/orders", ended)
    report = await session.account.query(ORDER)
    assert report is not None
    assert (report.venue_order_id, report.status) == ("7", OrderStatus.FILLED)
    assert len(session.exchange.asked("GET /api/v4/spot/orders")) == 3
    pages = 0
    assert await session.account.query(ORDER) is None  # all pages, and no word of it
    assert len(session.exchange.asked("GET /api/v4/spot/orders")) == 6
    # By the venue's number one answer is enough.
    session.exchange.on("GET /api/v4/spot/orders/7", json.dumps(told(id="7")).encode())
    assert await session.account.query(replace(ORDER, venue_order_id="7"))
    assert len(session.exchange.asked("GET /api/v4/spot/orders")) == 6


async def test_open_orders_come_in_pages_of_each_instrument(session: Session) -> None:
    def pending(seen: Seen) -> Answer:
        page = int(seen.query["page"])
        count = 100 if page == 1 else 2
        found = [told(id=f"{page}{n:03}", text=f"t-{page}{n:03}") for n in range(count)]
        return Answer(json.dumps([{"currency_pair": "ETH_USDT", "orders": found}]).encode())

    session.exchange.on("GET /api/v4/spot/open_orders", pending)
    found = await session.account.open_orders()
    assert len({order.client_order_id for order in found}) == 102


async def test_changes_expire_and_what_is_used_of_a_limit_is_seen(session: Session) -> None:
    """Without a stream orders go by REST. The headers tell of the pool that was asked."""
    headers = {"X-Gate-RateLimit-Requests-Remain": "3", "X-Gate-RateLimit-Limit": "10"}
    reply = json.dumps(told(id="9")).encode()
    session.exchange.on("POST /api/v4/spot/orders", lambda seen: Answer(reply, 201, headers))
    report = await session.account.place(REQUEST)
    assert report.venue_order_id == "9"
    (seen,) = session.exchange.asked("POST /api/v4/spot/orders")
    expires = int(seen.headers["x-gate-exptime"]) * MILLISECOND
    assert 0 < expires - int(seen.headers["Timestamp"]) * 10**9 < 7 * 10**9
    used = {limit.name: limit.used for limit in session.market.rate_limits()}
    assert used["place/ETH_USDT"] == 7
