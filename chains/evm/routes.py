"""Which nodes get to see a transaction: all, or private ones that pass it to block builders.

The route is part of a transaction's details, so that it is the same after a restart.
"""

from collections.abc import Mapping

from chains.evm.rpc import RpcPool
from core.errors import Reason, Refused
from core.transactions import Transaction

ROUTE = "route"  # in Transaction.details, when it is not public
PRIVATE, PUBLIC = "private", "public"


def is_private(transaction: Transaction) -> bool:
    """Whether public nodes must not have it from us."""
    return transaction.details.get(ROUTE) == PRIVATE


def routed(details: Mapping[str, str], route: str, rpc: RpcPool) -> dict[str, str]:
    """Details with a route; "" leaves the one that they have. Refused for one that there is not."""
    rest = {key: text for key, text in details.items() if key != ROUTE}
    chosen = route or details.get(ROUTE, PUBLIC)
    if chosen not in (PRIVATE, PUBLIC):
        raise Refused(
            Reason.FIELD_INVALID,
            f"route: {chosen[:40]!r} is neither public nor private",
            {"field": "route"},
        )
    if chosen == PUBLIC:
        return rest
    if not rpc.private:
        raise Refused(
            Reason.FIELD_INVALID,
            f"route: no private node of {rpc.network} is known; name some as private_urls in the"
            " configuration, or take the public route",
            {"field": "route", "network": rpc.network},
        )
    return {**rest, ROUTE: PRIVATE}
