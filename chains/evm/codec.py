"""Hex, hashes and addresses, as JSON-RPC and EIP-55 spell them.

https://ethereum.org/en/developers/docs/apis/json-rpc/#conventions, https://eips.ethereum.org/EIPS/eip-55
"""

import re
from functools import lru_cache

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_HASH = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)


def keccak(data: bytes) -> bytes:
    """Keccak-256."""
    from eth_hash.auto import keccak as digest  # imported late: it costs 25 ms, and only EVM pays

    return digest(data)


def quantity(value: int) -> str:
    """An integer as a JSON-RPC quantity."""
    return hex(value)


def integer(text: object) -> int:
    """The value of a JSON-RPC quantity, of at most 256 bits; ValueError for anything else."""
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text):
        raise ValueError(f"not a hex quantity: {text!r:.80}")
    return int(text, 16)


def hexadecimal(data: bytes) -> str:
    """Bytes as JSON-RPC data."""
    return "0x" + data.hex()


def unhex(text: object) -> bytes:
    """The bytes of JSON-RPC data; ValueError for anything else."""
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError(f"not hex data: {text!r:.80}")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=16_384)
def checksum(address: str) -> str:
    """The EIP-55 spelling of an address in any case; ValueError if it is not an address."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"not an address: {address!r:.80}")
    low = address[2:].lower()
    digest = keccak(low.encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(nibble, 16) > 7 else letter
        for letter, nibble in zip(low, digest, strict=False)
    )


def is_address(text: str) -> bool:
    """Whether text is an address: one case throughout, or mixed case with a right checksum."""
    if not _ADDRESS.fullmatch(text):
        return False
    body = text[2:]
    return body in (body.lower(), body.upper()) or checksum(text) == text


def is_hash(text: str) -> bool:
    """Whether text is a transaction or block hash."""
    return bool(_HASH.fullmatch(text))


def create_address(sender: str, nonce: int) -> str:
    """The address of the contract that `sender` creates with the transaction `nonce`."""
    from chains.evm.rlp import encode

    return checksum("0x" + keccak(encode([unhex(sender), nonce]))[12:].hex())
