"""What lies in a wallet directory, as far as it can be known without the passphrase."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.wallets import files
from chains.wallets.families import FAMILIES
from chains.wallets.kdf import KeystoreError

_WATCH_KIND = "cambist-watch-only"


@dataclass(frozen=True, slots=True)
class WalletInfo:
    """One wallet, without its secret. `problem` says why it cannot sign though it should."""

    name: str
    family: str  # "" when the file cannot be understood
    address: str  # "" when it is known only after unlocking
    watch_only: bool = False
    is_default: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A wallet's file. `document` is empty when the file cannot be read."""

    info: WalletInfo
    document: dict[str, Any] = field(repr=False)


def scan(directory: Path) -> dict[str, Entry]:
    """All wallets by name; a file that is damaged is an entry with a problem, never an error."""
    return {name: _entry(name, directory / f"{name}.json") for name in files.names(directory)}


def family_of(document: dict[str, Any]) -> str:
    """Which family a keystore belongs to; KeystoreError if to none."""
    for family in FAMILIES.values():
        if family.recognises(document):
            return family.id
    raise KeystoreError("not a keystore of a kind that Cambist reads")


def watch_only(family: str, address: str) -> str:
    """The text of a file that watches an address."""
    return json.dumps(
        {"type": _WATCH_KIND, "version": 1, "family": family, "address": address}, indent=2
    )


def _entry(name: str, path: Path) -> Entry:
    try:
        document = files.read(path)
        if document.get("type") == _WATCH_KIND:
            family = FAMILIES[str(document["family"])]
            address = family.parse_address(str(document["address"]))
            return Entry(WalletInfo(name, family.id, address, watch_only=True), document)
        family = FAMILIES[family_of(document)]
    except (ValueError, KeyError) as error:
        problem = str(error) if isinstance(error, ValueError) else "not a complete watch-only file"
        return Entry(WalletInfo(name, "", "", problem=problem), {})
    try:
        address = family.stated_address(document)
    except ValueError as error:
        return Entry(WalletInfo(name, family.id, "", problem=f"stated address: {error}"), document)
    return Entry(WalletInfo(name, family.id, address), document)
