"""A pool's market data: its curve as a book, its prices, its swaps as trades."""

import logging
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from core.clock import Clock
from core.market import BookSnapshot, BookState, MarketEvent, Ticker, Trade
from core.ports import Channel, MarketSink
from dex.families.curve_levels import levels
from dex.network import Unsubscribe
from dex.pool_state import PoolStates, Refresh
from dex.pools import PoolMarket, PoolState
from dex.swap_events import SwapEvents

_log = logging.getLogger(__name__)

DEPTH = 50  # levels a side of a streamed book


class PoolViews:
    """Books and tickers from the state in memory."""

    def __init__(self, states: PoolStates, swaps: SwapEvents, clock: Clock) -> None:
        self.states = states
        self._swaps = swaps
        self._clock = clock

    def book(self, market: PoolMarket, depth: int) -> BookSnapshot:
        """The curve at the last block; `sequence` is the block's number. While nothing was read it
        is empty and SYNCING; while the state is not current it is STALE and says why."""
        state = self.states.known(market.address)
        why = self.states.why_not_live
        missing = self.states.missing(market.address)
        if state is None:
            reason = f"no pool at {market.address}: {missing}" if missing else why
            return BookSnapshot(
                instrument=market.instrument.id,
                state=BookState.STALE if missing else BookState.SYNCING,
                bids=([], []),
                asks=([], []),
                receive_time=self._clock.now(),
                reason=reason or "the pool is not read yet",
            )
        bids, asks = levels(state.book, depth)
        return BookSnapshot(
            instrument=market.instrument.id,
            state=BookState.STALE if why else BookState.LIVE,
            bids=bids,
            asks=asks,
            sequence=state.block,
            event_time=self.states.block_time(state.block) or 0,
            receive_time=self._clock.now(),
            reason=why,
        )

    def ticker(self, market: PoolMarket, state: PoolState) -> Ticker:
        """The prices of the first unit, fee included, rounded away from the trader, and how much
        the first level of the book has. A pool keeps no statistics of the day."""
        tick = market.instrument.price_tick
        bids, asks = levels(state.book, 1)
        empty = state.book.is_empty
        bid, ask = (Decimal(0), Decimal(0)) if empty else state.book.best()
        return Ticker(
            instrument=market.instrument.id,
            bid_price=bid.quantize(tick, ROUND_FLOOR) if bids[0] else None,
            bid_quantity=Decimal(bids[1][0]) if bids[1] else None,
            ask_price=ask.quantize(tick, ROUND_CEILING) if asks[0] else None,
            ask_quantity=Decimal(asks[1][0]) if asks[1] else None,
            last_price=self._swaps.last_price(market.address),
            event_time=self.states.block_time(state.block) or 0,
            receive_time=self._clock.now(),
        )


class StateFeed:
    """A book or a ticker that is told anew whenever its pool changed, or stopped being live."""

    def __init__(
        self, views: PoolViews, channel: Channel, market: PoolMarket, sink: MarketSink
    ) -> None:
        self._views = views
        self._channel = channel
        self._market = market
        self._sink = sink
        self._live = not views.states.why_not_live
        self._unsubscribe: Unsubscribe | None = views.states.subscribe(self._on_refresh)

    def snapshot(self) -> MarketEvent | None:
        """The present state."""
        if self._channel is Channel.BOOK:
            return self._views.book(self._market, DEPTH)
        state = self._views.states.known(self._market.address)
        return None if state is None else self._views.ticker(self._market, state)

    async def close(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _on_refresh(self, refresh: Refresh) -> None:
        turned = refresh.live != self._live
        self._live = refresh.live
        if not turned and self._market.address not in refresh.changed:
            return
        event = self.snapshot()
        if event is not None and self._unsubscribe is not None:
            self._sink(event)


class TradeFeed:
    """The swaps of a pool, as they get into blocks."""

    def __init__(self, swaps: SwapEvents, market: PoolMarket, sink: MarketSink) -> None:
        self._last: Trade | None = None
        self._sink = sink
        self._unsubscribe: Unsubscribe | None = swaps.subscribe(market, self._on_trade)

    def snapshot(self) -> MarketEvent | None:
        """The last trade seen."""
        return self._last

    async def close(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _on_trade(self, trade: Trade) -> None:
        self._last = trade
        self._sink(trade)
