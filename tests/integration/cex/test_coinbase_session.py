"""Coinbase's ways over real connections: frames that the connection counts, one book under two
names, tokens on the account's stream, orders that only the venue's id names, dry runs."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues.coinbase import ROOT, VENUE
from core.clock import MILLISECOND, SECOND, SystemClock
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.market import BookDelta, BookSnapshot, BookState, Candle, MarketEvent, Ticker, Trade
from core.orders import Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, Channel, Health, StreamState
from tests.support import corpus
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CREDENTIALS = Credentials("the-key", base64.b64encode(KEY.private_bytes_raw()).decode())
REQUEST = OrderRequest(
    "CBTEXAMPLE1",
    "main",
    "coinbase",
    "BTC-USD",
    Side.BUY,
    OrderType.LIMIT,
    Decimal("0.01"),
    Decimal("52000.1"),
)
ORDER = Order(REQUEST, OrderStatus.UNCONFIRMED, create_time=1_700_000_000 * SECOND)
PRODUCTS = ("BTC-USD", "BTC-USDC", "ETH-USD")


def products() -> bytes:
    found = [
        {
            "product_id": name, "base_currency_id": name[:3], "quote_currency_id": name[4:],
            "base_increment": "0.00000001", "quote_increment": "0.01", "status": "online",
            "product_type": "SPOT", "alias": "BTC-USD" if name == "BTC-USDC" else "",
        }
        for name in PRODUCTS
    ]  # fmt: skip
    return json.dumps({"products": found}).encode()


@dataclass
class Server:
    """The venue's side of its sockets: each connection has a count of its own."""

    exchange: LocalExchange
    subscribed: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # next, by socket
    refusal: str = ""  # of the account's subscription

    def frame(self, socket: Socket, raw: bytes) -> None:
        asked = json.loads(raw)
        self.subscribed.append(asked)
        channel, names = asked["channel"], asked.get("product_ids", ["whose"])
        if asked["type"] == "unsubscribe" or (channel == "user" and self.refusal):
            if channel == "user":
                socket.send(json.dumps({"type": "error", "message": self.refusal}).encode())
            return
        if channel == "level2":
            for name in names:
                self.book(socket, name, "snapshot", ("bid", "10", "1"), ("offer", "11", "1"))
        self.tell(socket, "subscriptions", {"subscriptions": {channel: names}})

    def book(self, socket: Socket, name: str, kind: str, *rows: tuple[str, str, str]) -> None:
        updates = [{"side": s, "price_level": p, "new_quantity": q} for s, p, q in rows]
        self.tell(socket, "l2_data", {"type": kind, "product_id": name, "updates": updates})

    def tell(self, socket: Socket, channel: str, event: dict[str, Any], skip: int = 0) -> None:
        number = self.numbers.get(id(socket), 0) + skip
        self.numbers[id(socket)] = number + 1
        self.repeat(socket, channel, event, number)

    def repeat(self, socket: Socket, channel: str, event: dict[str, Any], number: int) -> None:
        time = "2026-08-09T21:05:48.228568804Z"
        frame = {"channel": channel, "timestamp": time, "sequence_num": number, "events": [event]}
        socket.send(json.dumps(frame).encode())

    def sockets(self, channel: str) -> list[Socket]:
        """The connections on which a channel was asked for."""
        name = f'"{channel}"'.encode()
        return [s for s in self.exchange.sockets if any(name in frame for frame in s.frames)]


@dataclass
class Session:
    exchange: LocalExchange
    server: Server
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)

    async def book(self, name: str) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        await self.market.subscribe(Channel.BOOK, self.market.instruments[name], events.append)
        return events

    async def connect(self) -> None:
        await self.account.start(self.reports.append)
        await self.exchange.until(lambda: self.reports, "the account's stream")


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        server = Server(exchange)
        exchange.on_frame = server.frame
        now = str(SystemClock().now() // MILLISECOND)
        exchange.on(f"GET {ROOT}/time", json.dumps({"epochMillis": now}).encode())
        exchange.on(f"GET {ROOT}/market/products", products())
        hosts = {"rest": exchange.http, "stream": exchange.ws, "user": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        account = ExchangeAccount("main", market, CREDENTIALS)
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield Session(exchange, server, market, account)
        await account.stop()
        await market.stop()


def states(events: list[MarketEvent]) -> list[str]:
    found = [event.state.name for event in events if isinstance(event, BookSnapshot)]
    return [state for place, state in enumerate(found) if found[place - 1 : place] != [state]]


def live(events: list[MarketEvent]) -> bool:
    return states(events)[-1:] == ["LIVE"]


async def test_a_frame_that_is_missing_stales_all_books_of_the_connection(
    session: Session,
) -> None:
    books = [await session.book("BTC-USD"), await session.book("ETH-USD")]
    await session.exchange.until(lambda: all(map(live, books)), "both books")
    (socket,) = session.server.sockets("level2")
    tell, number = session.server.book, session.server.numbers
    tell(socket, "BTC-USD", "update", ("bid", "10.1", "2"))
    # Twice the same, and one of before: read once.
    session.server.repeat(
        socket,
        "l2_data",
        {"type": "update", "product_id": "BTC-USD", "updates": []},
        number[id(socket)] - 1,
    )
    tell(socket, "BTC-USD", "update", ("bid", "10.1", "0"))
    await session.exchange.until(
        lambda: sum(isinstance(event, BookDelta) for event in books[0]) == 2, "two changes"
    )
    number[id(socket)] += 1  # one is lost, of whichever book
    tell(socket, "BTC-USD", "update", ("bid", "10.2", "2"))
    await session.exchange.until(lambda: all("STALE" in states(b) for b in books), "no live book")
    assert any("was due" in event.reason for event in books[1] if isinstance(event, BookSnapshot))
    await session.exchange.until(lambda: all(map(live, books)), "both books again")
    assert len([e for e in books[0] if isinstance(e, BookDelta)]) == 2


async def test_one_book_under_two_names_reaches_both(session: Session) -> None:
    books = {name: await session.book(name) for name in ("BTC-USD", "BTC-USDC")}
    await session.exchange.until(lambda: all(map(live, books.values())), "both books")
    sockets = session.server.sockets("level2")
    assert len(sockets) == 2  # a topic has one reader on a connection
    asked = [one["product_ids"] for one in session.server.subscribed if one["channel"] == "level2"]
    assert asked == [["BTC-USD"], ["BTC-USD"]]
    for socket in sockets:
        session.server.book(socket, "BTC-USD", "update", ("bid", "10.5", "2"))
    await session.exchange.until(
        lambda: all(any(isinstance(e, BookDelta) for e in b) for b in books.values()), "changes"
    )
    assert {e.instrument for e in books["BTC-USDC"] if isinstance(e, BookDelta)} == {"BTC-USDC"}


async def test_candles_of_a_minute_are_asked_for_and_not_streamed(session: Session) -> None:
    instrument = session.market.instruments["BTC-USD"]
    with pytest.raises(Refused) as caught:
        await session.market.subscribe(Channel.CANDLES, instrument, print, 60)
    assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE
    session.exchange.on(
        f"GET {ROOT}/market/products/BTC-USD/candles",
        payload(next(c for c in load("coinbase").cases("replies") if c["name"] == "candles")),
    )
    candles = await session.market.candles(instrument, 60, None, None, 2)
    assert [candle.open_time for candle in candles] == [
        1639508040 * SECOND,
        1639508100 * SECOND,
    ]


async def test_the_account_is_subscribed_with_a_token_and_told_of_orders(session: Session) -> None:
    await session.connect()
    (socket,) = session.server.sockets("user")
    token = next(one["jwt"] for one in session.server.subscribed if one["channel"] == "user")
    signed, _, signature = token.rpartition(".")
    KEY.public_key().verify(base64.urlsafe_b64decode(signature + "=="), signed.encode())
    order = {
        "order_id": "77", "client_order_id": "CBTEXAMPLE1", "status": "OPEN",
        "cumulative_quantity": "0.004", "filled_value": "200", "avg_price": "50000",
    }  # fmt: skip
    session.server.tell(socket, "user", {"type": "update", "orders": [order]})
    await session.exchange.until(
        lambda: [r for r in session.reports if isinstance(r, OrderReport)], "a report"
    )
    (report,) = [r for r in session.reports if isinstance(r, OrderReport)]
    assert (report.status, report.filled_quantity) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal("0.004"),
    )
    # What is lost may have been about an order: the daemon is told to reconcile.
    session.server.tell(socket, "user", {"type": "update", "orders": [order]}, skip=3)
    await session.exchange.until(
        lambda: (
            [r.connected for r in session.reports if isinstance(r, StreamState)]
            == [
                True,
                False,
                True,
            ]
        ),
        "the stream again",
    )


async def test_a_refused_token_shows(session: Session) -> None:
    session.server.refusal = "authentication failure"
    await session.account.start(session.reports.append)
    await session.exchange.until(
        lambda: session.account.condition.health is Health.DOWN, "the account's condition"
    )
    assert "authentication failure" in session.account.condition.reason
    assert CREDENTIALS.secret not in session.account.condition.reason


async def test_an_order_whose_place_was_not_answered_is_found_by_our_id_and_canceled(
    session: Session,
) -> None:
    exchange, account = session.exchange, session.account
    exchange.on(f"POST {ROOT}/orders", lambda seen: Answer(drop=True))
    with pytest.raises(Unconfirmed):
        await account.place(REQUEST)
    other = {
        "order_id": "76", "product_id": "BTC-USD", "side": "BUY", "client_order_id": "another",
        "status": "OPEN", "created_time": "2023-11-14T22:13:20Z",
    }  # fmt: skip
    ours = {**other, "order_id": "77", "client_order_id": "CBTEXAMPLE1"}

    def listed(seen: Seen) -> Answer:
        second = seen.params.get("cursor") == "2"
        page = {"orders": [ours if second else other], "has_next": not second, "cursor": "2"}
        return Answer(json.dumps(page).encode())

    exchange.on(f"GET {ROOT}/orders/historical/batch", listed)
    results = [{"success": True, "order_id": "77", "failure_reason": ""}]
    exchange.on(f"POST {ROOT}/orders/batch_cancel", json.dumps({"results": results}).encode())
    assert await account.query(ORDER) == OrderReport(
        "CBTEXAMPLE1", OrderStatus.OPEN, "77", event_time=0
    )
    await account.cancel(ORDER)
    (sent,) = exchange.asked(f"POST {ROOT}/orders/batch_cancel")
    assert json.loads(sent.body) == {"order_ids": ["77"]}
    exchange.on(
        f"GET {ROOT}/orders/historical/batch",
        json.dumps({"orders": [other], "has_next": False, "cursor": ""}).encode(),
    )
    assert await account.query(ORDER) is None
    with pytest.raises(Rejected) as caught:
        await account.cancel(ORDER)
    assert caught.value.reason is Reason.ORDER_NOT_FOUND
    assert len(exchange.asked(f"POST {ROOT}/orders/batch_cancel")) == 1
    assert len(exchange.asked(f"POST {ROOT}/orders")) == 1  # never sent again


async def test_a_change_that_is_refused_leaves_the_order(session: Session) -> None:
    known = replace(ORDER, venue_order_id="77", status=OrderStatus.OPEN)
    edit = f"POST {ROOT}/orders/edit"
    session.exchange.on(edit, json.dumps({"success": True, "errors": []}).encode())
    report = await session.account.replace(known, Decimal("0.02"), Decimal("52000"), "")
    assert (report.client_order_id, report.status) == ("CBTEXAMPLE1", OrderStatus.OPEN)
    refused = {"errors": [{"edit_failure_reason": "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"}]}
    session.exchange.on(edit, json.dumps({"success": False, **refused}).encode())
    with pytest.raises(Rejected) as caught:
        await session.account.replace(known, Decimal("0.02"), Decimal("52000"), "")
    assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE


async def test_a_dry_run_asks_the_venue(session: Session) -> None:
    preview = f"POST {ROOT}/orders/preview"
    session.exchange.on(preview, json.dumps({"errs": [], "preview_id": "p"}).encode())
    await session.account.preview(REQUEST)
    (seen,) = session.exchange.asked(preview)
    assert "client_order_id" not in json.loads(seen.body)
    session.exchange.on(preview, json.dumps({"errs": ["PREVIEW_INSUFFICIENT_FUND"]}).encode())
    with pytest.raises(Refused) as caught:
        await session.account.preview(REQUEST)
    assert caught.value.reason is Reason.INSUFFICIENT_BALANCE
    assert not session.exchange.asked(f"POST {ROOT}/orders")


async def test_balances_and_open_orders_come_in_pages(session: Session) -> None:
    def wallets(seen: Seen) -> Answer:
        later = seen.params.get("cursor") == "2"
        wallet = {
            "currency": "USD" if later else "BTC",
            "available_balance": {"value": "1"},
            "hold": {"value": "0.5"},
        }
        return Answer(
            json.dumps({"accounts": [wallet], "has_next": not later, "cursor": "2"}).encode()
        )

    session.exchange.on(f"GET {ROOT}/accounts", wallets)
    balances = await session.account.balances()
    assert {b.asset: (b.total, b.available) for b in balances} == {
        "BTC": (Decimal("1.5"), Decimal(1)),
        "USD": (Decimal("1.5"), Decimal(1)),
    }
    asked: list[str] = []

    def orders(seen: Seen) -> Answer:
        asked.append(seen.target)
        return Answer(json.dumps({"orders": [], "has_next": False, "cursor": ""}).encode())

    session.exchange.on(f"GET {ROOT}/orders/historical/batch", orders)
    assert await session.account.open_orders() == []
    assert ["order_status=OPEN" in asked[0], "order_status=PENDING&" in asked[1]] == [True, True]


async def test_an_error_of_the_key_is_told(session: Session) -> None:
    session.exchange.on(f"GET {ROOT}/accounts", lambda seen: Answer(b"Unauthorized\n", 401))
    with pytest.raises(CambistError) as caught:
        await session.account.balances()
    assert caught.value.reason is Reason.VENUE_AUTHENTICATION_FAILED


@pytest.mark.corpus
async def test_a_recorded_session_of_coinbase_through_the_engine() -> None:
    """Confirmations as recorded, and all frames in their order: none is missing, no book breaks."""
    rows = corpus.recording("coinbase")
    frames = [row["data"].encode() for row in rows if row["t"] == "recv"]
    answers = [frame for frame in frames if b'"subscriptions"' in frame[:30]]
    async with LocalExchange() as exchange:

        def on_frame(socket: Socket, raw: bytes) -> None:
            socket.send(answers[-1])

        exchange.on_frame = on_frame
        now = str(SystemClock().now() // MILLISECOND)
        exchange.on(f"GET {ROOT}/time", json.dumps({"epochMillis": now}).encode())
        recorded = next(row["data"] for row in rows if row["t"] == "http").encode()
        exchange.on(f"GET {ROOT}/market/products", recorded)
        hosts = {"rest": exchange.http, "stream": exchange.ws, "user": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        events: list[MarketEvent] = []
        for name in ("BTC-USD", "ETH-USD"):
            for channel in (Channel.BOOK, Channel.TRADES, Channel.TICKER, Channel.CANDLES):
                instrument = market.instruments[name]
                await market.subscribe(channel, instrument, events.append, 300)
        await exchange.until(lambda: exchange.sockets and len(exchange.sockets[0].frames) >= 5)
        exchange.sockets[0].send(*frames)

        def count(kind: type) -> int:
            return sum(isinstance(event, kind) for event in events)

        await exchange.until(lambda: count(BookDelta) == 773, "the last change of the books")
        await exchange.until(lambda: count(Ticker) == 160, "the last ticker")
        assert (count(Trade), count(Candle)) == (79, 6)
        ended = [e.state for e in events if isinstance(e, BookSnapshot)]
        assert ended.count(BookState.LIVE) == 2
        assert BookState.STALE not in ended
        assert market.condition.health is Health.READY
        await market.stop()
