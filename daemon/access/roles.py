"""The tokens that every daemon makes at its first start, a file each."""

import os
from collections.abc import Iterable
from pathlib import Path

from daemon.access.grant import Grant
from daemon.access.roots import Roots
from daemon.access.tokens import bake

_READ = ":read"
_TRADES = frozenset(
    {
        "orders:write",
        "orders:cancel",
        "positions:write",
        "swaps:write",
        "liquidity:write",
        "transactions:write",
        "risk:tighten",
        "risk:halt",
    }
)
_MARKET_DATA = frozenset({"market:read", "chains:read", "system:read"})


def roles(permissions: Iterable[str]) -> dict[str, Grant]:
    """By name; `permissions` are all that the contract knows. A trader neither transfers, nor
    changes wallets, accounts or tokens, nor ends a halt."""
    known = frozenset(permissions)
    reads = frozenset(one for one in known if one.endswith(_READ))
    return {
        "admin": Grant(),
        "read-only": Grant(permissions=reads),
        "trader": Grant(permissions=(reads | _TRADES) & known),
        "market-data": Grant(permissions=_MARKET_DATA & known),
    }


def write_files(folder: Path, roots: Roots, permissions: Iterable[str]) -> None:
    """Makes the files that are missing; one whose root was revoked is not made again."""
    revoked = {root.name for root in roots if root.revoked}
    for name, grant in roles(permissions).items():
        path = folder / f"{name}.token"
        if path.exists() or name in revoked:
            continue
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(bake(roots.take(name), grant) + "\n")
