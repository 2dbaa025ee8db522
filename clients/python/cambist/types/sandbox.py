"""What the sandbox's paper exchange does wrong on purpose."""

from dataclasses import dataclass
from datetime import timedelta

from cambist.types._enum import WireEnum


class FaultKind(WireEnum):
    """What goes wrong."""

    UNKNOWN = 0
    TIMEOUT_AFTER_EFFECT = 1  # A command has its effect, but its answer is lost.
    TIMEOUT_WITHOUT_EFFECT = 2  # A command is lost on its way.
    RATE_LIMIT = 3  # A command is refused for a rate limit.
    DELAY = 4  # A command waits before it is carried out.
    DROP_FILL = 5  # The account's stream does not tell of a fill; questions do.
    DUPLICATE_REPORT = 6  # The account's stream tells something twice.
    DISCONNECT = 7  # The account's stream is down.
    SKIP_SEQUENCE = 8  # A change of an order book is lost: the book goes stale, then is rebuilt.


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault."""

    kind: FaultKind  # What goes wrong.
    venue: str  # Only on this venue, on all when empty.
    account: str  # Only for this account, for all when empty.
    operation: str  # Only for this command: "place", "cancel", "replace", "query" and so on.
    instrument: str  # Only for this instrument, for all when empty.
    times: int  # How often it is left; until it is cleared when zero.
    # How long a DELAY is, or after how long a RATE_LIMIT says that one may try again.
    delay: timedelta | None
