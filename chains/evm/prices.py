"""What gas costs now: asked once a block, whatever number of transactions want to know.

Where there are several nodes, the middle one's word counts: one that lies would have us overpay.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chains.evm.codec import integer, quantity
from chains.evm.data_fee import DataFees
from chains.evm.fees import (
    HISTORY_BLOCKS,
    PERCENTILES,
    STRATEGIES,
    TRANSFER_GAS,
    Fees,
    dynamic,
    explicit,
    in_wei,
    legacy,
    strategy_of,
    typical_tip,
)
from chains.evm.model import Block
from chains.evm.rpc import RpcPool
from chains.nodes import Answer, NodeError, parsed
from core.errors import CambistError, Reason, Refused
from core.money import from_units
from core.ports import FeeEstimate, FeeOptions
from core.tokens import Token

_TIMEOUT = 1.0  # float: seconds; a node that is slower has no say in the price


class GasPrices:
    """Fees by strategy, from the chain's recent blocks. `max_fee`, in coins, caps what any
    transaction may cost, also where its request names no cap."""

    def __init__(self, rpc: RpcPool, max_fee: Decimal | None = None) -> None:
        self.data_fees = DataFees(rpc)
        self._max_fee = max_fee
        self._rpc = rpc
        self._block = ""
        self._answers: list[list[Answer]] = []  # a row a node

    def cap(self, options: FeeOptions, native: Token) -> int | None:
        """The most that a transaction may cost, in wei; None for no cap. Refused for no amount."""
        named = in_wei(options.max_fee, "max_fee", native)
        usual = in_wei(self._max_fee, "max_fee", native)
        return min((cap for cap in (named, usual) if cap is not None), default=None)

    async def offer(self, options: FeeOptions, head: Block, native: Token) -> Fees:
        """What to offer after the block `head`: a strategy's, or as named. Raises CambistError."""
        price = in_wei(options.unit_price, "unit_price", native)
        priority = in_wei(options.priority_price, "priority_price", native)
        if price is None and priority is not None:
            raise Refused(
                Reason.FIELD_INVALID,
                "priority_price: a tip is part of a price; name unit_price as well",
                {"field": "priority_price"},
            )
        usual = await self.fees(options.strategy, head)
        return usual if price is None else explicit(price, priority, usual.priority)

    async def estimates(self, head: Block, native: Token) -> list[FeeEstimate]:
        """What each strategy would offer after the block `head`. Raises CambistError."""
        data_fee = await self.data_fees.of_transfer(head)
        estimates = []
        for name in STRATEGIES:
            fees = await self.fees(name, head)
            transfer = fees.price * TRANSFER_GAS + (data_fee or 0)
            estimates.append(
                FeeEstimate(
                    strategy=name,
                    transfer_fee=from_units(transfer, native.decimals),
                    unit_price=from_units(fees.price, native.decimals),
                    priority_price=_coins(fees.priority, native),
                    base_price=_coins(head.base_fee, native),
                    data_fee=_coins(data_fee, native),
                )
            )
        return estimates

    async def fees(self, name: str, head: Block) -> Fees:
        """What to offer after the block `head` with a strategy. Raises CambistError."""
        strategy = strategy_of(name)
        if self._block != head.hash:
            self._answers = await self._ask(_questions(head))
            self._block = head.hash
        base_fee = head.base_fee
        if base_fee is None:
            return legacy(_middle([_gas_price(row[0]) for row in self._answers]), strategy)
        tips = [_tip(row, strategy.percentile, base_fee) for row in self._answers]
        return dynamic(base_fee, _middle(tips), strategy)

    async def _ask(self, questions: list[tuple[str, list[Any]]]) -> list[list[Answer]]:
        """The answers of every node that is well, or of the first that gives any."""
        if len(self._rpc.nodes) > 1:
            try:
                return await self._rpc.ask_all(questions, _TIMEOUT, only_well=True)
            except CambistError:
                pass  # all slower than that: one that is waited for will do
        return [await self._rpc.batch(questions)]


def _tip(row: Sequence[Answer], percentile: int, base_fee: int) -> int | NodeError:
    """What one node says that blocks took lately; else what it suggests. Where there is no base fee
    to pay, no less than it suggests: blocks of such chains hold transactions that pay nothing."""
    history, suggestion, gas_price = row
    lately = typical_tip(history, percentile) if isinstance(history, Mapping) else None
    if lately is not None and base_fee:
        return lately
    suggested = _gas_price(suggestion)
    if isinstance(suggested, NodeError):
        whole = _gas_price(gas_price)
        suggested = whole if isinstance(whole, NodeError) else max(whole - base_fee, 0)
    if lately is None or isinstance(suggested, NodeError):
        return suggested if lately is None else lately
    return max(lately, suggested)


def _gas_price(answer: Answer) -> int | NodeError:
    try:
        return parsed(integer, answer, "gas price")
    except NodeError as error:
        return error


def _middle(told: Sequence[int | NodeError]) -> int:
    """The middle of what nodes told, the lower of two: what is too low can be hurried later.
    Raises NodeError where none told anything."""
    prices = sorted(one for one in told if not isinstance(one, NodeError))
    if not prices:
        raise next(one for one in told if isinstance(one, NodeError))
    return prices[(len(prices) - 1) // 2]


def _questions(head: Block) -> list[tuple[str, list[Any]]]:
    if head.base_fee is None:
        return [("eth_gasPrice", [])]
    return [
        ("eth_feeHistory", [quantity(HISTORY_BLOCKS), "latest", PERCENTILES]),
        ("eth_maxPriorityFeePerGas", []),
        ("eth_gasPrice", []),
    ]


def _coins(wei: int | None, native: Token) -> Decimal | None:
    return None if wei is None else from_units(wei, native.decimals)
