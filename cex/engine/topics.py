"""Which topics are subscribed on which connection of a venue's public stream."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cex.engine.feeds import Upstream
from cex.engine.spec import MarketParser, Moment, Session, StreamSpec
from cex.engine.websocket import Connection, FrameRefused
from core.clock import Clock

Parsers = Mapping[str, MarketParser]  # by topic


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the streams need of their venue."""

    stream_token: Callable[[StreamSpec], Awaitable[str]]
    moment: Callable[[], Moment]
    stream_fine: Callable[["TopicConnection"], None]  # open, or no longer wanted
    stream_broken: Callable[["TopicConnection", str], None]
    fault: Callable[[str, BaseException], None]


class TopicConnection:
    """One connection and its topics; the owner of a cex.engine.websocket.Connection.

    Subscribing is asking for a topic to be there: a task brings the connection's topics in line,
    in batches, at the venue's pace.
    """

    def __init__(self, name: str, spec: StreamSpec, base: str, clock: Clock, hooks: Hooks) -> None:
        self.upstreams: dict[str, tuple[Upstream, MarketParser]] = {}
        self.connection = Connection(name, spec, base, self, clock)
        self._spec = spec
        self._hooks = hooks
        self._there: set[str] = set()  # topics that the venue was asked for
        self._renew: set[str] = set()  # of those, to be asked for anew
        self._refused: set[str] = set()  # not to be asked for again on this connection
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._id = 0

    @property
    def room(self) -> int:
        """How many more topics fit."""
        return self._spec.max_topics - len(self.upstreams)

    def takes(self, topics: Parsers) -> bool:
        """Whether topics fit here, none of them being another upstream's."""
        return self.room >= len(topics) and self.upstreams.keys().isdisjoint(topics)

    def add(self, upstream: Upstream, topics: Parsers) -> None:
        """Wants topics of an upstream."""
        for topic, parser in topics.items():
            self.upstreams[topic] = (upstream, parser)
        self._changed.set()
        self.connection.start()

    def remove(self, upstream: Upstream) -> None:
        """Wants them no more."""
        for topic in self._topics_of(upstream):
            del self.upstreams[topic]
        self._changed.set()

    def again(self, upstream: Upstream) -> None:
        """Wants a fresh subscription."""
        self._renew |= self._there & set(self._topics_of(upstream))
        self._changed.set()

    async def stop(self) -> None:
        """Disconnects."""
        await self.connection.stop()
        self._end_task()

    # -- cex.engine.websocket.Owner ----------------------------------------------------------------

    async def token(self) -> str:
        """A token where the venue's public stream needs one."""
        return await self._hooks.stream_token(self._spec)

    async def keep(self, token: str) -> None:
        """Public tokens are not prolonged."""

    def session(self, token: str) -> Session:
        """Numbers for a frame."""
        self._id += 1
        return Session(self._id, self._hooks.moment(), None, token)

    async def opened(self) -> None:
        """Subscribes to what is wanted; then keeps in line."""
        await self._align()
        self._hooks.stream_fine(self)
        self._task = asyncio.create_task(self._keep_aligned())

    def data(self, topic: str, payload: Any, received: int) -> None:
        """The hot path."""
        entry = self.upstreams.get(topic)
        if entry is not None:
            entry[0].data(entry[1], payload, received)

    def closed(self, reason: str, refused: FrameRefused | None) -> None:
        """All upstreams here are without data."""
        self._there.clear()
        self._renew.clear()
        self._refused.clear()
        self._end_task()
        self._hooks.stream_broken(self, reason)
        for upstream in self._distinct(self.upstreams):
            upstream.disconnected(reason)

    def fault(self, what: str, error: BaseException) -> None:
        """Passes it on."""
        self._hooks.fault(what, error)

    # ----------------------------------------------------------------------------------------------

    def _end_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep_aligned(self) -> None:
        try:
            while True:
                await self._changed.wait()
                await self._align()
        except (OSError, FrameRefused) as error:
            self.connection.restart(f"subscribing failed: {type(error).__name__} {error}")

    async def _align(self) -> None:
        """Asks for what is wanted and not there, gives up what is there and not wanted."""
        size = self._spec.topics_per_frame
        while True:
            self._changed.clear()
            gone = [t for t in self._there if t not in self.upstreams or t in self._renew][:size]
            wanted = [t for t in self.upstreams if t not in self._there | self._refused][:size]
            if gone:
                self._there -= set(gone)
                self._renew -= set(gone)
                await self.connection.request(self._spec.unsubscribe(gone, self.session("")))
            elif wanted:
                # Counted as there before the confirmation: data may come before it, and a topic
                # that leaves meanwhile is then unsubscribed.
                self._there |= set(wanted)
                for upstream in self._distinct(wanted):
                    upstream.subscribing()
                try:
                    await self.connection.request(self._spec.subscribe(wanted, self.session("")))
                except FrameRefused as error:
                    self._there -= set(wanted)
                    if len(wanted) > 1:
                        size = 1  # find out which one, so that the others are served
                        continue
                    self._refuse(wanted[0], error)
                    continue
                for upstream in self._distinct(wanted):
                    if self._there.issuperset(self._topics_of(upstream)):
                        upstream.subscribed()
            else:
                return

    def _refuse(self, topic: str, error: FrameRefused) -> None:
        self._refused.add(topic)
        self.fault(f"subscription to {topic}", error)
        entry = self.upstreams.get(topic)
        if entry is not None:
            entry[0].disconnected(f"the venue refused the subscription: {error}")

    def _topics_of(self, upstream: Upstream) -> list[str]:
        return [topic for topic, (owner, _) in self.upstreams.items() if owner is upstream]

    def _distinct(self, topics: Iterable[str]) -> list[Upstream]:
        found: dict[int, Upstream] = {}
        for topic in topics:
            entry = self.upstreams.get(topic)
            if entry is not None:
                found[id(entry[0])] = entry[0]
        return list(found.values())


class Topics:
    """All public connections of a venue."""

    def __init__(
        self,
        venue_id: str,
        streams: Mapping[str, StreamSpec],
        hosts: Mapping[str, str],
        clock: Clock,
        hooks: Hooks,
    ) -> None:
        self._venue_id = venue_id
        self._streams = streams
        self._hosts = hosts
        self._clock = clock
        self._hooks = hooks
        self._connections: dict[str, list[TopicConnection]] = {}
        self._homes: dict[int, list[TopicConnection]] = {}
        self._made = 0

    def add(self, upstream: Upstream) -> None:
        """Subscribes on connections with room, or on new ones. Where two instruments are of one
        topic, each gets a connection of its own: a topic has one reader there."""
        homes = self._homes[id(upstream)] = []
        for stream, topics in upstream.parts.items():
            connections = self._connections.setdefault(stream, [])
            home = next((c for c in connections if c.takes(topics)), None)
            if home is None:
                spec = self._streams[stream]
                self._made += 1
                name = f"{self._venue_id} {stream} {self._made}"
                host = self._hosts[spec.host]
                home = TopicConnection(name, spec, host, self._clock, self._hooks)
                connections.append(home)
            homes.append(home)
            home.add(upstream, topics)

    async def remove(self, upstream: Upstream) -> None:
        """Unsubscribes; a connection without topics is closed."""
        for home in self._homes.pop(id(upstream), []):
            home.remove(upstream)
            if not home.upstreams:
                for connections in self._connections.values():
                    if home in connections:
                        connections.remove(home)
                await home.stop()
                self._hooks.stream_fine(home)

    def again(self, upstream: Upstream) -> None:
        """Asks the venue for the upstream's topics anew."""
        for home in self._homes[id(upstream)]:
            home.again(upstream)

    async def stop(self) -> None:
        """Closes all connections."""
        connections = [c for group in self._connections.values() for c in group]
        self._connections.clear()
        self._homes.clear()
        for connection in connections:
            await connection.stop()
