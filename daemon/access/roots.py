"""The roots that tokens are made from: a key pair each, one a bot, so that one bot can be revoked.

Kept in a file that only its owner can read. A revoked root stays, without its private key, so that
its tokens are recognised as revoked rather than as forged.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.clock import Clock
from core.errors import Reason, Refused
from daemon.config import ConfigError


@dataclass(frozen=True, slots=True)
class Root:
    """`id` travels in its tokens. `private_key` is "" once it is revoked. Times in ns."""

    id: int
    name: str
    public_key: str
    private_key: str
    create_time: int
    last_use_time: int = 0

    @property
    def revoked(self) -> bool:
        """Whether none of its tokens is worth anything."""
        return not self.private_key


class Roots:
    """All roots, the newest of a name last."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._roots: dict[int, Root] = {}
        self._unsaved: dict[str, Root] = {}  # revoked, which the disk did not keep yet
        if path.exists():
            self._roots = {root.id: root for root in _read(path)}

    def __iter__(self) -> Iterator[Root]:
        return iter(sorted(self._roots.values(), key=lambda root: (root.name, root.id)))

    def get(self, id: int) -> Root | None:
        """The root that a token names, revoked ones too."""
        return self._roots.get(id)

    def named(self, name: str) -> Root | None:
        """The root of a name that is in force."""
        return next((r for r in self._roots.values() if r.name == name and not r.revoked), None)

    def take(self, name: str) -> Root:
        """The root of a name, made where there is none."""
        from biscuit_auth import KeyPair

        root = self.named(name)
        if root is None:
            id = max(self._roots, default=0) + 1
            pair = KeyPair()
            public, private = str(pair.public_key), str(pair.private_key)
            root = self._roots[id] = Root(id, name, public, private, self._clock.now())
            try:
                self.save()
            except OSError as error:
                del self._roots[id]
                raise self._full(error, "no token was made") from error
        return root

    def revoke(self, name: str) -> Root:
        """Forgets a root's key. TOKEN_ROOT_NOT_FOUND where no root in force has the name;
        JOURNAL_UNAVAILABLE where the disk does not keep it: then it is revoked for now only, and
        may be revoked again."""
        root = self.named(name) or self._unsaved.get(name)
        if root is None:
            raise Refused(
                Reason.TOKEN_ROOT_NOT_FOUND,
                f"no token root {name!r} is in force: 'cambist token list' shows them",
                {"root": name},
            )
        self._roots[root.id] = replace(root, private_key="")
        try:
            self.save()
        except OSError as error:
            self._unsaved[name] = self._roots[root.id]
            words = f"the tokens of {name} are worthless until the daemon restarts: revoke again"
            raise self._full(error, words) from error
        self._unsaved.pop(name, None)
        return self._roots[root.id]

    def _full(self, error: OSError, words: str) -> Refused:
        return Refused(
            Reason.JOURNAL_UNAVAILABLE,
            f"{self._path} cannot be written ({error.strerror or error}): {words}",
        )

    def used(self, id: int) -> None:
        """Notes that a token of a root was used; kept in memory until the next `save`."""
        self._roots[id] = replace(self._roots[id], last_use_time=self._clock.now())

    def save(self) -> None:
        """Writes the file anew: all of it or none."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_suffix(".new")
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump([asdict(root) for root in self._roots.values()], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def _read(path: Path) -> list[Root]:
    try:
        return [Root(**row) for row in json.loads(path.read_text())]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): put it back from a copy, or remove it; all tokens "
            "are then worthless and are made anew"
        ) from error
