"""Structured data and its hash, as wallets sign it: EIP-712. Pure.

Source: https://eips.ethereum.org/EIPS/eip-712.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm.abi import WORD, address_word, uint_word
from chains.evm.codec import is_address, keccak

PREFIX = b"\x19\x01"

Types = Mapping[str, Sequence[tuple[str, str]]]
"""Each struct's members: their types and names, in order."""

_ARRAY = re.compile(r"(.+)\[(\d*)\]", re.ASCII)
_NUMBER = re.compile(r"(u?)int(\d{1,3})", re.ASCII)
_FIXED = re.compile(r"bytes([1-9]\d?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Domain:
    """For whom a signature is: one contract on one chain. What is None is no part of it."""

    chain_id: int
    contract: str
    name: str | None = None
    version: str | None = None

    def separator(self) -> bytes:
        """The hash that contracts call DOMAIN_SEPARATOR."""
        given: list[tuple[str, str, Any]] = [
            ("string", "name", self.name),
            ("string", "version", self.version),
            ("uint256", "chainId", self.chain_id),
            ("address", "verifyingContract", self.contract),
        ]
        members = [(kind, name) for kind, name, value in given if value is not None]
        return struct_hash(
            "EIP712Domain",
            {"EIP712Domain": members},
            {name: value for _, name, value in given if value is not None},
        )


@dataclass(frozen=True, slots=True)
class TypedData:
    """What is signed: a message of the type `primary`, for a domain."""

    domain: Domain
    primary: str
    types: Types
    message: Mapping[str, Any]

    def preimage(self) -> bytes:
        """66 bytes, whose Keccak-256 is signed. ValueError for a message that is not of its
        type."""
        hashed = struct_hash(self.primary, self.types, self.message)
        return PREFIX + self.domain.separator() + hashed

    def digest(self) -> bytes:
        """The 32 bytes that are signed."""
        return keccak(self.preimage())


def type_text(primary: str, types: Types) -> str:
    """encodeType: the struct, and behind it those that it is made of, by name."""
    others = sorted(set(_needed(primary, types)) - {primary})
    return "".join(
        f"{name}({','.join(f'{kind} {member}' for kind, member in types[name])})"
        for name in (primary, *others)
    )


def struct_hash(primary: str, types: Types, message: Mapping[str, Any]) -> bytes:
    """hashStruct."""
    members = types[primary]
    if set(message) != {name for _, name in members}:
        raise ValueError(f"a {primary} has {[name for _, name in members]}, not {list(message)}")
    words = [_word(kind, message[name], types) for kind, name in members]
    return keccak(keccak(type_text(primary, types).encode()) + b"".join(words))


def _needed(name: str, types: Types) -> Iterable[str]:
    """A struct and all that it is made of, each once."""
    found, waiting = set[str](), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [base for kind, _ in types[one] if (base := _base(kind)) in types]
    return found


def _base(kind: str) -> str:
    """The type of what an array, of whatever depth, is of."""
    return kind.partition("[")[0]


def _word(kind: str, value: Any, types: Types) -> bytes:
    """encodeData of one member; ValueError for a value that is not of its type."""
    array = _ARRAY.fullmatch(kind)
    if array is not None:
        inner, count = array.groups()
        if count and len(value) != int(count):
            raise ValueError(f"{len(value)} values for a {kind}")
        return keccak(b"".join(_word(inner, one, types) for one in value))
    if kind in types:
        return struct_hash(kind, types, value)
    return _atom(kind, value)


def _atom(kind: str, value: Any) -> bytes:
    if kind == "string" and isinstance(value, str):
        return keccak(value.encode())
    if kind == "bytes" and isinstance(value, bytes):
        return keccak(value)
    if kind == "bool" and isinstance(value, bool):
        return uint_word(int(value))
    if kind == "address" and isinstance(value, str) and is_address(value):
        return address_word(value)
    fixed = _FIXED.fullmatch(kind)
    if fixed is not None and isinstance(value, bytes) and len(value) == int(fixed[1]) <= WORD:
        return value + bytes(WORD - len(value))
    number = _NUMBER.fullmatch(kind)
    if number is not None and isinstance(value, int) and not isinstance(value, bool):
        bits = int(number[2])
        low, high = (0, 1 << bits) if number[1] else (-(1 << bits - 1), 1 << bits - 1)
        if bits % 8 == 0 and 0 < bits <= 256 and low <= value < high:
            return uint_word(value % (1 << 256))
    raise ValueError(f"{value!r:.80} is no {kind:.40}")
