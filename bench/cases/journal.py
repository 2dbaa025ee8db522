"""An append to the journal until it is durable, beside the least that a disk asks for.

The peer writes as many bytes to a plain file and calls fsync: no log on this disk can be faster.
"""

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Literal

from bench.case import Setting
from bench.results import Result
from cambist.v1 import events_pb2, trading_pb2
from core.clock import SystemClock
from daemon.journal import Journal, SqliteStore
from daemon.journal.events import new_event
from daemon.journal.store import OrderRow

TITLE = "journal"
ORDER = 3
_BYTES = 700  # of an order's row and event together
_PEER = "write and fsync of a plain file"


async def run(setting: Setting) -> list[Result]:
    """One append at a time, with each of SQLite's promises; then as many as it takes."""
    count = 50 if setting.quick else 2000
    floor = await asyncio.to_thread(_floor, setting.work_dir / "floor", count)
    full = await _one_by_one(setting.work_dir / "full.sqlite", "full", count)
    normal = await _one_by_one(setting.work_dir / "normal.sqlite", "normal", count)
    rate = await _together(setting.work_dir / "many.sqlite", 10 * count)
    return [
        Result(
            "durable append (synchronous = full), median",
            full,
            "ms",
            _PEER,
            floor,
            more_is_better=False,
            expected=0.3,
        ),
        Result(
            "append that survives a crash of the process (normal), median",
            normal,
            "ms",
            _PEER,
            floor,
            more_is_better=False,
            expected=0.1,
        ),
        Result(
            "durable appends of many at once",
            rate,
            "1/s",
            _PEER,
            1000 / floor,
            more_is_better=True,
            note="group commit",
        ),
    ]


def _floor(path: Path, count: int) -> float:
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            started = time.perf_counter()
            file.write(bytes(_BYTES))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


async def _opened(path: Path, synchronous: Literal["full", "normal"]) -> Journal:
    journal = Journal(SqliteStore(path, synchronous), SystemClock())
    await journal.open()
    return journal


async def _one_by_one(path: Path, synchronous: Literal["full", "normal"], count: int) -> float:
    journal = await _opened(path, synchronous)
    times = []
    for number in range(count):
        started = time.perf_counter()
        await _append(journal, number)
        times.append(time.perf_counter() - started)
    await journal.close()
    return statistics.median(times) * 1000


async def _together(path: Path, count: int) -> float:
    journal = await _opened(path, "full")
    started = time.perf_counter()
    for first in range(0, count, 5000):
        numbers = range(first, min(first + 5000, count))
        await asyncio.gather(*(_append(journal, number) for number in numbers))
    rate = count / (time.perf_counter() - started)
    await journal.close()
    return rate


def _append(journal: Journal, number: int) -> asyncio.Future[int]:
    id = f"order-{number}"
    row = OrderRow("main", "venue", id, "", id, "BTC-USDT", 1, number, number, bytes(_BYTES // 2))
    event = events_pb2.Event(order=trading_pb2.Order(client_order_id=id, reason="x" * 250))
    return journal.append(row, new_event(event, number, "main", id))
