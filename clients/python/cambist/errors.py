"""What every error of the daemon looks like to a bot, and the errors that only a client knows.

The daemon answers with `google.rpc.Status` and one `google.rpc.ErrorInfo` in it. Whether a retry
can help is not decided here: it stands beside each reason in the contract (`error_reason.proto`).
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import ClassVar

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from cambist.v1 import error_reason_pb2, options_pb2

_DETAILS = "grpc-status-details-bin"
_PREFIX = "ERROR_REASON_"


class Error(Exception):
    """Something failed.

    `reason` is stable and machine-readable: a name of `error_reason.proto`, or one of this client's
    own (`NO_DAEMON`, `CONNECTION_LOST`, `DEADLINE_EXCEEDED`, ...). `message` says what to do next.
    `metadata` has the facts: the field, the venue's own code and words, `outcome`. `retryable`
    tells whether the same call may succeed later without a change; `retry_after` how long to wait,
    where that is known. `request_id` is that of the failed mutation: repeat the call with it, and
    it has its effect at most once. `code` is the gRPC status, None where no daemon was asked.
    """

    default_reason: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retryable: bool = False,
        retry_after: timedelta | None = None,
        code: grpc.StatusCode | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason or self.default_reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.retryable = retryable
        self.retry_after = retry_after
        self.code = code
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


class NoDaemon(Error):
    """Nobody answers at the address."""

    default_reason = "NO_DAEMON"


class IncompatibleDaemon(Error):
    """The daemon speaks another version of the contract."""

    default_reason = "INCOMPATIBLE_DAEMON"


class Unauthentic(Error):
    """Who answers is not the daemon that the connect string was made by."""

    default_reason = "UNAUTHENTIC"


class ConnectionLost(Error):
    """The connection broke, and the daemon did not come back in time.

    A mutation may have had its effect: repeat it with the same `request_id`.
    """

    default_reason = "CONNECTION_LOST"


class DeadlineExceeded(Error):
    """The daemon did not answer in time. A mutation may have had its effect, as above."""

    default_reason = "DEADLINE_EXCEEDED"


class ProtocolError(Error):
    """The daemon broke the contract: a gap in a gapless sequence, a page that repeats."""

    default_reason = "PROTOCOL_ERROR"


def decode(failure: grpc.aio.AioRpcError, request_id: str = "") -> Error:
    """The exception for a failed call."""
    info, retry_after = _details(failure)
    code = failure.code()
    message = failure.details() or ""
    if not info.reason:
        return _without_reason(code, message, request_id)
    return by_reason(info.reason)(
        message,
        reason=info.reason,
        metadata=info.metadata,
        retryable=is_retryable(info.reason),
        retry_after=retry_after,
        code=code,
        request_id=request_id,
    )


def _details(
    failure: grpc.aio.AioRpcError,
) -> tuple[error_details_pb2.ErrorInfo, timedelta | None]:
    """The reason, empty where there is none, and the delay to wait."""
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    retry_after = None
    status = status_pb2.Status()
    try:
        for key, value in failure.trailing_metadata() or ():
            if key == _DETAILS and isinstance(value, bytes):
                status.ParseFromString(value)
        for detail in status.details:
            if detail.Unpack(retry):
                delay = retry.retry_delay
                retry_after = timedelta(seconds=delay.seconds, microseconds=delay.nanos // 1000)
            else:
                detail.Unpack(info)
    except DecodeError:  # not from cambistd: something in between
        return error_details_pb2.ErrorInfo(), None
    return info, retry_after


def _without_reason(code: grpc.StatusCode, message: str, request_id: str) -> Error:
    """The daemon always gives a reason, so these are grpc's own: transport, deadline, no method."""
    kind, reason, retryable = Error, code.name, False
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        kind, retryable = DeadlineExceeded, True
        message = "the daemon did not answer in time"
    elif is_transport(code, message):
        kind, reason, retryable = ConnectionLost, ConnectionLost.default_reason, True
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        kind, reason = by_reason("NOT_BUILT"), "NOT_BUILT"
        message = "this daemon does not know the call: it is older than this client"
    return kind(message, reason=reason, retryable=retryable, code=code, request_id=request_id)


def is_transport(code: grpc.StatusCode, message: str) -> bool:
    """Whether a failure without a reason means that the connection broke or was refused."""
    if code is grpc.StatusCode.INTERNAL:
        return "RST_STREAM" in message
    return code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@cache
def is_retryable(reason: str) -> bool:
    """What the contract says beside the reason; False for one that this client does not know."""
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name.get(_PREFIX + reason)
    return bool(value and value.GetOptions().Extensions[options_pb2.reason].retryable)


@cache
def by_reason(reason: str) -> type[Error]:
    """The class of a reason, by its name in camel case; `Error` for one that is newer than us."""
    from cambist import reasons  # it needs `Error`

    name = "".join(word.capitalize() for word in reason.split("_"))
    found = getattr(reasons, name, Error)
    return found if isinstance(found, type) and issubclass(found, Error) else Error
