"""Checks a request against the rules that its proto file states, before any handler sees it.

Each message type is compiled once into a list of small checks, so that a call pays only for the
fields that it has.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from cambist.v1 import options_pb2
from core.errors import Reason, Refused
from core.money import parse

DEFAULT_LENGTH = 256
# Twelve digits before the point hold 1e12 tokens with room; eighteen behind it hold one wei.
MAX_NUMBER_LENGTH = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALLOWED_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # long texts may have lines

Check = Callable[[Message, str], None]
Number = options_pb2.Number

_NUMBERS: dict[int, tuple[str, Callable[[Decimal], bool]]] = {
    Number.NUMBER_ANY: ("a plain decimal", lambda value: True),
    Number.NUMBER_NON_NEGATIVE: ("a plain decimal of zero or more", lambda value: value >= 0),
    Number.NUMBER_POSITIVE: ("a plain decimal above zero", lambda value: value > 0),
    Number.NUMBER_UNITS: (
        "a whole number above zero",
        lambda value: value > 0 and value == value.to_integral_value(),
    ),
    Number.NUMBER_FRACTION: ("a plain decimal from 0 to 1", lambda value: 0 <= value <= 1),
}


def invalid(field: str, message: str, value: str = "") -> Refused:
    """The error of a field whose value is not allowed."""
    metadata = {"field": field}
    if value:
        metadata["value"] = value[:80]
    return Refused(Reason.FIELD_INVALID, f"{field} {message}", metadata)


def required(field: str) -> Refused:
    """The error of a field that must be set."""
    return Refused(Reason.FIELD_REQUIRED, f"{field} is required", {"field": field})


def check(request: Message) -> None:
    """Raises Refused for the first rule that the request breaks."""
    for rule in _checks(request.DESCRIPTOR):
        rule(request, "")


@cache
def _checks(descriptor: Descriptor) -> tuple[Check, ...]:
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        return (_timestamp,)
    if descriptor.full_name == Duration.DESCRIPTOR.full_name:
        return (_duration,)
    return tuple(made for field in descriptor.fields for made in _field_checks(field))


def _field_checks(field: FieldDescriptor) -> list[Check]:
    rule = field.GetOptions().Extensions[options_pb2.rule]
    checks: list[Check] = []
    if rule.required:
        checks.append(_require(field))
    if field.message_type and field.message_type.GetOptions().map_entry:
        checks.append(_map_check(field, rule))
    elif field.is_repeated:
        checks.append(_list_check(field, rule))
    elif one := _value_check(field, rule):
        checks.append(_single(field, one))
    return checks


def _require(field: FieldDescriptor) -> Check:
    name = field.name

    def check(message: Message, path: str) -> None:
        is_set = (
            message.HasField(name)
            if field.message_type and not field.is_repeated
            else bool(getattr(message, name))
        )
        if not is_set:
            raise required(path + name)

    return check


ValueCheck = Callable[[object, str], None]


def _single(field: FieldDescriptor, check_value: ValueCheck) -> Check:
    name = field.name
    has_presence = field.has_presence
    # An enum in a request is never _UNSPECIFIED: absent (where the field allows) or a value.
    skip_default = field.enum_type is None or not has_presence

    def check(message: Message, path: str) -> None:
        if has_presence and not message.HasField(name):
            return
        value = getattr(message, name)
        if field.message_type is None and not value and skip_default:
            return
        check_value(value, path + name)

    return check


def _list_check(field: FieldDescriptor, rule: options_pb2.FieldRule) -> Check:
    name = field.name
    most = rule.max_length or DEFAULT_LENGTH
    element = _value_check(field, options_pb2.FieldRule(number=rule.number))

    def check(message: Message, path: str) -> None:
        values = getattr(message, name)
        if len(values) > most:
            raise invalid(path + name, f"has {len(values)} elements, at most {most} are allowed")
        if element is not None:
            for index, value in enumerate(values):
                element(value, f"{path}{name}[{index}]")

    return check


def _map_check(field: FieldDescriptor, rule: options_pb2.FieldRule) -> Check:
    name = field.name
    length = rule.max_length or DEFAULT_LENGTH

    def check(message: Message, path: str) -> None:
        entries = getattr(message, name)
        if len(entries) > DEFAULT_LENGTH:
            raise invalid(path + name, f"has {len(entries)} entries, at most {DEFAULT_LENGTH}")
        for key, value in entries.items():
            # The value is not named in the error: maps carry credentials.
            if len(key) > DEFAULT_LENGTH or (isinstance(value, str) and len(value) > length):
                raise invalid(path + name, f"has an entry longer than {length} characters")

    return check


def _value_check(field: FieldDescriptor, rule: options_pb2.FieldRule) -> ValueCheck | None:
    if field.message_type:
        message_type = field.message_type

        def nested(value: object, path: str) -> None:
            assert isinstance(value, Message)
            for one in _checks(message_type):
                one(value, path + ".")

        return nested
    if field.enum_type:
        known = {number for number in field.enum_type.values_by_number if number}
        names = ", ".join(value.name for value in field.enum_type.values if value.number)

        def enumerated(value: object, path: str) -> None:
            if value not in known:
                raise invalid(path, f"must be one of {names}", str(value))

        return enumerated
    if field.type == FieldDescriptor.TYPE_STRING:
        if rule.number:
            return _number(rule.number)
        redacted = field.GetOptions().debug_redact
        return _text(rule.max_length or DEFAULT_LENGTH, redacted)
    return None


def _text(most: int, redacted: bool) -> ValueCheck:
    forbidden = _CONTROL if most <= DEFAULT_LENGTH else _ALLOWED_CONTROL

    def check(value: object, path: str) -> None:
        assert isinstance(value, str)
        if len(value) > most:
            raise invalid(path, f"has {len(value)} characters, at most {most} are allowed")
        if forbidden.search(value):
            raise invalid(path, "contains control characters", "" if redacted else repr(value[:40]))

    return check


def _number(kind: int) -> ValueCheck:
    words, allowed = _NUMBERS[kind]

    def check(value: object, path: str) -> None:
        assert isinstance(value, str)
        if len(value) > MAX_NUMBER_LENGTH:
            raise invalid(path, f"has {len(value)} characters, at most {MAX_NUMBER_LENGTH}")
        try:
            number = parse(value)
        except ValueError:
            number = None
        if number is None or not allowed(number):
            raise invalid(path, f"must be {words} such as 0.05, not {value!r}", value)

    return check


def _timestamp(message: Message, path: str) -> None:
    assert isinstance(message, Timestamp)
    if not (0 <= message.seconds < 253_402_300_800 and 0 <= message.nanos < 1_000_000_000):
        raise invalid(path.rstrip("."), "must be a time between 1970 and 9999")


def _duration(message: Message, path: str) -> None:
    assert isinstance(message, Duration)
    if not (0 <= message.seconds < 315_576_000_000 and 0 <= message.nanos < 1_000_000_000):
        raise invalid(path.rstrip("."), "must be a duration of zero or more")
