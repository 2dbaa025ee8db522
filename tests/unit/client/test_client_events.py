"""The event stream: every event once, over broken connections and restarts of the bot."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import cambist
from cambist.v1 import events_pb2 as v1
from cambist.v1 import trading_pb2
from core.errors import Reason, Refused
from tests.support.fake_daemon import FakeDaemon


class Log:
    """A log whose tokens are `t<sequence>`; every connection breaks after `batches` messages."""

    def __init__(self, size: int, batch: int = 3, batches: int = 10**9) -> None:
        self.events = [
            v1.Event(sequence=n, order=trading_pb2.Order(client_order_id=f"o{n}"))
            for n in range(1, size + 1)
        ]
        self.batch = batch
        self.batches = batches
        self.end: Exception | None = None
        self.starts: list[int] = []

    async def __call__(
        self, request: v1.StreamEventsRequest
    ) -> AsyncIterator[v1.StreamEventsResponse]:
        at = int(request.resume_token[1:]) if request.resume_token else len(self.events)
        if request.from_start:
            assert not request.resume_token
            at = 0
        self.starts.append(at)
        for _ in range(self.batches):
            events = self.events[at : at + self.batch]
            at += len(events)
            yield v1.StreamEventsResponse(events=events, resume_token=f"t{at}")
            if not events:
                await asyncio.Event().wait()
        if self.end is not None:
            raise self.end


async def collect(stream: cambist.EventStream, count: int) -> list[int]:
    async with asyncio.timeout(20):
        return [(await anext(stream)).sequence for _ in range(count)]


async def test_from_the_start_over_connections_that_break(tmp_path: Path) -> None:
    log = Log(20, batch=3, batches=2)
    async with (
        FakeDaemon(tmp_path / "s", {"stream_events": log}) as daemon,
        cambist.connect(daemon.address) as c,
        c.events.stream(from_start=True) as stream,
    ):
        assert await collect(stream, 20) == list(range(1, 21))
        assert stream.resume_token == "t20"
    assert log.starts == [0, 6, 12, 18]


async def test_a_slow_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    log = Log(9, batch=3, batches=1)
    log.end = Refused(Reason.SLOW_READER, "too slow", {"resume_token": "t3"})
    async with (
        FakeDaemon(tmp_path / "s", {"stream_events": log}) as daemon,
        cambist.connect(daemon.address) as c,
        c.events.stream(from_start=True) as stream,
    ):
        assert await collect(stream, 9) == list(range(1, 10))


async def test_a_bot_that_died_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    log = Log(10, batch=4)
    async with (
        FakeDaemon(tmp_path / "s", {"stream_events": log}) as daemon,
        cambist.connect(daemon.address) as c,
    ):
        async with c.events.stream(from_start=True) as stream:
            assert await collect(stream, 6) == [1, 2, 3, 4, 5, 6]
            token, sequence = stream.resume_token, stream.sequence
        assert (token, sequence) == ("t4", 6)
        async with c.events.stream(resume_token=token, after_sequence=sequence) as stream:
            assert await collect(stream, 4) == [7, 8, 9, 10]


async def test_payloads(tmp_path: Path) -> None:
    async with (
        FakeDaemon(tmp_path / "s", {"stream_events": Log(1)}) as daemon,
        cambist.connect(daemon.address) as c,
        c.events.stream(from_start=True) as stream,
    ):
        event = await anext(stream)
    assert isinstance(event.payload, cambist.Order)
    assert event.payload.client_order_id == "o1"
    assert event.fill is None
    assert event.kind == "order"


async def test_a_daemon_that_lies_is_caught(tmp_path: Path) -> None:
    log = Log(6)
    del log.events[2]
    async with (
        FakeDaemon(tmp_path / "s", {"stream_events": log}) as daemon,
        cambist.connect(daemon.address) as c,
    ):
        async with c.events.stream(from_start=True) as stream:
            with pytest.raises(cambist.ProtocolError, match="event 4 came after event 2"):
                await collect(stream, 6)
        # With a filter, events are left out but never repeated.
        async with c.events.stream(from_start=True, account="a") as stream:
            assert await collect(stream, 5) == [1, 2, 4, 5, 6]
        log.events[3] = log.events[2]
        async with c.events.stream(from_start=True, account="a") as stream:
            with pytest.raises(cambist.ProtocolError):
                await collect(stream, 5)


async def test_a_wrong_token_is_an_error(tmp_path: Path) -> None:
    refusal = Refused(Reason.RESUME_TOKEN_INVALID, "not ours")
    async with (
        FakeDaemon(tmp_path / "s", {"stream_events": refusal}) as daemon,
        cambist.connect(daemon.address) as c,
    ):
        with pytest.raises(cambist.ResumeTokenInvalid):
            await anext(c.events.stream(resume_token="x"))
