"""From a venue's bytes to its structs, and the one error for bytes that are not as documented."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from core.clock import MILLISECOND, SECOND
from core.errors import CambistError, Reason

T = TypeVar("T")


class Wire(msgspec.Struct):
    """Base of a venue's wire structs: its spelling, only the fields that are used.

    Unknown fields are ignored, missing and mistyped ones are errors.
    """


class Level(Wire, array_like=True, gc=False):
    """A level of a book that the venue writes as an array of strings, of which the first two count:
    price and quantity."""

    price: str
    quantity: str


def rows(levels: Iterable[Level]) -> list[tuple[str, str]]:
    """Levels as cex.engine.messages.BookMessage wants them."""
    return [(level.price, level.quantity) for level in levels]


class UnknownSymbol(LookupError):
    """A payload names an instrument that the venue did not list when it was last asked."""


# What a parser may raise on a payload that is not as documented. A TypeError or AttributeError is
# not among them: it means that the parser trusts what its wire struct does not promise.
MALFORMED = (msgspec.MsgspecError, ValueError, LookupError, ArithmeticError)


def decoder(type_: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """The decoder of a JSON payload; raises msgspec's errors."""
    return msgspec.json.Decoder(type_).decode


def member(name: str, type_: Any = msgspec.Raw, default: Any = msgspec.NODEFAULT) -> Any:
    """The decoder of an object of which one member matters; gives that member."""
    decode = decoder(holding(name, type_, default))
    return lambda payload: decode(payload).value


def holding(name: str, type_: Any = msgspec.Raw, default: Any = msgspec.NODEFAULT) -> Any:
    """The type of an object of which one member matters, an envelope say; it is its `value`."""
    rest: tuple[Any, ...] = () if default is msgspec.NODEFAULT else (default,)
    fields: list[Any] = [("value", type_, *rest)]
    return msgspec.defstruct(name, fields, bases=(Wire,), rename={"value": name})


def list_of(type_: type[T]) -> type[list[T]]:
    """The type of an array of a shape."""
    made: Any = list[type_]  # type: ignore[valid-type]
    return cast(type[list[T]], made)


@lru_cache(maxsize=1024)
def _cached(type_: Any) -> Callable[[bytes], Any]:
    return decoder(type_)


def decode(type_: type[T], payload: bytes) -> T:
    """One JSON payload; raises msgspec's errors."""
    kind: Any = type_
    value: T = _cached(kind)(payload)
    return value


def encode(value: Any) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


def given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters without those that are None."""
    return {name: value for name, value in params.items() if value is not None}


def protocol_error(venue: str, what: str, error: BaseException) -> CambistError:
    """The error for a payload that could not be understood.

    The payload itself is left out: it may hold a token.
    """
    return CambistError(
        Reason.VENUE_PROTOCOL_ERROR,
        f"{venue} sent {what} that cannot be understood ({str(error)[:300]}); "
        "its format may have changed: look for a newer Cambist",
        {"venue": venue, "payload": what},
    )


_LONGEST = 20  # digits of a time
_NUMBER = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)


def optional(raw: msgspec.Raw) -> Decimal | None:
    """A number, bare or quoted; None for what is missing, null or empty."""
    spelled = bytes(raw).decode().strip('"')
    if spelled in ("", "null"):
        return None
    if not _NUMBER.fullmatch(spelled):
        raise ValueError(f"not a number: {spelled[:60]!r}")
    return Decimal(spelled)


def number(raw: msgspec.Raw) -> Decimal:
    """A number that must be there."""
    value = optional(raw)
    if value is None:
        raise ValueError("a number is missing")
    return value


def positive(raw: msgspec.Raw) -> Decimal | None:
    """A price or quantity, where zero or less is the venue's way of saying that there is none."""
    value = optional(raw)
    return value if value is not None and value > 0 else None


def milliseconds(raw: msgspec.Raw) -> int:
    """A time in milliseconds, perhaps with a fraction, in nanoseconds; 0 when it is missing."""
    digits = bytes(raw).strip(b'"')
    if digits.isdigit() and len(digits) < _LONGEST:  # as nearly all are, and several times quicker
        return int(digits) * MILLISECOND
    return int((optional(raw) or 0) * MILLISECOND)


def seconds(raw: msgspec.Raw) -> int:
    """A time in seconds, perhaps with a fraction, in nanoseconds; 0 when it is missing."""
    return int((optional(raw) or 0) * SECOND)


_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


_NANO = 9  # digits of a second's fraction
_REMEMBERED = 1024
_seconds: dict[str, int] = {}  # quoted, with the point of the fraction -> ns


def rfc3339(raw: msgspec.Raw) -> int:
    """A time such as "2026-05-27T20:12:09.558675Z" in nanoseconds; 0 when it is missing."""
    told = str(raw, "utf-8")
    # Many times share their second, and reading the calendar costs more than all the rest.
    second, fraction = told[:21], told[21:-2]  # of a quoted time in UTC, as most are
    known = _seconds.get(second)
    plain = fraction.isdecimal() and fraction.isascii() and len(fraction) <= _NANO
    if plain and known is not None and told[-2:] == 'Z"':
        return known + int(fraction.ljust(_NANO, "0"))
    spelled = told.strip('"')
    if spelled in ("", "null"):
        return 0
    found = _RFC3339.fullmatch(spelled)
    if found is None:
        raise ValueError(f"not a time: {spelled[:60]!r}")
    whole, fraction, zone = found.groups("")
    since = int(datetime.fromisoformat(whole + zone).timestamp()) * SECOND
    if zone == "Z" and fraction:
        if len(_seconds) >= _REMEMBERED:
            _seconds.clear()
        _seconds[f'"{whole}.'] = since
    return since + int(fraction.ljust(_NANO, "0"))


def lookup(table: Mapping[str, T], key: str, what: str) -> T:
    """A venue's word in our vocabulary; a word that is not in the table must be loud."""
    try:
        return table[key]
    except KeyError:
        raise ValueError(f"unknown {what} {key[:60]!r}") from None
