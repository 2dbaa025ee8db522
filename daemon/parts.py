"""The daemon's parts, and how venues, networks and accounts are added to them while it runs."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from chains.wallets.secret import Secret
from core.clock import Clock
from core.ports import Account, Network, Venue
from core.tokens import Token
from daemon.accounts.locks import KeyLocks
from daemon.config import Settings
from daemon.journal import Journal
from daemon.registry import Registry
from daemon.tokens import Tokens
from daemon.trading import Desk
from daemon.wallets import Wallets

NO_PASSPHRASE = Secret(b"")
log = structlog.get_logger("parts")


@dataclass(slots=True)
class Parts:
    """What a profile needs to bring up venues, networks and accounts."""

    settings: Settings
    data_dir: Path
    lock_file: Path
    clock: Clock
    registry: Registry
    journal: Journal
    desk: Desk
    wallets: Wallets
    tokens: Tokens
    passphrase: Secret  # of the store, empty where none was given at the start
    key_locks: KeyLocks
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Runs work in the background; its failure is logged, never lost."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    async def add_venue(self, venue: Venue) -> None:
        """Makes a venue known and starts it; it connects in the background."""
        self.registry.venues[venue.info.id] = venue
        await venue.start()

    async def add_network(self, network: Network, tokens: Iterable[Token] = ()) -> None:
        """Makes a network known, with `tokens` beside its bundled list, and starts it; it connects
        in the background."""
        self.tokens.open(network.info, tokens)
        self.registry.networks[network.info.id] = network
        infos = {id_: known.info for id_, known in self.registry.networks.items()}
        self.journal.transactions.infos = infos
        await network.start()

    async def add_account(self, account: Account) -> None:
        """Makes an account known and hands it to the desk, which reconciles it."""
        self.registry.add_account(account)
        await self.desk.open(account)

    async def stop(self) -> None:
        """Ends accounts, venues, networks and background work, in this order."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.desk.stop()
        for venue in self.registry.venues.values():
            await venue.stop()
        for network in self.registry.networks.values():
            await network.stop()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background work failed", task=task.get_name(), exc_info=error)
