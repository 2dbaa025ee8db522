"""A paper account on a real venue: its orders fill against that venue's live book.

Only public market data is asked of the venue. The account reads an instrument's book and trades
while it has open orders or a position there, and for a while after. It refuses orders while the
book is not live.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from functools import partial

from cex.paper.account import BookAccount, Sleep, kind_of
from cex.paper.book import TermsTable
from cex.paper.clearing import Clearing
from cex.paper.faults import Faults
from cex.paper.live_executor import LiveExecutor
from cex.paper.markets import INITIAL_BALANCES, Terms
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.instruments import Instrument, InstrumentKind
from core.market import BookDelta, BookSnapshot, BookState, Funding, MarketEvent, Trade
from core.ports import AccountSink, Capability, Channel, Condition, Feed, Health, Venue

LIVE_TIMEOUT = 10 * SECOND  # how long an order waits for the first live book
LINGER = 60 * SECOND  # how long feeds go on that nothing needs
_RETRY = (1, 2, 5, 10, 30)  # seconds between attempts to subscribe

# Where the venue's own fees are not given: what large venues ask of a new customer.
DEFAULT_TERMS: dict[InstrumentKind, Terms] = {
    InstrumentKind.SPOT: Terms(maker=Decimal("0.001"), taker=Decimal("0.001")),
    InstrumentKind.PERPETUAL: Terms(
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
        max_leverage=20,
        maintenance=Decimal("0.01"),
        liquidation_fee=Decimal("0.01"),
    ),
}

_CHANNELS = (
    (Channel.TRADES, Capability.TRADES),
    (Channel.FUNDING, Capability.FUNDING),
    (Channel.BOOK, Capability.ORDER_BOOK),
)

_log = logging.getLogger(__name__)


class _Line:
    """The feeds of one instrument."""

    def __init__(self) -> None:
        self.live = asyncio.Event()
        self.opening = asyncio.Lock()
        self.feeds: list[Feed] = []
        self.used = 0  # monotonic ns


class LiveBookAccount(BookAccount):
    """A paper account on any order-book venue.

    `terms` are the fees (and margin rules) by instrument, with a default; None takes
    `DEFAULT_TERMS`. `initial` balances are given when it is first created. The clearing house may
    be that of a `PaperExchange`, or one of its own.
    """

    def __init__(
        self,
        id: str,
        venue: Venue,
        clearing: Clearing,
        clock: Clock,
        initial: Mapping[str, Decimal] | None = None,
        *,
        terms: TermsTable | None = None,
        faults: Faults | None = None,
        live_timeout: int = LIVE_TIMEOUT,
        linger: int = LINGER,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        kind = kind_of(venue)
        balances = INITIAL_BALANCES[kind] if initial is None else initial
        table = terms or TermsTable({}, DEFAULT_TERMS[kind])
        book = clearing.open(id, venue.info.id, kind, table, balances)
        self._matcher = LiveExecutor(book, clearing)
        executor = _Prepared(self, self._matcher)
        super().__init__(book, venue, clearing, executor, faults or Faults(), sleep)
        self._clock = clock
        self._live_timeout = live_timeout
        self._linger = linger
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._troubles: dict[str, str] = {}  # by instrument
        clearing.on_reload(self._reloaded)

    @property
    def condition(self) -> Condition:
        """DEGRADED while an instrument that it trades cannot be followed."""
        if self._troubles:
            reason = "; ".join(self._troubles.values())
            return Condition(Health.DEGRADED, reason, self._clearing.now())
        return super().condition

    async def start(self, sink: AccountSink) -> None:
        """Connects, and follows the instruments of open orders and positions again."""
        await super().start(sink)
        for instrument in self._matcher.needed():
            self._spawn(self._follow(instrument))

    async def stop(self) -> None:
        """Ends the feeds; the orders stay, and do not fill until the next start."""
        await super().stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for instrument in list(self._lines):
            await self._hang_up(instrument)

    async def prepare(self, name: str) -> None:
        """Follows an instrument until its book is live. Raises Refused."""
        instrument = self._instrument(name)
        line = await self._open(instrument)
        line.used = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._live_timeout / SECOND):  # float: asyncio's timeouts
                await line.live.wait()
        except TimeoutError as error:
            raise Refused(
                Reason.BOOK_NOT_LIVE,
                f"the book of {name} on {self._venue.info.id} is not live yet: try again",
                {"venue": self._venue.info.id, "instrument": name},
            ) from error

    # --- inside ---

    def _instrument(self, name: str) -> Instrument:
        instrument = self._venue.instruments.get(name)
        if instrument is None:
            raise Refused(
                Reason.INSTRUMENT_NOT_FOUND,
                f"{self._venue.info.id} has no instrument {name!r}: list its instruments",
                {"venue": self._venue.info.id, "instrument": name},
            )
        return instrument

    async def _open(self, instrument: Instrument) -> _Line:
        line = self._lines.setdefault(instrument.id, _Line())
        async with line.opening:
            if line.feeds:
                return line
            line.used = self._clock.monotonic()
            self._matcher.attach(instrument)
            sink = partial(self._hear, instrument.id)
            try:
                for channel, capability in _CHANNELS:
                    if capability in self._venue.info.capabilities:
                        line.feeds.append(await self._venue.subscribe(channel, instrument, sink))
            except BaseException:
                await self._hang_up(instrument.id)
                raise
        return line

    async def _hang_up(self, instrument: str) -> None:
        await _close(self._forget(instrument))

    def _forget(self, instrument: str) -> list[Feed]:
        """Stops listening to an instrument at once; its feeds are still to be closed."""
        line = self._lines.pop(instrument, None)
        self._matcher.detach(instrument)
        return line.feeds if line else []

    async def _follow(self, name: str) -> None:
        """Subscribes for orders and positions that were there before; tries until it succeeds."""
        for attempt in range(1_000_000):
            try:
                await self._open(self._instrument(name))
            except CambistError as error:
                self._troubles[name] = f"{name} cannot be followed yet: {error.message}"
                await self._sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
            else:
                self._troubles.pop(name, None)
                return

    def _hear(self, instrument: str, event: MarketEvent) -> None:
        line = self._lines.get(instrument)
        if line is None:
            return
        try:
            self._apply(instrument, line, event)
        except CambistError as error:  # the file could not be written; memory was read back
            _log.exception("paper account %s could not book a market event", self.id)
            self._troubles[instrument] = error.message
        else:
            self._troubles.pop(instrument, None)
            self._rest_if_idle(instrument, line)

    def _apply(self, instrument: str, line: _Line, event: MarketEvent) -> None:
        if isinstance(event, BookSnapshot | BookDelta):
            if isinstance(event, BookSnapshot):
                if event.state is BookState.LIVE:
                    line.live.set()
                else:
                    line.live.clear()
            self._matcher.on_book(instrument, event)
        elif isinstance(event, Trade):
            self._matcher.on_trade(instrument, event)
        elif isinstance(event, Funding):
            self._matcher.on_funding(instrument, event)

    def _rest_if_idle(self, instrument: str, line: _Line) -> None:
        """Ends the feeds of an instrument that nothing has needed for a while."""
        if instrument in self._matcher.needed():
            line.used = self._clock.monotonic()
        elif line.feeds and self._clock.monotonic() - line.used > self._linger:
            self._spawn(_close(self._forget(instrument)))

    def _reloaded(self) -> None:
        """The books were read back from the file: the markets are rebuilt from the feeds."""
        self._matcher.rebuild()
        for instrument, line in self._lines.items():
            for feed in line.feeds:
                state = feed.snapshot()
                if isinstance(state, BookSnapshot):
                    self._matcher.on_book(instrument, state)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _close(feeds: Sequence[Feed]) -> None:
    for feed in feeds:
        await feed.close()


class _Prepared:
    """The matcher, with feeds that are opened when an order needs them."""

    def __init__(self, account: LiveBookAccount, matcher: LiveExecutor) -> None:
        self.prepare = account.prepare
        self.check = matcher.check
        self.place = matcher.place
        self.cancel = matcher.cancel
        self.cancel_all = matcher.cancel_all
        self.replace = matcher.replace
