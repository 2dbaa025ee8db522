"""Signed tokens: what they say, and that the venue's side of the key agrees."""

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from cex.engine.credentials import Credentials
from cex.engine.jwt import JwtSigner
from cex.engine.spec import Draft, Layout, Moment
from core.clock import SECOND

SIGNER = JwtSigner("api.coinbase.com")
NAME = "organizations/o/apiKeys/k"
MOMENT = Moment(1_700_000_000 * SECOND + 999, 0xABC)
P256 = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
SEED = bytes(range(32))
ED25519 = Ed25519PrivateKey.from_private_bytes(SEED)


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    written: bytes = key.private_bytes(Encoding.PEM, form, NoEncryption())
    return written.decode()


SEC1 = pem(P256, PrivateFormat.TraditionalOpenSSL)
SECRETS = {
    "SEC1": ("ES256", SEC1),
    "SEC1 as in a JSON file": ("ES256", SEC1.replace("\n", "\\n")),
    "PKCS8": ("ES256", pem(P256)),
    "Ed25519 in PEM": ("EdDSA", pem(ED25519)),
    "Ed25519 seed": ("EdDSA", base64.b64encode(SEED).decode()),
    "Ed25519 as the venue gives it": (
        "EdDSA",
        base64.b64encode(SEED + ED25519.public_key().public_bytes_raw()).decode() + "\n",
    ),
}


def parts(token: str) -> tuple[Any, Any, bytes, bytes]:
    """Head, claims, what is signed, the signature."""
    signed, _, last = token.rpartition(".")
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for part in (*signed.split("."), last)
    )
    return json.loads(head), json.loads(claims), signed.encode(), signature


@pytest.mark.parametrize("name", SECRETS)
def test_a_request_has_a_token_that_verifies(name: str) -> None:
    algorithm, secret = SECRETS[name]
    draft = Draft("GET", "/api/v3/brokerage/accounts", Layout.QUERY, {"limit": 250})
    made = SIGNER.sign(draft, Credentials(NAME, secret), MOMENT)
    assert made.target == "/api/v3/brokerage/accounts?limit=250"
    assert made.headers["Content-Type"] == "application/json"
    word, _, token = made.headers["Authorization"].partition(" ")
    assert word == "Bearer"
    head, claims, signed, signature = parts(token)
    assert head == {"typ": "JWT", "alg": algorithm, "kid": NAME, "nonce": f"{0xABC:032x}"}
    assert claims == {
        "sub": NAME,
        "iss": "cdp",
        "nbf": 1_700_000_000,
        "exp": 1_700_000_120,
        "uri": "GET api.coinbase.com/api/v3/brokerage/accounts",  # without the query
    }
    verify(algorithm, signed, signature)
    with pytest.raises(InvalidSignature):
        verify(algorithm, signed + b"x", signature)


def verify(algorithm: str, signed: bytes, signature: bytes) -> None:
    """Raises InvalidSignature."""
    assert len(signature) == 64
    if algorithm == "EdDSA":
        ED25519.public_key().verify(signature, signed)
    else:
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        written = utils.encode_dss_signature(r, s)
        P256.public_key().verify(written, signed, ec.ECDSA(SHA256()))


def test_the_same_moment_makes_the_same_token_and_another_nonce_another() -> None:
    credentials = Credentials(NAME, SEC1)
    assert SIGNER.token(credentials, MOMENT) == SIGNER.token(credentials, MOMENT)
    assert SIGNER.token(credentials, MOMENT) != SIGNER.token(credentials, Moment(MOMENT.now, 1))
    _, claims, _, _ = parts(SIGNER.token(credentials, MOMENT))
    assert "uri" not in claims  # of a websocket's message


@pytest.mark.parametrize(
    "secret",
    [
        "a password",
        base64.b64encode(b"too short").decode(),
        "-----BEGIN EC PRIVATE KEY-----\nrubbish\n-----END EC PRIVATE KEY-----",
        pem(ec.derive_private_key(1, ec.SECP384R1())),
        P256.private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            BestAvailableEncryption(b"locked"),
        ).decode(),
    ],
    ids=["no key", "short", "broken", "another curve", "encrypted"],
)
def test_a_key_that_cannot_sign_is_told_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError) as caught:
        SIGNER.token(Credentials(NAME, secret), MOMENT)
    assert secret not in str(caught.value)
