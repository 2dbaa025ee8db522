"""Bybit's ways over real connections: acknowledgements, books that begin anew, other products."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.signing import hmac_hex
from cex.venues import catalogue
from core.accounts import FundingPayment, Position
from core.clock import SystemClock
from core.errors import Reason, Rejected
from core.market import BookDelta, BookSnapshot, BookState, Funding, MarketEvent, Ticker
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, Channel, Leveraged, StreamState
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


def reply(name: str, venue: str = "bybit") -> bytes:
    """A reply of the fixtures."""
    return payload(next(case for case in load(venue).cases("replies") if case["name"] == name))


def frame(name: str, venue: str) -> dict[str, Any]:
    """A frame of the fixtures."""
    found: dict[str, Any] = next(c for c in load(venue).cases("frames") if c["name"] == name)
    return found["payload"]  # type: ignore[no-any-return]


@dataclass
class Server:
    """Answers frames as the venue does."""

    exchange: LocalExchange
    subscribed: list[list[str]] = field(default_factory=list)
    logins: list[list[Any]] = field(default_factory=list)
    snapshot: int = 100  # the sequence that the next subscription begins with

    def frame(self, socket: Socket, raw: bytes) -> None:
        asked = json.loads(raw)
        if socket.path == "/v5/trade":  # not here: orders go by REST
            answer = {"reqId": asked["reqId"], "retCode": 10004, "retMsg": "", "op": asked["op"]}
            socket.send(json.dumps(answer).encode())
            return
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
    async with opened("bybit") as found:
        yield found


@pytest.fixture
async def perpetuals() -> AsyncIterator[Session]:
    async with opened("bybit_perpetual") as found:
        yield found


@asynccontextmanager
async def opened(venue: str) -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        server = Server(exchange)
        exchange.on_frame = server.frame

        def instruments(seen: Seen) -> Answer:
            # A cursor comes with the last page as well, and leads to an empty one.
            empty = {"retCode": 0, "result": {"list": [], "nextPageCursor": ""}}
            return Answer(json.dumps(empty).encode() if seen.params.get("cursor") else found)

        raw = json.loads(reply("instruments", venue))
        raw["result"]["nextPageCursor"] = "last%3DBTCUSDT"
        found = json.dumps(raw).encode()
        now = {"retCode": 0, "result": {"timeNano": str(SystemClock().now())}}
        exchange.on("GET /v5/market/time", json.dumps(now).encode())
        exchange.on("GET /v5/market/instruments-info", instruments)
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(catalogue()[venue], SystemClock(), hosts)
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
    await session.exchange.until(lambda: session.reports, "the account stream")
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


# -- perpetuals ------------------------------------------------------------------------------------


async def test_funding_and_ticker_live_beside_each_other(perpetuals: Session) -> None:
    events: list[MarketEvent] = []
    instrument = perpetuals.market.instruments["BTC-USDT-PERP"]
    for channel in (Channel.TICKER, Channel.FUNDING):
        await perpetuals.market.subscribe(channel, instrument, events.append)
    subscribed = perpetuals.server.subscribed
    await perpetuals.exchange.until(lambda: len(subscribed) == 2, "both subscriptions")
    for name in ("statistics", "what changed of the statistics", "what changed of the prices"):
        perpetuals.server.tell(frame(name, "bybit_perpetual"))

    def told() -> list[Funding]:
        return [event for event in events if isinstance(event, Funding)]

    await perpetuals.exchange.until(lambda: len(told()) == 2, "the funding")
    first, second = told()
    assert first.mark_price == Decimal("65117.44")
    assert second.mark_price == Decimal("65117.43")
    assert (second.rate, second.index_price) == (Decimal("0.0001"), Decimal("65137.76"))

    def merged() -> bool:
        tickers = [event for event in events if isinstance(event, Ticker)]
        return [t.bid_quantity for t in tickers[-1:]] == [Decimal("6.054")]

    await perpetuals.exchange.until(merged, "the ticker")
    assert perpetuals.market.condition.reason == ""


async def test_positions_and_payments_arrive_on_the_account_stream(perpetuals: Session) -> None:
    perpetuals.exchange.on("GET /v5/position/list", reply("no positions", "bybit_perpetual"))
    assert await perpetuals.account.positions() == []
    await perpetuals.account.start(perpetuals.reports.append)
    await perpetuals.exchange.until(lambda: perpetuals.reports, "the account stream")
    perpetuals.server.tell(frame("a position that is closed", "bybit_perpetual"))
    payment = frame("a funding payment", "bybit_perpetual")
    rows = [{**payment["data"][0], "symbol": "BTCUSDT"}]
    perpetuals.server.tell({**payment, "data": rows})
    await perpetuals.exchange.until(lambda: len(perpetuals.reports) == 3, "the reports")
    _, position, paid = perpetuals.reports
    assert isinstance(position, Position)
    assert position.quantity == 0
    assert isinstance(paid, FundingPayment)
    assert paid.amount == Decimal("-0.003676")  # what is a fee to them, we have paid


@pytest.mark.parametrize("name", ["leverage that is set", "leverage that was so already"])
async def test_leverage_is_set_once(perpetuals: Session, name: str) -> None:
    account = perpetuals.account
    assert isinstance(account, Leveraged)
    what = "POST /v5/position/set-leverage"
    perpetuals.exchange.on(what, reply(name, "bybit_perpetual"))
    instrument = perpetuals.market.instruments["BTC-USDT-PERP"]
    await account.set_leverage(instrument, Decimal("12.5"))
    assert len(perpetuals.exchange.asked(what)) == 1


async def test_leverage_that_the_venue_does_not_allow(perpetuals: Session) -> None:
    no = b'{"retCode":110013,"retMsg":"cannot set leverage due to risk limit","result":{}}'
    perpetuals.exchange.on("POST /v5/position/set-leverage", no)
    instrument = perpetuals.market.instruments["BTC-USDT-PERP"]
    with pytest.raises(Rejected) as caught:
        await perpetuals.account.set_leverage(instrument, Decimal(500))
    assert caught.value.reason is Reason.ORDER_REJECTED
