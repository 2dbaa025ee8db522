"""Known tokens of all networks: a registry each, and what users added, kept in a file."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from chains.tokens import TokenRegistry
from core.errors import Reason, Refused
from core.ports import Network, NetworkInfo
from core.tokens import Token
from daemon.config import ConfigError


class Tokens:
    """A live collection of the tokens of every network that was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.version = 0  # counts changes
        self._registries: dict[str, TokenRegistry] = {}
        self._added: list[Token] = []
        if path.exists():
            self._added = _read(path)

    def __iter__(self) -> Iterator[Token]:
        for registry in self._registries.values():
            yield from registry.tokens()

    def __len__(self) -> int:
        return sum(len(registry.tokens()) for registry in self._registries.values())

    def __contains__(self, token: object) -> bool:
        return any(token == known for known in self)

    def open(self, info: NetworkInfo, more: Iterable[Token] = ()) -> None:
        """Loads a network's list; `more` are tokens that come with this network besides."""
        added = [token for token in self._added if token.network == info.id]
        self._registries[info.id] = TokenRegistry(info, [*more, *added])
        self.version += 1

    def list(self, network: str) -> Sequence[Token]:
        """The known tokens of a network, the native coin first."""
        registry = self._registries.get(network)
        return registry.tokens() if registry else ()

    async def find(self, network: Network, text: str) -> Token:
        """By address (known, or read from the chain), or by a symbol that means one token.

        Raises TOKEN_NOT_FOUND, or TOKEN_AMBIGUOUS with the candidates.
        """
        registry = self._registries[network.info.id]
        if text and network.is_address(text) and registry.by_address(text) is None:
            return await network.token(text)
        return registry.find(text)

    async def add(self, network: Network, address: str) -> Token:
        """Remembers what the chain says of a token."""
        if not network.is_address(address):
            raise Refused(
                Reason.FIELD_INVALID,
                f"address is no address of {network.info.id}",
                {"field": "address", "value": address[:80]},
            )
        token = await network.token(address)
        self._registries[network.info.id].add(token)
        self.version += 1
        if token not in self._added:
            self._added.append(token)
            self._save()
        return token

    def remove(self, network: Network, address: str) -> None:
        """Forgets a token that was added; TOKEN_NOT_FOUND for any other."""
        known = self._registries[network.info.id].by_address(address)
        if known is None or known not in self._added:
            raise Refused(
                Reason.TOKEN_NOT_FOUND,
                f"{address} was not added on {network.info.id}; bundled tokens stay",
                {"network": network.info.id, "token": address},
            )
        self._registries[network.info.id].remove(address)
        self.version += 1
        self._added.remove(known)
        self._save()

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(token) for token in self._added], indent=1))
        os.replace(fresh, self._path)


def _read(path: Path) -> list[Token]:
    try:
        return [Token(**fields) for fields in json.loads(path.read_text())]
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): mend it, or move it away; it has only the tokens "
            "that were added by hand"
        ) from None
