"""Waits for the end of a wallet's swaps on one venue and tells it, once each."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

from chains.evm.model import Block, Receipt
from core.errors import CambistError
from core.orders import Fill, OrderReport
from core.ports import TransactionLog
from core.transactions import Transaction, TransactionStatus
from dex.execution import SWAP
from dex.fills import fill
from dex.network import Unsubscribe
from dex.settlement import Outcome, ended, filled, is_order, reverted
from dex.venue import PoolVenue

_log = logging.getLogger(__name__)

_RETRY = 1.0  # float: seconds until a receipt that could not be read is asked for again
_LOOK_BACK = 3_600_000_000_000  # ns
_REMEMBERED = 4_096  # hashes of swaps that were told
_SUCCEEDED = frozenset({TransactionStatus.INCLUDED, TransactionStatus.FINAL})
_GONE = frozenset({TransactionStatus.REPLACED, TransactionStatus.DROPPED})

Report = OrderReport | Fill
ReportCallback = Callable[[Report], None]


class Settler:
    """The swaps of one address on one venue, from the chain's word to reports."""

    def __init__(
        self,
        account: str,
        venue: PoolVenue,
        address: str,
        log: TransactionLog,
        confirmations: int,
    ) -> None:
        self._account = account
        self._venue = venue
        self._address = address
        self._log = log
        self._confirmations = confirmations
        self._tell: ReportCallback | None = None
        self._waiting: dict[str, Transaction] = {}
        self._told: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: list[Unsubscribe] = []

    async def start(self, tell: ReportCallback) -> None:
        """Takes up what the log says is pending, and tells from now on. What ended lately is told
        again: it may have ended before the one who was to hear of it could write it down."""
        self._tell = tell
        network = self._venue.network
        self._unsubscribe = [
            network.on_transaction(self._on_transaction),
            network.on_block(self._on_block),
        ]
        known = network.info.id
        since = self._venue.clock.now() - _LOOK_BACK
        recent = await self._log.by_address(known, self._address, since)
        for transaction in (*await self._log.pending(known), *recent):
            if self.concerns(transaction):
                self._waiting.setdefault(transaction.hash, transaction)
                self._restore_allowance(transaction)
        self._wake.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def concerns(self, transaction: Transaction) -> bool:
        """Whether a transaction is a swap of this wallet on this venue."""
        return (
            transaction.address == self._address
            and transaction.purpose == SWAP
            and transaction.details.get("venue") == self._venue.spec.id
        )

    async def outcome(self, transaction: Transaction) -> Outcome | None:
        """How a swap has ended; None while it has not, or not deep enough to be told. Raises
        CambistError when the chain cannot be asked."""
        if transaction.status in _GONE:
            return Outcome(await self._gone(transaction))
        if not self._is_deep(transaction):
            return None
        receipt = await self._venue.network.receipt(transaction.hash)
        if receipt is None:
            return None
        time = self._venue.states.block_time(receipt.block) or transaction.update_time
        if not receipt.status:
            asset = self._venue.network.info.native.symbol
            told = reverted(transaction, receipt, asset, time) if is_order(transaction) else None
            return Outcome(told)
        done = await self._fill(transaction, receipt, time)
        return Outcome(filled(transaction, done) if is_order(transaction) else None, done)

    def has_ended(self, transaction: Transaction) -> bool:
        """Whether `outcome` tells something final."""
        return transaction.status in _GONE or self._is_deep(transaction)

    def claim(self, transaction: Transaction) -> bool:
        """Whether an ended swap was not told yet; from now on it counts as told."""
        if transaction.hash in self._told:
            return False
        self._done(transaction)
        return True

    @staticmethod
    def is_gone(transaction: Transaction) -> bool:
        """Whether a transaction can never be in a block any more."""
        return transaction.status in _GONE

    def _is_deep(self, transaction: Transaction) -> bool:
        if transaction.status in (TransactionStatus.FINAL, TransactionStatus.REVERTED):
            return True
        if transaction.status is not TransactionStatus.INCLUDED or transaction.block is None:
            return False
        return self._venue.network.height - transaction.block + 1 >= self._confirmations

    async def _gone(self, transaction: Transaction) -> OrderReport | None:
        """Nothing, while another transaction of the same intent is alive: a replacement by fee."""
        if not is_order(transaction):
            return None
        network = self._venue.network.info.id
        for other in await self._log.by_intent(network, transaction.intent):
            alive = other.status not in _GONE and other.purpose == SWAP
            if alive and other.hash != transaction.hash:
                return None
        return ended(transaction)

    async def _fill(self, transaction: Transaction, receipt: Receipt, time: int) -> Fill:
        details = transaction.details
        native = self._venue.network.info.native
        give, take = [
            await self._venue.lookup.at(details[key]) if details[key] else native
            for key in ("token_in", "token_out")
        ]
        if details.get("way"):
            ends = self._venue.lookup.erc20(give), self._venue.lookup.erc20(take)
            market = self._venue.directory.between(*ends, ())
        else:
            market = await self._venue.finder.at(details["pool"])
        return fill(
            transaction,
            receipt,
            market,
            (give, take),
            native,
            self._venue.spec.id,
            self._account,
            time,
        )

    def _restore_allowance(self, transaction: Transaction) -> None:
        details = transaction.details
        token = details.get("token_in")
        if not token or "guaranteed" not in details:
            return
        units = details["quoted_in"] if details.get("exact_in") == "1" else details["guaranteed"]
        self._venue.executor.restore(self._address, token, transaction, int(units))

    def _on_transaction(self, transaction: Transaction) -> None:
        if not self.concerns(transaction):
            return
        if transaction.hash in self._told:
            if transaction.status is TransactionStatus.REORGANISED:
                _log.error(
                    "swap %s was reorganised away after %d confirmations, when its fill was told",
                    transaction.hash,
                    self._confirmations,
                )
            return
        self._waiting[transaction.hash] = transaction
        if transaction.status is TransactionStatus.REORGANISED:
            self._restore_allowance(transaction)  # it will take its tokens once more
        if self.has_ended(transaction):
            self._wake.set()

    def _on_block(self, block: Block) -> None:
        if self._waiting:
            self._wake.set()

    async def _run(self) -> None:
        failed = False
        while True:
            try:
                async with asyncio.timeout(_RETRY if failed else None):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            failed = False
            for transaction in list(self._waiting.values()):
                if not self.has_ended(transaction):
                    continue
                try:
                    await self._settle(transaction)
                except CambistError as error:
                    _log.warning("end of swap %s not read: %s", transaction.hash, error.message)
                    failed = True
                except (KeyError, ValueError) as error:
                    _log.error("receipt of swap %s makes no sense: %s", transaction.hash, error)
                    self._done(transaction)

    async def _settle(self, transaction: Transaction) -> None:
        outcome = await self.outcome(transaction)
        if outcome is None:
            return  # no receipt after all: a later block will bring it
        if self._waiting.get(transaction.hash) is not transaction:
            return  # it changed, or was told, while the receipt was read
        if self._tell is None or not self.claim(transaction):
            return
        if outcome.fill is not None:
            self._tell(outcome.fill)
        if outcome.report is not None:
            self._tell(outcome.report)

    def _done(self, transaction: Transaction) -> None:
        self._waiting.pop(transaction.hash, None)
        self._told[transaction.hash] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
