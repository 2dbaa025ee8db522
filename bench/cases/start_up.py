"""From the command to a daemon that says it is ready, beside the time to import ccxt.pro."""

import statistics
import sys
import time

import cambist
from bench.case import Setting
from bench.child import start
from bench.local import address, live_config, running_daemon, running_venue
from bench.ready import until_ready
from bench.results import Result

TITLE = "start-up"
ORDER = 3

_EXPECTED = 1.5  # float: seconds
_IMPORT = "import ccxt.pro; print('imported', flush=True)"


async def run(setting: Setting) -> list[Result]:
    """Fresh processes each time, by turns; the live profile with the local venue for Binance."""
    times: dict[str, list[float]] = {"live": [], "sandbox": [], "ccxt": []}
    async with running_venue(setting.work_dir) as venue:
        for repeat in range(1 if setting.quick else 5):
            folder = setting.work_dir / str(repeat)
            folder.mkdir()
            config = ("--config", str(live_config(venue, folder)))
            times["live"].append(await _daemon(setting, "live", config, repeat))
            times["sandbox"].append(await _daemon(setting, "sandbox", (), repeat))
            times["ccxt"].append(await _imported(setting))
    peer = statistics.median(times["ccxt"])
    return [
        Result(
            f"start-up until ready, {profile}",
            statistics.median(times[profile]),
            "s",
            "import ccxt.pro",
            peer,
            more_is_better=False,
            expected=_EXPECTED,
            note=f"{min(times[profile]):.2f} to {max(times[profile]):.2f} s",
        )
        for profile in ("live", "sandbox")
    ]


async def _daemon(setting: Setting, profile: str, arguments: tuple[str, ...], repeat: int) -> float:
    folder = setting.work_dir / str(repeat)
    async with running_daemon(profile, *arguments, folder=folder) as daemon:
        socket = folder / profile / "cambist.sock"
        while daemon.alive() and not socket.exists():
            time.sleep(0.001)  # noqa: ASYNC251 - nothing else runs here, and it must be exact
        async with cambist.connect(address(profile, folder), wait=20) as client:
            await until_ready(client)
            return (time.monotonic_ns() - daemon.started) / 1e9


async def _imported(setting: Setting) -> float:
    child = await start("ccxt", [sys.executable, "-c", _IMPORT], setting.work_dir)
    try:
        await child.line()
        return (time.monotonic_ns() - child.started) / 1e9
    finally:
        await child.stop()
