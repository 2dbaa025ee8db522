"""Faults that a test (or a debugging call) switches on at a paper venue.

Data, not patches: the venue and its accounts ask at each point where something can go wrong
whether it should. A fault ends by itself after `times` effects, or lasts until it is removed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from core.clock import SECOND


class FaultKind(StrEnum):
    """What goes wrong."""

    TIMEOUT_AFTER_EFFECT = "timeout_after_effect"  # it happens, but the answer is lost
    TIMEOUT_WITHOUT_EFFECT = "timeout_without_effect"  # the request is lost
    RATE_LIMIT = "rate_limit"  # refused before it is sent: proof that nothing happened
    DELAY = "delay"  # the request waits `delay` before it is carried out
    DROP_FILL = "drop_fill"  # the stream does not tell a fill; queries do
    DUPLICATE_REPORT = "duplicate_report"  # the stream tells a report twice
    DISCONNECT = "disconnect"  # the stream is down; `times` counts the reports that are lost
    SKIP_SEQUENCE = "skip_sequence"  # a book update is lost: the feed goes stale, then resyncs


# What an account can be asked, by the names of its methods.
OPERATIONS = (
    "place",
    "cancel",
    "cancel_all",
    "replace",
    "set_leverage",
    "query",
    "open_orders",
    "fills",
    "balances",
    "positions",
    "fee_rates",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Empty `venue`, `account`, `operation` and `instrument` mean any.

    `operation` is one of OPERATIONS; what concerns no single instrument (open_orders, balances,
    the account's stream but for its fills) is met only by faults that name none. `times` None lasts
    until removed. `delay` and `retry_after` are nanoseconds.
    """

    kind: FaultKind
    venue: str = ""
    account: str = ""
    operation: str = ""
    instrument: str = ""
    times: int | None = 1
    delay: int = 0
    retry_after: int = SECOND

    def matches(
        self, kind: FaultKind, venue: str, account: str, operation: str, instrument: str
    ) -> bool:
        """Whether this is the fault that is asked for."""
        return (
            self.kind is kind
            and self.venue in ("", venue)
            and self.account in ("", account)
            and self.operation in ("", operation)
            and self.instrument in ("", instrument)
        )


class Faults:
    """The faults that are on. Listeners are told after each change."""

    def __init__(self) -> None:
        self._active: dict[int, Fault] = {}
        self._last = 0
        self._listeners: list[Callable[[], None]] = []

    def add(self, fault: Fault) -> int:
        """Switches a fault on; the id to remove it by. ValueError unless `times` is positive."""
        if fault.times is not None and fault.times <= 0:
            raise ValueError("times must be positive, or None for a lasting fault")
        self._last += 1
        self._active[self._last] = fault
        self._tell()
        return self._last

    def remove(self, id: int) -> None:
        """Switches a fault off; nothing happens if it is over already."""
        if self._active.pop(id, None) is not None:
            self._tell()

    def clear(self) -> None:
        """Switches all off."""
        self._active.clear()
        self._tell()

    def active(self) -> dict[int, Fault]:
        """What is on, by id; `times` is what is left."""
        return dict(self._active)

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after each change."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Ends `listen`."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def has(self, kind: FaultKind, venue: str = "", account: str = "") -> bool:
        """Whether such a fault is on, without counting."""
        return any(
            fault.matches(kind, venue, account, fault.operation, fault.instrument)
            for fault in self._active.values()
        )

    def take(
        self,
        kind: FaultKind,
        venue: str = "",
        account: str = "",
        operation: str = "",
        instrument: str = "",
    ) -> Fault | None:
        """The first matching fault, one of its times used up; None when there is none."""
        for id, fault in self._active.items():
            if fault.matches(kind, venue, account, operation, instrument):
                if fault.times is not None:
                    if fault.times == 1:
                        del self._active[id]
                    else:
                        self._active[id] = replace(fault, times=fault.times - 1)
                    self._tell()
                return fault
        return None

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()
