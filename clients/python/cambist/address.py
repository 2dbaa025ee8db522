"""Where the daemon listens: connect strings and how one is found."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cambist.errors import Error, NoDaemon

PROFILES = ("live", "sandbox")
DEFAULT_PORT = 7177


class BadAddress(Error):
    """The connect string cannot be read."""

    default_reason = "BAD_ADDRESS"


def home() -> Path:
    """`$CAMBIST_HOME`, or `~/.cambist`."""
    return Path(os.environ.get("CAMBIST_HOME") or Path.home() / ".cambist")


def socket_address(profile: str) -> str:
    """The connect string of a profile's unix socket."""
    return f"unix://{home() / profile / 'cambist.sock'}"


def candidates(address: str | None = None, profile: str | None = None) -> list[str]:
    """Connect strings to try, in this order: the given one, `$CAMBIST_CONNECT`, the sockets of the
    profiles (live first, or only the given profile). A given address is never replaced by another.
    """
    if given := address or (not profile and os.environ.get("CAMBIST_CONNECT")):
        return [str(given)]
    if profile and profile not in PROFILES and not (home() / profile).exists():
        raise BadAddress(f"there is no profile {profile!r}: {' or '.join(PROFILES)}")
    return [socket_address(name) for name in ((profile,) if profile else PROFILES)]


@dataclass(frozen=True, slots=True)
class Address:
    """A connect string, read. `target` is what grpc connects to; `key` the fingerprint of the
    daemon's public key, "" for plaintext; `token` what the daemon asks for, "" for none;
    `certificate` a PEM file with our own certificate and its key, where the daemon asks for one."""

    target: str
    key: str = ""
    token: str = field(default="", repr=False)
    certificate: str = ""


def read(address: str) -> Address:
    """`unix:///path/cambist.sock`, `cambist://127.0.0.1:7177`, or what `cambist pair` prints:
    `cambist://host:port?key=FINGERPRINT&token=TOKEN`. A socket may have a token, too; for mutual
    TLS there is `&certificate=FILE`, or `$CAMBIST_CERTIFICATE`."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query))
    if unknown := sorted(query.keys() - {"key", "token", "certificate"}):
        raise BadAddress(f"a connect string has no {unknown[0]!r}: only key, token and certificate")
    key, token = query.get("key", ""), query.get("token", "")
    if parts.scheme == "unix":
        path = parts.netloc + parts.path
        if not path:
            raise BadAddress("the connect string names no socket: unix:///path/to/cambist.sock")
        return Address(f"unix:{path}", token=token)
    if parts.scheme == "cambist" and parts.hostname:
        if token and not key:
            raise BadAddress(
                "the connect string has a token but no key, so the token could be read on its "
                "way: take it whole, as 'cambist pair' prints it"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        try:
            own = query.get("certificate") or os.environ.get("CAMBIST_CERTIFICATE", "")
            return Address(f"{host}:{parts.port or DEFAULT_PORT}", key, token, own)
        except ValueError as error:
            raise BadAddress(str(error)) from None
    raise BadAddress(
        f"{without_token(address)!r} is no connect string: use unix:///path/to/cambist.sock, "
        f"cambist://127.0.0.1:{DEFAULT_PORT}, or what 'cambist pair' prints"
    )


def without_token(address: str) -> str:
    """A connect string that may be shown."""
    return address.partition("?")[0]


def no_daemon(addresses: list[str]) -> NoDaemon:
    """The error that says where was asked, and what to do."""
    shown = [without_token(address) for address in addresses]
    words = "start one with `cambistd run --profile sandbox`"
    if any(one.startswith("cambist://") and "key=" not in one for one in addresses):
        words += ", or, if it speaks TLS, use the whole string that 'cambist pair' prints"
    elif any("key=" in one and "certificate=" not in one for one in addresses):
        words += ", or, if it asks for client certificates, name yours: &certificate=FILE"
    return NoDaemon(
        f"no daemon answers at {' or '.join(shown)}: {words}",
        metadata={"address": " ".join(shown)},
        retryable=True,
    )
