"""Metrics of calls for Prometheus, counted as they happen; `collector` reads all else.

The library is a process-wide registry by default; here each daemon has one of its own.
https://prometheus.io/docs/practices/naming/
"""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from core.clock import SECOND

# Microseconds; a call of the daemon's own takes tenths of a millisecond, a venue's up to seconds.
_BUCKETS = (
    200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 10**6, 10**7,
)  # fmt: skip


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
