"""What a transaction offers for its inclusion: asked of nodes, named by a caller, capped."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chains.nodes import NodeError
from chains.solana import fees as fee_rules
from chains.solana import programs
from chains.solana.plans import Plan
from chains.solana.pool import RpcPool
from chains.solana.wire import PriorityFee, Simulation
from core.errors import CambistError, Reason, Refused
from core.money import from_units, text
from core.ports import FeeEstimate, FeeOptions, NetworkInfo

_MAX_ACCOUNTS = 128  # that getRecentPrioritizationFees takes


@dataclass(frozen=True, slots=True)
class Budget:
    """What a transaction may use and offers for it; `fee` is the whole, in lamports."""

    units: int
    micro_lamports: int
    fee: int


class Prices:
    """Priority prices of one network. `max_fee`, in coins, caps what any transaction may cost."""

    def __init__(self, info: NetworkInfo, pool: RpcPool, max_fee: Decimal | None) -> None:
        self._max_fee = max_fee
        self._info = info
        self._pool = pool

    async def estimates(self) -> list[FeeEstimate]:
        """What a transfer of the coin would cost with each strategy, where nobody else writes to
        its accounts. Raises CambistError when no node tells."""
        recent = await self._recent([])
        decimals = self._info.native.decimals
        found = []
        for name in fee_rules.strategies():
            price = fee_rules.unit_price(recent, name)
            fee = fee_rules.total(1, fee_rules.TRANSFER_UNITS, price)
            found.append(
                FeeEstimate(
                    strategy=name,
                    transfer_fee=from_units(fee, decimals),
                    unit_price=from_units(price, decimals + fee_rules.MICRO_DECIMALS),
                )
            )
        return found

    async def price(self, plan: Plan, options: FeeOptions) -> int:
        """Micro-lamports a compute unit: as was named, else from what was paid for the accounts
        that are written to. Where a node does not tell, nothing is offered: the base fee alone is
        still valid."""
        if options.unit_price is not None:
            return self._named(options.unit_price)
        written = {str(plan.sender)}
        for step in plan.instructions:
            written.update(str(account.pubkey) for account in step.accounts if account.is_writable)
        try:
            recent = await self._recent(sorted(written)[:_MAX_ACCOUNTS])
        except (CambistError, NodeError):
            return 0
        return fee_rules.unit_price(recent, options.strategy)

    def budget(self, plan: Plan, simulated: Simulation, price: int, options: FeeOptions) -> Budget:
        """Units with a margin, and the whole fee. FEE_CAP_EXCEEDED above the cap of `options`,
        INSUFFICIENT_BALANCE if the sender cannot pay it."""
        units = fee_rules.unit_limit(simulated.units_consumed or programs.MAX_COMPUTE_UNITS)
        fee = self.checked(fee_rules.total(1, units, price), options)
        # The simulation paid for the signature; the priority fee comes on top.
        after = simulated.accounts[0] if simulated.accounts else None
        priority = fee - programs.LAMPORTS_PER_SIGNATURE
        if after is not None and after.lamports < priority:
            amount = text(from_units(fee, self._info.native.decimals))
            raise Refused(
                Reason.INSUFFICIENT_BALANCE,
                f"{plan.sender} cannot pay the fee of {amount} {self._info.native.symbol}",
                {"fee": amount},
            )
        return Budget(units, price, fee)

    def checked(self, fee: int, options: FeeOptions) -> int:
        """A fee in lamports that is under the request's cap and the network's; FEE_CAP_EXCEEDED."""
        amount = from_units(fee, self._info.native.decimals)
        caps = [cap for cap in (options.max_fee, self._max_fee) if cap is not None]
        if caps and amount > min(caps):
            raise Refused(
                Reason.FEE_CAP_EXCEEDED,
                f"the fee would be {text(amount)} {self._info.native.symbol}, above the cap of"
                f" {text(min(caps))}; raise the cap, or use a slower strategy",
                {"fee": text(amount), "max_fee": text(min(caps))},
            )
        return fee

    async def _recent(self, accounts: Sequence[str]) -> list[int]:
        found: Sequence[PriorityFee] = await self._pool.call(
            "getRecentPrioritizationFees", [list(accounts)], list[PriorityFee]
        )
        return [fee.prioritization_fee for fee in found]

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
