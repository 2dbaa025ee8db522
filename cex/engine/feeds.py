"""Subscriptions: one upstream for any number of sinks, and what each kind of data does on the way.

An upstream is a (channel, instrument, interval). It is opened with its first sink and closed when
the last leaves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import fields, replace
from typing import Any

from cex.engine import funding
from cex.engine.book_sync import BookSync, Need
from cex.engine.messages import BookMessage, FundingChange
from cex.engine.spec import BookRule, ChannelSpec, MarketParser
from cex.engine.wire import MALFORMED
from core.clock import SECOND
from core.errors import CambistError
from core.instruments import Instrument
from core.market import BookSnapshot, BookState, MarketEvent, Ticker
from core.ports import MarketSink

_log = logging.getLogger(__name__)

_FIRST_PAUSE = SECOND  # between snapshots of one book
_LAST_PAUSE = 60 * SECOND
_STEADY = 60 * SECOND

Fault = Callable[[str, BaseException], None]


class Upstream:
    """Trades, tickers, candles, funding: what comes goes to the sinks, the last is remembered."""

    def __init__(
        self, name: str, channel: ChannelSpec, instrument: Instrument, interval: int, fault: Fault
    ) -> None:
        self.name = name
        self.instrument = instrument
        self.parts = {  # topics and their parsers, by stream
            channel.stream: channel.topics(instrument, interval),
            **{stream: topics(instrument, interval) for stream, topics in channel.beside.items()},
        }
        self.topics = {t: parser for part in self.parts.values() for t, parser in part.items()}
        self.sinks: list[MarketSink] = []
        self._last: MarketEvent | None = None
        self._funding = FundingChange()  # all that was told so far
        self._fault = fault

    def snapshot(self) -> MarketEvent | None:
        """The last event; None before the first."""
        return self._last

    def subscribing(self) -> None:
        """The subscription is asked for."""

    def subscribed(self) -> None:
        """The subscription is confirmed."""

    def disconnected(self, reason: str) -> None:
        """No messages come until `subscribed`."""

    def close(self) -> None:
        """No sinks are left."""

    def data(self, parser: MarketParser, payload: object, received: int) -> None:
        """One message of one of the topics."""
        try:
            events: Iterable[Any] = parser(payload, self.instrument, received)
            for event in events:
                if isinstance(event, Ticker) and isinstance(self._last, Ticker):
                    event = merged(self._last, event)
                elif isinstance(event, FundingChange):
                    self._funding = funding.joined(self._funding, event)
                    whole = funding.whole(self.instrument.id, self._funding)
                    if whole is None or whole == self._last:
                        continue
                    event = whole
                self._last = event
                self._tell(event)
        except MALFORMED as error:
            self._fault(self.name, error)

    def _tell(self, event: MarketEvent) -> None:
        for sink in self.sinks:
            try:
                sink(event)
            except Exception:  # noqa: BLE001 - one subscriber's bug is not the others'
                _log.exception("a subscriber of %s failed", self.name)


class BookUpstream(Upstream):
    """A book: kept by its rule, and every update told with its state."""

    def __init__(
        self,
        name: str,
        channel: ChannelSpec,
        rule: BookRule,
        instrument: Instrument,
        fault: Fault,
        fetch: Callable[[Instrument, int], Awaitable[BookMessage]],
        resubscribe: Callable[["BookUpstream"], None],
        now: Callable[[], int],
    ) -> None:
        """`fetch` gets a book by REST to a depth; `resubscribe` asks for the topic anew."""
        super().__init__(name, channel, instrument, 0, fault)
        self.rule = rule
        self.sync = BookSync(instrument.id, rule.of(instrument))
        self.heard = 0  # ns of the last message
        self._depth = rule.depth
        self._fetch = fetch
        self._resubscribe = resubscribe
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._mended = 0  # ns, when the last snapshot came
        self._strikes = 0  # snapshots needed soon after the last

    def snapshot(self) -> BookSnapshot:
        """The whole book with its state."""
        return self.sync.snapshot()

    def subscribing(self) -> None:
        """The book starts anew."""
        self.heard = self._now()
        self._tell(self.sync.subscribing())

    def subscribed(self) -> None:
        """A snapshot by REST can join the stream now."""
        self.sync.subscribed()
        self._serve()

    def disconnected(self, reason: str) -> None:
        """The book is stale until it is subscribed and in order again."""
        if self.sync.state is not BookState.STALE:
            self._tell(self.sync.disconnected(reason))

    def close(self) -> None:
        """Stops asking for snapshots."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def data(self, parser: MarketParser, payload: object, received: int) -> None:
        """The hot path: decode, apply, tell."""
        sync = self.sync
        self.heard = received
        try:
            messages: Iterable[Any] = parser(payload, self.instrument, received)
            for message in messages:
                update = sync.message(message, received)
                if update is not None:
                    self._tell(update)
        except MALFORMED as error:
            self._fault(self.name, error)
            self._tell(sync.broke(f"a message could not be understood: {error}"))
        if sync.need is not Need.NOTHING:
            self._serve()

    def silent(self, reason: str) -> None:
        """See cex.engine.silence: the subscription has died."""
        self._tell(self.sync.broke(reason))
        self.sync.need = Need.SUBSCRIPTION
        self._serve()

    def _serve(self) -> None:
        if self.sync.need is Need.SUBSCRIPTION:
            self.sync.need = Need.NOTHING
            self._resubscribe(self)
        elif self.sync.need is Need.SNAPSHOT and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._resynchronize(), name=f"snapshot {self.name}")

    def _wanted(self) -> bool:
        return self.sync.need is Need.SNAPSHOT

    async def _resynchronize(self) -> None:
        # A book that breaks again soon after it was mended must not eat the rate limit.
        soon = self._now() - self._mended < _STEADY
        self._strikes = self._strikes + 1 if soon else 0
        pause = min(_FIRST_PAUSE << min(self._strikes, 10), _LAST_PAUSE)
        if self._strikes > 1:
            await asyncio.sleep(pause / SECOND)  # float: asyncio's unit
        while self._wanted():
            try:
                epoch = self.sync.epoch
                message = await self._fetch(self.instrument, self._depth)
                if epoch == self.sync.epoch:
                    update = self.sync.answer(message, self._now())
                    self._mended = self._now()
                    if update is not None:
                        self._tell(update)
            except CambistError as error:
                self.sync.reason = f"no snapshot: {error.message}"
                pause = max(pause, min(error.retry_after or 0, _LAST_PAUSE))
            except MALFORMED as error:
                self._fault(self.name, error)
            if self._wanted():
                await asyncio.sleep(pause / SECOND)  # float: asyncio's unit
                pause = min(pause * 2, _LAST_PAUSE)


class SinkFeed:
    """One subscriber's handle; implements core.ports.Feed."""

    def __init__(
        self,
        upstream: Upstream,
        sink: MarketSink,
        leave: Callable[[Upstream], Awaitable[None]],
    ) -> None:
        self._upstream = upstream
        self._sink = sink
        self._leave = leave
        self._closed = False
        upstream.sinks.append(sink)

    def snapshot(self) -> MarketEvent | None:
        """See core.ports.Feed."""
        return self._upstream.snapshot()

    async def close(self) -> None:
        """See core.ports.Feed."""
        if not self._closed:
            self._closed = True
            # A new list: this may be called by a sink, in the middle of a round.
            sinks = list(self._upstream.sinks)
            sinks.remove(self._sink)
            self._upstream.sinks = sinks
            if not sinks:
                await self._leave(self._upstream)


_TICKER_FIELDS = [field.name for field in fields(Ticker)]


def merged(old: Ticker, new: Ticker) -> Ticker:
    """A ticker from two topics: what the new one does not tell stays as it was."""
    missing = {
        name: getattr(old, name)
        for name in _TICKER_FIELDS
        if getattr(new, name) is None and getattr(old, name) is not None
    }
    missing["event_time"] = max(old.event_time, new.event_time)
    return replace(new, **missing)
