"""SIGKILL in the middle of trading: all that the exchange had answered is still there."""

import asyncio
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

from cex.paper.account import PaperAccount
from cex.paper.exchange import PaperExchange
from cex.paper.venue import PaperVenue
from core.clock import SystemClock
from core.orders import OrderStatus, Side
from core.ports import VenueKind
from tests.support.paper import named

ROOT = Path(__file__).parents[3]
LIVES = 3

TRADER = """
import asyncio, sys
from pathlib import Path
from cex.paper.account import PaperAccount
from cex.paper.exchange import PaperExchange
from cex.paper.venue import PaperVenue
from core.clock import SystemClock
from core.orders import Side
from core.ports import VenueKind
from tests.support.paper import named, request

async def main(path, life):
    exchange = PaperExchange(Path(path), SystemClock(), step_interval=None)
    account = PaperAccount("a", PaperVenue(exchange, VenueKind.SPOT), exchange)
    for number in range(5_000):
        id = f"{life}-{number}"
        side = Side.SELL if number % 2 else Side.BUY
        price = None if number % 3 else ("9000" if number % 2 else "1000")
        report = await account.place(request(id, side, "0.01", price))
        print(id, report.status.name, flush=True)
        if price is not None and number % 9 == 0:
            print(id, (await account.cancel(named(id))).status.name, flush=True)
        if number % 10 == 0:
            exchange.step()

asyncio.run(main(*sys.argv[1:]))
"""


async def killed(path: Path, life: int, answers: int) -> dict[str, OrderStatus]:
    """Starts a trader, kills it after so many answers; the last answer for each order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        TRADER,
        str(path),
        str(life),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    told: dict[str, OrderStatus] = {}
    try:
        async with asyncio.timeout(60):
            for _ in range(answers):
                id, status = (await process.stdout.readline()).decode().split()
                told[id] = OrderStatus[status]
    finally:
        process.send_signal(signal.SIGKILL)
    for line in (await process.stdout.read()).decode().splitlines():
        if len(line.split()) == 2 and line.split()[1] in OrderStatus.__members__:
            id, status = line.split()
            told[id] = OrderStatus[status]
    assert await process.wait() == -signal.SIGKILL
    return told


async def test_what_was_answered_survives_kill_nine(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    seen: set[str] = set()
    tick = 0
    for life in range(LIVES):
        told = await killed(path, life, 60 + 37 * life)
        exchange = PaperExchange(path, SystemClock(), step_interval=None)
        account = PaperAccount("a", PaperVenue(exchange, VenueKind.SPOT), exchange)
        for id, status in told.items():
            report = await account.query(named(id))
            assert report is not None, f"{id} was answered, and is gone"
            assert report.status is status
            if status is OrderStatus.OPEN:
                number = int(report.venue_order_id)
                assert exchange.pits["ETH-USDC"].engine.order(number) is not None
        book = exchange.clearing.book("a")
        expected = {"ETH": Decimal(30), "USDC": Decimal(100_000)}
        fills = await account.fills("ETH-USDC", 0)
        for fill in fills:
            sign = 1 if fill.side is Side.BUY else -1
            expected["ETH"] += sign * fill.quantity
            expected["USDC"] -= sign * fill.quantity * fill.price
            expected[fill.fee_asset] -= fill.fee
        assert {asset: book.ledger.totals[asset] for asset in expected} == expected
        ids = {fill.trade_id for fill in fills}
        assert len(ids) == len(fills)
        assert seen < ids  # the earlier lives' fills, and new ones
        seen = ids
        assert exchange.simulation.tick > tick
        tick = exchange.simulation.tick
        exchange.close()
