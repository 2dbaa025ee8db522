"""The event log over a real connection: readers that lag, tokens, filters."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

import cambist
from cambist import Client, Side
from cambist.errors import decode
from cambist.v1 import events_pb2, events_pb2_grpc
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.told import told

pytestmark = pytest.mark.asyncio(loop_scope="module")

VENUE = ACCOUNT = "paper"
# Little is read ahead, so that a reader that does not read is felt by the daemon soon.
UNBUFFERED = (("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0))


@dataclass(frozen=True)
class Place:
    daemon: RunningDaemon
    client: Client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    directory = tmp_path_factory.mktemp("events")
    config = directory / "cambist.toml"
    config.write_text('[sandbox]\nevm = false\nsolana = false\n[journal]\nsynchronous = "normal"\n')
    arguments = ("--profile", "sandbox", "--config", str(config), "--tcp", "off")
    async with running_daemon(directory, *arguments) as daemon:
        async with cambist.connect(daemon.connect) as client:
            yield Place(daemon, client)


async def happen(client: Client, until: int) -> None:
    """Orders come and go until the log has so many events."""

    async def one() -> None:
        while (await client.system.get_status()).event_sequence < until:
            for _ in range(20):
                order = await client.trading.place_order(
                    VENUE, "ETH-USDC", Side.BUY, "0.01", account=ACCOUNT, price="1500"
                )
                await client.trading.cancel_order(order.client_order_id, account=ACCOUNT)

    await asyncio.gather(*(one() for _ in range(12)))


async def test_a_reader_that_lags_is_told_and_misses_nothing(place: Place) -> None:
    limit = place.client.info.limits.max_events_behind
    async with grpc.aio.insecure_channel(place.daemon.target, options=UNBUFFERED) as channel:
        stub = events_pb2_grpc.EventServiceStub(channel)
        call = stub.StreamEvents(events_pb2.StreamEventsRequest(from_start=True))
        sequences: list[int] = []
        token = ""

        async def read() -> None:
            nonlocal token
            response: Any = await call.read()
            sequences.extend(event.sequence for event in response.events)
            token = response.resume_token or token

        async def read_on() -> None:
            async with asyncio.timeout(20):
                while True:
                    await read()

        # It catches up, and then reads no more.
        newest = (await place.client.system.get_status()).event_sequence
        while not sequences or sequences[-1] < newest:
            await read()
        await happen(place.client, newest + limit + 3000)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_on()
        error = decode(caught.value)
        assert isinstance(error, cambist.SlowReader)
        assert error.metadata["resume_token"] == token
    newest = (await place.client.system.get_status()).event_sequence
    async with told(place.client.events.stream(resume_token=token)) as log:
        await log.until(lambda events: bool(events) and events[-1].sequence >= newest)
        sequences += [event.sequence for event in log.values]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_from_now_on_means_from_now_on(place: Place) -> None:
    async with told(place.client.events.stream()) as log:
        await happen(place.client, (await place.client.system.get_status()).event_sequence + 1)
        await log.until(lambda events: len(events) > 10)
    first = log.values[0].sequence
    assert first > 1
    assert [one.sequence for one in log.values] == list(range(first, first + len(log.values)))


async def test_a_filter_leaves_out_events_but_no_numbers(place: Place) -> None:
    await place.client.trading.place_order(
        "paper_perpetual", "ETH-USDT-PERP", Side.BUY, "0.1", account="paper_perpetual"
    )
    mine = await place.client.events.list_events(account="paper_perpetual", page_size=1000)
    everything = await place.client.events.list_events(page_size=1000)
    assert [one for one in everything if one in mine] == mine
    assert 0 < len(mine) < len(everything)
    async with told(place.client.events.stream(from_start=True, account="paper_perpetual")) as log:
        await log.until(lambda events: len(events) >= len(mine))
        assert log.values[: len(mine)] == mine
    half = mine[len(mine) // 2]
    rest = await place.client.events.list_events(
        after_sequence=half.sequence, account="paper_perpetual", page_size=3
    )
    assert rest == [one for one in mine if one.sequence > half.sequence]


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "💥", "A" * 200, "////"])
async def test_a_token_of_another_log_is_refused(place: Place, token: str) -> None:
    with pytest.raises(cambist.ResumeTokenInvalid):
        await anext(place.client.events.stream(resume_token=token))


async def test_what_lies_ahead_of_the_log_is_a_mistake(place: Place) -> None:
    with pytest.raises(cambist.FieldInvalid, match="beyond the last event"):
        await place.client.events.list_events(after_sequence=1 << 40)
