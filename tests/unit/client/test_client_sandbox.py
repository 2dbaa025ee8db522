"""Faults of the sandbox, asked for and shown."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

import cambist
from cambist import Fault, FaultKind
from cambist.v1 import sandbox_pb2
from core.errors import Reason, Refused
from tests.support.fake_daemon import FakeDaemon


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with FakeDaemon(tmp_path / "cambist.sock") as running:
        yield running


async def test_a_fault_is_asked_for_exactly(daemon: FakeDaemon) -> None:
    daemon.answers["add_fault"] = sandbox_pb2.AddFaultResponse()
    async with cambist.connect(daemon.address) as c:
        await c.sandbox.add_fault(
            FaultKind.DELAY,
            venue="paper",
            account="paper",
            operation="cancel",
            instrument="ETH-USDC",
            times=2,
            delay=timedelta(microseconds=1_500_001),
            request_id="f1",
        )
        await c.sandbox.add_fault(FaultKind.DISCONNECT)
    first, second = daemon.of("add_fault")
    assert first.request_id == "f1"
    assert first.fault.kind == sandbox_pb2.FAULT_KIND_DELAY
    assert (first.fault.venue, first.fault.account) == ("paper", "paper")
    assert (first.fault.operation, first.fault.instrument) == ("cancel", "ETH-USDC")
    assert first.fault.times == 2
    assert first.fault.delay.ToNanoseconds() == 1_500_001_000
    assert second.request_id not in ("", "f1")
    assert second.fault == sandbox_pb2.Fault(kind=sandbox_pb2.FAULT_KIND_DISCONNECT)


async def test_faults_that_are_on(daemon: FakeDaemon) -> None:
    async def pages(request: sandbox_pb2.ListFaultsRequest) -> sandbox_pb2.ListFaultsResponse:
        fault = sandbox_pb2.Fault(kind=sandbox_pb2.FAULT_KIND_RATE_LIMIT, operation="place")
        fault.delay.FromNanoseconds(250_000_000)
        if not request.page_token:
            return sandbox_pb2.ListFaultsResponse(faults=[fault], next_page_token="2")
        return sandbox_pb2.ListFaultsResponse(
            faults=[sandbox_pb2.Fault(kind=sandbox_pb2.FAULT_KIND_DROP_FILL, times=7)]
        )

    daemon.answers["list_faults"] = pages
    async with cambist.connect(daemon.address) as c:
        found = await c.sandbox.list_faults(page_size=1)
    quarter = timedelta(milliseconds=250)
    assert found == [
        Fault(FaultKind.RATE_LIMIT, "", "", "place", "", 0, quarter),
        Fault(FaultKind.DROP_FILL, "", "", "", "", 7, None),
    ]


async def test_healing(daemon: FakeDaemon) -> None:
    daemon.answers["clear_faults"] = sandbox_pb2.ClearFaultsResponse()
    async with cambist.connect(daemon.address) as c:
        await c.sandbox.clear_faults(request_id="h1")
    assert [request.request_id for request in daemon.of("clear_faults")] == ["h1"]


async def test_outside_the_sandbox_there_are_none(daemon: FakeDaemon) -> None:
    daemon.answers["list_faults"] = Refused(Reason.UNSUPPORTED_BY_VENUE, "in the sandbox only")
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(cambist.UnsupportedByVenue, match="sandbox"):
            await c.sandbox.list_faults()
