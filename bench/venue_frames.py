"""Book frames of every exchange, as the venue sends them: recorded where a recording is beside the
repository, else made of the venue's fixtures. A new venue joins by its fixture folder alone."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cex.engine import commands
from cex.engine.book_sync import BookSync
from cex.engine.caller import read
from cex.engine.spec import MarketParser, Scope, Start, VenueSpec
from core.instruments import Instrument
from core.market import BookState
from core.ports import Channel
from tests.support import corpus, replay
from tests.support.cex_fixtures import Venue, load, names
from tests.support.running_book import RunningBook

_MADE = 600


@dataclass(frozen=True)
class BookFrames:
    """A book's frames: `opening` begin it on the stream, `snapshot` by REST (empty where not)."""

    venue: Venue
    instrument: Instrument
    source: str
    snapshot: bytes
    opening: Sequence[bytes]
    changes: Sequence[bytes]

    @property
    def spec(self) -> VenueSpec:
        """The venue's."""
        return self.venue.spec

    def parser(self) -> tuple[str, MarketParser]:
        """The topic that carries the changes, and its parser."""
        parsers = self.spec.channels[Channel.BOOK].topics(self.instrument, 0)
        counts: Counter[str] = Counter()
        for frame in self.changes[:50]:
            items = self.spec.streams[self.spec.channels[Channel.BOOK].stream].route(frame)
            counts.update(i[0] for i in items if isinstance(i, tuple) and i[0] in parsers)
        topic = counts.most_common(1)[0][0]
        return topic, parsers[topic]

    def begun(self) -> BookSync:
        """A book that is live and waits for the first change."""
        channel = self.spec.channels[Channel.BOOK]
        assert channel.book is not None
        sync = BookSync(self.instrument.id, channel.book.of(self.instrument))
        sync.subscribing()
        sync.subscribed()
        parsers = channel.topics(self.instrument, 0)
        for frame in self.opening:
            for item in self.spec.streams[channel.stream].route(frame):
                if isinstance(item, tuple) and item[0] in parsers:
                    for message in parsers[item[0]](item[1], self.instrument, 1):
                        sync.message(message, 1)  # type: ignore[arg-type]
        if self.snapshot:
            command = commands.GetBook(self.instrument, 1000)
            operation = self.spec.operations[commands.GetBook]
            scope = Scope(self.spec.id, "", lambda symbol: self.instrument)
            sync.answer(read(operation, command, scope, self.snapshot), 1)
        if sync.state is not BookState.LIVE and channel.book.start is not Start.WHOLE:
            raise ValueError(f"{self.venue.id}: the book does not begin: {sync.reason}")
        return sync


def found() -> list[BookFrames]:
    """All venues of the fixtures."""
    recorded = {
        frames.venue.id: frames for name in corpus.recordings() for frames in _recorded(name)
    }
    return [recorded.get(name) or made(load(name)) for name in names()]


def made(venue: Venue, count: int = _MADE) -> BookFrames:
    """A running book in the venue's form."""
    book = RunningBook(venue)
    clock = iter(range(1_711_111_111_000, 2**62))
    book.now = lambda: next(clock) * 1_000_000
    opening = book.opening()
    snapshot = book.snapshot() if book.start is Start.REST else b""
    changes = [book.change() for _ in range(count)]
    return BookFrames(venue, book.instrument, "made frames", snapshot, opening, changes)


def _recorded(name: str) -> list[BookFrames]:
    rows = corpus.recording(name)
    by_id = {load(one).spec.id: load(one) for one in names()}
    return [_busiest(by_id[spec.id], replay.Session(spec, rows)) for spec in replay.fitting(rows)]


def _busiest(venue: Venue, session: replay.Session) -> BookFrames:
    """The frames of the book of which the recording has most."""
    channel = venue.spec.channels[Channel.BOOK]
    assert channel.book is not None
    books = {
        topic: instrument
        for kind, instrument, _ in session.asks
        if kind is Channel.BOOK
        for topic in channel.topics(instrument, 0)
    }
    told: dict[str, list[bytes]] = {topic: [] for topic in books}
    route = venue.spec.streams[channel.stream].route
    for frame in session.frames[channel.stream]:
        for item in route(frame):
            if isinstance(item, tuple) and item[0] in told:
                told[item[0]].append(frame)
    topic = max(told, key=lambda one: len(told[one]))
    instrument, frames = books[topic], told[topic]
    parse = channel.topics(instrument, 0)[topic]
    snapshot = b""
    if channel.book.start is Start.REST:
        snapshot = _reply(venue, session, instrument)
    first = 0
    if channel.book.start is Start.STREAM:
        first = (
            next(n for n, f in enumerate(frames) if _whole(route, parse, topic, instrument, f)) + 1
        )
    return BookFrames(venue, instrument, "recorded", snapshot, frames[:first], frames[first:])


def _whole(route: Any, parse: MarketParser, topic: str, instrument: Instrument, f: bytes) -> bool:
    return any(
        getattr(message, "whole", False)
        for item in route(f)
        if isinstance(item, tuple) and item[0] == topic
        for message in parse(item[1], instrument, 1)
    )


def _reply(venue: Venue, session: replay.Session, instrument: Instrument) -> bytes:
    operation = venue.spec.operations[commands.GetBook]
    command = commands.GetBook(instrument, 1000)
    scope = Scope(venue.spec.id, "", lambda symbol: instrument)
    for url, body in session.replies:
        if instrument.venue_symbol in url:
            read(operation, command, scope, body)
            return body
    raise ValueError(f"{venue.id}: no recorded book of {instrument.id}")


def plain(frame: bytes) -> Any:
    """A frame as a client without our envelope's stream name would get it."""
    message = json.loads(frame)
    if isinstance(message, dict) and message.keys() == {"stream", "data"}:
        return message["data"]
    return message
