"""What Prometheus is told of the daemon's parts: read from them when somebody asks.

https://prometheus.io/docs/practices/naming/
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily, Metric

from core.clock import SECOND, Clock
from core.money import ZERO
from core.orders import Side
from core.ports import Health, Metered
from daemon.lifecycle import State
from daemon.observe.watching import Watched

if TYPE_CHECKING:
    from daemon.observe.metrics import Metrics

_HEALTH = {Health.READY: 3, Health.DEGRADED: 2, Health.STARTING: 1, Health.DOWN: 0}
Labels = tuple[str, ...]


class DaemonCollector:
    """On the event loop's thread only."""

    def __init__(self, metrics: "Metrics", watched: Watched, clock: Clock) -> None:
        self._metrics = metrics
        self._watched = watched
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """All metrics that are not counted."""
        yield from self._parts()
        yield from self._queues()
        yield from self._venues()
        yield from self._exposure()
        yield from self._risk()

    def _parts(self) -> Iterator[Metric]:
        state, now = (
            self._watched.lifecycle.status().state,
            self._watched.lifecycle.status().components,
        )
        yield _family(
            "state", "1 for the daemon's state.", {(one.name,): one is state for one in State},
            "state",
        )  # fmt: skip
        health = {(one.kind, one.id): _HEALTH[one.condition.health] for one in now}
        words = "3 ready, 2 degraded, 1 starting, 0 down."
        yield _family("component_health", words, health, "kind", "id")

    def _queues(self) -> Iterator[Metric]:
        journal, behind = self._watched.journal, self._watched.events.behind
        yield _one("journal_waiting", "Appends that wait for the disk.", journal.waiting)
        yield _one("journal_sequence", "The newest event.", journal.sequence)
        words = "For how long the oldest append has waited for the disk."
        yield _one("journal_lag_seconds", words, journal.lag / SECOND)  # float: the library's unit
        words = "What the last transaction of the journal took."
        seconds = journal.write_time / SECOND  # float: the library's unit
        yield _one("journal_write_seconds", words, seconds)
        streams = {(method,): count for method, count in self._metrics.streams.items()}
        yield _family("streams", "Open streams.", streams, "method")
        words = "Events that the slowest reader of the log has still to read."
        yield _one("event_readers_behind", words, max(behind, default=0))
        words = "Readers of market data."
        readers = self._watched.hub.readers
        yield _family("market_data_readers", words, readers, "venue", "channel")
        pending = {
            (id,): count
            for id, count in self._watched.wallets.pending(self._watched.registry).items()
        }
        words = "Transactions of ours that are not final."
        yield _family("transactions_pending", words, pending, "network")

    def _venues(self) -> Iterator[Metric]:
        used: dict[Labels, float] = {}  # float: shares and seconds, for the library
        blocked: dict[Labels, float] = {}  # float: as above
        offset: dict[Labels, float] = {}  # float: as above
        waiting: dict[Labels, int] = {}
        now = self._clock.now()
        for id, venue in self._watched.registry.venues.items():
            if not isinstance(venue, Metered):
                continue
            waiting[(id,)] = venue.waiting_requests
            for limit in venue.rate_limits():
                labels = id, limit.scope, limit.name
                used[labels] = limit.used / limit.limit if limit.limit else 0
                blocked[labels] = max(limit.blocked_until - now, 0) / SECOND
            for by, told in (("rest", venue.clock_offset), ("stream", venue.stream_clock_offset)):
                if told is not None:
                    offset[id, by] = told / SECOND
        scope = "venue", "scope", "name"
        yield _family("rate_limit_used", "Share of a venue's budget, 1 is all.", used, *scope)
        words = "For how long the venue is left alone."
        yield _family("rate_limit_blocked_seconds", words, blocked, *scope)
        words = "Requests that wait until a budget has room."
        yield _family("rate_limit_waiting", words, waiting, "venue")
        words = "A venue's clock less ours."
        yield _family("clock_offset_seconds", words, offset, "venue", "by")

    def _exposure(self) -> Iterator[Metric]:
        count: dict[Labels, int] = {}
        doubt: dict[Labels, int] = {}
        open_: dict[Labels, Decimal] = defaultdict(lambda: ZERO)
        for station in self._watched.desk.office.stations():
            place = station.account.id, station.seat.venue
            orders = [tracked.order for tracked in station.ledger.open_orders()]
            count[place] = len(orders)
            doubt[place] = sum(one.status.name == "UNCONFIRMED" for one in orders)
            for order in orders:
                side = "buy" if order.request.side is Side.BUY else "sell"
                left = order.request.quantity - order.filled_quantity
                open_[(*place, order.request.instrument, side)] += left
        place_names = "account", "venue"
        yield _family("open_orders", "Orders that are not final.", count, *place_names)
        words = "Orders whose outcome is not known."
        yield _family("unconfirmed_orders", words, doubt, *place_names)
        where = (*place_names, "instrument")
        words = "What open orders have left to trade, in base units."
        yield _family("open_quantity", words, open_, *where, "side")
        held: dict[Labels, Decimal] = defaultdict(lambda: ZERO)
        worth: dict[Labels, Decimal] = defaultdict(lambda: ZERO)
        profit: dict[Labels, Decimal] = defaultdict(lambda: ZERO)
        for one in self._watched.desk.office.holdings.positions():
            at = one.account, one.venue, one.instrument
            held[at] += one.quantity
            worth[at] += one.quantity * (one.mark_price or one.entry_price)
            profit[at] += one.unrealized_pnl or ZERO
        yield _family("position", "Net position in base units.", held, *where)
        words = "Net position in quote, at the mark price where it is known."
        yield _family("position_notional", words, worth, *where)
        yield _family("unrealized_profit", "As the venue tells it.", profit, *where)
        balances = {
            (one.account, one.venue, one.asset): one.total
            for one in self._watched.desk.office.holdings.balances()
        }
        yield _family("balance", "What accounts hold.", balances, *place_names, "asset")

    def _risk(self) -> Iterator[Metric]:
        risk = self._watched.risk
        yield _one("halts", "Halts in force.", len(list(risk.halts)))
        yield _one("leases", "Leases that are open.", len(list(risk.leases)))
        names = "rule", "venue", "account", "instrument", "token_root", "asset"
        limits: dict[Labels, Decimal] = {}
        used: dict[Labels, Decimal] = {}
        for one in risk.limits:
            scope = one.scope
            labels = (
                one.rule, scope.venue, scope.account, scope.instrument, scope.token_root, one.asset,
            )  # fmt: skip
            limits[labels] = one.bound
            if told := risk.used(one):
                used[labels] = Decimal(told)
        yield _family("risk_limit", "The most that is allowed.", limits, *names)
        yield _family("risk_limit_used", "How much of it is, where it is known.", used, *names)


Number = Decimal | int | float  # float: a graph's numbers


def _family(name: str, words: str, values: Mapping[Any, Number], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"cambist_{name}", words, labels=labels)
    for label, value in values.items():
        family.add_metric(label, float(value))  # float: a graph's number
    return family


def _one(name: str, words: str, value: Number) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"cambist_{name}", words, value=float(value))  # float: as above
