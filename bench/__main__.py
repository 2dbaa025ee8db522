"""The command line: runs the cases, prints the table, writes bench/out.

The exit code is 1 when a case failed; a figure below its expectation is no failure.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench import machine, report
from bench.case import Case, Setting, found
from bench.results import Failure, Outcome

# No case needs as long; one that hangs must not hang the others.
_LIMIT_SECONDS = 150


async def measure(case: Case, quick: bool, minutes: float) -> list[Outcome]:  # float: a person's
    """One case in a folder of its own; what it raises becomes its result."""
    with tempfile.TemporaryDirectory(prefix="cambist-bench-") as folder:
        limit = minutes * 60 + case.extra if case.extra else _LIMIT_SECONDS
        try:
            async with asyncio.timeout(limit):
                return list(await case.run(Setting(quick, Path(folder), minutes)))
        except TimeoutError:
            return [Failure(case.title, f"not done, or silent, within {limit:.0f} s")]
        except Exception as error:  # noqa: BLE001 - shown as failed; the others still run
            return [Failure(case.title, f"{type(error).__name__}: {error}")]


async def measure_all(
    cases: list[Case],
    quick: bool,
    minutes: float,  # float: a person's
) -> list[Outcome]:
    """One after the other: two at a time would measure each other."""
    outcomes: list[Outcome] = []
    for case in cases:
        began = time.monotonic()
        print(f"{case.title} ... ", end="", flush=True, file=sys.stderr)
        outcomes += await measure(case, quick, minutes)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """Runs what the arguments ask for; the exit code."""
    cases = found()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: the figures mean little")
    parser.add_argument("--list", action="store_true", help="only tell which cases there are")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "out", help="where the results go"
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long a soak lasts")
    parser.add_argument("case", nargs="*", help="only these; without, all but the soak")
    options = parser.parse_args(arguments)
    names = [case.name for case in cases]
    if unknown := sorted(set(options.case) - set(names)):
        parser.error(f"no case {', '.join(unknown)}: there are {', '.join(names)}")
    if options.list:
        for case in cases:
            print(f"{case.name:20} {case.title}")
        return 0
    facts = machine.describe()
    asked = set(options.case)
    wanted = [case for case in cases if case.name in asked or (case.default and not asked)]
    outcomes = asyncio.run(measure_all(wanted, options.quick, options.minutes))
    report.show(outcomes, facts)
    report.write(outcomes, facts, options.out)
    return 1 if any(isinstance(outcome, Failure) for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
