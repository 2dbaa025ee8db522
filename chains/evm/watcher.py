"""Follows every transaction of ours on one chain until there is proof of its end.

Each change of state is journaled before anybody hears of it. What no node knows any more is
broadcast again, the same bytes; after a restart, everything pending is taken up from the log.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chains.evm.broadcast import Verdict
from chains.evm.heads import HeadTracker
from chains.evm.lifecycle import follow
from chains.evm.look import Look, Observer
from chains.evm.rivals import REPLACED_BY, is_superseded, is_twin, outdone, rivals, standing
from chains.evm.routes import is_private
from chains.evm.rpc import RpcPool
from chains.evm.survey import Survey
from chains.evm.waiting import wait_included
from core.clock import MILLISECOND, SECOND, Clock
from core.errors import CambistError, Reason, Rejected
from core.ports import NetworkInfo, TransactionLog
from core.steps import stepped
from core.transactions import Transaction, TransactionStatus

_SOON = 100 * MILLISECOND  # between broadcasts of what no node has taken yet
_PAUSE = 500 * MILLISECOND  # at least, between broadcasts of what a node has lost
_REMEMBERED = 1024  # final transactions kept in memory for questions
_INSIST = 30 * SECOND  # without a block: then all nodes get it again, though one still has it
_INSIST_BLOCKS = 5  # at least
_FRESH = frozenset({TransactionStatus.SIGNED, TransactionStatus.REORGANISED})
_log = logging.getLogger(__name__)

TransactionCallback = Callable[[Transaction], None]


@dataclass(slots=True)
class _Followed:
    transaction: Transaction
    broadcast_time: int | None = None  # monotonic ns; None: not by this process
    broadcast_block: int = 0  # the head at that time
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class TransactionWatcher:
    """All transactions of one network that are not final, and what becomes of them."""

    def __init__(
        self,
        info: NetworkInfo,
        rpc: RpcPool,
        heads: HeadTracker,
        log: TransactionLog,
        clock: Clock,
        tick: float,  # float: seconds
    ) -> None:
        self._info = info
        self._rpc = rpc
        self._heads = heads
        self._log = log
        self._clock = clock
        self._tick = tick
        self._pause = max(2 * info.block_time, _PAUSE)
        self._insist = max(_INSIST // info.block_time, _INSIST_BLOCKS)
        self._observer = Observer(rpc, heads, info.finality_depth, info.block_time)
        self._followed: dict[str, _Followed] = {}
        self._ended: OrderedDict[str, Transaction] = OrderedDict()
        self._callbacks: list[TransactionCallback] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._survey = Survey(rpc, self.nonces, info.id)
        self.on_end: Callable[[Transaction], None] = lambda _: None  # called at once, first of all

    async def start(self) -> None:
        """Takes up what the log says is pending, and follows from now on."""
        for one in await self._log.pending(self._info.id):
            self._followed.setdefault(one.hash, _Followed(one))
        self._unsubscribe = self._heads.subscribe(lambda _: self._wake.set())
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def notices(self) -> list[str]:
        """What holds up waiting transactions, in words."""
        return list(self._survey.notices.values())

    def subscribe(self, callback: TransactionCallback) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def pending(self, address: str) -> list[Transaction]:
        """Those of one signer that are not final."""
        return [
            one.transaction for one in self._followed.values() if one.transaction.address == address
        ]

    def nonces(self, address: str) -> set[int]:
        """The nonces that are taken by pending transactions of ours."""
        return {one.nonce for one in self.pending(address) if one.nonce is not None}

    def get(self, hash: str) -> Transaction | None:
        """A transaction of ours, pending or lately ended."""
        followed = self._followed.get(hash)
        return followed.transaction if followed else self._ended.get(hash)

    def rivals(self, transaction: Transaction) -> list[Transaction]:
        """Those with the nonce of a transaction that are not final, oldest first."""
        return rivals(transaction, self._live())

    @stepped("transaction.journal")
    async def adopt(self, transaction: Transaction) -> None:
        """Journals a signed transaction; from now on it is followed and its nonce is taken."""
        await self._log.save(transaction)
        self._followed[transaction.hash] = _Followed(transaction)
        self._tell(transaction)

    async def note_replacement(self, original: str, replacement: Transaction) -> None:
        """Writes at a transaction which one is to take its place."""
        followed = self._followed.get(original)
        if followed is not None:
            await self._apply(followed, lambda current: [_pointing(current, replacement)])

    @stepped("transaction.broadcast")
    async def broadcast(self, hash: str) -> Transaction:
        """The first broadcast. Rejected if every node refused it as invalid: then it is in no
        pool, and its nonce is free. Anything less leaves it to be followed."""
        followed = self._followed[hash]
        transaction = followed.transaction
        self._note_broadcast(followed)
        result = await self._rpc.broadcast(transaction.raw, is_private(transaction))
        now = self._clock.now()
        if result.verdict is Verdict.REFUSED and not await self._known(hash):
            dropped = replace(
                transaction,
                status=TransactionStatus.DROPPED,
                reason=result.text,
                update_time=now,
            )
            await self._apply(followed, lambda _: [dropped])
            poor = "insufficient funds" in result.text.lower()
            raise Rejected(
                Reason.INSUFFICIENT_BALANCE if poor else Reason.SIMULATION_FAILED,
                f"every node refused the transaction: {result.text}",
                {"network": self._info.id, "hash": hash, "node_message": result.text},
            )

        def sent(current: Transaction) -> list[Transaction]:
            if current.status is not TransactionStatus.SIGNED:
                return []
            if result.verdict is Verdict.ACCEPTED:
                return [replace(current, status=TransactionStatus.BROADCAST, update_time=now)]
            return [replace(current, reason=f"not confirmed: {result.text}", update_time=now)]

        await self._apply(followed, sent)
        self._wake.set()
        return followed.transaction

    async def wait_included(self, hash: str, timeout: float) -> Transaction:  # float: seconds
        """Returns once the transaction, or one that took its place and does the same, is in a
        block, or once it has ended otherwise. Unconfirmed after `timeout`."""
        return await wait_included(
            hash, self._info.id, self.get, self._twin, self.subscribe, timeout
        )

    async def check(self) -> None:
        """One look at everything pending; raises CambistError when no node answers."""
        looks = await self._observer.look(self._live())
        for look in looks:
            followed = self._followed.get(look.transaction.hash)
            if followed is not None:
                await self._learn(followed, look)
        await self._survey.look({look.transaction.address for look in looks if look.waiting})

    async def _learn(self, followed: _Followed, look: Look) -> None:
        observation = look.observation
        if observation is None:
            return
        await self._apply(
            followed,
            lambda current: follow(
                current,
                observation,
                self._info.finality_depth,
                self._info.native.decimals,
                self._clock.now(),
            ),
        )
        if followed.transaction.is_final:
            await self._outdo(followed.transaction)
        elif look.missing or (look.waiting and self._is_overdue(followed)):
            await self._again(followed)

    async def _outdo(self, winner: Transaction) -> None:
        """Ends those whose nonce a transaction has used for good."""
        for rival in self.rivals(winner):

            def end(current: Transaction) -> list[Transaction]:
                return outdone(current, winner, self._clock.now())

            await self._apply(self._followed[rival.hash], end)

    async def _again(self, followed: _Followed) -> None:
        """Broadcasts the same bytes again, but not more often than blocks come."""
        if is_superseded(followed.transaction, self._live()):
            return
        now, last = self._clock.monotonic(), followed.broadcast_time
        pause = _SOON if followed.transaction.status in _FRESH else self._pause
        if last is not None and now - last < pause:
            return
        self._note_broadcast(followed)
        raw, private = followed.transaction.raw, is_private(followed.transaction)
        result = await self._rpc.broadcast(raw, private)
        _log.info(
            "transaction %s broadcast again: %s", followed.transaction.hash, result.verdict.name
        )
        if result.verdict is Verdict.ACCEPTED:
            await self._apply(
                followed,
                lambda current: (
                    [replace(current, status=TransactionStatus.BROADCAST, reason="")]
                    if current.status in _FRESH
                    else []
                ),
            )

    def _is_overdue(self, followed: _Followed) -> bool:
        """Whether it waits for so long that other nodes may have lost it, or never got it."""
        return self._height() - followed.broadcast_block >= self._insist

    def _note_broadcast(self, followed: _Followed) -> None:
        followed.broadcast_time = self._clock.monotonic()
        followed.broadcast_block = self._height()

    def _height(self) -> int:
        return self._heads.head.number if self._heads.head else 0

    async def _apply(
        self, followed: _Followed, change: Callable[[Transaction], list[Transaction]]
    ) -> None:
        """Journals and publishes the steps that follow from the present state, one at a time."""
        async with followed.turn:
            for step in change(followed.transaction):
                await self._log.save(step)
                followed.transaction = step
                if step.is_final:
                    self._end(step)
                self._tell(step)

    def _end(self, transaction: Transaction) -> None:
        self.on_end(transaction)
        self._followed.pop(transaction.hash, None)
        self._ended[transaction.hash] = transaction
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def _tell(self, transaction: Transaction) -> None:
        """Each callback in a turn of its own: one that fails harms nobody else."""
        loop = asyncio.get_running_loop()
        for callback in self._callbacks:
            loop.call_soon(callback, transaction)

    def _live(self) -> list[Transaction]:
        return [one.transaction for one in self._followed.values()]

    def _twin(self, transaction: Transaction) -> Transaction | None:
        """What does the same in a transaction's place: of several the one that tells most."""
        known = (*self._live(), *self._ended.values())
        twins = (one for one in known if one.hash != transaction.hash and is_twin(transaction, one))
        return max(twins, key=standing, default=None)

    async def _known(self, hash: str) -> bool:
        """Whether any node knows a transaction; a doubt counts as yes."""
        try:
            rows = await self._rpc.ask_all([("eth_getTransactionByHash", [hash])])
        except CambistError:
            return True
        return any(row[0] is not None for row in rows)

    async def _run(self) -> None:
        while True:
            # The tick matters only while something is pending: nothing else needs looking.
            # Not wait_for: before Python 3.12 it loses a cancel that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tick if self._followed else None):
                    await self._wake.wait()
            self._wake.clear()
            if not self._followed:
                self._survey.clear()
                continue
            try:
                await self.check()
            except CambistError as error:
                _log.info("pending transactions of %s not seen: %s", self._info.id, error.reason)


def _pointing(transaction: Transaction, replacement: Transaction) -> Transaction:
    details = {**transaction.details, REPLACED_BY: replacement.hash}
    return replace(transaction, details=details, update_time=replacement.create_time)
