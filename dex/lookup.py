"""Tokens by address or symbol, for one network."""

from chains.evm.codec import checksum
from chains.tokens.symbols import by_symbol
from core.errors import Reason, Refused
from core.tokens import Token
from dex.network import PoolNetwork
from dex.pools import PoolDirectory
from dex.refusals import invalid

_REMEMBERED = 4_096


class TokenLookup:
    """The token list first, the chain for addresses that it lacks. Symbols never decide between
    two tokens."""

    def __init__(self, network: PoolNetwork, directory: PoolDirectory, wrapped: str = "") -> None:
        self._network = network
        self._directory = directory
        self._wrapped = wrapped
        self._found: dict[str, Token] = {}  # by what was written
        self._version = -1

    async def find(self, text: str) -> Token:
        """By address, or by symbol: exact before any case. TOKEN_NOT_FOUND, TOKEN_AMBIGUOUS."""
        version = self._directory.tokens_version
        if version != self._version or len(self._found) >= _REMEMBERED:
            self._found.clear()
            self._version = version
        found = self._found.get(text)
        if found is None:
            found = self._found[text] = await self._find(text)
        return found

    async def _find(self, text: str) -> Token:
        if self._network.is_address(text):
            return await self.at(checksum(text))
        return by_symbol(text, self._directory.listed(), self._network.info)

    async def at(self, address: str) -> Token:
        """The token of an address; asks the chain for one that is not listed."""
        return self._directory.listed_at(address) or await self._network.token(address)

    def address(self, text: str, field: str) -> str:
        """An address in its checksummed spelling; Refused with FIELD_INVALID for anything else."""
        if not self._network.is_address(text):
            network = self._network.info.id
            raise invalid(field, text, f"{text[:80]!r} is not an address of {network}")
        return checksum(text)

    def erc20(self, token: Token) -> Token:
        """The token that stands for another in a pool: the wrapped one for the native coin."""
        info = self._network.info
        if token.network != info.id:
            raise Refused(
                Reason.TOKEN_NOT_FOUND,
                f"{token.symbol} is a token of {token.network}, this venue is on {info.id}",
                {"network": info.id, "token": token.address},
            )
        if not token.is_native:
            return token
        wrapped = self._directory.listed_at(self._wrapped) if self._wrapped else info.wrapped
        if wrapped is None:
            raise Refused(
                Reason.TOKEN_NOT_FOUND,
                f"no wrapped {token.symbol} is known on {info.id}",
                {"network": info.id, "token": token.symbol},
            )
        return wrapped
