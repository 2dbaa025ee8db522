"""The keys of accounts, a sealed file each, under the passphrase of the wallet store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chains.wallets import files
from chains.wallets.kdf import KeystoreError
from chains.wallets.secret import Secret
from chains.wallets.store import WalletStore
from core.errors import Reason, Refused

_KIND = "cambist-account"


@dataclass(frozen=True, slots=True)
class Stored:
    """One account as it is on disk; `problem` says why it cannot be opened."""

    account: str
    venue: str
    paper: bool
    document: Mapping[str, Any]
    problem: str = ""


class AccountKeys:
    """A directory of accounts. Names are readable while it is locked, keys are not."""

    def __init__(self, directory: Path, store: WalletStore) -> None:
        self._directory = directory
        self._store = store

    def list(self) -> list[Stored]:
        """All accounts, by id, also while locked."""
        if not self._directory.is_dir():
            return []
        return [_stored(path) for path in sorted(self._directory.glob("*.json"))]

    async def save(self, account: str, venue: str, credentials: Mapping[str, str]) -> None:
        """Seals an account's keys. Raises SECRETS_LOCKED."""
        secret = Secret(msgspec.json.encode(dict(credentials)))
        try:
            text = await self._store.seal(secret, _KIND, f"{account}@{venue}")
        except Refused as error:
            raise locked(account) from error
        self._write(account, venue, text)

    def save_paper(self, account: str, venue: str) -> None:
        """Remembers an account that has no keys."""
        document = {"type": "cambist-paper-account", "address": f"{account}@{venue}"}
        self._write(account, venue, msgspec.json.encode(document).decode())

    async def open(self, stored: Stored) -> dict[str, str]:
        """An account's keys. Raises SECRETS_LOCKED, and INTERNAL for a file that is damaged."""
        try:
            secret = await self._store.unseal(dict(stored.document), _KIND)
            return msgspec.json.decode(secret.reveal(), type=dict[str, str])
        except Refused as error:
            raise locked(stored.account) from error
        except (KeystoreError, msgspec.DecodeError) as error:
            words = "damaged" if isinstance(error, msgspec.DecodeError) else str(error)
            raise Refused(
                Reason.INTERNAL,
                f"the keys of account {stored.account} cannot be opened ({words}): remove the "
                "account and add it anew",
                {"account": stored.account},
            ) from None

    def remove(self, account: str) -> bool:
        """Whether there was one."""
        found = [one for one in self.list() if one.account == account]
        for one in found:
            self._path(one.account, one.venue).unlink(missing_ok=True)
        return bool(found)

    def _write(self, account: str, venue: str, text: str) -> None:
        files.prepare(self._directory)
        try:
            files.write(self._path(account, venue), text)
        except OSError as error:
            raise Refused(
                Reason.JOURNAL_UNAVAILABLE, f"the keys cannot be written: {error.strerror}"
            ) from error

    def _path(self, account: str, venue: str) -> Path:
        return self._directory / f"{account}@{venue}.json"


def locked(account: str) -> Refused:
    """The error of what needs keys while they are locked."""
    return Refused(
        Reason.SECRETS_LOCKED,
        f"the keys of {account} are locked: 'cambist unlock'",
        {"account": account},
    )


def _stored(path: Path) -> Stored:
    account, _, venue = path.stem.partition("@")
    try:
        document = files.read(path)
    except KeystoreError as error:
        return Stored(account, venue, False, {}, str(error))
    paper = document.get("type") == "cambist-paper-account"
    return Stored(account, venue, paper, document)
