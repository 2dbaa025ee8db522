"""An order's round trip through the daemon to a local venue, beside ccxt and a bare client.

The journal is on disk with the default settings. The three take turns, so that a machine that is
busy with something else is so for all of them.
"""

import statistics
from contextlib import AsyncExitStack

from bench.case import Setting
from bench.child import Child, worker
from bench.local import address, live_config, running_daemon, running_venue
from bench.results import Result

TITLE = "order round trip"
ORDER = 2

# The venue takes 100 orders in ten seconds from an account, and the daemon keeps to that.
_ACCOUNTS = 10

Times = dict[str, list[float]]


async def run(setting: Setting) -> list[Result]:
    """Places and cancels, one at a time."""
    rounds, orders = (1, 10) if setting.quick else (5, 150)
    folder = setting.work_dir
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        venue = await enter(running_venue(folder))
        config = str(live_config(venue, folder, _ACCOUNTS))
        await enter(running_daemon("live", "--config", config, folder=folder))
        arguments = (address("live", folder), str(_ACCOUNTS))
        children = [
            await enter(worker("workers.orders", *arguments, folder=folder)),
            await enter(worker("workers.ccxt_orders", venue.rest, venue.stream, folder=folder)),
            await enter(worker("workers.direct_orders", venue.rest, folder=folder)),
        ]
        for child in children:
            await child.answer()
        all_times: list[Times] = [{"place": [], "cancel": []} for _ in children]
        for child in children:
            await _round(child, 5, {"place": [], "cancel": []})  # connections, caches
        for _ in range(rounds):
            for child, times in zip(children, all_times, strict=True):
                await _round(child, orders, times)
    return _results(*all_times)


async def _round(child: Child, orders: int, times: Times) -> None:
    await child.say(str(orders))
    answer = await child.answer()
    for what, known in times.items():
        known.extend(answer[what])


def _results(ours: Times, ccxt: Times, direct: Times) -> list[Result]:
    place, cancel = _milliseconds(ours["place"]), _milliseconds(ours["cancel"])
    bare = _milliseconds(direct["place"])
    overhead = place - bare
    return [
        Result(
            "order placed through the daemon, median",
            place,
            "ms",
            "ccxt, straight to the venue",
            _milliseconds(ccxt["place"]),
            more_is_better=False,
            note=f"p99 {_high(ours['place']):.2f} ms, ccxt's {_high(ccxt['place']):.2f} ms",
        ),
        Result(
            "order canceled through the daemon, median",
            cancel,
            "ms",
            "ccxt, straight to the venue",
            _milliseconds(ccxt["cancel"]),
            more_is_better=False,
        ),
        Result(
            "overhead on a bare HTTP client, median",
            overhead,
            "ms",
            "ccxt's overhead",
            _milliseconds(ccxt["place"]) - bare,
            more_is_better=False,
            expected=1.0,
            note=f"the bare client takes {bare:.2f} ms",
        ),
    ]


def _milliseconds(times: list[float]) -> float:
    return statistics.median(times) / 1000


def _high(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98] / 1000
