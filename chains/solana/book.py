"""Our transactions as they are known now: pending, lately finished, and who waits for them."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from chains.solana import lifecycle
from core.errors import Reason, Refused, Unconfirmed
from core.ports import TransactionLog
from core.transactions import Transaction

MAX_PENDING = 10_000
_FINISHED = 1_000  # kept in memory; older ones are in the journal
_log = logging.getLogger(__name__)

Callback = Callable[[Transaction], None]


class TransactionBook:
    """Keeps transactions of one network. Each change is journaled before anybody is told."""

    def __init__(self, network: str, log: TransactionLog) -> None:
        self._network = network
        self._log = log
        self._pending: dict[str, Transaction] = {}
        self._finished: OrderedDict[str, Transaction] = OrderedDict()
        self._callbacks: list[Callback] = []
        self._waiters: dict[str, set[asyncio.Future[Transaction]]] = {}
        self._changing = asyncio.Lock()
        # Set when there is something new to follow.
        self.news = asyncio.Event()

    async def load(self) -> None:
        """Takes up what was pending when the daemon ended."""
        for transaction in await self._log.pending(self._network):
            self._pending.setdefault(transaction.hash, transaction)

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Calls back, on the loop, with each change, journaled already."""
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return unsubscribe

    def get(self, hash: str) -> Transaction | None:
        """A transaction of ours as it is now, if it is or lately was followed."""
        return self._pending.get(hash) or self._finished.get(hash)

    def find_pending(self, hash: str) -> Transaction | None:
        """A transaction of ours that is not final."""
        return self._pending.get(hash)

    def pending(self, address: str | None = None) -> Sequence[Transaction]:
        """What is not final, of one signer or of all."""
        return [t for t in self._pending.values() if address in (None, t.address)]

    def check_room(self) -> None:
        """Refused if too many transactions are pending already."""
        if len(self._pending) >= MAX_PENDING:
            raise Refused(
                Reason.RATE_LIMITED,
                f"{MAX_PENDING} transactions are pending on {self._network}; wait for some to end",
            )

    async def add(self, signed: Transaction) -> None:
        """Journals a new transaction, durably; only then may it be sent."""
        await self._log.save(signed)
        self._pending[signed.hash] = signed
        self._tell(signed)
        self.news.set()

    def follow(self, transaction: Transaction) -> Transaction:
        """Sees to it that a journaled transaction is followed; returns what is known of it."""
        known = self.get(transaction.hash)
        if known is None and not transaction.is_final:
            self._pending[transaction.hash] = transaction
            self.news.set()
        return known or transaction

    async def wait_included(self, hash: str, timeout: float) -> Transaction:  # float: seconds
        """Once in a confirmed block or otherwise ended. Unconfirmed after `timeout`;
        TRANSACTION_NOT_FOUND if it is none of ours."""
        known = self.get(hash)
        if known is None:
            raise Refused(Reason.TRANSACTION_NOT_FOUND, f"{hash[:100]} is not followed here")
        if not lifecycle.is_waiting(known):
            return known
        future: asyncio.Future[Transaction] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(hash, set())
        waiters.add(future)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            known = self.get(hash) or known
            message = f"{hash} was not seen in a block in {timeout} s; it is sent and followed on"
            metadata = {"hash": hash, "status": known.status.name}
            raise Unconfirmed(Reason.OUTCOME_UNKNOWN, message, metadata) from None
        finally:
            waiters.discard(future)
            if not waiters:
                self._waiters.pop(hash, None)

    async def change(self, hash: str, step: Callable[[Transaction], Transaction]) -> None:
        """Applies a step to what a transaction is by then: observations may overtake each other
        while the journal is written, and none may undo a later one."""
        async with self._changing:
            present = self._pending.get(hash)
            if present is None or (changed := step(present)) is present:
                return
            await self._log.save(changed)
            if changed.is_final:
                self._forget(changed)
            else:
                self._pending[hash] = changed
        self._tell(changed)

    def _forget(self, transaction: Transaction) -> None:
        self._pending.pop(transaction.hash, None)
        self._finished[transaction.hash] = transaction
        while len(self._finished) > _FINISHED:
            self._finished.popitem(last=False)

    def _tell(self, transaction: Transaction) -> None:
        for callback in list(self._callbacks):
            try:
                callback(transaction)
            except Exception:  # noqa: BLE001 - one listener's fault must not stop the others
                _log.exception("a listener failed on %s", transaction.hash)
        if not lifecycle.is_waiting(transaction):
            for future in self._waiters.pop(transaction.hash, set()):
                if not future.done():
                    future.set_result(transaction)
