"""Memory of an idle daemon, beside a process that imported ccxt.pro and made an exchange."""

import asyncio
import statistics
import sys

import psutil

import cambist
from bench.case import Setting
from bench.child import start
from bench.local import address, live_config, running_daemon, running_venue
from bench.ready import until_ready
from bench.results import Result

TITLE = "idle memory"
ORDER = 4

_EXPECTED = 120.0  # float: MB
_SETTLE = 1.0  # float: seconds after it is ready, asyncio's unit
_MADE = "import ccxt.pro; exchange = ccxt.pro.binance(); print('made', flush=True); input()"


async def run(setting: Setting) -> list[Result]:
    """Resident memory in MB (1e6 bytes): the live profile has loaded its 2,000 instruments."""
    ours, shared, peer = [], [], []
    for repeat in range(1 if setting.quick else 3):
        folder = setting.work_dir / str(repeat)
        folder.mkdir()
        async with running_venue(folder) as venue:
            config = str(live_config(venue, folder))
            async with running_daemon("live", "--config", config, folder=folder) as daemon:
                async with cambist.connect(address("live", folder), wait=20) as client:
                    await until_ready(client)
                await asyncio.sleep(0 if setting.quick else _SETTLE)
                used = psutil.Process(daemon.pid).memory_full_info()
                ours.append(used.rss / 1e6)
                shared.append(getattr(used, "pss", used.rss) / 1e6)
        child = await start("ccxt", [sys.executable, "-c", _MADE], folder)
        try:
            await child.line()
            peer.append(psutil.Process(child.pid).memory_info().rss / 1e6)
        finally:
            await child.stop()
    return [
        Result(
            "idle memory, live profile",
            statistics.median(ours),
            "MB",
            "ccxt.pro with binance() made",
            statistics.median(peer),
            more_is_better=False,
            expected=_EXPECTED,
            note=f"RSS; PSS {statistics.median(shared):.0f} MB; ccxt's has no instruments loaded",
        )
    ]
