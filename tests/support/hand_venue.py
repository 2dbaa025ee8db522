"""A venue whose market data a test sends by hand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from core.errors import CambistError, Reason
from core.instruments import Instrument, InstrumentKind
from core.market import BookSnapshot, Candle, Funding, MarketEvent, Ticker, Trade
from core.ports import (
    Capability,
    Channel,
    Condition,
    Health,
    MarketSink,
    VenueInfo,
    VenueKind,
)

_NONE_SUCH = CambistError(Reason.UNSUPPORTED_BY_VENUE, "this venue only has feeds")


class HandFeed:
    """A subscription; `core.ports.Feed`."""

    def __init__(self, sink: MarketSink, leave: Callable[["HandFeed"], None]) -> None:
        self.sink = sink
        self.last: MarketEvent | None = None
        self._leave = leave

    def snapshot(self) -> MarketEvent | None:
        return self.last

    async def close(self) -> None:
        self._leave(self)


class HandVenue:
    """`core.ports.Venue` with one instrument, ETH-USDC or ETH-USDC-PERP."""

    def __init__(self, kind: VenueKind = VenueKind.SPOT) -> None:
        perpetual = kind is VenueKind.PERPETUAL
        capabilities = {Capability.ORDER_BOOK, Capability.TRADES}
        self._info = VenueInfo(
            "hand",
            "By hand",
            kind,
            frozenset(capabilities | ({Capability.FUNDING} if perpetual else set())),
        )
        self.instrument = Instrument(
            venue="hand",
            id="ETH-USDC-PERP" if perpetual else "ETH-USDC",
            venue_symbol="ETHUSDC",
            kind=InstrumentKind.PERPETUAL if perpetual else InstrumentKind.SPOT,
            base="ETH",
            quote="USDC",
            settle="USDC",
            price_tick=Decimal("0.01"),
            quantity_step=Decimal("0.001"),
        )
        self._instruments = {self.instrument.id: self.instrument}
        self.feeds: dict[Channel, list[HandFeed]] = {channel: [] for channel in Channel}
        self.broken: CambistError | None = None
        self.read = asyncio.Event()  # somebody has subscribed to the book

    def send(self, channel: Channel, event: MarketEvent) -> None:
        """Tells the readers of a channel."""
        for feed in list(self.feeds[channel]):
            if isinstance(event, BookSnapshot):
                feed.last = event
            feed.sink(event)

    @property
    def info(self) -> VenueInfo:
        return self._info

    @property
    def condition(self) -> Condition:
        return Condition(Health.READY)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> HandFeed:
        if self.broken is not None:
            raise self.broken
        feeds = self.feeds[channel]
        feed = HandFeed(sink, lambda gone: feeds.remove(gone) if gone in feeds else None)
        feeds.append(feed)
        if channel is Channel.BOOK:
            self.read.set()
        return feed

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        raise _NONE_SUCH

    async def ticker(self, instrument: Instrument) -> Ticker:
        raise _NONE_SUCH

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        raise _NONE_SUCH

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        raise _NONE_SUCH

    async def funding(self, instrument: Instrument) -> Funding:
        raise _NONE_SUCH
