"""The tokens that a network is known to have: bundled ones, and what its user adds.

A token is its address. A symbol is only a way to search, and one that means two tokens is an error.
"""

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files

from chains.tokens.symbols import by_symbol, unknown
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
            raise unknown(address, self._info)

    def by_address(self, address: str) -> Token | None:
        """None where it is not known here; the chain may still know it. "" is the native coin."""
        return self._tokens.get(self._key(address)) if address else self._native

    def find(self, text: str) -> Token:
        """By address, or by symbol in any case; "native" is the native coin, whatever tokens share
        its symbol. Refused with TOKEN_NOT_FOUND, or TOKEN_AMBIGUOUS with the candidates."""
        return self._tokens.get(self._key(text)) or by_symbol(text, self.tokens(), self._info)

    def _key(self, address: str) -> str:
        """Hex has no case, base58 has."""
        return address.lower() if self._info.family == "evm" else address
