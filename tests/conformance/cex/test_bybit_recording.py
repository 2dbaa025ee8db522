"""A recorded session of Bybit (2026, V5), through our parsers and books."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from cex.engine import commands
from cex.engine.book_sync import BookSync
from cex.engine.caller import read
from cex.engine.feeds import Upstream
from cex.engine.messages import Ack
from cex.engine.spec import Scope, VenueSpec
from cex.venues import catalogue
from core.instruments import Instrument
from core.market import BookState, Candle, Funding, Ticker, Trade
from core.ports import Channel
from tests.support import corpus
from tests.support.cex_fixtures import is_book, load, plain

pytestmark = pytest.mark.corpus

PRODUCTS = [("bybit", "spot"), ("bybit_perpetual", "linear")]
CHANNELS = (Channel.BOOK, Channel.TRADES, Channel.CANDLES, Channel.TICKER)


def instruments(spec: VenueSpec, category: str) -> dict[str, Instrument]:
    """All that the recorded list of instruments has, by the venue's symbol."""
    rows = corpus.recording("bybit")
    body = next(row["data"] for row in rows if f"category={category}" in row.get("url", ""))
    scope = Scope(spec.id, "main", dict[str, Instrument]().__getitem__)
    found = read(
        spec.operations[commands.ListInstruments], commands.ListInstruments(), scope, body.encode()
    )
    assert len(found) > 300
    assert len({instrument.id for instrument in found}) == len(found)
    return {instrument.venue_symbol: instrument for instrument in found}


def data(spec: VenueSpec, category: str) -> Iterator[tuple[str, Any]]:
    """Topics and payloads in the order of arrival; an answer to a frame of ours must be a yes."""
    connection = ""
    for row in corpus.recording("bybit"):
        if row["t"] == "connect" and row["addr"].endswith(f"/{category}"):
            connection = row["conn"]
        elif row["t"] == "recv" and row["conn"] == connection:
            for item in spec.streams["public"].route(row["data"].encode()):
                if isinstance(item, tuple):
                    yield item
                else:
                    assert isinstance(item, Ack)


def topics(spec: VenueSpec, known: dict[str, Instrument]) -> dict[str, tuple[Instrument, Any]]:
    """Topic → instrument and parser, for all that our channels would ask for."""
    return {
        topic: (instrument, parser)
        for instrument in known.values()
        for channel in CHANNELS
        for topic, parser in spec.channels[channel].topics(instrument, 60).items()
    }


@pytest.mark.parametrize(("name", "category"), PRODUCTS)
def test_every_recorded_frame_means_something(name: str, category: str) -> None:
    spec = catalogue()[name]
    known = topics(spec, instruments(spec, category))
    counts: Counter[str] = Counter()
    frames = 0
    for topic, payload in data(spec, category):
        instrument, parser = known[topic]
        frames += 1
        for value in parser(payload, instrument, 1):
            counts[type(value).__name__] += 1
            if is_book(value):
                assert value.last > 0
                assert value.event_time > 0
                continue
            assert value.instrument == instrument.id
            if isinstance(value, Candle):
                assert value.low <= min(value.open, value.close)
                assert value.high >= max(value.open, value.close)
            elif isinstance(value, Trade):
                assert value.price % instrument.price_tick == 0
                assert value.quantity % instrument.quantity_step == 0
            elif isinstance(value, Ticker):
                assert value.last_price is None or value.last_price > Decimal(0)
    assert set(counts) == {"BookMessage", "Trade", "Ticker", "Candle"}
    assert sum(counts.values()) >= frames > 400


@pytest.mark.parametrize(("name", "category"), PRODUCTS)
def test_every_recorded_book_is_continuous_and_never_crossed(name: str, category: str) -> None:
    spec = catalogue()[name]
    channel = spec.channels[Channel.BOOK]
    assert channel.book is not None
    parsers = {
        topic: (instrument, parser)
        for instrument in instruments(spec, category).values()
        for topic, parser in channel.topics(instrument, 0).items()
    }
    syncs: dict[str, BookSync] = {}
    applied = 0
    for topic, payload in data(spec, category):
        if topic not in parsers:
            continue
        instrument, parser = parsers[topic]
        if topic not in syncs:
            syncs[topic] = BookSync(instrument.id, channel.book)
            syncs[topic].subscribing()
        sync = syncs[topic]
        for message in parser(payload, instrument, 1):
            assert is_book(message)
            assert sync.message(message, 1) is not None
            assert sync.state is BookState.LIVE, sync.reason
            bids, asks = sync.book.snapshot(0)
            assert len(bids[0]) == len(asks[0]) == 200  # the depth that the venue keeps
            applied += 1
    assert len(syncs) >= 2
    assert applied > 400


def test_the_recorded_funding_is_whole_from_the_first_message_on() -> None:
    spec = catalogue()["bybit_perpetual"]
    instrument = instruments(spec, "linear")["BTCUSDT"]
    faults: list[BaseException] = []
    upstream = Upstream(
        "funding", spec.channels[Channel.FUNDING], instrument, 0, lambda what, e: faults.append(e)
    )
    told: list[Any] = []
    upstream.sinks.append(told.append)
    frames = 0
    for topic, payload in data(spec, "linear"):
        if topic in upstream.topics:
            upstream.data(upstream.topics[topic], payload, 1)
            frames += 1
    assert not faults
    # Most changes are of the best prices: they are no events here.
    assert frames > len(told) > 20
    assert {type(event) for event in told} == {Funding}
    for event in told:
        assert event.next_time > event.event_time
        assert abs(event.mark_price / event.index_price - 1) < Decimal("0.01")
        assert event.open_interest > 0
    times = [event.event_time for event in told]
    assert times == sorted(times)
    assert all(one != two for one, two in pairwise(told))


@pytest.mark.parametrize(("name", "category"), PRODUCTS)
def test_the_documented_replies_parse_for_every_endpoint_that_we_use(
    name: str, category: str
) -> None:
    venue = load(name)
    instrument = venue.instruments[next(iter(venue.instruments))]
    anything = Scope(name, "main", lambda symbol: instrument)
    by_call = {}
    for case in venue.cases("requests"):
        command = venue.command(case["command"])
        operation = venue.spec.operations[type(command)]
        path = operation.path if isinstance(operation.path, str) else operation.path(command)
        by_call[operation.method, path] = command, operation
    other = "linearinverse" if category == "spot" else "spot"
    parsed = set()
    for file, method, path, body in corpus.examples("bybit", "v5api"):
        # Options and the other product share paths, with fields of their own.
        if (method, path) in by_call and other not in file and "option" not in file:
            command, operation = by_call[method, path]
            plain(read(operation, command, anything, body))
            parsed.add((method, path))
    # The corpus has no reply of the clock's.
    assert set(by_call) - parsed == {("GET", "/v5/market/time")}
