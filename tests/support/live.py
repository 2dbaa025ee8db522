"""A live daemon whose Binance is on this machine, and the secrets that tests plant in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cambist
from tests.support.binance_server import BinanceServer
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.local_exchange import LocalExchange

KEY, SECRET = "planted-api-key-0123456789", "planted-secret-9876543210abcdef"
PASSPHRASE = "planted passphrase of the store"
CREDENTIALS = {"api_key": KEY, "secret": SECRET}
ORDER: dict[str, Any] = {
    "venue": "binance", "account": "main", "instrument": "BTC-USDT", "side": cambist.Side.BUY,
    "quantity": "0.1", "price": "90",
}  # fmt: skip


@asynccontextmanager
async def live(
    directory: Path, *server_lines: str, module: str = "daemon.cli.cambistd"
) -> AsyncIterator[tuple[RunningDaemon, BinanceServer]]:
    """A live daemon whose Binance is on this machine; it logs all that it can."""
    async with LocalExchange() as exchange:
        server = BinanceServer(exchange)
        config = directory / "cambist.toml"
        hosts = "\n".join(f'{name} = "{url}"' for name, url in server.hosts.items())
        networks = "\n".join(
            f"[networks.{name}]\nenabled = false" for name in ("ethereum", "avalanche")
        )
        lines = "\n".join(["[server]", *server_lines])
        config.write_text(
            f"[venues.binance.hosts]\n{hosts}\n{networks}\n[log]\nlevel = 'debug'\n{lines}\n"
        )
        options = ["--profile", "live", "--config", str(config), "--tcp", "off"]
        async with running_daemon(directory, *options, module=module) as daemon:
            yield daemon, server


async def ready(bot: cambist.Client, account: str = "main") -> None:
    """Waits until an account is reconciled."""
    async with asyncio.timeout(20):
        while (await bot.accounts.get_account(account)).condition.health is not (  # noqa: ASYNC110
            cambist.Health.READY
        ):
            await asyncio.sleep(0.05)
