"""Errors travel as google.rpc.Status, and the contract's reasons are the core's."""

from google.rpc import error_details_pb2, status_pb2

from cambist.v1 import error_reason_pb2, options_pb2
from core.errors import CambistError, Reason, Rejected, Unconfirmed
from daemon.rpc.errors import CODES, failed
from daemon.wire.call import Status


def test_the_contract_and_the_core_have_the_same_reasons() -> None:
    names = set(error_reason_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
    assert names == {f"ERROR_REASON_{reason}" for reason in Reason}


def test_every_reason_is_documented() -> None:
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values:
        if value.number:
            info = value.GetOptions().Extensions[options_pb2.reason]
            assert info.code in Status.__members__, value.name
            assert info.example, value.name
    assert Status.UNKNOWN not in CODES.values()


def body_of(error: CambistError) -> status_pb2.Status:
    (trailer,) = failed(error).trailers
    assert trailer[0] == "grpc-status-details-bin"
    assert isinstance(trailer[1], bytes)
    return status_pb2.Status.FromString(trailer[1])


def test_a_status_has_one_error_info_and_a_delay() -> None:
    error = Rejected(
        Reason.RATE_LIMITED, "wait", {"scope": "ip", "limit": "x" * 5000}, 1_500_000_000
    )
    end = failed(error)
    assert end.status is Status.RESOURCE_EXHAUSTED
    assert end.message == "wait"
    body = body_of(error)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert body.details[0].Unpack(info)
    assert body.details[1].Unpack(retry)
    assert (info.domain, info.reason) == ("cambist", "RATE_LIMITED")
    assert info.metadata["outcome"] == "REJECTED"
    assert len(info.metadata["limit"]) == 1024
    assert retry.retry_delay.ToMilliseconds() == 1500
    assert len(body.SerializeToString()) < 8192


def test_outcomes() -> None:
    def outcome(error: CambistError) -> str:
        body = body_of(error)
        info = error_details_pb2.ErrorInfo()
        body.details[0].Unpack(info)
        return str(info.metadata.get("outcome", ""))

    assert outcome(Unconfirmed(Reason.OUTCOME_UNKNOWN, "?")) == "UNKNOWN"
    assert outcome(CambistError(Reason.INTERNAL, "?")) == ""
