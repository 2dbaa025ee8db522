"""Sends one swap: funds, approval, calldata, simulation, broadcast."""

from chains.evm.model import TransactionPlan
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.family import Family
from dex.network import PoolNetwork
from dex.plans import SwapPlan
from dex.spec import PoolVenueSpec

SWAP = "swap"


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

    async def send(self, plan: SwapPlan, fees: FeeOptions) -> Transaction:
        """Approves where it must, simulates, signs, journals, broadcasts.

        Raises Refused when nothing of the swap was signed (an approval may have been sent).
        """
        token, owner = plan.token_in, plan.sender
        if token.is_native:  # whether the wallet has it is part of every simulation
            return await self._send(plan, fees)
        allowances = self._allowances
        try:
            held = await allowances.hold(owner, token, plan.most_in, plan.needed, plan.intent, fees)
            return await self._send(plan if plan.exact_in else plan.limited_to(held), fees)
        finally:
            allowances.release(owner, token, plan.intent)

    async def _send(self, plan: SwapPlan, fees: FeeOptions) -> Transaction:
        call = self._family.router_call(self._spec, plan)
        transaction = TransactionPlan(
            sender=plan.sender,
            to=self._spec.deployment.router,
            data=call.data,
            value=call.value,
            intent=plan.intent,
            purpose=SWAP,
            details=plan.details,
            gas_reserve=self._family.gas_reserve * plan.hops,
        )
        try:
            return await self._network.send(transaction, fees)
        except CambistError as error:
            raise explained(error, self._family, self._spec.id) from error


def explained(error: CambistError, family: Family, venue: str) -> CambistError:
    """A failed simulation with the reason that the bot can act on."""
    if error.reason is not Reason.SIMULATION_FAILED:
        return error
    revert = error.metadata.get("revert", "")
    for words, reason, meaning in family.reverts:
        if revert.endswith(words):
            metadata = {"venue": venue, **error.metadata}
            return Refused(reason, f"nothing was sent: {meaning} ({revert})", metadata)
    return error
