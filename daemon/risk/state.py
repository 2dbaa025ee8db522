"""What of the risk desk survives the daemon: halts, tightened limits, leases. One file, written
whole before anybody is told of a change."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from core.errors import Reason, Refused
from daemon.config import ConfigError
from daemon.risk.day import Swapped
from daemon.risk.limits import Limit
from daemon.risk.scope import Scope


@dataclass(frozen=True, slots=True)
class Halt:
    """`reduce`: what lowers exposure passes; else nothing new does. `time` in ns."""

    id: str
    scope: Scope
    reduce: bool
    reason: str
    time: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Orders of `accounts` are canceled when it is not renewed until `expire_time` (ns)."""

    id: str
    root: str
    accounts: tuple[str, ...]
    duration: int  # ns
    expire_time: int


@dataclass(slots=True)
class RiskState:
    """All of it. `next_id` numbers halts and leases; `swapped` is of the last day on which anything
    was."""

    halts: list[Halt]
    tightened: list[Limit]
    leases: list[Lease]
    next_id: int = 1
    swapped: list[Swapped] = field(default_factory=list)


class StateFile:
    """The file in the data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> RiskState:
        """An empty state where there is no file; ConfigError for one that cannot be read: without
        it nobody knows what was halted."""
        if not self._path.exists():
            return RiskState([], [], [])
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=RiskState)
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigError(
                f"{self._path} cannot be read ({error}): it holds the halts in force; put it back "
                "from a copy, or remove it to go on without them"
            ) from error

    def write(self, state: RiskState) -> None:
        """Durable when it returns. Refused when the disk does not take it."""
        temporary = self._path.with_suffix(".new")
        try:
            flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
            with open(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise Refused(
                Reason.JOURNAL_UNAVAILABLE,
                f"{self._path} cannot be written: {error.strerror or error}",
            ) from error
