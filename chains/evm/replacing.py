"""Speeding up and canceling: another transaction with the nonce of a pending one, at a price for
which nodes let it take the place.

At most one of those that share a nonce is ever included, so whatever happens the intent has at most
one effect. The original lives on until there is proof that it cannot be included.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chains.evm.data_fee import at_most
from chains.evm.envelope import Envelope, opened
from chains.evm.fees import Fees, outbid, under_cap, with_margin
from chains.evm.heads import HeadTracker
from chains.evm.lifecycle import BLOCK_HASH
from chains.evm.model import Block, TransactionPlan
from chains.evm.prepare import afford, call_object, number, refusal
from chains.evm.rivals import INCLUDED, REPLACED_BY, REPLACES, REQUEST
from chains.evm.routes import routed
from chains.evm.rpc import RpcPool
from chains.evm.sender import TransactionSender
from chains.evm.watcher import TransactionWatcher
from chains.nodes import NodeError
from core.errors import Reason, Refused
from core.ports import FeeOptions, NetworkInfo, TransactionLog
from core.transactions import Transaction

CANCEL = "cancel"
Change = Callable[[TransactionPlan], TransactionPlan]


class Replacer:
    """Makes replacements of transactions that were sent from here."""

    def __init__(
        self,
        info: NetworkInfo,
        rpc: RpcPool,
        heads: HeadTracker,
        watcher: TransactionWatcher,
        sender: TransactionSender,
        log: TransactionLog,
    ) -> None:
        self._info = info
        self._rpc = rpc
        self._heads = heads
        self._watcher = watcher
        self._sender = sender
        self._log = log

    async def speed_up(self, hash: str, request: str, options: FeeOptions) -> Transaction:
        """The same once more, at a higher price."""
        return await self._replace(hash, request, options, lambda plan: plan)

    async def cancel(self, hash: str, request: str, options: FeeOptions) -> Transaction:
        """Nothing, sent to oneself, in its place."""
        return await self._replace(hash, request, options, _nothing)

    async def _replace(
        self, hash: str, request: str, options: FeeOptions, change: Change
    ) -> Transaction:
        original = await self._find(hash)
        made = await self._made(original, request)
        if made is not None:
            return made
        self._check_open(original)
        before = opened(original.raw)
        plan = change(_plan(original, before, request))
        plan = replace(plan, details=routed(plan.details, options.route, self._rpc))
        head = await self._heads.known()
        gas, balance, data_fee = await self._prepare(plan, original, head)
        wished = await self._sender.prices.offer(options, head, self._info.native)
        cap = self._sender.prices.cap(options, self._info.native)

        async def commit() -> Transaction:
            async with self._sender.ledger(original.address).lock:
                again = await self._made(original, request)
                if again is not None:
                    return again
                present = await self._find(hash)
                self._check_open(present)
                standing = _highest([present, *self._watcher.rivals(present)])
                fees = outbid(wished, standing)
                nothing = Fees(0, None if wished.priority is None else 0)
                least = outbid(nothing, standing).price
                native = self._info.native
                fees = under_cap(fees, gas, head.base_fee, cap, native, least, data_fee)
                afford(balance, plan.value + fees.price * gas + data_fee, self._info)
                made = await self._sender.sign(plan, fees, gas, before.nonce)
                await self._watcher.adopt(made)
                await self._watcher.note_replacement(hash, made)
            return await self._watcher.broadcast(made.hash)

        return await self._sender.unhurt(commit())

    async def _find(self, hash: str) -> Transaction:
        """One that ended before a restart is only in the log: what a request made of it is answered
        still, and nobody hears that it never was."""
        known = self._watcher.get(hash.lower())
        if known is None:
            known = await self._log.find(self._info.id, hash.lower())
        if known is None or not known.raw:
            raise Refused(
                Reason.TRANSACTION_NOT_FOUND,
                f"no transaction {hash[:80]!r} of ours is pending on {self._info.name}; only what "
                "was sent from here can be replaced",
                {"hash": hash[:80], "network": self._info.id},
            )
        return known

    def _check_open(self, transaction: Transaction) -> None:
        """Refused with TRANSACTION_FINAL once it, or another in its place, is in a block."""
        for one in (transaction, *self._watcher.rivals(transaction)):
            if one.is_final or one.status in INCLUDED:
                where = f" in block {one.block}" if one.block is not None else ""
                raise Refused(
                    Reason.TRANSACTION_FINAL,
                    f"{one.hash} is {one.status.name.lower()}{where} already: nothing can take its"
                    " place any more",
                    {"network": self._info.id, "hash": one.hash, "status": one.status.name.lower()},
                )

    async def _made(self, original: Transaction, request: str) -> Transaction | None:
        """What the request has made before, perhaps before a restart."""
        for one in await self._log.by_intent(self._info.id, original.intent):
            if one.details.get(REQUEST) == request and one.nonce == original.nonce:
                return self._watcher.get(one.hash) or one
        return None

    async def _prepare(
        self, plan: TransactionPlan, original: Transaction, head: Block
    ) -> tuple[int, int, int]:
        """The gas limit, the balance and what posting its data costs. Refused where the plan would
        revert by now; not asked for what waits behind others of ours, whose effects it may need."""
        nonces = self._watcher.nonces(original.address)
        first = not any(nonce < (original.nonce or 0) for nonce in nonces)
        wire = call_object(plan)
        questions: list[tuple[str, list[Any]]] = [("eth_getBalance", [plan.sender, "latest"])]
        if plan.gas_limit is None:
            questions.append(("eth_estimateGas", [wire]))
        elif first:
            questions.append(("eth_call", [wire, "latest"]))
        besides = await self._sender.prices.data_fees.questions(plan, head)
        answers = await self._rpc.batch([*questions, *besides])
        balance, *rest = answers[: len(questions)]
        for answer in rest:
            if isinstance(answer, NodeError):
                raise refusal(answer, self._info.id) from answer
        gas = plan.gas_limit
        if gas is None:
            gas = with_margin(number(rest.pop(0)))
        return gas, number(balance), at_most(answers[len(questions) :])


def _plan(original: Transaction, before: Envelope, request: str) -> TransactionPlan:
    """The original once more."""
    gone = (BLOCK_HASH, REPLACED_BY)
    details = {key: text for key, text in original.details.items() if key not in gone}
    return TransactionPlan(
        sender=original.address,
        to=before.to,
        data=before.data,
        value=before.value,
        intent=original.intent,
        purpose=original.purpose,
        details={**details, REPLACES: original.hash, REQUEST: request},
        gas_limit=before.gas_limit,
    )


def _nothing(plan: TransactionPlan) -> TransactionPlan:
    """What only uses the nonce."""
    kept = (REPLACES, REQUEST, "route")
    details = {key: text for key, text in plan.details.items() if key in kept}
    return replace(
        plan,
        to=plan.sender,
        data=b"",
        value=0,
        purpose=CANCEL,
        details=details,
        gas_limit=None,
    )


def _highest(transactions: list[Transaction]) -> Fees:
    """What must be outbid: the highest price and the highest tip among them."""
    all_fees = [opened(one.raw).fees for one in transactions]
    tips = [fees.priority for fees in all_fees]
    known = [tip for tip in tips if tip is not None]
    # A legacy transaction's tip is its whole price: whoever outbids it must not count on tips.
    return Fees(
        price=max(fees.price for fees in all_fees),
        priority=max(known) if len(known) == len(tips) else None,
    )
