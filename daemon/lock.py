"""One daemon a data directory."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from daemon.config import ConfigError
from daemon.explained import explained

_TRIES = 10


class DirectoryLock:
    """Holds the data directory for this process; the kernel lets go when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        with explained(self._path.parent):
            file = self._path.open("a+")
        if not _lock(file):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise ConfigError(
                f"another cambistd (process {holder}) uses {self._path.parent}: stop it with "
                "'cambist stop', or choose another --data-dir"
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        os.set_inheritable(file.fileno(), False)
        self._file = file

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _lock(file: IO[str]) -> bool:
    """Whether the lock could be had. Keepers of local chains probe it for an instant: try again."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False
