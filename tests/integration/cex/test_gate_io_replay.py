"""Gate's recorded session through the whole engine, over real sockets."""

import json
from collections import Counter
from functools import partial

import pytest

from cex.engine.market import ExchangeVenue
from cex.venues.gate_io import VENUE
from core.clock import MILLISECOND, SystemClock
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.ports import Channel, Feed, Health
from tests.support import corpus
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

pytestmark = pytest.mark.corpus


@pytest.mark.parametrize("early", [0, 40])
async def test_a_recorded_session_through_the_engine(early: int) -> None:
    """`early` of the frames come before the snapshots are answered, the rest after. A snapshot that
    is newer than what has come is joined when the stream has caught up."""
    rows = corpus.recording("gateio")
    listed = next(r["data"] for r in rows if "/currency_pairs" in r.get("url", "")).encode()
    snapshots = {
        row["url"].partition("currency_pair=")[2].partition("&")[0]: row["data"].encode()
        for row in rows
        if "/order_book" in row.get("url", "")
    }
    data = [json.loads(row["data"]) for row in rows if row["t"] == "recv"]
    data = [frame for frame in data if frame["event"] == "update"]
    frames = [json.dumps(frame).encode() for frame in data]
    books = [f["result"] for f in data if f["channel"] == "spot.order_book_update"]
    trades = Counter(f["result"]["currency_pair"] for f in data if f["channel"] == "spot.trades")
    last = {
        symbol: max([json.loads(body)["id"], *(b["u"] for b in books if b["s"] == symbol)])
        for symbol, body in snapshots.items()
    }

    async with LocalExchange() as exchange:
        asked: list[str] = []

        async def on_book(seen: Seen) -> Answer:
            symbol = seen.query["currency_pair"]
            asked.append(symbol)
            await exchange.until(lambda: len(set(asked)) == len(snapshots), "all snapshots")
            return Answer(snapshots[symbol])

        def on_frame(socket: Socket, payload: bytes) -> None:
            frame = json.loads(payload)
            if len(socket.frames) == 1:
                socket.send(*frames[:early])
            del frame["payload"]
            socket.send(json.dumps({**frame, "result": {"status": "success"}}).encode())

        exchange.on_frame = on_frame
        now = {"server_time": SystemClock().now() // MILLISECOND}
        exchange.on("GET /api/v4/spot/time", json.dumps(now).encode())
        exchange.on("GET /api/v4/spot/currency_pairs", listed)
        exchange.on("GET /api/v4/spot/order_book", on_book)
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        told: dict[tuple[str, Channel], list[MarketEvent]] = {}
        feeds: dict[str, Feed] = {}
        for symbol in snapshots:
            instrument = market.instruments[symbol.replace("_", "-")]
            for channel in (Channel.BOOK, Channel.TRADES, Channel.TICKER):
                events = told[symbol, channel] = list[MarketEvent]()
                feed = await market.subscribe(channel, instrument, events.append)
                if channel is Channel.BOOK:
                    feeds[symbol] = feed

        def book(symbol: str) -> BookSnapshot:
            snapshot = feeds[symbol].snapshot()
            assert isinstance(snapshot, BookSnapshot)
            return snapshot

        def arrived(symbol: str) -> bool:
            return book(symbol).state is BookState.LIVE and book(symbol).sequence == last[symbol]

        def live() -> bool:
            return all(book(symbol).state is BookState.LIVE for symbol in snapshots)

        await exchange.until(live, "live books")
        exchange.sockets[0].send(*frames[early:])
        for symbol in snapshots:
            await exchange.until(partial(arrived, symbol), f"the last change of {symbol}")
            states = [e.state for e in told[symbol, Channel.BOOK] if isinstance(e, BookSnapshot)]
            assert states.count(BookState.LIVE) == 1  # never lost
            if not early:
                assert len(told[symbol, Channel.TRADES]) == trades[symbol]
        deltas = sum(isinstance(e, BookDelta) for events in told.values() for e in events)
        assert deltas > 100
        assert market.condition.health is Health.READY
        await market.stop()
