"""Runs every check and says which passed: `make check`; `make check ARGS="lint types"` for some."""

import os
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sysconfig.get_path("scripts"))
# Everything that is typed; a folder counts once it holds Python.
TYPED = (
    "core",
    "cex",
    "chains",
    "dex",
    "daemon",
    "clients/python",
    "tests",
    "bench",
    "examples",
    "tools",
)


def tool(name: str, *arguments: str) -> list[str]:
    return [str(BIN / name), *arguments]


def script(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"tools.{name}", *arguments]


def typed_folders() -> list[str]:
    return [folder for folder in TYPED if any((ROOT / folder).rglob("*.py"))]


# Slowest first: two run at a time.
CHECKS: dict[str, list[str]] = {
    "types": tool("mypy", *typed_folders()),
    "breaking": script("check_breaking"),
    "generated": script("gen_proto", "--check"),
    "imports": tool("lint-imports", "--no-logo", "--cache-dir", ".cache/import_linter"),
    "proto": tool("buf", "lint"),
    "lint": tool("ruff", "check", "--quiet", "--output-format", "concise"),
    "format": tool("ruff", "format", "--check"),
    "floats": script("no_floats"),
    "locks": script("check_locks"),
}


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    seconds: float
    output: str


def run(name: str) -> Result:
    started = time.monotonic()
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    return Result(name, done.returncode == 0, time.monotonic() - started, done.stdout.strip())


def main() -> int:
    names = sys.argv[1:] or list(CHECKS)
    if unknown := sorted(set(names) - set(CHECKS)):
        print(f"no such check: {', '.join(unknown)}; there are: {', '.join(CHECKS)}")
        return 2
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(run, names))
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"── {result.name} ──\n{result.output}\n")
    for result in results:
        last = result.output.splitlines()[-1] if result.passed and result.output else ""
        print(f"{'✓' if result.passed else '✗'} {result.name:<10} {result.seconds:5.1f} s  {last}")
    print(f"{len(results) - len(failed)} of {len(results)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
