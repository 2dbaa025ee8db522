"""Metrics for Prometheus. What a part knows already is read when somebody asks; only calls are
counted as they happen.

The library is a process-wide registry by default; here each daemon has one of its own.
https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from core.clock import SECOND, Clock
from core.ports import Health, Metered
from daemon.journal import Journal
from daemon.lifecycle import Component, State
from daemon.registry import Registry
from daemon.trading import Desk

# Microseconds; a call of the daemon's own takes tenths of a millisecond, a venue's up to seconds.
_BUCKETS = (
    200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 10**6, 10**7,
)  # fmt: skip
_HEALTH = {Health.READY: 3, Health.DEGRADED: 2, Health.STARTING: 1, Health.DOWN: 0}


class Metrics:
    """`registry` is what is scraped."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._took = Histogram(
            "cambist_rpc_seconds",
            "How long calls took, by method.",
            ("method",),
            buckets=[bound / 10**6 for bound in _BUCKETS],
            registry=self.registry,
        )
        self._failed = Counter(
            "cambist_rpc_errors",
            "Calls that ended with an error, by method and reason.",
            ("method", "reason"),
            registry=self.registry,
        )
        self._streams: dict[str, int] = {}
        self._methods: dict[str, Any] = {}

    def answered(self, method: str, nanoseconds: int) -> None:
        """A call was answered."""
        child = self._methods.get(method)
        if child is None:
            child = self._methods[method] = self._took.labels(method)
        child.observe(nanoseconds / SECOND)  # float: the library's unit

    def failed(self, method: str, reason: str) -> None:
        """A call was refused or failed."""
        self._failed.labels(method, reason).inc()

    def opened(self, method: str) -> None:
        """A stream began."""
        self._streams[method] = self._streams.get(method, 0) + 1

    def closed(self, method: str) -> None:
        """A stream ended."""
        self._streams[method] -= 1

    @property
    def streams(self) -> dict[str, int]:
        """Those that are open, by method."""
        return self._streams


class DaemonCollector:
    """Reads the daemon's parts when it is asked; on the event loop's thread only."""

    def __init__(
        self,
        metrics: Metrics,
        journal: Journal,
        registry: Registry,
        desk: Desk,
        state: Callable[[], State],
        components: Callable[[], Iterable[Component]],
        clock: Clock,
    ) -> None:
        self._metrics = metrics
        self._journal = journal
        self._registry = registry
        self._desk = desk
        self._state = state
        self._components = components
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """All metrics that are not counted."""
        yield from self._daemon()
        yield from self._venues()
        yield from self._exposure()

    def _daemon(self) -> Iterator[Metric]:
        state = GaugeMetricFamily("cambist_state", "1 for the daemon's state.", labels=["state"])
        for one in State:
            state.add_metric([one.name], one is self._state())
        yield state
        up = GaugeMetricFamily(
            "cambist_component_health",
            "3 ready, 2 degraded, 1 starting, 0 down.",
            labels=["kind", "id"],
        )
        for part in self._components():
            up.add_metric([part.kind, part.id], _HEALTH[part.condition.health])
        yield up
        yield GaugeMetricFamily(
            "cambist_journal_waiting", "Appends that wait for the disk.", self._journal.waiting
        )
        yield GaugeMetricFamily(
            "cambist_journal_sequence", "The newest event.", self._journal.sequence
        )
        streams = GaugeMetricFamily("cambist_streams", "Open streams.", labels=["method"])
        for method, count in self._metrics.streams.items():
            streams.add_metric([method], count)
        yield streams

    def _venues(self) -> Iterator[Metric]:
        used = GaugeMetricFamily(
            "cambist_rate_limit_used",
            "Share of a budget that a venue meters, 1 is all of it.",
            labels=["venue", "scope", "name"],
        )
        blocked = GaugeMetricFamily(
            "cambist_rate_limit_blocked_seconds",
            "For how long the venue is left alone.",
            labels=["venue", "scope", "name"],
        )
        offset = GaugeMetricFamily(
            "cambist_clock_offset_seconds",
            "A venue's clock less ours.",
            labels=["venue", "by"],
        )
        now = self._clock.now()
        for id, venue in self._registry.venues.items():
            if not isinstance(venue, Metered):
                continue
            for limit in venue.rate_limits():
                labels = [id, limit.scope, limit.name]
                used.add_metric(labels, limit.used / limit.limit if limit.limit else 0)
                left = max(limit.blocked_until - now, 0)
                blocked.add_metric(labels, left / SECOND)  # float: the library's unit
            for by, measured in (
                ("rest", venue.clock_offset),
                ("stream", venue.stream_clock_offset),
            ):
                if measured is not None:
                    offset.add_metric([id, by], measured / SECOND)  # float: the library's unit
        yield from (used, blocked, offset)

    def _exposure(self) -> Iterator[Metric]:
        count = GaugeMetricFamily(
            "cambist_open_orders", "Orders that are not final.", labels=["account", "venue"]
        )
        doubt = GaugeMetricFamily(
            "cambist_unconfirmed_orders",
            "Orders whose outcome is not known.",
            labels=["account", "venue"],
        )
        held = GaugeMetricFamily(
            "cambist_position",
            "Net position in base units; rounded, for graphs only.",
            labels=["account", "venue", "instrument"],
        )
        for station in self._desk.office.stations():
            labels = [station.account.id, station.seat.venue]
            orders = [tracked.order for tracked in station.ledger.open_orders()]
            count.add_metric(labels, len(orders))
            doubt.add_metric(labels, sum(one.status.name == "UNCONFIRMED" for one in orders))
        for position in self._desk.office.holdings.positions():
            labels = [position.account, position.venue, position.instrument]
            held.add_metric(labels, float(position.quantity))  # float: a graph's number
        yield from (count, doubt, held)
