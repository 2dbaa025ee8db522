"""Market data, once or as a stream: the same for an order book and for a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambist.book import OrderBook
from cambist.convert import decode, to_duration, to_timestamp
from cambist.market_streams import BookStream, BookUpdateStream, unpacker
from cambist.services._base import Service
from cambist.streams import Reconnecting, Values
from cambist.types import Candle, Funding, Ticker, Trade
from cambist.v1 import market_data_pb2 as v1
from cambist.v1.market_data_pb2_grpc import MarketDataServiceStub

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from cambist.pages import Pages
    from cambist.rpc import Rpc


class Market(Service):
    """Books, trades, tickers, candles, funding."""

    def __init__(self, rpc: Rpc) -> None:
        super().__init__(rpc)
        self._stub = MarketDataServiceStub(rpc.channel)

    async def get_order_book(
        self, venue: str, instrument: str, *, depth: int = 0, timeout: float | None = None
    ) -> OrderBook:
        """The book now, `depth` levels a side (50 when zero). It does not follow the venue."""
        request = v1.GetOrderBookRequest(venue=venue, instrument=instrument, depth=depth)
        response = await self._rpc.call(self._stub.GetOrderBook, request, timeout)
        book = OrderBook(venue, instrument)
        book.apply(response.order_book)
        return book

    async def get_ticker(
        self, venue: str, instrument: str, *, timeout: float | None = None
    ) -> Ticker:
        """Latest prices and the day's statistics."""
        request = v1.GetTickerRequest(venue=venue, instrument=instrument)
        return decode(Ticker, (await self._rpc.call(self._stub.GetTicker, request, timeout)).ticker)

    def list_trades(self, venue: str, instrument: str, *, page_size: int = 0) -> Pages[Trade]:
        """The latest public trades, newest first."""
        request = v1.ListTradesRequest(venue=venue, instrument=instrument, page_size=page_size)
        return self._pages(self._stub.ListTrades, request, "trades", Trade)

    def list_candles(
        self,
        venue: str,
        instrument: str,
        interval: timedelta,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 0,
    ) -> Pages[Candle]:
        """Candles, oldest first: not before `start_time`, before `end_time`."""
        request = v1.ListCandlesRequest(
            venue=venue,
            instrument=instrument,
            interval=to_duration(interval),
            start_time=to_timestamp(start_time),
            end_time=to_timestamp(end_time),
            page_size=page_size,
        )
        return self._pages(self._stub.ListCandles, request, "candles", Candle)

    async def get_funding(
        self, venue: str, instrument: str, *, timeout: float | None = None
    ) -> Funding:
        """Funding rate, mark and index price of a perpetual."""
        request = v1.GetFundingRequest(venue=venue, instrument=instrument)
        response = await self._rpc.call(self._stub.GetFunding, request, timeout)
        return decode(Funding, response.funding)

    def order_book(self, venue: str, instrument: str, *, depth: int = 0) -> BookStream:
        """The live book, once for each batch of updates: always the same object, changed in place.

        While the connection is lost its state is STALE; then a new snapshot arrives.
        """
        return BookStream(self._books(venue, instrument, depth), OrderBook(venue, instrument))

    def book_updates(self, venue: str, instrument: str, *, depth: int = 0) -> BookUpdateStream:
        """The updates themselves in batches, for those who keep a book of their own.

        Each connection begins with a snapshot. Sequences are not checked here.
        """
        return BookUpdateStream(self._books(venue, instrument, depth))

    def trades(self, venue: str, instrument: str) -> Values[v1.StreamTradesResponse, Trade]:
        """Public trades as they happen."""
        request = v1.StreamTradesRequest(venue=venue, instrument=instrument)
        source = Reconnecting(self._rpc, self._stub.StreamTrades, lambda: request)
        return Values(source, unpacker("trade", Trade, whole=False))

    def ticker(self, venue: str, instrument: str) -> Values[v1.StreamTickerResponse, Ticker]:
        """The ticker at each change."""
        request = v1.StreamTickerRequest(venue=venue, instrument=instrument)
        source = Reconnecting(self._rpc, self._stub.StreamTicker, lambda: request)
        return Values(source, unpacker("ticker", Ticker, whole=True))

    def candles(
        self, venue: str, instrument: str, interval: timedelta
    ) -> Values[v1.StreamCandlesResponse, Candle]:
        """The running candle at each change."""
        request = v1.StreamCandlesRequest(
            venue=venue, instrument=instrument, interval=to_duration(interval)
        )
        source = Reconnecting(self._rpc, self._stub.StreamCandles, lambda: request)
        return Values(source, unpacker("candle", Candle, whole=False))

    def funding(self, venue: str, instrument: str) -> Values[v1.StreamFundingResponse, Funding]:
        """Funding at each change."""
        request = v1.StreamFundingRequest(venue=venue, instrument=instrument)
        source = Reconnecting(self._rpc, self._stub.StreamFunding, lambda: request)
        return Values(source, unpacker("funding", Funding, whole=True))

    def _books(
        self, venue: str, instrument: str, depth: int
    ) -> Reconnecting[v1.StreamOrderBookRequest, v1.StreamOrderBookResponse]:
        request = v1.StreamOrderBookRequest(venue=venue, instrument=instrument, depth=depth)
        return Reconnecting(self._rpc, self._stub.StreamOrderBook, lambda: request)
