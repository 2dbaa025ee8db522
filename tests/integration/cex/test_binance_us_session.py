"""Binance.US over real connections: listen keys that live, end and are asked for again; commands on
a connection of their own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.spec import VenueSpec
from cex.venues.binance_us import VENUE
from core.clock import MILLISECOND, SECOND, SystemClock
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderStatus, OrderType, Side
from core.ports import AccountReport, StreamState
from tests.support.cex_fixtures import load, payload
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

REQUEST = OrderRequest(
    "CBTEXAMPLE1",
    "main",
    "binance_us",
    "BTC-USDT",
    Side.BUY,
    OrderType.LIMIT,
    Decimal("0.01"),
    Decimal("52000.1"),
)
KEYS = "POST /api/v3/userDataStream"
KEEP = "PUT /api/v3/userDataStream"


def fixture(kind: str, name: str) -> bytes:
    return payload(next(c for c in load("binance_us").cases(kind) if c["name"] == name))


@dataclass
class Session:
    exchange: LocalExchange
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)

    def states(self) -> list[bool]:
        return [r.connected for r in self.reports if isinstance(r, StreamState)]

    def streams(self) -> list[Socket]:
        return [s for s in self.exchange.sockets if s.path.startswith("/ws/")]


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with opened(VENUE) as found:
        yield found


@asynccontextmanager
async def opened(spec: VenueSpec) -> AsyncIterator[Session]:
    async with LocalExchange() as exchange:
        made = 0

        def key(seen: Seen) -> Answer:
            nonlocal made
            made += 1
            return Answer(json.dumps({"listenKey": f"key{made}"}).encode())

        now = SystemClock().now() // MILLISECOND
        exchange.on("GET /api/v3/time", json.dumps({"serverTime": now}).encode())
        exchange.on("GET /api/v3/exchangeInfo", fixture("replies", "exchange information"))
        exchange.on(KEYS, key)
        exchange.on(KEEP, b"{}")
        hosts = {"rest": exchange.http, "stream": exchange.ws, "ws_api": exchange.ws}
        market = ExchangeVenue(spec, SystemClock(), hosts)
        account = ExchangeAccount("main", market, Credentials("the-api-key", "the-secret-key"))
        found = Session(exchange, account)

        def on_frame(socket: Socket, raw: bytes) -> None:
            asked = json.loads(raw)
            found.commands.append(asked)
            answer = json.loads(fixture("replies", "a canceled order: it has no time"))
            answer["origClientOrderId"] = "CBTEXAMPLE1"
            reply = {"id": asked["id"], "status": 200, "result": answer, "rateLimits": []}
            socket.send(json.dumps(reply).encode())

        exchange.on_frame = on_frame
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        await account.start(found.reports.append)
        await exchange.until(lambda: found.states() == [True], "the account's stream")
        yield found
        await account.stop()
        await market.stop()


async def test_events_come_by_a_key_that_is_asked_for_without_a_signature(session: Session) -> None:
    (asked,) = session.exchange.asked(KEYS)
    assert asked.headers["X-MBX-APIKEY"] == "the-api-key"
    assert asked.params == {}
    (stream,) = session.streams()
    assert stream.path == "/ws/key1"
    event = next(
        case["payload"]
        for case in load("binance_us").cases("frames")
        if case["name"] == "a trade of our order"
    )
    symbol = {"s": "BTCUSDT"}
    stream.send(json.dumps({**event, **symbol}).encode())
    await session.exchange.until(
        lambda: [r for r in session.reports if isinstance(r, Fill)], "a fill"
    )
    assert [type(r) for r in session.reports[1:]] == [OrderReport, Fill]


async def test_a_key_that_expired_is_replaced_by_another(session: Session) -> None:
    (stream,) = session.streams()
    stream.send(fixture("frames", "a listen key that ran out"))
    await session.exchange.until(lambda: session.states() == [True, False, True], "the stream")
    (stream,) = session.streams()
    assert stream.path == "/ws/key2"


async def test_a_key_is_kept_alive_until_the_venue_does_not_know_it() -> None:
    often = replace(VENUE.private.stream, keep_interval=SECOND // 20)
    spec = replace(VENUE, private=replace(VENUE.private, stream=often))
    async with opened(spec) as session:
        exchange = session.exchange
        await exchange.until(lambda: len(exchange.asked(KEEP)) >= 3, "words for the key")
        assert all(seen.params == {"listenKey": "key1"} for seen in exchange.asked(KEEP))
        assert session.states() == [True]
        gone = fixture("errors", "a listen key that is no more")
        exchange.on(KEEP, lambda seen: Answer(gone, 400))
        await exchange.until(lambda: session.states()[:2] == [True, False], "the end of the key")
        exchange.on(KEEP, b"{}")
        await exchange.until(lambda: session.states()[-1], "the stream again")
        await exchange.until(lambda: session.streams(), "its connection")
        assert session.streams()[0].path != "/ws/key1"


async def test_commands_go_over_a_connection_of_their_own(session: Session) -> None:
    def commanded() -> bool:
        return any(s.path == "/ws-api/v3" for s in session.exchange.sockets)

    await session.exchange.until(commanded, "the connection for commands")
    line = session.account._line
    assert line is not None
    await session.exchange.until(lambda: line._connection.live, "that it is open")
    order = Order(REQUEST, OrderStatus.OPEN, "4")
    report = await session.account.cancel(order)
    assert report.status is OrderStatus.CANCELED
    (asked,) = session.commands
    assert asked["method"] == "order.cancel"
    assert asked["params"]["orderId"] == "4"
    assert "signature" in asked["params"]
    assert not session.exchange.asked("DELETE /api/v3/order")
