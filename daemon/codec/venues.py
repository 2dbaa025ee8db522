"""Venues, instruments and conditions: core -> protobuf."""

from cambist.v1 import system_pb2, venues_pb2
from core import instruments, ports
from core.money import text
from daemon.codec.scalars import duration, set_time


def condition(value: ports.Condition) -> system_pb2.Condition:
    """How something is, why, and since when."""
    message = system_pb2.Condition(
        health=system_pb2.Health.ValueType(value.health.value), reason=value.reason
    )
    set_time(message.since, value.since)
    return message


def venue(value: ports.Venue) -> venues_pb2.Venue:
    """A venue with its capabilities, standing and condition."""
    info = value.info
    offset = value.clock_offset if isinstance(value, ports.Metered) else None
    streams = value.stream_clock_offset if isinstance(value, ports.Metered) else None
    return venues_pb2.Venue(
        id=info.id,
        name=info.name,
        kind=venues_pb2.VenueKind.ValueType(info.kind.value),
        capabilities=sorted(capability.value for capability in info.capabilities),
        network=info.network,
        standing=venues_pb2.Standing.ValueType(info.standing.value),
        standing_since=info.standing_since,
        standing_evidence=info.standing_evidence,
        condition=condition(value.condition),
        documentation_url=info.documentation,
        clock_offset=None if offset is None else duration(offset),
        stream_clock_offset=None if streams is None else duration(streams),
    )


def rate_limit(venue: str, usage: ports.RateLimitUsage) -> venues_pb2.RateLimit:
    """How much of a rate limit is used."""
    message = venues_pb2.RateLimit(
        venue=venue,
        scope=usage.scope,
        name=usage.name,
        limit=usage.limit,
        used=usage.used,
        interval=duration(usage.interval),
    )
    set_time(message.blocked_until, usage.blocked_until)
    return message


def instrument(value: instruments.Instrument) -> venues_pb2.Instrument:
    """An instrument and its rules."""
    return venues_pb2.Instrument(
        venue=value.venue,
        id=value.id,
        kind=venues_pb2.InstrumentKind.ValueType(value.kind.value),
        base=value.base,
        quote=value.quote,
        settle=value.settle,
        price_tick=text(value.price_tick),
        quantity_step=text(value.quantity_step),
        min_quantity=text(value.min_quantity),
        max_quantity=text(value.max_quantity),
        min_notional=text(value.min_notional),
        contract_size=text(value.contract_size),
        status=venues_pb2.InstrumentStatus.ValueType(value.status.value),
        venue_symbol=value.venue_symbol,
        price_digits=value.price_digits,
    )
