"""The hash chain: what was written, in order, so that a later change of it shows.

Each row that is written makes an entry: its kind, its name, the digest of its content, and a hash
over all of that and the hash of the entry before. Whoever alters, removes or slips in a row must
make every later hash anew; whoever has noted a hash (`cambistd journal verify` prints the last one)
then sees it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from daemon.journal.store import (
    EventRow,
    EventsBefore,
    FillRow,
    FundingRow,
    IntentGone,
    IntentRow,
    IntentsBefore,
    MetaRow,
    OrderRow,
    Row,
    TrafficRow,
    TransactionRow,
)

GENESIS = bytes(32)
_encode = msgspec.msgpack.Encoder().encode

# Each kind of row with the columns that name one; in the order of its table's primary key.
KEYS: dict[type, tuple[str, ...]] = {
    MetaRow: ("key",),
    IntentRow: ("request_id",),
    IntentGone: ("request_id",),
    IntentsBefore: ("time",),
    EventRow: ("sequence",),
    EventsBefore: ("sequence",),
    OrderRow: ("account", "venue", "client_order_id"),
    FillRow: ("account", "venue", "trade_id"),
    FundingRow: ("account", "venue", "payment_id"),
    TrafficRow: ("account", "client_order_id", "time", "sent", "venue"),
    TransactionRow: ("network", "hash"),
}
Namer = Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One link; `number` counts from 1."""

    number: int
    kind: str
    name: str
    digest: bytes
    hash: bytes


def name_of(row: Row) -> str:
    """What tells a row from the others of its kind."""
    keys = KEYS[type(row)]
    if len(keys) == 1:
        return str(getattr(row, keys[0]))
    return "/".join([str(getattr(row, key)) for key in keys])


def digest_of(values: Sequence[Any]) -> bytes:
    """Of a row's columns, in the order of its fields."""
    return hashlib.sha256(_encode(values)).digest()


def hash_of(before: bytes, number: int, kind: str, name: str, digest: bytes) -> bytes:
    """Of a link, over the one before."""
    return hashlib.sha256(before + _encode((number, kind, name)) + digest).digest()


class Chain:
    """The end of the chain, and what is hung on to it. A batch counts once it is `keep`ed: what
    was not written is not in the chain either."""

    def __init__(self, number: int = 0, hash: bytes = GENESIS) -> None:
        self.number = number
        self.hash = hash
        self._next = number, hash

    def link(self, rows: Sequence[tuple[Row, Sequence[Any]]]) -> list[Entry]:
        """The entries of rows and their columns."""
        number, hash = self.number, self.hash
        entries = []
        for row, values in rows:
            kind, name, digest = type(row).__name__, name_of(row), digest_of(values)
            number += 1
            hash = hash_of(hash, number, kind, name, digest)
            entries.append(Entry(number, kind, name, digest, hash))
        self._next = number, hash
        return entries

    def keep(self) -> None:
        """The last batch is durable."""
        self.number, self.hash = self._next
