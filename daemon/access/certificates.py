"""The daemon's own certificate for TLS: made at the first start, renewed before it ends.

The private key stays when the certificate is renewed, so a client that pins the key (the
fingerprint in a connect string) goes on trusting it.
"""

import base64
import hashlib
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from core.clock import SECOND, Clock
from daemon.config import ConfigError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, GeneralName

KEY, CERTIFICATE = "tls.key", "tls.cert"
LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
_TRY_AGAIN = timedelta(hours=1)
_BACKDATED = timedelta(days=1)  # for clients whose clocks are behind
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
log = structlog.get_logger("access")


@dataclass(frozen=True, slots=True)
class Certified:
    """PEM of both, and the fingerprint of the public key: base64url of the SHA-256 of its
    SubjectPublicKeyInfo (RFC 7469 pins the same digest)."""

    key: bytes
    certificate: bytes
    fingerprint: str


class Certificates:
    """`folder` holds the files; `names` are host names and addresses beside those of this machine's
    loopback."""

    def __init__(self, folder: Path, names: Sequence[str], clock: Clock) -> None:
        self._folder = folder
        self._names = tuple(dict.fromkeys((*LOCAL_NAMES, *names)))
        self._clock = clock
        self._until: datetime | None = None

    def due(self) -> bool:
        """Whether `current` would renew; cheap, for every handshake."""
        return self._until is None or self._until - RENEW_BEFORE <= self._now()

    def current(self) -> Certified:
        """What is in force now; made or renewed first where that is due. ConfigError for files that
        cannot be read."""
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509 import load_pem_x509_certificate

        key_path, path = self._folder / KEY, self._folder / CERTIFICATE
        try:
            if not key_path.exists():
                made = ec.generate_private_key(ec.SECP256R1())
                pem = s.PrivateFormat.PKCS8
                self._write(key_path, made.private_bytes(s.Encoding.PEM, pem, s.NoEncryption()))
            raw = key_path.read_bytes()
            key = s.load_pem_private_key(raw, None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            public = key.public_key()
            found = load_pem_x509_certificate(path.read_bytes()) if path.exists() else None
            until = None if found is None else found.not_valid_after_utc
            if found is None or found.public_key() != public or self._is_due(found):
                made_now = self._certify(key)
                try:
                    self._write(path, made_now.public_bytes(s.Encoding.PEM))
                    found, until = made_now, made_now.not_valid_after_utc
                except OSError as error:
                    if found is None or not self._serves(found, public):
                        raise
                    # A full disk: what there is serves on for weeks, and is tried again.
                    log.warning("the certificate was not renewed", why=error.strerror)
                    until = self._now() + RENEW_BEFORE + _TRY_AGAIN
        except (ValueError, AssertionError, OSError) as error:
            raise ConfigError(
                f"the certificate in {self._folder} cannot be used ({error}): remove {KEY} and "
                f"{CERTIFICATE} there to have new ones made; connect strings must then be made anew"
            ) from error
        self._until = until
        info = public.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
        return Certified(raw, found.public_bytes(s.Encoding.PEM), fingerprint(info))

    def files(self) -> tuple[Path, Path]:
        """Of the key and the certificate that are in force now."""
        self.current()
        return self._folder / KEY, self._folder / CERTIFICATE

    def _serves(self, certificate: "Certificate", public: object) -> bool:
        """Whether clients still trust it: of our key, and not over."""
        return certificate.public_key() == public and certificate.not_valid_after_utc > self._now()

    def _is_due(self, certificate: "Certificate") -> bool:
        from cryptography.x509 import ExtensionNotFound, SubjectAlternativeName

        try:
            named = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        except ExtensionNotFound:
            return True
        if set(named) != set(self._general_names()):
            return True
        return certificate.not_valid_after_utc - RENEW_BEFORE <= self._now()

    def _certify(self, key: object) -> "Certificate":
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        assert isinstance(key, ec.EllipticCurvePrivateKey)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cambistd")])
        now = self._now()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + LIFE)
            .add_extension(x509.SubjectAlternativeName(self._general_names()), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key, SHA256())
        )

    def _general_names(self) -> "list[GeneralName]":
        from cryptography import x509

        made: list[GeneralName] = []
        for name in self._names:
            try:
                made.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                made.append(x509.DNSName(name))
        return made

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now() // SECOND, UTC)

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(path.name + ".new")
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def fingerprint(public_key_info: bytes) -> str:
    """Of a key's SubjectPublicKeyInfo in DER."""
    digest = hashlib.sha256(public_key_info).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
