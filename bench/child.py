"""A worker in a process of its own, spoken to by lines, and sure to end."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Longer than any worker is silent while it works.
PATIENCE = 40.0  # float: seconds, asyncio's unit


class ChildFailed(Exception):
    """A process ended, or did not say what was waited for; with the end of its error output."""


class Child:
    """A running process. `started` is the monotonic time, in ns, just before it was made."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, errors: Path, started: int
    ) -> None:
        self.name = name
        self.started = started
        self._process = process
        self._errors = errors

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def line(self, patience: float = PATIENCE) -> str:  # float: seconds
        """The next line of its standard output."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(patience):
                raw = await self._process.stdout.readline()
        except TimeoutError:
            raise ChildFailed(f"{self.name} said nothing for {patience:.0f} s") from None
        if not raw:
            raise ChildFailed(f"{self.name} ended: {self.complaint()}")
        return raw.decode().strip()

    async def answer(self, patience: float = PATIENCE) -> dict[str, Any]:  # float: seconds
        """The next line as JSON."""
        found: dict[str, Any] = json.loads(await self.line(patience))
        return found

    async def say(self, word: str) -> None:
        """Writes a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")
        await self._process.stdin.drain()

    def complaint(self) -> str:
        """The end of its error output."""
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-3:]) or "without a word"

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def stop(self) -> None:
        """Asks it to end, and ends it after five seconds."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()


async def start(
    name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """Starts a program with pipes; its error output goes to a file in `folder`."""
    errors = folder / f"{name.replace(' ', '-')}-{time.monotonic_ns()}.err"
    with errors.open("wb") as sink:
        began = time.monotonic_ns()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=sink,
            limit=1 << 20,
        )
    return Child(name, process, errors, began)


@contextlib.asynccontextmanager
async def worker(module: str, *arguments: str, folder: Path) -> AsyncIterator[Child]:
    """`python -m bench.<module>`, ended on leaving."""
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    child = await start(module.rpartition(".")[2], command, folder)
    try:
        yield child
    finally:
        await child.stop()
