"""How connections and their callers are called."""

import ipaddress
from typing import Any, NamedTuple


class Peer(NamedTuple):
    """A connection's name, and its caller's address, "unix" for the unix socket."""

    peer: str
    source: str


def unix(number: int) -> Peer:
    """Connections of the unix socket have no address, hence the number."""
    return Peer(f"unix:{number}", "unix")


def internet(address: Any) -> Peer:
    """`address` is what accept() says: a connection that has gone since has one too."""
    host, port = str(address[0]).partition("%")[0], address[1]
    found = ipaddress.ip_address(host)
    found = getattr(found, "ipv4_mapped", None) or found
    shown = f"[{found}]" if found.version == 6 else str(found)
    return Peer(f"ipv{found.version}:{shown}:{port}", str(found))
