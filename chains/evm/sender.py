"""Sends transactions: look for the intent, simulate, sign, journal, and only then broadcast."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from decimal import Decimal
from typing import Any

from chains.evm.codec import hexadecimal, keccak
from chains.evm.envelope import Envelope
from chains.evm.fees import Fees
from chains.evm.heads import HeadTracker
from chains.evm.model import TransactionPlan
from chains.evm.nonces import NonceLedger
from chains.evm.prepare import Prepared, prepare
from chains.evm.prices import GasPrices
from chains.evm.rivals import standing
from chains.evm.routes import routed
from chains.evm.rpc import RpcPool
from chains.evm.signing import signed
from chains.evm.watcher import TransactionWatcher
from core.clock import SECOND, Clock
from core.ports import FeeOptions, NetworkInfo, Signer, TransactionLog
from core.steps import stepped
from core.transactions import Transaction, TransactionStatus

_MEMORY = 300 * SECOND  # longer than usable nodes lag
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
        max_fee: Decimal | None = None,
    ) -> None:
        self._info = info
        self._rpc = rpc
        self._heads = heads
        self._watcher = watcher
        self._signer = signer
        self._log = log
        self._clock = clock
        self.prices = GasPrices(rpc, max_fee)
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
        plan = replace(plan, details=routed(plan.details, options.route, self._rpc))
        head, ledger = await self._heads.known(), self.ledger(plan.sender)
        prepared = await prepare(self._rpc, self._info, plan, options, head, self.prices, ledger)
        return await self.unhurt(self._commit(plan, prepared, ledger))

    async def unhurt(self, work: Coroutine[Any, Any, Transaction]) -> Transaction:
        """Runs to its end also when its caller goes away: nothing may be left half sent."""
        task = asyncio.create_task(work)
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
            nonce = ledger.next(prepared.counts)
            transaction = await self.sign(plan, prepared.fees, prepared.gas_limit, nonce)
            await self._watcher.adopt(transaction)
        return await self._watcher.broadcast(transaction.hash)

    @stepped("transaction.sign")
    async def sign(
        self, plan: TransactionPlan, fees: Fees, gas_limit: int, nonce: int
    ) -> Transaction:
        """A plan with all its numbers, signed; nothing is journaled or sent yet."""
        envelope = Envelope(
            chain_id=self._info.chain_id,
            nonce=nonce,
            fees=fees,
            gas_limit=gas_limit,
            to=plan.to,
            value=plan.value,
            data=plan.data,
        )
        raw = await signed(self._signer, plan.sender, envelope)
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
        """The intent's live transaction; else the one that was included, else its last one."""
        found = [
            self._watcher.get(one.hash) or one
            for one in await self._log.by_intent(self._info.id, plan.intent)
            if one.purpose == plan.purpose
        ]
        return max(found, key=standing, default=None)

    def ledger(self, address: str) -> NonceLedger:
        """The nonces of a signer."""
        known = self._ledgers.get(address)
        if known is None:
            memory = _MEMORY if self._info.finality_depth else 0
            known = NonceLedger(lambda: self._watcher.nonces(address), self._clock, memory)
            self._ledgers[address] = known
        return known

    def _settle(self, transaction: Transaction) -> None:
        used = (TransactionStatus.FINAL, TransactionStatus.REVERTED, TransactionStatus.REPLACED)
        if transaction.status in used and transaction.nonce is not None:
            self.ledger(transaction.address).settle(transaction.nonce)
