"""Order books through the whole engine, against a venue that misbehaves."""

import asyncio
import json
from typing import Any

from cex.engine.feeds import BookUpstream
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent, Ticker, Trade
from core.ports import Channel, Feed, Health
from tests.integration.cex.conftest import Bench
from tests.support.local_exchange import Answer, Seen


async def live_book(bench: Bench) -> tuple[Feed, list[MarketEvent]]:
    told: list[MarketEvent] = []
    feed = await bench.market.subscribe(Channel.BOOK, bench.instrument, told.append)
    await bench.exchange.until(lambda: state(feed) is BookState.LIVE, "a live book")
    return feed, told


def state(feed: Feed) -> BookState:
    snapshot = feed.snapshot()
    assert isinstance(snapshot, BookSnapshot)
    return snapshot.state


def book(feed: Feed) -> tuple[Any, Any]:
    snapshot = feed.snapshot()
    assert isinstance(snapshot, BookSnapshot)
    return snapshot.bids, snapshot.asks


def mended(told: list[MarketEvent]) -> bool:
    """Whether the book was live, was not, and is again."""
    return states(told)[-3:] == ["LIVE", "SYNCING", "LIVE"]


def states(told: list[MarketEvent]) -> list[str]:
    return [event.state.name for event in told if isinstance(event, BookSnapshot)]


async def test_a_book_syncs_and_follows(bench: Bench) -> None:
    feed, told = await live_book(bench)
    assert book(feed) == ((["100", "99"], ["1", "2"]), (["101", "102"], ["1", "2"]))
    bench.server.change({"100.50": "3.00"}, {"101.00": "0.00"})
    await bench.exchange.until(lambda: isinstance(told[-1], BookDelta))
    assert isinstance(told[-1], BookDelta)
    assert told[-1].bids == (["100.5"], ["3"])
    assert told[-1].asks == (["101"], ["0"])
    assert told[-1].receive_time > 0
    assert book(feed) == ((["100.5", "100", "99"], ["3", "1", "2"]), (["102"], ["2"]))
    shallow = await bench.market.order_book(bench.instrument, 1)
    assert shallow.bids == (["100.5"], ["3"])
    assert len(bench.exchange.asked("GET /api/v3/depth")) == 1  # the live book answered
    assert bench.market.condition.health is Health.READY


async def test_many_sinks_share_one_subscription_that_the_last_one_closes(bench: Bench) -> None:
    first, told_first = await live_book(bench)
    told_second: list[MarketEvent] = []
    second = await bench.market.subscribe(Channel.BOOK, bench.instrument, told_second.append)
    assert state(second) is BookState.LIVE
    bench.server.change({"98.00": "1"}, {})
    await bench.exchange.until(lambda: told_second)
    assert told_first[-1] == told_second[-1]
    await first.close()
    await first.close()
    bench.server.change({"97.00": "1"}, {})
    await bench.exchange.until(lambda: len(told_second) == 2)
    assert len(bench.server.market_sockets) == 1
    before = len(told_first)
    await second.close()
    await bench.exchange.until(lambda: not bench.server.market_sockets, "the closed connection")
    assert len(told_first) == before
    frames = [json.loads(p)["method"] for s in bench.exchange.sockets for p in s.frames]
    assert frames.count("SUBSCRIBE") <= 1


async def test_messages_while_the_snapshot_is_on_its_way(bench: Bench) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(seen: Seen) -> Answer:
        body = json.dumps(bench.server.depth()).encode()
        asked.set()
        await go.wait()
        return Answer(body)

    bench.exchange.on("GET /api/v3/depth", slow)
    feed = await bench.market.subscribe(Channel.BOOK, bench.instrument, lambda event: None)
    await asked.wait()
    for price in ("98.00", "97.00"):
        bench.server.change({price: "1"}, {})
    await bench.exchange.until(lambda: len(buffer_of(bench)) == 2, "two messages")
    go.set()
    await bench.exchange.until(lambda: state(feed) is BookState.LIVE)
    assert book(feed)[0] == (["100", "99", "98", "97"], ["1", "2", "1", "1"])


def buffer_of(bench: Bench) -> Any:
    upstream = next(iter(bench.market._upstreams.values()))
    assert isinstance(upstream, BookUpstream)
    return upstream.sync._buffer


async def test_a_reconnect_in_the_middle_of_a_snapshot(bench: Bench) -> None:
    answers = 0

    async def first_never(seen: Seen) -> Answer:
        nonlocal answers
        answers += 1
        if answers == 1:
            for socket in bench.server.market_sockets:
                socket.drop()
            bench.server.change({"98.00": "1"}, {})
        return Answer(json.dumps(bench.server.depth()).encode())

    bench.exchange.on("GET /api/v3/depth", first_never)
    feed, _ = await live_book(bench)
    assert book(feed)[0] == (["100", "99", "98"], ["1", "2", "1"])
    bench.server.change({"97.00": "1"}, {})
    await bench.exchange.until(lambda: "97" in book(feed)[0][0])


async def test_a_gap_is_told_and_mended(bench: Bench) -> None:
    feed, told = await live_book(bench)
    bench.server.change({"98.00": "1"}, {}, send=False)  # lost
    bench.server.change({"97.00": "1"}, {})
    await bench.exchange.until(lambda: mended(told), "the mended book")
    assert book(feed)[0] == (["100", "99", "98", "97"], ["1", "2", "1", "1"])
    reasons = [event.reason for event in told if isinstance(event, BookSnapshot)]
    assert any("missing" in reason for reason in reasons)


async def test_doubled_and_late_frames_change_nothing(bench: Bench) -> None:
    feed, told = await live_book(bench)
    first = bench.server.change({"98.00": "1"}, {})
    second = bench.server.change({"98.00": "0"}, {})
    bench.server.tell(second, first, first)
    bench.server.change({"97.00": "1"}, {})
    await bench.exchange.until(lambda: "97" in book(feed)[0][0])
    assert book(feed)[0] == (["100", "99", "97"], ["1", "2", "1"])
    assert states(told).count("LIVE") == 1


async def test_a_crossed_book_is_not_told_as_live(bench: Bench) -> None:
    feed, told = await live_book(bench)
    bench.server.update_id += 1
    bench.server.tell(
        bench.server.diff(bench.server.update_id, bench.server.update_id, {"101.00": "1"}, {})
    )
    await bench.exchange.until(lambda: mended(told))
    assert book(feed)[0] == (["100", "99"], ["1", "2"])


async def test_a_broken_frame_is_loud_and_the_connection_stays(bench: Bench) -> None:
    feed, told = await live_book(bench)
    data = b'{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":"x"}'
    bench.server.tell(b'{"stream":"btcusdt@depth@100ms","data":' + data + b"}")
    await bench.exchange.until(lambda: mended(told))
    assert bench.market.condition.health is Health.DEGRADED
    assert "cannot be understood" in bench.market.condition.reason
    assert len(bench.server.market_sockets) == 1
    bench.server.tell(b"not json")
    bench.server.change({"98.00": "1"}, {})
    await bench.exchange.until(lambda: "98" in book(feed)[0][0])


async def test_a_lost_connection_makes_the_book_stale_until_it_is_back(bench: Bench) -> None:
    feed, told = await live_book(bench)
    bench.server.market_sockets[0].drop()
    await bench.exchange.until(lambda: state(feed) is BookState.STALE)
    assert book(feed)[0] == (["100", "99"], ["1", "2"])  # the last known, marked
    assert bench.market.condition.health is Health.DEGRADED
    bench.server.change({"98.00": "1"}, {})
    await bench.exchange.until(lambda: state(feed) is BookState.LIVE)
    assert states(told)[-3:] == ["STALE", "SYNCING", "LIVE"]
    assert book(feed)[0] == (["100", "99", "98"], ["1", "2", "1"])
    assert bench.market.condition.health is Health.READY


async def test_a_shutdown_that_the_venue_announces(bench: Bench) -> None:
    feed, told = await live_book(bench)
    bench.server.tell(b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
    await bench.exchange.until(lambda: states(told)[-3:] == ["STALE", "SYNCING", "LIVE"])
    assert any("restart" in e.reason for e in told if isinstance(e, BookSnapshot))
    await feed.close()


async def test_no_snapshot_is_a_reason_in_the_state(bench: Bench) -> None:
    working: dict[str, Any] = {"works": False}

    def depth(seen: Seen) -> Answer:
        if not working["works"]:
            return Answer(b'{"code": -1121, "msg": "Invalid symbol."}', 400)
        return Answer(json.dumps(bench.server.depth()).encode())

    bench.exchange.on("GET /api/v3/depth", depth)
    feed = await bench.market.subscribe(Channel.BOOK, bench.instrument, lambda event: None)

    def reason() -> str:
        snapshot = feed.snapshot()
        assert isinstance(snapshot, BookSnapshot)
        return snapshot.reason

    await bench.exchange.until(lambda: "Invalid symbol" in reason())
    assert state(feed) is BookState.SYNCING
    working["works"] = True
    await bench.exchange.until(lambda: state(feed) is BookState.LIVE)


async def test_one_refused_topic_does_not_take_the_others_with_it(bench: Bench) -> None:
    bench.server.refused_topics.add("btcusdt@trade")
    trades = await bench.market.subscribe(Channel.TRADES, bench.instrument, lambda event: None)
    feed, _ = await live_book(bench)
    assert trades.snapshot() is None
    assert "unknown stream" in bench.market.condition.reason
    assert state(feed) is BookState.LIVE


async def test_trades_and_tickers(bench: Bench) -> None:
    told: list[MarketEvent] = []
    await bench.market.subscribe(Channel.TRADES, bench.instrument, told.append)
    ticker = await bench.market.subscribe(Channel.TICKER, bench.instrument, told.append)
    await bench.exchange.until(lambda: len(bench.server.topics) == 3)
    trade = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 7, "p": "1.50", "q": "2", "T": 2, "m": True}
    quote = {"u": 1, "s": "BTCUSDT", "b": "1.4", "B": "3", "a": "1.6", "A": "4"}
    day = {"E": 9, "c": "1.5", "o": "1", "h": "2", "l": "1", "v": "10", "q": "15"}
    for name, data in (("trade", trade), ("bookTicker", quote), ("ticker", day)):
        bench.server.tell(json.dumps({"stream": f"btcusdt@{name}", "data": data}).encode())
    await bench.exchange.until(lambda: len(told) == 3)
    assert isinstance(told[0], Trade)
    merged = ticker.snapshot()
    assert isinstance(merged, Ticker)
    assert (str(merged.bid_price), str(merged.last_price)) == ("1.4", "1.5")


async def test_a_sink_that_fails_does_not_disturb_the_others(bench: Bench) -> None:
    def bad(event: MarketEvent) -> None:
        raise RuntimeError("a subscriber's bug")

    await bench.market.subscribe(Channel.BOOK, bench.instrument, bad)
    feed, told = await live_book(bench)
    bench.server.change({"98.00": "1"}, {})
    await bench.exchange.until(lambda: isinstance(told[-1], BookDelta))
    assert state(feed) is BookState.LIVE
