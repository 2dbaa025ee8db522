"""Schemes of authentication. A venue names one of these in its table; all are pure."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256, sha512
from typing import Any, Protocol, cast
from urllib.parse import unquote

from cex.engine.credentials import Credentials
from cex.engine.request import lay_out, query_string
from cex.engine.spec import Draft, Moment, Request
from core.clock import MILLISECOND, SECOND


def hmac_hex(secret: str, payload: str, digest: str = "sha256") -> str:
    """HMAC in lower-case hexadecimal."""
    return hmac.digest(secret.encode(), payload.encode(), digest).hex()


class _PrivateKey(Protocol):
    def sign(self, data: bytes) -> bytes: ...


@lru_cache(maxsize=64)
def _ed25519_key(pem: str) -> _PrivateKey:
    # Imported here: most accounts sign with HMAC and need not pay for it at start.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the private key is not an Ed25519 key")
    return cast(_PrivateKey, key)


def hmac_or_ed25519(secret: str, payload: str) -> str:
    """Hexadecimal HMAC-SHA256, or base64 of an Ed25519 signature when the secret is a PEM key."""
    if "PRIVATE KEY" in secret:
        return base64.b64encode(_ed25519_key(secret).sign(payload.encode())).decode()
    return hmac_hex(secret, payload)


def hmac_base64(secret: str, payload: str) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), payload.encode(), "sha256")).decode()


def iso_time(now: int) -> str:
    """A time in ns as UTC in ISO 8601, with milliseconds."""
    seconds, rest = divmod(now // MILLISECOND, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


@dataclass(frozen=True, slots=True)
class PassphraseSigner:
    """Time, method, path with query and body, signed into headers beside a passphrase.

    OKX and its like: `<prefix>-KEY`, `-SIGN`, `-TIMESTAMP`, `-PASSPHRASE`. Where keys have a
    version (KuCoin), it goes along, the passphrase is signed too, the time is in milliseconds, and
    what is signed is the query as it was before it was percent-encoded.
    """

    prefix: str
    key_version: str = ""

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        made = lay_out(draft, {})
        time, passphrase, target = iso_time(moment.now), credentials.passphrase, made.target
        version = {}
        if self.key_version:
            time, target = str(moment.now // MILLISECOND), unquote(target)
            passphrase = hmac_base64(credentials.secret, passphrase)
            version = {f"{self.prefix}-KEY-VERSION": self.key_version}
        payload = f"{time}{made.method}{target}{made.body.decode()}"
        signed = {
            f"{self.prefix}-KEY": credentials.api_key,
            f"{self.prefix}-SIGN": hmac_base64(credentials.secret, payload),
            f"{self.prefix}-TIMESTAMP": time,
            f"{self.prefix}-PASSPHRASE": passphrase,
        }
        return replace(made, headers={**made.headers, **version, **signed})

    def sign_login(self, path: str, credentials: Credentials, moment: Moment) -> dict[str, str]:
        """What a websocket's login says: as for a GET of `path`, with the time in seconds."""
        time = str(moment.now // SECOND)
        return {
            "apiKey": credentials.api_key,
            "passphrase": credentials.passphrase,
            "timestamp": time,
            "sign": hmac_base64(credentials.secret, f"{time}GET{path}"),
        }


@dataclass(frozen=True, slots=True)
class LinesSigner:
    """Method, path, query, the body's SHA-512 and the time in seconds, a line each, under
    HMAC-SHA512; key, time and signature in headers.

    Gate: `KEY`, `Timestamp`, `SIGN`. Signed is the query as it was before it was percent-encoded.
    What changes something is turned away when it arrives later than `valid` ns after it left.
    """

    valid: int

    def expiry(self, moment: Moment) -> dict[str, str]:
        """Until when a request may be carried out, in milliseconds."""
        return {"x-gate-exptime": str((moment.now + self.valid) // MILLISECOND)}

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        time = str(moment.now // SECOND)
        made = lay_out(draft, {"Content-Type": "application/json"})
        body = sha512(made.body).hexdigest()
        payload = "\n".join((made.method, made.path, unquote(made.query), body, time))
        signature = hmac_hex(credentials.secret, payload, "sha512")
        signed = {"KEY": credentials.api_key, "Timestamp": time, "SIGN": signature}
        expiry = {} if made.method == "GET" else self.expiry(moment)
        return replace(made, headers={**made.headers, **signed, **expiry})

    def sign_event(
        self, channel: str, event: str, credentials: Credentials, moment: Moment
    ) -> dict[str, str]:
        """The `auth` of a websocket's request; its time is that of the moment in seconds."""
        payload = f"channel={channel}&event={event}&time={moment.now // SECOND}"
        signature = hmac_hex(credentials.secret, payload, "sha512")
        return {"method": "api_key", "KEY": credentials.api_key, "SIGN": signature}

    def sign_login(self, channel: str, credentials: Credentials, moment: Moment) -> dict[str, str]:
        """What the login of a websocket that takes orders says: key, time, signature."""
        time = str(moment.now // SECOND)
        signature = hmac_hex(credentials.secret, f"api\n{channel}\n\n{time}", "sha512")
        return {"api_key": credentials.api_key, "signature": signature, "timestamp": time}


@dataclass(frozen=True, slots=True)
class KeySigner:
    """The key in a header, and no signature: what Binance's listen keys are asked for with."""

    key_header: str

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        return lay_out(draft, {self.key_header: credentials.api_key})


@dataclass(frozen=True, slots=True)
class QuerySigner:
    """Parameters with a timestamp, signed as one query string, the key in a header.

    Binance and its like: `timestamp=…&<parameters>&recvWindow=…&signature=…`.
    """

    key_header: str
    receive_window: int  # ms

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        params = {
            "timestamp": moment.now // MILLISECOND,
            **draft.params,
            "recvWindow": self.receive_window,
        }
        encoded = query_string(params)
        signature = query_string({"signature": hmac_or_ed25519(credentials.secret, encoded)})
        return lay_out(draft, {self.key_header: credentials.api_key}, f"{encoded}&{signature}")

    def sign_parameters(
        self, params: Mapping[str, Any], credentials: Credentials, moment: Moment
    ) -> dict[str, Any]:
        """Parameters of a websocket request: sorted by name, not percent-encoded, then signed."""
        full = {
            **params,
            "apiKey": credentials.api_key,
            "recvWindow": self.receive_window,
            "timestamp": moment.now // MILLISECOND,
        }
        ordered = dict(sorted(full.items()))
        payload = "&".join(f"{name}={value}" for name, value in ordered.items())
        return {**ordered, "signature": hmac_or_ed25519(credentials.secret, payload)}


@dataclass(frozen=True, slots=True)
class HeaderSigner:
    """Key, time, window and signature in headers; signed is what is sent, after the first three.

    Bybit: hexadecimal HMAC-SHA256 of `<timestamp><key><window><query or body>`.
    """

    prefix: str  # of the headers' names
    receive_window: int  # ms

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer."""
        time, window = str(moment.now // MILLISECOND), str(self.receive_window)
        headers = {
            "Content-Type": "application/json",
            f"{self.prefix}API-KEY": credentials.api_key,
            f"{self.prefix}TIMESTAMP": time,
            f"{self.prefix}RECV-WINDOW": window,
        }
        request = lay_out(draft, headers)
        payload = f"{time}{credentials.api_key}{window}{request.query or request.body.decode()}"
        headers[f"{self.prefix}SIGN"] = hmac_hex(credentials.secret, payload)
        return request


@dataclass(frozen=True, slots=True)
class NonceSigner:
    """A number that only grows ahead of the parameters; its hash is signed after the path.

    Kraken: base64 HMAC-SHA512, with the decoded secret, of `<path><SHA256 of <nonce><body>>`.
    """

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request:
        """See cex.engine.spec.Signer. Raises ValueError when the secret is not base64."""
        nonce = str(moment.nonce)
        headers = {"API-Key": credentials.api_key}
        request = lay_out(replace(draft, params={"nonce": nonce, **draft.params}), headers)
        payload = draft.path.encode() + sha256(nonce.encode() + request.body).digest()
        secret = base64.b64decode(credentials.secret, validate=True)
        headers["API-Sign"] = base64.b64encode(hmac.digest(secret, payload, "sha512")).decode()
        return request
