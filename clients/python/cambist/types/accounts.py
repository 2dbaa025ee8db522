"""Accounts and what they hold."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cambist.types._enum import WireEnum
from cambist.types.system import Condition


class PositionSide(WireEnum):
    """Which position of an instrument."""

    UNKNOWN = 0
    NET = 1  # The only one, in one-way mode.
    LONG = 2  # The long one, in hedge mode.
    SHORT = 3  # The short one, in hedge mode.


class MarginMode(WireEnum):
    """What margin a position may use."""

    UNKNOWN = 0
    CROSS = 1  # The whole account's.
    ISOLATED = 2  # Its own only.


class PositionMode(WireEnum):
    """Whether an instrument has one position or two."""

    UNKNOWN = 0
    ONE_WAY = 1  # One net position.
    HEDGE = 2  # A long and a short one.


@dataclass(frozen=True, slots=True)
class Account:
    """An account."""

    id: str  # Its id.
    venues: tuple[str, ...]  # The venues that it trades on.
    paper: bool  # Whether it trades with pretended money.
    condition: Condition  # How it is; trading is open when ready.
    address: str  # The wallet's address, for a wallet.


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of an account."""

    account: str  # The account.
    venue: str  # The venue; the network for a wallet.
    asset: str  # The asset's name.
    total: Decimal  # All of it.
    available: Decimal  # What orders may use.
    token: str  # On a network: the token's address, empty for the native coin.
    units: int | None  # On a network: the exact amount in the token's smallest units.
    update_time: datetime | None  # When it was so.


@dataclass(frozen=True, slots=True)
class Position:
    """A perpetual position. Absent numbers are those that the venue does not tell."""

    account: str  # The account.
    venue: str  # The venue.
    instrument: str  # The instrument.
    side: PositionSide  # Which one.
    quantity: Decimal  # Base units; negative is short.
    entry_price: Decimal  # The average price paid.
    mark_price: Decimal | None  # The price that margins are reckoned with.
    liquidation_price: Decimal | None  # Where it would be liquidated.
    unrealized_pnl: Decimal | None  # Profit at the mark price, in the settle asset.
    realized_pnl: Decimal | None  # Profit taken, in the settle asset.
    leverage: Decimal | None  # Notional over margin.
    margin: Decimal | None  # What it ties up, in the settle asset.
    update_time: datetime | None  # When it was so.


@dataclass(frozen=True, slots=True)
class FeeRates:
    """What trading an instrument costs."""

    account: str  # The account.
    venue: str  # The venue.
    instrument: str  # The instrument.
    maker: Decimal  # Making, as a fraction of notional; negative is a rebate.
    taker: Decimal  # Taking, as a fraction of notional.


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """Funding that a position paid or received."""

    account: str  # The account.
    venue: str  # The venue.
    instrument: str  # The instrument.
    payment_id: str  # The venue's id of it.
    amount: Decimal  # Received is positive.
    asset: str  # What it was paid in.
    rate: Decimal | None  # The rate, where the venue tells it.
    event_time: datetime | None  # When.


@dataclass(frozen=True, slots=True)
class UnavailableAccount:
    """An account that could not be asked; what it has is missing from the answer."""

    account: str  # The account.
    venue: str  # The venue or network.
    reason: str  # The error's reason, as in `cambist.Error.reason`.
    message: str  # The same in words.
