"""Refusals with the metadata that the contract promises for their reasons."""

from types import TracebackType

from core.errors import Reason, Refused


def invalid(field: str, value: object, message: str) -> Refused:
    """FIELD_INVALID; `message` says what is allowed."""
    return Refused(Reason.FIELD_INVALID, message, {"field": field, "value": str(value)[:80]})


class of_venue:  # noqa: N801  used as a statement
    """Names the venue in refusals of pure functions, which do not know it."""

    __slots__ = ("_venue",)

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Refused):
            error.metadata.setdefault("venue", self._venue)
