"""Requests without their secrets: what may be remembered of them."""

from collections.abc import Iterable, Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

_SHORTEST = 8  # characters; what is shorter would be found in any text


def without_secrets(request: Message) -> Message:
    """The request, with every field that the contract marks as redacted left out.

    A digest of a request is kept in the journal. With a passphrase in it, whoever holds the journal
    could try passphrases as fast as the digest is made, past all that makes keystores slow.
    """
    if not _has_secrets(request.DESCRIPTOR):
        return request
    copy = type(request)()
    copy.CopyFrom(request)
    _clear(copy)
    return copy


def secrets_of(request: Message) -> Iterator[str]:
    """The values of all fields that the contract marks as redacted."""
    if not _has_secrets(request.DESCRIPTOR):
        return
    for field, value in request.ListFields():
        if field.GetOptions().debug_redact:
            yield from _texts(value)
        elif field.message_type and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else (value,):
                yield from secrets_of(one)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, Message):
        for _, inner in value.ListFields():
            yield from _texts(inner)
    elif hasattr(value, "values"):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Iterable):
        for inner in value:
            yield from _texts(inner)


def scrubbed(text: str, secrets: Iterable[str], shortest: int = _SHORTEST) -> str:
    """A text that may quote secrets, without them, as they are and as they are escaped."""
    for secret in sorted({one for one in secrets if len(one) >= shortest}, key=len, reverse=True):
        for form in (secret, repr(secret)[1:-1]):
            text = text.replace(form, "…")
    return text


def _clear(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.message_type and not field.is_repeated:
            _clear(value)


@cache
def _has_secrets(descriptor: Descriptor) -> bool:
    return any(
        field.GetOptions().debug_redact
        or (field.message_type is not None and _has_secrets(field.message_type))
        for field in descriptor.fields
    )
