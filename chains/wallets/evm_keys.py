"""Keys and addresses of EVM chains: secp256k1, Keccak, EIP-55.

Every function that reads input raises ValueError, which never repeats the input.
"""

import re
import secrets
from collections.abc import Callable
from typing import Any

from chains.wallets.secret import Secret

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_ADDRESS = re.compile(r"[0-9a-fA-F]{40}", re.ASCII)
_HEX = re.compile(rb"[0-9a-fA-F]{64}")


def generate() -> Secret:
    """A new private key."""
    return Secret((secrets.randbelow(_ORDER - 1) + 1).to_bytes(32, "big"))


def parse_key(text: Secret) -> Secret:
    """64 hexadecimal digits, with or without 0x."""
    digits = Secret(text.reveal().strip().removeprefix(b"0x"))
    if not _HEX.fullmatch(digits.reveal()):
        raise ValueError("an EVM private key is 64 hexadecimal digits")
    key = Secret(bytes.fromhex(digits.reveal().decode()))
    if not 0 < int.from_bytes(key.reveal(), "big") < _ORDER:
        raise ValueError("an EVM private key lies between 0 and the curve's order")
    return key


def checksum_address(raw: bytes) -> str:
    """EIP-55 of a 20-byte address."""
    from eth_hash.auto import keccak

    plain = raw.hex()
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(nibble, 16) >= 8 else letter
        for letter, nibble in zip(plain, digest, strict=False)
    )


def parse_address(text: str) -> str:
    """The EIP-55 spelling. Mixed case must already be right; one case has no check."""
    body = text[2:] if text.startswith(("0x", "0X")) else text
    if not _ADDRESS.fullmatch(body):
        raise ValueError("an EVM address is 40 hexadecimal digits")
    canonical = checksum_address(bytes.fromhex(body))
    if body not in (body.lower(), body.upper()) and body != canonical[2:]:
        raise ValueError("the upper and lower case letters do not fit EIP-55: a mistyped address?")
    return canonical


def address(secret: Secret) -> str:
    """The address of a private key."""
    import coincurve

    public = coincurve.PrivateKey(secret.reveal()).public_key.format(compressed=False)
    return address_of(public[1:])


def address_of(public: bytes) -> str:
    """The address of a public key: 64 bytes, x and y."""
    from eth_hash.auto import keccak

    return checksum_address(keccak(public)[12:])


def signer(secret: Secret) -> Callable[[bytes], bytes]:
    """Signs 32-byte digests: r, s (low) and the recovery id 0 or 1, 65 bytes."""
    import coincurve

    key = coincurve.PrivateKey(secret.reveal())

    def sign(digest: bytes) -> bytes:
        if len(digest) != 32:
            raise ValueError("an EVM signature is made over a 32-byte digest")
        return bytes(key.sign_recoverable(digest, hasher=None))  # libsecp256k1: always low-s

    return sign


def digest(unsigned: bytes) -> bytes:
    """What is signed of a serialized transaction."""
    from eth_hash.auto import keccak

    return keccak(unsigned)


def is_typed_preimage(data: bytes) -> bool:
    """Whether bytes look like what EIP-712 has hashed: 0x1901 and two hashes. No transaction begins
    so."""
    return len(data) == 66 and data.startswith(b"\x19\x01")


def stated_address(document: dict[str, Any]) -> str:
    """The address that a keystore says it holds; "" where it says none."""
    stated = document.get("address")  # some tools leave it out for privacy
    return parse_address(str(stated)) if stated else ""
