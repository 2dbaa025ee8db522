"""From a plan to a signed, journaled, broadcast transaction; once an intent."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from solders.hash import Hash
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from chains.nodes import NodeError
from chains.solana import compose, instructions, programs, reasons
from chains.solana import fees as fee_rules
from chains.solana.blockhashes import FreshBlockhash
from chains.solana.compose import Variants
from chains.solana.lifecycle import SIGNED_SLOT
from chains.solana.plans import Plan
from chains.solana.pool import RpcPool
from chains.solana.prices import Budget, Prices
from chains.solana.tracker import Tracker
from chains.solana.wire import Simulation, Valued
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.money import from_units, text
from core.ports import FeeEstimate, FeeOptions, NetworkInfo, Signer, TransactionLog
from core.steps import stepped
from core.transactions import Transaction, TransactionStatus

_CONFIRMED = {"commitment": "confirmed"}
_BLOCKHASH_LIFE = 600 * SECOND  # and more: blocks may come slowly
_STOP_LIMIT = 5.0  # float: seconds


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
        max_fee: Decimal | None = None,
    ) -> None:
        self._info = info
        self._pool = pool
        self._tracker = tracker
        self._signer = signer
        self._log = log
        self._clock = clock
        self._prices = Prices(info, pool, max_fee)
        self._variants = Variants()
        self._earlier: dict[str, set[str]] = {}  # address -> hashes of an earlier process
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

    async def estimates(self) -> list[FeeEstimate]:
        """What a transfer of the coin would cost with each strategy."""
        return await self._prices.estimates()

    async def earlier(self, intent: str, purpose: str) -> Transaction | None:
        """What an intent has sent, if that is not proven dead."""
        for earlier in reversed(await self._log.by_intent(self._info.id, intent)):
            if earlier.purpose == purpose:
                known = self._tracker.book.follow(earlier)
                if known.status is not TransactionStatus.DROPPED:
                    return known
        return None

    async def _once(self, plan: Plan, options: FeeOptions) -> Transaction:
        async with self._alone(plan.intent, plan.purpose):
            if (earlier := await self.earlier(plan.intent, plan.purpose)) is not None:
                return earlier
            self._tracker.book.check_room()
            return await self._tracker.send(await self._signed(plan, options))

    @stepped("transaction.simulate")
    async def simulate(self, plan: Plan) -> Simulation:
        """What the plan would do now. Refused with SIMULATION_FAILED or INSUFFICIENT_BALANCE."""
        steps = [*instructions.budget(programs.MAX_COMPUTE_UNITS, 0), *plan.instructions]
        message = compose.message(plan, steps, Hash.default())
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
            if (failed := reasons.preflight(error.data)) is not None:
                raise reasons.simulation_refusal(*failed) from None
            metadata = {"node_code": str(error.code), "node_message": error.text[:500]}
            message_ = f"a node refuses to simulate it: {error.text[:200]}"
            raise Refused(Reason.SIMULATION_FAILED, message_, metadata) from None
        if answer.value.err is not None:
            raise reasons.simulation_refusal(answer.value.err, answer.value.logs)
        return answer.value

    async def _signed(self, plan: Plan, options: FeeOptions) -> Transaction:
        simulated, price = await asyncio.gather(
            self.simulate(plan), self._prices.price(plan, options)
        )
        budget = self._prices.budget(plan, simulated, price, options)
        blockhash = await self._tracker.blockhash()
        known = await self._recent(str(plan.sender))
        while True:
            units, message = self._unlike_others(plan, budget, blockhash)
            fee = self._prices.checked(fee_rules.total(1, units, price), options)
            signature = await self._signature(plan, message)
            # A daemon that was restarted within the life of a blockhash has lost its numbers.
            if self._tracker.book.get(str(signature)) is None and str(signature) not in known:
                break
        now = self._clock.now()
        return Transaction(
            network=self._info.id,
            address=str(plan.sender),
            intent=plan.intent,
            purpose=plan.purpose,
            hash=str(signature),
            raw=bytes(VersionedTransaction.populate(message, [signature])),
            status=TransactionStatus.SIGNED,
            last_valid_height=blockhash.last_valid_height,
            to=plan.to,
            details={
                **plan.details,
                SIGNED_SLOT: str(blockhash.slot),
                "compute_units": str(units),
                "compute_unit_price": str(price),
                "max_fee": text(from_units(fee, self._info.native.decimals)),
            },
            create_time=now,
            update_time=now,
        )

    def _unlike_others(
        self, plan: Plan, budget: Budget, blockhash: FreshBlockhash
    ) -> tuple[int, MessageV0]:
        """The message, and its compute unit limit."""
        hash = Hash.from_string(blockhash.hash)

        def made(units: int) -> MessageV0:
            steps = instructions.budget(units, budget.micro_lamports)
            return compose.message(plan, [*steps, *plan.instructions], hash)

        first = made(budget.units)
        if first.header.num_required_signatures != 1:
            raise Refused(Reason.FIELD_INVALID, "only the sender's signature can be given")
        units = compose.varied(budget.units, self._variants.number(first))
        return units, first if units == budget.units else made(units)

    @stepped("transaction.sign")
    async def _signature(self, plan: Plan, message: MessageV0) -> Signature:
        payload = to_bytes_versioned(message)
        signature = Signature.from_bytes(
            await self._signer.sign("solana", str(plan.sender), payload)
        )
        if not signature.verify(plan.sender, payload):
            raise CambistError(
                Reason.SIGNER_UNAVAILABLE,
                f"what the signer gave is no signature of {plan.sender}; nothing was sent",
            )
        return signature

    async def _recent(self, address: str) -> set[str]:
        """What was signed before this process began and may share a blockhash with what is signed
        now; asked once for each address."""
        if address not in self._earlier:
            since = self._clock.now() - _BLOCKHASH_LIFE
            found = await self._log.by_address(self._info.id, address, since)
            self._earlier[address] = {transaction.hash for transaction in found}
        return self._earlier[address]

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


def pubkey(address: str, field: str) -> Pubkey:
    """An address of a request; Refused with FIELD_INVALID that names the field."""
    try:
        return Pubkey.from_string(address)
    except ValueError:
        message = f"{address[:80]!r} is not a Solana address (base58 of 32 bytes)"
        raise Refused(Reason.FIELD_INVALID, message, {"field": field}) from None
