"""Orderly ends and refused beginnings: SIGTERM under load, a data directory or a port in use."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import cambist
from cambist import Client, Event, FaultKind, Order, OrderStatus, Side
from cambist.streams import Stream
from tests.support.daemon import RunningDaemon, running_daemon, sandbox_arguments
from tests.support.told import Told, orders, told

VENUE = ACCOUNT = "paper"
INSTRUMENT = "ETH-USDC"
LONGEST_STOP = 10.0
ENDS = {"SHUTTING_DOWN", "CONNECTION_LOST", "NO_DAEMON", "DEADLINE_EXCEEDED"}


def impatient(daemon: RunningDaemon) -> "cambist.client.Connecting":
    """A client that tells at once what the daemon answers, instead of waiting for the next one."""
    return cambist.connect(daemon.connect, timeout=0.5, patience=0.1)


async def place(client: Client, request_id: str, instrument: str = INSTRUMENT) -> Order:
    return await client.trading.place_order(
        VENUE,
        instrument,
        Side.BUY,
        "1",
        account=ACCOUNT,
        price="20",
        request_id=request_id,
    )


async def test_sigterm_under_load(tmp_path: Path) -> None:
    async with running_daemon(tmp_path / "home") as daemon:
        async with (
            impatient(daemon) as client,
            cambist.connect(daemon.connect, timeout=60) as patient,
        ):
            market = client.market
            streams: list[Stream[Any]] = [
                client.events.stream(),
                client.system.status(),
                market.order_book(VENUE, INSTRUMENT),
                market.trades(VENUE, INSTRUMENT),
                market.candles(VENUE, INSTRUMENT, timedelta(minutes=1)),
            ]
            readers = [Told[Any]() for _ in streams]
            reading = [
                asyncio.create_task(reader.read(stream))
                for reader, stream in zip(readers, streams, strict=True)
            ]
            answered: dict[str, Order] = {}
            placing = asyncio.create_task(place_until_it_ends(client, answered))
            # A place that hangs at the venue for longer than the daemon waits for it.
            await client.sandbox.add_fault(
                FaultKind.DELAY, instrument="AVAX-USDC", times=1, delay=timedelta(seconds=30)
            )
            hanging = asyncio.create_task(place(patient, "hanging", "AVAX-USDC"))
            async with told(patient.events.stream(from_start=True)) as log:
                await log.until(lambda events: orders(events, "hanging"))
                await log.until(lambda events: orders(events, "r10"))
            began = time.monotonic()
            os.kill(daemon.pid, signal.SIGTERM)
            ended = await placing
            assert await daemon.ended() == 0
            assert time.monotonic() - began < LONGEST_STOP
            async with asyncio.timeout(20):
                await asyncio.gather(*reading)
            assert ended.reason in ENDS
            for reader in readers:
                assert isinstance(reader.error, cambist.Error)
                assert reader.error.reason in ENDS, reader.error
            assert not [file for file in daemon.data_dir.iterdir() if file.suffix == ".sock"]

            await daemon.start()
            # The client whose call hung finds its way back, and learns that it had no effect.
            with pytest.raises(cambist.OrderRejected, match="never reached the venue"):
                await hanging
            async with told(patient.events.stream(from_start=True)) as log:
                await settled(patient, log)
                for request_id, order in answered.items():
                    now = await patient.trading.get_order(account=ACCOUNT, request_id=request_id)
                    assert (now.client_order_id, now.status) == (
                        order.client_order_id,
                        order.status,
                    )
                    assert await place(patient, request_id) == order
            found = await patient.trading.list_orders(account=ACCOUNT, page_size=1000)
            ids = [one.request_id for one in found if one.status is not OrderStatus.REJECTED]
            assert len(ids) == len(set(ids))
            assert set(answered) <= set(ids)


async def place_until_it_ends(client: Client, answered: dict[str, Order]) -> cambist.Error:
    """Places orders one after the other; the error that ended it."""
    while True:
        request_id = f"r{len(answered)}"
        try:
            answered[request_id] = await place(client, request_id)
        except cambist.Error as error:
            return error


async def settled(client: Client, log: Told[Event]) -> None:
    """Waits until no order is in doubt."""

    def none_in_doubt(events: object) -> bool:
        last = {one.order.client_order_id: one.order for one in log.values if one.order}
        doubts = {OrderStatus.PENDING, OrderStatus.UNCONFIRMED}
        return not [one for one in last.values() if one.status in doubts]

    newest = (await client.system.get_status()).event_sequence
    await log.until(lambda events: bool(events) and events[-1].sequence >= newest)
    await log.until(none_in_doubt)


async def refused(directory: Path, *arguments: str) -> str:
    """What a daemon says that cannot begin; its exit code is 1."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daemon.cli.cambistd",
        "run",
        "--data-dir",
        str(directory),
        *arguments,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"CAMBIST_HOME": str(directory.parent)},
    )
    try:
        async with asyncio.timeout(30):
            _, error = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 1
    assert b"Traceback" not in error
    return error.decode()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(tmp_path / "home") as daemon:
        yield daemon


async def test_one_daemon_a_data_directory(daemon: RunningDaemon, tmp_path: Path) -> None:
    said = await refused(daemon.data_dir, *sandbox_arguments(tmp_path / "home"))
    assert f"another cambistd (process {daemon.pid}) uses {daemon.data_dir}" in said
    assert "--data-dir" in said
    async with cambist.connect(daemon.connect) as client:  # and the first goes on
        assert (await place(client, "after")).status is OrderStatus.OPEN


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = [*sandbox_arguments(tmp_path)[:-1], address]
        said = await refused(tmp_path / "d", *arguments)
    assert f"{address} is taken" in said
    assert "--tcp off" in said


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x", "example.com:1", ":1"]
)
async def test_addresses_that_nobody_may_listen_at(tmp_path: Path, address: str) -> None:
    said = await refused(tmp_path / "d", *sandbox_arguments(tmp_path)[:-1], address)
    expected = "a loopback address" if address == "0.0.0.0:0" else "an address and a port"
    assert f"must be {expected}" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_signals_end_it_in_order(daemon: RunningDaemon, number: signal.Signals) -> None:
    for _ in range(3):  # impatience does no harm
        os.kill(daemon.pid, number)
    assert await daemon.ended() == 0
    assert "stopped" in await asyncio.to_thread(daemon.log.read_text)
