"""What a node tells and what is asked of it, as values. Amounts in wei, addresses checksummed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chains.evm.codec import checksum, integer, unhex


@dataclass(frozen=True, slots=True)
class Call:
    """A read of a contract."""

    to: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CallError:
    """A read that the contract refused: the decoded reason and the raw revert data."""

    reason: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header; `timestamp` in seconds; `base_fee` None where there is no EIP-1559."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: int | None


@dataclass(frozen=True, slots=True)
class Log:
    """An event of a contract."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: str
    transaction: str
    index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did. `status` is True for success."""

    hash: str
    status: bool
    block: int
    block_hash: str
    gas_used: int
    effective_gas_price: int
    logs: tuple[Log, ...]
    data_fee: int = 0  # wei, besides the gas: rollups of the OP stack

    @property
    def fee(self) -> int:
        """What was paid, in wei."""
        return self.gas_used * self.effective_gas_price + self.data_fee


@dataclass(frozen=True, slots=True)
class TransactionPlan:
    """A transaction to be: everything but nonce, fees and signature.

    `intent` and `purpose` together name it: a plan whose pair is already in the log is not sent
    again. `gas_limit` None leaves it to the node's estimate and its margin, to which `gas_reserve`
    is added: what execution may cost more than an estimate on the present state can see.
    """

    sender: str
    to: str
    data: bytes
    value: int
    intent: str
    purpose: str
    details: Mapping[str, str] = field(default_factory=dict, hash=False)
    gas_limit: int | None = None
    gas_reserve: int = 0


BlockCallback = Callable[[Block], None]


def block(wire: Mapping[str, object]) -> Block:
    """A block header from JSON-RPC."""
    base_fee = wire.get("baseFeePerGas")
    return Block(
        number=integer(wire["number"]),
        hash=str(wire["hash"]),
        parent_hash=str(wire["parentHash"]),
        timestamp=integer(wire["timestamp"]),
        base_fee=None if base_fee is None else integer(base_fee),
    )


def log(wire: Mapping[str, object]) -> Log:
    """An event from JSON-RPC."""
    topics = wire["topics"]
    if not isinstance(topics, list):
        raise ValueError("an event without a list of topics")
    return Log(
        address=checksum(str(wire["address"])),
        topics=tuple(unhex(topic) for topic in topics),
        data=unhex(wire["data"]),
        block=integer(wire["blockNumber"]),
        block_hash=str(wire["blockHash"]),
        transaction=str(wire["transactionHash"]),
        index=integer(wire["logIndex"]),
    )


def receipt(wire: Mapping[str, object]) -> Receipt:
    """A receipt from JSON-RPC. Chains before EIP-1559 may leave out the effective gas price.

    `l1Fee`: https://docs.optimism.io/op-stack/transactions/fees
    """
    logs = wire["logs"]
    if not isinstance(logs, list):
        raise ValueError("a receipt without a list of logs")
    price, data_fee = wire.get("effectiveGasPrice"), wire.get("l1Fee")
    return Receipt(
        hash=str(wire["transactionHash"]),
        status=integer(wire["status"]) == 1,
        block=integer(wire["blockNumber"]),
        block_hash=str(wire["blockHash"]),
        gas_used=integer(wire["gasUsed"]),
        effective_gas_price=0 if price is None else integer(price),
        logs=tuple(log(entry) for entry in logs),
        data_fee=0 if data_fee is None else integer(data_fee),
    )
