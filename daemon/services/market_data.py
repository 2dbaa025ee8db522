"""MarketDataService: books, trades, tickers, candles and funding, once or as a stream."""

from collections.abc import AsyncIterator

from google.protobuf.duration_pb2 import Duration

from cambist.v1 import market_data_pb2 as pb
from core.clock import SECOND
from core.errors import Reason, Refused
from core.ports import Channel
from daemon.codec import market as codec
from daemon.codec.scalars import nanoseconds
from daemon.registry import Registry
from daemon.rpc.paging import decode_token, encode_token, page_size
from daemon.rpc.rules import invalid
from daemon.streams.hub import Hub

DEFAULT_DEPTH = 50
MAX_DEPTH = 5000


class MarketDataService:
    """Asks the venues; streams go through the hub, which encodes each event once."""

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._registry = registry
        self._hub = hub

    async def get_order_book(self, request: pb.GetOrderBookRequest) -> pb.GetOrderBookResponse:
        """The book now."""
        instrument = self._registry.instrument(request.venue, request.instrument)
        depth = min(request.depth or DEFAULT_DEPTH, MAX_DEPTH)
        book = await self._registry.venue(request.venue).order_book(instrument, depth)
        return pb.GetOrderBookResponse(order_book=codec.book_snapshot(book, 0, depth))

    async def get_ticker(self, request: pb.GetTickerRequest) -> pb.GetTickerResponse:
        """The latest prices."""
        instrument = self._registry.instrument(request.venue, request.instrument)
        ticker = await self._registry.venue(request.venue).ticker(instrument)
        return pb.GetTickerResponse(ticker=codec.ticker(ticker))

    async def list_trades(self, request: pb.ListTradesRequest) -> pb.ListTradesResponse:
        """The latest trades. Venues tell only the newest, so there is one page."""
        instrument = self._registry.instrument(request.venue, request.instrument)
        decode_token(f"trades/{request.venue}/{request.instrument}", request.page_token)
        limit = page_size(request.page_size)
        trades = await self._registry.venue(request.venue).trades(instrument, limit)
        newest = sorted(trades, key=lambda trade: trade.event_time, reverse=True)[:limit]
        return pb.ListTradesResponse(trades=[codec.trade(trade) for trade in newest])

    async def list_candles(self, request: pb.ListCandlesRequest) -> pb.ListCandlesResponse:
        """Candles of a time, oldest first; the next page goes on after the last one."""
        instrument = self._registry.instrument(request.venue, request.instrument)
        interval = _interval(request.interval)
        scope = f"candles/{request.venue}/{request.instrument}/{interval}"
        after = decode_token(scope, request.page_token)
        start = nanoseconds(request.start_time) if request.HasField("start_time") else None
        end = nanoseconds(request.end_time) if request.HasField("end_time") else None
        if start is not None and end is not None and start >= end:
            raise invalid("start_time", "must be before end_time")
        limit = page_size(request.page_size)
        candles = await self._registry.venue(request.venue).candles(
            instrument, interval, int(after) if after else start, end, limit
        )
        token = ""
        if start is not None and len(candles) == limit:
            token = encode_token(scope, str(candles[-1].open_time + interval * SECOND))
        return pb.ListCandlesResponse(
            candles=[codec.candle(candle) for candle in candles], next_page_token=token
        )

    async def get_funding(self, request: pb.GetFundingRequest) -> pb.GetFundingResponse:
        """Funding of a perpetual."""
        instrument = self._registry.instrument(request.venue, request.instrument)
        funding = await self._registry.venue(request.venue).funding(instrument)
        return pb.GetFundingResponse(funding=codec.funding(funding))

    def stream_order_book(self, request: pb.StreamOrderBookRequest) -> AsyncIterator[bytes]:
        """A snapshot, then changes."""
        return self._read(request, Channel.BOOK, depth=min(request.depth, MAX_DEPTH))

    def stream_trades(self, request: pb.StreamTradesRequest) -> AsyncIterator[bytes]:
        """Trades as they happen."""
        return self._read(request, Channel.TRADES)

    def stream_ticker(self, request: pb.StreamTickerRequest) -> AsyncIterator[bytes]:
        """The ticker at each change."""
        return self._read(request, Channel.TICKER)

    def stream_candles(self, request: pb.StreamCandlesRequest) -> AsyncIterator[bytes]:
        """The running candle at each change."""
        return self._read(request, Channel.CANDLES, interval=_interval(request.interval))

    def stream_funding(self, request: pb.StreamFundingRequest) -> AsyncIterator[bytes]:
        """Funding at each change."""
        return self._read(request, Channel.FUNDING)

    def _read(
        self,
        request: pb.StreamOrderBookRequest
        | pb.StreamTradesRequest
        | pb.StreamTickerRequest
        | pb.StreamCandlesRequest
        | pb.StreamFundingRequest,
        channel: Channel,
        depth: int = 0,
        interval: int = 0,
    ) -> AsyncIterator[bytes]:
        instrument = self._registry.instrument(request.venue, request.instrument)
        venue = self._registry.venue(request.venue)
        return self._hub.read(venue, channel, instrument, depth, interval)


def _interval(message: Duration) -> int:
    """Whole seconds of a candle's interval."""
    if message.nanos or not 1 <= message.seconds <= 31 * 86_400:
        raise Refused(
            Reason.FIELD_INVALID,
            "interval must be whole seconds, such as 60 for a minute",
            {"field": "interval"},
        )
    return int(message.seconds)
