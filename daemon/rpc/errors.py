"""From a CambistError to the google.rpc.Status that a client gets."""

from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from cambist.v1 import error_reason_pb2, options_pb2
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from daemon.wire.call import CallFailed, Status

DOMAIN = "cambist"
DETAILS_KEY = "grpc-status-details-bin"
# A status travels in HTTP/2 headers, which peers bound at 8 KiB.
MAX_TEXT = 1024


def _codes() -> dict[Reason, Status]:
    """The gRPC code of each reason, read from the options in error_reason.proto."""
    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    return {
        reason: Status[
            values[f"ERROR_REASON_{reason}"].GetOptions().Extensions[options_pb2.reason].code
        ]
        for reason in Reason
    }


CODES = _codes()


def _outcome(error: CambistError) -> str:
    match error:
        case Refused():
            return "NOT_SENT"
        case Rejected():
            return "REJECTED"
        case Unconfirmed():
            return "UNKNOWN"
    return ""


def failed(error: CambistError) -> CallFailed:
    """How a call ends: one ErrorInfo, and RetryInfo where a delay is known."""
    code = CODES[error.reason]
    metadata = {key: value[:MAX_TEXT] for key, value in error.metadata.items()}
    if outcome := _outcome(error):
        metadata["outcome"] = outcome
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    message = error.message[:MAX_TEXT]
    details = [_any(info)]
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(error.retry_after)
        details.append(_any(error_details_pb2.RetryInfo(retry_delay=delay)))
    body = status_pb2.Status(code=code, message=message, details=details)
    return CallFailed(code, message, [(DETAILS_KEY, body.SerializeToString())])


def _any(message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
