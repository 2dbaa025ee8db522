"""What gas costs now: asked once a block, whatever number of transactions want to know."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chains.evm.codec import integer, quantity
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
from chains.nodes import NodeError, parsed
from core.errors import Reason, Refused
from core.money import from_units
from core.ports import FeeEstimate, FeeOptions
from core.tokens import Token


class GasPrices:
    """Fees by strategy, from the chain's recent blocks."""

    def __init__(self, rpc: RpcPool) -> None:
        self._rpc = rpc
        self._block = ""
        self._answers: list[Any] = []

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
        estimates = []
        for name in STRATEGIES:
            fees = await self.fees(name, head)
            estimates.append(
                FeeEstimate(
                    strategy=name,
                    transfer_fee=from_units(fees.price * TRANSFER_GAS, native.decimals),
                    unit_price=from_units(fees.price, native.decimals),
                    priority_price=_coins(fees.priority, native),
                    base_price=_coins(head.base_fee, native),
                )
            )
        return estimates

    async def fees(self, name: str, head: Block) -> Fees:
        """What to offer after the block `head` with a strategy. Raises CambistError."""
        strategy = strategy_of(name)
        if self._block != head.hash:
            self._answers = await self._rpc.batch(_questions(head))
            self._block = head.hash
        if head.base_fee is None:
            return legacy(parsed(integer, self._answers[0], "gas price"), strategy)
        history, suggestion = self._answers
        tip = None
        if isinstance(history, Mapping):
            tip = typical_tip(history, strategy.percentile)
        if tip is None:
            tip = 0 if isinstance(suggestion, NodeError) else parsed(integer, suggestion, "tip")
        return dynamic(head.base_fee, tip, strategy)


def _questions(head: Block) -> list[tuple[str, list[Any]]]:
    if head.base_fee is None:
        return [("eth_gasPrice", [])]
    return [
        ("eth_feeHistory", [quantity(HISTORY_BLOCKS), "latest", PERCENTILES]),
        ("eth_maxPriorityFeePerGas", []),
    ]


def _coins(wei: int | None, native: Token) -> Decimal | None:
    return None if wei is None else from_units(wei, native.decimals)
