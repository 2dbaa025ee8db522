"""Known tokens: bundled lists, those of the sandbox, and those that users added."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from chains.tokens import bundled
from core.errors import Reason, Refused
from core.ports import Network
from core.tokens import Token
from daemon.registry import suggestion


class Tokens:
    """A live collection of tokens of all networks. Additions are kept in `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bundled: dict[tuple[str, str], Token] = {}
        self._added: dict[tuple[str, str], Token] = {}
        if path.exists():
            for fields in json.loads(path.read_text()):
                token = Token(**fields)
                self._added[_key(token.network, token.address)] = token

    def __iter__(self) -> Iterator[Token]:
        return iter((self._bundled | self._added).values())

    def __len__(self) -> int:
        return len(self._bundled.keys() | self._added.keys())

    def __contains__(self, token: object) -> bool:
        return isinstance(token, Token) and token in set(self)

    def bundle(self, tokens: Iterable[Token]) -> None:
        """Adds tokens that come with a network and cannot be removed."""
        for token in tokens:
            self._bundled[_key(token.network, token.address)] = token

    def load(self, network: str) -> None:
        """Adds the list that is bundled for a network."""
        self.bundle(bundled(network))

    def list(self, network: str) -> Sequence[Token]:
        """The known tokens of a network, by symbol."""
        found = [token for token in self if token.network == network]
        return sorted(found, key=lambda token: (token.symbol, token.address))

    async def find(self, network: Network, text: str) -> Token:
        """By address (known or read from the chain), or by a symbol that means one token.

        Raises TOKEN_NOT_FOUND, or TOKEN_AMBIGUOUS with the candidates.
        """
        id_ = network.info.id
        if known := self._at(id_, text):
            return known
        if network.is_address(text):
            return await network.token(text)
        native = network.info.native
        if text == native.symbol:
            return native
        found = [token for token in self.list(id_) if token.symbol.upper() == text.upper()]
        if len(found) == 1:
            return found[0]
        if found:
            candidates = ", ".join(token.address for token in found)
            raise Refused(
                Reason.TOKEN_AMBIGUOUS,
                f"{text!r} is {len(found)} tokens on {id_}: name one by address: {candidates}",
                {"token": text, "candidates": candidates},
            )
        hint = suggestion(text, {token.symbol for token in self.list(id_)})
        raise Refused(
            Reason.TOKEN_NOT_FOUND,
            f"no token {text!r} on {id_}{hint}; or name it by its address",
            {"network": id_, "token": text},
        )

    async def add(self, network: Network, address: str) -> Token:
        """Remembers what the chain says of a token."""
        if not network.is_address(address):
            raise Refused(
                Reason.FIELD_INVALID,
                f"address is no address of {network.info.id}",
                {"field": "address", "value": address[:80]},
            )
        token = await network.token(address)
        self._added[_key(token.network, token.address)] = token
        self._save()
        return token

    def remove(self, network: Network, address: str) -> None:
        """Forgets a token that was added; TOKEN_NOT_FOUND for any other."""
        if self._added.pop(_key(network.info.id, address), None) is None:
            raise Refused(
                Reason.TOKEN_NOT_FOUND,
                f"{address} was not added on {network.info.id}; bundled tokens stay",
                {"network": network.info.id, "token": address},
            )
        self._save()

    def _at(self, network: str, address: str) -> Token | None:
        key = _key(network, address)
        return self._added.get(key) or self._bundled.get(key)

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(token) for token in self._added.values()], indent=1))
        os.replace(fresh, self._path)


def _key(network: str, address: str) -> tuple[str, str]:
    # Hexadecimal addresses differ in case only by their checksum; base58 ones do differ.
    return network, address.lower() if address.startswith("0x") else address
