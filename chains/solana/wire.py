"""What nodes answer: only the fields that are used, and checked so far that what is made of them
cannot fail. https://solana.com/docs/rpc/http
"""

import base64
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from chains.solana import base58

Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]

T = TypeVar("T")


class Context(msgspec.Struct):
    """At which slot a node answered."""

    slot: Count


class Valued(msgspec.Struct, Generic[T]):
    """A value with its context."""

    context: Context
    value: T


class Blockhash(msgspec.Struct, rename="camel"):
    """A blockhash and the last height at which it can be used."""

    blockhash: str
    last_valid_block_height: Count

    def __post_init__(self) -> None:
        if len(base58.decode(self.blockhash)) != 32:
            raise ValueError("not a blockhash")


class EpochInfo(msgspec.Struct, rename="camel"):
    """Where a chain is; slots without a block make the height lag behind."""

    absolute_slot: Count
    block_height: Count


class Account(msgspec.Struct):
    """An account; `data` is base64 and its encoding's name."""

    lamports: Count
    owner: str
    data: tuple[str, str]
    executable: bool = False

    def __post_init__(self) -> None:
        Pubkey.from_string(self.owner)
        base64.b64decode(self.data[0], validate=True)


class KeyedAccount(msgspec.Struct):
    """An account with its address."""

    pubkey: str
    account: Account


class PriorityFee(msgspec.Struct, rename="camel"):
    """The lowest price that landed in a slot, in micro-lamports a compute unit."""

    prioritization_fee: Count


class Status(msgspec.Struct, rename="camel"):
    """Where a signature is. `confirmation_status`: processed, confirmed, finalized."""

    slot: Count
    err: Any = None
    confirmation_status: Literal["processed", "confirmed", "finalized"] | None = None


class Simulation(msgspec.Struct, rename="camel"):
    """What a transaction would do; `accounts` are those that were asked for."""

    err: Any = None
    logs: list[str] | None = None
    units_consumed: Count | None = None
    accounts: list[Account | None] | None = None


class Meta(msgspec.Struct, rename="camel"):
    """What an included transaction did."""

    fee: Count
    err: Any = None
    log_messages: list[str] | None = None


class Included(msgspec.Struct, rename="camel"):
    """A transaction in a block; `transaction` is base64 and its encoding's name."""

    slot: Count
    transaction: tuple[str, str]
    meta: Meta | None = None
    block_time: Count | None = None

    def __post_init__(self) -> None:
        VersionedTransaction.from_bytes(base64.b64decode(self.transaction[0], validate=True))
