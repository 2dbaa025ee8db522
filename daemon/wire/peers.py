"""How connections and their callers are called."""

import ipaddress
from typing import Any


def names_of(peername: Any, number: int) -> tuple[str, str]:
    """A connection's name, and its caller's address, "unix" for the unix socket; `peername` is
    what the transport says. Connections of the unix socket have no address, hence the number."""
    if not isinstance(peername, tuple):
        return f"unix:{number}", "unix"
    host, port = str(peername[0]).partition("%")[0], peername[1]
    address = ipaddress.ip_address(host)
    address = getattr(address, "ipv4_mapped", None) or address
    shown = f"[{address}]" if address.version == 6 else str(address)
    return f"ipv{address.version}:{shown}:{port}", str(address)
