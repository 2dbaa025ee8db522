"""Keys and addresses of Solana: ed25519 and base58.

Every function that reads input raises ValueError, which never repeats the input.
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from chains.solana import base58
from chains.wallets.secret import Secret


def generate() -> Secret:
    """A new 32-byte seed."""
    return Secret(secrets.token_bytes(32))


def parse_key(text: Secret) -> Secret:
    """The seed in base58 of 64 bytes (seed and public key, as wallets export it) or of a 32-byte
    seed; or in the JSON array of 64 numbers that solana-keygen writes."""
    key = _decode(text)
    if key is None or len(key.reveal()) not in (32, 64):
        raise ValueError("a Solana key is base58 of 64 bytes, or a JSON array of 64 numbers")
    seed = Secret(key.reveal()[:32])
    if len(key.reveal()) == 64 and base58.encode(key.reveal()[32:]) != address(seed):
        raise ValueError("the second half of the Solana key is not its public key: mistyped?")
    return seed


def _decode(text: Secret) -> Secret | None:
    # Errors of these decoders carry their input: they must not become anybody's context.
    try:
        if text.reveal().strip().startswith(b"["):
            return Secret(bytes(json.loads(text.reveal())))
        return Secret(base58.decode(text.reveal().decode("ascii").strip()))
    except (ValueError, TypeError, RecursionError):
        return None


def parse_address(text: str) -> str:
    """The same text, if it is base58 of 32 bytes."""
    if len(base58.decode(text)) != 32:
        raise ValueError("a Solana address is base58 of 32 bytes")
    return text


def address(secret: Secret) -> str:
    """The address of a seed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(secret.reveal())
    return base58.encode(key.public_key().public_bytes_raw())


def signer(secret: Secret) -> Callable[[bytes], bytes]:
    """Signs messages of any length, 64 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret.reveal()).sign


def stated_address(document: dict[str, Any]) -> str:
    """The address that a keystore says it holds."""
    return parse_address(str(document.get("address", "")))
