"""What a venue file fills in. Everything here is data and pure functions: no I/O, no state."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from cex.engine.commands import Command
from cex.engine.credentials import Credentials
from cex.engine.messages import Ask, BookMessage, FundingChange, Outgoing, Restart, Routed
from cex.engine.messages import Failure as Failure  # a venue file needs it beside the rest
from core.accounts import Balance, FundingPayment, Position
from core.clock import SECOND
from core.errors import Reason
from core.ids import ClientIdRule
from core.instruments import Instrument
from core.market import Candle, Funding, Ticker, Trade
from core.orders import (
    Fill,
    Order,
    OrderReport,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import Channel, KeyPermissions, Standing, VenueKind

C = TypeVar("C", bound=Command[Any])
R = TypeVar("R")


# -- requests --------------------------------------------------------------------------------------


class Layout(Enum):
    """Where an operation's parameters travel."""

    QUERY = 1
    FORM = 2
    JSON = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """When a request is signed: the venue's time in ns, and a number that only grows."""

    now: int
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class NonceRule:
    """Numbers that only grow with the time: one every `unit` ns.

    Venues that are used with one key share its numbers: each takes those that leave `place` when
    divided by `places`.
    """

    unit: int = 1000
    places: int = 1
    place: int = 0

    def after(self, last: int, now: int) -> int:
        """The next number, larger than `last`, at a time in ns."""
        number = max(last + 1, now // self.unit)
        return number + (self.place - number) % self.places


@dataclass(slots=True)
class Draft:
    """A request before it is laid out and signed: a signer turns it into a Request."""

    method: str
    path: str
    layout: Layout
    params: Any  # a mapping; a list where the body is one
    host: str = "rest"


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request as it goes out. Its representation hides what may be secret."""

    method: str
    host: str  # the name of an entry of the venue's hosts
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Request({self.method} {self.host} {self.path})"

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Signer(Protocol):
    """A scheme of authentication; pure. See cex.engine.signing."""

    def sign(self, draft: Draft, credentials: Credentials, moment: Moment) -> Request: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What a parser may need besides the payload."""

    venue: str
    account: str
    instrument: Callable[[str], Instrument]  # by the venue's symbol; raises UnknownSymbol
    asset: Callable[[str], str] = str  # the venue's name of an asset -> ours


@dataclass(frozen=True, slots=True)
class Operation(Generic[C, R]):
    """How a venue answers one command.

    `reply` is the wire type of the answer, `parse` makes our value of it. `cost` is what the call
    takes from each rate-limit pool. `more` gives the command for the next page after a page.
    `cost_at` is the cost at the venue's time (ns), where it depends on how long an order rests.
    `effects` reads a failure reply that nevertheless changed something: what changed, and the
    failure that is left. `failure` is for a reply whose items fail each by itself, `signer` for a
    call that is not authenticated as the others are.
    `already` are the codes of failures that say that it is so already. `better` gives the command
    whose answer, if there is one, is better than this one's: what an order became.
    """

    method: str
    path: str | Callable[[C], str]
    reply: type[R]
    parse: Callable[[R, C, Scope], Any]
    params: Callable[[C], Mapping[str, Any] | Sequence[Any]] = lambda _: {}
    cost: Mapping[str, int] | Callable[[C], Mapping[str, int]] = field(default_factory=dict)
    signed: bool = False
    layout: Layout | None = None  # None: query for GET and DELETE, the venue's for the rest
    host: str = "rest"
    cost_at: Callable[[C, int], Mapping[str, int]] | None = None
    more: Callable[[C, Any], C | None] | None = None
    effects: Callable[[bytes, C, Scope], tuple[Sequence[OrderReport | Fill], Failure]] | None = None
    signer: Signer | None = None  # None: the venue's
    failure: Callable[[int, bytes], Failure | None] | None = None  # None: the venue's
    already: frozenset[str] = frozenset()
    better: Callable[[C, Any], C | None] | None = None


# -- outcomes and limits ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What a venue's error means. The first rule that fits decides.

    `code` is exact, or a range `-1199..-1100`; `text` is a part of the venue's message. `unknown`
    marks an error that does not prove that nothing happened. An error that no rule knows proves
    nothing either. `pools` are the budgets that a RATE_LIMITED error says are exhausted; none
    named means all.
    """

    code: str
    reason: Reason
    text: str = ""
    unknown: bool = False
    pools: tuple[str, ...] = ()


def rules(*rows: tuple[str, Reason] | tuple[str, Reason, str], **more: Any) -> list[ErrorRule]:
    """Error rules as a table: codes with spaces between, reason, part of the text."""
    return [
        ErrorRule(code, row[1], row[2] if len(row) > 2 else "", **more)
        for row in rows
        for code in row[0].split()
    ]


REQUESTED = ""  # in the figures of a reply: the pools that the request took from


class Window(Enum):
    """How a venue counts: FIXED windows start at multiples of the interval, ROLLING ones move; a
    DECAYING counter grows by what is asked, up to the limit, and loses a whole limit in an interval
    (Kraken's 15 that loses one in three seconds: limit 15, interval 45 s)."""

    FIXED = 1
    ROLLING = 2
    DECAYING = 3


@dataclass(frozen=True, slots=True)
class Pool:
    """A budget that a venue meters: so much in so long, for an IP address or for an account.

    A cost may name "pool/word": a budget of its own for each word, an instrument say. A `shared`
    budget is one with that of the same name of every other venue at the same REST host: a spot and
    a perpetual product with one limit for an address, say.
    """

    name: str
    limit: int
    interval: int  # ns
    account: bool = False
    window: Window = Window.FIXED
    shared: bool = False


# -- streams ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """One connection of a stream, for the functions that write its frames."""

    id: int  # grows with each frame that needs one
    moment: Moment
    credentials: Credentials | None = None
    token: str = ""


def _no_frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """A websocket of a venue.

    `route` sorts a frame into data (topic and payload) and control. `opening` are the steps after
    the connection stands, each confirmed before the next: log in, subscribe. `token` is asked for
    by REST before connecting, `keep_token` sent every `keep_interval`. `path` may hold the token.
    `ping` writes the venue's own ping frame where it is not the websocket's. After `quiet` without
    a frame we ping; after `silence` the connection counts as dead. `ping_every` (ns, from the
    token) is for venues that want to hear us whatever they send. `greeting` is the key of what the
    venue says first: we wait for it, though not for ever.
    """

    host: str
    route: Callable[[bytes], Iterable[Routed]]
    path: str | Callable[[Session], str] = ""
    headers: Callable[[Session], Mapping[str, str]] | None = None
    opening: Sequence[Callable[[Session], Sequence[Outgoing]]] = ()
    subscribe: Callable[[Sequence[str], Session], Sequence[Outgoing]] = _no_frames
    unsubscribe: Callable[[Sequence[str], Session], Sequence[Outgoing]] = _no_frames
    token: Command[str] | None = None
    keep_token: Callable[[str], Command[None]] | None = None
    keep_interval: int = 0  # ns
    ping: Callable[[int], bytes] | None = None
    ping_every: Callable[[str], int] | None = None
    greeting: str = ""
    quiet: int = 15 * SECOND
    silence: int = 40 * SECOND
    inflate: Callable[[bytes], bytes] | None = None  # for binary frames
    connect: Mapping[str, int] = field(default_factory=dict)  # what connecting takes from pools
    max_topics: int = 200
    topics_per_frame: int = 100
    frame_interval: int = SECOND // 4  # ns between our frames


class Start(Enum):
    """Where a book begins."""

    REST = 1  # a snapshot by REST, then the stream's changes
    STREAM = 2  # the stream begins with a snapshot
    WHOLE = 3  # every message is the whole book


class Verdict(Enum):
    """Whether a message continues a book."""

    APPLY = 1
    OLD = 2
    GAP = 3


@dataclass(frozen=True, slots=True)
class BookRule:
    """How a venue's book is kept.

    `verdict` compares a message with the book's sequence; the third argument is true for the first
    message after a snapshot. `checksum` computes what the venue sends, from bids and asks (columns,
    best first); `checksum_for` makes that of an instrument, where it needs the instrument's
    precision. `trim` is the depth to cut the book to after each message, 0 for none.

    A book on which nothing came for `quiet` ns is held against one by REST; 0: it is not. Where the
    venue tells something of every book at least every `heartbeat` ns, a longer silence is proof
    enough. See cex.engine.silence. `rounds`: by REST quantities are rounded, so that only prices
    can be compared.
    """

    start: Start
    verdict: Callable[[BookMessage, int, bool], Verdict]
    depth: int = 1000  # of the REST snapshot
    checksum: Callable[[Any], int] | None = None
    checksum_for: Callable[[Instrument], Callable[[Any], int]] | None = None
    trim: int = 0
    quiet: int = 30 * SECOND
    heartbeat: int = 0
    rounds: bool = False

    def of(self, instrument: Instrument) -> "BookRule":
        """The rule for the book of one instrument."""
        if self.checksum_for is None:
            return self
        return replace(self, checksum=self.checksum_for(instrument), checksum_for=None)


MarketValue = BookMessage | Trade | Ticker | Candle | Funding | FundingChange
MarketParser = Callable[[Any, Instrument, int], Iterable[MarketValue]]
"""A payload of a topic, its instrument, the receive time (ns)."""
TopicsOf = Callable[[Instrument, int], Mapping[str, MarketParser]]
"""An instrument, an interval (seconds, for candles) -> topics with their parsers."""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One kind of market data: which topics carry it, and their parsers. `beside` are the topics
    of it that other streams carry.

    `intervals` (seconds) are the candles that are streamed; empty: all that the venue has.
    """

    topics: TopicsOf
    stream: str = "public"
    book: BookRule | None = None
    intervals: frozenset[int] = frozenset()
    beside: Mapping[str, TopicsOf] = field(default_factory=dict)


AccountValue = OrderReport | Fill | Balance | Position | FundingPayment | Restart | Ask
AccountParser = Callable[[Any, Scope], Iterable[AccountValue]]


@dataclass(frozen=True, slots=True)
class PrivateSpec:
    """An account's stream: its topics and their parsers; "" is the parser of all other topics.
    `beside` are further connections, where the venue spreads its topics over several. `ask_pause`
    is the least time (ns) from one Ask to the next of its kind, where budgets are small."""

    stream: StreamSpec
    topics: Mapping[str, AccountParser]
    beside: Sequence["PrivateSpec"] = ()
    ask_pause: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEntry:
    """Commands that a venue takes over a websocket too. The engine sends them there while it is
    connected, and by REST else.

    `words` are the commands with the venue's word for each. `write` makes the frame of one from
    its word, the command, its operation's parameters and the session; None where this one must go
    by REST. The frame has one key, which `route` gives back in an Answer. `operations` replace
    those of REST where parameters, reply, parser or cost differ. `stream` is a connection for
    commands only; None: they go over the account's stream.
    """

    words: Mapping[type[Command[Any]], str]
    write: Callable[[str, Any, Any, Session], Outgoing | None]
    operations: Mapping[type[Command[Any]], Operation[Any, Any]] = field(default_factory=dict)
    stream: StreamSpec | None = None


# -- the venue -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSpec:
    """A venue as data. A sister site is `dataclasses.replace` with a few fields changed."""

    id: str
    name: str
    kind: VenueKind
    documentation: str
    hosts: Mapping[str, str]
    operations: Mapping[type[Command[Any]], Operation[Any, Any]]
    streams: Mapping[str, StreamSpec]
    channels: Mapping[Channel, ChannelSpec]
    private: PrivateSpec
    signer: Signer
    failure: Callable[[int, bytes], Failure | None]
    errors: Sequence[ErrorRule]
    pools: Sequence[Pool]
    usage: Callable[[Mapping[str, str]], Mapping[str, int]]  # reply headers -> used, by pool
    intervals: Mapping[int, str]  # candles: seconds -> the venue's word
    order_types: frozenset[tuple[OrderType, TimeInForce]]
    client_id: ClientIdRule
    settle_time: int  # ns; see core.ports.Account.settle_time
    entry: OrderEntry | None = None
    body: Layout = Layout.JSON  # of POST, PUT and PATCH
    nonce: NonceRule = NonceRule()
    credentials: frozenset[str] = frozenset({"api_key", "secret"})
    # What credentials tell of themselves, where that needs no GetKeyPermissions. Raises ValueError
    # when they are none.
    key_permissions: Callable[[Credentials], KeyPermissions] | None = None
    book_depths: Sequence[int] = ()  # of REST books; empty: any
    limit_pause: int = 60 * SECOND  # after "rate limit exceeded" without a word on how long
    # Reply headers that say how long to wait, with the unit (ns).
    wait_headers: Mapping[str, int] = field(default_factory=lambda: {"retry-after": SECOND})
    headers: Mapping[str, str] = field(default_factory=dict)  # of every request
    # How many orders CancelOrders takes at once, and which together: a size a group.
    # How many orders PlaceOrders takes at once, and which together: a size a group.
    place_batch: int | Mapping[Any, int] = 0
    place_group: Callable[[OrderRequest], Any] = lambda request: None
    cancel_batch: int | Mapping[Any, int] = 0
    cancel_group: Callable[[Order], Any] = lambda order: None
    max_skew: int = 60 * SECOND  # a machine's clock this far off is not to be trusted
    cancel_all_by_instrument: bool = True
    timer_by_instrument: bool = False  # CancelAfter is of one
    bounded: frozenset[Side] = frozenset()  # market orders of these sides need a worst price
    margin_by_order: bool = False  # the margin mode is each order's; nothing is declared
    leverage_by_side: bool = False  # with isolated margin, the long and the short have their own
    replaces_in_place: bool = False  # a replacement keeps the order and its client order id
    by_venue_id: bool = False  # an order is canceled and replaced by the venue's id only
    standing: Standing = Standing.GREEN
    standing_since: str = ""
    standing_evidence: str = ""
