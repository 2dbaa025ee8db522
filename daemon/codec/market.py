"""Market data: core -> protobuf."""

from cambist.v1 import market_data_pb2 as pb
from cambist.v1 import trading_pb2
from core import market
from core.money import text
from daemon.codec.scalars import duration, set_time, text_or_none

_SNAPSHOT = pb.EVENT_KIND_SNAPSHOT
_HEARTBEAT = pb.EVENT_KIND_HEARTBEAT


def book_snapshot(book: market.BookSnapshot, sequence: int, depth: int = 0) -> pb.OrderBook:
    """A whole book; at most `depth` levels a side, all when zero."""
    bids, asks = book.bids, book.asks
    if depth:
        bids = bids[0][:depth], bids[1][:depth]
        asks = asks[0][:depth], asks[1][:depth]
    message = pb.OrderBook(
        kind=_SNAPSHOT,
        state=pb.BookState.ValueType(book.state.value),
        sequence=sequence,
        bid_prices=bids[0],
        bid_quantities=bids[1],
        ask_prices=asks[0],
        ask_quantities=asks[1],
        venue_sequence=book.sequence,
        reason=book.reason,
    )
    set_time(message.event_time, book.event_time)
    set_time(message.receive_time, book.receive_time)
    return message


def book_heartbeat(state: market.BookState, sequence: int) -> bytes:
    """Nothing happened."""
    return pb.OrderBook(
        kind=_HEARTBEAT, state=pb.BookState.ValueType(state.value), sequence=sequence
    ).SerializeToString()


def trade(value: market.Trade) -> pb.Trade:
    """A public trade."""
    message = pb.Trade(
        trade_id=value.trade_id,
        side=trading_pb2.Side.ValueType(value.side.value),
        price=text(value.price),
        quantity=text(value.quantity),
    )
    set_time(message.event_time, value.event_time)
    set_time(message.receive_time, value.receive_time)
    return message


def ticker(value: market.Ticker) -> pb.Ticker:
    """The latest prices; what the venue does not tell stays absent."""
    message = pb.Ticker(
        bid_price=text_or_none(value.bid_price),
        bid_quantity=text_or_none(value.bid_quantity),
        ask_price=text_or_none(value.ask_price),
        ask_quantity=text_or_none(value.ask_quantity),
        last_price=text_or_none(value.last_price),
        high_price=text_or_none(value.high_price),
        low_price=text_or_none(value.low_price),
        open_price=text_or_none(value.open_price),
        volume=text_or_none(value.volume),
        quote_volume=text_or_none(value.quote_volume),
    )
    set_time(message.event_time, value.event_time)
    set_time(message.receive_time, value.receive_time)
    return message


def candle(value: market.Candle) -> pb.Candle:
    """One interval."""
    message = pb.Candle(
        open=text(value.open),
        high=text(value.high),
        low=text(value.low),
        close=text(value.close),
        volume=text(value.volume),
        quote_volume=text(value.quote_volume),
        closed=value.closed,
        interval=duration(value.interval * 1_000_000_000),
    )
    set_time(message.open_time, value.open_time)
    return message


def funding(value: market.Funding) -> pb.Funding:
    """Funding and reference prices."""
    message = pb.Funding(
        rate=text(value.rate),
        mark_price=text(value.mark_price),
        index_price=text(value.index_price),
        open_interest=text_or_none(value.open_interest),
    )
    set_time(message.next_time, value.next_time)
    set_time(message.event_time, value.event_time)
    return message


# The event that carries each kind of market data but books.
def trade_event(value: market.Trade | None, kind: int, sequence: int) -> bytes:
    """A trade, or a snapshot or heartbeat without one."""
    return pb.TradeEvent(
        kind=pb.EventKind.ValueType(kind),
        sequence=sequence,
        trade=None if value is None else trade(value),
    ).SerializeToString()


def ticker_event(value: market.Ticker | None, kind: int, sequence: int) -> bytes:
    """A ticker, or a heartbeat without one."""
    return pb.TickerEvent(
        kind=pb.EventKind.ValueType(kind),
        sequence=sequence,
        ticker=None if value is None else ticker(value),
    ).SerializeToString()


def candle_event(value: market.Candle | None, kind: int, sequence: int) -> bytes:
    """A candle, or a snapshot or heartbeat without one."""
    return pb.CandleEvent(
        kind=pb.EventKind.ValueType(kind),
        sequence=sequence,
        candle=None if value is None else candle(value),
    ).SerializeToString()


def funding_event(value: market.Funding | None, kind: int, sequence: int) -> bytes:
    """Funding, or a heartbeat without it."""
    return pb.FundingEvent(
        kind=pb.EventKind.ValueType(kind),
        sequence=sequence,
        funding=None if value is None else funding(value),
    ).SerializeToString()
