"""The public side of an exchange: instruments, market data, feeds. Implements core.ports.Venue."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import reduce

from cex.engine import checks, commands, feeds, funding, wire
from cex.engine.caller import Caller, account_scope
from cex.engine.capable import capabilities
from cex.engine.clock_offset import ClockOffset
from cex.engine.condition import Conditions
from cex.engine.credentials import Credentials
from cex.engine.feeds import BookUpstream, SinkFeed, Upstream
from cex.engine.gate import Gates
from cex.engine.http import Http
from cex.engine.limiter import Limiter
from cex.engine.messages import BookMessage
from cex.engine.meter import Usage
from cex.engine.reference import Reference
from cex.engine.silence import Silence
from cex.engine.spec import Scope, StreamSpec, VenueSpec
from cex.engine.topics import Hooks, TopicConnection, Topics
from core.books import OrderBook
from core.clock import SECOND, Clock
from core.errors import Reason, Refused
from core.instruments import Instrument
from core.market import BookSnapshot, BookState, Candle, Funding, Ticker, Trade
from core.ports import (
    Channel,
    Condition,
    Feed,
    Health,
    MarketSink,
    RateLimitUsage,
    VenueInfo,
)

_LOOK = 5 * SECOND  # between two rounds of looking after books
_SNAPSHOT_PATIENCE = 120 * SECOND  # many books at once have to wait for the budget


class ExchangeVenue:
    """One exchange. Accounts share its connections, budgets and clock.

    `hosts` overrides entries of the specification's hosts: for a local server, a proxy, a test.
    """

    def __init__(
        self,
        spec: VenueSpec,
        clock: Clock,
        hosts: Mapping[str, str] | None = None,
        gates: Gates | None = None,
    ) -> None:
        """`gates` are those of all venues, of which some share a host."""
        self.spec = spec
        self.clock = clock
        if unknown := set(hosts or {}) - set(spec.hosts):
            raise Refused(
                Reason.FIELD_INVALID,
                f"{spec.name} has no host named {', '.join(sorted(unknown))}, but "
                f"{', '.join(sorted(spec.hosts))}",
                {"venue": spec.id, "field": "hosts"},
            )
        self.hosts = {**spec.hosts, **(hosts or {})}
        self.conditions = Conditions(clock)
        self.offset = ClockOffset(clock)
        gate = (gates or Gates()).at(self.hosts.get("rest", ""))
        self.limiter = Limiter(spec.id, spec.pools, self.offset.now, gate)
        self._accounts: dict[str, list[str]] = {}  # by the scope of their rate limits
        self.http = Http(self.hosts)
        self.caller = Caller(spec, self.http, self.limiter, self.offset, clock)
        self.reference = Reference(spec, self.caller, self.offset, self.conditions, clock)
        self._info = VenueInfo(
            spec.id,
            spec.name,
            spec.kind,
            capabilities(spec),
            "",
            spec.documentation,
            spec.standing,
            spec.standing_since,
            spec.standing_evidence,
        )
        hooks = Hooks(
            self._stream_token,
            self.caller.moment,
            self._stream_fine,
            self._stream_broken,
            self.fault,
        )
        self._topics = Topics(spec.id, spec.streams, self.hosts, clock, hooks)
        self._upstreams: dict[tuple[Channel, str, int], Upstream] = {}
        self.silence = Silence(self._books, self._glance, self.fault, self.offset.hear, clock)
        self._tasks: list[asyncio.Task[None]] = []

    # -- core.ports.Venue --------------------------------------------------------------------------

    @property
    def info(self) -> VenueInfo:
        """See core.ports.Venue."""
        return self._info

    @property
    def condition(self) -> Condition:
        """See core.ports.Venue."""
        if self.limiter.paused:
            self.conditions.set(
                "rate limit", Health.DOWN, "the venue asked us to send nothing for a while"
            )
        else:
            self.conditions.clear("rate limit")
        if wrong := checks.skewed(self.spec, self.offset):
            self.conditions.set("clock", Health.DEGRADED, f"{wrong}: set it; orders are refused")
        else:
            self.conditions.clear("clock")
        return self.conditions.current

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """See core.ports.Venue."""
        return self.reference.instruments

    async def start(self) -> None:
        """See core.ports.Venue."""
        if not self._tasks:
            await self.http.open()
            self._tasks = [
                asyncio.create_task(self.reference.run(), name=f"venue {self.spec.id}"),
                asyncio.create_task(self.silence.run(_LOOK), name=f"silence {self.spec.id}"),
            ]

    async def stop(self) -> None:
        """See core.ports.Venue."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for upstream in self._upstreams.values():
            upstream.close()
        self._upstreams.clear()
        await self._topics.stop()
        await self.http.close()

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> Feed:
        """See core.ports.Venue."""
        channel_spec = self.spec.channels.get(channel)
        if channel_spec is None:
            raise self._unsupported(f"no stream of {channel.value}")
        if channel is Channel.CANDLES:
            self._check_interval(interval)
            if channel_spec.intervals and interval not in channel_spec.intervals:
                raise self._unsupported(f"no stream of candles of {interval} s: ask for them")
        else:
            interval = 0
        key = (channel, instrument.id, interval)
        upstream = self._upstreams.get(key)
        if upstream is None:
            name = f"{self.spec.id} {channel.value} {instrument.id}"
            if channel_spec.book is not None:
                upstream = BookUpstream(
                    name,
                    channel_spec,
                    channel_spec.book,
                    instrument,
                    self.fault,
                    self._fetch_book,
                    self._topics.again,
                    self.clock.now,
                )
            else:
                upstream = Upstream(name, channel_spec, instrument, interval, self.fault)
            self._upstreams[key] = upstream
            feed = SinkFeed(upstream, sink, self._leave)
            self._topics.add(upstream)
            return feed
        return SinkFeed(upstream, sink, self._leave)

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot:
        """See core.ports.Venue. From the feed's book when it is live; by REST else."""
        upstream = self._upstreams.get((Channel.BOOK, instrument.id, 0))
        if isinstance(upstream, BookUpstream) and upstream.sync.state is BookState.LIVE:
            return upstream.sync.snapshot(depth)
        message = await self.caller.call(commands.GetBook(instrument, depth), self.scope())
        book = OrderBook()
        try:
            book.load(message.bids, message.asks)
        except wire.MALFORMED as error:
            raise wire.protocol_error(self.spec.id, "order book", error) from None
        bids, asks = book.snapshot(depth)
        return BookSnapshot(
            instrument.id,
            BookState.LIVE,
            bids,
            asks,
            message.last,
            message.event_time,
            self.clock.now(),
        )

    async def ticker(self, instrument: Instrument) -> Ticker:
        """See core.ports.Venue."""
        parts = await self.caller.parts(commands.GetTicker(instrument), self.scope())
        told: Ticker = reduce(feeds.merged, parts)
        return told

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]:
        """See core.ports.Venue."""
        return await self.caller.call(commands.GetTrades(instrument, limit), self.scope())

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]:
        """See core.ports.Venue."""
        self._check_interval(interval)
        command = commands.GetCandles(instrument, interval, start, end, limit, self.offset.now())
        return await self.caller.call(command, self.scope())

    async def funding(self, instrument: Instrument) -> Funding:
        """See core.ports.Venue."""
        if Channel.FUNDING not in self.spec.channels:
            raise self._unsupported("no funding")
        command = commands.GetFunding(instrument, self.offset.now())
        parts = await self.caller.parts(command, self.scope())
        if isinstance(parts[0], Funding):
            return parts[0]
        told = funding.whole(instrument.id, reduce(funding.joined, parts))
        if told is None:
            error = ValueError("not all of it")
            raise wire.protocol_error(self.spec.id, "funding", error)
        return told

    # -- for accounts, and for whoever shows how things are ----------------------------------------

    @property
    def loaded(self) -> asyncio.Event:
        """Set once instruments are known."""
        return self.reference.loaded

    def scope(self, account: str = "") -> Scope:
        """What parsers get besides the payload."""
        return self.reference.scope(account)

    def instrument(self, instrument_id: str) -> Instrument:
        """By our id; raises Refused."""
        return self.reference.instrument(instrument_id)

    def usage(self) -> list[Usage]:
        """The rate-limit budgets and what is used of them."""
        return self.limiter.usage()

    async def connecting(self, stream: StreamSpec, credentials: Credentials | None = None) -> None:
        """Takes what a connection costs from the budgets, once there is room. Raises Refused
        when that takes too long, and while the venue has banned us."""
        if stream.connect:
            scope = account_scope(credentials)
            permit = await self.limiter.acquire(stream.connect, scope, commands.Priority.QUERY)
            permit.landed({})

    def fault(self, what: str, error: BaseException) -> None:
        """Something of the venue's could not be understood: loud for a minute, in `condition`."""
        self.conditions.fault("format", wire.protocol_error(self.spec.id, what, error).message)

    # ----------------------------------------------------------------------------------------------

    async def _fetch_book(self, instrument: Instrument, depth: int) -> BookMessage:
        return await self.caller.call(
            commands.GetBook(instrument, depth), self.scope(), patience=_SNAPSHOT_PATIENCE
        )

    def _books(self) -> list[BookUpstream]:
        return [one for one in self._upstreams.values() if isinstance(one, BookUpstream)]

    async def _glance(self, instrument: Instrument, depth: int) -> BookMessage:
        """A look at a book that is taken only if the budget has room for it now."""
        command = commands.GetBook(instrument, depth)
        return await self.caller.call(command, self.scope(), patience=0)

    async def _leave(self, upstream: Upstream) -> None:
        upstream.close()
        for key, value in list(self._upstreams.items()):
            if value is upstream:
                del self._upstreams[key]
        await self._topics.remove(upstream)

    async def _stream_token(self, stream: StreamSpec) -> str:
        await self.connecting(stream)
        if stream.token is None:
            return ""
        return await self.caller.call(stream.token, self.scope())

    def _stream_fine(self, connection: TopicConnection) -> None:
        self.conditions.clear(connection.connection.name)

    def _stream_broken(self, connection: TopicConnection, reason: str) -> None:
        self.conditions.set(
            connection.connection.name, Health.DEGRADED, f"market data stream: {reason}"
        )

    def _check_interval(self, interval: int) -> None:
        if interval not in self.spec.intervals:
            offered = ", ".join(str(seconds) for seconds in sorted(self.spec.intervals))
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{self.spec.name} has no candles of {interval} s, but of {offered}",
                {"venue": self.spec.id},
            )

    # -- core.ports.Metered

    @property
    def clock_offset(self) -> int | None:
        return self.offset.offset if self.offset.known else None

    @property
    def stream_clock_offset(self) -> int | None:
        return self.offset.stream

    @property
    def waiting_requests(self) -> int:
        return self.limiter.waiting

    def rate_limits(self) -> Sequence[RateLimitUsage]:
        return [
            RateLimitUsage(
                use.pool,
                self._scope_name(use.scope),
                use.used,
                use.limit,
                use.interval,
                use.blocked,
            )
            for use in self.limiter.usage()
        ]

    def metered(self, credentials: Credentials, account: str) -> None:
        """Says whose budgets are counted under a key."""
        self._accounts.setdefault(account_scope(credentials), []).append(account)

    def _scope_name(self, scope: str) -> str:
        if not scope:
            return "ip"
        return "account:" + ",".join(sorted(set(self._accounts.get(scope, [scope]))))

    def _unsupported(self, what: str) -> Refused:
        return Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"{self.spec.name} has {what}",
            {"venue": self.spec.id},
        )
