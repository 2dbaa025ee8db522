"""The wallets of a daemon: a directory of encrypted keys, unlocked once, signing from memory."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

from chains.wallets import catalogue, evm_keys, files, index, sealed
from chains.wallets.catalogue import Catalogue, WalletInfo
from chains.wallets.families import Family
from chains.wallets.kdf import STANDARD, Cost, KeystoreError, WrongPassphrase
from chains.wallets.opening import open_entry, read_keystore
from chains.wallets.refusals import checked, damaged_index, find_family, invalid
from chains.wallets.remote import RemoteSigner
from chains.wallets.secret import Secret
from core.clock import Clock
from core.errors import Reason, Refused


class StoreState(Enum):
    """Whether there are keys, and whether they can sign."""

    NON_EXISTING = 1  # no passphrase was ever set: `initialize`
    LOCKED = 2
    UNLOCKED = 3


class WalletStore:
    """Keystores of one directory under one passphrase; implements core.ports.Signer.

    Key derivation (0.1 to 0.4 s and up to 128 MiB a wallet) runs in a thread, one at a time, at
    `unlock` and when a wallet is added; never for a signature. Every method raises Refused.
    """

    def __init__(self, directory: Path, clock: Clock, cost: Cost = STANDARD) -> None:
        self._catalogue = Catalogue(directory)
        self._clock = clock
        self._cost = cost
        self._changing = asyncio.Lock()
        self._passphrase: Secret | None = None  # held while unlocked: new wallets need it
        self._signers: dict[tuple[str, str], Callable[[bytes], bytes]] = {}
        self._opened: dict[str, WalletInfo] = {}  # what unlocking found out
        self._remotes: list[RemoteSigner] = []

    def __repr__(self) -> str:
        return f"WalletStore({str(self._catalogue.directory)!r}, {self.state.name})"

    @property
    def state(self) -> StoreState:
        """As lnd names it; a bot may watch it."""
        if self._passphrase is not None:
            return StoreState.UNLOCKED
        return StoreState.LOCKED if self._catalogue.exists else StoreState.NON_EXISTING

    # --- the store as a whole -----------------------------------------------------------------

    async def initialize(self, passphrase: str) -> None:
        """Makes the store and leaves it unlocked. WALLET_EXISTS if there is one already."""
        secret = Secret.of_text(passphrase)
        del passphrase  # so that no traceback with locals shows it; likewise below
        async with self._changing:
            if self.state is not StoreState.NON_EXISTING:
                raise Refused(Reason.WALLET_EXISTS, "the wallet store exists; unlock it")
            if not secret.reveal():
                raise invalid("passphrase", "choose a passphrase that is not empty")
            files.prepare(self._catalogue.directory)
            made = await asyncio.to_thread(index.create, secret, self._cost, self._clock.now())
            self._catalogue.save_index(made)
            await self._open(secret)

    async def unlock(self, passphrase: str) -> None:
        """Decrypts every wallet. PASSPHRASE_WRONG changes nothing; a file that is damaged or has
        another passphrase is a `problem` in `list`, and the others load."""
        secret = Secret.of_text(passphrase)
        del passphrase
        async with self._changing:
            try:
                await asyncio.to_thread(index.verify, self._index(), secret)
            except WrongPassphrase:
                message = "the passphrase does not fit this store"
                raise Refused(Reason.PASSPHRASE_WRONG, message) from None
            except KeystoreError as error:
                raise damaged_index(error) from None
            await self._open(secret)

    def lock(self) -> None:
        """Forgets the passphrase and every key."""
        self._passphrase = None
        self._signers = {}
        self._opened = {}

    def add_remote(self, remote: RemoteSigner) -> None:
        """Lists the wallets of a signer elsewhere beside the store's; they need no unlocking. A
        name or an address that the store has itself is the store's."""
        self._remotes.append(remote)

    # --- wallets ------------------------------------------------------------------------------

    def list(self) -> Sequence[WalletInfo]:
        """All wallets by name, also while locked; then those of signers elsewhere."""
        own = [
            self._opened.get(name, entry.info) for name, entry in self._catalogue.entries().items()
        ]
        names = {wallet.name for wallet in own}
        addresses = {wallet.address for wallet in own if not wallet.watch_only}
        found = list(own)
        for wallet in (wallet for remote in self._remotes for wallet in remote.wallets()):
            if wallet.name not in names and wallet.address not in addresses:
                found.append(wallet)
                names.add(wallet.name)
                addresses.add(wallet.address)
        defaults = self._catalogue.defaults()
        return [replace(one, is_default=defaults.get(one.family) == one.name) for one in found]

    def get(self, name: str) -> WalletInfo:
        """One wallet; WALLET_NOT_FOUND."""
        for wallet in self.list():
            if wallet.name == name:
                return wallet
        raise Refused(Reason.WALLET_NOT_FOUND, f"no wallet {name[:40]!r}", {"wallet": name[:40]})

    def default(self, family: str) -> WalletInfo | None:
        """The wallet to use where a request names none."""
        return next((w for w in self.list() if w.is_default and w.family == family), None)

    async def set_default(self, name: str) -> WalletInfo:
        """Makes a wallet its family's default."""
        async with self._changing:
            wallet, present = self.get(name), self._index()
            defaults = present.defaults | {wallet.family: name}
            self._catalogue.save_index(replace(present, defaults=defaults))
            return self.get(name)

    async def create(self, name: str, family: str) -> WalletInfo:
        """A new random key. Its only copy is the file: back up the directory."""
        return await self._add(name, find_family(family), find_family(family).generate())

    async def import_key(self, name: str, family: str, key: str | bytes) -> WalletInfo:
        """A private key: hexadecimal for "evm"; base58 or solana-keygen's JSON for "solana"."""
        text = Secret.of_text(key) if isinstance(key, str) else Secret(key)
        del key
        row = find_family(family)
        return await self._add(name, row, checked("key", lambda: row.parse_key(text)))

    async def import_mnemonic(
        self,
        name: str,
        family: str,
        mnemonic: str,
        path: str = "",
        account: int = 0,
        mnemonic_passphrase: str = "",
    ) -> WalletInfo:
        """BIP-39 words. Without a `path` the family's usual one, of the account number:
        m/44'/60'/0'/0/i for "evm", m/44'/501'/i'/0' for "solana"."""
        from chains.wallets import hd

        words, extra = Secret.of_text(mnemonic), Secret.of_text(mnemonic_passphrase)
        del mnemonic, mnemonic_passphrase
        row = find_family(family)
        seed = await asyncio.to_thread(checked, "mnemonic", lambda: hd.mnemonic_seed(words, extra))
        steps = path or row.path.format(account)
        return await self._add(name, row, checked("path", lambda: row.derive(seed, steps)))

    async def import_keystore(self, name: str, content: str, passphrase: str) -> WalletInfo:
        """A keystore file (version 3, or Cambist's own) with its own passphrase; it is encrypted
        anew with the store's."""
        secret, text = Secret.of_text(passphrase), Secret.of_text(content)
        del passphrase, content  # the content too: somebody will paste a bare key here
        self._unlocked()
        row, key, stated = await self._read_keystore(text, secret)
        if stated and stated != row.address(key):
            raise invalid("keystore", "the keystore states another address than its key has")
        return await self._add(name, row, key)

    async def watch(self, name: str, family: str, address: str) -> WalletInfo:
        """An address without a key: balances can be read, nothing can be signed."""
        row = find_family(family)
        canonical = checked("address", lambda: row.parse_address(address))
        async with self._changing:
            self._index()
            self._free(name, row, canonical)
            self._catalogue.write(name, catalogue.watch_only(family, canonical))
            return self.get(name)

    async def remove(self, name: str) -> WalletInfo:
        """Deletes a wallet's file, key and all, for good. Needs the store unlocked."""
        async with self._changing:
            self._unlocked()
            wallet, present = self.get(name), self._index()
            if wallet.signer:
                raise invalid(
                    "name", f"the key of {name} is with the signer {wallet.signer}: remove it there"
                )
            self._catalogue.remove(name)
            self._opened.pop(name, None)
            if not wallet.watch_only:
                self._signers.pop((wallet.family, wallet.address), None)
            if present.defaults.get(wallet.family) == name:
                defaults = {f: n for f, n in present.defaults.items() if n != name}
                self._catalogue.save_index(replace(present, defaults=defaults))
            return wallet

    # --- signing (core.ports.Signer) ----------------------------------------------------------

    def addresses(self, family: str) -> Sequence[str]:
        """What can sign now; nothing of the store's own while it is locked."""
        own = [address for of, address in self._signers if of == family]
        elsewhere = [one for remote in self._remotes for one in remote.addresses()]
        return own + [one for one in elsewhere if family == "evm" and one not in own]

    async def sign(self, family: str, address: str, payload: bytes) -> bytes:
        """See core.ports.Signer; microseconds, from keys in memory."""
        if (family, address) not in self._signers and self._remote(family, address) is not None:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"the key of {address} is with a signer elsewhere, which must see what it signs",
                {"address": address, "capability": "sign a digest"},
            )
        self._unlocked()
        row = find_family(family)
        canonical = checked("address", lambda: row.parse_address(address))
        signer = self._signers.get((family, canonical))
        if signer is None:
            raise Refused(
                Reason.WALLET_NOT_FOUND,
                f"no wallet of this store can sign for {canonical}; add its key, or see `problem`"
                " in the list of wallets",
                {"address": canonical},
            )
        return checked("payload", lambda: signer(payload))

    async def sign_transaction(self, family: str, address: str, unsigned: bytes) -> bytes:
        """See core.ports.TransactionSigner: by a key of the store, else by who has the key."""
        if (family, address) not in self._signers:
            remote = self._remote(family, address)
            if remote is not None:
                return await remote.sign_transaction(address, unsigned)
        return await self.sign(family, address, find_family(family).digest(unsigned))

    async def sign_typed_data(self, address: str, preimage: bytes) -> bytes:
        """See core.ports.MessageSigner; what is no such preimage is refused."""
        if not evm_keys.is_typed_preimage(preimage):
            raise invalid("preimage", "not what EIP-712 has signed: 0x1901 and two hashes")
        if ("evm", address) not in self._signers:
            remote = self._remote("evm", address)
            if remote is not None:
                return await remote.sign_typed_data(address, preimage)
        return await self.sign("evm", address, find_family("evm").digest(preimage))

    # --- other secrets under the same passphrase ------------------------------------------------

    async def seal(self, secret: Secret, kind: str, label: str) -> str:
        """The JSON text that holds a secret which is no wallet: an exchange's keys, say. Raises
        WALLETS_LOCKED."""
        passphrase = self._unlocked()
        return await asyncio.to_thread(sealed.seal, secret, kind, label, passphrase, self._cost)

    async def unseal(self, document: dict[str, Any], kind: str) -> Secret:
        """The secret again. Raises WALLETS_LOCKED, and KeystoreError for a file that is damaged or
        has another passphrase."""
        passphrase = self._unlocked()
        return await asyncio.to_thread(sealed.open_sealed, document, kind, passphrase)

    # --- inside -------------------------------------------------------------------------------

    async def _add(self, name: str, family: Family, key: Secret) -> WalletInfo:
        async with self._changing:
            passphrase = self._unlocked()
            address = family.address(key)
            self._free(name, family, address)
            text = await asyncio.to_thread(family.encrypt, key, address, passphrase, self._cost)
            self._catalogue.write(name, text)
            if self._passphrase is not None:  # locked meanwhile: it stays on disk only
                self._signers[family.id, address] = family.signer(key)
            present = self._index()
            if family.id not in present.defaults:
                defaults = present.defaults | {family.id: name}
                self._catalogue.save_index(replace(present, defaults=defaults))
            return self.get(name)

    async def _read_keystore(self, text: Secret, passphrase: Secret) -> tuple[Family, Secret, str]:
        try:
            return await asyncio.to_thread(read_keystore, text, passphrase)
        except WrongPassphrase as error:
            reason, message = Reason.PASSPHRASE_WRONG, str(error)
        except ValueError as error:
            reason, message = Reason.FIELD_INVALID, str(error)
        raise Refused(reason, f"the keystore: {message}", {"field": "keystore"})

    async def _open(self, passphrase: Secret) -> None:
        self._catalogue.forget()
        entries = [e for e in self._catalogue.entries().values() if e.document]
        keyed = [e for e in entries if not e.info.watch_only and not e.info.problem]
        opened = await asyncio.to_thread(lambda: [open_entry(e, passphrase) for e in keyed])
        self._opened = {info.name: info for info, _ in opened}
        self._signers = {
            (info.family, info.address): signer for info, signer in opened if signer is not None
        }
        self._passphrase = passphrase

    def _remote(self, family: str, address: str) -> RemoteSigner | None:
        if family != "evm":
            return None
        return next((one for one in self._remotes if address in one.addresses()), None)

    def _unlocked(self) -> Secret:
        if self._passphrase is None:
            hint = "initialize" if self.state is StoreState.NON_EXISTING else "unlock"
            raise Refused(Reason.WALLETS_LOCKED, f"the wallet store is locked; {hint} it first")
        return self._passphrase

    def _index(self) -> index.Index:
        try:
            present = self._catalogue.index()
        except KeystoreError as error:
            raise damaged_index(error) from None
        if present is None:
            raise Refused(Reason.WALLETS_LOCKED, "there is no wallet store yet; initialize it")
        return present

    def _free(self, name: str, family: Family, address: str) -> None:
        if not files.is_name(name):
            raise invalid("name", "a wallet's name is 1 to 32 of a-z, 0-9, - and _")
        for wallet in self.list():
            if wallet.name == name:
                raise Refused(Reason.WALLET_EXISTS, f"there is a wallet {name}", {"wallet": name})
            if (wallet.family, wallet.address) == (family.id, address):
                raise Refused(
                    Reason.WALLET_EXISTS,
                    f"{address} is here as {wallet.name}; remove that one first",
                    {"wallet": wallet.name, "address": address},
                )
