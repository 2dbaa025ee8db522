"""OKX's ways through the engine, against a local server: login frames, text pings, a book whose
messages name the one before, orders that are taken down first and change in place, cancels in
batches."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues.okx import VENUE
from core.clock import SECOND, SystemClock
from core.errors import Reason, Rejected, Unconfirmed
from core.market import BookDelta, BookSnapshot, BookState
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, Channel, StreamState
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

INSTRUMENT = {
    "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "tickSz": "0.1", "lotSz": "0.0001",
    "minSz": "0.0001", "maxLmtSz": "1000", "state": "live"}  # fmt: skip
REQUEST = OrderRequest(
    "CBTEXAMPLE1", "main", "okx", "BTC-USDT", Side.BUY, OrderType.LIMIT,
    Decimal("0.1"), Decimal("99.5"))  # fmt: skip


def envelope(*data: Any, code: str = "0") -> bytes:
    return json.dumps({"code": code, "msg": "", "data": data}).encode()


def ack(order: str, name: str = "", code: str = "0") -> dict[str, str]:
    return {"ordId": order, "clOrdId": name, "sCode": code, "sMsg": "said" if code != "0" else ""}


def order_row(number: int, **changed: str) -> dict[str, str]:
    return {
        "instId": "BTC-USDT", "ordId": str(number), "clOrdId": f"CBT{number}", "state": "live",
        "ordType": "limit", "side": "buy", "px": "99.5", "sz": "0.1", "accFillSz": "0", "avgPx": "",
        "cTime": "1700000000000", "uTime": "1700000000000", "tradeId": "", "fillPx": "",
        "fillSz": "0", "fillFee": "0", "fillFeeCcy": "", "execType": "", **changed}  # fmt: skip


@dataclass
class Okx:
    """The scripted venue, and what the engine made of it."""

    exchange: LocalExchange
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)
    refuse_login: str = ""
    unknown: frozenset[str] = frozenset()  # instruments whose topics it refuses

    def answer(self, socket: Socket, payload: bytes) -> None:
        if payload == b"ping":
            socket.send(b"pong")
            return
        frame = json.loads(payload)
        if frame["op"] == "login":
            code = self.refuse_login
            event = {"event": "error" if code else "login", "code": code or "0", "msg": "said"}
            socket.send(json.dumps({**event, "connId": "a"}).encode())
            return
        for arg in frame["args"]:
            if arg.get("instId") in self.unknown:
                answer = {"id": frame["id"], "event": "error", "code": "60018", "msg": "no such"}
                socket.send(json.dumps(answer).encode())
                return
            answer = {"id": frame["id"], "event": frame["op"], "arg": arg, "connId": "a"}
            socket.send(json.dumps(answer).encode())
            if frame["op"] == "subscribe" and arg["channel"] == "books":
                socket.send(self.book("snapshot", -1, 100, [["99.5", "1"]], [["100.5", "2"]]))

    @staticmethod
    def book(action: str, previous: int, last: int, bids: Any, asks: Any) -> bytes:
        rows = [[[*row, "0", "1"] for row in side] for side in (bids, asks)]
        data = {"bids": rows[0], "asks": rows[1], "ts": "1700000000000", "checksum": 0,
                "prevSeqId": previous, "seqId": last}  # fmt: skip
        arg = {"channel": "books", "instId": "BTC-USDT"}
        return json.dumps({"arg": arg, "action": action, "data": [data]}).encode()

    def push(self, row: dict[str, str]) -> None:
        arg = {"channel": "orders", "instType": "SPOT", "uid": "1"}
        for socket in self.exchange.sockets:
            if socket.path.endswith("/private"):
                socket.send(json.dumps({"arg": arg, "data": [row]}).encode())

    def sent(self, path: str) -> list[Any]:
        """The bodies that arrived."""
        return [json.loads(seen.body) for seen in self.exchange.asked(f"POST {path}")]


def tell_time(seen: Seen) -> Answer:
    return Answer(envelope({"ts": str(time.time_ns() // 1_000_000)}))


@pytest.fixture
async def okx() -> AsyncIterator[Okx]:
    async with LocalExchange() as exchange:
        exchange.on("GET /api/v5/public/time", tell_time)
        exchange.on("GET /api/v5/public/instruments", envelope(INSTRUMENT))
        spec = replace(
            VENUE,
            streams={
                name: replace(stream, quiet=SECOND // 20) for name, stream in VENUE.streams.items()
            },
        )
        market = ExchangeVenue(spec, SystemClock(), {"rest": exchange.http, "stream": exchange.ws})
        account = ExchangeAccount("main", market, Credentials("key", "secret", "words"))
        made = Okx(exchange, market, account)
        exchange.on_frame = made.answer
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield made
        await account.stop()
        await market.stop()


async def connect(okx: Okx) -> None:
    await okx.account.start(okx.reports.append)
    await okx.exchange.until(
        lambda: [r.connected for r in okx.reports if isinstance(r, StreamState)][-1:] == [True],
        "the account stream",
    )


async def test_the_account_logs_in_by_a_frame(okx: Okx) -> None:
    await connect(okx)
    (socket,) = [s for s in okx.exchange.sockets if s.path == "/ws/v5/private"]
    login, subscription = (json.loads(frame) for frame in socket.frames[:2])
    told = login["args"][0]
    text = f"{told['timestamp']}GET/users/self/verify".encode()
    assert told["sign"] == base64.b64encode(hmac.digest(b"secret", text, "sha256")).decode()
    assert (told["apiKey"], told["passphrase"]) == ("key", "words")
    assert subscription["args"] == [
        {"channel": "orders", "instType": "SPOT"},
        {"channel": "account"},
    ]


async def test_a_refused_login_shows(okx: Okx) -> None:
    okx.refuse_login = "60009"
    await okx.account.start(okx.reports.append)
    await okx.exchange.until(lambda: "60009" in okx.account.condition.reason, "the refusal")
    assert not [r for r in okx.reports if isinstance(r, StreamState) and r.connected]


async def test_an_order_is_taken_down_then_told_by_the_stream(okx: Okx) -> None:
    await connect(okx)
    okx.exchange.on("POST /api/v5/trade/order", envelope(ack("1", "CBTEXAMPLE1")))
    placed = await okx.account.place(REQUEST)
    assert (placed.status, placed.venue_order_id) == (OrderStatus.OPEN, "1")
    okx.push(
        order_row(1, clOrdId="CBTEXAMPLE1", state="partially_filled", accFillSz="0.04",
                  avgPx="99.5", tradeId="7", fillPx="99.5", fillSz="0.04", fillFee="-0.00004",
                  fillFeeCcy="BTC", execType="M")
    )  # fmt: skip
    await okx.exchange.until(lambda: any(isinstance(r, Fill) for r in okx.reports), "the fill")
    (fill,) = [r for r in okx.reports if isinstance(r, Fill)]
    (said,) = [r for r in okx.reports if isinstance(r, OrderReport)]
    assert (fill.quantity, fill.fee, fill.fee_asset) == (Decimal("0.04"), Decimal("0.00004"), "BTC")
    assert (said.filled_quantity, said.filled_notional) == (Decimal("0.04"), Decimal("3.98"))


async def test_a_failure_inside_a_success_is_a_rejection(okx: Okx) -> None:
    okx.exchange.on("POST /api/v5/trade/order", envelope(ack("", "CBTEXAMPLE1", "51008"), code="1"))
    with pytest.raises(Rejected) as caught:
        await okx.account.place(REQUEST)
    assert caught.value.reason is Reason.INSUFFICIENT_BALANCE
    assert caught.value.metadata["venue_code"] == "51008"
    assert len(okx.sent("/api/v5/trade/order")) == 1


async def test_a_change_keeps_the_order_and_its_name(okx: Okx) -> None:
    okx.exchange.on("POST /api/v5/trade/amend-order", envelope(ack("1")))
    order = Order(REQUEST, OrderStatus.OPEN, "1")
    said = await okx.account.replace(order, Decimal("0.2"), Decimal("99.4"), "CBTEXAMPLE2")
    assert (said.client_order_id, said.venue_order_id) == ("CBTEXAMPLE1", "1")
    assert okx.sent("/api/v5/trade/amend-order") == [
        {"instId": "BTC-USDT", "ordId": "1", "newSz": "0.2", "newPx": "99.4"}
    ]


async def test_all_orders_are_canceled_in_batches(okx: Okx) -> None:
    def pending(seen: Seen) -> Answer:
        first = int(seen.query.get("after", 123)) - 1
        return Answer(envelope(*(order_row(n) for n in range(first, max(first - 100, 0), -1))))

    def cancel(seen: Seen) -> Answer:
        numbers = [item["ordId"] for item in json.loads(seen.body)]
        late = [ack(n, code="51400" if n in ("5", "2", "1") else "0") for n in numbers]
        gone = {item["sCode"] for item in late} == {"51400"}
        return Answer(envelope(*late, code="1" if gone else "2" if "5" in numbers else "0"))

    okx.exchange.on("GET /api/v5/trade/orders-pending", pending)
    okx.exchange.on("GET /api/v5/trade/orders-algo-pending", envelope())
    okx.exchange.on("POST /api/v5/trade/cancel-batch-orders", cancel)
    reports = await okx.account.cancel_all("BTC-USDT")
    # 122 orders: a page and a half, in batches of twenty; the last batch was over anyway.
    assert [len(batch) for batch in okx.sent("/api/v5/trade/cancel-batch-orders")] == [20] * 6 + [2]
    assert len(reports) == 119
    assert "CBT5" not in {report.client_order_id for report in reports}
    assert await okx.account.cancel_all("ETH-USDT") == []


async def test_a_batch_that_fails_after_others_is_no_clean_no(okx: Okx) -> None:
    def cancel(seen: Seen) -> Answer:
        numbers = [item["ordId"] for item in json.loads(seen.body)]
        code = "0" if len(numbers) == 20 else "51000"
        return Answer(envelope(*(ack(n, code=code) for n in numbers), code="0"))

    okx.exchange.on(
        "GET /api/v5/trade/orders-pending", envelope(*(order_row(n) for n in range(1, 23)))
    )
    okx.exchange.on("GET /api/v5/trade/orders-algo-pending", envelope())
    okx.exchange.on("POST /api/v5/trade/cancel-batch-orders", cancel)
    await connect(okx)
    with pytest.raises(Unconfirmed, match="20 orders were canceled, then"):
        await okx.account.cancel_all(None)
    told = [report for report in okx.reports if isinstance(report, OrderReport)]
    assert len(told) == 20
    okx.exchange.on(
        "GET /api/v5/trade/orders-pending", envelope(*(order_row(n) for n in range(1, 3)))
    )
    with pytest.raises(Rejected):
        await okx.account.cancel_all(None)


async def test_a_book_follows_the_chain_of_messages_and_mends_a_gap(okx: Okx) -> None:
    events: list[Any] = []
    instrument = okx.market.instruments["BTC-USDT"]
    subscription = await okx.market.subscribe(Channel.BOOK, instrument, events.append)

    def live() -> bool:
        return isinstance(events[-1], BookSnapshot) and events[-1].state is BookState.LIVE

    await okx.exchange.until(lambda: events and live(), "the book")
    (socket,) = [s for s in okx.exchange.sockets if s.path == "/ws/v5/public"]
    socket.send(okx.book("update", 100, 107, [["99.5", "0"], ["99.4", "3"]], []))
    await okx.exchange.until(lambda: isinstance(events[-1], BookDelta), "a change")
    assert events[-1].sequence == 107
    socket.send(okx.book("update", 107, 107, [], []))  # a minute without changes
    socket.send(okx.book("update", 109, 112, [["99.3", "1"]], []))
    await okx.exchange.until(live, "the book, anew")
    assert [e.state for e in events if isinstance(e, BookSnapshot)].count(BookState.LIVE) == 2
    assert [json.loads(f)["op"] for f in socket.frames if f != b"ping"] == [
        "subscribe",
        "unsubscribe",
        "subscribe",
    ]
    await okx.exchange.until(lambda: b"ping" in socket.frames, "a ping in text")
    await subscription.close()


async def test_a_refused_topic_is_left_out_and_the_others_are_served(okx: Okx) -> None:
    okx.unknown = frozenset({"GONE-USDT"})
    events: dict[str, list[Any]] = {"BTC-USDT": [], "GONE-USDT": []}
    for symbol, told in events.items():
        instrument = replace(okx.market.instruments["BTC-USDT"], id=symbol, venue_symbol=symbol)
        await okx.market.subscribe(Channel.BOOK, instrument, told.append)
    await okx.exchange.until(
        lambda: (
            events["GONE-USDT"]
            and events["GONE-USDT"][-1].state is BookState.STALE
            and events["BTC-USDT"][-1].state is BookState.LIVE
        ),
        "one book live, the other refused",
    )
    assert "60018" in events["GONE-USDT"][-1].reason
