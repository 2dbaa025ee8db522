"""KuCoin's recorded session through the whole engine, over real sockets."""

import json
from collections import Counter
from functools import partial

import pytest

from cex.engine.market import ExchangeVenue
from cex.venues.kucoin import VENUE
from core.clock import MILLISECOND, SystemClock
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.ports import Channel, Feed, Health
from tests.support import corpus
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

pytestmark = pytest.mark.corpus


async def test_a_recorded_session_through_the_engine() -> None:
    """The token, its endpoint, the greeting; each book's snapshot joins in the middle of its
    messages, as it was recorded."""
    rows = corpus.recording("kucoin")
    listed = next(r["data"] for r in rows if "/symbols" in r.get("url", "")).encode()
    snapshots = {
        row["url"].partition("symbol=")[2]: row["data"].encode()
        for row in rows
        if "/orderbook/level2" in row.get("url", "")
    }
    frames = [row["data"] for row in rows if row["t"] == "recv"]
    welcome = frames[0].encode()
    assert b"welcome" in welcome
    data = [json.loads(frame) for frame in frames if '"message"' in frame]
    recorded = Counter(frame["topic"] for frame in data)
    last = {
        symbol: max(
            [int(json.loads(body)["data"]["sequence"])]
            + [f["data"]["sequenceEnd"] for f in data if f["topic"] == f"/market/level2:{symbol}"]
        )
        for symbol, body in snapshots.items()
    }

    async with LocalExchange() as exchange:
        server = {"endpoint": f"{exchange.ws}/endpoint", "pingInterval": 18000}
        bullet = {"code": "200000", "data": {"token": "TOKEN", "instanceServers": [server]}}
        now = {"code": "200000", "data": SystemClock().now() // MILLISECOND}
        exchange.on("GET /api/v1/timestamp", json.dumps(now).encode())
        exchange.on("GET /api/v2/symbols", listed)
        exchange.on("POST /api/v1/bullet-public", json.dumps(bullet).encode())
        books_asked: list[str] = []

        async def on_book(seen: Seen) -> Answer:
            symbol = seen.query["symbol"]
            books_asked.append(symbol)
            trades = told[symbol, Channel.TRADES]
            await exchange.until(lambda: len(trades) == recorded[f"/market/match:{symbol}"])
            return Answer(snapshots[symbol])

        def on_frame(socket: Socket, payload: bytes) -> None:
            asked = json.loads(payload)
            socket.send(json.dumps({"id": asked["id"], "type": "ack"}).encode())

        exchange.on("GET /api/v1/market/orderbook/level2_100", on_book)
        exchange.on_frame = on_frame
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        told: dict[tuple[str, Channel], list[MarketEvent]] = {}
        feeds: dict[str, Feed] = {}
        for symbol in snapshots:
            instrument = next(i for i in market.instruments.values() if i.venue_symbol == symbol)
            for channel in (Channel.BOOK, Channel.TRADES, Channel.TICKER):
                events = told[symbol, channel] = list[MarketEvent]()
                feed = await market.subscribe(channel, instrument, events.append)
                if channel is Channel.BOOK:
                    feeds[symbol] = feed
        await exchange.until(lambda: exchange.sockets, "a connection")
        socket = exchange.sockets[0]
        assert socket.path.startswith("/endpoint?token=TOKEN&connectId=")
        assert not socket.frames  # it waits for the greeting
        socket.send(welcome)
        await exchange.until(lambda: len(books_asked) == len(snapshots), "the snapshots")
        socket.send(*(json.dumps(frame).encode() for frame in data))

        def book(symbol: str) -> BookSnapshot:
            snapshot = feeds[symbol].snapshot()
            assert isinstance(snapshot, BookSnapshot)
            return snapshot

        def arrived(symbol: str) -> bool:
            return book(symbol).state is BookState.LIVE and book(symbol).sequence == last[symbol]

        for symbol in snapshots:
            await exchange.until(partial(arrived, symbol), f"the last change of {symbol}")
            states = [e.state for e in told[symbol, Channel.BOOK] if isinstance(e, BookSnapshot)]
            # Never lost once it was live.
            assert states[-1] is BookState.LIVE
            assert states.count(BookState.LIVE) == 1
            assert len(told[symbol, Channel.TRADES]) == recorded[f"/market/match:{symbol}"]
            assert len(told[symbol, Channel.TICKER]) == recorded[f"/market/ticker:{symbol}"]
        assert sum(isinstance(e, BookDelta) for events in told.values() for e in events) > 100
        assert market.condition.health is Health.READY
        await market.stop()
