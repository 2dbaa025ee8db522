"""Refusals with the metadata that the contract promises for their reasons."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import Reason, Refused


def invalid(field: str, value: object, message: str) -> Refused:
    """FIELD_INVALID; `message` says what is allowed."""
    return Refused(Reason.FIELD_INVALID, message, {"field": field, "value": str(value)[:80]})


@contextmanager
def of_venue(venue: str) -> Iterator[None]:
    """Names the venue in refusals of pure functions, which do not know it."""
    try:
        yield
    except Refused as refusal:
        refusal.metadata.setdefault("venue", venue)
        raise
