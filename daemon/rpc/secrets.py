"""Requests without their secrets: what may be remembered of them."""

from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message


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
