"""Guards and tokens for tests."""

from pathlib import Path

from core.clock import Clock, SystemClock
from daemon.access.guard import Guard
from daemon.access.roots import Roots
from daemon.access.tokens import Keyring


def open_guard(roots: Path = Path("/nonexistent/roots.json"), clock: Clock | None = None) -> Guard:
    """One that asks nobody for a token."""
    clock = clock or SystemClock()
    return Guard(
        Keyring(Roots(roots, clock)), clock, True, lambda account: (), lambda account: True
    )
