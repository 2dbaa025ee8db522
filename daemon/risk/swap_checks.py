"""One function a rule that holds for swaps: whether one is within a limit. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from core.money import text
from daemon.risk.checks import beyond
from daemon.risk.day import Day
from daemon.risk.limits import Limit


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap that asks to be sent.

    `venues`: the one that was asked and, where it is another, the one whose contract does it.
    `instrument` and `quote`: the market that says what it is worth ("" and None where none does);
    `assets`: the symbols of what goes in and what comes out. `slippage` is a fraction.
    """

    account: str
    venues: tuple[str, ...]
    instrument: str
    assets: frozenset[str]
    quote: str
    quantity: Decimal | None  # base of that market
    notional: Decimal | None  # quote of that market
    slippage: Decimal

    def is_within(self, limit: Limit, root: str) -> bool:
        """Whether a limit concerns it."""
        if limit.asset and limit.asset not in self.assets:
            return False
        return any(
            limit.scope.covers(venue, self.account, self.instrument, root) for venue in self.venues
        )


def _quantity(limit: Limit, swap: Swap, day: Day, now: int) -> None:
    amount = _known(limit, swap.quantity)
    if amount > limit.bound:
        raise beyond(limit, text(amount))


def _notional(limit: Limit, swap: Swap, day: Day, now: int) -> None:
    amount = _known(limit, swap.notional)
    if amount > limit.bound:
        raise beyond(limit, text(amount))


def _day_notional(limit: Limit, swap: Swap, day: Day, now: int) -> None:
    total = day.notional(now, limit.scope, swap.quote) + _known(limit, swap.notional)
    if total > limit.bound:
        raise beyond(limit, text(total), "with this it is")


def _rate(limit: Limit, swap: Swap, day: Day, now: int) -> None:
    count = day.rate(now, limit.scope) + 1
    if count > limit.bound:
        raise beyond(limit, str(count), "with this it is")


def _slippage(limit: Limit, swap: Swap, day: Day, now: int) -> None:
    if swap.slippage > limit.bound:
        raise beyond(limit, text(swap.slippage))


def _known(limit: Limit, amount: Decimal | None) -> Decimal:
    if amount is None:
        raise beyond(
            limit, "no market of tokens that are on the list says what this is worth", "but"
        )
    return amount


SWAP_CHECKS: dict[str, Callable[[Limit, Swap, Day, int], None]] = {
    "order_quantity": _quantity,
    "order_notional": _notional,
    "order_rate": _rate,
    "day_notional": _day_notional,
    "slippage": _slippage,
}
