"""Bybit's ways over real connections: acknowledgements, books that begin anew, other products."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.signing import hmac_hex
from cex.venues import catalogue
from core.clock import SystemClock
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, Channel, StreamState
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

REQUEST = OrderRequest(
    "CBTEXAMPLE1",
    "main",
    "bybit",
    "BTC-USDT",
    Side.BUY,
    OrderType.LIMIT,
    Decimal("0.01"),
    Decimal("52000.1"),
)
ORDER = Order(REQUEST, OrderStatus.OPEN)
BOOK = "orderbook.200.BTCUSDT"


def reply(name: str) -> bytes:
    """A reply of the fixtures."""
    return payload(next(case for case in load("bybit").cases("replies") if case["name"] == name))


@dataclass
class Server:
    """Answers frames as the venue does."""

    exchange: LocalExchange
    subscribed: list[list[str]] = field(default_factory=list)
    logins: list[list[Any]] = field(default_factory=list)
    snapshot: int = 100  # the sequence that the next subscription begins with

    def frame(self, socket: Socket, raw: bytes) -> None:
        asked = json.loads(raw)
        if asked["op"] == "auth":
            self.logins.append(asked["args"])
        elif asked["op"] == "subscribe":
            self.subscribed.append(asked["args"])
        answer = {"success": True, "ret_msg": "", "op": asked["op"], "req_id": asked["req_id"]}
        socket.send(json.dumps(answer).encode())
        if asked["op"] == "subscribe" and BOOK in asked["args"]:
            self.book("snapshot", self.snapshot)

    def book(self, kind: str, sequence: int) -> None:
        data = {"s": "BTCUSDT", "b": [["10", str(sequence)]], "a": [["11", "1"]], "u": sequence}
        self.tell({"topic": BOOK, "type": kind, "ts": 1, "data": data})

    def tell(self, frame: dict[str, Any]) -> None:
        for socket in self.exchange.sockets:
            socket.send(json.dumps(frame).encode())


@dataclass
class Session:
    exchange: LocalExchange
    server: Server
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        server = Server(exchange)
        exchange.on_frame = server.frame
        now = {"retCode": 0, "result": {"timeNano": str(SystemClock().now())}}
        exchange.on("GET /v5/market/time", json.dumps(now).encode())
        exchange.on("GET /v5/market/instruments-info", reply("instruments"))
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(catalogue()["bybit"], SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials("the-api-key", "the-secret-key"))
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield Session(exchange, server, market, account)
        await account.stop()
        await market.stop()


async def test_a_book_begins_on_the_stream_and_begins_again_after_a_gap(session: Session) -> None:
    events: list[MarketEvent] = []
    instrument = session.market.instruments["BTC-USDT"]
    await session.market.subscribe(Channel.BOOK, instrument, events.append)

    def state() -> BookState:
        last = [event for event in events if isinstance(event, BookSnapshot)][-1]
        return last.state

    await session.exchange.until(lambda: events and state() is BookState.LIVE, "the book")
    session.server.book("delta", 101)
    session.server.book("delta", 101)  # doubled
    session.server.snapshot = 500
    session.server.book("delta", 103)  # 102 is lost
    await session.exchange.until(lambda: len(session.server.subscribed) == 2, "a new subscription")
    await session.exchange.until(lambda: state() is BookState.LIVE, "the book again")
    assert [event.sequence for event in events if isinstance(event, BookDelta)] == [101]
    reasons = [event.reason for event in events if isinstance(event, BookSnapshot)]
    assert any("missing" in reason for reason in reasons)
    session.server.book("delta", 1)  # they started anew, and this is the whole book

    def restarted() -> bool:
        return isinstance(events[-1], BookSnapshot) and events[-1].sequence == 1

    await session.exchange.until(restarted, "the new book")
    assert state() is BookState.LIVE


async def test_an_account_logs_in_and_hears_of_its_own_product_only(session: Session) -> None:
    await session.account.start(session.reports.append)
    await session.exchange.until(lambda: session.server.subscribed, "the account stream")
    assert session.server.subscribed == [["order", "execution", "wallet"]]
    key, expires, signature = session.server.logins[0]
    assert key == "the-api-key"
    assert signature == hmac_hex("the-secret-key", f"GET/realtime{expires}")
    case = next(c for c in load("bybit").cases("frames") if c["name"] == "a trade")
    rows = [{**row, "symbol": "BTCUSDT"} for row in case["payload"]["data"]]
    assert {row["category"] for row in rows} == {"spot", "inverse"}
    session.server.tell({**case["payload"], "data": rows})
    await session.exchange.until(lambda: len(session.reports) == 2, "the trade")
    state, fill = session.reports
    assert isinstance(state, StreamState)
    assert isinstance(fill, Fill)
    assert fill.venue == "bybit"


async def test_a_replacement_keeps_the_order_and_its_id(session: Session) -> None:
    def amend(seen: Seen) -> Answer:
        ack = {"orderId": "7", "orderLinkId": REQUEST.client_order_id}
        return Answer(json.dumps({"retCode": 0, "retMsg": "OK", "result": ack}).encode())

    session.exchange.on("POST /v5/order/amend", amend)
    report = await session.account.replace(ORDER, Decimal("0.02"), Decimal(51000), "CBTANOTHER")
    # Taken down, not done: what the order is now, the stream and queries tell.
    assert report == OrderReport(REQUEST.client_order_id, OrderStatus.OPEN, "7")
    assert len(session.exchange.asked("POST /v5/order/amend")) == 1


@pytest.mark.parametrize("where", ["realtime", "history", "nowhere"])
async def test_an_order_is_unknown_only_when_the_history_does_not_know_it(
    session: Session, where: str
) -> None:
    for place in ("realtime", "history"):
        found = "an open order" if place == where else "no such order"
        session.exchange.on(f"GET /v5/order/{place}", reply(found))
    report = await session.account.query(ORDER)
    assert (report is None) == (where == "nowhere")
    asked = len(session.exchange.asked("GET /v5/order/history"))
    assert asked == (0 if where == "realtime" else 1)
