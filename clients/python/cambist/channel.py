"""Channels: plaintext on this machine, or TLS to a daemon whose key is known.

A connect string has the fingerprint of the daemon's public key: base64url of the SHA-256 of its
SubjectPublicKeyInfo. The certificate is fetched, its key held against the fingerprint, and then it
is the only one that the channel trusts. A renewed certificate has the same key.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from cambist.address import BadAddress
from cambist.errors import Unauthentic

if TYPE_CHECKING:
    from cambist.address import Address

_NAME = "localhost"  # always in a daemon's certificate; who it is, is proved by its key
_TIMEOUT = 5.0
_PEM = re.compile(rb"(-----BEGIN ([A-Z ]+)-----.*?-----END \2-----)", re.DOTALL)

Options = tuple[tuple[str, int | str], ...]


async def open_channel(address: Address, options: Options) -> grpc.aio.Channel:
    """A channel to a daemon; `Unauthentic` when another than the paired one answers, OSError when
    nobody does."""
    if address.key:
        own = _own(address.certificate) if address.certificate else None
        certificate = await asyncio.to_thread(_certificate, address.target, address.certificate)
        found = fingerprint(ssl.PEM_cert_to_DER_cert(certificate))
        if not hmac.compare_digest(found, address.key):
            raise Unauthentic(
                f"who answers at {address.target} is not the daemon that made this connect string, "
                "or its key was made anew: make a new one there with 'cambist pair'"
            )
        credentials = grpc.ssl_channel_credentials(certificate.encode(), *(own or ()))
        options = (*options, ("grpc.ssl_target_name_override", _NAME))
    elif address.token:
        credentials = grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
    else:
        return grpc.aio.insecure_channel(address.target, options=options)
    if address.token:
        bearer = grpc.access_token_call_credentials(address.token)
        credentials = grpc.composite_channel_credentials(credentials, bearer)
    return grpc.aio.secure_channel(address.target, credentials, options=options)


def fingerprint(certificate: bytes) -> str:
    """Of the public key in a certificate in DER (RFC 5280, section 4.1).

    Certificate and TBSCertificate are sequences; the key's info is the seventh element of the
    latter, whose first, the version, has a tag of its own.
    """
    _, start, _ = _element(certificate, 0)
    _, start, _ = _element(certificate, start)
    for _ in range(6):  # version, serial number, signature, issuer, validity, subject
        _, _, start = _element(certificate, start)
    _, _, end = _element(certificate, start)
    digest = hashlib.sha256(certificate[start:end]).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """The tag of a DER element, where its content starts and where it ends."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    return tag, start, start + length


def _own(path: str) -> tuple[bytes, bytes]:
    """The key and the certificates of a PEM file; BadAddress where it has not both."""
    try:
        found = _PEM.findall(Path(path).expanduser().read_bytes())
    except OSError as error:
        raise BadAddress(f"the certificate {path} cannot be read: {error.strerror}") from None
    keys = [block for block, kind in found if kind.endswith(b"PRIVATE KEY")]
    chain = [block for block, kind in found if kind == b"CERTIFICATE"]
    if len(keys) != 1 or not chain:
        raise BadAddress(f"{path} must hold your certificate and its private key, both as PEM")
    return keys[0], b"\n".join(chain)


def _certificate(target: str, own: str) -> str:
    host, _, port = target.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # its key is held against the fingerprint afterwards
    context.set_alpn_protocols(["h2"])
    if own:
        context.load_cert_chain(Path(own).expanduser())
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT) as plain:
        with context.wrap_socket(plain) as secure:
            certificate = secure.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(certificate or b"")
