"""As much of the contract ABI as balances, transfers, multicall and revert reasons need.

https://docs.soliditylang.org/en/latest/abi-spec.html
"""

from collections.abc import Sequence
from functools import lru_cache

from chains.evm.codec import checksum, keccak, unhex

WORD = 32


@lru_cache(maxsize=1024)
def selector(signature: str) -> bytes:
    """The first four bytes of a function's or an error's hash."""
    return keccak(signature.encode())[:4]


def uint_word(value: int) -> bytes:
    """OverflowError for negative values and for more than 256 bits."""
    return value.to_bytes(WORD, "big")


def address_word(address: str) -> bytes:
    return bytes(12) + unhex(address)


def tail(data: bytes) -> bytes:
    """The encoding of dynamic `bytes`: length and content, padded to words."""
    return uint_word(len(data)) + data + bytes(-len(data) % WORD)


def bytes_array(items: Sequence[bytes]) -> bytes:
    """The encoding of a dynamic `bytes[]`: its length, where each begins, and each."""
    heads, bodies, offset = [], [], len(items) * WORD
    for item in items:
        body = tail(item)
        heads.append(uint_word(offset))
        bodies.append(body)
        offset += len(body)
    return uint_word(len(items)) + b"".join(heads) + b"".join(bodies)


def uint_at(data: bytes, index: int = 0) -> int:
    """The integer in the word `index`; ValueError if the data ends before."""
    return int.from_bytes(_slice(data, index * WORD, WORD), "big")


def address_at(data: bytes, index: int = 0) -> str:
    return checksum("0x" + _slice(data, index * WORD, WORD)[12:].hex())


def bytes_at(data: bytes, offset: int) -> bytes:
    """Dynamic bytes whose length word begins at the byte `offset`."""
    length = int.from_bytes(_slice(data, offset, WORD), "big")
    return _slice(data, offset + WORD, length)


def text_at(data: bytes) -> str:
    """A returned `string`, or the `bytes32` that early tokens return in its place."""
    if len(data) == WORD:
        return data.rstrip(b"\0").decode("utf-8", "replace")
    return bytes_at(data, uint_at(data)).decode("utf-8", "replace")


def _slice(data: bytes, start: int, length: int) -> bytes:
    part = data[start : start + length]
    if len(part) != length:
        raise ValueError(f"{len(data)} bytes of result end before {start + length}")
    return part
