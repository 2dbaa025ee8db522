"""Parsers for a venue's tables, made of a shape and its words: what most venues need as it is.

Of replies (payload, command, scope) and of streams (payload, instrument, receive time).
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw

from cex.engine import parse
from cex.engine.messages import BookMessage, Failure
from cex.engine.parse import Words
from cex.engine.shapes import CandleShape, FundingShape, TickerShape, TradeShape
from cex.engine.spec import MarketParser, MarketValue
from cex.engine.wire import Wire, decoder
from core.accounts import FeeRates
from core.clock import MILLISECOND
from core.instruments import Instrument
from core.market import Candle, Ticker, Trade
from core.orders import Fill, Order, OrderReport

Reader = Callable[[Any, Any, Any], Any]

# -- replies ---------------------------------------------------------------------------------------


def book(raw: Any, command: Any, scope: Any) -> BookMessage:
    """A whole book."""
    return BookMessage(raw.bids, raw.asks, raw.last, whole=True)


def ticker(words: Words) -> Reader:
    """One ticker."""

    def read(raw: Any, command: Any, scope: Any) -> Ticker:
        return parse.ticker(raw, words, command.instrument)

    return read


def trades(words: Words) -> Reader:
    """A list of public trades, oldest first."""

    def read(raw: Any, command: Any, scope: Any) -> list[Trade]:
        return [parse.trade(item, words, command.instrument) for item in raw]

    return read


def candles(words: Words) -> Reader:
    """A list of candles, oldest first."""

    def read(raw: Any, command: Any, scope: Any) -> list[Candle]:
        return [
            parse.candle(item, words, command.instrument, command.interval, command.now)
            for item in raw
        ]

    return read


def report(words: Words) -> Reader:
    """What the venue knows of an order."""

    def read(raw: Any, command: Any, scope: Any) -> OrderReport:
        return parse.report(raw, words)

    return read


def orders(words: Words) -> Reader:
    """A list of orders."""

    def read(raw: Any, command: Any, scope: Any) -> list[Order]:
        return [parse.order(item, words, scope) for item in raw]

    return read


def fills(words: Words) -> Reader:
    """A list of our trades in the command's instrument, oldest first."""

    def read(raw: Any, command: Any, scope: Any) -> list[Fill]:
        return [parse.fill(item, words, scope, command.instrument) for item in raw]

    return read


def fees(raw: Any, command: Any, scope: Any) -> FeeRates:
    """What trading the command's instrument costs."""
    return parse.fees(raw, command.instrument, scope)


def funding(words: Words) -> Reader:
    """Funding and reference prices."""
    return lambda raw, command, scope: parse.funding(raw, words)


def nothing(raw: Any, command: Any, scope: Any) -> None:
    """It is done, and there is no more to know."""


def held(read: Reader, backwards: bool = False) -> Reader:
    """A reader of what an envelope holds (cex.engine.wire.holding); `backwards` for a list that
    begins with the newest."""

    def inside(raw: Any, command: Any, scope: Any) -> Any:
        return read(raw.value[::-1] if backwards else raw.value, command, scope)

    return inside


def first(read: Reader) -> Reader:
    """A reader of a list's first item, where the venue wraps a single answer in a list."""
    return lambda raw, command, scope: read(raw[0], command, scope)


def failure(code: str, text: str) -> Callable[[bytes | Raw], Failure]:
    """The failure that a body tells by two members."""
    fields: list[Any] = [("code", str | int), ("text", str, "")]
    names = {"code": code, "text": text}
    decode: Any = decoder(msgspec.defstruct("Failed", fields, bases=(Wire,), rename=names))

    def read(body: bytes | Raw) -> Failure:
        raw = decode(body)
        return Failure(str(raw.code), raw.text)

    return read


# -- streams ---------------------------------------------------------------------------------------


def book_stream(decode: Callable[[Raw], BookMessage], unit: int = MILLISECOND) -> MarketParser:
    """Changes of a book, a message a frame; `unit` is that of its times, in ns."""

    def read(payload: Raw, instrument: Instrument, received: int) -> Iterable[MarketValue]:
        message = decode(payload)
        message.event_time *= unit
        return (message,)

    return read


def trade_stream(decode: Callable[[Raw], TradeShape], words: Words) -> MarketParser:
    """One trade a frame."""

    def read(payload: Raw, instrument: Instrument, received: int) -> Iterable[MarketValue]:
        return (parse.trade(decode(payload), words, instrument, received),)

    return read


def ticker_stream(decode: Callable[[Raw], TickerShape], words: Words) -> MarketParser:
    """One ticker, or a part of one, a frame."""

    def read(payload: Raw, instrument: Instrument, received: int) -> Iterable[MarketValue]:
        return (parse.ticker(decode(payload), words, instrument, received),)

    return read


def candle_stream(
    decode: Callable[[Raw], CandleShape], words: Words
) -> Callable[[int], MarketParser]:
    """One candle a frame, by interval (seconds)."""

    def of(interval: int) -> MarketParser:
        def read(payload: Raw, instrument: Instrument, received: int) -> Iterable[MarketValue]:
            return (parse.candle(decode(payload), words, instrument, interval),)

        return read

    return of


def funding_stream(decode: Callable[[Raw], FundingShape], words: Words) -> MarketParser:
    """Funding and reference prices, or a part of them, a frame."""

    def read(payload: Raw, instrument: Instrument, received: int) -> Iterable[MarketValue]:
        return (parse.funding(decode(payload), words),)

    return read
