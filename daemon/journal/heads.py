"""Where the chain ended, noted beside the journal as time goes on.

A chain shows what was changed within it, not that its end was cut off or that an older copy was put
in its place. So its head is noted in a file of its own and in the daemon's log, which may go
elsewhere: `cambistd journal verify` holds the journal against the file.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from core.clock import Clock
from core.errors import CambistError
from daemon.journal.chain import GENESIS
from daemon.journal.journal import Journal

NAME = "journal.heads"
_EVERY = 60.0  # float: seconds
_KEPT, _MOST = 2000, 4000  # lines
log = structlog.get_logger("journal")


@dataclass(frozen=True, slots=True)
class Head:
    """The last link at a time (ns)."""

    time: int
    number: int
    hash: bytes


class Heads:
    """`path` is the journal's."""

    def __init__(self, path: Path, journal: Journal, clock: Clock) -> None:
        self._path = path.with_name(NAME)
        self._journal = journal
        self._clock = clock
        self._last = 0

    async def begin(self) -> None:
        """Says in the log where the chain ends, and whether it ends earlier than it did."""
        now, noted = await self._now(), read(self._path)
        self._last = noted[-1].number if noted else 0
        if now.number < self._last:
            log.error(
                "journal is older than it was: an older copy was put back, or its end cut off",
                entries=now.number,
                noted=self._last,
                next="look at the venues' open orders before bots go on",
            )
        log.info("journal", entries=now.number, head=now.hash.hex())

    async def run(self) -> None:
        """Notes the head now and then, for ever."""
        while True:
            await self.note()
            await asyncio.sleep(_EVERY)

    async def note(self) -> None:
        """Now. A disk that takes nothing holds nobody up: the next time."""
        try:
            now = await self._now()
            if now.number != self._last:
                await asyncio.to_thread(_append, self._path, now)
                self._last = now.number
        except (CambistError, OSError) as error:
            log.warning("the journal's head was not noted", why=str(error))

    async def _now(self) -> Head:
        number, hash = await self._journal.read(lambda store: store.head())
        return Head(self._clock.now(), number, hash)


def read(path: Path) -> list[Head]:
    """What was noted, oldest first; a line that is none (a crash in the middle) is left out."""
    try:
        lines = path.read_text("ascii", errors="replace").splitlines()
    except OSError:
        return []
    return [head for line in lines if (head := _parse(line)) is not None]


def _parse(line: str) -> Head | None:
    try:
        time, number, hash = line.split()
        digest = bytes.fromhex(hash)
        return Head(int(time), int(number), digest) if len(digest) == len(GENESIS) else None
    except ValueError:
        return None


def _append(path: Path, head: Head) -> None:
    line = f"{head.time} {head.number} {head.hash.hex()}\n"
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a") as file:
        file.write(line)
        size = file.tell()
    if size > _MOST * len(line):
        kept = path.read_text("ascii", errors="replace").splitlines(keepends=True)[-_KEPT:]
        temporary = path.with_suffix(".new")
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(kept)
        temporary.replace(path)
