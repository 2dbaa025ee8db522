"""A recorded session of Coinbase Advanced Trade (2026), and the documented examples, through our
parsers."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync
from cex.engine.caller import read
from cex.engine.messages import Ack, Nack, Numbered
from cex.engine.spec import Scope
from cex.venues.coinbase import ROOT, VENUE
from core.clock import SECOND
from core.instruments import Instrument, InstrumentStatus
from core.market import BookState, Candle, Ticker, Trade
from core.orders import OrderReport
from core.ports import Channel
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain

pytestmark = pytest.mark.corpus

NO_INSTRUMENTS = Scope("coinbase", "main", dict[str, Instrument]().__getitem__)


def instruments(rows: list[dict[str, Any]]) -> dict[str, Instrument]:
    body = next(row["data"] for row in rows if row["t"] == "http").encode()
    operation = VENUE.operations[commands.ListInstruments]
    found = read(operation, commands.ListInstruments(), NO_INSTRUMENTS, body)
    return {instrument.venue_symbol: instrument for instrument in found}


def told(rows: list[dict[str, Any]]) -> Iterator[tuple[str, Channel, Any]]:
    """Symbol, channel and value of all that the recording brought, in its order."""
    known = instruments(rows)
    parsers = {
        topic: (symbol, channel, parser)
        for symbol in ("BTC-USD", "ETH-USD")
        for channel, spec in VENUE.channels.items()
        for topic, parser in spec.topics(known[symbol], 300).items()
    }
    for row in rows:
        if row["t"] != "recv":
            continue
        for item in VENUE.streams["public"].route(row["data"].encode()):
            if isinstance(item, tuple):
                symbol, channel, parser = parsers[item[0]]
                received = int(row["ts"] * 1000) * SECOND // 1000
                for value in parser(item[1], known[symbol], received):
                    yield symbol, channel, value


def test_the_recorded_instruments_are_read() -> None:
    rows = corpus.recording("coinbase")
    known = instruments(rows)
    assert len(known) == len({instrument.id for instrument in known.values()}) == 920
    assert Counter(instrument.status for instrument in known.values()) == {
        InstrumentStatus.TRADING: 912,
        InstrumentStatus.DELISTED: 8,
    }
    aliases = [instrument for instrument in known.values() if instrument.venue_code]
    assert len(aliases) == 400
    assert all(alias.venue_code in known for alias in aliases)
    assert known["BTC-USDC"].venue_code == "BTC-USD"


def test_every_recorded_frame_means_something_and_none_is_missing() -> None:
    rows = corpus.recording("coinbase")
    counts = Counter(type(value).__name__ for _, _, value in told(rows))
    assert counts == {"BookMessage": 775, "Ticker": 160, "Trade": 79, "Candle": 6}
    numbers = []
    for row in rows:
        if row["t"] == "recv":
            routed = list(VENUE.streams["public"].route(row["data"].encode()))
            numbers += [item.number for item in routed if isinstance(item, Numbered)]
    assert numbers == list(range(1030))


def test_every_recorded_book_is_continuous_and_never_crossed() -> None:
    rule = VENUE.channels[Channel.BOOK].book
    assert rule is not None
    books: dict[str, BookSync] = {}
    best: dict[str, list[tuple[Any, Any]]] = {"BTC-USD": [], "ETH-USD": []}
    agreed = quotes = 0
    for symbol, channel, value in told(corpus.recording("coinbase")):
        if is_book(value):
            if symbol not in books:
                books[symbol] = BookSync(symbol, rule)
                books[symbol].subscribing()
            book = books[symbol]
            assert book.message(value, 1) is not None
            assert book.state is BookState.LIVE, book.reason
            assert book.book.best_bid is not None
            assert book.book.best_ask is not None
            best[symbol].append((book.book.best_bid[0], book.book.best_ask[0]))
        elif channel is Channel.TICKER and symbol in books:
            # Another channel's word for the best prices; the two do not keep step.
            assert isinstance(value, Ticker)
            quotes += 1
            shown = (str(value.bid_price), str(value.ask_price))
            agreed += shown in best[symbol][-20:]
    assert {symbol: len(seen) for symbol, seen in best.items()} == {"BTC-USD": 400, "ETH-USD": 375}
    assert quotes > 150
    assert agreed / quotes > 0.9  # float: a share of what was seen


def test_the_side_of_a_recorded_trade_is_the_takers() -> None:
    """Whoever takes, buys at the upper end of the spread and sells at the lower."""
    rule = VENUE.channels[Channel.BOOK].book
    assert rule is not None
    books: dict[str, BookSync] = {}
    right = 0
    seen = 0
    for symbol, _, value in told(corpus.recording("coinbase")):
        if is_book(value):
            if symbol not in books:
                books[symbol] = BookSync(symbol, rule)
                books[symbol].subscribing()
            books[symbol].message(value, 1)
        elif isinstance(value, Trade) and symbol in books:
            (bids, _), (asks, _) = books[symbol].book.snapshot(1)
            above = 2 * value.price > type(value.price)(bids[0]) + type(value.price)(asks[0])
            right += above == (value.side.name == "BUY")
            seen += 1
    assert seen == 78
    assert right == 74


def test_the_recorded_candles_run() -> None:
    candles = [v for _, _, v in told(corpus.recording("coinbase")) if isinstance(v, Candle)]
    assert all(candle.low <= candle.open <= candle.high for candle in candles)
    assert {candle.open_time for candle in candles} == {1786309500 * SECOND}
    assert not any(candle.closed for candle in candles)


def anything(symbol: str) -> Instrument:
    kind = load("coinbase").instruments["BTC-USD"]
    base, quote = symbol.split("-")[:2]
    return Instrument("coinbase", symbol, symbol, kind.kind, base, quote, quote, kind.price_tick,
                      kind.quantity_step)  # fmt: skip


def test_the_documented_replies_parse_for_every_endpoint_that_we_use() -> None:
    venue = load("coinbase")
    scope = Scope("coinbase", "main", anything)
    wanted = {
        "getaccounts": "GetBalances", "getfeeinfo": "GetFees", "getfeeinfo2": "GetFees",
        "getklines": "GetCandles", "getorderbook": "GetBook", "getsymbols": "ListInstruments",
        "gettradehistory": "GetTrades", "cancelorders": "Cancel", "editorder": "Replace",
        "getorder": "GetOrder", "getorders": "ListOpenOrders", "getusertrades": "ListFills",
        "placeorder": "Place",
    }  # fmt: skip
    cases = {case["command"]["command"]: case["command"] for case in venue.cases("requests")[::-1]}
    # Its placeholder for our id stands in the reply.
    cases["Place"]["request"]["client_order_id"] = "0000-00000-000000"
    # Asked by the venue's id.
    cases["GetOrder"]["order"]["venue_order_id"] = "123"
    parsed = set()
    for name, method, path, body in corpus.examples("coinbase", "advancedtrade"):
        if name not in wanted:
            continue
        command = venue.command(cases[wanted[name]])
        operation = VENUE.operations[type(command)]
        assert operation.method == method
        assert path.startswith(ROOT)
        assert VENUE.failure(200, body) is None, name
        value = read(operation, command, scope, body)
        # Its examples of orders and products are of no type, and so not of spot.
        assert plain(value) or name in ("getorders", "getsymbols"), name
        parsed.add(name)
    assert parsed == set(wanted)


def test_the_documented_frames_parse() -> None:
    folder = corpus.folder() / "examples" / "coinbase" / "subscriptions" / "advancedtrade"
    seen: Counter[str] = Counter()
    for path in sorted(folder.glob("*.txt")):
        if path.stem in ("batchticker", "futuresbalance", "symbol", "concurrent"):
            continue  # which we do not subscribe to, or which leave out what a candle has
        sent, confirmed, shown = path.read_text().split("\n", 2)
        assert sent.startswith(">")
        stream = VENUE.private.stream if path.stem == "user" else VENUE.streams["public"]
        acks = [i for i in stream.route(confirmed.removeprefix("< ").encode()) if type(i) is Ack]
        assert acks, path.stem
        for item in stream.route(shown.removeprefix("=").encode()):
            assert not isinstance(item, Nack)
            if not isinstance(item, tuple):
                continue
            if item[0] == "user":
                (report,) = VENUE.private.topics["user"](item[1], NO_INSTRUMENTS)
                assert isinstance(report, OrderReport)
                seen["OrderReport"] += 1
                continue
            name, _, symbol = item[0].partition(":")
            for spec in VENUE.channels.values():
                parser = spec.topics(anything(symbol), 300).get(item[0])
                if parser is not None:
                    seen.update(type(v).__name__ for v in parser(item[1], anything(symbol), 1))
            assert json.loads(sent[1:])["channel"] == name
    assert seen == {"OrderReport": 1, "Ticker": 1, "Trade": 2, "Candle": 1}
