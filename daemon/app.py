"""The daemon: puts its parts together, runs until it is told to stop, and stops in order."""

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from cambist.v1 import (
    access_pb2,
    accounts_pb2,
    chains_pb2,
    events_pb2,
    liquidity_pb2,
    market_data_pb2,
    risk_pb2,
    sandbox_pb2,
    swaps_pb2,
    system_pb2,
    trading_pb2,
    venues_pb2,
    wallets_pb2,
)
from cex.paper.faults import Faults
from chains.wallets.catalogue import WalletInfo
from chains.wallets.kdf import LIGHT, STANDARD
from chains.wallets.secret import Secret
from chains.wallets.store import WalletStore
from core.clock import SECOND, SystemClock
from core.ports import Account, Venue
from daemon import version
from daemon.access.caller import OWNER
from daemon.access.certificates import Certificates
from daemon.access.guard import Guard
from daemon.access.resolvers import resolvers
from daemon.access.roles import write_files
from daemon.access.roots import Roots
from daemon.access.tokens import Keyring
from daemon.accounts.keys import AccountKeys
from daemon.accounts.locks import KeyLocks
from daemon.accounts.passphrase import find
from daemon.accounts.roster import Roster, paper_maker
from daemon.approvals import Approvals
from daemon.config import ConfigError, Settings, load
from daemon.config.model import home
from daemon.earlier import sent_before
from daemon.explained import explained
from daemon.journal import Journal, SqliteStore
from daemon.journal.heads import Heads
from daemon.journal.retention import forget_old
from daemon.lifecycle import Component, Lifecycle
from daemon.listeners import Listeners
from daemon.lock import DirectoryLock
from daemon.logging import configure
from daemon.observe.watching import Watched, watch
from daemon.parts import NO_PASSPHRASE, Parts
from daemon.registry import Registry
from daemon.risk.office import RiskOffice
from daemon.rpc.dispatcher import Dispatcher
from daemon.rpc.loop import run as run_loop
from daemon.rpc.method import permissions
from daemon.rpc.pace import Pace
from daemon.services.access import AccessService
from daemon.services.accounts import AccountService
from daemon.services.chains import ChainService
from daemon.services.events import EventService
from daemon.services.liquidity import LiquidityService
from daemon.services.market_data import MarketDataService
from daemon.services.risk import RiskService
from daemon.services.sandbox import SandboxService
from daemon.services.swaps import SwapService
from daemon.services.system import SystemService, limits
from daemon.services.trading import TradingService
from daemon.services.venues import VenueService
from daemon.services.wallets import WalletService
from daemon.streams.events import MAX_BEHIND, EventStream
from daemon.streams.hub import Hub
from daemon.tokens import Tokens
from daemon.trading import Desk
from daemon.wallets import Wallets

log = structlog.get_logger("cambistd")

LOCKS = "locks"  # folder in the home, for what one daemon of a user may have

CONTRACT: tuple[FileDescriptor, ...] = (
    access_pb2.DESCRIPTOR,
    accounts_pb2.DESCRIPTOR,
    chains_pb2.DESCRIPTOR,
    events_pb2.DESCRIPTOR,
    liquidity_pb2.DESCRIPTOR,
    market_data_pb2.DESCRIPTOR,
    risk_pb2.DESCRIPTOR,
    sandbox_pb2.DESCRIPTOR,
    swaps_pb2.DESCRIPTOR,
    system_pb2.DESCRIPTOR,
    trading_pb2.DESCRIPTOR,
    venues_pb2.DESCRIPTOR,
    wallets_pb2.DESCRIPTOR,
)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says; None leaves it to the configuration."""

    profile: str = "live"  # or "sandbox"
    config_path: Path | None = None
    data_dir: Path | None = None
    tcp: str | None = None
    seed: int | None = None
    log_level: str | None = None
    passphrase_fd: int | None = None


def run(options: RunOptions) -> None:
    """Runs the daemon until it is told to stop. Raises ConfigError when it cannot start."""
    settings = _settings(options)
    # Keys are in memory: what a crash leaves behind must not have them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(
        0o077
    )  # sockets and databases too are for the daemon's own user, from the first moment
    configure(settings.log.level, settings.log.format)
    data_dir = (options.data_dir or home() / options.profile).expanduser().absolute()
    with explained(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = DirectoryLock(data_dir / "lock")
    with lock:
        with explained(data_dir):
            passphrase = find(settings.wallets, options.passphrase_fd)
            daemon = Daemon(
                options.profile,
                settings,
                data_dir,
                _config_path(options),
                Secret.of_text(passphrase),
            )
        run_loop(daemon.run())


class Profile(Protocol):
    """What brings up venues, networks and accounts."""

    @property
    def faults(self) -> Faults | None:
        """The paper exchange's, where there is one."""
        ...

    def components(self) -> Iterable[Component]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Daemon:
    """One run of the daemon in one data directory, whose lock the caller holds."""

    def __init__(
        self,
        profile: str,
        settings: Settings,
        data_dir: Path,
        config_path: Path | None = None,
        passphrase: Secret = NO_PASSPHRASE,
    ) -> None:
        clock = SystemClock()
        self._profile = profile
        self._settings = settings
        self._data_dir = data_dir
        self._stop = asyncio.Event()
        self._closing: list[Callable[[], Awaitable[None]]] = []  # what only some daemons have
        self._lifecycle = Lifecycle(clock)
        self._heartbeat = settings.server.heartbeat_seconds * SECOND
        self._hub = Hub(self._heartbeat)
        self._registry = Registry()
        store = SqliteStore(data_dir / "journal.sqlite", settings.journal.synchronous)
        self._journal = Journal(store, clock)
        self._heads = Heads(data_dir / "journal.sqlite", self._journal, clock)
        self._events = EventStream(self._journal)
        self._desk = Desk(self._journal, self._registry, clock)
        self._risk = RiskOffice(
            settings.risk,
            data_dir / "risk.json",
            config_path,
            self._desk,
            self._registry,
            self._journal,
            clock,
        )
        self._tokens = Tokens(data_dir / "tokens.json")
        self._wallets = Wallets(
            WalletStore(data_dir / "wallets", clock, LIGHT if profile == "sandbox" else STANDARD),
            self._tokens.list,
            self._pool_account,
            self._desk.open,
            self._desk.close,
        )
        self._journal.transactions.account_of = self._wallets.name_of
        self._parts = Parts(
            settings=settings,
            data_dir=data_dir,
            lock_file=data_dir / "lock",
            clock=clock,
            registry=self._registry,
            journal=self._journal,
            desk=self._desk,
            wallets=self._wallets,
            tokens=self._tokens,
            passphrase=passphrase,
            key_locks=KeyLocks(home() / LOCKS),
        )
        self._roster = Roster(
            self._parts,
            AccountKeys(data_dir / "keys", self._wallets.store),
            paper_maker(self._parts),
        )
        self._bring_up = _profile(profile)(self._parts)
        plain = settings.server.security == "none" or (
            settings.server.security == "auto" and profile == "sandbox"
        )
        folder = data_dir / "access"
        self._keyring = Keyring(Roots(folder / "roots.json", clock))
        self._guard = Guard(
            self._keyring, clock, plain, self._registry.venues_of, self._registry.is_paper
        )
        self._listeners = Listeners(
            settings.server,
            data_dir,
            None if plain else Certificates(folder, settings.server.names, clock),
        )

    async def run(self) -> None:
        """Starts, serves, and stops when a signal or the Shutdown call says so."""
        loop = asyncio.get_running_loop()
        # A terminal that is closed (SIGHUP) is no reason to be torn off in the middle either.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        self._lifecycle.watch(self._components)
        self._lifecycle.watch(self._bring_up.components)
        with explained(self._data_dir):
            await self._journal.open()
        try:
            with explained(self._data_dir):
                await self._start()
            await self._stop.wait()
        finally:
            await self._shut_down()

    async def _start(self) -> None:
        await self._heads.begin()
        await self._desk.start()
        await self._risk.start()
        services = self._services()
        write_files(self._data_dir / "access", self._keyring.roots, permissions(CONTRACT).values())
        watched = Watched(
            journal=self._journal,
            events=self._events,
            hub=self._hub,
            registry=self._registry,
            wallets=self._wallets,
            desk=self._desk,
            risk=self._risk,
            lifecycle=self._lifecycle,
        )
        watching = await watch(self._settings.server, watched)
        self._closing += watching.closing
        await self._listeners.start(
            Dispatcher(
                self._lifecycle,
                self._guard,
                self._journal.intents.run,
                watching.metrics,
                watching.tracer,
                Pace(self._settings.server.calls_per_second),
                partial(sent_before, self._journal.transactions),
            ),
            services,
        )
        await self._bring_up.start()
        await self._roster.unlock()  # what needs no keys, and the rest if they are open already
        self._parts.spawn(self._lifecycle.run(), "lifecycle")
        self._parts.spawn(self._risk.run(), "risk")
        self._parts.spawn(self._heads.run(), "heads")
        if days := self._settings.journal.keep_days:
            self._parts.spawn(forget_old(self._journal, self._parts.clock, days), "retention")
        self._lifecycle.begin()
        self._listeners.ready()
        log.info(
            "ready",
            profile=self._profile,
            version=version.VERSION,
            listening=", ".join(self._listeners.addresses),
        )

    async def _shut_down(self) -> None:
        """Nothing new, then streams, calls, venues, and the journal last."""
        log.info("stopping")
        self._lifecycle.stop()
        self._events.close()
        steps: tuple[Callable[[], Awaitable[None]], ...] = (
            *self._closing,
            self._hub.close,
            self._listeners.stop,
            self._parts.stop,
            self._bring_up.stop,
            partial(asyncio.to_thread, self._keyring.roots.save),
            self._heads.note,
            self._journal.close,
        )
        for step in steps:
            try:
                await step()
            except Exception:  # whatever fails, the journal is closed
                log.exception("stopping failed", step=getattr(step, "__qualname__", str(step)))
        log.info("stopped")

    def _services(self) -> Mapping[ServiceDescriptor, object | None]:
        """Every service of the contract, with what serves it; None for what is not built."""
        registry, journal = self._registry, self._journal
        risk = RiskService(
            registry,
            self._risk,
            lambda root: root == OWNER or any(one.name == root for one in self._keyring.roots),
        )
        swaps = SwapService(
            registry, self._wallets, self._risk.desk, self._parts.clock, self._heartbeat
        )
        built = {
            "SystemService": SystemService(
                self._lifecycle,
                version.VERSION,
                self._profile,
                lambda: journal.daemon_id,
                lambda: journal.sequence,
                limits(MAX_BEHIND, self._heartbeat, journal.intents.kept_seconds),
                self._stop.set,
            ),
            "VenueService": VenueService(registry),
            "MarketDataService": MarketDataService(registry, self._hub),
            "TradingService": TradingService(registry, self._desk),
            "AccountService": AccountService(registry, self._wallets, self._desk, self._roster),
            "EventService": EventService(registry, journal, self._events, self._heartbeat),
            "ChainService": ChainService(
                registry, self._tokens, journal, self._wallets, self._risk.desk
            ),
            "WalletService": WalletService(
                registry,
                self._wallets,
                self._tokens,
                self._risk.desk,
                self._roster,
                Approvals(registry, self._tokens, journal),
            ),
            "SandboxService": SandboxService(registry, lambda: self._bring_up.faults),
            "SwapService": swaps,
            "LiquidityService": LiquidityService(registry, self._wallets, self._risk.desk),
            "RiskService": risk,
            "AccessService": AccessService(
                self._keyring, self._guard, permissions(CONTRACT), self._listeners.connect_string
            ),
        }
        self._guard.resolvers = resolvers(
            self._desk,
            swaps.venue_of,
            risk.of_lease,
            risk.of_halt,
            journal.transactions.get,
            self._wallets.name_of,
        )
        return {
            service: built.get(name)
            for file in CONTRACT
            for name, service in file.services_by_name.items()
        }

    def _components(self) -> Iterable[Component]:
        registry = self._registry
        yield Component("journal", "journal", self._journal.condition)
        yield Component("risk", "risk", self._risk.condition)
        for id_, venue in registry.venues.items():
            yield Component("venue", id_, venue.condition)
        for id_, network in registry.networks.items():
            yield Component("network", id_, network.condition)
        for (id_, where), account in registry.accounts.items():
            yield Component("account", f"{id_}@{where}", self._desk.condition(account))

    def _pool_account(self, wallet: WalletInfo, venue: Venue) -> Account:
        from dex.account import PoolAccount
        from dex.venue import PoolVenue

        assert isinstance(venue, PoolVenue)  # only venues with a network come here
        return PoolAccount(wallet.name, venue, wallet.address, self._journal.transactions)


def _profile(name: str) -> Callable[[Parts], Profile]:
    """Imported when it is chosen: the sandbox's parts cost memory that a live daemon saves."""
    if name == "sandbox":
        from daemon.profiles.sandbox import Sandbox

        return Sandbox
    if name == "live":
        from daemon.profiles.live import Live

        return Live
    raise ConfigError(f"no profile {name!r}: sandbox or live")


def _config_path(options: RunOptions) -> Path | None:
    """The file that is read: the one that was named, or the usual one of the live profile."""
    usual = home() / "cambist.toml"
    if options.config_path is None and options.profile == "live" and usual.exists():
        return usual
    return options.config_path


def _settings(options: RunOptions) -> Settings:
    settings = load(_config_path(options))
    changes: dict[str, object] = {}
    if options.tcp is not None:
        changes["server"] = settings.server.model_copy(update={"tcp": options.tcp})
    if options.seed is not None:
        changes["sandbox"] = settings.sandbox.model_copy(update={"seed": options.seed})
    if options.log_level is not None:
        changes["log"] = settings.log.model_copy(update={"level": options.log_level})
    return settings.model_copy(update=changes)
