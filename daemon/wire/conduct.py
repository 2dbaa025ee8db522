"""How a client behaves: what costs more than it says is counted, and bounded."""

import time

from daemon.wire.frames import Broken, Code

_CALM = 5_000  # frames in a second that ask for work and carry none


class Conduct:
    """Of one connection."""

    __slots__ = ("_count", "_since")

    def __init__(self) -> None:
        self._count, self._since = 0, 0.0  # float: seconds

    def costs(self, units: int = 1) -> None:
        """Raises Broken when it is too much."""
        self._count += units
        if self._count < _CALM:
            return
        now = time.monotonic()
        if now - self._since < 1:
            raise Broken(Code.ENHANCE_YOUR_CALM, "too many frames that say nothing")
        self._count, self._since = 0, now
