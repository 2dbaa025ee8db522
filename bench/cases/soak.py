"""Books of all exchanges at once, for minutes: memory, queues, and how long a frame takes to its
subscriber. Not among the cases that run by default: `python -m bench soak --minutes 10`."""

import asyncio
import json

from bench.case import Setting
from bench.child import worker
from bench.results import Result

TITLE = "soak: books of all exchanges"
ORDER = 9
DEFAULT = False
# Starting up, and a last look: no case needs longer than its minutes and this.
EXTRA_SECONDS = 120

RATE = 200  # frames a second for each venue
_LOOKS = 20
_SETTLED = 0.25  # float: the share of the time after which memory is compared
_FLAT = 1.05  # float: times the memory of then


async def run(setting: Setting) -> list[Result]:
    """Feeds and looks at regular times."""
    seconds = setting.minutes * 60
    async with (
        worker("workers.soak_venues", str(RATE), folder=setting.work_dir) as venues,
        worker(
            "workers.soak_engine", json.dumps(await venues.answer(60)), folder=setting.work_dir
        ) as engine,
    ):
        live = (await engine.answer(90))["live"]
        looks = []
        for _ in range(_LOOKS):
            await asyncio.sleep(seconds / _LOOKS)
            await venues.say("sent")
            sent = await venues.answer()
            await engine.say("look")
            look = await engine.answer()
            looks.append({**look, "sent": sent})
    settled = looks[int(_LOOKS * _SETTLED)]
    first, last = looks[0], looks[-1]
    handled = [sum(look["handled"].values()) for look in (first, last)]
    # What was under way between the two looks of a round, and what is lost when a book begins.
    behind = [max(sum(look["sent"].values()) - sum(look["handled"].values()), 0) for look in looks]
    memory = max(look["rss"] for look in looks[int(_LOOKS * _SETTLED) :]) / settled["rss"]
    span = seconds * (_LOOKS - 1) / _LOOKS
    broken = {name: count for look in (last,) for name, count in look["broken"].items()}
    if last["live"] != live:
        raise RuntimeError(f"only {last['live']} of {live} books are live in the end")
    note = f"{live} venues, {RATE} frames a second each, {seconds:.0f} s"
    return [
        Result(
            "frames handled",
            (handled[1] - handled[0]) / span,
            "1/s",
            "sent",
            (sum(last["sent"].values()) - sum(first["sent"].values())) / span,
            more_is_better=True,
            note=f"{note}; books that had to begin anew: {broken or 'none'}",
        ),
        Result(
            "memory after the first quarter, at most",
            memory,
            "times",
            "the first quarter's end",
            1.0,
            more_is_better=False,
            expected=_FLAT,
            note=f"{settled['rss'] / 1e6:.0f} MB, {last['tasks']} tasks",
        ),
        Result(
            "frames on their way, at most",
            max(behind[1:]),
            "",
            "at first",
            behind[0],
            more_is_better=False,
            expected=float(RATE * live),
            note=f"in the end {behind[-1]}; in queues of the engine {last['waiting']}",
        ),
        *(
            Result(
                f"frame to subscriber, {name}",
                max(look["late"][place] for look in looks) / 1000,
                "ms",
                "the median look",
                sorted(look["late"][place] for look in looks)[_LOOKS // 2] / 1000,
                more_is_better=False,
                note="the worst look",
            )
            for place, name in enumerate(("p50", "p99"))
        ),
    ]
