"""What a transaction offers to pay: from the chain's own recent blocks, under a cap.

A chain has EIP-1559 when its blocks have a base fee; no list of names decides it. Integers in wei.
https://eips.ethereum.org/EIPS/eip-1559, https://ethereum.github.io/execution-apis (eth_feeHistory)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from chains.evm.codec import integer
from core.errors import Reason, Refused
from core.money import from_units, text
from core.tokens import Token

HISTORY_BLOCKS = 10
TRANSFER_GAS = 21_000  # what a transfer of the coin takes; some rollups ask for a little more


@dataclass(frozen=True, slots=True)
class Strategy:
    """`percentile` of the tips paid lately; `headroom` (per cent) of the base fee that is covered
    (200 survives six full blocks in a row)."""

    percentile: int
    headroom: int


STRATEGIES = {
    "slow": Strategy(percentile=10, headroom=125),
    "normal": Strategy(percentile=50, headroom=200),
    "fast": Strategy(percentile=90, headroom=250),
}
PERCENTILES = sorted(strategy.percentile for strategy in STRATEGIES.values())


@dataclass(frozen=True, slots=True)
class Fees:
    """A price a unit of gas. `priority` is None for a legacy transaction, whose `price` is the gas
    price; otherwise `price` is the most that is paid, tip included."""

    price: int
    priority: int | None


def strategy_of(name: str) -> Strategy:
    """Refused with FIELD_INVALID for an unknown name."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise Refused(
            Reason.FIELD_INVALID,
            f"unknown fee strategy {name[:40]!r}; choose one of {', '.join(STRATEGIES)}",
            {"field": "strategy"},
        ) from None


def typical_tip(history: Mapping[str, object], percentile: int) -> int | None:
    """The median, over the blocks of an eth_feeHistory answer that had transactions, of the tip at
    a percentile; None if all were empty, or the
    answer makes no sense."""
    rewards, used = history.get("reward"), history.get("gasUsedRatio")
    if not isinstance(rewards, list) or not isinstance(used, list):
        return None
    column = PERCENTILES.index(percentile)
    try:
        tips = sorted(
            integer(reward[column]) for reward, ratio in zip(rewards, used, strict=False) if ratio
        )
    except (IndexError, TypeError, ValueError):
        return None
    return tips[len(tips) // 2] if tips else None


def dynamic(base_fee: int, tip: int, strategy: Strategy) -> Fees:
    """An EIP-1559 price."""
    return Fees(price=base_fee * strategy.headroom // 100 + tip, priority=tip)


def legacy(gas_price: int, strategy: Strategy) -> Fees:
    """A legacy price: the node's suggestion and, for haste, a little more."""
    return Fees(price=gas_price * (75 + strategy.headroom // 5) // 100, priority=None)


def in_wei(amount: Decimal | None, field: str, native: Token) -> int | None:
    """An amount of the coin in its smallest units; what is beyond its decimals is cut off. Refused
    with FIELD_INVALID for what is no amount."""
    if amount is None:
        return None
    if not amount.is_finite() or amount < 0:
        raise Refused(
            Reason.FIELD_INVALID,
            f"{field}: {amount} is no amount of {native.symbol}",
            {"field": field, "value": str(amount)},
        )
    return int(amount.scaleb(native.decimals))


def explicit(price: int, priority: int | None, tip: int | None) -> Fees:
    """A price that somebody named. `tip` is what a strategy would add where there are tips (None
    elsewhere); `priority` is what was named instead."""
    if tip is None:
        return Fees(price=price, priority=None)
    return Fees(price=price, priority=min(tip if priority is None else priority, price))


def outbid(fees: Fees, standing: Fees) -> Fees:
    """At least `fees`, and enough for nodes to let it take the place of `standing`.

    Nodes ask for a tenth more of both prices (geth core/txpool/legacypool, Config.PriceBump; other
    clients have the same), and for more than nothing where a tenth is none; an eighth is offered.
    """
    price = max(fees.price, _bumped(standing.price))
    if standing.priority is None or fees.priority is None:
        return Fees(price=price, priority=None)
    priority = max(fees.priority, _bumped(standing.priority))
    return Fees(price=max(price, priority), priority=priority)


def _bumped(price: int) -> int:
    return price + max(-(-price // 8), 1)


def under_cap(
    fees: Fees,
    gas_limit: int,
    base_fee: int | None,
    cap: int | None,
    native: Token,
    least: int = 0,
    data_fee: int = 0,
) -> Fees:
    """The fees, with headroom given up where the cap asks for it, but not below a price of `least`.
    `data_fee` (wei) is paid besides.

    Refused with FEE_CAP_EXCEEDED when the cap does not cover the next block's price: an eighth
    above this base fee, plus the tip.
    """
    if cap is None or fees.price * gas_limit + data_fee <= cap:
        return fees
    affordable = max(cap - data_fee, 0) // gas_limit
    if base_fee is not None and fees.priority is not None:
        needed = max(base_fee + base_fee // 8 + fees.priority, least)
        if affordable >= needed:
            return Fees(price=affordable, priority=fees.priority)
    else:
        needed = least or fees.price
        if affordable >= needed:
            return Fees(price=affordable, priority=None)
    wanted = text(from_units(needed * gas_limit + data_fee, native.decimals))
    limit = text(from_units(cap, native.decimals))
    raise Refused(
        Reason.FEE_CAP_EXCEEDED,
        f"the fee could reach {wanted} {native.symbol}, the cap is {limit} {native.symbol}; "
        "raise the cap, choose a slower strategy, or wait for a lower base fee",
        {"network": native.network, "fee": wanted, "cap": limit, "gas_limit": str(gas_limit)},
    )


def with_margin(estimate: int) -> int:
    """A gas limit from an estimate: a fifth more, because state moves between estimate and
    inclusion. Only a transfer of coins that runs no code costs the same always; one to a contract,
    or on a rollup that has the price of data in its gas, does not."""
    return estimate if estimate == TRANSFER_GAS else estimate + estimate // 5
