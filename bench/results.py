"""What a benchmark says: one figure and its peer's, measured in the same run."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. `peer` names what `peer_value` was measured on; both have the same unit.

    `expected` is the figure that we want to see, in the same unit; None where nothing is expected.
    `note` is one short sentence for the reader of the table.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    more_is_better: bool
    expected: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times better than the peer; below 1 is worse. Zero: nothing was measured."""
        ours, theirs = self.value, self.peer_value
        if not self.more_is_better:
            ours, theirs = theirs, ours
        return ours / theirs if theirs else 0.0

    @property
    def met(self) -> bool | None:
        """Whether it is at least as good as expected; None where nothing is expected."""
        if self.expected is None:
            return None
        if self.more_is_better:
            return self.value >= self.expected
        return self.value <= self.expected

    def as_object(self) -> dict[str, Any]:
        """For the results file."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": self.peer_value,
            "ratio": round(self.ratio, 3),
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A benchmark that could not be measured, and why."""

    name: str
    reason: str

    def as_object(self) -> dict[str, Any]:
        """For the results file: the same keys, without values."""
        return {
            "name": self.name,
            "value": None,
            "unit": "",
            "peer": "",
            "peer_value": None,
            "ratio": None,
            "error": self.reason,
        }


Outcome = Result | Failure
