"""What gas costs now: asked once a block, whatever number of transactions want to know."""

from collections.abc import Mapping
from typing import Any

from chains.evm.codec import integer, quantity
from chains.evm.fees import (
    HISTORY_BLOCKS,
    PERCENTILES,
    Fees,
    dynamic,
    legacy,
    strategy_of,
    typical_tip,
)
from chains.evm.model import Block
from chains.evm.rpc import RpcPool
from chains.nodes import NodeError, parsed


class GasPrices:
    """Fees by strategy, from the chain's recent blocks."""

    def __init__(self, rpc: RpcPool) -> None:
        self._rpc = rpc
        self._block = ""
        self._answers: list[Any] = []

    async def fees(self, name: str, head: Block) -> Fees:
        """What to offer after the block `head`. Raises CambistError."""
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
