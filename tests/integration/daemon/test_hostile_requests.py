"""Every call of the contract is fed nonsense; each answer is a clear error with a reason."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from cambist.v1 import error_reason_pb2, options_pb2
from daemon.app import CONTRACT
from tests.support.daemon import RunningDaemon, running_daemon, sandbox_arguments

METHODS = [
    method
    for file in CONTRACT
    for service in file.services_by_name.values()
    for method in service.methods
    # Without a request id it is refused; with one it would stop the daemon under test.
    if method.name != "Shutdown"
]
NUMBERS = ["NaN", "1e5", "-1", "Infinity", "", "0x1", "1" * 500, "1.2.3", "۳"]
TEXTS = [
    "no-such-thing",
    "x" * 100_000,
    "\x00",
    "../../etc/passwd",
    "'; DROP TABLE orders;--",
    "💥",
]
LARGE = {
    FieldDescriptor.TYPE_UINT32: (1 << 32) - 1,
    FieldDescriptor.TYPE_UINT64: (1 << 64) - 1,
    FieldDescriptor.TYPE_INT32: -(1 << 31),
    FieldDescriptor.TYPE_INT64: -(1 << 63),
}
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
    return LARGE[field.type]


def attacks(method: MethodDescriptor) -> Iterator[tuple[str, bytes]]:
    """Hostile requests of a method, each with a name for failures."""
    yield "empty", b""
    yield "garbage", b"\xff" * 40
    yield "truncated", b"\x0a\xff"
    yield "invalid UTF-8", b"\x0a\x02\xc3\x28"
    yield "3 MB", b"\x0a\x80\x80\x80\x05" + b"x" * (3 << 20)
    for text in TEXTS:
        message = filled(method.input_type, text, "1", 1)
        yield f"text {text[:20]!r}", message.SerializeToString()
    for number in NUMBERS:
        message = filled(method.input_type, "paper", number, 1)
        yield f"number {number[:20]!r}", message.SerializeToString()
    for enum in (0, 99, -1):
        message = filled(method.input_type, "paper", "1", enum)
        yield f"enum {enum}", message.SerializeToString()


# Field names to values that are right in the sandbox, so that one wrong field at a time is tried.
RIGHT = {
    "account": "paper",
    "venue": "paper",
    "instrument": "BTC-USDT",
    "network": "ethereum_local",
    "wallet": "trader",
    "quantity": "0.01",
    "price": "1000",
    "token": "WETH",
    "token_in": "WETH",
    "token_out": "USDC",
    "amount": "0.01",
    "name": "mallory",
    "passphrase": "wrong",
    "pool": "WETH-USDC",
    "to": "0x000000000000000000000000000000000000dEaD",
    "address": "0x000000000000000000000000000000000000dEaD",
    "hash": "0x" + "ab" * 32,
}
POOL_SERVICES = ("SwapService", "LiquidityService")


def right(method: MethodDescriptor) -> Message:
    """A request of a method that has nothing obviously wrong."""
    message = _right(method.input_type, 0)
    if method.containing_service.name in POOL_SERVICES or method.name == "Approve":
        for target in (message, getattr(message, "swap", None)):
            if target is not None and hasattr(target, "venue"):
                target.venue = "uniswap_v2@ethereum_local"
    return message


def _right(descriptor: Descriptor, depth: int) -> Message:
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        rule = field.GetOptions().Extensions[options_pb2.rule]
        if field.message_type:
            if rule.required and field.message_type.full_name.startswith("cambist") and depth < 3:
                inner = _right(field.message_type, depth + 1)
                if field.is_repeated:
                    getattr(message, field.name).append(inner)
                else:
                    getattr(message, field.name).CopyFrom(inner)
            elif field.message_type.name == "Duration":
                getattr(message, field.name).seconds = 60
        elif field.is_repeated:
            if rule.required:
                getattr(message, field.name).append(RIGHT.get(field.name, "nothing"))
        elif field.enum_type:
            if rule.required or field.name == "time_in_force":
                setattr(message, field.name, 2 if field.name == "type" else 1)
        elif field.name == "request_id":
            setattr(message, field.name, secrets.token_hex(8))
        elif rule.required and field.type == FieldDescriptor.TYPE_STRING:
            default = "1" if rule.number else "nothing"
            setattr(message, field.name, RIGHT.get(field.name, default))
        elif field.name in ("price",):
            setattr(message, field.name, RIGHT[field.name])
    return message


def wrongs(message: Message, path: str = "") -> Iterator[tuple[str, Callable[[], object]]]:
    """Ways to make one field of a message wrong, each with its name."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            continue
        if field.message_type:
            if message.HasField(field.name):
                yield from wrongs(getattr(message, field.name), f"{path}{field.name}.")
            continue
        if field.name == "dry_run" or field.type == FieldDescriptor.TYPE_BOOL:
            continue
        if field.enum_type:
            values: list[object] = [99, -1]
        elif field.type == FieldDescriptor.TYPE_STRING:
            values = [*NUMBERS, *TEXTS, "0", "1" * 40, "0." + "0" * 30 + "1"]
        else:
            values = [LARGE[field.type]]
        for value in values:
            yield (
                f"{path}{field.name}={str(value)[:20]!r}",
                partial(setattr, message, field.name, value),
            )


async def call(channel: grpc.aio.Channel, method: MethodDescriptor, raw: bytes) -> Exception | None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    streaming: Any = channel.unary_stream(path)  # bytes in and out: grpc's types know no such call
    unary: Any = channel.unary_unary(path)
    try:
        if method.server_streaming:
            stream = streaming(raw, timeout=20)
            await stream.read()
            stream.cancel()
        else:
            await unary(raw, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error
    return None


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


REASONS = set(error_reason_pb2.ErrorReason.keys())


def assert_clear(error: Exception, where: str) -> None:
    """The error tells what is wrong, by a code and a reason of the contract."""
    assert isinstance(error, grpc.aio.AioRpcError)
    assert error.code() in CLEAR, f"{where}: {error.code()} {error.details()}"
    assert f"ERROR_REASON_{_reason(error)}" in REASONS, where


async def assert_no_fault(daemon: RunningDaemon) -> None:
    """Nothing that a client sent was a surprise to the daemon."""
    log = await asyncio.to_thread(daemon.log.read_text)
    assert "Traceback" not in log, log[-3000:]
    assert "internal error" not in log, log[-3000:]


async def test_every_call_answers_nonsense_with_a_reason(directory: Path) -> None:
    async with running_daemon(
        directory, *sandbox_arguments(directory, evm=False, solana=False)
    ) as daemon:
        options = [("grpc.max_send_message_length", 64 << 20)]
        async with grpc.aio.insecure_channel(daemon.target, options=options) as channel:
            for method in METHODS:
                for name, raw in attacks(method):
                    error = await call(channel, method, raw)
                    if error is not None:  # some is harmless: an unknown field, a large page
                        assert_clear(error, f"{method.full_name} with {name}")
        await assert_no_fault(daemon)


@pytest.mark.evm
async def test_one_wrong_field_at_a_time(directory: Path) -> None:
    arguments = sandbox_arguments(directory / "whole", evm=True, solana=True)
    async with running_daemon(directory / "whole", *arguments) as daemon:
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            for method in METHODS:
                if method.name == "LockWallets":
                    continue  # harmless, but no signing call after it could be tried
                for index in range(len(list(wrongs(right(method))))):
                    message = right(method)
                    name, spoil = list(wrongs(message))[index]
                    try:
                        spoil()
                    except ValueError:
                        continue  # cannot even be put into a message
                    error = await call(channel, method, message.SerializeToString())
                    if error is not None:
                        assert_clear(error, f"{method.full_name} with {name}")
        await assert_no_fault(daemon)


def _reason(error: grpc.aio.AioRpcError) -> str:
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)
