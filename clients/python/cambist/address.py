"""Where the daemon listens: connect strings and how one is found."""

import os
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
    return [socket_address(name) for name in ((profile,) if profile else PROFILES)]


def target(address: str) -> str:
    """What grpc connects to: `unix:///path/cambist.sock` or `cambist://127.0.0.1:7177`."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        path = parts.netloc + parts.path
        if not path:
            raise BadAddress(f"{address!r} names no socket: use unix:///path/to/cambist.sock")
        return f"unix:{path}"
    if parts.scheme == "cambist" and parts.hostname:
        if parse_qsl(parts.query):
            raise BadAddress(
                "this client cannot use a token or a certificate yet: "
                "use the daemon's unix socket or its loopback port"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        try:
            return f"{host}:{parts.port or DEFAULT_PORT}"
        except ValueError as error:
            raise BadAddress(f"{address!r}: {error}") from None
    raise BadAddress(
        f"{address!r} is no connect string: use unix:///path/to/cambist.sock "
        f"or cambist://127.0.0.1:{DEFAULT_PORT}"
    )


def no_daemon(addresses: list[str]) -> NoDaemon:
    """The error that says where was asked, and what to do."""
    return NoDaemon(
        f"no daemon answers at {' or '.join(addresses)}: "
        "start one with `cambistd run --profile sandbox`",
        metadata={"address": " ".join(addresses)},
        retryable=True,
    )
