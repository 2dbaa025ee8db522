"""Sends one swap: funds, approval or permit, calldata, simulation, broadcast."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from chains.evm import erc20
from chains.evm.model import TransactionPlan
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions
from core.swaps import ApprovalMethod
from core.transactions import Transaction
from dex.allowances import Allowances, afford
from dex.approving import BY_PERMIT2, Approving
from dex.families import universal_router
from dex.family import Family, RevertWords
from dex.network import PoolNetwork
from dex.permits import Grant, not_offered, permits_of
from dex.plans import RouterCall, SwapPlan
from dex.spec import FamilyName, PoolVenueSpec

SWAP = "swap"
_REFUSED = "the permit was not taken: use the exact approval"

# The words of tokens, of Permit2 and of the universal router, whichever exchange's pools it is.
PERMIT_REVERTS: RevertWords = (
    ("INVALID_SIGNATURE", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("invalid signature", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("ERC2612InvalidSigner(address,address)", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("InvalidSigner()", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("InvalidNonce()", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("InsufficientAllowance(uint256)", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("AllowanceExpired(uint256)", Reason.ALLOWANCE_TOO_LOW, _REFUSED),
    ("SignatureExpired(uint256)", Reason.QUOTE_EXPIRED, "the deadline is over"),
    ("ERC2612ExpiredSignature(uint256)", Reason.QUOTE_EXPIRED, "the deadline is over"),
    ("EXPIRED", Reason.QUOTE_EXPIRED, "the deadline is over"),
    ("expired deadline", Reason.QUOTE_EXPIRED, "the deadline is over"),
    ("permit is expired", Reason.QUOTE_EXPIRED, "the deadline is over"),
    ("TransactionDeadlinePassed()", Reason.QUOTE_EXPIRED, "the deadline is over"),
    ("TooLittleReceived()", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("TooMuchRequested()", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
)


class Executor:
    """Sends the swaps of one venue, for any wallet."""

    def __init__(
        self,
        spec: PoolVenueSpec,
        family: Family,
        network: PoolNetwork,
        allowances: Allowances,
    ) -> None:
        self._spec = spec
        self._family = family
        self._network = network
        self._allowances = allowances
        self.approving = Approving(spec, network, allowances)

    async def send(
        self, plan: SwapPlan, fees: FeeOptions, method: ApprovalMethod = ApprovalMethod.EXACT
    ) -> Transaction:
        """Approves as asked where it must, simulates, signs, journals, broadcasts.

        Raises Refused when nothing of the swap was signed (an approval may have been sent, and a
        permit signed).
        """
        if plan.token_in.is_native:  # whether the wallet has it is part of every simulation
            return await self._send(plan, fees)
        if method is ApprovalMethod.EIP2612:
            return await self._with_permit(plan, fees)
        if method in BY_PERMIT2:
            return await self._with_permit2(plan, fees, method)
        unlimited = method is ApprovalMethod.UNLIMITED
        allowances = self._allowances
        async with _held(allowances, plan, fees, "approve", unlimited) as limited:
            return await self._send(limited, fees)

    async def rehearse(self, plan: SwapPlan, method: ApprovalMethod) -> bool:
        """Whether the swap was simulated, which it cannot be before its token is allowed to be
        taken. Refused for what would be refused; nothing is signed or sent."""
        token, owner = plan.token_in, plan.sender
        if not token.is_native:
            await self.approving.check(token, owner, method)
            balance, allowance = await self._allowances.read(owner, token)
            afford(token, balance, plan.needed)
            plan = plan if plan.exact_in else plan.limited_to(balance)
            if method in BY_PERMIT2 or allowance < plan.most_in:
                return False
        call = self._family.router_call(self._spec, plan)
        transaction = self._transaction(plan, self._spec.deployment.router, call)
        try:
            await self._network.simulate(transaction)
        except CambistError as error:
            raise explained(error, self._family, self._spec.id) from error
        return True

    def restore(self, owner: str, token: str, transaction: Transaction, units: int) -> None:
        """A swap that was sent before a restart and is not in a block yet."""
        permits = permits_of(self._network)
        permits.turns.note(transaction)
        method = transaction.details.get("permit")
        by_permit2 = method == ApprovalMethod.PERMIT2.value
        allowances = permits.permit2 if by_permit2 else self._allowances
        if method == ApprovalMethod.EIP2612.value:
            units = erc20.MAX_UINT  # its permit sets the allowance anew
        allowances.restore(owner, token, transaction, units)

    async def _with_permit(self, plan: SwapPlan, fees: FeeOptions) -> Transaction:
        """One transaction: the token's permit, and the swap. Where the allowance is there, nothing
        is signed but the swap."""
        token, owner = plan.token_in, plan.sender
        await self.approving.check(token, owner, ApprovalMethod.EIP2612)
        async with self._allowances.permitting(
            owner, token, plan.most_in, plan.needed, plan.intent
        ) as granted:
            plan = plan if plan.exact_in else plan.limited_to(granted.units)
            if granted.covered:
                return await self._send(plan, fees)
            async with permits_of(self._network).by_token(
                _grant(plan, self._allowances.spender)
            ) as permit:
                plan = replace(plan, details=plan.details | permit.details)
                return await self._send(plan, fees, [permit.data])

    async def _with_permit2(
        self, plan: SwapPlan, fees: FeeOptions, method: ApprovalMethod
    ) -> Transaction:
        """By the universal router, which takes what Permit2 was told by a signature."""
        token, router = plan.token_in, self.approving.universal_router
        await self.approving.check(token, plan.sender, method)
        if plan.price_limit:
            why = "the router that takes tokens by it has no price limit"
            raise not_offered(method, token, why)
        permits = permits_of(self._network)
        unlimited = method is ApprovalMethod.PERMIT2_UNLIMITED
        async with (
            _held(permits.permit2, plan, fees, "approve-permit2", unlimited) as limited,
            permits.by_permit2(_grant(limited, router)) as permit,
        ):
            by_pairs = self._spec.protocol.family is FamilyName.CONSTANT_PRODUCT
            call = universal_router.router_call(limited, by_pairs, permit.data)
            limited = replace(limited, details=limited.details | permit.details)
            return await self._broadcast(limited, router, call, fees)

    async def _send(
        self, plan: SwapPlan, fees: FeeOptions, first: Sequence[bytes] = ()
    ) -> Transaction:
        call = self._family.router_call(self._spec, plan, first)
        return await self._broadcast(plan, self._spec.deployment.router, call, fees)

    async def _broadcast(
        self, plan: SwapPlan, to: str, call: RouterCall, fees: FeeOptions
    ) -> Transaction:
        try:
            return await self._network.send(self._transaction(plan, to, call), fees)
        except CambistError as error:
            raise explained(error, self._family, self._spec.id) from error

    def _transaction(self, plan: SwapPlan, to: str, call: RouterCall) -> TransactionPlan:
        return TransactionPlan(
            sender=plan.sender,
            to=to,
            data=call.data,
            value=call.value,
            intent=plan.intent,
            purpose=SWAP,
            details=plan.details,
            gas_reserve=self._family.gas_reserve * plan.hops,
        )


@asynccontextmanager
async def _held(
    allowances: Allowances, plan: SwapPlan, fees: FeeOptions, name: str, unlimited: bool
) -> AsyncIterator[SwapPlan]:
    """The plan, cut to what may be taken, for as long as that is held."""
    token, owner = plan.token_in, plan.sender
    try:
        held = await allowances.hold(
            owner, token, plan.most_in, plan.needed, plan.intent, fees, name, unlimited
        )
        yield plan if plan.exact_in else plan.limited_to(held)
    finally:
        allowances.release(owner, token, plan.intent)


def _grant(plan: SwapPlan, spender: str) -> Grant:
    return Grant(plan.sender, plan.token_in, spender, plan.most_in, plan.deadline, plan.intent)


def explained(error: CambistError, family: Family, venue: str) -> CambistError:
    """A failed simulation with the reason that the bot can act on."""
    if error.reason is not Reason.SIMULATION_FAILED:
        return error
    revert = error.metadata.get("revert", "")
    for words, reason, meaning in (*family.reverts, *PERMIT_REVERTS):
        if revert.endswith(words):
            metadata = {"venue": venue, **error.metadata}
            return Refused(reason, f"nothing was sent: {meaning} ({revert})", metadata)
    return error
