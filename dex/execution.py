"""Sends one swap: funds, approval, calldata, simulation, broadcast."""

from dataclasses import dataclass, field, replace

from chains.evm.model import TransactionPlan
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions
from core.tokens import Token
from core.transactions import Transaction
from dex.allowances import Allowances
from dex.families.constant_product_abi import SwapCall
from dex.network import PoolNetwork
from dex.spec import PoolVenueSpec

SWAP = "swap"

# What one pool's swap may cost above an estimate: two price accumulators written for the first
# time (the pair's _update does so once a block, which an estimate in that block does not see), and
# the recipient's first balance of a token, where it had some when the estimate was made.
_GAS_RESERVE = 2 * 22_100 + 17_100

# The router's and the tokens' words, whichever fork's name stands before them.
_REASONS = (
    ("INSUFFICIENT_OUTPUT_AMOUNT", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("EXCESSIVE_INPUT_AMOUNT", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("INSUFFICIENT_LIQUIDITY", Reason.INSUFFICIENT_LIQUIDITY, "the pool has not enough"),
    ("EXPIRED", Reason.QUOTE_EXPIRED, "the deadline is over"),
    (
        "UniswapV2: K",
        Reason.SIMULATION_FAILED,
        "the token keeps a part of each transfer, which this swap cannot handle",
    ),
)


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """A swap to be sent. `limit` is the least out (exact in) or the most in (exact out).

    `deadline` in ns; `measured` as in SwapCall. `path` has token addresses with the native coin
    wrapped; `details` are kept with the transaction, and have the quoted amounts.
    """

    sender: str
    token_in: Token
    token_out: Token
    exact_in: bool
    exact: int
    limit: int
    path: tuple[str, ...]
    intent: str
    deadline: int
    measured: bool = False
    details: dict[str, str] = field(default_factory=dict)

    @property
    def most_in(self) -> int:
        """What the swap may take from the wallet."""
        return self.exact if self.exact_in else self.limit

    @property
    def needed(self) -> int:
        """What the swap takes at the quoted price."""
        return int(self.details["quoted_in"])

    def limited_to(self, most_in: int) -> "SwapPlan":
        """The same exact-out swap, for which at most so much may be taken."""
        return replace(self, limit=most_in, details={**self.details, "guaranteed": str(most_in)})

    def call(self) -> SwapCall:
        """The router's function and its arguments."""
        return SwapCall(
            exact_in=self.exact_in,
            native_in=self.token_in.is_native,
            native_out=self.token_out.is_native,
            exact=self.exact,
            limit=self.limit,
            path=self.path,
            recipient=self.sender,
            deadline=self.deadline // 1_000_000_000,
            measured=self.measured,
        )


class Executor:
    """Sends the swaps of one venue, for any wallet."""

    def __init__(self, spec: PoolVenueSpec, network: PoolNetwork, allowances: Allowances) -> None:
        self._spec = spec
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
        call = plan.call()
        transaction = TransactionPlan(
            sender=plan.sender,
            to=self._spec.deployment.router,
            data=call.calldata(self._spec.protocol.native_word),
            value=call.value,
            intent=plan.intent,
            purpose=SWAP,
            details=plan.details,
            gas_reserve=_GAS_RESERVE * (len(plan.path) - 1),
        )
        try:
            return await self._network.send(transaction, fees)
        except CambistError as error:
            raise _explained(error, self._spec.id) from error


def _explained(error: CambistError, venue: str) -> CambistError:
    """A failed simulation with the reason that the bot can act on."""
    if error.reason is not Reason.SIMULATION_FAILED:
        return error
    revert = error.metadata.get("revert", "")
    for words, reason, meaning in _REASONS:
        if revert.endswith(words):
            metadata = {"venue": venue, **error.metadata}
            return Refused(reason, f"nothing was sent: {meaning} ({revert})", metadata)
    return error
