"""The crash proof by hand: `make crash`, or `python -m tests.crash --help`."""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

from rich.console import Console

from tests.crash.plan import Plan, at_random, every_step, until
from tests.crash.report import show
from tests.crash.run import Opening, run
from tests.crash.scenes import SCENES
from tests.crash.trial import Record
from tests.crash.victims import Nursery, nursery


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash",
        description="Kills a real daemon with SIGKILL at every step of every kind of intent, then "
        "at random, and holds what the daemon says against what happened.",
    )
    parser.add_argument("--rounds", type=int, default=20, help="random deaths of each kind (20)")
    parser.add_argument("--no-steps", action="store_true", help="leave out every step in turn")
    parser.add_argument("--scenes", default=",".join(SCENES), help="of: " + ", ".join(SCENES))
    parser.add_argument("--kinds", default="", help="only kinds that begin with one of these")
    parser.add_argument("--copies", type=int, default=1, help="of each scene, side by side")
    parser.add_argument("--seed", type=int, default=None, help="of what is random")
    parser.add_argument(
        "--settle",
        type=float,
        default=2,
        help="seconds in which a message to the exchange may still have its effect (2); 0: the"
        " 16 s of the venue itself",
    )
    parser.add_argument("--out", type=Path, help="where each trial is written, as JSON lines")
    parser.add_argument("--minutes", type=float, default=0, help="ends then, if not before")
    parser.add_argument("--keep", type=Path, help="where the data directories are kept")
    return parser.parse_args(arguments)


async def scene(
    given: argparse.Namespace,
    children: Nursery,
    name: str,
    copy: int,
    directory: Path,
    records: list[Record],
) -> str:
    """One scene's plan to its end; what went wrong at the end of it."""
    setting = SCENES[name]
    begins = tuple(given.kinds.split(",")) if given.kinds else ("",)
    kinds = [kind for kind in setting.kinds if kind.startswith(begins)]
    if not kinds:
        return ""
    random = Random(f"{given.seed}/{name}/{copy}")
    plans: list[Plan] = []
    if copy == 0 and not given.no_steps:
        plans.append(every_step(kinds, setting.in_flight))
    rounds = given.rounds // given.copies + (copy < given.rounds % given.copies)
    plans.append(at_random(kinds, setting.in_flight, random, rounds))
    opening: Opening = lambda path: setting.open(children, path, given.settle)  # noqa: E731
    try:
        for plan in plans:
            if time.monotonic() > given.end:
                break
            where = directory / f"{name}-{copy}-{len(plans)}-{id(plan)}"
            async for record in run(opening, where, until(plan, given.end), random):
                records.append(record)
                if given.out:
                    with given.out.open("a") as file:
                        file.write(json.dumps(asdict(record)) + "\n")
                if record.problem:
                    print(f"broken: {name}, {record.kind}: {record.problem}", flush=True)
    except Exception as error:  # noqa: BLE001 - the other scenes go on
        traceback.print_exc()
        return f"{name}: {type(error).__name__}: {error}"
    return ""


async def main(given: argparse.Namespace, directory: Path) -> int:
    """Runs it all; the number of broken promises."""
    console, records, began = Console(width=160), list[Record](), time.monotonic()
    given.seed = Random().randrange(10**6) if given.seed is None else given.seed
    given.end = began + 60 * given.minutes if given.minutes else math.inf
    console.print(f"seed {given.seed}, data in {directory}")
    async with nursery() as children:
        work = asyncio.gather(
            *(
                scene(given, children, name, copy, directory, records)
                for name in given.scenes.split(",")
                for copy in range(given.copies)
            )
        )
        while not work.done():
            await asyncio.wait({work}, timeout=10)
            said = ", ".join(
                f"{name} {sum(one.kills for one in records if one.scene == name)}"
                for name in given.scenes.split(",")
            )
            console.print(
                f"{time.monotonic() - began:5.0f} s  kills: {said};"
                f" broken: {sum(bool(one.problem) for one in records)}"
            )
    wrong = [one for one in await work if one]
    show(records, console)
    for one in wrong:
        console.print(f"[red]{one}")
    return sum(bool(one.problem) for one in records) + len(wrong)


if __name__ == "__main__":
    chosen = options(sys.argv[1:])
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        sys.exit(1 if asyncio.run(main(chosen, chosen.keep)) else 0)
    with tempfile.TemporaryDirectory(prefix="cambist-crash-") as temporary:
        sys.exit(1 if asyncio.run(main(chosen, Path(temporary))) else 0)
