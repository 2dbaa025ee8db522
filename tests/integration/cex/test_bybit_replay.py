"""Bybit's recorded session through the whole engine, over real sockets."""

import json
from collections import Counter
from functools import partial

import pytest

from cex.engine.market import ExchangeVenue
from cex.venues import catalogue
from core.clock import SystemClock
from core.market import BookSnapshot, MarketEvent
from core.ports import Channel, Health
from tests.support import corpus
from tests.support.local_exchange import LocalExchange, Socket

pytestmark = pytest.mark.corpus


def reached(events: list[MarketEvent], count: int) -> bool:
    return len(events) >= count


@pytest.mark.parametrize(
    ("name", "category", "symbols"),
    [
        ("bybit", "spot", ("BTC-USDT", "ETH-USDT")),
        ("bybit_perpetual", "linear", ("BTC-USDT-PERP", "DOGE-USDT-PERP")),
    ],
)
async def test_a_recorded_session_through_the_engine(
    name: str, category: str, symbols: tuple[str, ...]
) -> None:
    rows = corpus.recording("bybit")
    listed = next(r["data"] for r in rows if f"category={category}" in r.get("url", "")).encode()
    connection = next(r["conn"] for r in rows if r["t"] == "connect" and category in r["addr"])
    frames = [r["data"] for r in rows if r["t"] == "recv" and r["conn"] == connection]
    data = [frame.encode() for frame in frames if '"topic"' in frame]
    recorded = Counter(json.loads(frame)["topic"] for frame in data)

    async with LocalExchange() as exchange:

        def on_frame(socket: Socket, payload: bytes) -> None:
            asked = json.loads(payload)
            answer = {"success": True, "ret_msg": "", "op": "subscribe", "req_id": asked["req_id"]}
            socket.send(json.dumps(answer).encode())

        exchange.on_frame = on_frame
        now = {"retCode": 0, "result": {"timeNano": str(SystemClock().now())}}
        exchange.on("GET /v5/market/time", json.dumps(now).encode())
        exchange.on("GET /v5/market/instruments-info", listed)
        hosts = {"rest": exchange.http, "stream": exchange.ws}
        market = ExchangeVenue(catalogue()[name], SystemClock(), hosts)
        await market.start()
        await exchange.until(market.loaded.is_set)
        channels = [c for c in market.spec.channels if c is not Channel.CANDLES]
        told: dict[tuple[str, Channel], list[MarketEvent]] = {}
        wanted = set()
        for symbol in symbols:
            instrument = market.instruments[symbol]
            for channel in channels:
                events = told[symbol, channel] = list[MarketEvent]()
                await market.subscribe(channel, instrument, events.append)
                wanted |= set(market.spec.channels[channel].topics(instrument, 0))

        def subscribed() -> set[str]:
            frames = [json.loads(f) for socket in exchange.sockets for f in socket.frames]
            return {topic for frame in frames for topic in frame["args"]}

        await exchange.until(lambda: subscribed() == wanted, "all subscriptions")
        for socket in exchange.sockets:
            socket.send(*data)
        for symbol in symbols:
            topic = f"orderbook.200.{market.instruments[symbol].venue_symbol}"
            book = told[symbol, Channel.BOOK]
            await exchange.until(partial(reached, book, 1 + recorded[topic]), "the last change")
            # The subscription, the snapshot; from there on every message is a change.
            states = [event.state.name for event in book if isinstance(event, BookSnapshot)]
            assert states == ["SYNCING", "LIVE"]
            assert len(book) == 1 + recorded[topic]
            assert told[symbol, Channel.TICKER]
            assert told.get((symbol, Channel.FUNDING), [None])
        assert market.condition.health is Health.READY
        await market.stop()
