"""Daemons to be killed, as whoever kills them sees them."""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.crash.steps import DIRECTORY, NOTED, ORDER, SETTLE

START_SECONDS = 120


class Nursery:
    """The process that forks them; see tests.crash.nursery."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._gone: dict[str, asyncio.Future[int]] = {}
        self._ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self._ids = itertools.count(1)

    async def start(self, arguments: Sequence[str], log: Path, **environment: str) -> str:
        """A new daemon's id."""
        await asyncio.wait_for(self._ready.wait(), START_SECONDS)
        assert not self._reading.done(), "the nursery has ended: see its traceback"
        id_ = str(next(self._ids))
        self._gone[id_] = asyncio.get_running_loop().create_future()
        self.say(start=id_, arguments=list(arguments), log=str(log), environment=environment)
        return id_

    def say(self, **order: Any) -> None:
        """An order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def gone(self, id_: str) -> int:
        """Waits for a daemon's end; its exit code, negative for a signal."""
        return await asyncio.shield(self._gone[id_])

    async def close(self) -> None:
        """Ends with all its children."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), START_SECONDS)
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "ready" in told:
                self._ready.set()
            else:
                self._gone[told["gone"]].set_result(told["code"])
        self._ready.set()  # if it never was, whoever waits hears of it
        for one in self._gone.values():
            if not one.done():
                one.set_result(-signal.SIGKILL)


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """One for the length of a run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.crash.nursery",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    one = Nursery(process)
    try:
        yield one
    finally:
        await one.close()


class Victim:
    """One daemon in a data directory, over all its lives."""

    def __init__(
        self, nursery: Nursery, directory: Path, arguments: Sequence[str], settle: float = 0
    ) -> None:
        """`settle`: see tests.crash.steps."""
        self._nursery = nursery
        self._settle = settle
        self._directory = directory
        self.data_dir = directory / "d"
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log = directory / "d.log"
        self._arguments = ["run", "--data-dir", str(self.data_dir), *arguments]
        self._id = ""
        self._orders = itertools.count(1)
        self.lives = 0

    @property
    def connect(self) -> str:
        """What a client connects to."""
        return f"unix://{self.data_dir / 'cambist.sock'}"

    async def start(self) -> None:
        """Begins a life; whoever calls it waits until it answers."""
        self.lives += 1
        environment = {
            "CAMBIST_HOME": str(self._directory),
            DIRECTORY: str(self.data_dir),
            SETTLE: str(self._settle),
        }
        self._id = await self._nursery.start(self._arguments, self.log, **environment)

    def order(self, number: int) -> None:
        """It dies at the number-th step from here."""
        (self.data_dir / NOTED).unlink(missing_ok=True)
        new = self.data_dir / "die.new"
        new.write_text(f"{next(self._orders)} {number}")
        new.replace(self.data_dir / ORDER)

    def spare(self) -> None:
        """Takes the order back."""
        (self.data_dir / ORDER).unlink(missing_ok=True)

    @property
    def last_step(self) -> str:
        """Where it died of its order, or after which it was killed."""
        path = self.data_dir / NOTED
        if not path.exists():
            return ""
        *whole, _ = path.read_text().split("\n")  # the last may have been being written
        return whole[-1].partition("\t")[2] if whole else ""

    def kill(self) -> None:
        """SIGKILL; see `gone`."""
        self._nursery.say(kill=self._id)

    async def gone(self) -> None:
        """Waits until it has been killed; AssertionError when it ended otherwise."""
        code = await self._nursery.gone(self._id)
        assert code == -signal.SIGKILL, f"it ended by itself ({code}):\n{self.tail}"

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._nursery.say(end=self._id)
        return await asyncio.wait_for(self._nursery.gone(self._id), START_SECONDS)

    @property
    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
