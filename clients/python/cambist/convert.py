"""Between protobuf and Python values.

A dataclass of `cambist.types` says by its annotations how each field is read, so there is one
decoder for all of them. Its fields have the names of the message's fields.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

T = TypeVar("T")
Amount = Decimal | int | str
Read = Callable[[Any], Any]

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode(cls: type[T], message: Message) -> T:
    """The value of a message."""
    value: T = _decoder(cls)(message)  # type: ignore[arg-type]
    return value


@cache
def _decoder(cls: type[Any]) -> Read:
    hints = typing.get_type_hints(cls)
    readers = [_reader(field.name, hints[field.name]) for field in dataclasses.fields(cls)]
    return lambda message: cls(*[read(message) for read in readers])


def _reader(name: str, hint: Any) -> Read:
    """Reads one field of a message."""
    optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
    if optional:
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    origin = typing.get_origin(hint)
    if origin is tuple:
        item = _converter(typing.get_args(hint)[0])
        return lambda message: tuple([item(value) for value in getattr(message, name)])
    if origin is not None and issubclass(origin, Mapping):
        return lambda message: dict(getattr(message, name))
    convert = _converter(hint)
    if not optional:
        return lambda message: convert(getattr(message, name))

    def read(message: Message) -> Any:
        # Fields without presence are strings: an empty one says nothing.
        if message.DESCRIPTOR.fields_by_name[name].has_presence:
            present = message.HasField(name)
        else:
            present = bool(getattr(message, name))
        return convert(getattr(message, name)) if present else None

    return read


def _converter(hint: Any) -> Read:
    if hint is Decimal:
        return lambda text: Decimal(text or 0)
    if hint is int:
        return lambda value: int(value or 0)  # exact units travel as strings
    if hint is datetime:
        return from_timestamp
    if hint is timedelta:
        return from_duration
    if isinstance(hint, type) and (issubclass(hint, Enum)):
        return hint
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return lambda message: decode(hint, message)
    return lambda value: value


def text(value: Amount) -> str:
    """The canonical decimal string: no exponent, no needless zeros.

    TypeError for a float: it is not the number that was meant. ValueError for NaN and infinity.
    """
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float, which is not exact: pass Decimal('{value}') or str")
    if not isinstance(value, str):
        value = format(Decimal(value), "f")
        if not value.lstrip("-")[:1].isdigit():
            raise ValueError(f"not a finite number: {value}")
        if "." in value:
            value = value.rstrip("0").rstrip(".")
    return value


def exact(value: Amount) -> Decimal:
    """The number; TypeError for a float, as above, ValueError for a text that is no number.

    As strict as the daemon: what Decimal would take besides (an exponent, "1_000", digits of other
    scripts) is rather a slip than meant.
    """
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        raise ValueError(f"{value!r} is no plain decimal number such as 0.05")
    return Decimal(text(value))


def optional_text(value: Amount | None) -> str:
    """As `text`, and "" for None."""
    return "" if value is None else text(value)


def from_timestamp(value: Timestamp) -> datetime:
    """In UTC, to the microsecond that Python's datetime has."""
    return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)


def to_timestamp(value: datetime | None) -> Timestamp | None:
    """ValueError for a time without a zone: it may mean anything."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone: use datetime(..., tzinfo=timezone.utc)")
    since = value - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return Timestamp(seconds=seconds, nanos=since.microseconds * 1000)


def from_duration(value: Duration) -> timedelta:
    """To the microsecond."""
    return timedelta(seconds=value.seconds, microseconds=int(value.nanos / 1000))


def to_duration(value: timedelta) -> Duration:
    """Exact."""
    whole = value // timedelta(microseconds=1)
    seconds, micros = divmod(abs(whole), 1_000_000)
    sign = -1 if whole < 0 else 1
    return Duration(seconds=sign * seconds, nanos=sign * micros * 1000)
