"""The public side of the paper exchange: the venues `paper` (spot) and `paper_perpetual`."""

from collections.abc import Mapping, Sequence

from cex.paper.candles import INTERVALS
from cex.paper.exchange import PaperExchange
from cex.paper.markets import PERPETUAL_VENUE, SPOT_VENUE
from cex.paper.tape import PaperFeed, Tape
from core.errors import Reason, Refused
from core.instruments import Instrument
from core.market import BookSnapshot, Candle, Funding, Ticker, Trade
from core.ports import Capability, Channel, Condition, MarketSink, VenueInfo, VenueKind

_SPOT = frozenset(
    {
        Capability.ORDER_BOOK,
        Capability.TRADES,
        Capability.TICKER,
        Capability.CANDLES,
        Capability.LIMIT,
        Capability.MARKET,
        Capability.STOP,
        Capability.POST_ONLY,
        Capability.IOC,
        Capability.FOK,
        Capability.REPLACE,
        Capability.CANCEL_ALL,
        Capability.FILLS,
        Capability.BALANCES,
        Capability.FEES,
    }
)
_PERPETUAL = _SPOT | {
    Capability.FUNDING,
    Capability.REDUCE_ONLY,
    Capability.POSITIONS,
    Capability.LEVERAGE,
}

INFOS: dict[VenueKind, VenueInfo] = {
    VenueKind.SPOT: VenueInfo(SPOT_VENUE, "Paper exchange", VenueKind.SPOT, _SPOT),
    VenueKind.PERPETUAL: VenueInfo(
        PERPETUAL_VENUE, "Paper exchange, perpetuals", VenueKind.PERPETUAL, _PERPETUAL
    ),
}


class PaperVenue:
    """One of the exchange's two venues; `core.ports.Venue`."""

    def __init__(self, exchange: PaperExchange, kind: VenueKind) -> None:
        self._exchange = exchange
        self._info = INFOS[kind]
        self._running = False

    @property
    def info(self) -> VenueInfo:
        """Constants."""
        return self._info

    @property
    def condition(self) -> Condition:
        """The exchange's."""
        return self._exchange.condition

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By our id; known from the beginning."""
        return {
            id: pit.instrument
            for id, pit in self._exchange.pits.items()
            if pit.instrument.venue == self._info.id
        }

    async def start(self) -> None:
        """Lets the exchange run."""
        if not self._running:
            self._running = True
            await self._exchange.start()

    async def stop(self) -> None:
        """Takes this venue's part of `start` back."""
        if self._running:
            self._running = False
            await self._exchange.stop()

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> PaperFeed:
        """Starts a feed; the present state is sent before this returns."""
        if channel is Channel.CANDLES:
            _check_interval(interval)
        if channel is Channel.FUNDING:
            await self.funding(instrument)
        return self._tape(instrument).join(channel, sink, interval)

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        """The book to a depth, 0 for all of it."""
        return self._tape(instrument).book(depth)

    async def ticker(self, instrument: Instrument) -> Ticker:
        """Best prices and a day's statistics."""
        return self._tape(instrument).ticker()

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        """The newest trades, oldest first."""
        trades = list(self._tape(instrument).trades)
        return trades[-limit:] if limit > 0 else trades

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        """Candles that open in [start, end), oldest first; since the exchange was opened."""
        _check_interval(interval)
        return self._tape(instrument).candles.history(interval, start, end, limit)

    async def funding(self, instrument: Instrument) -> Funding:
        """Rates of a perpetual. Raises Refused on the spot venue."""
        funding = self._tape(instrument).funding
        if funding is None:
            raise Refused(Reason.UNSUPPORTED_BY_VENUE, f"{instrument.id} has no funding")
        return funding

    def _tape(self, instrument: Instrument) -> Tape:
        if instrument.id not in self.instruments:
            raise Refused(
                Reason.INSTRUMENT_NOT_FOUND,
                f"{self._info.id} has no instrument {instrument.id!r}: list its instruments",
                {"venue": self._info.id, "instrument": instrument.id},
            )
        return self._exchange.pits[instrument.id].tape


def _check_interval(interval: int) -> None:
    if interval not in INTERVALS:
        known = ", ".join(map(str, INTERVALS))
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"there are no candles of {interval} s: choose one of {known}",
            {"interval": str(interval)},
        )
