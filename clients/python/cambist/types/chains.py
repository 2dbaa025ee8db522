"""Networks, tokens, transactions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from cambist.types._enum import WireEnum
from cambist.types.system import Condition


class ChainFamily(WireEnum):
    """How a chain works."""

    UNKNOWN = 0
    EVM = 1  # An Ethereum virtual machine.
    SOLANA = 2  # Solana.


class FeeStrategy(WireEnum):
    """How much is paid to be included soon."""

    UNKNOWN = 0
    SLOW = 1  # Cheap, in some minutes.
    NORMAL = 2  # In the next blocks.
    FAST = 3  # In the next block.


class Route(WireEnum):
    """Who gets to see a transaction before it is in a block."""

    UNKNOWN = 0
    PUBLIC = 1  # Every node of the network: the open pool, where others can act on it first.
    # The network's private nodes only, which pass it to block builders. It is not sent to public
    # nodes until it is sped up or canceled on the public route.
    PRIVATE = 2


class TransactionStatus(WireEnum):
    """Where a transaction is in its life. Each final status rests on proof."""

    UNKNOWN = 0
    PLANNED = 1  # Built.
    SIMULATED = 2  # Would succeed now.
    SIGNED = 3  # Its bytes are journaled.
    BROADCAST = 4  # Sent to nodes.
    SEEN = 5  # A node reports it as pending.
    INCLUDED = 6  # In a block; `succeeded` tells how it went.
    FINAL = 7  # Final: in a block that is deep enough, succeeded.
    REVERTED = 8  # Final: in a block that is deep enough, failed.
    REPLACED = 9  # Final: another transaction used its nonce.
    DROPPED = 10  # Final: it can never be included any more.
    REORGANISED = 11  # Was in a block that is gone; waiting again.


@dataclass(frozen=True, slots=True)
class Token:
    """A token. Network and address are its identity; a symbol is only a way to search."""

    network: str  # The network.
    address: str  # Its address, empty for the native coin.
    symbol: str  # Its symbol.
    decimals: int  # How many decimals a whole token has.
    name: str  # Its name.


@dataclass(frozen=True, slots=True)
class TokenAmount:
    """An amount of a token."""

    token: Token  # The token.
    amount: Decimal  # The amount in whole tokens.
    units: int  # The exact amount in the token's smallest units.


@dataclass(frozen=True, slots=True)
class Network:
    """A network."""

    id: str  # Its id, such as "ethereum" or "sepolia".
    name: str  # Its name.
    family: ChainFamily  # How it works.
    chain_id: int  # The EVM chain id; zero for Solana.
    native: Token  # The native coin.
    wrapped: Token | None  # The token that wraps the native coin.
    testnet: bool  # Whether its coins are worthless.
    explorer_url: str  # Its block explorer.
    block_time: timedelta | None  # The usual time between blocks.
    finality_depth: int  # After how many blocks a transaction counts as final.
    condition: Condition  # How it is now.
    height: int  # The latest block or slot that the daemon saw.


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction."""

    network: str  # The network.
    hash: str  # Its hash; Solana's signature.
    address: str  # Who signed it.
    intent: str  # What asked for it: a request id or a client order id; empty for a foreign one.
    purpose: str  # What it does: "swap", "transfer", "approve", "wrap" and so on.
    status: TransactionStatus  # Where it is in its life.
    nonce: int | None  # EVM: its nonce.
    to: str  # Where it goes.
    succeeded: bool | None  # Whether it did what it should; absent until it is in a block.
    block: int | None  # The block that holds it.
    fee: Decimal | None  # The fee that was paid, in the native coin.
    reason: str  # Why it reverted or was dropped.
    details: Mapping[str, str]  # More facts by name.
    explorer_url: str  # Where an explorer shows it.
    create_time: datetime | None  # When it was signed.
    update_time: datetime | None  # When it changed last.


@dataclass(frozen=True, slots=True)
class FeeEstimate:
    """A fee at one speed."""

    strategy: FeeStrategy  # How soon.
    transfer_fee: Decimal  # What a transfer of the native coin would cost, in the native coin.
    # The price of a unit of gas or computing, in the native coin: the most that would be paid.
    unit_price: Decimal
    priority_price: Decimal | None  # EVM: the tip within it; None where there are no tips.
    base_price: Decimal | None  # EVM: what a unit costs in the latest block without a tip.
    data_fee: Decimal | None  # Rollups: what a transfer's data costs besides gas; None elsewhere.
