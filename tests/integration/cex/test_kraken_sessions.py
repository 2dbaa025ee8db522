"""Kraken's ways through the engine, against a local server: a token before the account's stream,
orders over that stream, books held by checksums, counters that grow with haste."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any
from zlib import crc32

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.commands import GetBalances
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues.kraken import VENUE
from core.accounts import Balance
from core.clock import SECOND, SystemClock
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.market import BookDelta, BookSnapshot, BookState, Candle
from core.orders import (
    Fill,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import AccountReport, Channel, StreamState
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

SECRET = base64.b64encode(b"a secret of sixty-four bytes or so").decode()
PAIRS = {
    "XXBTZUSD": {
        "altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD",
        "pair_decimals": 1, "lot_decimals": 8, "tick_size": "0.1", "ordermin": "0.0001",
        "costmin": "0.5", "status": "online"},
    "XETHZUSD": {
        "altname": "ETHUSD", "wsname": "ETH/USD", "base": "XETH", "quote": "ZUSD",
        "pair_decimals": 1, "lot_decimals": 8, "tick_size": "0.1", "status": "online"},
}  # fmt: skip
REQUEST = OrderRequest(
    "CBTEXAMPLE00000001", "main", "kraken", "BTC-USD", Side.BUY, OrderType.LIMIT,
    Decimal("0.1"), Decimal("99.5"))  # fmt: skip
PLACE, CANCEL = "POST /0/private/AddOrder", "POST /0/private/CancelOrder"


def result(value: Any) -> bytes:
    return json.dumps({"error": [], "result": value}).encode()


def error(text: str) -> bytes:
    return json.dumps({"error": [text]}).encode()


def checksum(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    """Of the text on the wire."""
    parts = [part for row in [*asks[:10], *bids[:10]] for part in row]
    return crc32("".join(part.replace(".", "").lstrip("0") for part in parts).encode())


def book(kind: str, bids: Any, asks: Any, wanted: int, symbol: str = "BTC/USD") -> bytes:
    sides = [
        ",".join(f'{{"price":{price},"qty":{quantity}}}' for price, quantity in side)
        for side in (bids, asks)
    ]
    data = (
        f'{{"symbol":"{symbol}","bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{wanted},'
        '"timestamp":"2026-10-06T17:35:55.440295Z"}'
    )
    return f'{{"channel":"book","type":"{kind}","data":[{data}]}}'.encode()


BIDS, ASKS = [("99.5", "1.00000000")], [("100.5", "2.50000000")]


@dataclass
class Kraken:
    """The scripted venue, and what the engine made of it."""

    exchange: LocalExchange
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)
    tokens: int = 0
    orders: list[dict[str, Any]] = field(default_factory=list)  # frames that carry commands
    refusals: dict[str, str] = field(default_factory=dict)  # by method
    silent: bool = False  # commands are not answered

    def token(self, seen: Seen) -> Answer:
        self.tokens += 1
        return Answer(result({"token": f"token{self.tokens}", "expires": 900}))

    def answer(self, socket: Socket, payload: bytes) -> None:
        frame = json.loads(payload)
        method, params = frame["method"], frame.get("params", {})
        if method == "ping":
            socket.send(b'{"method":"pong"}')
        elif method in ("subscribe", "unsubscribe"):
            self.subscribe(socket, frame)
        else:
            self.orders.append(frame)
            if not self.silent:
                self.command(socket, method, params, frame["req_id"])

    def subscribe(self, socket: Socket, frame: dict[str, Any]) -> None:
        method, params = frame["method"], frame["params"]
        told = {"channel": params["channel"]}
        if "symbol" in params:
            (told["symbol"],) = params["symbol"]
        if "interval" in params:
            told["interval"] = params["interval"]
        body = {"method": method, "result": told, "success": True, "req_id": frame["req_id"]}
        if method in self.refusals:
            body = {"method": method, "error": self.refusals[method], "success": False,
                    "req_id": frame["req_id"]}  # fmt: skip
        socket.send(b'{"channel":"heartbeat"}', json.dumps(body).encode())
        if method == "subscribe" and params["channel"] == "book":
            symbol = told["symbol"]
            socket.send(book("snapshot", BIDS, ASKS, checksum(BIDS, ASKS), symbol))

    def command(self, socket: Socket, method: str, params: dict[str, Any], id: int) -> None:
        told: dict[str, Any] = {"method": method, "req_id": id, "success": True}
        if method in self.refusals:
            told |= {"success": False, "error": self.refusals[method]}
        elif method == "add_order":
            told["result"] = {"order_id": f"O{id}", "cl_ord_id": params["cl_ord_id"]}
        elif method == "amend_order":
            told["result"] = {"amend_id": "T1", "order_id": params["order_id"]}
        elif method == "cancel_order":
            told["result"] = {"order_id": params["order_id"][0]}
        else:
            told["result"] = {"count": len(params["orders"]) + len(params.get("cl_ord_id", []))}
        socket.send(json.dumps(told).encode())

    def tell(self, **entry: Any) -> None:
        """A message of the account's stream."""
        frame = {"channel": "executions", "type": "update", "data": [entry], "sequence": 2}
        for socket in self.accounts:
            socket.send(json.dumps(frame).encode())

    @property
    def accounts(self) -> list[Socket]:
        """The account's connections: those that asked with a token."""
        return [s for s in self.exchange.sockets if any(b"token" in frame for frame in s.frames)]

    def connections(self) -> list[bool]:
        return [r.connected for r in self.reports if isinstance(r, StreamState)]

    def used(self, pool: str) -> dict[str, int]:
        return {u.name: u.used for u in self.market.rate_limits() if u.name.startswith(pool)}


@pytest.fixture
async def kraken() -> AsyncIterator[Kraken]:
    async with LocalExchange() as exchange:
        exchange.on(
            "GET /0/public/Time",
            lambda seen: Answer(result({"unixtime": int(time.time()), "rfc1123": ""})),
        )
        exchange.on("GET /0/public/AssetPairs", result(PAIRS))
        exchange.on("POST /0/private/BalanceEx", result({"ZUSD": {"balance": "1000"}}))
        hosts = {"rest": exchange.http, "stream": exchange.ws, "account": exchange.ws}
        assert VENUE.private is not None
        private = replace(VENUE.private, ask_pause=SECOND // 5)
        market = ExchangeVenue(replace(VENUE, private=private), SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials("key", SECRET))
        made = Kraken(exchange, market, account)
        exchange.on("POST /0/private/GetWebSocketsToken", made.token)
        exchange.on_frame = made.answer
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield made
        await account.stop()
        await market.stop()


async def connect(kraken: Kraken) -> None:
    await kraken.account.start(kraken.reports.append)
    await kraken.exchange.until(lambda: kraken.connections()[-1:] == [True], "the account stream")


def resting(**changed: Any) -> Order:
    """An order of ours that has rested for long."""
    return replace(Order(REQUEST, OrderStatus.OPEN, "O1"), **changed)


# -- the account's stream --------------------------------------------------------------------------


async def test_a_token_is_fetched_before_the_stream_opens_and_again_after_it_broke(
    kraken: Kraken,
) -> None:
    await connect(kraken)
    (seen,) = kraken.exchange.asked("POST /0/private/GetWebSocketsToken")
    digest = sha256(seen.form["nonce"].encode() + seen.body).digest()
    payload = b"/0/private/GetWebSocketsToken" + digest
    wanted = hmac.digest(base64.b64decode(SECRET), payload, "sha512")
    assert seen.headers["API-Sign"] == base64.b64encode(wanted).decode()
    assert seen.headers["API-Key"] == "key"
    (socket,) = kraken.accounts
    asked = [json.loads(frame)["params"] for frame in socket.frames]
    assert [(p["channel"], p["token"]) for p in asked] == [
        ("executions", "token1"),
        ("balances", "token1"),
    ]
    socket.drop()
    await kraken.exchange.until(lambda: kraken.connections() == [True, False, True], "the stream")
    (socket,) = kraken.accounts
    assert json.loads(socket.frames[0])["params"]["token"] == "token2"


async def test_orders_go_over_the_stream_with_exact_numbers(kraken: Kraken) -> None:
    await connect(kraken)
    small = replace(REQUEST, quantity=Decimal("0.00010001"), time_in_force=TimeInForce.POST_ONLY)
    report = await kraken.account.place(replace(small, price=Decimal("9999999.1")))
    assert report.status is OrderStatus.OPEN
    assert report.venue_order_id.startswith("O")
    (socket,) = kraken.accounts
    frame = next(frame for frame in socket.frames if b"add_order" in frame)
    assert b'"order_qty":0.00010001,' in frame
    assert b'"limit_price":9999999.1,' in frame
    assert b'"token":"token1"' in frame
    assert not kraken.exchange.asked(PLACE)

    changed = await kraken.account.replace(resting(), Decimal("0.2"), Decimal("99.6"), "NEW")
    assert (changed.client_order_id, changed.status) == (REQUEST.client_order_id, OrderStatus.OPEN)
    await kraken.account.cancel(resting())
    assert [frame["method"] for frame in kraken.orders] == [
        "add_order",
        "amend_order",
        "cancel_order",
    ]


async def test_what_was_sent_over_the_stream_and_not_answered_is_unconfirmed(
    kraken: Kraken,
) -> None:
    await connect(kraken)
    kraken.silent = True
    (socket,) = kraken.accounts

    def drop(_: Socket, payload: bytes) -> None:
        if b"add_order" in payload:
            socket.drop()

    kraken.exchange.on_frame = drop
    with pytest.raises(Unconfirmed):
        await kraken.account.place(REQUEST)
    assert not kraken.exchange.asked(PLACE)


async def test_a_token_that_ended_gets_a_new_connection(kraken: Kraken) -> None:
    await connect(kraken)
    kraken.refusals["add_order"] = "ESession:Invalid session"
    with pytest.raises(Rejected) as caught:
        await kraken.account.place(REQUEST)
    assert caught.value.reason is Reason.VENUE_AUTHENTICATION_FAILED
    await kraken.exchange.until(lambda: kraken.connections() == [True, False, True], "the stream")
    assert kraken.tokens == 2


async def test_fills_and_balances_of_the_stream_reach_the_daemon(kraken: Kraken) -> None:
    await connect(kraken)
    told = [
        {"ZUSD": {"balance": "989.96", "hold_trade": "1"}, "XXBT": {"balance": "0.1"}},
        {"ZUSD": {"balance": "989.96", "hold_trade": "0"}, "XXBT": {"balance": "0.1"}},
    ]
    kraken.exchange.on("POST /0/private/BalanceEx", lambda seen: Answer(result(told.pop(0))))
    entry = {
        "order_id": "O1", "cl_ord_id": "CBTEXAMPLE00000001", "timestamp": "2026-10-06T17:35:55Z",
        "order_status": "partially_filled"}  # fmt: skip
    kraken.tell(
        **entry, exec_type="trade", exec_id="T1", symbol="BTC/USD", side="buy", last_qty=0.1,
        last_price=100.0, liquidity_ind="t", cum_qty=0.1, cum_cost=10.0,
        fees=[{"asset": "USD", "qty": 0.04}])  # fmt: skip

    def balances() -> dict[str, Decimal]:
        return {r.asset: r.available for r in kraken.reports if isinstance(r, Balance)}

    await kraken.exchange.until(lambda: "BTC" in balances(), "the balances")
    (fill,) = [r for r in kraken.reports if isinstance(r, Fill)]
    assert (fill.trade_id, fill.price, fill.fee, fill.fee_asset) == (
        "T1", Decimal(100), Decimal("0.04"), "USD")  # fmt: skip
    assert balances() == {"USD": Decimal("988.96"), "BTC": Decimal("0.1")}
    kraken.tell(**{**entry, "order_status": "filled"}, exec_type="filled", cum_qty=0.1, cum_cost=10)
    await kraken.exchange.until(lambda: balances()["USD"] == Decimal("989.96"), "the balances")
    last = [r for r in kraken.reports if isinstance(r, OrderReport)][-1]
    assert (last.status, last.filled_notional) == (OrderStatus.FILLED, Decimal(10))


# -- REST ------------------------------------------------------------------------------------------


async def test_a_number_that_was_overtaken_is_replaced_by_a_larger_one(kraken: Kraken) -> None:
    answers = [error("EAPI:Invalid nonce"), result({"txid": ["O7"], "descr": {"order": ""}})]
    kraken.exchange.on(PLACE, lambda seen: Answer(answers.pop(0)))
    report = await kraken.account.place(REQUEST)
    assert report.venue_order_id == "O7"
    first, second = (int(seen.form["nonce"]) for seen in kraken.exchange.asked(PLACE))
    assert second > first > 10**18


async def test_an_order_of_ours_is_looked_for_where_open_and_where_closed_ones_are(
    kraken: Kraken,
) -> None:
    row = {
        "status": "closed", "cl_ord_id": REQUEST.client_order_id, "opentm": 1700000000.5,
        "closetm": 1700000001.25, "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit",
        "price": "99.5", "price2": "0"}, "vol": "0.1", "vol_exec": "0.1", "cost": "9.95",
        "oflags": "fciq"}  # fmt: skip
    kraken.exchange.on("POST /0/private/OpenOrders", result({"open": {}}))
    kraken.exchange.on("POST /0/private/ClosedOrders", result({"closed": {"O9": row}, "count": 1}))
    unknown = Order(REQUEST, OrderStatus.UNCONFIRMED)
    report = await kraken.account.query(unknown)
    assert report is not None
    assert (report.status, report.venue_order_id) == (OrderStatus.FILLED, "O9")
    assert report.event_time == 1700000001_250_000_000
    kraken.exchange.on("POST /0/private/ClosedOrders", result({"closed": {}, "count": 0}))
    assert await kraken.account.query(unknown) is None
    # By the venue's id one question is enough.
    kraken.exchange.on("POST /0/private/QueryOrders", error("EOrder:Invalid order"))
    assert await kraken.account.query(replace(unknown, venue_order_id="O9")) is None
    kraken.exchange.on("POST /0/private/QueryOrders", result({"O9": row}))
    again = await kraken.account.query(replace(unknown, venue_order_id="O9"))
    assert again == report


async def test_fills_are_read_page_by_page_and_of_all_names_of_a_pair(kraken: Kraken) -> None:
    names = ["XXBTZUSD", "XBTUSD", "BTC/USD", "XETHZUSD"]

    def trades(seen: Seen) -> Answer:
        start = int(seen.form.get("ofs", 0))
        page = {
            f"T{n}": {
                "ordertxid": f"O{n}", "pair": names[n % 4], "time": 1700000000.0 + 120 - n,
                "type": "buy", "price": "100", "vol": "0.1", "fee": "0.04", "maker": False}
            for n in range(start, min(start + 50, 120))
        }  # fmt: skip
        return Answer(result({"trades": page, "count": 120}))

    kraken.exchange.on("POST /0/private/TradesHistory", trades)
    found = await kraken.account.fills("BTC-USD", 1_600_000_000_000_000_000)
    assert len(found) == 90
    assert [f.event_time for f in found] == sorted(f.event_time for f in found)
    asked = kraken.exchange.asked("POST /0/private/TradesHistory")
    assert [seen.form.get("ofs") for seen in asked] == [None, "50", "100"]
    assert {seen.form["start"] for seen in asked} == {"1599999999"}


async def test_all_orders_are_canceled_in_batches_and_one_alone(kraken: Kraken) -> None:
    def rows(count: int) -> bytes:
        row = {
            "status": "open", "cl_ord_id": "C", "opentm": 1700000000.5, "descr": {"pair": "XBTUSD",
            "type": "buy", "ordertype": "limit", "price": "99.5"}, "vol": "0.1", "vol_exec": "0",
            "cost": "0"}  # fmt: skip
        return result({"open": {f"O{n}": row for n in range(count)}})

    def count(seen: Seen) -> Answer:
        return Answer(result({"count": len(json.loads(seen.body)["orders"])}))

    kraken.exchange.on("POST /0/private/OpenOrders", rows(51))
    kraken.exchange.on("POST /0/private/CancelOrderBatch", count)
    kraken.exchange.on(CANCEL, result({"count": 1}))
    canceled = await kraken.account.cancel_all(None)
    assert [r.venue_order_id for r in canceled] == [f"O{n}" for n in range(51)]
    (batch,) = kraken.exchange.asked("POST /0/private/CancelOrderBatch")
    assert len(json.loads(batch.body)["orders"]) == 50
    (alone,) = kraken.exchange.asked(CANCEL)
    assert json.loads(alone.body)["txid"] == "O50"


# -- counters --------------------------------------------------------------------------------------


async def test_the_younger_an_order_the_dearer_its_end(kraken: Kraken) -> None:
    await connect(kraken)
    now = time.time_ns()
    await kraken.account.place(REQUEST)
    assert kraken.used("trading/") == {"trading/BTC/USD": 1}
    await kraken.account.cancel(resting(create_time=now - 600 * 10**9))
    assert kraken.used("trading/")["trading/BTC/USD"] <= 1
    await kraken.account.cancel(resting(create_time=time.time_ns()))
    assert 7 <= kraken.used("trading/")["trading/BTC/USD"] <= 9

    async def hasty() -> None:
        for _ in range(8):
            young = resting(create_time=time.time_ns())
            await kraken.account.replace(young, Decimal("0.2"), Decimal("99.6"), "NEW")
            for _ in range(4):
                await kraken.account.place(REQUEST)

    with pytest.raises(Refused) as caught:
        await hasty()
    assert caught.value.reason is Reason.RATE_LIMITED
    # Another pair has a counter of its own.
    await kraken.account.place(replace(REQUEST, instrument="ETH-USD"))
    # A batch of cancels is taken whatever the counter says.
    open_orders = {f"O{n}": {
        "status": "open", "opentm": time.time(), "descr": {"pair": "XBTUSD", "type": "buy",
        "ordertype": "limit", "price": "99.5"}, "vol": "0.1", "vol_exec": "0", "cost": "0",
        "cl_ord_id": "C"} for n in range(9)}  # fmt: skip
    kraken.exchange.on("POST /0/private/OpenOrders", result({"open": open_orders}))
    assert len(await kraken.account.cancel_all("BTC-USD")) == 9


async def test_a_pair_whose_counter_is_full_waits_and_the_others_do_not(kraken: Kraken) -> None:
    await connect(kraken)
    kraken.refusals["add_order"] = "EOrder:Rate limit exceeded"
    with pytest.raises(Unconfirmed) as caught:
        await kraken.account.place(REQUEST)
    assert caught.value.retry_after == VENUE.limit_pause
    kraken.refusals.clear()
    with pytest.raises(Refused) as refused:
        await kraken.account.place(REQUEST)
    assert refused.value.reason is Reason.RATE_LIMITED
    await kraken.account.place(replace(REQUEST, instrument="ETH-USD"))
    assert [f["params"]["symbol"] for f in kraken.orders] == ["BTC/USD", "ETH/USD"]


async def test_calls_that_are_no_orders_leave_room_for_each_other(kraken: Kraken) -> None:
    scope, key = kraken.market.scope("main"), Credentials("key", SECRET)

    async def impatient() -> None:
        for _ in range(20):
            await kraken.market.caller.call(GetBalances(), scope, key, 0)

    with pytest.raises(CambistError) as caught:
        await impatient()
    assert caught.value.reason is Reason.RATE_LIMITED
    assert 10 <= len(kraken.exchange.asked("POST /0/private/BalanceEx")) <= 13


# -- market data -----------------------------------------------------------------------------------


async def test_a_book_that_missed_a_message_is_subscribed_to_anew(kraken: Kraken) -> None:
    events: list[Any] = []
    bitcoin, ether = (kraken.market.instruments[name] for name in ("BTC-USD", "ETH-USD"))
    feed = await kraken.market.subscribe(Channel.BOOK, bitcoin, events.append)
    other = await kraken.market.subscribe(Channel.BOOK, ether, lambda event: None)

    def states() -> list[BookState]:
        return [f.snapshot().state for f in (feed, other)]  # type: ignore[union-attr]

    await kraken.exchange.until(lambda: states() == [BookState.LIVE] * 2, "both books")
    (socket,) = kraken.exchange.sockets
    bids = [("99.6", "0.50000000"), *BIDS]
    socket.send(book("update", bids[:1], [], checksum(bids, ASKS)))
    await kraken.exchange.until(lambda: isinstance(events[-1], BookDelta), "a change")
    assert events[-1].bids == (["99.6"], ["0.5"])
    # A change is lost; the next one tells.
    lost = [("99.7", "1.00000000"), *bids]
    socket.send(book("update", [("99.4", "3.00000000")], [], checksum(lost, ASKS)))
    await kraken.exchange.until(
        lambda: any(isinstance(e, BookSnapshot) and "checksum" in e.reason for e in events)
    )
    await kraken.exchange.until(lambda: states() == [BookState.LIVE] * 2, "the book again")
    asked = [json.loads(frame) for frame in socket.frames]
    assert [(f["method"], f["params"]["symbol"]) for f in asked] == [
        ("subscribe", ["BTC/USD"]),
        ("subscribe", ["ETH/USD"]),
        ("unsubscribe", ["BTC/USD"]),
        ("subscribe", ["BTC/USD"]),
    ]
    assert len(kraken.exchange.sockets) == 1


async def test_an_instrument_that_the_stream_does_not_know_does_not_hold_up_the_others(
    kraken: Kraken,
) -> None:
    bitcoin, ether = (kraken.market.instruments[name] for name in ("BTC-USD", "ETH-USD"))
    known = kraken.subscribe

    def picky(socket: Socket, frame: dict[str, Any]) -> None:
        if frame["params"]["symbol"] == ["BTC/USD"]:
            refusal = {
                "error": "Currency pair not supported BTC/USD", "method": "subscribe",
                "req_id": frame["req_id"], "success": False, "symbol": "BTC/USD"}  # fmt: skip
            socket.send(json.dumps(refusal).encode())
        else:
            known(socket, frame)

    kraken.subscribe = picky  # type: ignore[method-assign]
    refused = await kraken.market.subscribe(Channel.BOOK, bitcoin, lambda event: None)
    feed = await kraken.market.subscribe(Channel.BOOK, ether, lambda event: None)
    await kraken.exchange.until(
        lambda: feed.snapshot().state is BookState.LIVE,  # type: ignore[union-attr]
        "the other book",
    )
    snapshot = refused.snapshot()
    assert isinstance(snapshot, BookSnapshot)
    assert "not supported" in snapshot.reason


async def test_two_intervals_of_a_symbol_need_two_connections(kraken: Kraken) -> None:
    bitcoin = kraken.market.instruments["BTC-USD"]
    seen: dict[int, list[Candle]] = {60: [], 300: []}
    for interval, sink in seen.items():
        await kraken.market.subscribe(Channel.CANDLES, bitcoin, sink.append, interval)  # type: ignore[arg-type]
    await kraken.exchange.until(
        lambda: sum(len(s.frames) for s in kraken.exchange.sockets) == 2, "the subscriptions"
    )
    first, second = kraken.exchange.sockets
    assert {json.loads(s.frames[0])["params"]["interval"] for s in (first, second)} == {1, 5}
    for socket in (first, second):
        minutes = json.loads(socket.frames[0])["params"]["interval"]
        candle = {
            "symbol": "BTC/USD", "open": 1, "high": 2, "low": 1, "close": 2, "trades": 1,
            "volume": 3, "vwap": 1.5, "interval_begin": "2026-10-04T15:25:00.000000000Z",
            "interval": minutes, "timestamp": "2026-10-04T15:30:00.000000Z"}  # fmt: skip
        frame = {"channel": "ohlc", "type": "update", "data": [candle]}
        socket.send(json.dumps(frame).encode())
    await kraken.exchange.until(lambda: all(seen.values()), "the candles")
    assert [c.interval for found in seen.values() for c in found] == [60, 300]
    # The 4th of October is over by any clock that signs requests: the candles are final.
    assert all(c.closed for found in seen.values() for c in found)
