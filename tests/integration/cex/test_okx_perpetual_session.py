"""OKX's perpetuals over real connections: contracts on the wire and base units inside, stops on a
second account connection, margin that each order names, funding that is asked for."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.accounts import exchange_account
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.timed import TimedAccount
from cex.venues.okx_perpetual import VENUE
from core.accounts import Balance, FundingPayment, MarginMode, Position, PositionMode
from core.clock import SECOND, SystemClock
from core.market import BookDelta, BookSnapshot, BookState, Funding, MarketEvent
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, Channel, StreamState
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

D = Decimal
LIMIT = OrderRequest("CBTONE", "main", "okx_perpetual", "BTC-USDT-PERP", Side.BUY,
                     OrderType.LIMIT, D("0.25"), D("52000.1"))  # fmt: skip
STOP = replace(LIMIT, client_order_id="CBTSTOP", side=Side.SELL, type=OrderType.STOP_MARKET,
               price=None, trigger_price=D(48000), reduce_only=True)  # fmt: skip


def case(kind: str, name: str) -> Any:
    """A payload of the fixtures."""
    return json.loads(
        payload(next(c for c in load("okx_perpetual").cases(kind) if c["name"] == name))
    )


def envelope(*data: Any) -> bytes:
    return json.dumps({"code": "0", "msg": "", "data": data}).encode()


def frame(name: str, **changed: Any) -> bytes:
    """The first row of an account's frame, of our instrument."""
    told = case("frames", name)
    row = {**told["data"][0], "instId": "BTC-USDT-SWAP", **changed}
    return json.dumps({"arg": told["arg"], "data": [row]}).encode()


@dataclass
class Session:
    exchange: LocalExchange
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)
    refused: str = ""  # the path on which logins fail

    def answer(self, socket: Socket, raw: bytes) -> None:
        if raw == b"ping":
            socket.send(b"pong")
            return
        asked = json.loads(raw)
        if asked["op"] == "login":
            failed = socket.path == self.refused
            event = {"event": "error" if failed else "login", "code": "60009" if failed else "0"}
            socket.send(json.dumps({**event, "msg": "", "connId": "a"}).encode())
        elif asked["op"] in ("subscribe", "unsubscribe"):
            for arg in asked["args"]:
                told = {"id": asked["id"], "event": asked["op"], "arg": arg, "connId": "a"}
                socket.send(json.dumps(told).encode())
                if arg["channel"] == "books" and asked["op"] == "subscribe":
                    socket.send(book("snapshot", -1, 100, [["99.5", "3"]], [["100.5", "25"]]))
        else:  # orders go by REST here
            told = {"id": asked["id"], "op": asked["op"], "code": "60013", "msg": "", "data": []}
            socket.send(json.dumps(told).encode())

    def told(self, kind: type) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    def socket(self, ending: str) -> Socket:
        (found,) = [s for s in self.exchange.sockets if s.path.endswith(ending)]
        return found

    def sent(self, path: str) -> list[Any]:
        return [json.loads(seen.body) for seen in self.exchange.asked(f"POST {path}")]


def book(action: str, previous: int, last: int, bids: Any, asks: Any) -> bytes:
    rows = [[[*row, "0", "1"] for row in side] for side in (bids, asks)]
    data = {"bids": rows[0], "asks": rows[1], "ts": "1700000000000", "checksum": 0,
            "prevSeqId": previous, "seqId": last}  # fmt: skip
    arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
    return json.dumps({"arg": arg, "action": action, "data": [data]}).encode()


def tell_time(seen: Seen) -> Answer:
    return Answer(envelope({"ts": str(time.time_ns() // 1_000_000)}))


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        instruments = case(
            "replies",
            "instruments: one to trade, one announced, one suspended, one of a second kind, "
            "one margined in its base",
        )
        exchange.on("GET /api/v5/public/time", tell_time)
        exchange.on("GET /api/v5/public/instruments", json.dumps(instruments).encode())
        exchange.on("GET /api/v5/account/config", envelope({"posMode": "net_mode"}))
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(replace(VENUE, entry=None), SystemClock(), hosts)
        account = exchange_account("main", market, Credentials("key", "secret", "words"))
        made = Session(exchange, market, account)
        exchange.on_frame = made.answer
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield made
        await account.stop()
        await market.stop()


async def connect(session: Session) -> None:
    await session.account.start(session.reports.append)
    await session.exchange.until(lambda: session.told(StreamState), "both streams")


async def test_the_account_listens_on_two_connections_as_if_on_one(session: Session) -> None:
    session.refused = "/ws/v5/business"
    await session.account.start(session.reports.append)
    await session.exchange.until(lambda: "60009" in session.account.condition.reason, "a refusal")
    assert session.told(StreamState) == []  # one of them is not enough
    session.refused = ""
    await session.exchange.until(lambda: session.told(StreamState), "both")
    assert [state.connected for state in session.told(StreamState)] == [True]
    topics = {
        socket.path: [
            arg["channel"]
            for raw in socket.frames
            if b"subscribe" in raw
            for arg in json.loads(raw)["args"]
        ]
        for socket in session.exchange.sockets
    }
    assert topics == {
        "/ws/v5/private": ["orders", "positions", "account", "balance_and_position"],
        "/ws/v5/business": ["orders-algo"],
    }
    session.socket("/business").drop()
    await session.exchange.until(lambda: len(session.told(StreamState)) == 3, "it broke, and is up")
    assert [state.connected for state in session.told(StreamState)] == [True, False, True]


async def test_contracts_on_the_wire_are_base_units_inside(session: Session) -> None:
    await connect(session)
    ack = {"ordId": "9", "clOrdId": "CBTONE", "sCode": "0", "sMsg": ""}
    session.exchange.on("POST /api/v5/trade/order", envelope(ack))
    await session.account.place(LIMIT)
    (sent,) = session.sent("/api/v5/trade/order")
    assert (sent["sz"], sent["tdMode"], sent.get("posSide", "net")) == ("25", "cross", "net")
    assert LIMIT.quantity == D("0.25")
    session.socket("/private").send(
        frame("an order that a stop became", clOrdId="CBTONE", algoClOrdId="", sz="25"),
        json.dumps(case("frames", "positions")).encode(),
        json.dumps(case("frames", "balances")).encode(),
    )
    await session.exchange.until(lambda: session.told(Balance), "the balance, told last")
    (fill,), (said,) = session.told(Fill), session.told(OrderReport)
    assert (fill.quantity, fill.price) == (D("0.0075"), D("59199.9"))
    assert (said.quantity, said.filled_quantity) == (D("0.25"), D("0.125"))
    assert [position.quantity for position in session.told(Position)] == [D("-0.025"), D("0.01")]


async def test_a_book_in_base_units_follows_the_chain(session: Session) -> None:
    events: list[MarketEvent] = []
    instrument = session.market.instrument("BTC-USDT-PERP")
    await session.market.subscribe(Channel.BOOK, instrument, events.append)

    def live() -> bool:
        last = events[-1] if events else None
        return isinstance(last, BookSnapshot) and last.state is BookState.LIVE

    await session.exchange.until(live, "the book")
    snapshot = events[-1]
    assert isinstance(snapshot, BookSnapshot)
    bids, asks = snapshot.bids, snapshot.asks
    assert [(list(side[0]), list(side[1])) for side in (bids, asks)] == [
        (["99.5"], ["0.03"]),
        (["100.5"], ["0.25"]),
    ]
    session.socket("/public").send(book("update", 100, 101, [["99.5", "0.01"]], []))
    await session.exchange.until(lambda: isinstance(events[-1], BookDelta), "a change")
    session.socket("/public").send(book("update", 105, 106, [["99.5", "1"]], []))
    await session.exchange.until(live, "the book again, after a gap")


async def test_a_stop_is_told_on_its_connection_and_its_order_on_the_other(
    session: Session,
) -> None:
    await connect(session)
    ack = {"algoId": "5", "algoClOrdId": "CBTSTOP", "clOrdId": "", "sCode": "0", "sMsg": ""}
    session.exchange.on("POST /api/v5/trade/order-algo", envelope(ack))
    said = await session.account.place(STOP)
    assert (said.status, said.venue_order_id) == (OrderStatus.OPEN, "")
    (sent,) = session.sent("/api/v5/trade/order-algo")
    assert (sent["sz"], sent["slTriggerPx"], sent["ordType"]) == ("25", "48000", "conditional")
    session.socket("/business").send(
        frame("a stop has become an order", algoClOrdId="CBTSTOP", ordId="77", ordIdList=["77"])
    )
    await session.exchange.until(lambda: session.told(OrderReport), "the trigger")
    session.socket("/private").send(
        frame("an order that a stop became", ordId="77", algoClOrdId="CBTSTOP", side="sell")
    )
    await session.exchange.until(lambda: session.told(Fill), "the fill")
    assert {r.client_order_id for r in session.told(OrderReport)} == {"CBTSTOP"}
    assert {r.venue_order_id for r in session.told(OrderReport)} == {"77"}
    # What has triggered is canceled as an order of the book.
    canceled = {"ordId": "77", "clOrdId": "", "sCode": "0", "sMsg": ""}
    session.exchange.on("POST /api/v5/trade/cancel-order", envelope(canceled))
    await session.account.cancel(Order(STOP, OrderStatus.OPEN, "77"))
    assert session.sent("/api/v5/trade/cancel-order")[0]["ordId"] == "77"


async def test_margin_is_each_orders_and_leverage_each_sides(session: Session) -> None:
    exchange, account = session.exchange, session.account
    await connect(session)
    instrument = session.market.instrument("BTC-USDT-PERP")
    ack = {"ordId": "9", "clOrdId": "CBTONE", "sCode": "0", "sMsg": ""}
    exchange.on("POST /api/v5/trade/order", envelope(ack))
    exchange.on(
        "POST /api/v5/account/set-leverage", json.dumps(case("replies", "leverage")).encode()
    )
    exchange.on("POST /api/v5/account/set-position-mode", envelope({"posMode": "long_short_mode"}))
    await account.set_margin_mode(instrument, MarginMode.ISOLATED)
    await account.set_leverage(instrument, D(3))
    await account.place(LIMIT)
    await account.set_position_mode(PositionMode.HEDGE)
    await account.set_leverage(instrument, D(4))
    await account.place(replace(LIMIT, side=Side.SELL, reduce_only=True))
    orders = session.sent("/api/v5/trade/order")
    assert [(one["tdMode"], one.get("posSide", "net")) for one in orders] == [
        ("isolated", "net"),
        ("isolated", "long"),
    ]
    levers = session.sent("/api/v5/account/set-leverage")
    assert [(one["lever"], one["mgnMode"], one.get("posSide", "net")) for one in levers] == [
        ("3", "isolated", "net"),
        ("4", "isolated", "long"),
        ("4", "isolated", "short"),
    ]
    # A position tells what its margin is.
    session.socket("/private").send(frame("positions", mgnMode="cross"))
    await exchange.until(lambda: session.told(Position), "the position")
    await account.place(LIMIT)
    assert session.sent("/api/v5/trade/order")[-1]["tdMode"] == "cross"


async def test_funding_that_an_event_hints_at_is_asked_for(session: Session) -> None:
    await connect(session)
    name = "funding payments: paid, and received with isolated margin"
    bills = case("replies", name)["data"]
    bills = [row for row in bills if row["instId"] == "BTC-USDT-SWAP"]
    session.exchange.on("GET /api/v5/account/bills", envelope(*bills))
    session.exchange.on("GET /api/v5/account/bills-archive", envelope(*bills))
    session.socket("/private").send(json.dumps(case("frames", "funding was paid")).encode())
    await session.exchange.until(lambda: session.told(FundingPayment), "what was paid")
    assert session.told(FundingPayment)[0].instrument == "BTC-USDT-PERP"


async def test_funding_comes_from_four_topics(session: Session) -> None:
    events: list[MarketEvent] = []
    instrument = session.market.instrument("BTC-USDT-PERP")
    await session.market.subscribe(Channel.FUNDING, instrument, events.append)

    def subscribed() -> set[str]:
        asked = [
            json.loads(raw) for s in session.exchange.sockets for raw in s.frames if raw != b"ping"
        ]
        return {arg["channel"] for one in asked for arg in one["args"]}

    four = {"funding-rate", "mark-price", "index-tickers", "open-interest"}
    await session.exchange.until(lambda: subscribed() == four, "four topics")
    for name in ("the funding rate", "the mark price", "the index price", "open interest"):
        session.socket("/public").send(json.dumps(case("frames", name)).encode())

    def whole() -> bool:
        last = events[-1] if events else None
        return isinstance(last, Funding) and last.open_interest is not None

    await session.exchange.until(whole, "all of it")
    last = events[-1]
    assert isinstance(last, Funding)
    assert None not in (last.mark_price, last.index_price, last.next_time)


async def test_the_venues_own_timer_is_of_the_account(session: Session) -> None:
    assert isinstance(session.account, TimedAccount)
    session.exchange.on("POST /api/v5/trade/cancel-all-after", envelope({"triggerTime": "1"}))
    await session.account.cancel_all_after(30 * SECOND)
    await session.account.cancel_all_after(0)
    assert session.sent("/api/v5/trade/cancel-all-after") == [{"timeOut": "30"}, {"timeOut": "0"}]
