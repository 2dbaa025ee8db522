"""Venues and instruments."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from cambist.types._enum import WireEnum
from cambist.types.system import Condition


class VenueKind(WireEnum):
    """What a venue trades and how."""

    UNKNOWN = 0
    SPOT = 1  # A central limit order book of spot markets.
    PERPETUAL = 2  # A central limit order book of perpetual futures.
    POOL = 3  # Pools of a decentralized exchange.


class Standing(WireEnum):
    """How far a venue is trusted."""

    UNKNOWN = 0
    GREEN = 1  # Alive and tested.
    YELLOW = 2  # Alive with doubts; the evidence names them.
    RED = 3  # Closed, closing or broken.


class InstrumentKind(WireEnum):
    """What an instrument is."""

    UNKNOWN = 0
    SPOT = 1  # A spot market.
    PERPETUAL = 2  # A perpetual future.
    POOL = 3  # A pool of two tokens.


class InstrumentStatus(WireEnum):
    """Whether a venue takes orders for an instrument."""

    UNKNOWN = 0
    TRADING = 1  # It takes orders.
    CANCEL_ONLY = 2  # It takes only cancels.
    HALTED = 3  # It takes nothing for the moment.
    DELISTED = 4  # It is gone.


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue."""

    id: str  # Its id, such as "binance" or "uniswap_v2@ethereum".
    name: str  # Its name.
    kind: VenueKind  # What it trades and how.
    # What works there: "order_book", "limit", "post_only", "replace", "swap" and so on, sorted.
    capabilities: tuple[str, ...]
    network: str  # The network of a pool venue; empty otherwise.
    standing: Standing  # How far it is trusted.
    standing_since: str  # Since when, as an ISO 8601 date.
    standing_evidence: str  # On what evidence.
    condition: Condition  # How it is now.
    documentation_url: str  # Its documentation.
    clock_offset: timedelta | None  # The clock of the venue less ours, where it is measured.
    # The same as its streams tell it, less the time that messages take; where they tell.
    stream_clock_offset: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument.

    Quantities are base units and prices quote a base unit, whatever the venue uses.
    """

    venue: str  # The venue.
    id: str  # Its id, such as "BTC-USDT" or "BTC-USDT-PERP".
    kind: InstrumentKind  # What it is.
    base: str  # What is bought and sold.
    quote: str  # What prices are in.
    settle: str  # What profits are paid in.
    price_tick: Decimal  # Prices are multiples of this, the smallest step; see price_digits.
    quantity_step: Decimal  # Quantities are multiples of this, in base units.
    min_quantity: Decimal  # The smallest quantity, "0" where the venue states none.
    max_quantity: Decimal  # The largest quantity, "0" where the venue states none.
    min_notional: Decimal  # The smallest price times quantity, "0" where the venue states none.
    contract_size: Decimal  # Base units a contract of the venue, "1" where it has none.
    status: InstrumentStatus  # Whether it takes orders.
    venue_symbol: str  # The venue's own name for it; the pool's address for a pool.
    # How many significant digits a price may have at most, so that the step grows with the price;
    # whole numbers may have more. None where any number is allowed.
    price_digits: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The use of one rate limit of a venue."""

    venue: str  # The venue.
    scope: str  # What the venue meters by: "ip", "account:main", "connection".
    name: str  # The limit's name.
    limit: int  # How much is allowed in an interval.
    used: int  # How much is used in the running interval.
    interval: timedelta | None  # The interval.
    blocked_until: datetime | None  # Until when nothing is sent, after the venue complained.
