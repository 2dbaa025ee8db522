"""Who may do what."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows. Empty fields allow all; restrictions add up when it is narrowed."""

    permissions: tuple[str, ...] = ()  # Such as "orders:write".
    venues: tuple[str, ...] = ()  # Only these venues.
    accounts: tuple[str, ...] = ()  # Only these accounts.
    instruments: tuple[str, ...] = ()  # Only these instruments.
    max_order_notional: Decimal | None = None  # The largest notional of an order, in its quote.
    max_day_notional: Decimal | None = None  # The largest notional of a UTC day, in quote.
    max_slippage: Decimal | None = None  # The largest slippage, as a fraction.
    reduce_only: bool = False  # Only what reduces a position.
    paper_only: bool = False  # Only paper accounts.
    source_addresses: tuple[str, ...] = ()  # Only from these addresses, in CIDR notation.
    expire_time: datetime | None = None  # Not after this time.
    methods: tuple[str, ...] = ()  # Only these calls: "cambist.v1.TradingService/PlaceOrder".
    no_withdrawal: bool = False  # Nothing goes out of any wallet or account: no transfers.


@dataclass(frozen=True, slots=True)
class BakedToken:
    """A new token, to be kept secret."""

    token: str  # Told once: "" when the request is repeated.
    connect_string: str  # Address, fingerprint and token in one line; "" where TCP is off.


@dataclass(frozen=True, slots=True)
class InspectedToken:
    """What a token allows."""

    root: str  # The root's name.
    grant: Grant  # What it allows, every narrowing included.
    revoked: bool  # Whether its root is revoked.
    other_checks: tuple[str, ...]  # A holder's own, as Datalog; in force like the others.


@dataclass(frozen=True, slots=True)
class TokenRoot:
    """The root of a bot's tokens."""

    name: str  # Its name.
    create_time: datetime  # When it was made.
    last_use_time: datetime | None  # When a token of it was used last.
    revoked: bool  # Whether it is revoked.


@dataclass(frozen=True, slots=True)
class MethodPermission:
    """A call and the permission that it needs."""

    method: str  # The full name of the call.
    permission: str  # The permission.
