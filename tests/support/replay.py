"""Plays any recorded session through the real engine, over a local HTTP and websocket server.

    for spec in fitting(rows):
        async with Replay(spec, rows) as replay:
            await replay.play()
            assert replay.report.unreadable == []

A recording is a list of rows, as `tests.support.corpus` describes them: REST replies (`http`) and
frames (`recv`), by connection, in order of arrival. Subscribed is to all that it tells of. REST
questions are answered with what was recorded for them, wherever it was asked for then; times are
today's. What confirms a subscription is ours: the recorded confirmations answer the recorder's
questions. See `python -m tests.support.replay --help`.
"""

import argparse
import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

from cex.engine import commands, request, wire
from cex.engine.caller import read
from cex.engine.market import ExchangeVenue
from cex.engine.messages import Numbered
from cex.engine.spec import Moment, Scope, StreamSpec, VenueSpec
from cex.venues import catalogue
from core.clock import SystemClock
from core.errors import CambistError
from core.instruments import Instrument
from core.market import BookDelta, BookSnapshot, BookState, MarketEvent
from core.ports import Channel
from tests.support.cex_fixtures import load, names
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket
from tests.support.order_templates import templates
from tests.support.scripted_venue import Confirmations, local_hosts
from tests.support.waiting import until

Rows = Sequence[Mapping[str, Any]]
_BOUND = 60.0  # float: seconds until all frames must have been read, asyncio's unit


@dataclass
class BookReport:
    """What became of one book."""

    states: list[BookState] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    changes: int = 0

    @property
    def continuous(self) -> bool:
        """Whether it was live once, and stayed so."""
        since = self.states[self.states.index(BookState.LIVE) :] if self.live else []
        return self.live and all(state is BookState.LIVE for state in since)

    @property
    def live(self) -> bool:
        """Whether it ever was."""
        return BookState.LIVE in self.states


@dataclass
class Report:
    """What a recording came to."""

    frames: int = 0  # played
    unreadable: list[str] = field(default_factory=list)  # what was not as documented
    events: Counter[str] = field(default_factory=Counter)
    books: dict[str, BookReport] = field(default_factory=lambda: defaultdict(BookReport))
    unasked: list[str] = field(default_factory=list)  # REST questions without a recorded answer


def fitting(rows: Rows) -> list[VenueSpec]:
    """The venues of the fixtures that a recording is of: those whose hosts it names, and some of
    whose books it tells of."""
    hosts = {
        urlsplit(row.get("url") or row.get("addr") or "").hostname
        for row in rows
        if row["t"] in ("http", "connect")
    }
    known = [load(name).spec for name in names()]
    exact = [spec for spec in known if _hosts(spec) & hosts]
    near = [spec for spec in known if {*map(_domain, _hosts(spec))} & {*map(_domain, hosts)}]
    return [
        spec
        for spec in exact or near
        if any(channel is Channel.BOOK for channel, _, _ in Session(spec, rows).asks)
    ]


def _hosts(spec: VenueSpec) -> set[str | None]:
    return {urlsplit(url).hostname for url in spec.hosts.values()}


def _domain(host: str | None) -> str:
    return ".".join((host or "").split(".")[-2:])


def text_of(row: Mapping[str, Any]) -> bytes:
    """What a row holds."""
    data = row["data"]
    return data.encode() if isinstance(data, str) else wire.encode(data)


class Session:
    """A recording as one venue's: its instruments, what it tells of, its frames by stream."""

    def __init__(self, spec: VenueSpec, rows: Rows) -> None:
        self.spec = spec
        self.replies = [(str(row["url"]), text_of(row)) for row in rows if row["t"] == "http"]
        self._unread: dict[int, str] = {}  # rows that a stream could not read
        self.instruments = self._instruments()
        self._places = {
            str(row.get("conn", "")): urlsplit(str(row.get("addr", ""))).path
            for row in rows
            if row["t"] == "connect"
        }
        self._frames = [row for row in rows if row["t"] == "recv"]
        self._routed = {name: self._route(stream) for name, stream in spec.streams.items()}
        self.asks = list(self._asks())
        wanted = self._wanted()
        conns = {
            name: {
                str(row.get("conn", ""))
                for row, (topics, _) in zip(self._frames, routed, strict=True)
                if topics & wanted[name]
            }
            for name, routed in self._routed.items()
        }
        self.frames = {
            name: [
                text_of(row)
                for row, (topics, counts) in zip(self._frames, routed, strict=True)
                if (topics or counts) and str(row.get("conn", "")) in conns[name]
            ]
            for name, routed in self._routed.items()
        }
        played = set().union(*conns.values())
        self.unreadable = [
            f"{self._unread[id(row)]}: {text_of(row)[:200]!r}"
            for row in self._frames
            if id(row) in self._unread and str(row.get("conn", "")) in played
        ]

    def _route(self, stream: StreamSpec) -> list[tuple[frozenset[str], bool]]:
        """Of each frame its topics, and whether it counts in the venue's numbering. Where a
        connection was to the very path of the stream, those to others are another product's."""
        path = urlsplit(stream.path).path if isinstance(stream.path, str) else ""
        theirs = {conn for conn, place in self._places.items() if path and place == path}
        found = []
        for row in self._frames:
            try:
                ours = not theirs or str(row.get("conn", "")) in theirs
                items = list(stream.route(text_of(row))) if ours else []
            except wire.MALFORMED as error:
                items = []
                self._unread.setdefault(id(row), str(error)[:200])
            topics = frozenset(item[0] for item in items if isinstance(item, tuple))
            found.append((topics, any(isinstance(item, Numbered) for item in items)))
        return found

    def _instruments(self) -> dict[str, Instrument]:
        operation = self.spec.operations[commands.ListInstruments]
        scope = Scope(self.spec.id, "", dict[str, Instrument]().__getitem__)
        found: dict[str, Instrument] = {}
        ours = request.build(self.spec, operation, commands.ListInstruments(), None, Moment(0))
        asked = dict(parse_qsl(ours.query))
        same = [
            (url, body)
            for url, body in self.replies
            if urlsplit(url).path == ours.path
            and all(asked.get(k, v) == v for k, v in parse_qsl(urlsplit(url).query) if k in asked
                    and not v.isdecimal())
        ]  # fmt: skip
        for _, body in same or self.replies:
            try:
                if self.spec.failure(200, body) is None:
                    for one in read(operation, commands.ListInstruments(), scope, body):
                        found.setdefault(one.id, one)
            except (CambistError, *wire.MALFORMED):
                continue  # a reply to another question
        return found or {
            one.id: one for name in names() if load(name).spec is self.spec
            for one in load(name).instruments.values()
        }  # fmt: skip

    def _asks(self) -> Iterator[tuple[Channel, Instrument, int]]:
        """What to subscribe to: everything of which there is a frame."""
        told: set[str] = set()
        for routed in self._routed.values():
            told.update(*(topics for topics, _ in routed))
        for channel, spec in self.spec.channels.items():
            candles = channel is Channel.CANDLES
            for interval in sorted(spec.intervals or self.spec.intervals) if candles else [0]:
                for instrument in self.instruments.values():
                    if told & spec.topics(instrument, interval).keys():
                        yield channel, instrument, interval

    def _wanted(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {name: set() for name in self.spec.streams}
        for channel, instrument, interval in self.asks:
            spec = self.spec.channels[channel]
            found[spec.stream] |= spec.topics(instrument, interval).keys()
            for stream, topics in spec.beside.items():
                found[stream] |= topics(instrument, interval).keys()
        return found


class Replay:
    """See the module. `instruments` limits what is subscribed to."""

    def __init__(self, spec: VenueSpec, rows: Rows, only: Sequence[Channel] = ()) -> None:
        self.session = Session(spec, rows)
        self.report = Report(unreadable=list(self.session.unreadable))
        self.exchange = LocalExchange()
        self._asks = [ask for ask in self.session.asks if not only or ask[0] in only]
        self._confirmations = Confirmations()
        self._sockets: dict[Socket, str] = {}  # -> the stream that was subscribed to there
        self._read = 0
        self._streams: dict[bytes, str] = {}
        known = list(self.session.instruments.values())
        listing = replace(
            spec.operations[commands.ListInstruments],
            reply=msgspec.Raw,
            parse=lambda raw, command, scope: known,  # read already, by the venue's own parser
            more=None,
        )
        self.spec = replace(
            spec,
            operations={**spec.operations, commands.ListInstruments: listing},
            streams={name: self._watch(name, stream) for name, stream in spec.streams.items()},
            pools=[replace(pool, limit=pool.limit * 1000) for pool in spec.pools],
        )
        self._asked: dict[tuple[str, str, bytes], commands.Command[Any]] = {}
        self._build = request.build

    def _watch(self, name: str, stream: StreamSpec) -> StreamSpec:
        watched = self._confirmations.watch(stream)

        def subscribe(topics: Sequence[str], session: Any) -> Any:
            frames = watched.subscribe(topics, session)
            self._streams.update({frame.payload: name for frame in frames})
            return frames

        def route(payload: bytes) -> Any:
            self._read += not payload.startswith(b"\x00")
            return watched.route(payload)

        return replace(watched, subscribe=subscribe, route=route)

    async def __aenter__(self) -> Self:
        await self.exchange.__aenter__()
        self.exchange.on_frame = self._frame
        self.exchange.otherwise = self._answer
        request.build = self._noted
        hosts = local_hosts(self.spec.hosts.items(), self.exchange)
        self.market = ExchangeVenue(self.spec, SystemClock(), hosts)
        faulted = self.market.conditions.fault

        def fault(part: str, reason: str) -> None:
            self.report.unreadable.append(reason)
            faulted(part, reason)

        self.market.conditions.fault = fault  # type: ignore[method-assign]
        await self.market.start()
        await self.exchange.until(self.market.loaded.is_set, "the instruments")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        request.build = self._build
        await self.market.stop()
        await self.exchange.__aexit__(kind, error, trace)

    async def play(self) -> Report:
        """Subscribes, waits until books that begin by REST have what there is, and plays."""
        for channel, instrument, interval in self._asks:
            sink = self._sink(channel, instrument)
            await self.market.subscribe(channel, instrument, sink, interval)
        upstreams = list(self.market._upstreams.values())
        topics = {topic for upstream in upstreams for topic in upstream.topics}
        await self.exchange.until(lambda: len(self._there() & topics) == len(topics), "the topics")
        await self.exchange.until(self._begun, "the books by REST")
        due = self._read
        for socket, name in self._sockets.items():
            frames = self.session.frames[name]
            due += len(frames)
            self.report.frames += len(frames)
            await socket.blast(frames)
        await until(lambda: self._read >= due or not self.exchange.sockets, _BOUND)
        return self.report

    def _there(self) -> set[str]:
        connections = [c for group in self.market._topics._connections.values() for c in group]
        return {topic for one in connections if one.connection.live for topic in one._there}

    def _begun(self) -> bool:
        """Whether each book that begins by REST was asked for, and answered."""
        unanswered = [one for one in self.market._books() if one.sync.need.name == "SNAPSHOT"]
        return not unanswered or len(self.report.unasked) >= len(unanswered)

    def _sink(self, channel: Channel, instrument: Instrument) -> Any:
        def sink(event: MarketEvent) -> None:
            self.report.events[type(event).__name__] += 1
            if isinstance(event, BookSnapshot):
                book = self.report.books[instrument.id]
                book.states.append(event.state)
                book.reasons.append(event.reason)
            self.report.books[instrument.id].changes += isinstance(event, BookDelta)

        return sink

    # -- the venue's side --------------------------------------------------------------------------

    def _noted(self, spec: Any, operation: Any, command: Any, credentials: Any, moment: Any) -> Any:
        made = self._build(spec, operation, command, credentials, moment)
        if spec is self.spec:
            path = urlsplit(self.spec.hosts[made.host]).path + made.target
            self._asked[made.method, path, made.body] = command
        return made

    def _frame(self, socket: Socket, payload: bytes) -> None:
        confirmation = self._confirmations.answer(payload)
        if confirmation is not None:
            socket.send(confirmation)
        if payload in self._streams:
            self._sockets[socket] = self._streams[payload]

    def _answer(self, seen: Seen) -> Answer:
        command = self._asked[seen.method, seen.target, seen.body]
        made = templates(next(n for n in names() if load(n).spec.id == self.spec.id))
        if isinstance(command, commands.ServerTime):
            return Answer(made.time(self.market.clock.now()))
        found = self._recorded(command, seen)
        if found is not None:
            return Answer(found)
        if isinstance(command, commands.GetBook):
            self.report.unasked.append(f"{command.instrument.id}: no recorded book")
            return Answer(b"{}", 404)
        body = made.plain(command).decode()
        head, scheme, rest = body.partition("wss://")  # a token's reply says where to connect
        host = rest.partition('"')[0].partition("/")[0]
        return Answer((f"{head}{self.exchange.ws}{rest[len(host) :]}" if scheme else body).encode())

    def _recorded(self, command: commands.Command[Any], seen: Seen) -> bytes | None:
        """The recorded reply that fits best: the same place, then the same question elsewhere."""
        symbol = getattr(getattr(command, "instrument", None), "venue_symbol", "")
        operation = self.spec.operations[type(command)]
        ranked = []
        for url, body in self.session.replies:
            parts = urlsplit(url)
            asked = dict(parse_qsl(parts.query))
            if symbol and symbol not in (*asked.values(), *parts.path.split("/")):
                continue
            same = sum(asked.get(key) == value for key, value in seen.params.items())
            ranked.append((parts.path == seen.path, same, body))
        for _, _, body in sorted(ranked, key=lambda item: item[:2], reverse=True):
            try:
                if self.spec.failure(200, body) is None:
                    read(operation, command, self.market.scope(), body)
                    return body
            except (CambistError, *wire.MALFORMED):
                continue
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays a recording and prints what it came to; 1 when something was not right."""
    from tests.support import corpus

    parser = argparse.ArgumentParser(prog="python -m tests.support.replay", description=__doc__)
    parser.add_argument("file", type=Path, help="a recording: JSON lines, perhaps .zst")
    parser.add_argument("venue", nargs="*", help="only as these venues'; all that fit without")
    options = parser.parse_args(arguments)
    rows = corpus.rows(options.file)
    specs = [catalogue()[name] for name in options.venue] or fitting(rows)
    bad = not specs
    for spec in specs:
        report = asyncio.run(_played(spec, rows))
        broken = {name: one for name, one in report.books.items() if not one.continuous}
        print(f"{spec.id}: {report.frames} frames, {dict(report.events)}")
        for line in [*dict.fromkeys(report.unreadable), *report.unasked]:
            print(f"  {line}")
        for name, book in broken.items():
            states = [state.name for state in book.states]
            print(f"  {name}: {states}, {[reason for reason in book.reasons if reason]}")
        bad = bad or bool(report.unreadable or broken)
    return int(bad)


async def _played(spec: VenueSpec, rows: Rows) -> Report:
    async with Replay(spec, rows) as replay:
        return await replay.play()


if __name__ == "__main__":
    sys.exit(main())
