"""Questions about what is past, where a venue takes no longer span than so much."""

from dataclasses import dataclass, replace
from typing import Any

from cex.engine.commands import GetCandles, ListFills
from core.clock import MILLISECOND, SECOND


@dataclass(frozen=True, slots=True)
class Spans:
    """Asks for fills in one span after the other, oldest first.

    `kept` is how far back the venue remembers: what is older is not asked for. The two names are
    those of the first and of the last unit (milliseconds) of a span.
    """

    length: int  # ns
    kept: int
    names: tuple[str, str] = ("startTime", "endTime")
    unit: int = MILLISECOND

    def start(self, command: ListFills) -> int:
        """When the span of a command begins."""
        return max(command.since, command.now - self.kept)

    def of(self, command: ListFills) -> dict[str, int]:
        """The parameters."""
        start = self.start(command) // self.unit
        return dict(zip(self.names, (start, start + self.length // self.unit - 1), strict=True))

    def later(self, command: ListFills) -> ListFills | None:
        """The command for the next span."""
        later = self.start(command) + self.length
        return None if later > command.now else replace(command, since=later, cursor="")

    def following(self, command: ListFills, page: Any) -> ListFills | None:
        """The command for the next page of a span (cex.engine.parse.Page), or the next span."""
        return replace(command, cursor=page.cursor) if page.cursor else self.later(command)


def candles(command: GetCandles, most: int) -> tuple[int, int | None, int | None]:
    """How many, from when, until when, where a venue gives at most so many and the newest of a
    span: one that is too long is cut at its end."""
    limit, start, end = min(command.limit, most), command.start, command.end
    if start is not None:
        last = start + (limit - 1) * command.interval * SECOND
        end = last if end is None else min(end, last)
    return limit, start, end
