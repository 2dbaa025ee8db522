"""Guards and tokens for tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from core.clock import Clock, SystemClock
from daemon.access.guard import Guard
from daemon.access.roots import Roots
from daemon.access.tokens import Keyring


def open_guard(roots: Path = Path("/nonexistent/roots.json"), clock: Clock | None = None) -> Guard:
    """One that asks nobody for a token."""
    clock = clock or SystemClock()
    return Guard(
        Keyring(Roots(roots, clock)), clock, True, lambda account: (), lambda account: True
    )


def client_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """An authority and a client that it vouches for: its certificate, and the client's with its
    key in one file."""
    authority, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    root = _certified(f"{name} authority", authority, f"{name} authority", authority, ca=True)
    client = _certified(name, key, f"{name} authority", authority, ca=False)
    paths = folder / f"{name}-ca.pem", folder / f"{name}.pem"
    paths[0].write_bytes(root.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    paths[1].write_bytes(client.public_bytes(Encoding.PEM) + secret)
    return paths


def _certified(
    subject: str,
    key: EllipticCurvePrivateKey,
    issuer: str,
    by: EllipticCurvePrivateKey,
    ca: bool,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(by, SHA256())
    )
