"""Limits, halts and leases, between the contract and `daemon.risk`."""

from cambist.v1 import risk_pb2 as pb
from core.money import text
from daemon.codec.scalars import timestamp
from daemon.risk.limits import Limit
from daemon.risk.scope import Scope
from daemon.risk.state import Halt


def scope(message: pb.Scope) -> Scope:
    """What something concerns."""
    return Scope(message.venue, message.account, message.instrument, message.token_root)


def scope_message(value: Scope) -> pb.Scope:
    """The same the other way."""
    return pb.Scope(
        venue=value.venue,
        account=value.account,
        instrument=value.instrument,
        token_root=value.token_root,
    )


def limit(value: Limit, used: str) -> pb.RiskLimit:
    """A limit and how far it is used."""
    return pb.RiskLimit(
        name=value.rule,
        scope=scope_message(value.scope),
        limit=text(value.bound),
        used=used,
        unit=value.unit,
    )


def halt(value: Halt) -> pb.HaltRecord:
    """A halt in force."""
    return pb.HaltRecord(
        id=value.id,
        scope=scope_message(value.scope),
        mode=pb.HALT_MODE_REDUCE if value.reduce else pb.HALT_MODE_ALL,
        reason=value.reason,
        create_time=timestamp(value.time),
    )
