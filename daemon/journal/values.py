"""Core values in the journal: JSON, exact, with every field; for the daemon only."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def pack(value: object) -> bytes:
    """A dataclass of the core as JSON; decimals are strings, enums their numbers."""
    return msgspec.json.encode(value)


def unpack(data: bytes, kind: type[T]) -> T:
    """The value again; msgspec.DecodeError when it is not one."""
    return msgspec.json.decode(data, type=kind)
