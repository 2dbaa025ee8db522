"""How values are written: as JSON for programs, as short text for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

# A number longer than this is cut in tables; JSON always has all of it.
WIDEST_NUMBER = 18


def to_json(value: Any) -> Any:
    """What `json.dumps` takes: decimals and exact units as strings, times as ISO 8601 in UTC,
    durations in seconds, enums by their lower-case names.
    """
    match value:
        case None | bool() | str():
            return value
        case Enum():
            return str(value)
        case Decimal():
            return plain(value)
        case int():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            seconds = value / timedelta(seconds=1)
            return int(seconds) if seconds == int(seconds) else seconds
        case Mapping():
            return {str(key): to_json(item) for key, item in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        return _fields(value)
    if hasattr(value, "bids"):
        return _book(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _fields(value: Any) -> dict[str, Any]:
    result = {}
    is_event = type(value).__name__ == "Event"  # only one of its payloads is there
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if is_event and item is None and field.name != "time":
            continue
        # Whole units exceed what JSON readers keep exactly.
        result[field.name] = (
            str(item) if field.name == "units" and item is not None else to_json(item)
        )
    return result


def _book(book: Any, depth: int | None = None) -> dict[str, Any]:
    return {
        "venue": book.venue,
        "instrument": book.instrument,
        "state": str(book.state),
        "reason": book.reason,
        "sequence": book.sequence,
        "venue_sequence": book.venue_sequence,
        "event_time": to_json(book.event_time),
        "receive_time": to_json(book.receive_time),
        "bids": [[plain(price), plain(size)] for price, size in book.bids[:depth]],
        "asks": [[plain(price), plain(size)] for price, size in book.asks[:depth]],
    }


book_to_json = _book


def plain(value: Decimal) -> str:
    """Without an exponent and needless zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_text(value: Any) -> str:
    """One cell of a table."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return _short(plain(value))
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case timedelta():
            return interval_text(value)
        case list() | tuple():
            return ", ".join(to_text(item) for item in value)
        case Mapping():
            return ", ".join(f"{key}={to_text(item)}" for key, item in value.items())
    if type(value).__name__ == "TokenAmount":
        return f"{to_text(value.amount)} {value.token.symbol}"
    if type(value).__name__ == "Token":
        return f"{value.symbol} ({value.address or 'native'})"
    if type(value).__name__ == "Condition":
        return f"{value.health}: {value.reason}" if value.reason else str(value.health)
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        names = (field.name for field in dataclasses.fields(value))
        return ", ".join(f"{name}={to_text(getattr(value, name))}" for name in names)
    return str(value)


def _short(number: str) -> str:
    whole, point, decimals = number.partition(".")
    tiny = decimals.lstrip("0")
    if whole in ("0", "-0") and len(decimals) > 9 and len(tiny) == 1:
        return f"{whole[:-1]}{tiny}e-{len(decimals)}"  # a pool's tick
    room = WIDEST_NUMBER - len(whole) - 2
    if not point or len(number) <= WIDEST_NUMBER or room < 1:
        return number
    return f"{whole}.{decimals[:room]}…"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_interval(text: str) -> timedelta:
    """ "1m", "4h", "1d"; ValueError for anything else."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal() or not 0 < int(number) < 10_000:
        raise ValueError(f"{text!r} is no interval: use 1m, 5m, 1h, 1d and so on")
    return timedelta(seconds=int(number) * _UNITS[unit])


def interval_text(value: timedelta) -> str:
    """The shortest form of `parse_interval`, else seconds."""
    seconds = value // timedelta(seconds=1)
    for unit, size in reversed(_UNITS.items()):
        if value and value % timedelta(seconds=size) == timedelta(0):
            return f"{seconds // size}{unit}"
    return f"{value / timedelta(seconds=1)}s"


def parse_time(text: str) -> datetime:
    """ISO 8601; without a zone it is UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: use 2026-01-31T12:00 (UTC)") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
