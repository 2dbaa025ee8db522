"""Tokens: chain and address are the identity, the symbol is only a way to search."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a network. `address` is "" for the native coin; checksummed hex or base58 else."""

    network: str
    address: str
    symbol: str
    decimals: int
    name: str = ""

    @property
    def is_native(self) -> bool:
        """Whether this is the network's own coin."""
        return not self.address
