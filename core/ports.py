"""What the daemon asks of venues, accounts and chains, and what they ask of the daemon.

Order books, pools, the paper exchange and every chain stand behind these protocols, so that a
service, the journal and the streams are written once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol, runtime_checkable

from core.accounts import (
    Balance,
    FeeRates,
    FundingPayment,
    MarginMode,
    Position,
    PositionMode,
)
from core.errors import CambistError
from core.ids import ClientIdRule
from core.instruments import Instrument
from core.market import BookSnapshot, Candle, Funding, MarketEvent, Ticker, Trade
from core.orders import Fill, Order, OrderReport, OrderRequest
from core.tokens import Token
from core.transactions import Transaction


class VenueKind(Enum):
    """What a venue trades and how."""

    SPOT = 1
    PERPETUAL = 2
    POOL = 3


class Health(Enum):
    """How a venue or a chain is now."""

    STARTING = 1
    READY = 2
    DEGRADED = 3  # partly usable; the reason says what is missing
    DOWN = 4


class Standing(Enum):
    """How far a venue is trusted, as on a public status page."""

    GREEN = 1
    YELLOW = 2
    RED = 3


class Capability(Enum):
    """What a venue can do; each stands for a call of ours that works there."""

    ORDER_BOOK = "order_book"
    TRADES = "trades"
    TICKER = "ticker"
    CANDLES = "candles"
    FUNDING = "funding"
    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"
    POST_ONLY = "post_only"
    IOC = "ioc"
    FOK = "fok"
    REDUCE_ONLY = "reduce_only"
    REPLACE = "replace"
    CANCEL_ALL = "cancel_all"
    FILLS = "fills"
    BALANCES = "balances"
    FEES = "fees"
    POSITIONS = "positions"
    LEVERAGE = "leverage"
    MARGIN_MODE = "margin_mode"
    POSITION_MODE = "position_mode"
    FUNDING_PAYMENTS = "funding_payments"
    SWAP = "swap"
    LIQUIDITY = "liquidity"


@dataclass(frozen=True, slots=True)
class VenueInfo:
    """What a venue is; constants."""

    id: str
    name: str
    kind: VenueKind
    capabilities: frozenset[Capability]
    network: str = ""  # a pool venue's
    documentation: str = ""
    standing: Standing = Standing.GREEN
    standing_since: str = ""  # ISO date
    standing_evidence: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """The health of something, why, and since when (ns)."""

    health: Health
    reason: str = ""
    since: int = 0


class Channel(Enum):
    """A kind of market data that can be subscribed to."""

    BOOK = "book"
    TRADES = "trades"
    TICKER = "ticker"
    CANDLES = "candles"
    FUNDING = "funding"


MarketSink = Callable[[MarketEvent], None]


class Feed(Protocol):
    """A running subscription. Its sink is called on the event loop and must not block."""

    def snapshot(self) -> MarketEvent | None:
        """The present state (a whole BookSnapshot for a book), None when nothing is known yet."""
        ...

    async def close(self) -> None:
        """Ends the subscription; the sink is not called again."""
        ...


class Venue(Protocol):
    """Public side of a venue. Every method raises CambistError, and nothing else, on failure."""

    @property
    def info(self) -> VenueInfo: ...

    @property
    def condition(self) -> Condition: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By our id; empty until started."""
        ...

    async def start(self) -> None:
        """Connects and loads instruments. Returns soon: failures show in `condition`, and are
        retried in the background."""
        ...

    async def stop(self) -> None: ...

    async def subscribe(
        self, channel: Channel, instrument: Instrument, sink: MarketSink, interval: int = 0
    ) -> Feed:
        """Starts a feed; `interval` (seconds) is for candles."""
        ...

    async def order_book(self, instrument: Instrument, depth: int) -> BookSnapshot: ...

    async def ticker(self, instrument: Instrument) -> Ticker: ...

    async def trades(self, instrument: Instrument, limit: int) -> Sequence[Trade]: ...

    async def candles(
        self, instrument: Instrument, interval: int, start: int | None, end: int | None, limit: int
    ) -> Sequence[Candle]: ...

    async def funding(self, instrument: Instrument) -> Funding: ...


@dataclass(frozen=True, slots=True)
class RateLimitUsage:
    """How much of a budget that a venue meters is used."""

    name: str
    scope: str  # "ip" for the address, "account:main" for an account's
    used: int
    limit: int
    interval: int  # ns
    blocked_until: int = 0  # ns; after the venue complained


@runtime_checkable
class Metered(Protocol):
    """A venue that meters requests and has a clock of its own."""

    @property
    def clock_offset(self) -> int | None:
        """The venue's clock less ours, in nanoseconds; None while it is not measured."""
        ...

    @property
    def stream_clock_offset(self) -> int | None:
        """The same as its streams tell it, less the time that messages take; None while no stream
        tells."""
        ...

    @property
    def waiting_requests(self) -> int:
        """Requests that wait until a budget has room for them."""
        ...

    def rate_limits(self) -> Sequence[RateLimitUsage]: ...


@dataclass(frozen=True, slots=True)
class StreamState:
    """An account's private stream connected or broke; on `connected` the daemon reconciles."""

    account: str
    connected: bool
    reason: str = ""


AccountReport = OrderReport | Fill | Balance | Position | FundingPayment | StreamState
AccountSink = Callable[[AccountReport], None]


class Account(Protocol):
    """Private side of a venue: one set of credentials, or one wallet on a pool venue.

    Keeps no order state: reports go to the sink (called on the event loop, must not block), and
    the daemon's desk applies, deduplicates and journals them.

    `place`, `cancel` and `replace` send at most once. They raise Refused when nothing was sent,
    Rejected on the venue's proof, Unconfirmed for everything else.
    """

    @property
    def id(self) -> str: ...

    @property
    def venue(self) -> Venue: ...

    @property
    def condition(self) -> Condition: ...

    @property
    def settle_time(self) -> int:
        """Nanoseconds after which a request that the venue does not know can no longer take
        effect there; the daemon waits that long before "not found" counts as proof."""
        ...

    @property
    def client_id_rule(self) -> ClientIdRule:
        """What the venue accepts as a client order id; ClientIdRule() where it has no wishes."""
        ...

    async def start(self, sink: AccountSink) -> None: ...

    async def stop(self) -> None: ...

    async def check(self, request: OrderRequest) -> None:
        """Everything that can be known without sending: rules, types, balances. Raises Refused."""
        ...

    async def place(self, request: OrderRequest) -> OrderReport: ...

    async def cancel(self, order: Order) -> OrderReport: ...

    async def cancel_all(self, instrument: str | None) -> Sequence[OrderReport]:
        """Cancels all open orders of an instrument, or of the account."""
        ...

    async def replace(
        self, order: Order, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> OrderReport:
        """Changes an order. `client_order_id` is the new order's where the venue needs a new one:
        the report names the id that is live afterwards."""
        ...

    async def query(self, order: Order) -> OrderReport | None:
        """What the venue says now; None is the venue's own "no such order", nothing less."""
        ...

    async def open_orders(self) -> Sequence[Order]: ...

    async def fills(self, instrument: str, since: int) -> Sequence[Fill]:
        """Fills of an instrument from a time (ns) on, oldest first, complete."""
        ...

    async def balances(self) -> Sequence[Balance]: ...

    async def positions(self) -> Sequence[Position]: ...

    async def fee_rates(self, instrument: Instrument) -> FeeRates: ...


@runtime_checkable
class Previewing(Protocol):
    """An account whose venue can be asked about an order without placing it."""

    async def preview(self, request: OrderRequest) -> None:
        """Asks whether the venue would take an order. Raises Refused with its reason when it would
        not, and when it could not be asked."""
        ...


@runtime_checkable
class Batching(Protocol):
    """An account that takes several orders at once, and sends them by as few requests as its venue
    lets it."""

    async def place_many(
        self, requests: Sequence[OrderRequest]
    ) -> Sequence[OrderReport | CambistError]:
        """What became of each, in their order: its report, or what `place` would raise. Each is
        sent at most once."""
        ...


@dataclass(frozen=True, slots=True)
class KeyPermissions:
    """What a venue says that an account's key may do; None where it does not tell."""

    trade: bool | None = None
    withdraw: bool | None = None
    bound_to_address: bool | None = None  # only from the addresses that its owner listed


@runtime_checkable
class Keyed(Protocol):
    """An account whose venue tells what its key may do."""

    async def key_permissions(self) -> KeyPermissions: ...


@runtime_checkable
class CancelTimer(Protocol):
    """An account whose venue cancels all its open orders by itself unless it hears from us."""

    async def cancel_all_after(self, timeout: int) -> None:
        """Sets the timer anew, `timeout` nanoseconds from now; 0 takes it away."""
        ...


@runtime_checkable
class Leveraged(Protocol):
    """An account at a venue of perpetuals, where leverage is declared for each instrument."""

    async def set_leverage(self, instrument: Instrument, leverage: Decimal) -> None:
        """Notional over margin from now on; the same again is no error. Sent at most once: raises
        Refused, Rejected or Unconfirmed."""
        ...


@runtime_checkable
class Moded(Protocol):
    """An account at a venue of perpetuals that lets its customers choose how positions are kept.

    What is so already is no error. Sent at most once: raises Refused (UNSUPPORTED_BY_VENUE where
    there is no choice), Rejected or Unconfirmed.
    """

    async def set_margin_mode(self, instrument: Instrument, mode: MarginMode) -> None:
        """For an instrument's positions from now on."""
        ...

    async def set_position_mode(self, mode: PositionMode) -> None:
        """For the whole account. In hedge mode an order that may only reduce is one of the other
        side's position, and every other order one of its own side's."""
        ...


@runtime_checkable
class Funded(Protocol):
    """An account whose funding payments can be asked for."""

    async def funding_payments(self, since: int) -> Sequence[FundingPayment]:
        """From a time (ns) on, oldest first, as far back as the venue keeps them."""
        ...


class TransactionLog(Protocol):
    """Where a chain keeps its transactions; the daemon's journal in production."""

    async def save(self, transaction: Transaction) -> None:
        """Durable when it returns. Called before a broadcast and at each change of status."""
        ...

    async def pending(self, network: str) -> Sequence[Transaction]:
        """All that are not final, oldest first."""
        ...

    async def find(self, network: str, hash: str) -> Transaction | None:
        """By its hash; None when it is not ours."""
        ...

    async def by_intent(self, network: str, intent: str) -> Sequence[Transaction]: ...

    async def by_address(self, network: str, address: str, since: int) -> Sequence[Transaction]:
        """All of a signer that changed at or after `since` (ns), final ones too, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """What a network is; constants."""

    id: str  # ethereum, sepolia, avalanche, …
    name: str
    family: str  # "evm" or "solana"
    chain_id: int  # 0 for Solana
    native: Token
    wrapped: Token | None
    testnet: bool
    explorer: str
    block_time: int  # ns
    finality_depth: int  # blocks


@dataclass(frozen=True, slots=True)
class FeeOptions:
    """How much a transaction may cost, and by which way it goes; None leaves it to the strategy.

    `max_fee` caps the whole fee in the native token and is refused before signing when exceeded.
    `unit_price` is the most to pay for a unit of gas (of computing on Solana), in the native token,
    instead of what the strategy says; `priority_price` the tip within it, where there are tips.
    """

    strategy: str = "normal"  # slow, normal, fast
    max_fee: Decimal | None = None
    unit_price: Decimal | None = None
    priority_price: Decimal | None = None
    route: str = ""  # "public" or "private"; "" is public, and for a replacement as it was


@dataclass(frozen=True, slots=True)
class FeeEstimate:
    """What a transaction would cost now with a strategy; amounts in the native token.

    `unit_price` is the most that a unit of gas or computing would cost, `priority_price` the tip in
    it, `base_price` what a unit costs in the latest block before tips, `data_fee` what a rollup
    takes of a transfer besides its gas (part of `transfer_fee`); None where there is no such thing.
    """

    strategy: str
    transfer_fee: Decimal
    unit_price: Decimal
    priority_price: Decimal | None = None
    base_price: Decimal | None = None
    data_fee: Decimal | None = None


@runtime_checkable
class Following(Protocol):
    """A network that follows transactions until they are final."""

    def pending(self, address: str) -> Sequence[Transaction]:
        """Ours of an address that are not final, of which there may yet be an effect."""
        ...


class Network(Protocol):
    """A chain, the same for EVM and Solana. Addresses of signers belong to unlocked wallets."""

    @property
    def info(self) -> NetworkInfo: ...

    @property
    def condition(self) -> Condition: ...

    @property
    def height(self) -> int:
        """The latest block (slot) seen; 0 before the first."""
        ...

    async def start(self) -> None:
        """Connects and takes up pending transactions; failures show in `condition`."""
        ...

    async def stop(self) -> None: ...

    def is_address(self, text: str) -> bool: ...

    async def token(self, address: str) -> Token:
        """A token's metadata, read from the chain."""
        ...

    async def balances(self, address: str, tokens: Sequence[Token]) -> Sequence[Balance]:
        """In one batched read; the native coin is a token with address ""."""
        ...

    async def transfer(
        self, sender: str, to: str, token: Token, units: int, intent: str, fees: FeeOptions
    ) -> Transaction: ...

    async def wrap(self, sender: str, units: int, intent: str, fees: FeeOptions) -> Transaction: ...

    async def unwrap(
        self, sender: str, units: int, intent: str, fees: FeeOptions
    ) -> Transaction: ...

    async def transaction(self, hash: str) -> Transaction:
        """By hash, ours or anybody's."""
        ...


@runtime_checkable
class Memoing(Protocol):
    """A network whose transfers can carry a note."""

    async def transfer_with_memo(
        self,
        sender: str,
        to: str,
        token: Token,
        units: int,
        intent: str,
        fees: FeeOptions,
        memo: str,
    ) -> Transaction:
        """As `Network.transfer`; everybody can read the note. FIELD_INVALID for one that cannot be
        sent."""
        ...


@runtime_checkable
class Priced(Protocol):
    """A network that tells what transactions cost."""

    async def estimate_fees(self) -> Sequence[FeeEstimate]:
        """Slow, normal and fast."""
        ...


@runtime_checkable
class Replaceable(Protocol):
    """A network where a pending transaction may be replaced by another of the same sender.

    Both raise Refused when nothing was signed: TRANSACTION_NOT_FOUND, TRANSACTION_FINAL,
    FEE_CAP_EXCEEDED, or UNSUPPORTED_BY_VENUE where the chain has no such thing. `request` names the
    replacement: the same again gives the transaction that it made.
    """

    async def speed_up(self, hash: str, request: str, fees: FeeOptions) -> Transaction:
        """The same once more at a higher price; at most one of the two has an effect."""
        ...

    async def cancel(self, hash: str, request: str, fees: FeeOptions) -> Transaction:
        """One in its place that does nothing; at most one of the two has an effect."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a contract may take of an owner's token, in its smallest units."""

    token: Token
    spender: str
    units: int


@runtime_checkable
class Allowing(Protocol):
    """A network whose tokens can be allowed to contracts."""

    async def allowances(
        self, owner: str, tokens: Sequence[Token], spenders: Sequence[str]
    ) -> Sequence[Allowance]:
        """Those above zero, of tokens and spenders that are named here, in as few reads as may
        be."""
        ...


@runtime_checkable
class Spending(Protocol):
    """A venue whose contracts take tokens that their owners allow them."""

    @property
    def spenders(self) -> Sequence[str]:
        """Those contracts."""
        ...


class Signer(Protocol):
    """The one place that signs; a keystore in the daemon or a service elsewhere."""

    def addresses(self, family: str) -> Sequence[str]:
        """The addresses that it can sign for, of "evm" or "solana"."""
        ...

    async def sign(self, family: str, address: str, payload: bytes) -> bytes:
        """EVM: `payload` is the 32-byte digest, the answer r, s and recovery id (65 bytes).
        Solana: `payload` is the message, the answer its 64-byte signature. Raises Refused with
        WALLETS_LOCKED or WALLET_NOT_FOUND."""
        ...


@runtime_checkable
class TransactionSigner(Protocol):
    """A signer that wants to see what it signs: a service elsewhere, or a device."""

    async def sign_transaction(self, family: str, address: str, unsigned: bytes) -> bytes:
        """EVM: `unsigned` is the serialized transaction whose Keccak-256 is to be signed, the
        answer r, s and recovery id (65 bytes). Raises Refused as `Signer.sign`, and CambistError
        when the service does not answer: nothing was sent then."""
        ...


@runtime_checkable
class MessageSigner(Protocol):
    """A signer that signs structured data (EIP-712) as well as transactions."""

    async def sign_typed_data(self, address: str, preimage: bytes) -> bytes:
        """`preimage` is what is hashed: 0x1901, the domain's hash and the message's, 66 bytes. The
        answer is r, s and recovery id (65 bytes) of a signature over its Keccak-256. Raises Refused
        as `Signer.sign`."""
        ...


@runtime_checkable
class SignatureLog(Protocol):
    """A transaction log that remembers signatures over anything else than transactions."""

    async def signing(
        self, network: str, address: str, intent: str, message: str, details: Mapping[str, str]
    ) -> None:
        """Durable when it returns; called before anything is signed. `message` says in words what
        the signature allows, `details` has its facts by name. Refused with JOURNAL_UNAVAILABLE:
        nothing may be signed then."""
        ...
