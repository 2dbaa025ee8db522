"""What nodes answer: only the fields that are used. https://solana.com/docs/rpc/http"""

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Context(msgspec.Struct):
    """At which slot a node answered."""

    slot: int


class Valued(msgspec.Struct, Generic[T]):
    """A value with its context."""

    context: Context
    value: T


class Blockhash(msgspec.Struct, rename="camel"):
    """A blockhash and the last height at which it can be used."""

    blockhash: str
    last_valid_block_height: int


class EpochInfo(msgspec.Struct, rename="camel"):
    """Where a chain is; slots without a block make the height lag behind."""

    absolute_slot: int
    block_height: int


class Account(msgspec.Struct):
    """An account; `data` is base64 and its encoding's name."""

    lamports: int
    owner: str
    data: tuple[str, str]
    executable: bool = False


class KeyedAccount(msgspec.Struct):
    """An account with its address."""

    pubkey: str
    account: Account


class PriorityFee(msgspec.Struct, rename="camel"):
    """The lowest price that landed in a slot, in micro-lamports a compute unit."""

    prioritization_fee: int


class Status(msgspec.Struct, rename="camel"):
    """Where a signature is. `confirmation_status`: processed, confirmed, finalized."""

    slot: int
    err: Any = None
    confirmation_status: str | None = None


class Simulation(msgspec.Struct, rename="camel"):
    """What a transaction would do; `accounts` are those that were asked for."""

    err: Any = None
    logs: list[str] | None = None
    units_consumed: int | None = None
    accounts: list[Account | None] | None = None


class Meta(msgspec.Struct, rename="camel"):
    """What an included transaction did."""

    fee: int
    err: Any = None
    log_messages: list[str] | None = None


class Included(msgspec.Struct, rename="camel"):
    """A transaction in a block; `transaction` is base64 and its encoding's name."""

    slot: int
    transaction: tuple[str, str]
    meta: Meta | None = None
    block_time: int | None = None
