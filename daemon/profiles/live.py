"""The live profile: the exchanges, networks and accounts of the configuration file."""

import stat
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from cex.engine.accounts import exchange_account
from cex.engine.credentials import Credentials
from cex.engine.gate import Gates
from cex.engine.market import ExchangeVenue
from cex.venues import catalogue
from chains.networks import NETWORKS
from core.errors import Reason, Refused
from core.money import parse
from daemon.config import ConfigError
from daemon.config.model import AccountSettings, NetworkSettings, Settings, VenueSettings
from daemon.lifecycle import Component
from daemon.parts import Parts
from daemon.registry import suggestion
from daemon.signers import Signers, remote_signer


class Live:
    """Nothing here waits for the outside: what cannot be reached is retried in the background."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._gates = Gates()
        self._signers = Signers((), parts.clock, self._refresh)

    faults = None

    def components(self) -> Iterable[Component]:
        """Signers elsewhere."""
        return self._signers.components()

    async def start(self) -> None:
        """Adds what the configuration names; ConfigError for what does not exist."""
        settings = self._parts.settings
        check(settings)
        for id_, venue in settings.venues.items():
            if venue.enabled:
                await self._add_venue(id_, venue)
        for id_, network in settings.networks.items():
            if network.enabled:
                await self._add_network(id_, network)
        for account in settings.accounts:
            await self._add_account(account)
        if passphrase := self._parts.passphrase.reveal():
            await self._unlock(passphrase.decode())
        await self._refresh()
        remotes = [remote_signer(one) for one in settings.wallets.signers]
        if remotes:
            for remote in remotes:
                self._parts.wallets.store.add_remote(remote)
            self._signers = Signers(remotes, self._parts.clock, self._refresh)
            self._parts.spawn(self._signers.run(), "signers")

    async def _unlock(self, passphrase: str) -> None:
        """With what came at the start. ConfigError where it does not fit: whoever meant the keys to
        be open must not find them closed in the night."""
        try:
            await self._parts.wallets.unlock(passphrase)
        except Refused as error:
            if error.reason is not Reason.PASSPHRASE_WRONG:
                raise
            raise ConfigError(
                f"the passphrase that was given for the start does not open the keys in "
                f"{self._parts.data_dir}: give the right one, or none and use 'cambist unlock'"
            ) from None

    async def stop(self) -> None:
        """What the parts do not stop themselves."""
        await self._signers.stop()

    async def _refresh(self) -> None:
        await self._parts.wallets.refresh(self._parts.registry)

    async def _add_venue(self, id_: str, settings: VenueSettings) -> None:
        await self._parts.add_venue(
            ExchangeVenue(
                catalogue()[id_], self._parts.clock, hosts=dict(settings.hosts), gates=self._gates
            )
        )

    async def _add_network(self, id_: str, settings: NetworkSettings) -> None:
        parts, entry = self._parts, NETWORKS[id_]
        if settings.finality_depth >= 0:
            info = replace(entry.info, finality_depth=settings.finality_depth)
            entry = replace(entry, info=info)
        urls = settings.urls or list(entry.urls)
        signer, transactions = parts.wallets.store, parts.journal.transactions
        if entry.info.family == "solana":
            from chains.solana.network import SolanaNetwork

            await parts.add_network(
                SolanaNetwork(
                    entry.info,
                    urls,
                    parts.clock,
                    signer,
                    transactions,
                    quorum=settings.quorum,
                    max_fee=Decimal(settings.max_fee) or None,
                    rate=settings.requests_per_second,
                )
            )
            return
        from chains.evm.network import EvmNetwork
        from dex.router import RouterVenue
        from dex.venue import PoolVenue
        from dex.venues import SPECS

        network = EvmNetwork(
            entry.info,
            urls,
            parts.clock,
            signer,
            transactions,
            private_urls=settings.private_urls or list(entry.private_urls),
            quorum=settings.quorum,
            max_fee=Decimal(settings.max_fee) or None,
            rate=settings.requests_per_second,
        )
        await parts.add_network(network)
        venues = [
            PoolVenue(spec, network, parts.tokens, parts.clock)
            for spec in SPECS.values()
            if spec.deployment.network == id_
        ]
        for venue in venues:
            await parts.add_venue(venue)
        if venues:
            await parts.add_venue(RouterVenue(network, venues, parts.clock))

    async def _add_account(self, account: AccountSettings) -> None:
        parts = self._parts
        venue = parts.registry.venues[account.venue]
        assert isinstance(venue, ExchangeVenue)  # `check` saw to it
        if account.paper:
            from cex.paper.clearing import Clearing
            from cex.paper.live_book import LiveBookAccount

            initial = {asset: parse(amount) for asset, amount in account.balances.items()}
            path = parts.data_dir / f"paper-{account.id}-{account.venue}.sqlite"
            clearing = Clearing(path, parts.clock)
            await parts.add_account(
                LiveBookAccount(account.id, venue, clearing, parts.clock, initial or None)
            )
            return
        credentials = read_credentials(Path(account.credentials_file))
        parts.key_locks.take(account.id, account.venue, credentials.api_key)
        await parts.add_account(exchange_account(account.id, venue, credentials))


def check(settings: Settings) -> None:
    """Raises ConfigError for what the live profile would not start with; touches no network."""
    exchanges = [id_ for id_, venue in settings.venues.items() if venue.enabled]
    for id_ in exchanges:
        if id_ not in catalogue():
            raise ConfigError(f"venues.{id_}: no such exchange{suggestion(id_, catalogue())}")
    for id_, network in settings.networks.items():
        if not network.enabled:
            continue
        if id_ not in NETWORKS:
            raise ConfigError(f"networks.{id_}: no such network{suggestion(id_, NETWORKS)}")
        if not (network.urls or NETWORKS[id_].urls):
            raise ConfigError(f"networks.{id_}.urls: this network has no public node: name one")
        nodes = [url for url in network.urls or NETWORKS[id_].urls if url.startswith("http")]
        if network.quorum > len(nodes):
            raise ConfigError(
                f"networks.{id_}.quorum: {network.quorum} nodes cannot agree where there are "
                f"{len(nodes)}: name more in urls"
            )
    for account in settings.accounts:
        where = f"accounts.{account.id}"
        if account.venue not in exchanges:
            raise ConfigError(
                f"{where}.venue: {account.venue!r} is no enabled exchange"
                + suggestion(account.venue, exchanges)
            )
        if account.paper:
            continue
        if not account.credentials_file:
            raise ConfigError(f"{where}.credentials_file: an account that trades needs one")
        read_credentials(Path(account.credentials_file))
    for signer in settings.wallets.signers:
        try:
            remote_signer(signer)
        except ValueError as error:
            raise ConfigError(f"wallets.signers.{signer.name}: {error}") from None
    if settings.wallets.passphrase_file:
        private_file(Path(settings.wallets.passphrase_file))


def private_file(path: Path) -> str:
    """The text of a file that only its owner may read; ConfigError otherwise."""
    path = path.expanduser()
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{path} can be read by others: 'chmod 600 {path}'")
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def read_credentials(path: Path) -> Credentials:
    """An account's secrets: api_key, secret, and what else the venue asks for."""
    try:
        data = tomllib.loads(private_file(path))
    except tomllib.TOMLDecodeError:
        # The parser's message would quote the file.
        raise ConfigError(f'{path} is not TOML: it needs api_key = "…" and secret = "…"') from None
    known = {"api_key", "secret", "passphrase", "user"}
    if unknown := set(data) - known:
        raise ConfigError(f"{path}: unknown keys {', '.join(sorted(unknown))}")
    if not all(isinstance(value, str) for value in data.values()) or not {
        "api_key",
        "secret",
    } <= set(data):
        raise ConfigError(f'{path} needs api_key = "…" and secret = "…", as strings')
    return Credentials(**data)
