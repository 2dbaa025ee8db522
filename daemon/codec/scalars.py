"""Times and decimals between the core and the contract.

A time is nanoseconds since the Unix epoch inside and a Timestamp on the wire; zero stands for
"not told" and is an absent field there. A decimal is a canonical string on the wire.
"""

from decimal import Decimal

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from core import money
from core.clock import SECOND
from core.errors import Reason, Refused

text = money.text


def timestamp(nanoseconds: int) -> Timestamp:
    """A time of nanoseconds since the epoch; may lie before it."""
    seconds, nanos = divmod(nanoseconds, SECOND)
    return Timestamp(seconds=seconds, nanos=nanos)


def timestamp_or_none(nanoseconds: int) -> Timestamp | None:
    """The same for a field that is left out when the time is not told (zero)."""
    return timestamp(nanoseconds) if nanoseconds else None


def set_time(field: Timestamp, nanoseconds: int) -> None:
    """Fills a message's field in place, for hot paths; leaves it absent when not told (zero)."""
    if nanoseconds:
        field.seconds, field.nanos = divmod(nanoseconds, SECOND)


def duration(nanoseconds: int) -> Duration:
    """A length of time."""
    seconds, nanos = divmod(nanoseconds, SECOND)
    return Duration(seconds=seconds, nanos=nanos)


def nanoseconds(time: Timestamp) -> int:
    """Nanoseconds since the epoch; zero for an absent field."""
    return int(time.seconds) * SECOND + int(time.nanos)


def text_or_none(value: Decimal | None) -> str | None:
    """The canonical string of a value that may be absent."""
    return None if value is None else money.text(value)


def decimal(text: str, field: str) -> Decimal:
    """The value of a request's field; FIELD_INVALID unless it is a plain decimal."""
    try:
        return money.parse(text)
    except ValueError:
        raise Refused(
            Reason.FIELD_INVALID,
            f"{field} must be a plain decimal, not {text[:80]!r}",
            {"field": field, "value": text[:80]},
        ) from None


def decimal_or_none(text: str, field: str) -> Decimal | None:
    """The same for a field that may be left out (empty)."""
    return decimal(text, field) if text else None
