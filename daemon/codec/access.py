"""What tokens allow, between the contract and `daemon.access`."""

from typing import Any

from cambist.v1 import access_pb2 as pb
from daemon.access.grant import Grant
from daemon.access.roots import Root
from daemon.codec.scalars import (
    decimal_or_none,
    nanoseconds,
    text_or_none,
    timestamp,
    timestamp_or_none,
)

_SETS = ("permissions", "methods", "venues", "accounts", "instruments", "source_addresses")
_FLAGS = ("reduce_only", "paper_only", "no_withdrawal")
_CEILINGS = ("max_order_notional", "max_day_notional", "max_slippage")


def grant(message: pb.Grant) -> Grant:
    """Raises Refused for a number that is none."""
    fields: dict[str, Any] = {name: frozenset(getattr(message, name)) for name in _SETS}
    for name in _CEILINGS:
        fields[name] = decimal_or_none(getattr(message, name), name)
    return Grant(
        **fields,
        **{name: getattr(message, name) for name in _FLAGS},
        expire_time=nanoseconds(message.expire_time) if message.HasField("expire_time") else None,
    )


def grant_message(value: Grant) -> pb.Grant:
    """The same the other way."""
    fields: dict[str, Any] = {name: sorted(getattr(value, name)) for name in _SETS}
    for name in _CEILINGS:
        fields[name] = text_or_none(getattr(value, name))
    return pb.Grant(
        **fields,
        **{name: getattr(value, name) for name in _FLAGS},
        expire_time=None if value.expire_time is None else timestamp(value.expire_time),
    )


def root(value: Root) -> pb.TokenRoot:
    """A root, without its keys."""
    return pb.TokenRoot(
        name=value.name,
        create_time=timestamp(value.create_time),
        last_use_time=timestamp_or_none(value.last_use_time),
        revoked=value.revoked,
    )
