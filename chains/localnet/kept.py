"""A process that outlives the daemon which started it: started, found again, ended.

It holds a lock for as long as it lives, and writes where it can be reached once it can.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.localnet import keeper
from core.errors import CambistError, Reason

_ROOT = Path(__file__).parents[2]
_START_LIMIT = 30.0  # float: seconds
_STOP_LIMIT = 15.0  # float: seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """`module` is what python runs; `lock`, `address` (JSON) and `log` are its files, and `pid` is
    what the address calls the number of the process. `name` is for people."""

    name: str
    module: str
    lock: Path
    address: Path
    log: Path
    pid: str = "pid"

    @property
    def lives(self) -> bool:
        """It holds its lock. Pids may have been given to others since."""
        try:
            return keeper.held(self.lock)
        except FileNotFoundError:
            return False

    def where(self) -> dict[str, Any] | None:
        """What it wrote of itself; None where it does not live, also while it starts or ends."""
        if not self.lives:
            return None
        try:
            wire = json.loads(self.address.read_text())
        except (OSError, ValueError):
            return None
        return wire if isinstance(wire, dict) else None

    async def start(self, arguments: Sequence[str]) -> None:
        """Returns once it can be reached; it goes on by itself, a child of nobody here. Raises
        CambistError with what it said."""
        await asyncio.to_thread(self._launch, arguments)

    async def end(self) -> None:
        """Ends it and waits until it has let its lock go. Nothing if it does not live."""
        if not self.lives:
            return
        number = (self.where() or {}).get(self.pid)
        if isinstance(number, int):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_LIMIT):
                while self.lives:  # noqa: ASYNC110  another process holds the lock
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise CambistError(Reason.INTERNAL, f"{self.name} does not end") from error

    def _launch(self, arguments: Sequence[str]) -> None:
        with self.log.open("wb") as errors:
            done = subprocess.run(
                [sys.executable, "-m", self.module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                cwd=_ROOT,
                timeout=_START_LIMIT,
                check=False,
            )
        if done.returncode:
            said = self.log.read_text(errors="replace")[-500:].strip()
            raise CambistError(Reason.INTERNAL, f"{self.name} does not start: {said}")
