"""The transactions of all chains in the journal: signed bytes first, then each change of status."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from cambist.v1 import events_pb2 as pb
from core.errors import Reason, Refused
from core.ports import NetworkInfo
from core.transactions import Transaction
from daemon.codec import chains as codec
from daemon.journal.events import new_event
from daemon.journal.positions import Position
from daemon.journal.store import TransactionRow
from daemon.journal.values import pack, unpack

if TYPE_CHECKING:
    from daemon.journal.journal import Journal

_REMEMBERED = 1024
_log = structlog.get_logger("transactions")


class Transactions:
    """A core.ports.TransactionLog. `account_of` names the account of a network's address in the
    events, `infos` has the networks whose explorers they show; the daemon sets both."""

    def __init__(self, journal: "Journal") -> None:
        self._journal = journal
        self._last: OrderedDict[tuple[str, str], Transaction] = OrderedDict()
        self.account_of: Callable[[str, str], str] = lambda network, address: address
        self.infos: Mapping[str, NetworkInfo] = {}

    async def save(self, transaction: Transaction) -> None:
        """Durable when it returns, with an event when anything but its time has changed.

        JOURNAL_UNAVAILABLE for a transaction that is new: do not broadcast it. A change of one
        that is known is a fact: it waits for the disk, and is logged, when the journal is broken.
        """
        before = await self._known(transaction.network, transaction.hash)
        if before is not None and before == replace(transaction, update_time=before.update_time):
            return
        row = TransactionRow(
            transaction.network,
            transaction.hash,
            transaction.address,
            transaction.intent,
            int(not transaction.is_final),
            transaction.create_time,
            transaction.update_time,
            pack(transaction),
        )
        event = new_event(
            pb.Event(transaction=codec.transaction(transaction, self.infos)),
            self._journal.clock.now(),
            self.account_of(transaction.network, transaction.address),
            transaction.hash,
        )
        try:
            await self._journal.append(row, event, fact=before is not None)
        except Refused as error:
            if before is None or not self._journal.has_room:
                raise
            _log.warning("transaction_not_durable_yet", hash=transaction.hash, why=error.message)
        self._remember(transaction)

    async def signing(
        self, network: str, address: str, intent: str, message: str, details: Mapping[str, str]
    ) -> None:
        """A core.ports.SignatureLog: an event, durable before anything is signed."""
        account = self.account_of(network, address)
        notice = pb.AccountNotice(
            account=account,
            kind="signature",
            message=message,
            details={**details, "network": network, "address": address, "intent": intent},
        )
        now = self._journal.clock.now()
        event = new_event(pb.Event(account_notice=notice), now, account, intent)
        await self._journal.append(event)

    async def pending(self, network: str) -> Sequence[Transaction]:
        """All that are not final, oldest first."""
        return await self._find(network, pending_only=True)

    async def by_intent(self, network: str, intent: str) -> Sequence[Transaction]:
        """What was signed for an intent, oldest first."""
        return await self._find(network, intent=intent)

    async def by_address(self, network: str, address: str, since: int) -> Sequence[Transaction]:
        """All of a signer that changed at or after `since` (ns), oldest first."""
        return await self._find(network, address=address, since=since)

    async def find(self, network: str, hash: str) -> Transaction | None:
        """By hash; None when it is not ours."""
        return await self._known(network, hash)

    async def get(self, network: str, hash: str) -> Transaction:
        """By hash; TRANSACTION_NOT_FOUND when it is not ours."""
        found = await self._known(network, hash)
        if found is None:
            raise Refused(
                Reason.TRANSACTION_NOT_FOUND,
                f"the journal has no transaction {hash} of {network}",
                {"network": network, "hash": hash},
            )
        return found

    async def list(
        self,
        network: str = "",
        address: str = "",
        pending_only: bool = False,
        size: int = 100,
        before: str = "",
    ) -> tuple[Sequence[Transaction], str]:
        """A page, newest first, and what to give as `before` for the next, "" at the end."""
        after = Position.parse(before)
        rows = await self._journal.read(
            lambda store: store.transaction_page(network, address, pending_only, after, size + 1)
        )
        page = rows[:size]
        position = ""
        if len(rows) > size:
            last = page[-1]
            position = Position.text((last.create_time, last.network, last.address, last.hash))
        return [unpack(row.data, Transaction) for row in page], position

    async def _find(self, network: str, **where: object) -> Sequence[Transaction]:
        rows = await self._journal.read(
            lambda store: store.transactions(network, **where)  # type: ignore[arg-type]
        )
        return [unpack(row.data, Transaction) for row in rows]

    async def _known(self, network: str, hash: str) -> Transaction | None:
        found = self._last.get((network, hash))
        if found is None:
            row = await self._journal.read(lambda store: store.transaction(network, hash))
            if row is None:
                return None
            found = unpack(row.data, Transaction)
            self._remember(found)
        return found

    def _remember(self, transaction: Transaction) -> None:
        self._last[transaction.network, transaction.hash] = transaction
        self._last.move_to_end((transaction.network, transaction.hash))
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
