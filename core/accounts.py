"""What an account holds and pays."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from core.orders import Fill, Order


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of one account. For a wallet, `token` is the token's address ("" for native)."""

    account: str
    venue: str  # the network's id for a wallet
    asset: str
    total: Decimal
    available: Decimal
    token: str = ""
    units: int | None = None  # the exact on-chain integer
    update_time: int = 0


class PositionSide(Enum):
    """NET in one-way mode; LONG and SHORT in hedge mode."""

    NET = 1
    LONG = 2
    SHORT = 3


class MarginMode(Enum):
    """What margin a position may use: all of the account's, or only what was set aside for it."""

    CROSS = 1
    ISOLATED = 2


class PositionMode(Enum):
    """One position an instrument, or a long and a short one."""

    ONE_WAY = 1
    HEDGE = 2


@dataclass(frozen=True, slots=True)
class Position:
    """One perpetual position; quantity is signed in base units, negative is short."""

    account: str
    venue: str
    instrument: str
    side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal | None = None
    liquidation_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    realized_pnl: Decimal | None = None
    leverage: Decimal | None = None
    margin: Decimal | None = None
    update_time: int = 0
    margin_mode: MarginMode | None = None


@dataclass(frozen=True, slots=True)
class FeeRates:
    """What a trade costs, as fractions of notional (0.001 is 0.1 %); negative is a rebate."""

    account: str
    venue: str
    instrument: str
    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """What a position paid (negative) or received, at a funding time."""

    account: str
    venue: str
    instrument: str
    payment_id: str
    amount: Decimal
    asset: str
    rate: Decimal | None  # None where the venue does not tell
    event_time: int


AccountEvent = Order | Fill | Balance | Position | FundingPayment
