"""The file that makes a directory a store: a check of the passphrase, and the default wallets."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.wallets import files, sealed
from chains.wallets.kdf import Cost, KeystoreError
from chains.wallets.secret import Secret

# No wallet can have this name: names start with a letter or a digit.
FILE = "_store.json"
_KIND = "cambist-wallet-store"
_CHECK_KIND = "cambist-passphrase-check"


@dataclass(frozen=True, slots=True)
class Index:
    """`check` is a sealed random value: whoever opens it has the store's passphrase."""

    create_time: int  # ns
    check: dict[str, Any]
    defaults: dict[str, str]  # family -> name


def create(passphrase: Secret, cost: Cost, now: int) -> Index:
    """The index of a new store."""
    check = sealed.seal(Secret(secrets.token_bytes(32)), _CHECK_KIND, "", passphrase, cost)
    return Index(now, json.loads(check), {})


def verify(index: Index, passphrase: Secret) -> None:
    """Raises WrongPassphrase unless it is the store's."""
    sealed.open_sealed(index.check, _CHECK_KIND, passphrase)


def load(directory: Path) -> Index | None:
    """None if there is no store; KeystoreError if its index is damaged."""
    path = directory / FILE
    if not path.exists():
        return None
    document = files.read(path)
    try:
        if document["type"] != _KIND or document["version"] != 1:
            raise KeystoreError("not a store's index of version 1")
        defaults = {str(family): str(name) for family, name in document["defaults"].items()}
        check = dict(document["check"])
        return Index(int(document["create_time"]), check, defaults)
    except (KeyError, TypeError, AttributeError):
        raise KeystoreError("not a complete store index") from None


def save(directory: Path, index: Index) -> None:
    """Replaces the index atomically."""
    document = {
        "type": _KIND,
        "version": 1,
        "create_time": index.create_time,
        "check": index.check,
        "defaults": index.defaults,
    }
    files.write(directory / FILE, json.dumps(document, indent=2))
