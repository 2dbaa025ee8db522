"""Follows our transactions to their end: asks, sends again, journals each change, tells.

One pass is `poll`; a task runs it at an interval, and tests run it by hand.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from chains.solana import blockhashes, lifecycle
from chains.solana.blockhashes import FreshBlockhash
from chains.solana.book import TransactionBook
from chains.solana.lifecycle import Death
from chains.solana.pool import Asker, RpcPool
from chains.solana.wire import Context, Count, EpochInfo, Included, Meta, Status, Valued
from core.clock import SECOND, Clock
from core.errors import CambistError
from core.ports import Condition, Health, NetworkInfo, TransactionLog
from core.steps import step, stepped
from core.transactions import Transaction

_REBROADCAST = 2 * SECOND
_STATUSES = 256  # signatures a request, the RPC's own limit
_IDLE = 5 * SECOND  # between looks at the nodes while nothing is pending
_PROBE_AGE = 5 * SECOND
_STALE = 30 * SECOND  # without a new slot
_FINALITY_PATIENCE = 4  # times slower while everything pending is in a block already
_PUSHED_PATIENCE = 5  # times slower while a websocket tells what happens
_FINALIZED = {"commitment": "finalized"}
_log = logging.getLogger(__name__)


class Tracker:
    """Follows what is pending in `book`."""

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
        self._clock = clock
        self._poll = poll
        self.book = TransactionBook(info.id, log)
        self._sent: dict[str, int] = {}  # hash -> monotonic time of the last broadcast
        self._troubles: dict[str, str] = {}  # hash -> what nodes last said against it
        self._polling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.condition = Condition(Health.STARTING, "no slot seen yet", clock.now())
        self.slot = 0
        self.pushed = False  # whether a websocket tells of slots and signatures
        self._hinted: set[str] = set()  # hashes that a websocket told of
        self._slot_time = clock.monotonic()  # when the slot was last seen to advance
        self._probed: int | None = None

    # --- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Takes up what was pending when the daemon ended, and begins to ask."""
        await self.book.load()
        self._task = asyncio.create_task(self._run(), name=f"{self._info.id} transactions")

    async def stop(self) -> None:
        """Stops asking; what is pending is in the journal."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def send(self, signed: Transaction) -> Transaction:
        """Journals a signed transaction, and only then sends it. Whatever nodes answer, it is
        followed from here on: an error of theirs proves nothing."""
        with step("transaction.journal"):
            await self.book.add(signed)
        try:
            await self._broadcast(signed)
        except CambistError as error:
            # It may be on its way: a refusal now would say that nothing was sent.
            _log.warning("%s was sent, but the journal says: %s", signed.hash, error)
        return self.book.get(signed.hash) or signed

    # --- one pass ------------------------------------------------------------------------------

    async def blockhash(self) -> FreshBlockhash:
        """To sign with. NODE_UNAVAILABLE if no node has one that is worth using."""
        return await blockhashes.fresh(self._pool)

    def note_slot(self, slot: int) -> None:
        """A slot that a node told of."""
        if slot > self.slot:
            self.slot = slot
            self._slot_time = self._clock.monotonic()

    def note_pushed(self, pushed: bool) -> None:
        """Whether a websocket is live."""
        self.pushed = pushed
        self.book.news.set()

    def note_signature(self, hash: str) -> None:
        """A websocket says that something happened to a transaction: it is asked for at once."""
        self._hinted.add(hash)
        self.book.news.set()

    async def poll(self) -> None:
        """Asks for everything once, and acts on it. Trouble with nodes shows in `condition`."""
        async with self._polling:
            try:
                self._tidy()
                await self._probe()
                batch = self.book.pending()
                for start in range(0, len(batch), _STATUSES):
                    await self._look(batch[start : start + _STATUSES])
            except CambistError as error:
                self._note(Health.DOWN, error.message)
            else:
                if self._clock.monotonic() - self._slot_time > _STALE:
                    self._note(Health.DEGRADED, "no new slot for long: the nodes stand still")
                elif self._pool.strangers:
                    self._note(Health.DEGRADED, "; ".join(self._pool.strangers))
                else:
                    self._note(Health.READY, "")

    async def _probe(self) -> None:
        """How far the nodes are, a little old: it tells which to ask, and when to look closer."""
        now = self._clock.monotonic()
        if self._probed is None or now - self._probed >= _PROBE_AGE:
            await self._pool.probe()
            self._probed = now
            self.note_slot(self._pool.slot)

    async def _look(self, batch: Sequence[Transaction]) -> None:
        height = self._pool.height
        search = any(self._is_old(transaction, height) for transaction in batch)
        hashes = [transaction.hash for transaction in batch]
        answer = await self._agreed_statuses(hashes, search)
        self.note_slot(answer.context.slot)
        for transaction, status in zip(batch, answer.value, strict=True):
            if status is not None:
                await self._observe(transaction.hash, status, answer.context.slot)
            elif lifecycle.may_be_dead(transaction, height):
                await self._autopsy(transaction.hash)
            elif not lifecycle.is_waiting(transaction):
                await self._second_opinion(transaction.hash)
            else:
                await self._observe(transaction.hash, None, answer.context.slot)
            present = self.book.find_pending(transaction.hash)
            if status is None and present is not None and lifecycle.is_waiting(present):
                await self._send_again(present)

    async def _agreed_statuses(
        self, hashes: Sequence[str], search: bool
    ) -> Valued[list[Status | None]]:
        """What one node says, or as far as a quorum of them have come where one is asked for."""
        quorum = self._pool.quorum
        if quorum <= 1:
            return await self._pool.with_one(lambda asker: self._statuses(asker, hashes, search))
        answers = await self._pool.with_all(lambda asker: self._statuses(asker, hashes, search))
        columns = zip(*(answer.value for answer in answers), strict=True)
        slot = min(answer.context.slot for answer in answers)
        return Valued(Context(slot), [lifecycle.agreed(column, quorum) for column in columns])

    async def _second_opinion(self, hash: str) -> None:
        """One node has forgotten a transaction that was in a block: what do the others say?"""
        answers = await self._pool.with_all(lambda asker: self._statuses(asker, [hash], True))
        said = [answer.value[0] for answer in answers]
        if lifecycle.furthest(said) is None:
            await self._observe(hash, None, max(answer.context.slot for answer in answers))
        else:
            await self._observe_agreed(hash, said)

    async def _observe_agreed(self, hash: str, said: Sequence[Status | None]) -> None:
        """Some know it: how far enough of them have come, if they are enough."""
        status = lifecycle.agreed(said, self._pool.quorum)
        if status is not None:
            await self._observe(hash, status, status.slot)

    async def _observe(self, hash: str, status: Status | None, slot: int) -> None:
        now = self._clock.now()
        meta: Meta | None = None
        present = self.book.find_pending(hash)
        if present is not None and present.fee is None:
            expected = lifecycle.follow(present, status, slot, now)
            if expected is not present and not lifecycle.is_waiting(expected):
                meta = await self._receipt(hash)

        def step(transaction: Transaction) -> Transaction:
            followed = lifecycle.follow(transaction, status, slot, now)
            if meta is None or followed is transaction:
                return followed
            return lifecycle.receipt(followed, meta, self._info.native.decimals)

        await self.book.change(hash, step)

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
        return await asker.listed("getSignatureStatuses", hashes, options, Status)

    async def _autopsy(self, hash: str) -> None:
        """Looks for proof of death: no node knows it, and one of them would have to."""

        async def ask(asker: Asker) -> tuple[Death, Valued[list[Status | None]]]:
            end: EpochInfo = await asker.call("getEpochInfo", [_FINALIZED], EpochInfo)
            first: int = await asker.call("getFirstAvailableBlock", [], Count)
            # Last: it must have been past the deadline before it was asked.
            answer = await self._statuses(asker, [hash], True)
            slot = answer.context.slot
            return Death(end.block_height, end.absolute_slot, first, slot), answer

        found = await self._pool.with_all(ask)
        now = self._clock.now()
        status = lifecycle.furthest([answer.value[0] for _, answer in found])
        if status is not None:
            await self._observe_agreed(hash, [answer.value[0] for _, answer in found])
            return
        trouble = self._troubles.get(hash, "")

        def step(transaction: Transaction) -> Transaction:
            for death, _ in found:
                transaction = lifecycle.bury(transaction, death, trouble, now)
            return transaction

        await self.book.change(hash, step)

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

    def _tidy(self) -> None:
        """Forgets what belongs to transactions that have ended."""
        self._hinted = {hash for hash in self._hinted if self.book.find_pending(hash) is not None}
        for table in (self._sent, self._troubles):
            for hash in [hash for hash in table if self.book.find_pending(hash) is None]:
                del table[hash]

    @stepped("transaction.broadcast")
    async def _broadcast(self, transaction: Transaction) -> None:
        self._sent[transaction.hash] = self._clock.monotonic()
        trouble = await self._pool.broadcast(transaction.raw)
        if trouble:
            self._troubles[transaction.hash] = trouble
        else:
            now = self._clock.now()
            await self.book.change(transaction.hash, lambda t: lifecycle.taken(t, now))

    # --- the task ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self.book.news.clear()  # before asking: what comes meanwhile is asked for next
            try:
                await self.poll()
            except Exception as error:  # noqa: BLE001 - it must go on, and be seen
                _log.exception("following transactions of %s failed", self._info.id)
                self._note(Health.DEGRADED, f"{type(error).__name__}: see the log")
            try:
                # Not wait_for: before Python 3.12 it loses a cancel that comes with the event.
                async with asyncio.timeout(self._pause()):
                    await self.book.news.wait()
            except TimeoutError:
                continue

    def _pause(self) -> float:  # float: seconds for asyncio
        pending = self.book.pending()
        if not pending:
            return _IDLE / SECOND
        patience = _PUSHED_PATIENCE if self.pushed else 1
        waiting = [one.hash for one in pending if lifecycle.is_waiting(one)]
        if waiting:
            # What a websocket tells, the node that is asked may learn a moment later.
            return self._poll * (1 if self._hinted.intersection(waiting) else patience)
        return self._poll * max(patience, _FINALITY_PATIENCE)

    def _note(self, health: Health, reason: str) -> None:
        if (health, reason) != (self.condition.health, self.condition.reason):
            self.condition = replace(
                self.condition, health=health, reason=reason, since=self._clock.now()
            )
