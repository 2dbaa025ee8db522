"""What a change of a book costs at each exchange: decoded and applied, beside ccxt.pro's handler on
the same frames; and encoded for subscribers, which ccxt.pro has no need of. CPU time, by turns.
"""

from contextlib import AsyncExitStack
from statistics import median

from bench.case import Setting
from bench.child import Child, worker
from bench.results import Result
from bench.venue.dialects import DIALECTS

TITLE = "book messages of each exchange"
ORDER = 2

_TIMES = 3  # as quick as the peer, at least


async def run(setting: Setting) -> list[Result]:
    """A figure an exchange."""
    dialects = DIALECTS[:1] if setting.quick else DIALECTS
    count, rounds = ("300", 1) if setting.quick else ("4000", 5)
    results = []
    for dialect in dialects:
        async with AsyncExitStack() as stack:
            children = [
                await stack.enter_async_context(
                    worker("workers.messages", who, dialect.venue, count, folder=setting.work_dir)
                )
                for who in ("ours", "encoded", "ccxt")
            ]
            for child in children:
                await child.answer()
            windows = [[await _window(child) for child in children] for _ in range(rounds)]
        ours, whole, theirs = (median(times) for times in zip(*windows, strict=True))
        results.append(
            Result(
                f"a book message of {dialect.venue}",
                ours,
                "us",
                f"ccxt.pro's {dialect.ccxt}",
                theirs,
                more_is_better=False,
                expected=theirs / _TIMES,
                note=f"{whole:.1f} us with the bytes for all subscribers",
            )
        )
    return results


async def _window(child: Child) -> float:  # float: microseconds
    await child.say("go")
    found: float = (await child.answer())["us"]
    return found
