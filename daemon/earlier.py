"""What a request has sent already: looked for before a request that was begun once is begun again.

A transaction is in the journal before any node has it, so what is not there was not sent. It is
looked for on every network that there is, and not only on those that are up by now.
"""

from cambist.v1 import chains_pb2
from chains.evm.rivals import REQUEST, standing
from chains.networks import NETWORKS
from core.transactions import TransactionStatus
from daemon.codec import chains as codec
from daemon.journal.transactions import Transactions

_APPROVE = "approve"  # the purpose of what only prepares a swap
# Proof that it had no effect: whoever handles the request decides whether there will be another.
_NOTHING = frozenset({TransactionStatus.DROPPED, TransactionStatus.REPLACED})


async def sent_before(
    log: Transactions, request_id: str, approves: bool
) -> chains_pb2.Transaction | None:
    """The transaction of a request, on whatever network; `approves`: an approval is all that it
    asks for. Raises JOURNAL_UNAVAILABLE."""
    found = [
        one
        for network in NETWORKS
        for one in await log.by_intent(network, request_id)
        if one.status not in _NOTHING and (approves or one.purpose != _APPROVE)
    ]
    # What takes the place of another has the intent of that one.
    found += [
        one
        for network in NETWORKS
        for one in await log.pending(network)
        if one.details.get(REQUEST) == request_id
    ]
    best = max(found, key=standing, default=None)
    return None if best is None else codec.transaction(best, log.infos)
