"""A JSON web token a request (RFC 7515, 7519), signed with ES256 or EdDSA, as Coinbase asks for it.

https://docs.cdp.coinbase.com/coinbase-app/authentication-authorization/api-key-authentication
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cex.engine import wire
from cex.engine.credentials import Credentials
from cex.engine.request import lay_out
from cex.engine.spec import Draft, Moment, Request
from core.clock import SECOND

Sign = Callable[[bytes], bytes]


def _written(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _ecdsa(key: Any) -> Sign:
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the private key is not of the curve P-256")
    # Without chance (RFC 6979), so that a broken source of it cannot give the key away.
    scheme = ec.ECDSA(SHA256(), deterministic_signing=True)

    def sign(payload: bytes) -> bytes:
        r, s = utils.decode_dss_signature(key.sign(payload, scheme))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


@lru_cache(maxsize=64)
def _key(secret: str) -> tuple[str, Sign]:
    """The algorithm and the signing of a key: PEM, or an Ed25519 key in base64 (32 bytes, or 64
    with the public one behind). Raises ValueError."""
    # Imported here: whoever has no such account need not pay for it at start.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "PRIVATE KEY" in secret:
        try:
            # Downloaded as JSON, a key has its line ends spelled out.
            key: Any = load_pem_private_key(secret.replace("\\n", "\n").encode(), password=None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(f"the private key cannot be read: {type(error).__name__}") from None
    else:
        raw = base64.b64decode("".join(secret.split()), validate=True)
        if len(raw) not in (32, 64):
            raise ValueError("the private key is neither PEM nor an Ed25519 key in base64")
        key = Ed25519PrivateKey.from_private_bytes(raw[:32])
    if isinstance(key, Ed25519PrivateKey):
        return "EdDSA", key.sign
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "ES256", _ecdsa(key)
    raise ValueError("the private key is neither of P-256 nor of Ed25519")


@dataclass(frozen=True, slots=True)
class JwtSigner:
    """A bearer token for one method and path at one host, valid for two minutes.

    `host` is the venue's own, whatever server is asked: it is part of what is signed.
    """

    host: str
    issuer: str = "cdp"
    life: int = 120  # seconds

    def token(self, credentials: Credentials, moment: Moment, uri: str = "") -> str:
        """Of a request, or of a websocket's message (without `uri`). The nonce makes each token
        another. Raises ValueError when the key cannot sign."""
        algorithm, sign = _key(credentials.secret)
        now = moment.now // SECOND
        head = {
            "typ": "JWT",
            "alg": algorithm,
            "kid": credentials.api_key,
            "nonce": f"{moment.nonce:032x}",
        }
        claims = {
            "sub": credentials.api_key,
            "iss": self.issuer,
            "nbf": now,
            "exp": now + self.life,
            **({"uri": uri} if uri else {}),
        }
        signed = _written(wire.encode(head)) + b"." + _written(wire.encode(claims))
        return (signed + b"." + _written(sign(signed))).decode()

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        uri = f"{draft.method} {self.host}{draft.path}"
        token = self.token(credentials, moment, uri)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return lay_out(draft, headers)
