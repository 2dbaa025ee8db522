"""What pools need of an EVM chain, on top of core.ports.Network; chains.evm.network has it all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from chains.evm.model import Block, BlockCallback, Call, CallError, Log, Receipt, TransactionPlan
from chains.evm.typed_data import TypedData
from core.ports import FeeOptions, Network
from core.transactions import Transaction

TransactionCallback = Callable[[Transaction], None]
Unsubscribe = Callable[[], None]


class PoolNetwork(Network, Protocol):
    """Every method raises CambistError, and nothing else, on failure."""

    @property
    def why_unknown(self) -> str:
        """Why the chain's head is not known; empty while it is."""
        ...

    async def multicall(
        self, calls: Sequence[Call], block: int | str = "latest"
    ) -> Sequence[bytes | CallError]: ...

    async def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[str],
        topics: Sequence[Sequence[bytes] | bytes | None],
    ) -> Sequence[Log]: ...

    def on_block(self, callback: BlockCallback) -> Unsubscribe: ...

    async def simulate(self, plan: TransactionPlan) -> bytes:
        """What the transaction would return now; Refused with SIMULATION_FAILED and the reason."""
        ...

    async def send(self, plan: TransactionPlan, fees: FeeOptions) -> Transaction:
        """Signs, journals, broadcasts. Refused: never signed. Rejected: no node will have it.
        Unconfirmed: journaled, and perhaps broadcast."""
        ...

    async def sign_typed_data(
        self,
        owner: str,
        message: TypedData,
        intent: str,
        words: str,
        details: Mapping[str, str],
    ) -> tuple[int, int, int]:
        """Journals what is to be signed and has it signed: r, s and parity. Refused: not signed."""
        ...

    async def receipt(self, hash: str) -> Receipt | None: ...

    def on_transaction(self, callback: TransactionCallback) -> Unsubscribe: ...

    async def wait_included(
        self,
        hash: str,
        timeout: float,  # float: seconds, as asyncio counts
    ) -> Transaction: ...


__all__ = ["Block", "PoolNetwork", "TransactionCallback", "Unsubscribe"]
