"""What the bot must not forget when it is killed: a small file, replaced as a whole.

Everything that is sent is written down first, with its request id. A bot that starts again sends
the same requests again; the daemon gives each its effect once.
"""

import json
import os
import uuid
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Leg:
    """One order of a step. Decimals are strings: they go to the file."""

    request_id: str
    account: str
    venue: str
    instrument: str
    sell: bool
    quantity: str
    limit: str
    client_order_id: str = ""
    filled: str = ""  # empty until the order is final; "0" when it had no effect
    reason: str = ""  # why it had none


@dataclass(slots=True)
class Step:
    """Sell here, buy there."""

    number: int
    exchange: Leg
    expected_profit: str
    pool: list[Leg] = field(default_factory=list)  # more than one when the first had no effect
    done: bool = False


@dataclass(slots=True)
class Notebook:
    """All of it. `save` after each change, before what was changed is done."""

    path: Path
    prefix: str = ""
    daemon_id: str = ""
    start: dict[str, dict[str, str]] = field(default_factory=dict)  # account -> asset -> amount
    steps: list[Step] = field(default_factory=list)
    resume_token: str = ""
    last_sequence: int = 0
    events_seen: int = 0

    @classmethod
    def open(cls, path: Path) -> "Notebook":
        """The notebook in a file, or a new one with request ids of its own."""
        if not path.exists():
            return cls(path, prefix=f"arb-{uuid.uuid4().hex[:12]}")
        data = json.loads(path.read_text())
        steps = [
            Step(
                **{
                    **step,
                    "exchange": Leg(**step["exchange"]),
                    "pool": [Leg(**leg) for leg in step["pool"]],
                }
            )
            for step in data.pop("steps")
        ]
        return cls(path, steps=steps, **data)

    def save(self) -> None:
        """Atomic and durable: after a crash the file is the old one or the new one."""
        data: dict[str, Any] = asdict(self)
        del data["path"]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".new")
        with temporary.open("w") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    @property
    def legs(self) -> list[Leg]:
        """All legs of all steps."""
        return [leg for step in self.steps for leg in (step.exchange, *step.pool)]


def bought(legs: list[Leg]) -> Decimal:
    """What legs traded together, in base units."""
    return sum((Decimal(leg.filled or 0) for leg in legs), Decimal(0))
