"""The tokens that a network is known to have: bundled ones, and what its user adds.

A token is its address. A symbol is only a way to search, and one that means two tokens is an error.
"""

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files

from core.errors import Reason, Refused
from core.ports import NetworkInfo
from core.tokens import Token


def bundled(network: str) -> list[Token]:
    """The list that comes with Cambist; empty for a network without one."""
    resource = files("chains.tokens") / f"{network}.json"
    if not resource.is_file():
        return []
    return [Token(network=network, **entry) for entry in json.loads(resource.read_text())]


class TokenRegistry:
    """Tokens of one network by address and by symbol; the native coin and its wrapped form are
    always among them."""

    def __init__(self, info: NetworkInfo, more: Iterable[Token] = ()) -> None:
        self._info = info
        self._native = info.native
        self._tokens: dict[str, Token] = {}
        for token in (*bundled(info.id), *([info.wrapped] if info.wrapped else []), *more):
            self._tokens.setdefault(self._key(token.address), token)

    def tokens(self) -> Sequence[Token]:
        """All, the native coin first."""
        return [self._native, *self._tokens.values()]

    def add(self, token: Token) -> None:
        """Refused with FIELD_INVALID for another network's token, or for the native coin."""
        if token.network != self._info.id or token.is_native:
            raise Refused(
                Reason.FIELD_INVALID,
                f"token: {token.symbol} is no token of {self._info.name} with an address",
                {"field": "token"},
            )
        self._tokens[self._key(token.address)] = token

    def remove(self, address: str) -> None:
        """TOKEN_NOT_FOUND if it is not there."""
        if self._tokens.pop(self._key(address), None) is None:
            raise self._unknown(address)

    def by_address(self, address: str) -> Token | None:
        """None where it is not known here; the chain may still know it. "" is the native coin."""
        return self._tokens.get(self._key(address)) if address else self._native

    def find(self, text: str) -> Token:
        """By address, or by symbol in any case. Refused with TOKEN_NOT_FOUND, or TOKEN_AMBIGUOUS
        with the addresses of the candidates."""
        known = self._tokens.get(self._key(text))
        if known is not None:
            return known
        exact = [token for token in self.tokens() if token.symbol == text]
        found = exact or [
            token for token in self.tokens() if token.symbol.casefold() == text.casefold()
        ]
        if not found:
            raise self._unknown(text)
        if len(found) > 1:
            candidates = ", ".join(f"{token.address} ({token.name})" for token in found)
            raise Refused(
                Reason.TOKEN_AMBIGUOUS,
                f"{text} means {len(found)} tokens of {self._info.name}: {candidates}; "
                "name the address",
                {
                    "token": text,
                    "network": self._info.id,
                    "candidates": ",".join(token.address for token in found),
                },
            )
        return found[0]

    def _key(self, address: str) -> str:
        """Hex has no case, base58 has."""
        return address.lower() if self._info.family == "evm" else address

    def _unknown(self, text: str) -> Refused:
        return Refused(
            Reason.TOKEN_NOT_FOUND,
            f"{self._info.name} lists no token {text[:80]!r}; name its address, or add it",
            {"token": text[:80], "network": self._info.id},
        )
