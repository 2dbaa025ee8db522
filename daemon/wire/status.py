"""How calls end."""

from collections.abc import Sequence
from enum import IntEnum

Trailers = Sequence[tuple[str, str | bytes]]


class Status(IntEnum):
    """https://grpc.io/docs/guides/status-codes/"""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class CallFailed(Exception):
    """Raised by a handler: how its call ends. Values of trailers whose names end in `-bin` are
    bytes."""

    def __init__(self, status: int, message: str, trailers: Trailers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.trailers = trailers
