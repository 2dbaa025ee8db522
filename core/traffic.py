"""What leaves for a venue and what comes back, for whoever keeps the record of a call.

Whoever makes a call sets `TRAFFIC`; whoever talks to a venue tells it. What is told has no secret
in it: requests are told before they are signed, replies without what they repeat of our keys.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traffic:
    """`sent`, or received; `summary` is "POST /api/v3/order" or "200"; `detail` the content."""

    sent: bool
    summary: str
    detail: str


TRAFFIC: ContextVar[Callable[[Traffic], None] | None] = ContextVar("traffic", default=None)
LONGEST = 4096  # characters of a detail


def tell(sent: bool, summary: str, detail: Callable[[], str]) -> None:
    """Tells whoever keeps the record; costs nothing where nobody does."""
    keeper = TRAFFIC.get()
    if keeper is not None:
        keeper(Traffic(sent, summary, detail()[:LONGEST]))
