"""Wallets as accounts: which address a name means, what it holds, where it can trade."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from chains.wallets.catalogue import WalletInfo
from chains.wallets.store import StoreState, WalletStore
from core.accounts import Balance
from core.errors import Reason, Refused
from core.ports import Account, Capability, Following, Network, Venue
from core.tokens import Token
from daemon.registry import Registry, suggestion
from daemon.rpc.rules import invalid

MakeAccount = Callable[[WalletInfo, Venue], Account]
Opened = Callable[[Account], Awaitable[None]]


class Wallets:
    """The wallet store, and the account that each wallet has on every pool venue of its family.

    `make_account` builds such an account, `open_account` and `close_account` hand it to the desk.
    """

    def __init__(
        self,
        store: WalletStore,
        known_tokens: Callable[[str], Sequence[Token]],
        make_account: MakeAccount,
        open_account: Opened,
        close_account: Opened,
    ) -> None:
        self.store = store
        self._known_tokens = known_tokens
        self._make_account = make_account
        self._open_account = open_account
        self._close_account = close_account

    async def unlock(self, passphrase: str) -> None:
        """Decrypts the keys; the first passphrase ever given makes the store."""
        if self.store.state is StoreState.NON_EXISTING:
            await self.store.initialize(passphrase)
        else:
            await self.store.unlock(passphrase)

    def pending(self, registry: Registry) -> dict[str, int]:
        """How many transactions of each network are not final."""
        wallets = [one for one in self.store.list() if one.address]
        return {
            id: sum(len(network.pending(one.address)) for one in wallets if one.family == family)
            for id, network in registry.networks.items()
            for family in (network.info.family,)
            if isinstance(network, Following)
        }

    async def refresh(self, registry: Registry) -> None:
        """Makes the accounts fit the wallets: new ones appear, removed ones go."""
        wallets = {
            wallet.name: wallet
            for wallet in self.store.list()
            if wallet.address and not wallet.watch_only
        }
        wanted = {
            (wallet.name, venue.info.id): (wallet, venue)
            for venue in registry.venues.values()
            if venue.info.network and Capability.FILLS in venue.info.capabilities
            for wallet in wallets.values()
            if wallet.family == registry.network(venue.info.network).info.family
        }
        pools = {venue.info.id for venue in registry.venues.values() if venue.info.network}
        for key, account in list(registry.accounts.items()):
            if key[1] in pools and key not in wanted:
                del registry.accounts[key]
                await self._close_account(account)
        for key, (wallet, venue) in wanted.items():
            if key not in registry.accounts:
                account = self._make_account(wallet, venue)
                registry.accounts[key] = account
                await self._open_account(account)

    def address(self, name: str) -> str:
        """A wallet's address; "" when there is no such wallet."""
        return next((wallet.address for wallet in self.store.list() if wallet.name == name), "")

    def name_of(self, network: str, address: str) -> str:
        """The wallet of an address, as events name their account; the address when it is none."""
        return next((w.name for w in self.store.list() if w.address == address), address)

    def resolve(self, network: Network, text: str) -> tuple[str, str]:
        """Name and address of what was written: a wallet's name, or an address of the network."""
        family = network.info.family
        for wallet in self.store.list():
            if text == wallet.name:
                if wallet.family != family:
                    raise invalid(
                        "wallet", f"{text} is a wallet of {wallet.family}, not of {family}", text
                    )
                if not wallet.address:
                    raise Refused(
                        Reason.WALLETS_LOCKED,
                        f"the address of {text} is known after 'cambist wallet unlock'",
                    )
                return wallet.name, wallet.address
        if network.is_address(text):
            owner = next((w.name for w in self.store.list() if w.address == text), "")
            return owner or text, text
        names = [wallet.name for wallet in self.store.list()]
        raise Refused(
            Reason.WALLET_NOT_FOUND,
            f"no wallet {text!r}, and it is no address of {network.info.id}"
            + suggestion(text, names),
            {"wallet": text},
        )

    def signing_address(self, network: Network, name: str) -> str:
        """The address of a wallet that can sign; raises WALLETS_LOCKED or WALLET_NOT_FOUND."""
        _, address = self.resolve(network, name)
        if address not in self.store.addresses(network.info.family):
            remote = next((one for one in self.store.list() if one.address == address), None)
            if remote is not None and remote.signer:
                raise Refused(
                    Reason.SIGNER_UNAVAILABLE,
                    f"{name} cannot sign: {remote.problem}",
                    {"signer": remote.signer, "address": address},
                )
            if self.store.state is not StoreState.UNLOCKED:
                raise Refused(
                    Reason.WALLETS_LOCKED,
                    "the wallets are locked: unlock them with 'cambist wallet unlock'",
                )
            raise Refused(
                Reason.WALLET_NOT_FOUND,
                f"there is no key for {name}: it is watched only",
                {"wallet": name},
            )
        return address

    async def balances(
        self, network: Network, name: str, address: str, tokens: Sequence[Token]
    ) -> list[Balance]:
        """The native coin and tokens of an address, in one read of the chain."""
        native = network.info.native
        asked = [native, *(token for token in tokens if not token.is_native)]
        found = await network.balances(address, asked)
        return [replace(balance, account=name) for balance in found]

    def readers(
        self, registry: Registry
    ) -> list[tuple[str, str, Callable[[], Awaitable[list[Balance]]]]]:
        """Wallet, network, and how to ask what the one holds on the other."""
        return [
            (wallet.name, network.info.id, self._reader(network, wallet))
            for network in registry.networks.values()
            for wallet in self.store.list()
            if wallet.address and wallet.family == network.info.family
        ]

    def _reader(
        self, network: Network, wallet: WalletInfo
    ) -> Callable[[], Awaitable[list[Balance]]]:
        async def read() -> list[Balance]:
            tokens = self._known_tokens(network.info.id)
            balances = await self.balances(network, wallet.name, wallet.address, tokens)
            return [balance for balance in balances if balance.total or not balance.token]

        return read
