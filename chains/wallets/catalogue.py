"""What lies in a wallet directory, as far as it can be known without the passphrase."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.wallets import files, index
from chains.wallets.families import FAMILIES
from chains.wallets.index import Index
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
    signer: str = ""  # the remote signer that has its key; "" for a key of this store


@dataclass(frozen=True, slots=True)
class Entry:
    """A wallet's file. `document` is empty when the file cannot be read."""

    info: WalletInfo
    document: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What lay in a directory when it had this modification time (ns)."""

    time: int
    entries: dict[str, Entry]
    defaults: dict[str, str]


_NOTHING = _Seen(-1, {}, {})


class Catalogue:
    """A wallet directory: what is in it, and changing it. Read again only when a file of it came,
    went or was replaced; `list` is asked for often."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._seen = _NOTHING

    @property
    def exists(self) -> bool:
        """Whether this is a store already."""
        return (self.directory / index.FILE).exists()

    def entries(self) -> dict[str, Entry]:
        """All wallets by name; a damaged file is an entry with a problem, never an error."""
        return self._look().entries

    def defaults(self) -> dict[str, str]:
        """Family to name; empty if the index is damaged, which unlocking will say."""
        return self._look().defaults

    def index(self) -> Index | None:
        """The index as it is on disk; KeystoreError if it is damaged."""
        return index.load(self.directory)

    def save_index(self, changed: Index) -> None:
        """Replaces the index."""
        index.save(self.directory, changed)
        self.forget()

    def write(self, name: str, text: str) -> None:
        """Writes a wallet's file."""
        files.write(self._path(name), text)
        self.forget()

    def remove(self, name: str) -> None:
        """Deletes a wallet's file."""
        files.remove(self._path(name))
        self.forget()

    def forget(self) -> None:
        """Reads everything again next time: a file may have been edited in place, and two changes
        may share a tick of the file system."""
        self._seen = _NOTHING

    def _look(self) -> _Seen:
        try:
            time = self.directory.stat().st_mtime_ns
        except FileNotFoundError:
            return _NOTHING
        if time != self._seen.time:
            try:
                present = self.index()
            except KeystoreError:
                present = None
            names = files.names(self.directory)
            entries = {name: _entry(name, self._path(name)) for name in names}
            self._seen = _Seen(time, entries, present.defaults if present else {})
        return self._seen

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"


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
