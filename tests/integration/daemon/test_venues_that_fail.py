"""A venue that is down, or speaks otherwise than it did, degrades alone, and says why."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cambist
from tests.support.binance_server import BinanceServer
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.local_exchange import LocalExchange

CONFIG = """
[networks.ethereum]
enabled = false
[networks.avalanche]
enabled = false
[networks.harmony]
enabled = false
[networks.solana]
enabled = false
[venues.binance]
enabled = true
[venues.binance.hosts]
rest = "{http}"
stream = "{ws}"
ws_api = "{ws}"
[venues.bybit]
enabled = true
[venues.bybit.hosts]
rest = "{http}"
stream = "{ws}"
[venues.okx]
enabled = true
[venues.okx.hosts]
rest = "http://127.0.0.1:1"
stream = "ws://127.0.0.1:1"
"""


@dataclass
class Scene:
    exchange: LocalExchange
    server: BinanceServer
    daemon: RunningDaemon

    async def venues(self) -> dict[str, dict[str, Any]]:
        """What `cambist venues --json` prints, by id."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "daemon.cli.cambist",
            "venues",
            "--json",
            "--connect",
            self.daemon.connect,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        found = json.loads(printed)
        return {venue["id"]: venue for venue in found}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with LocalExchange() as exchange:
        server = BinanceServer(exchange)
        # Bybit has changed: what was a list is none.
        now = b'{"retCode": 0, "result": {"timeNano": "1700000000000000000"}}'
        exchange.on("GET /v5/market/time", now)
        exchange.on("GET /v5/market/instruments-info", b'{"retCode": 0, "result": {"rows": 7}}')
        config = tmp_path / "cambist.toml"
        config.write_text(CONFIG.format(http=exchange.http, ws=exchange.ws))
        arguments = ["--profile", "live", "--config", str(config), "--tcp", "off"]
        async with running_daemon(tmp_path, *arguments) as daemon:
            yield Scene(exchange, server, daemon)


async def eventually(asked: Callable[[], Awaitable[object]]) -> None:
    """Asks until the answer is something; AssertionError after a bound."""
    for _ in range(600):
        if await asked():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came")


async def test_each_venue_shows_its_own_state_and_why(scene: Scene) -> None:
    async with cambist.connect(scene.daemon.connect) as client:
        await eventually(lambda: client.venues.list_instruments("binance"))
        shown = await scene.venues()
        assert set(shown) == {"binance", "bybit", "okx"}
        for venue in shown.values():
            assert {"id", "kind", "standing", "capabilities"} <= set(venue)
            assert venue["kind"] == "spot"
            assert venue["standing"] in ("green", "yellow", "red")
            assert venue["standing_since"]
            assert venue["standing_evidence"]
            assert "order_book" in venue["capabilities"]
        assert shown["binance"]["condition"]["health"] == "ready"
        assert isinstance(shown["binance"]["clock_offset"], int | float)
        assert shown["bybit"]["condition"]["health"] == "down"
        assert "cannot be understood" in shown["bybit"]["condition"]["reason"]
        assert shown["okx"]["condition"]["health"] == "down"
        assert "cannot be reached" in shown["okx"]["condition"]["reason"]
        limits = {limit.name: limit for limit in await client.venues.list_rate_limits("binance")}
        assert limits["weight"].scope == "ip"
        assert limits["weight"].used > 0
        # What one of them does, the others do not notice.
        async with client.market.order_book("binance", "BTC-USDT") as books:
            async for book in books:
                if book.bids:
                    break
            connections = list(scene.server.market_sockets)
            assert len(connections) == 1
            frame = {"stream": "btcusdt@depth@100ms", "data": {"u": "not a number"}}
            scene.server.tell(json.dumps(frame).encode())

            async def noticed() -> bool:
                return (await client.venues.get_venue("binance")).condition.health.name != "READY"

            await eventually(noticed)
            condition = (await client.venues.get_venue("binance")).condition
            assert condition.health.name == "DEGRADED"
            assert "cannot be understood" in condition.reason
            scene.server.change({"98.00": "1"}, {})
            async for book in books:
                if book.bids and any(str(price) == "98" for price, _ in book.bids):
                    break
            assert scene.server.market_sockets == connections  # an error, not a reconnect
