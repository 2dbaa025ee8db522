"""The risk desk put together with what it keeps on disk, what it may cancel, and its configuration,
which is read again whenever the file changes."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from core.clock import Clock
from core.errors import CambistError, Reason
from core.orders import Fill
from core.ports import Account, Condition, Health, VenueKind
from daemon.config import ConfigError, load
from daemon.config.model import RiskSettings
from daemon.journal.journal import Journal
from daemon.journal.store import Filter
from daemon.journal.values import unpack
from daemon.registry import Registry
from daemon.risk.day import DAY, quote_of
from daemon.risk.desk import RiskDesk
from daemon.risk.halts import Halts
from daemon.risk.leases import Leases
from daemon.risk.limits import Limit, Limits
from daemon.risk.prices import Prices
from daemon.risk.scope import Scope
from daemon.risk.state import StateFile
from daemon.trading import Desk
from daemon.trading.exposure import DeskExposure
from daemon.trading.state import OrderState, Tracked

LOOK_SECONDS = 1.0  # float: between looks at the configuration file
_SWEEPS = 3
_PAGE = 1000
_SHOWN = 5  # halts that the daemon's health names
log = structlog.get_logger("risk")


class RiskOffice:
    """`config_path` is None where there is no file to read again."""

    def __init__(
        self,
        settings: RiskSettings,
        path: Path,
        config_path: Path | None,
        desk: Desk,
        registry: Registry,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._file = StateFile(path)
        self._state = self._file.read()
        self._config_path = config_path
        self._registry = registry
        self._journal = journal
        self._clock = clock
        self._desk = desk
        self._changes = 0
        self._condition = Condition(Health.READY, "", clock.now())
        self.limits = Limits(map(Limit.of, settings.limits), self._state.tightened)
        self.halts = Halts(self._state.halts, clock, self.keep, self._name)
        self.desk = RiskDesk(
            self.limits,
            self.halts,
            Prices(registry.venues, clock),
            registry,
            DeskExposure(desk.office),
            clock,
            settings.self_trade == "refuse",
        )
        self.leases = Leases(
            self._state.leases, clock, self.keep, self._name, self._accounts, self.cancel_account
        )
        self.desk.keep = self.keep
        desk.office.risk = self.desk

    @property
    def condition(self) -> Condition:
        """DEGRADED while the configuration cannot be read, or a halt is in force."""
        if halts := list(self.halts):
            shown = [f"{one.scope} ({one.id})" for one in halts[:_SHOWN]]
            more = f" and {len(halts) - _SHOWN} more" if len(halts) > _SHOWN else ""
            words = [f"halted: {', '.join(shown)}{more}", self._condition.reason]
            return Condition(Health.DEGRADED, "; ".join(filter(None, words)), halts[0].time)
        return self._condition

    async def start(self) -> None:
        """Reads what was ordered and traded today. Call when the journal is open."""
        self._journal.on_recovery(self._keep_later)
        midnight = self._clock.now() // DAY * DAY
        day, after = self.desk.day, None
        day.restore(self._clock.now(), self._state.swapped)
        while True:
            orders = await self._journal.read(
                lambda store, after=after: store.orders(Filter(), after, _PAGE)  # type: ignore[misc]
            )
            for row in orders:
                if row.create_time >= midnight:
                    self._ordered(unpack(row.data, OrderState))
            if len(orders) < _PAGE or orders[-1].create_time < midnight:
                break
            last = orders[-1]
            after = last.create_time, last.account, last.venue, last.client_order_id
        after = None
        while True:
            fills = await self._journal.read(
                lambda store, after=after: store.fills(Filter(), after, _PAGE)  # type: ignore[misc]
            )
            for one in fills:
                if one.event_time >= midnight:
                    fill = unpack(one.data, Fill)
                    day.filled(self._clock.now(), fill, quote_of(fill.instrument))
            if len(fills) < _PAGE or fills[-1].event_time < midnight:
                break
            end = fills[-1]
            after = end.event_time, end.account, end.venue, end.trade_id

    async def run(self) -> None:
        """Leases, and the configuration, until cancelled."""
        await asyncio.gather(self.leases.run(), self._watch())

    async def cancel(self, scope: Scope) -> None:
        """Cancels the orders of a scope that are open now; one that is just being sent is tried
        again. Raises what stands in the way of the last try."""
        left = [tracked for tracked in self._open(scope) if not tracked.order.is_final]
        failures: list[CambistError] = []
        for _ in range(_SWEEPS):
            failures = []
            for tracked in left:
                self._changes += 1
                id = f"risk-{self._clock.now()}-{self._changes}"
                try:
                    await self._desk.cancel(id, tracked.order.request.account, tracked.id)
                except CambistError as error:
                    if error.reason is not Reason.ORDER_FINAL:
                        failures.append(error)
            left = [tracked for tracked in left if not tracked.order.is_final]
            if not left:
                return
            await asyncio.sleep(0.2)
        if failures:
            raise failures[0]

    def _open(self, scope: Scope) -> Iterator[Tracked]:
        for station in self._desk.office.stations():
            if station.account.venue.info.kind is VenueKind.POOL:
                continue  # a transaction that is out cannot be taken back
            for tracked in station.ledger.open_orders():
                request, root = tracked.order.request, tracked.state.root
                if scope.covers(request.venue, request.account, request.instrument, root):
                    yield tracked

    async def cancel_account(self, account: str) -> None:
        """All of an account."""
        await self.cancel(Scope(account=account))

    def keep(self) -> None:
        """Writes down what must survive. Raises Refused."""
        state = self._state
        state.halts = list(self.halts)
        state.tightened = self.limits.tightened
        state.leases = list(self.leases)
        state.swapped = self.desk.day.swaps
        self._file.write(state)

    def _keep_later(self) -> None:
        """The disk takes something again: a halt may have come while it did not."""
        with contextlib.suppress(CambistError):
            self.keep()

    def used(self, limit: Limit) -> str:
        """How far a limit is used now; "" where that depends on the order."""
        now = self._clock.now()
        if limit.rule == "open_orders":
            exposure = DeskExposure(self._desk.office)
            return str(
                sum(
                    limit.scope.covers(
                        one.request.venue,
                        one.request.account,
                        one.request.instrument,
                        exposure.root_of(one),
                    )
                    for one in exposure.open_orders()
                )
            )
        if limit.rule == "order_rate":
            return str(self.desk.day.rate(now, limit.scope))
        return ""

    def _name(self, kind: str) -> str:
        id = f"{kind}-{self._state.next_id}"
        self._state.next_id += 1
        return id

    def _accounts(self, id: str) -> Iterable[Account]:
        return [one for (name, _), one in self._registry.accounts.items() if name == id]

    def _ordered(self, state: OrderState) -> None:
        request = state.order.request
        price = request.price or request.trigger_price
        if price is None and state.order.filled_quantity:
            price = state.order.filled_notional / state.order.filled_quantity
        self.desk.day.ordered(
            self._clock.now(),
            (request.venue, request.account, request.instrument),
            state.root,
            quote_of(request.instrument),
            None if price is None else request.quantity * price,
            sent=state.order.create_time,
        )

    async def _watch(self) -> None:
        path = self._config_path
        if path is None:
            return
        seen = _stamp(path)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = _stamp(path)
            if now == seen:
                continue
            seen = now
            try:
                settings = (await asyncio.to_thread(load, path)).risk
            except ConfigError as error:
                words = f"the limits before are in force: {error}"
                log.warning("configuration not read", why=words)
                self._condition = Condition(Health.DEGRADED, words[:500], self._clock.now())
                continue
            self.limits.load(map(Limit.of, settings.limits))
            self.desk.refuse_self_trade = settings.self_trade == "refuse"
            self._condition = Condition(Health.READY, "", self._clock.now())
            log.info("limits read", count=len(settings.limits))
            self._keep_later()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
