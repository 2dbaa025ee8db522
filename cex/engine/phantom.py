"""Hyperliquid's scheme: an action is hashed as msgpack, and the hash signed as a "phantom agent".

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/signing, and its Python SDK,
which defines the bytes: Keccak-256 of msgpack(action), the nonce, a vault and the time of expiry
becomes the `connectionId` of an EIP-712 message `Agent(string source, bytes32 connectionId)`.
The order of an action's members is part of what is signed.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from cex.engine.credentials import Credentials
from cex.engine.request import lay_out
from cex.engine.spec import Draft, Moment, Request
from chains.evm.codec import keccak
from core.clock import MILLISECOND

if TYPE_CHECKING:
    # Imported for good where a key is read: an account that signs so is the only one who pays.
    from coincurve import PrivateKey

EXCHANGE = "/exchange"


@lru_cache(maxsize=64)
def _private_key(secret: str) -> "PrivateKey":
    from coincurve import PrivateKey

    key = bytes.fromhex(secret.removeprefix("0x"))
    if len(key) != 32:
        raise ValueError("a private key has 32 bytes")
    return PrivateKey(key)


def address_of(secret: str) -> str:
    """The address of a private key, in lower case; ValueError when the secret is none."""
    point = _private_key(secret).public_key.format(compressed=False)
    return "0x" + keccak(point[1:])[-20:].hex()


@lru_cache(maxsize=4)
def _prefixes(source: str) -> tuple[bytes, bytes]:
    """What does not change of the message's digest and of its struct's hash (EIP-712)."""
    types = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    domain = keccak(
        keccak(types.encode())
        + keccak(b"Exchange")
        + keccak(b"1")
        + (1337).to_bytes(32, "big")
        + bytes(32)
    )
    agent = keccak(b"Agent(string source,bytes32 connectionId)") + keccak(source.encode())
    return b"\x19\x01" + domain, agent


def connection_id(action: Any, nonce: int, vault: str, expires: int | None) -> bytes:
    """The hash that stands for an action; `expires` in ms, `vault` as hex or ""."""
    parts = [msgspec.msgpack.encode(action), nonce.to_bytes(8, "big")]
    parts.append(b"\x01" + bytes.fromhex(vault.removeprefix("0x")) if vault else b"\x00")
    if expires is not None:
        parts.append(b"\x00" + expires.to_bytes(8, "big"))
    return keccak(b"".join(parts))


def signature(secret: str, source: str, connection: bytes) -> dict[str, Any]:
    """The signature of a phantom agent; ValueError when the secret is no private key."""
    head, agent = _prefixes(source)
    digest = keccak(head + keccak(agent + connection))
    signed = _private_key(secret).sign_recoverable(digest, hasher=None)
    return {
        "r": hex(int.from_bytes(signed[:32], "big")),
        "s": hex(int.from_bytes(signed[32:64], "big")),
        "v": signed[64] + 27,
    }


@dataclass(frozen=True, slots=True)
class PhantomSigner:
    """Signs actions, and tells questions whose account they are about.

    Of the credentials, `api_key` is the account's address, `secret` the private key of the account
    or of an API wallet that it approved, and `user` the address of a vault or sub-account to trade
    for. `source` is "a" for the main network and "b" for the test network. An action that did not
    get into a block `expires` ns after it was signed has no effect.
    """

    source: str
    expires: int

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        if draft.path == EXCHANGE:
            draft.params = self.envelope(draft.params, credentials, moment)
        else:
            draft.params = {**draft.params, "user": account_of(credentials)}
        return lay_out(draft, {})

    def envelope(self, action: Any, credentials: Credentials, moment: Moment) -> dict[str, Any]:
        """What is posted for an action."""
        vault = credentials.user.lower()
        expires = (moment.now + self.expires) // MILLISECOND
        connection = connection_id(action, moment.nonce, vault, expires)
        return {
            "action": action,
            "nonce": moment.nonce,
            "signature": signature(credentials.secret, self.source, connection),
            "vaultAddress": vault or None,
            "expiresAfter": expires,
        }


def account_of(credentials: Credentials) -> str:
    """The address whose orders and balances are asked for."""
    return (credentials.user or credentials.api_key).lower()
