"""Follows our transactions to their end: asks, sends again, journals each change, tells.

One pass is `poll`; a task runs it at an interval, and tests run it by hand.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from chains.solana import lifecycle
from chains.solana.lifecycle import Death
from chains.solana.pool import Asker, RpcPool
from chains.solana.wire import Included, Meta, Status, Valued
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.ports import Condition, Health, NetworkInfo, TransactionLog
from core.transactions import Transaction

MAX_PENDING = 10_000
_REBROADCAST = 2 * SECOND
_STATUSES = 256  # signatures a request, the RPC's own limit
_FINISHED = 1_000  # kept in memory; older ones are in the journal
_IDLE = 5 * SECOND  # between looks at the slot while nothing is pending
_HEIGHT_AGE = 5 * SECOND
_FINALITY_PATIENCE = 4  # times slower while everything pending is in a block already
_CONFIRMED = {"commitment": "confirmed"}
_FINALIZED = {"commitment": "finalized"}
_log = logging.getLogger(__name__)

Callback = Callable[[Transaction], None]


class Tracker:
    """All transactions of ours that are not final, and lately were."""

    def __init__(
        self,
        info: NetworkInfo,
        pool: RpcPool,
        log: TransactionLog,
        clock: Clock,
        poll: float,  # float: seconds between passes while something is pending
    ) -> None:
        self._info = info
        self._pool = pool
        self._log = log
        self._clock = clock
        self._poll = poll
        self._pending: dict[str, Transaction] = {}
        self._finished: OrderedDict[str, Transaction] = OrderedDict()
        self._sent: dict[str, int] = {}  # hash -> monotonic time of the last broadcast
        self._troubles: dict[str, str] = {}  # hash -> what nodes last said against it
        self._callbacks: list[Callback] = []
        self._waiters: dict[str, set[asyncio.Future[Transaction]]] = {}
        self._polling = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.condition = Condition(Health.STARTING, "no slot seen yet", clock.now())
        self.slot = 0
        self._known_height = 0
        self._height_time: int | None = None

    # --- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Takes up what was pending when the daemon ended, and begins to ask."""
        for transaction in await self._log.pending(self._info.id):
            self._pending.setdefault(transaction.hash, transaction)
        self._task = asyncio.create_task(self._run(), name=f"{self._info.id} transactions")

    async def stop(self) -> None:
        """Stops asking; what is pending is in the journal."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Calls back, on the loop, with each change, journaled already."""
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return unsubscribe

    # --- transactions ---------------------------------------------------------------------------

    def get(self, hash: str) -> Transaction | None:
        """A transaction of ours as it is now, if it is or lately was followed."""
        return self._pending.get(hash) or self._finished.get(hash)

    def pending(self, address: str | None = None) -> Sequence[Transaction]:
        """What is not final, of one signer or of all."""
        return [t for t in self._pending.values() if address in (None, t.address)]

    def check_room(self) -> None:
        """Refused if too many transactions are pending already."""
        if len(self._pending) >= MAX_PENDING:
            raise Refused(
                Reason.RATE_LIMITED,
                f"{MAX_PENDING} transactions are pending on {self._info.id}; wait for some to end",
            )

    async def send(self, signed: Transaction) -> Transaction:
        """Journals a signed transaction, and only then sends it. Whatever nodes answer, it is
        followed from here on: an error of theirs proves nothing."""
        await self._log.save(signed)
        self._pending[signed.hash] = signed
        self._tell(signed)
        self._wake.set()
        try:
            await self._broadcast(signed)
        except CambistError as error:
            # It may be on its way: a refusal now would say that nothing was sent.
            _log.warning("%s was sent, but the journal says: %s", signed.hash, error)
        return self.get(signed.hash) or signed

    def follow(self, transaction: Transaction) -> Transaction:
        """Sees to it that a journaled transaction is followed; returns what is known of it."""
        known = self.get(transaction.hash)
        if known is None and not transaction.is_final:
            self._pending[transaction.hash] = transaction
            self._wake.set()
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
            return await asyncio.wait_for(future, timeout)
        except TimeoutError:
            known = self.get(hash) or known
            message = f"{hash} was not seen in a block in {timeout} s; it is sent and followed on"
            metadata = {"hash": hash, "status": known.status.name}
            raise Unconfirmed(Reason.OUTCOME_UNKNOWN, message, metadata) from None
        finally:
            waiters.discard(future)
            if not waiters:
                self._waiters.pop(hash, None)

    # --- one pass ------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Asks for everything once, and acts on it. Trouble with nodes shows in `condition`."""
        async with self._polling:
            try:
                batch = list(self._pending.values())
                for start in range(0, len(batch), _STATUSES):
                    await self._look(batch[start : start + _STATUSES])
                if not batch:
                    self.slot = await self._pool.call("getSlot", [_CONFIRMED], int)
            except CambistError as error:
                self._note(Health.DOWN, error.message)
            else:
                self._note(Health.READY, "")

    async def _look(self, batch: Sequence[Transaction]) -> None:
        height = await self._height()
        search = any(self._is_old(transaction, height) for transaction in batch)
        hashes = [transaction.hash for transaction in batch]
        answer = await self._pool.with_one(lambda asker: self._statuses(asker, hashes, search))
        self.slot = max(self.slot, answer.context.slot)
        for transaction, status in zip(batch, answer.value, strict=True):
            if status is not None:
                await self._observe(transaction.hash, status, answer.context.slot)
            elif lifecycle.may_be_dead(transaction, height):
                await self._autopsy(transaction.hash)
            else:
                await self._observe(transaction.hash, None, answer.context.slot)
            present = self._pending.get(transaction.hash)
            if status is None and present is not None and lifecycle.is_waiting(present):
                await self._send_again(present)

    async def _observe(self, hash: str, status: Status | None, slot: int) -> None:
        now = self._clock.now()
        meta: Meta | None = None
        present = self._pending.get(hash)
        if present is not None and present.fee is None:
            expected = lifecycle.follow(present, status, slot, now)
            if expected is not present and not lifecycle.is_waiting(expected):
                meta = await self._receipt(hash)

        def step(transaction: Transaction) -> Transaction:
            followed = lifecycle.follow(transaction, status, slot, now)
            if meta is None or followed is transaction:
                return followed
            return lifecycle.receipt(followed, meta, self._info.native.decimals)

        await self._change(hash, step)

    async def _height(self) -> int:
        """The block height, a little old: it only tells when to look closer."""
        now = self._clock.monotonic()
        if self._height_time is None or now - self._height_time >= _HEIGHT_AGE:
            self._known_height = await self._pool.call("getBlockHeight", [_CONFIRMED], int)
            self._height_time = now
        return self._known_height

    @staticmethod
    def _is_old(transaction: Transaction, height: int) -> bool:
        """Without searching their history, nodes know what was included in the last two minutes
        or so: enough while its blockhash can be used."""
        last = transaction.last_valid_height
        return last is None or height > last

    @staticmethod
    async def _statuses(
        asker: Asker, hashes: Sequence[str], search: bool
    ) -> Valued[list[Status | None]]:
        options = {"searchTransactionHistory": search}
        answer: Valued[list[Status | None]] = await asker.call(
            "getSignatureStatuses", [list(hashes), options], Valued[list[Status | None]]
        )
        return answer

    async def _autopsy(self, hash: str) -> None:
        """Looks for proof of death; all from one node, and in this order."""

        async def ask(asker: Asker) -> tuple[Death, Valued[list[Status | None]]]:
            height: int = await asker.call("getBlockHeight", [_FINALIZED], int)
            first: int = await asker.call("getFirstAvailableBlock", [], int)
            # Last: a node that was past the deadline before it was asked.
            return Death(height, first), await self._statuses(asker, [hash], True)

        death, answer = await self._pool.with_one(ask)
        status, now = answer.value[0], self._clock.now()
        if status is not None:
            await self._observe(hash, status, answer.context.slot)
            return
        trouble = self._troubles.get(hash, "")
        await self._change(hash, lambda t: lifecycle.bury(t, death, trouble, now))

    async def _receipt(self, hash: str) -> Meta | None:
        """What an included transaction did; None if the node does not have it yet."""
        options = {
            "commitment": "confirmed",
            "encoding": "base64",
            "maxSupportedTransactionVersion": 0,
        }
        try:
            included: Included | None = await self._pool.call(
                "getTransaction", [hash, options], Included | None
            )
        except CambistError as error:  # the status alone is worth following
            _log.warning("no receipt of %s yet: %s", hash, error)
            return None
        return included.meta if included is not None else None

    async def _send_again(self, transaction: Transaction) -> None:
        last = self._sent.get(transaction.hash)
        if last is None or self._clock.monotonic() - last >= _REBROADCAST:
            await self._broadcast(transaction)

    async def _broadcast(self, transaction: Transaction) -> None:
        self._sent[transaction.hash] = self._clock.monotonic()
        trouble = await self._pool.broadcast(transaction.raw)
        if trouble:
            self._troubles[transaction.hash] = trouble
        else:
            now = self._clock.now()
            await self._change(transaction.hash, lambda t: lifecycle.taken(t, now))

    async def _change(self, hash: str, step: Callable[[Transaction], Transaction]) -> None:
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
        for table in (self._pending, self._sent, self._troubles):
            table.pop(transaction.hash, None)
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

    # --- the task ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self.poll()
            except Exception as error:  # noqa: BLE001 - it must go on, and be seen
                _log.exception("following transactions of %s failed", self._info.id)
                self._note(Health.DEGRADED, f"{type(error).__name__}: see the log")
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), self._pause())
            except TimeoutError:
                continue

    def _pause(self) -> float:  # float: seconds for asyncio
        if not self._pending:
            return _IDLE / SECOND
        if any(lifecycle.is_waiting(transaction) for transaction in self._pending.values()):
            return self._poll
        return self._poll * _FINALITY_PATIENCE

    def _note(self, health: Health, reason: str) -> None:
        if (health, reason) != (self.condition.health, self.condition.reason):
            self.condition = replace(
                self.condition, health=health, reason=reason, since=self._clock.now()
            )
