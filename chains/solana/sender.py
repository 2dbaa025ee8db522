"""From a plan to a signed, journaled, broadcast transaction; once an intent."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from solders.hash import Hash
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from chains.nodes import NodeError
from chains.solana import fees as fee_rules
from chains.solana import instructions, programs, reasons
from chains.solana.lifecycle import SIGNED_SLOT
from chains.solana.plans import Plan
from chains.solana.pool import RpcPool
from chains.solana.tracker import Tracker
from chains.solana.wire import Blockhash, PriorityFee, Simulation, Valued
from core.clock import Clock
from core.errors import CambistError, Reason, Refused
from core.money import from_units, text
from core.ports import FeeEstimate, FeeOptions, NetworkInfo, Signer, TransactionLog
from core.transactions import Transaction, TransactionStatus

_CONFIRMED = {"commitment": "confirmed"}
_MAX_FEE_ACCOUNTS = 128  # that getRecentPrioritizationFees takes
_STOP_LIMIT = 5.0  # float: seconds


@dataclass(frozen=True, slots=True)
class Budget:
    """What a transaction may use and offers for it; `fee` is the whole, in lamports."""

    units: int
    micro_lamports: int
    fee: int


class TransactionSender:
    """Simulates, prices, signs, journals, broadcasts. Transactions on Solana have no order among
    each other, so only calls of one intent wait for each other."""

    def __init__(
        self,
        info: NetworkInfo,
        pool: RpcPool,
        tracker: Tracker,
        signer: Signer,
        log: TransactionLog,
        clock: Clock,
    ) -> None:
        self._info = info
        self._pool = pool
        self._tracker = tracker
        self._signer = signer
        self._log = log
        self._clock = clock
        self._intents: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}
        self._running: set[asyncio.Task[Transaction]] = set()

    async def stop(self) -> None:
        """Waits for what is being sent; after a while no more. What was journaled goes on later."""
        if self._running:
            await asyncio.wait(self._running, timeout=_STOP_LIMIT)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def send(self, plan: Plan, options: FeeOptions) -> Transaction:
        """The transaction of the plan's intent and purpose: one that lives or has succeeded or
        failed already, else a new one. An intent gets a second one only with the proof that the
        first is dead. Refused: nothing was signed."""
        if options.strategy not in fee_rules.strategies():
            names = ", ".join(fee_rules.strategies())
            raise Refused(Reason.FIELD_INVALID, f"a fee strategy is one of {names}")
        if options.route == "private" or options.priority_price is not None:
            named = "route" if options.route == "private" else "priority_price"
            raise Refused(
                Reason.FIELD_INVALID,
                f"{named}: Solana has neither private nodes here nor tips within a price",
                {"field": named},
            )
        # A task of its own: a caller that goes away must not leave a transaction that is journaled
        # but not followed, or an intent that a retry takes for unsent.
        task = asyncio.create_task(self._once(plan, options))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _once(self, plan: Plan, options: FeeOptions) -> Transaction:
        async with self._alone(plan.intent, plan.purpose):
            for earlier in reversed(await self._log.by_intent(self._info.id, plan.intent)):
                if earlier.purpose == plan.purpose:
                    known = self._tracker.book.follow(earlier)
                    if known.status is not TransactionStatus.DROPPED:
                        return known
            self._tracker.book.check_room()
            return await self._tracker.send(await self._signed(plan, options))

    async def simulate(self, plan: Plan) -> Simulation:
        """What the plan would do now. Refused with SIMULATION_FAILED or INSUFFICIENT_BALANCE."""
        steps = [*instructions.budget(programs.MAX_COMPUTE_UNITS, 0), *plan.instructions]
        message = _compile(plan, steps, Hash.default())
        empty = [Signature.default()] * message.header.num_required_signatures
        raw = bytes(VersionedTransaction.populate(message, empty))
        options = {
            **_CONFIRMED,
            "encoding": "base64",
            "sigVerify": False,
            "replaceRecentBlockhash": True,
            "accounts": {"encoding": "base64", "addresses": [str(plan.sender)]},
        }
        params = [base64.b64encode(raw).decode(), options]
        try:
            answer: Valued[Simulation] = await self._pool.call(
                "simulateTransaction", params, Valued[Simulation]
            )
        except NodeError as error:
            metadata = {"node_code": str(error.code), "node_message": error.text[:500]}
            message_ = f"a node refuses to simulate it: {error.text[:200]}"
            raise Refused(Reason.SIMULATION_FAILED, message_, metadata) from None
        if answer.value.err is not None:
            raise reasons.simulation_refusal(answer.value.err, answer.value.logs)
        return answer.value

    async def _signed(self, plan: Plan, options: FeeOptions) -> Transaction:
        simulated, price = await asyncio.gather(self.simulate(plan), self._price(plan, options))
        budget = self._budget(plan, simulated, price, options)
        steps = [*instructions.budget(budget.units, budget.micro_lamports), *plan.instructions]
        blockhash: Valued[Blockhash] = await self._pool.call(
            "getLatestBlockhash", [_CONFIRMED], Valued[Blockhash]
        )
        message = _compile(plan, steps, Hash.from_string(blockhash.value.blockhash))
        if message.header.num_required_signatures != 1:
            raise Refused(Reason.FIELD_INVALID, "only the sender's signature can be given")
        payload = to_bytes_versioned(message)
        raw_signature = await self._signer.sign("solana", str(plan.sender), payload)
        signature = Signature.from_bytes(raw_signature)
        raw = bytes(VersionedTransaction.populate(message, [signature]))
        now = self._clock.now()
        return Transaction(
            network=self._info.id,
            address=str(plan.sender),
            intent=plan.intent,
            purpose=plan.purpose,
            hash=str(signature),
            raw=raw,
            status=TransactionStatus.SIGNED,
            last_valid_height=blockhash.value.last_valid_block_height,
            to=plan.to,
            details={
                **plan.details,
                SIGNED_SLOT: str(blockhash.context.slot),
                "compute_units": str(budget.units),
                "compute_unit_price": str(budget.micro_lamports),
                "max_fee": text(from_units(budget.fee, self._info.native.decimals)),
            },
            create_time=now,
            update_time=now,
        )

    async def estimates(self) -> list[FeeEstimate]:
        """What a transfer of the coin would cost with each strategy, where nobody else writes to
        its accounts. Raises CambistError when no node tells."""
        recent: Sequence[PriorityFee] = await self._pool.call(
            "getRecentPrioritizationFees", [[]], list[PriorityFee]
        )
        decimals = self._info.native.decimals
        found = []
        for name in fee_rules.strategies():
            price = fee_rules.unit_price([fee.prioritization_fee for fee in recent], name)
            fee = fee_rules.total(1, fee_rules.TRANSFER_UNITS, price)
            found.append(
                FeeEstimate(
                    strategy=name,
                    transfer_fee=from_units(fee, decimals),
                    unit_price=from_units(price, decimals + fee_rules.MICRO_DECIMALS),
                )
            )
        return found

    async def _price(self, plan: Plan, options: FeeOptions) -> int:
        """Micro-lamports a compute unit: as was named, else from what was paid for the accounts
        that are written to. Where a node does not tell, nothing is offered: the base fee alone is
        still valid."""
        if options.unit_price is not None:
            return self._named(options.unit_price)
        written = {str(plan.sender)}
        for step in plan.instructions:
            written.update(str(account.pubkey) for account in step.accounts if account.is_writable)
        try:
            recent: Sequence[PriorityFee] = await self._pool.call(
                "getRecentPrioritizationFees",
                [sorted(written)[:_MAX_FEE_ACCOUNTS]],
                list[PriorityFee],
            )
        except (CambistError, NodeError):
            return 0
        return fee_rules.unit_price([fee.prioritization_fee for fee in recent], options.strategy)

    def _named(self, price: Decimal) -> int:
        """A price in the coin as micro-lamports; what is finer is cut off."""
        decimals = self._info.native.decimals + fee_rules.MICRO_DECIMALS
        if not price.is_finite() or not 0 <= price.scaleb(decimals) <= fee_rules.MAX_PRICE:
            raise Refused(
                Reason.FIELD_INVALID,
                f"unit_price: {price} is no price of a compute unit in {self._info.native.symbol}",
                {"field": "unit_price"},
            )
        return int(price.scaleb(decimals))

    def _budget(self, plan: Plan, simulated: Simulation, price: int, options: FeeOptions) -> Budget:
        units = fee_rules.unit_limit(simulated.units_consumed or programs.MAX_COMPUTE_UNITS)
        fee = fee_rules.total(1, units, price)
        decimals = self._info.native.decimals
        amount = from_units(fee, decimals)
        if options.max_fee is not None and amount > options.max_fee:
            raise Refused(
                Reason.FEE_CAP_EXCEEDED,
                f"the fee would be {text(amount)} {self._info.native.symbol}, above the cap of"
                f" {text(options.max_fee)}; raise the cap, or use a slower strategy",
                {"fee": text(amount), "max_fee": text(options.max_fee)},
            )
        # The simulation paid for the signature; the priority fee comes on top.
        after = simulated.accounts[0] if simulated.accounts else None
        priority = fee - programs.LAMPORTS_PER_SIGNATURE
        if after is not None and after.lamports < priority:
            raise Refused(
                Reason.INSUFFICIENT_BALANCE,
                f"{plan.sender} cannot pay the fee of {text(amount)} {self._info.native.symbol}",
                {"fee": text(amount)},
            )
        return Budget(units, price, fee)

    @asynccontextmanager
    async def _alone(self, intent: str, purpose: str) -> AsyncIterator[None]:
        """One call at a time for an intent: a retry that overtakes its first call must find it."""
        key = (intent, purpose)
        lock, users = self._intents.get(key, (asyncio.Lock(), 0))
        self._intents[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._intents[key]
            if users == 1:
                del self._intents[key]
            else:
                self._intents[key] = (lock, users - 1)


def _compile(plan: Plan, steps: Sequence[object], blockhash: Hash) -> MessageV0:
    message = MessageV0.try_compile(plan.sender, list(steps), list(plan.tables), blockhash)  # type: ignore[arg-type]
    size = 1 + 64 * message.header.num_required_signatures + len(to_bytes_versioned(message))
    if size > programs.MAX_TRANSACTION_SIZE:
        raise Refused(
            Reason.SIMULATION_FAILED,
            f"the transaction would have {size} bytes, and {programs.MAX_TRANSACTION_SIZE} is the"
            " most; do less in one",
        )
    return message


def pubkey(address: str, field: str) -> Pubkey:
    """An address of a request; Refused with FIELD_INVALID that names the field."""
    try:
        return Pubkey.from_string(address)
    except ValueError:
        message = f"{address[:80]!r} is not a Solana address (base58 of 32 bytes)"
        raise Refused(Reason.FIELD_INVALID, message, {"field": field}) from None
