"""One permit at a time: a token (and Permit2) counts an owner's permits, and the next is void until
the one before has been used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.errors import Reason, Refused
from core.transactions import Transaction
from dex.allowances import WAITING
from dex.network import PoolNetwork

PERMIT_OF = "permit_of"  # in a transaction's details: whose count its permit belongs to
SEPARATOR = ","  # between those of a transaction that brings several
_TIMEOUT = 180.0  # float: seconds, as asyncio counts


@dataclass(slots=True)
class _Count:
    """One count of permits."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    under_way: set[str] = field(default_factory=set)  # hashes of transactions that bring one
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class PermitTurns:
    """All permits of one network that are brought by transactions of ours."""

    def __init__(self, network: PoolNetwork) -> None:
        self._counts: dict[str, _Count] = {}
        network.on_transaction(self.note)

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Begins once no other permit of this count is under way; a transaction that is sent within
        says by its details that it brings the next. Refused with ALLOWANCE_TOO_LOW when one before
        stays under way for long."""
        count = self._counts.setdefault(key, _Count())
        async with count.lock:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    while count.under_way:
                        count.changed.clear()
                        await count.changed.wait()
            except TimeoutError as error:
                raise Refused(
                    Reason.ALLOWANCE_TOO_LOW,
                    "another permit of the wallet's is not in a block yet, and permits count: "
                    "nothing was sent; send it again later, or use the exact approval",
                    {"hash": next(iter(count.under_way), "")},
                ) from error
            yield

    def note(self, transaction: Transaction) -> None:
        """A transaction has changed, or was found after a restart."""
        for key in transaction.details.get(PERMIT_OF, "").split(SEPARATOR):
            if not key:
                continue
            count = self._counts.setdefault(key, _Count())
            if transaction.status in WAITING:
                count.under_way.add(transaction.hash)
            else:
                count.under_way.discard(transaction.hash)
            count.changed.set()
