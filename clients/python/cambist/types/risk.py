"""Limits over all bots, halts and leases."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cambist.types._enum import WireEnum


class HaltMode(WireEnum):
    """How much a halt stops."""

    UNKNOWN = 0
    ALL = 1  # Nothing new goes out.
    REDUCE = 2  # Only what lowers exposure goes out.


@dataclass(frozen=True, slots=True)
class Scope:
    """What something concerns; empty fields mean all."""

    venue: str = ""  # This venue.
    account: str = ""  # This account.
    instrument: str = ""  # This instrument.
    token_root: str = ""  # Tokens of this root.

    def __str__(self) -> str:
        names = ("venue", "account", "instrument", "token_root")
        return (
            ", ".join(f"{one} {getattr(self, one)}" for one in names if getattr(self, one)) or "all"
        )


@dataclass(frozen=True, slots=True)
class RiskLimit:
    """A limit."""

    name: str  # Its name, such as "order_notional", "open_orders", "day_loss".
    scope: Scope  # What it concerns.
    limit: Decimal  # The limit.
    used: Decimal | None  # How far it is used; None where that depends on the order.
    unit: str  # What both are in: an asset, "orders", "orders/min", "fraction".


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """A halt in force."""

    id: str  # Its id.
    scope: Scope  # What it stops.
    mode: HaltMode  # How much it stops.
    reason: str  # Why, in the words of who ordered it.
    create_time: datetime  # Since when.


@dataclass(frozen=True, slots=True)
class Lease:
    """A promise to be heard from."""

    lease_id: str  # Its id.
    expire_time: datetime  # When it ends unless it is renewed.
