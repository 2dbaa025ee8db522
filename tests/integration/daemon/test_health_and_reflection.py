"""What tools that know nothing of Cambist ask of a gRPC server: is it well, what does it speak?"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cambist.v1 import system_pb2, system_pb2_grpc
from daemon.app import CONTRACT
from tests.support.daemon import RunningDaemon, running_daemon

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = {name: one for file in CONTRACT for name, one in file.services_by_name.items()}
STANDARD = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
# What the contract has ahead of this version.
NOT_BUILT: set[str] = set()
Status = health_pb2.HealthCheckResponse


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(tmp_path_factory.mktemp("health")) as daemon:
        yield daemon


@pytest_asyncio.fixture(loop_scope="module")
async def channel(daemon: RunningDaemon) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(daemon.target) as channel:
        yield channel


async def test_it_is_well_and_so_is_what_is_built(channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", *(f"cambist.v1.{name}" for name in SERVICES)):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        built = name.removeprefix("cambist.v1.") not in NOT_BUILT
        assert answer.status == (Status.SERVING if built else Status.NOT_SERVING), name


async def test_of_what_it_does_not_know_it_says_so(channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="cambist.v1.Nothing"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_all_services(channel: grpc.aio.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = await reflect(channel, [request])
    found = {service.name for service in answer.list_services_response.service}
    assert found == {f"cambist.v1.{name}" for name in SERVICES} | STANDARD


async def test_reflection_tells_every_method_with_all_that_it_needs(
    channel: grpc.aio.Channel,
) -> None:
    requests = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=service.full_name)
        for service in SERVICES.values()
    ]
    for service, answer in zip(SERVICES.values(), await reflect(channel, requests), strict=True):
        raw = answer.file_descriptor_response.file_descriptor_proto
        files = {file.name: file for file in map(FileDescriptorProto.FromString, raw)}
        told = files[service.file.name]
        expected = FileDescriptorProto()
        service.file.CopyToProto(expected)
        assert told == expected
        # A tool that calls a method needs the files that the first one imports as well.
        missing = [name for file in files.values() for name in file.dependency if name not in files]
        again = [reflection_pb2.ServerReflectionRequest(file_by_filename=name) for name in missing]
        for found in await reflect(channel, again):
            assert found.WhichOneof("message_response") == "file_descriptor_response"


async def test_reflection_tells_where_a_method_is(channel: grpc.aio.Channel) -> None:
    asked = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"{symbol}.PlaceOrder")
        for symbol in ("cambist.v1.TradingService", "cambist.v1.NoService")
    ]
    found, missing = await reflect(channel, asked)
    names = [FileDescriptorProto.FromString(raw).name
             for raw in found.file_descriptor_response.file_descriptor_proto]  # fmt: skip
    assert "cambist/v1/trading.proto" in names
    assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def reflect(
    channel: grpc.aio.Channel, requests: Sequence[reflection_pb2.ServerReflectionRequest]
) -> list[reflection_pb2.ServerReflectionResponse]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    async with asyncio.timeout(20):
        return [answer async for answer in stub.ServerReflectionInfo(iter(requests))]


async def test_whoever_watches_is_told_of_the_end(tmp_path: Path) -> None:
    async with running_daemon(tmp_path / "home") as daemon:
        async with grpc.aio.insecure_channel(daemon.target) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == Status.SERVING
            request = system_pb2.ShutdownRequest(request_id="end")
            await system_pb2_grpc.SystemServiceStub(channel).Shutdown(request)
            async with asyncio.timeout(20):
                assert (await watch.read()).status == Status.NOT_SERVING
        assert await daemon.ended() == 0
