"""Notices what holds up an address's transactions: a nonce that nobody uses, or transactions of the
same key that were sent from elsewhere."""

import logging
from collections.abc import Callable, Set

from chains.evm.codec import integer
from chains.evm.nonces import Counts, foreign, gap
from chains.evm.rpc import RpcPool
from chains.nodes import NodeError, parsed

_log = logging.getLogger(__name__)


class Survey:
    """`notices` in words, by address; what is over is gone from it."""

    def __init__(self, rpc: RpcPool, ours: Callable[[str], Set[int]], network: str) -> None:
        self._rpc = rpc
        self._ours = ours
        self._network = network
        self.notices: dict[str, str] = {}

    async def look(self, addresses: Set[str]) -> None:
        """Asks for the counts of addresses whose transactions wait. Raises CambistError."""
        notices = {}
        for address in sorted(addresses):
            notice = _notice(address, await self._counts(address), self._ours(address))
            if notice:
                notices[address] = notice
                if self.notices.get(address) != notice:
                    _log.warning("%s: %s", self._network, notice)
        self.notices = notices

    def clear(self) -> None:
        """Nothing waits any more."""
        self.notices = {}

    async def _counts(self, address: str) -> Counts:
        latest, pending = await self._rpc.batch(
            [("eth_getTransactionCount", [address, block]) for block in ("latest", "pending")]
        )
        used = parsed(integer, latest, "transaction count")
        # A node without a pool of its own may not know "pending".
        known = not isinstance(pending, NodeError)
        return Counts(used, parsed(integer, pending, "transaction count") if known else used, 0)


def _notice(address: str, counts: Counts, ours: Set[int]) -> str:
    hole, others = gap(counts, ours), foreign(counts, ours)
    if hole is not None:
        return f"nobody uses nonce {hole} of {address}: its later transactions wait for it"
    if others:
        return f"{others} transactions of {address} were sent from elsewhere and are pending"
    return ""
