"""Values as bots see them: frozen, exact (`Decimal`), with times in UTC.

Each mirrors a message of the contract field by field; a test holds the two together.
"""

from cambist.types.accounts import (
    Account,
    Balance,
    FeeRates,
    FundingPayment,
    MarginMode,
    Position,
    PositionMode,
    PositionSide,
    UnavailableAccount,
)
from cambist.types.chains import (
    ChainFamily,
    FeeEstimate,
    FeeStrategy,
    Network,
    Token,
    TokenAmount,
    Transaction,
    TransactionStatus,
)
from cambist.types.events import AccountNotice, Event
from cambist.types.market import BookState, Candle, EventKind, Funding, Ticker, Trade
from cambist.types.sandbox import Fault, FaultKind
from cambist.types.swaps import Pool, Quote, RequiredApproval, SwapMode
from cambist.types.system import Component, Condition, DaemonState, Health, Info, Limits, Status
from cambist.types.trading import (
    Fill,
    Liquidity,
    Order,
    OrderSpec,
    OrderStatus,
    OrderStep,
    OrderType,
    PlaceOrdersOutcome,
    Side,
    TimeInForce,
)
from cambist.types.venues import (
    Instrument,
    InstrumentKind,
    InstrumentStatus,
    RateLimit,
    Standing,
    Venue,
    VenueKind,
)
from cambist.types.wallets import Allowance, Wallet, WalletState

__all__ = [
    "Account",
    "AccountNotice",
    "Allowance",
    "Balance",
    "BookState",
    "Candle",
    "ChainFamily",
    "Component",
    "Condition",
    "DaemonState",
    "Event",
    "EventKind",
    "Fault",
    "FaultKind",
    "FeeEstimate",
    "FeeRates",
    "FeeStrategy",
    "Fill",
    "Funding",
    "FundingPayment",
    "Health",
    "Info",
    "Instrument",
    "InstrumentKind",
    "InstrumentStatus",
    "Limits",
    "Liquidity",
    "MarginMode",
    "Network",
    "Order",
    "OrderSpec",
    "OrderStatus",
    "OrderStep",
    "OrderType",
    "PlaceOrdersOutcome",
    "Pool",
    "Position",
    "PositionMode",
    "PositionSide",
    "Quote",
    "RateLimit",
    "RequiredApproval",
    "Side",
    "Standing",
    "Status",
    "SwapMode",
    "Ticker",
    "TimeInForce",
    "Token",
    "TokenAmount",
    "Trade",
    "Transaction",
    "TransactionStatus",
    "UnavailableAccount",
    "Venue",
    "VenueKind",
    "Wallet",
    "WalletState",
]
