"""Metrics and traces, where the configuration wants them; their libraries cost memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from core.clock import SystemClock
from daemon.config.model import ServerSettings
from daemon.journal import Journal
from daemon.lifecycle import Lifecycle
from daemon.observe.traces import Tracer
from daemon.registry import Registry
from daemon.risk.office import RiskOffice
from daemon.rpc.dispatcher import Counts
from daemon.streams.events import EventStream
from daemon.streams.hub import Hub
from daemon.trading import Desk
from daemon.wallets import Wallets

log = structlog.get_logger("observe")


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts that metrics are read from."""

    journal: Journal
    events: EventStream
    hub: Hub
    registry: Registry
    wallets: Wallets
    desk: Desk
    risk: RiskOffice
    lifecycle: Lifecycle


@dataclass(slots=True)
class Watching:
    """Who is told of calls; None for nobody. `closing` ends it."""

    metrics: Counts | None = None
    tracer: Tracer | None = None
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


async def watch(settings: ServerSettings, watched: Watched) -> Watching:
    """Begins what is switched on."""
    watching = Watching()
    if settings.metrics != "off":
        from daemon.observe.collector import DaemonCollector
        from daemon.observe.endpoint import MetricsEndpoint
        from daemon.observe.metrics import Metrics

        watching.metrics = metrics = Metrics()
        metrics.registry.register(DaemonCollector(metrics, watched, SystemClock()))
        endpoint = MetricsEndpoint(settings.metrics, metrics.registry)
        await endpoint.start()
        watching.closing.append(endpoint.stop)
        log.info("metrics", url=endpoint.url)
    if settings.traces:
        from daemon.observe.traces import OpenTelemetry

        watching.tracer = traces = OpenTelemetry(settings.traces)
        watching.closing.append(lambda: asyncio.to_thread(traces.close))
    return watching
