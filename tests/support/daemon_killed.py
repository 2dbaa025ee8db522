"""A cambistd that is killed at a write of its journal.

python -m tests.support.daemon_killed run …; as cambistd itself, until there is a file `die` in the
data directory with "before 3" or "after 3": then the third write from there is the last thing that
the process sees, or almost.
"""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import daemon.app
from daemon.cli import cambistd
from daemon.journal import SqliteStore
from daemon.journal.store import Row

ORDER = "die"


class DeadlyStore(SqliteStore):
    """Kills its process without a chance to tidy up."""

    _left = 0

    def write(self, rows: Sequence[Row]) -> None:
        side = self._ordered()
        if side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(rows)
        if side == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    def _ordered(self) -> str:
        """On which side of this write to die; "" for not at all."""
        path = Path(self._path).parent / ORDER
        try:
            side, number = path.read_text().split()
        except (FileNotFoundError, ValueError):
            self._left = 0
            return ""
        self._left = (self._left or int(number)) - 1
        return side if self._left == 0 else ""


if __name__ == "__main__":
    setattr(daemon.app, "SqliteStore", DeadlyStore)  # noqa: B010 - not its own name
    cambistd.main()
