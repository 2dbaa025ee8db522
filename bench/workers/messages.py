"""What a frame of a book costs in CPU, from its bytes to a told change. Arguments: ours, encoded or
ccxt, the venue, frames a window. "encoded" makes the bytes that subscribers get as well. Each "go"
is a window; the answer is microseconds a frame and the best bid.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bench.venue import recording
from bench.venue.dialects import FIRST, NAMES, PAIR, Book, Dialect, encoded, session
from bench.workers.talk import Ears, say

Contender = tuple[Callable[[], None], Callable[[bytes], Any], Callable[[], str]]
"""Begins anew; takes a frame; the best bid after it."""


def ours(dialect: Dialect, book: Book, encode: bool) -> Contender:
    """The engine, from a websocket's frame to what its subscribers are told."""
    from cex.engine.feeds import BookUpstream
    from cex.engine.messages import BookMessage
    from cex.engine.websocket import Connection
    from cex.venues import catalogue
    from core.clock import SystemClock
    from core.instruments import Instrument, InstrumentKind
    from core.market import BookDelta, BookState
    from core.ports import Channel
    from daemon.codec.book_changes import book_change
    from daemon.codec.market import book_snapshot

    spec = catalogue()[dialect.venue]
    channel = spec.channels[Channel.BOOK]
    assert channel.book is not None
    kind, tick, step = InstrumentKind[spec.kind.name], Decimal("0.00001"), Decimal("0.00000001")
    instrument = Instrument(
        spec.id, "NKN-USDT", dialect.symbol, kind, "NKN", "USDT", "USDT", tick, step,
        contract_size=Decimal(dialect.contract),
    )  # fmt: skip
    clock = SystemClock()

    def told(event: Any) -> None:
        if type(event) is BookDelta:
            book_change(event, 1)
        else:
            book_snapshot(event, 1).SerializeToString()

    def loud(*what: Any) -> None:
        raise AssertionError(str(what))

    async def no_snapshot(*what: Any) -> BookMessage:
        raise AssertionError("a snapshot is asked for")

    upstream = BookUpstream(
        "book", channel, channel.book, instrument, loud, no_snapshot, loud, clock.now
    )
    upstream.sinks.append(told if encode else lambda event: None)

    class Owner:
        """As cex.engine.topics finds a topic's parser."""

        parsers = upstream.topics

        def data(self, topic: str, payload: Any, received: int) -> None:
            parser = self.parsers.get(topic)
            if parser is not None:
                upstream.data(parser, payload, received)

        def fault(self, what: str, error: BaseException) -> None:
            raise error

    owner: Any = Owner()
    stream = next(iter(upstream.parts))
    connection = Connection("bench", spec.streams[stream], "ws://local", owner, clock)
    receive, now = connection.receive, clock.now

    def begin() -> None:
        connection._number = None  # the count of frames begins anew, where there is one
        upstream.subscribing()
        if dialect.begin is not None:
            receive(encoded(dialect.begin(book)), False, now())
        else:
            upstream.sync.subscribed()
            whole = BookMessage(book.bids, book.asks, FIRST, whole=True)
            upstream.sync.answer(whole, now())
        assert upstream.sync.state is BookState.LIVE, upstream.sync.reason

    def best() -> str:
        assert upstream.sync.state is BookState.LIVE, upstream.sync.reason
        found = upstream.sync.book.best_bid
        return str(found and found[0])

    return begin, lambda frame: receive(frame, False, now()), best


def theirs(dialect: Dialect, book: Book) -> Contender:
    """ccxt.pro's handler of the parsed frame."""
    import ccxt.pro

    symbol = dialect.bare or PAIR
    contract = bool(dialect.bare)
    base, quote = symbol.split(":")[0].split("/")
    exchange = getattr(ccxt.pro, dialect.ccxt)()
    market = {
        "id": dialect.symbol,
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "baseId": base,
        "quoteId": quote,
        "spot": not contract,
        "swap": contract,
        "contract": contract,
        "type": "swap" if contract else "spot",
        "linear": contract or None,
        "settle": quote if contract else None,
        "active": True,
        "precision": {"price": 0.00001, "amount": 0.00000001},
    }
    exchange.set_markets([exchange.safe_market_structure(market)])

    class Client:
        """What the handlers ask of a connection."""

        url = dialect.url
        subscriptions: dict[str, Any] = {}  # noqa: RUF012 - one in a process
        futures: dict[str, Any] = {}  # noqa: RUF012
        lastPong = 0  # noqa: N815 - ccxt's name

        def resolve(self, *what: Any) -> None: ...

        def reject(self, *what: Any) -> None:
            raise AssertionError(str(what))

    client = Client()
    loads, handle = json.loads, exchange.handle_message

    def take(frame: bytes) -> None:
        handle(client, loads(frame))

    def begin() -> None:
        if dialect.begin is not None:
            exchange.orderbooks.pop(symbol, None)
            take(encoded(dialect.begin(book)))
            return
        sides = {
            name: [[float(price), float(quantity)] for price, quantity in rows]
            for name, rows in (("bids", book.bids), ("asks", book.asks))
        }
        kept = exchange.orderbooks[symbol] = exchange.order_book({}, dialect.depth)
        kept.reset({**sides, "nonce": FIRST, "symbol": symbol})
        kept["nonce"], kept["symbol"] = FIRST, symbol

    return begin, take, lambda: str(exchange.orderbooks[symbol]["bids"][0][0])


async def main(who: str, venue: str, count: int) -> None:
    """A window each time that it is told to go."""
    dialect = NAMES[venue]
    book, frames = session(dialect, recording.load(), count)
    wire = [encoded(dialect.peer(frame) if who == "ccxt" else frame) for frame in frames]
    contender = theirs(dialect, book) if who == "ccxt" else ours(dialect, book, who == "encoded")
    begin, take, best = contender
    ears = await Ears().open()
    say({"frames": len(wire)})
    while await ears.word() == "go":
        begin()
        gc.collect()
        began = time.thread_time_ns()
        for frame in wire:
            take(frame)
        took = time.thread_time_ns() - began
        say({"us": took / len(wire) / 1000, "best": float(best())})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
