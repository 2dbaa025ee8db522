"""Sends transactions: look for the intent, simulate, sign, journal, and only then broadcast."""

import asyncio
import logging

from chains.evm.codec import hexadecimal, keccak
from chains.evm.envelope import Envelope, signer_of
from chains.evm.heads import HeadTracker
from chains.evm.model import TransactionPlan
from chains.evm.nonces import NonceLedger
from chains.evm.prepare import Prepared, prepare
from chains.evm.prices import GasPrices
from chains.evm.rpc import RpcPool
from chains.evm.watcher import TransactionWatcher
from core.clock import Clock
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions, NetworkInfo, Signer, TransactionLog
from core.transactions import Transaction, TransactionStatus

_log = logging.getLogger(__name__)


class TransactionSender:
    """One for a network; any number of callers at a time."""

    def __init__(
        self,
        info: NetworkInfo,
        rpc: RpcPool,
        heads: HeadTracker,
        watcher: TransactionWatcher,
        signer: Signer,
        log: TransactionLog,
        clock: Clock,
    ) -> None:
        self._info = info
        self._rpc = rpc
        self._heads = heads
        self._watcher = watcher
        self._signer = signer
        self._log = log
        self._clock = clock
        self._prices = GasPrices(rpc)
        self._ledgers: dict[str, NonceLedger] = {}
        self._running: set[asyncio.Task[Transaction]] = set()
        watcher.on_end = self._settle

    async def send(self, plan: TransactionPlan, options: FeeOptions) -> Transaction:
        """The transaction of the plan's intent: the one in the log, or a new one.

        Refused: nothing was signed. Rejected: every node refused it. Otherwise it is signed,
        journaled and followed, whatever became of the broadcast: its status tells.
        """
        earlier = await self._earlier(plan)
        if earlier is not None:
            return earlier
        if self._heads.head is None:
            await self._heads.poll()
        if self._heads.head is None:
            raise CambistError(Reason.NODE_UNAVAILABLE, "the chain's head is not known yet")
        ledger = self._ledger(plan.sender)
        prepared = await prepare(
            self._rpc, self._info, plan, options, self._heads.head, self._prices, ledger
        )
        # A caller that goes away must not leave a transaction half sent.
        task = asyncio.create_task(self._commit(plan, prepared, ledger))
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """Waits for what is being signed or broadcast."""
        if self._running:
            await asyncio.wait(self._running, timeout=5)

    def _done(self, task: asyncio.Task[Transaction]) -> None:
        """A failure whose caller has gone away is heard of here."""
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.info("a transaction was not sent: %s", error)

    async def _commit(
        self, plan: TransactionPlan, prepared: Prepared, ledger: NonceLedger
    ) -> Transaction:
        async with ledger.lock:
            earlier = await self._earlier(plan)
            if earlier is not None:
                return earlier
            transaction = await self._sign(plan, prepared, ledger.next(prepared.counts))
            await self._watcher.adopt(transaction)
        return await self._watcher.broadcast(transaction.hash)

    async def _sign(self, plan: TransactionPlan, prepared: Prepared, nonce: int) -> Transaction:
        envelope = Envelope(
            chain_id=self._info.chain_id,
            nonce=nonce,
            fees=prepared.fees,
            gas_limit=prepared.gas_limit,
            to=plan.to,
            value=plan.value,
            data=plan.data,
        )
        digest = envelope.digest()
        signature = await self._signer.sign("evm", plan.sender, digest)
        try:
            raw, found = envelope.signed(signature), signer_of(digest, signature)
        except ValueError as error:
            raise Refused(
                Reason.INTERNAL, f"the signer's answer is no signature: {error}"
            ) from error
        if found != plan.sender:
            raise Refused(Reason.INTERNAL, f"the signer signed for {found}, not for {plan.sender}")
        now = self._clock.now()
        return Transaction(
            network=self._info.id,
            address=plan.sender,
            intent=plan.intent,
            purpose=plan.purpose,
            hash=hexadecimal(keccak(raw)),
            raw=raw,
            status=TransactionStatus.SIGNED,
            nonce=nonce,
            to=plan.to,
            details=dict(plan.details),
            create_time=now,
            update_time=now,
        )

    async def _earlier(self, plan: TransactionPlan) -> Transaction | None:
        """The intent's live transaction, or its last one."""
        found = [
            self._watcher.get(one.hash) or one
            for one in await self._log.by_intent(self._info.id, plan.intent)
            if one.purpose == plan.purpose
        ]
        live = [one for one in found if not one.is_final]
        return (live or found)[-1] if found else None

    def _ledger(self, address: str) -> NonceLedger:
        return self._ledgers.setdefault(address, NonceLedger(lambda: self._watcher.nonces(address)))

    def _settle(self, transaction: Transaction) -> None:
        used = (TransactionStatus.FINAL, TransactionStatus.REVERTED, TransactionStatus.REPLACED)
        if transaction.status in used and transaction.nonce is not None:
            self._ledger(transaction.address).settle(transaction.nonce)
