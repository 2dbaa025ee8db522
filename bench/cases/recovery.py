"""How long a daemon takes that has a long life behind it: a million events in its journal.

The peer is the same daemon with an empty journal.
"""

import asyncio
import time
from decimal import Decimal
from pathlib import Path

import cambist
from bench.case import Setting
from bench.local import address, running_daemon
from bench.ready import until_ready
from bench.results import Result
from cambist.v1 import events_pb2, trading_pb2
from core.clock import SystemClock
from core.orders import Order, OrderRequest, OrderStatus, OrderType, Side
from daemon.journal import SqliteStore
from daemon.journal.events import new_event, numbered
from daemon.journal.store import Row
from daemon.trading.state import OrderState

TITLE = "recovery"
ORDER = 6
_EXPECTED = 3.0  # float: seconds
_BATCH = 5000
_OPEN = 200  # orders that were open when the daemon stopped


async def run(setting: Setting) -> list[Result]:
    """Until the daemon says READY, with its accounts reconciled."""
    events = 20_000 if setting.quick else 1_000_000
    config = setting.work_dir / "c.toml"
    config.write_text("[sandbox]\nevm = false\nsolana = false\n")
    empty = await _started(setting.work_dir / "empty", config)
    folder = setting.work_dir / "full"
    await _started(folder, config)  # makes the journal, with its identity
    await asyncio.to_thread(_fill, folder / "sandbox" / "journal.sqlite", events)
    full = await _started(folder, config)
    return [
        Result(
            f"start until ready with {events:,} events in the journal", full, "s",
            "the same with an empty journal", empty, more_is_better=False, expected=_EXPECTED,
            note=f"{_OPEN} open orders among {events // 4:,}",
        )
    ]  # fmt: skip


async def _started(folder: Path, config: Path) -> float:
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    started = time.monotonic_ns()
    async with running_daemon("sandbox", "--config", str(config), folder=folder):
        async with cambist.connect(address("sandbox", folder), wait=60) as client:
            await until_ready(client)
            return (time.monotonic_ns() - started) / 1e9


def _fill(path: Path, events: int) -> None:
    store = SqliteStore(path, "normal")
    store.open()
    sequence, now = store.last_sequence(), SystemClock.now() - 10**15
    rows: list[Row] = []
    for number in range(events):
        sequence += 1
        id = f"order-{number // 4}"
        event = events_pb2.Event(order=trading_pb2.Order(client_order_id=id, reason="x" * 200))
        rows.append(numbered(new_event(event, now + number, "paper", id), sequence))
        if number % 4 == 3:
            status = OrderStatus.OPEN if number // 4 < _OPEN else OrderStatus.CANCELED
            rows.append(_order(id, status, now + number).row())
        if len(rows) >= _BATCH:
            store.write(rows)
            rows = []
    store.write(rows)
    store.close()


def _order(id: str, status: OrderStatus, time: int) -> OrderState:
    request = OrderRequest(
        id, "paper", "paper", "ETH-USDC", Side.BUY, OrderType.LIMIT, Decimal(1), Decimal(1000)
    )
    return OrderState(Order(request, status, f"v-{id}", create_time=time, update_time=time), id)
