"""Every call of the contract is fed nonsense; each answer is a clear error with a reason."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cambist.v1 import error_reason_pb2, options_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from daemon.app import CONTRACT
from tests.support.daemon import running_daemon

METHODS = [
    method
    for file in CONTRACT
    for service in file.services_by_name.values()
    for method in service.methods
    # Without a request id it is refused; with one it would stop the daemon under test.
    if method.name != "Shutdown"
]
NUMBERS = ["NaN", "1e5", "-1", "Infinity", "", "0x1", "1" * 500, "1.2.3", "۳"]
TEXTS = ["no-such-thing", "x" * 100_000, "\x00", "../../etc/passwd", "'; DROP TABLE orders;--", "💥"]
CLEAR = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.UNAVAILABLE,
}


def filled(descriptor: Descriptor, text: str, number: str, enum: int, depth: int = 0) -> Message:
    """A message with every field set to the same kinds of values."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.message_type and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["api_key"] = text
        elif field.message_type:
            if depth < 3 and not (field.containing_oneof and message.WhichOneof("source")):
                inner = filled(field.message_type, text, number, enum, depth + 1)
                target = getattr(message, field.name)
                if field.is_repeated:
                    target.append(inner)
                else:
                    target.CopyFrom(inner)
        elif field.is_repeated:
            getattr(message, field.name).append(text)
        else:
            setattr(message, field.name, _value(field, text, number, enum))
    return message


def _value(field: FieldDescriptor, text: str, number: str, enum: int) -> object:
    if field.enum_type:
        return enum
    if field.type == FieldDescriptor.TYPE_STRING:
        return number if field.GetOptions().Extensions[options_pb2.rule].number else text
    if field.type == FieldDescriptor.TYPE_BOOL:
        return False
    return 4_000_000_000 if field.type == FieldDescriptor.TYPE_UINT32 else (1 << 63) - 1


def attacks(method: MethodDescriptor) -> Iterator[tuple[str, bytes]]:
    """Hostile requests of a method, each with a name for failures."""
    yield "empty", b""
    yield "garbage", b"\xff" * 40
    yield "truncated", b"\x0a\xff"
    yield "invalid UTF-8", b"\x0a\x02\xc3\x28"
    yield "10 MB", b"\x0a\x80\x80\x80\x05" + b"x" * (10 << 20)
    for text in TEXTS:
        message = filled(method.input_type, text, "1", 1)
        yield f"text {text[:20]!r}", message.SerializeToString()
    for number in NUMBERS:
        message = filled(method.input_type, "paper", number, 1)
        yield f"number {number[:20]!r}", message.SerializeToString()
    for enum in (0, 99, -1):
        message = filled(method.input_type, "paper", "1", enum)
        yield f"enum {enum}", message.SerializeToString()


async def call(channel: grpc.aio.Channel, method: MethodDescriptor, raw: bytes) -> Exception | None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            stream = channel.unary_stream(path)(raw, timeout=20)
            await stream.read()
            stream.cancel()
        else:
            await channel.unary_unary(path)(raw, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error
    return None


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


async def test_every_call_answers_nonsense_with_a_reason(directory: Path) -> None:
    reasons = set(error_reason_pb2.ErrorReason.keys())
    async with running_daemon(directory) as daemon:
        options = [("grpc.max_send_message_length", 64 << 20)]
        async with grpc.aio.insecure_channel(daemon.target, options=options) as channel:
            for method in METHODS:
                for name, raw in attacks(method):
                    error = await call(channel, method, raw)
                    if error is None:
                        continue  # some nonsense is harmless: an unknown field, a large page
                    where = f"{method.full_name} with {name}"
                    assert isinstance(error, grpc.aio.AioRpcError)
                    assert error.code() in CLEAR, f"{where}: {error.code()} {error.details()}"
                    assert f"ERROR_REASON_{_reason(error)}" in reasons, where
        log = await asyncio.to_thread(daemon.log.read_text)
        assert "Traceback" not in log, log[-3000:]
        assert "internal error" not in log, log[-3000:]


def _reason(error: grpc.aio.AioRpcError) -> str:
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason
