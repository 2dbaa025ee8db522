"""The same changes of a book as each exchange writes them.

A session is a book's beginning, and the frames that follow it. Quantities have decimals that
change, so that remembering them does not help; the numbers of frames go on.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from bench.venue.recording import ABSENT, BASE, QUOTE, Change, Recording, Row

FIRST = 1000  # the number of the book that a session begins with
_TIME = 1_700_000_000_000  # ms
_STAMP = "2026-01-01T00:00:00.000000Z"


@dataclass(frozen=True, slots=True)
class Book:
    """What was there before a frame, and after it; best first."""

    number: int
    bids: Sequence[Row]
    asks: Sequence[Row]


Write = Callable[[int, Change, Callable[[], Book]], Any]
"""The number of a frame, its change, the book after it (costly: only where it is needed)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one exchange tells of a book. `begin` is None where a book begins by REST. `peer` is what
    ccxt.pro's subscription brings where that is another envelope."""

    venue: str
    ccxt: str
    symbol: str
    url: str  # of ccxt's connection, by which it knows the product
    change: Write
    begin: Callable[[Book], Any] | None = None
    peer: Callable[[Any], Any] = lambda frame: frame
    depth: int = 1000
    bare: str = ""  # ccxt's symbol, where it is not base and quote
    contract: str = "1"  # base units of one, where quantities are in contracts


def session(dialect: Dialect, played: Recording, count: int) -> tuple[Book, list[Any]]:
    """The book that it begins with, and so many frames."""
    bids, asks = dict(played.bids[: dialect.depth]), dict(played.asks[: dialect.depth])
    book = Book(FIRST, list(bids.items()), list(asks.items()))
    frames: list[Any] = []
    for number, change in enumerate(itertools.islice(_changes(played), count), FIRST + 1):
        for side, rows in ((bids, change.bids), (asks, change.asks)):
            for price, quantity in rows:
                if quantity == ABSENT:
                    side.pop(price, None)
                else:
                    side[price] = quantity

        def after(number: int = number) -> Book:
            best = sorted(bids.items(), key=lambda row: -float(row[0]))
            return Book(number, best, sorted(asks.items(), key=lambda row: float(row[0])))

        frames.append(dialect.change(number, change, after))
    return book, frames


def _changes(played: Recording) -> Iterable[Change]:
    for number, change in enumerate(itertools.cycle(played.cycle)):
        sides = [
            tuple(
                (p, q if q == ABSENT else f"{q[:-9]}.{number * 7919 % 10**8:08}") for p, q in rows
            )
            for rows in (change.bids, change.asks)
        ]
        yield Change(sides[0], sides[1])


def encoded(frame: Any) -> bytes:
    """Compact, as the exchanges write."""
    return json.dumps(frame, separators=(",", ":")).encode()


def _depth(symbol: str, number: int, change: Change, **more: Any) -> dict[str, Any]:
    return {
        "e": "depthUpdate", "E": _TIME + number, "s": symbol, "U": number, "u": number, **more,
        "b": change.bids, "a": change.asks}  # fmt: skip


def _binance(number: int, change: Change, after: Any) -> Any:
    return {"stream": "nknusdt@depth@100ms", "data": _depth("NKNUSDT", number, change)}


def _binance_perpetual(number: int, change: Change, after: Any) -> Any:
    more = {"pu": number - 1, "T": _TIME + number}
    # The first covers the number of the book that came by REST.
    data = {**_depth("NKNUSDT", number, change, **more), "U": number - (number == FIRST + 1)}
    return {"stream": "nknusdt@depth@100ms", "data": data}


def _bybit(kind: str, number: int, bids: Any, asks: Any) -> Any:
    data = {"s": "NKNUSDT", "b": bids, "a": asks, "u": number, "seq": number}
    return {
        "topic": "orderbook.200.NKNUSDT", "type": kind, "ts": _TIME + number, "data": data,
        "cts": _TIME + number}  # fmt: skip


def _okx(symbol: str, action: str, number: int, bids: Any, asks: Any) -> Any:
    sides = [[[*row, "0", "1"] for row in rows] for rows in (bids, asks)]
    data = {
        "asks": sides[1], "bids": sides[0], "ts": str(_TIME + number), "checksum": 0,
        "seqId": number, "prevSeqId": number - 1 if action == "update" else -1}  # fmt: skip
    arg = {"channel": "books", "instId": symbol}
    return {"arg": arg, "action": action, "data": [data]}


def _kraken(kind: str, bids: Any, asks: Any, book: Book) -> Any:
    def digits(row: Row) -> str:
        return "".join(part.replace(".", "").lstrip("0") for part in (row[0][:-3], row[1]))

    checksum = crc32("".join(map(digits, [*book.asks[:10], *book.bids[:10]])).encode())
    sides = [
        [{"price": float(price), "qty": float(quantity)} for price, quantity in rows]
        for rows in (bids, asks)
    ]
    data = {
        "symbol": "NKN/USDT", "bids": sides[0], "asks": sides[1], "checksum": checksum,
        "timestamp": _STAMP}  # fmt: skip
    return {"channel": "book", "type": kind, "data": [data]}


def _coinbase(kind: str, number: int, bids: Any, asks: Any) -> Any:
    updates = [
        {"side": side, "event_time": _STAMP, "price_level": price, "new_quantity": quantity}
        for side, rows in (("bid", bids), ("offer", asks))
        for price, quantity in rows
    ]
    event = {"type": kind, "product_id": "NKN-USDT", "updates": updates}
    return {
        "channel": "l2_data", "client_id": "", "timestamp": _STAMP,
        "sequence_num": number - FIRST, "events": [event]}  # fmt: skip


def _kucoin(number: int, change: Change, after: Any) -> Any:
    name = str(number)
    sides = [[[*row, name] for row in rows] for rows in (change.asks, change.bids)]
    data = {
        "changes": {"asks": sides[0], "bids": sides[1]}, "sequenceStart": number,
        "sequenceEnd": number, "symbol": "NKN-USDT", "time": _TIME + number}  # fmt: skip
    topic = "/market/level2:NKN-USDT"
    return {"type": "message", "topic": topic, "subject": "trade.l2update", "data": data}


def _gate(number: int, change: Change, after: Any) -> Any:
    result = {"t": _TIME + number, **_depth("NKN_USDT", number, change)}
    return {
        "time": _TIME // 1000, "time_ms": _TIME + number, "channel": "spot.order_book_update",
        "event": "update", "result": result}  # fmt: skip


def _hyperliquid(number: int, change: Change, after: Callable[[], Book]) -> Any:
    return _levels(after())


def _levels(book: Book) -> Any:
    levels = [
        [{"px": price, "sz": quantity, "n": 1} for price, quantity in rows[:20]]
        for rows in (book.bids, book.asks)
    ]
    data = {"coin": "NKN", "time": _TIME + book.number, "levels": levels}
    return {"channel": "l2Book", "data": data}


_BYBIT = (
    lambda number, change, after: _bybit("delta", number, change.bids, change.asks),
    lambda book: _bybit("snapshot", book.number, book.bids, book.asks),
)


def _okx_of(symbol: str) -> tuple[Write, Callable[[Book], Any]]:
    return (
        lambda number, change, after: _okx(symbol, "update", number, change.bids, change.asks),
        lambda book: _okx(symbol, "snapshot", book.number, book.bids, book.asks),
    )


_SPOT = "wss://local/v5/public/spot"
DIALECTS = (
    Dialect(
        "binance", "binance", "NKNUSDT", "wss://stream.binance.com:9443/ws", _binance,
        peer=lambda frame: frame["data"]),
    Dialect(
        "binance_us", "binanceus", "NKNUSDT", "wss://stream.binance.us:9443/ws", _binance,
        peer=lambda frame: frame["data"]),
    Dialect(
        "binance_perpetual", "binanceusdm", "NKNUSDT", "wss://fstream.binance.com/ws",
        _binance_perpetual, peer=lambda frame: frame["data"], bare="NKN/USDT:USDT"),
    Dialect("bybit", "bybit", "NKNUSDT", _SPOT, *_BYBIT, depth=200),
    Dialect(
        "bybit_perpetual", "bybit", "NKNUSDT", "wss://local/v5/public/linear", *_BYBIT, depth=200,
        bare="NKN/USDT:USDT"),
    Dialect(
        "okx", "okx", "NKN-USDT", "wss://local/ws/v5/public", *_okx_of("NKN-USDT"), depth=400),
    Dialect(
        "okx_perpetual", "okx", "NKN-USDT-SWAP", "wss://local/ws/v5/public",
        *_okx_of("NKN-USDT-SWAP"), depth=400, bare="NKN/USDT:USDT", contract="0.01"),
    Dialect(
        "kraken", "kraken", "NKN/USDT", "wss://local/v2",
        lambda number, change, after: _kraken("update", change.bids, change.asks, after()),
        lambda book: _kraken("snapshot", book.bids, book.asks, book), depth=500),
    Dialect(
        "coinbase", "coinbase", "NKN-USDT", "wss://local",
        lambda number, change, after: _coinbase("update", number, change.bids, change.asks),
        lambda book: _coinbase("snapshot", book.number, book.bids, book.asks)),
    Dialect("kucoin", "kucoin", "NKN-USDT", "wss://local", _kucoin, depth=100),
    Dialect("gate_io", "gate", "NKN_USDT", "wss://local", _gate, depth=100),
    Dialect(
        "hyperliquid_perpetual", "hyperliquid", "NKN", "wss://local", _hyperliquid, _levels,
        bare="NKN/USDC:USDC"),
)  # fmt: skip
NAMES = {dialect.venue: dialect for dialect in DIALECTS}
PAIR = f"{BASE}/{QUOTE}"
