"""The sandbox: a paper exchange, a local EVM chain with real contracts, a local Solana chain.

Needs no key and no internet. What cannot run on this machine is left out, and says so.
"""

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from cex.paper.account import PaperAccount
from cex.paper.exchange import PaperExchange
from cex.paper.faults import Faults
from cex.paper.venue import PaperVenue
from chains.localnet.chain import LocalChain
from chains.localnet.deployment import Deployment
from chains.localnet.packages import LeftOut
from chains.networks import NETWORKS
from chains.wallets.store import StoreState
from core.errors import CambistError, Reason, Refused
from core.ports import Condition, Health, Venue, VenueKind
from daemon.lifecycle import Component
from daemon.parts import Parts

if TYPE_CHECKING:
    from chains.evm.network import EvmNetwork
    from chains.solana.localnet.local import LocalSolana

log = structlog.get_logger("sandbox")

EVM_WALLET = "trader"
SOLANA_WALLET = "trader_solana"
EVM_NETWORK = "ethereum_local"
SOLANA_NETWORK = "solana_local"
EVM_VENUES = tuple(
    f"{protocol}@ethereum_local"
    for protocol in ("uniswap_v2", "uniswap_v3", "pangolin", "pancakeswap_v3", "router")
)


class Sandbox:
    """Brings everything up in the background, a part at a time, each with its own condition."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._conditions: dict[str, Condition] = {}
        self._exchange: PaperExchange | None = None
        self._chain: LocalChain | None = None
        self._solana: LocalSolana | None = None

    @property
    def faults(self) -> Faults | None:
        """What the paper exchange does wrong on purpose."""
        return self._exchange.faults if self._exchange else None

    def components(self) -> Iterable[Component]:
        """The parts that are no venue and no network themselves."""
        return [Component("sandbox", id_, condition) for id_, condition in self._conditions.items()]

    async def start(self) -> None:
        """Paper exchange now; wallets and chains in the background."""
        settings = self._parts.settings.sandbox
        await self._start_paper()
        for id_ in (EVM_NETWORK, *EVM_VENUES, *self._traders()):
            self._await(id_, "the local EVM chain is starting")
        self._await(SOLANA_NETWORK, "the local Solana chain is starting")
        self._say(EVM_NETWORK, Health.STARTING, "starting")
        self._say(SOLANA_NETWORK, Health.STARTING, "starting")
        if not settings.evm:
            self._leave_out(EVM_NETWORK, "switched off by sandbox.evm", *EVM_VENUES)
        if not settings.solana:
            self._leave_out(SOLANA_NETWORK, "switched off by sandbox.solana")
        self._parts.spawn(self._start_chains(settings.evm, settings.solana), "sandbox chains")

    async def stop(self) -> None:
        """Stops the local chains; their state stays in the data directory."""
        if self._chain is not None:
            await self._chain.stop()
        if self._solana is not None:
            await self._solana.stop()
        if self._exchange is not None:
            await self._exchange.stop()
            self._exchange.close()

    async def _start_paper(self) -> None:
        parts = self._parts
        exchange = PaperExchange(
            parts.data_dir / "paper.sqlite", parts.clock, parts.settings.sandbox.seed
        )
        self._exchange = exchange
        for kind in (VenueKind.SPOT, VenueKind.PERPETUAL):
            venue = PaperVenue(exchange, kind)
            await parts.add_venue(venue)
            # One account a venue, of the same name: spot money is no margin.
            await parts.add_account(PaperAccount(venue.info.id, venue, exchange))
        await exchange.start()

    async def _start_chains(self, evm: bool, solana: bool) -> None:
        try:
            await self._open_wallets()
        except (CambistError, OSError, UnicodeDecodeError) as error:
            why = f"the sandbox's wallets cannot be opened: {_words(error)}"
            self._leave_out(EVM_NETWORK, why, *EVM_VENUES)
            self._leave_out(SOLANA_NETWORK, why)
            return
        if evm:
            await self._guard(EVM_NETWORK, self._start_evm, *EVM_VENUES)
        if solana:
            await self._guard(SOLANA_NETWORK, self._start_solana)

    async def _guard(self, id_: str, start: Callable[[], Awaitable[None]], *venues: str) -> None:
        """A chain that fails to start is left out; the rest of the sandbox works on."""
        try:
            await start()
        except (CambistError, OSError) as error:
            self._leave_out(id_, _words(error), *venues)

    async def _open_wallets(self) -> None:
        """One passphrase for the sandbox's wallets, in a file beside them: toy money."""
        parts = self._parts
        path = parts.data_dir / "wallets.passphrase"
        store = parts.wallets.store
        if store.state is not StoreState.UNLOCKED:
            await parts.wallets.unlock(_passphrase(path))
        names = {wallet.name for wallet in store.list()}
        for name, family in ((EVM_WALLET, "evm"), (SOLANA_WALLET, "solana")):
            if name not in names:
                await store.create(name, family)

    def _traders(self) -> set[str]:
        """The wallets that are accounts once the EVM chain is there, also while they are locked."""
        wallets = self._parts.wallets.store.list()
        return {EVM_WALLET, *(one.name for one in wallets if one.family == "evm")}

    def _address(self, wallet: str) -> str:
        address = self._parts.wallets.address(wallet)
        if not address:
            raise Refused(
                Reason.WALLETS_LOCKED,
                f"the file of wallet {wallet!r} is damaged: restore it, or move it away to begin "
                "with a new one",
            )
        return address

    async def _start_evm(self) -> None:
        from chains.evm.network import EvmNetwork

        parts = self._parts
        self._say(EVM_NETWORK, Health.STARTING, "deploying Uniswap, PancakeSwap and Pangolin")
        chain = LocalChain(parts.data_dir / "localnet", parts.lock_file, parts.clock)
        address = self._address(EVM_WALLET)
        found = await chain.start(fund=[address])
        if isinstance(found, LeftOut):
            self._leave_out(EVM_NETWORK, found.reason, *EVM_VENUES)
            return
        self._chain = chain
        network = EvmNetwork(
            found.info, found.urls, parts.clock, parts.wallets.store, parts.journal.transactions
        )
        await parts.add_network(network, found.contracts.tokens)
        self._here(EVM_NETWORK)
        await self._add_pools(network, found)
        await parts.wallets.refresh(parts.registry)
        for wallet in self._traders():
            self._here(wallet)
        self._say(EVM_NETWORK, Health.READY, "")

    async def _add_pools(self, network: "EvmNetwork", found: Deployment) -> None:
        from dex.router import RouterVenue
        from dex.venue import PoolVenue
        from dex.venues.local import local_specs

        venues = [
            PoolVenue(spec, network, self._parts.tokens, self._parts.clock)
            for spec in local_specs(found.contracts, EVM_NETWORK)
        ]
        router = RouterVenue(network, venues, self._parts.clock)
        everything: list[Venue] = [*venues, router]
        for venue in everything:
            await self._parts.add_venue(venue)
            self._here(venue.info.id)

    async def _start_solana(self) -> None:
        from chains.solana.localnet.local import LocalSolana
        from chains.solana.network import SolanaNetwork

        parts = self._parts
        self._say(SOLANA_NETWORK, Health.STARTING, "starting the local validator")
        solana = LocalSolana(parts.data_dir / "solana", parts.lock_file, parts.clock)
        url = await solana.start(fund=[self._address(SOLANA_WALLET)])
        self._solana = solana
        info = NETWORKS[SOLANA_NETWORK].info
        network = SolanaNetwork(
            info,
            [url, "ws" + url.removeprefix("http")],
            parts.clock,
            parts.wallets.store,
            parts.journal.transactions,
            tokens=solana.tokens,
        )
        await parts.add_network(network, solana.tokens)
        self._here(SOLANA_NETWORK)
        self._say(SOLANA_NETWORK, Health.READY, "")

    def _say(self, id_: str, health: Health, reason: str) -> None:
        self._conditions[id_] = Condition(health, reason, self._parts.clock.now())

    def _await(self, id_: str, why: str) -> None:
        self._parts.registry.absent[id_] = Reason.STARTING_UP, f"{why}: retry in a second"

    def _here(self, id_: str) -> None:
        self._parts.registry.absent.pop(id_, None)

    def _leave_out(self, id_: str, why: str, *venues: str) -> None:
        log.warning("left out", part=id_, reason=why)
        if id_ == EVM_NETWORK:
            for wallet in self._traders():
                self._here(wallet)  # they trade nowhere: there are no such accounts
        # Left out for a stated reason is as it should be: the daemon is not degraded by it.
        self._say(id_, Health.READY, f"left out: {why}")
        for one in (id_, *venues):
            self._parts.registry.absent[one] = (
                Reason.VENUE_UNAVAILABLE if one in venues else Reason.NODE_UNAVAILABLE,
                f"{one} is left out: {why}",
            )


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be used: {error.strerror}"
    return str(error)


def _passphrase(path: Path) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()
