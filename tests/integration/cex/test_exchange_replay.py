"""The recorded session through the whole engine, over real sockets."""

import json
from typing import Any

import pytest

from cex.engine.market import ExchangeVenue
from cex.venues import okx
from cex.venues.binance import VENUE
from core.clock import MILLISECOND, SystemClock
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent, Ticker, Trade
from core.ports import Channel, Health
from tests.support import corpus
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket

pytestmark = pytest.mark.corpus


@pytest.mark.parametrize("early", [0, 30, 10_000])
async def test_recorded_books_stay_live_through_the_engine(early: int) -> None:
    """`early` of the frames come before the snapshots are answered, the rest after."""
    rows = corpus.recording("binance")
    replies: dict[str, bytes] = {}
    for row in rows:
        if row["t"] == "http":
            symbol = row["url"].partition("symbol=")[2].partition("&")[0]
            replies[symbol or "exchangeInfo"] = row["data"].encode()
    frames = [row["data"].encode() for row in rows if row["t"] == "recv"]
    depth = [frame for frame in frames if b"@depth" in frame[:60]]
    last: dict[str, int] = {}
    for frame in depth:
        data = json.loads(frame)["data"]
        last[data["s"]] = data["u"]

    async with LocalExchange() as exchange:
        waiting: list[str] = []

        def on_frame(socket: Socket, payload: bytes) -> None:
            message: dict[str, Any] = json.loads(payload)
            socket.send(json.dumps({"result": None, "id": message["id"]}).encode())
            if len(socket.frames) == 1:
                socket.send(*frames[:early])

        async def on_depth(seen: Seen) -> Answer:
            waiting.append(seen.params["symbol"])
            await exchange.until(lambda: len(waiting) >= 4, "all four snapshots")
            return Answer(replies[seen.params["symbol"]])

        exchange.on_frame = on_frame
        now = SystemClock().now() // MILLISECOND  # the recording's would be years off
        exchange.on("GET /api/v3/time", json.dumps({"serverTime": now}).encode())
        exchange.on("GET /api/v3/exchangeInfo", replies["exchangeInfo"])
        exchange.on("GET /api/v3/depth", on_depth)
        hosts = {"rest": exchange.http, "stream": exchange.ws, "ws_api": exchange.ws}
        market = ExchangeVenue(VENUE, SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        told: dict[str, list[MarketEvent]] = {}
        feeds = {}
        for name in ("NKN-USDT", "BLZ-ETH", "LRC-BTC", "RUNE-EUR"):
            instrument = market.instruments[name]
            events = told.setdefault(instrument.venue_symbol, [])
            feeds[instrument.venue_symbol] = await market.subscribe(
                Channel.BOOK, instrument, events.append
            )
            await market.subscribe(Channel.TICKER, instrument, events.append)

        def books() -> dict[str, BookSnapshot]:
            found = {symbol: feed.snapshot() for symbol, feed in feeds.items()}
            return {s: b for s, b in found.items() if isinstance(b, BookSnapshot)}

        def all_live() -> bool:
            return all(book.state is BookState.LIVE for book in books().values())

        await exchange.until(all_live, "four live books")
        exchange.sockets[0].send(*frames[early:])
        await exchange.until(
            lambda: all(books()[symbol].sequence >= end for symbol, end in last.items()),
            "the last frame",
        )
        for symbol, book in books().items():
            assert book.state is BookState.LIVE
            assert book.sequence == max(last[symbol], json.loads(replies[symbol])["lastUpdateId"])
            states = [e.state.name for e in told[symbol] if isinstance(e, BookSnapshot)]
            assert states == ["SYNCING", "LIVE"]  # never lost once it was live
            assert not early or len(told[symbol]) > 1
        events = [event for rows in told.values() for event in rows]
        if not early:
            assert sum(isinstance(e, BookDelta) for e in events) > 150
        assert sum(isinstance(e, Ticker) for e in events) == 84
        assert market.condition.health is Health.READY
        await market.stop()


async def test_a_recorded_session_of_okx_through_the_engine() -> None:
    """Confirmations as recorded; every book message has the venue's own checksum."""
    rows = corpus.recording("okx")
    instruments = next(r["data"] for r in rows if "instType=SPOT" in r.get("url", "")).encode()
    frames = [row["data"].encode() for row in rows if row["t"] == "recv"]
    answers = [frame for frame in frames if b'"event"' in frame]
    data = [frame for frame in frames if b'"data"' in frame]
    async with LocalExchange() as exchange:

        def on_frame(socket: Socket, payload: bytes) -> None:
            for arg in json.loads(payload)["args"]:
                name = f'"channel":"{arg["channel"]}","instId":"{arg["instId"]}"'.encode()
                socket.send(next(answer for answer in answers if name in answer))

        exchange.on_frame = on_frame
        now = str(SystemClock().now() // MILLISECOND)
        time = {"code": "0", "msg": "", "data": [{"ts": now}]}
        exchange.on("GET /api/v5/public/time", json.dumps(time).encode())
        exchange.on("GET /api/v5/public/instruments", instruments)
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(okx.VENUE, SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        instrument = market.instruments["BTC-USDT"]
        events: list[MarketEvent] = []
        for channel in (Channel.BOOK, Channel.TRADES, Channel.TICKER):
            await market.subscribe(channel, instrument, events.append)
        await exchange.until(lambda: exchange.sockets and exchange.sockets[0].frames, "frames")
        exchange.sockets[0].send(*data)

        def count(kind: type) -> int:
            return sum(isinstance(event, kind) for event in events)

        await exchange.until(lambda: count(BookDelta) == 97, "the last change of the book")
        states = [event.state.name for event in events if isinstance(event, BookSnapshot)]
        assert [state for state in states if state != "SYNCING"] == ["LIVE"]
        assert (count(Trade), count(Ticker)) == (69, 25)
        assert market.condition.health is Health.READY
        await market.stop()
