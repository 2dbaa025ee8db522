"""Gate spot, and its test network.

https://www.gate.com/docs/developers/apiv4/en/ and …/apiv4/ws/en/: REST and websocket v4, as of
2025-11. For classic and unified accounts, which trade spot from their own default account. Price
orders, its stops, carry no id of ours: one whose reply is lost could not be recognised again, so
that this file does not place them.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Raw, field

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec, wire
from cex.engine.messages import Ack, Answer, BookMessage, Nack, Outgoing, Routed
from cex.engine.parse import Page, next_page
from cex.engine.shapes import shape
from cex.engine.signing import LinesSigner
from cex.engine.spans import Spans
from cex.engine.spec import REQUESTED, Failure, Operation, Pool, Scope, Session, Window, rules
from cex.engine.wire import (
    Wire,
    decoder,
    holding,
    list_of,
    lookup,
    member,
    milliseconds,
    number,
    optional,
    positive,
)
from core.accounts import Balance
from core.clock import MILLISECOND, SECOND
from core.errors import Reason
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.market import Candle, Ticker, Trade
from core.money import ZERO, text
from core.orders import (
    Fill,
    Liquidity,
    Order,
    OrderReport,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import Channel, KeyPermissions, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawError(Wire):
    label: str
    message: str = ""
    detail: str = ""

class RawPair(Wire):
    id: str
    base: str
    quote: str
    amount_precision: int
    precision: int
    trade_status: str
    min_base_amount: Raw = Raw()
    max_base_amount: Raw = Raw()
    min_quote_amount: Raw = Raw()

class RawDetail(Wire):
    ip_whitelist: list[str] | None = None

class RawPending(Wire):
    orders: list[Raw]

class RawTold(Wire):
    """What an order tells besides, in a reply by `status`, on the stream by `event`."""

    left: Raw
    event: str = ""
    finish_as: str = ""
    create_time: Raw = Raw()
    update_time: Raw = Raw()
    succeeded: bool = True  # of an order that was one of several to cancel

class RawDiscount(Wire):
    """Fees paid in another way than from what was traded."""

    gt_fee: Raw = Raw()
    point_fee: Raw = Raw()

class SocketError(Wire):
    code: int = 0
    message: str = ""

class Frame(Wire):
    channel: str
    event: str = ""
    id: int | None = None
    time_ms: int = 0
    error: SocketError | None = None
    result: Raw = Raw()

class Depth(BookMessage, kw_only=True, gc=False):
    s: str
    last: int = field(name="u")
    first: int = field(name="U", default=0)
    bids: Sequence[tuple[str, str]] = field(name="b", default=())
    asks: Sequence[tuple[str, str]] = field(name="a", default=())
    event_time: int = field(name="t", default=0)
    whole: bool = field(name="full", default=False)

class BookFrame(Wire):
    """There are many a second: decoded at one go."""

    channel: str
    result: Depth

class Named(Wire):
    """What a result is about."""

    s: str = ""
    currency_pair: str = ""
    n: str = ""

class Header(Wire):
    channel: str
    status: str | int
    x_gate_ratelimit_requests_remain: int = 0
    x_gate_ratelimit_limit: int = 0

class Outcome(Wire):
    result: Raw = Raw(b"{}")
    errs: Raw = Raw()

class EntryFrame(Wire):
    """What the order entry's websocket sends: the reply to a frame of ours."""

    request_id: str = ""
    ack: bool = False
    header: Header | None = None
    data: Outcome | None = None
    channel: str = ""

BOOK = {"bids": "bids", "asks": "asks", "last": "id?", "event_time": "update?"}
RawBook = shape(BookMessage, BOOK)
RawTicker = shape(shapes.TickerShape, {
    "bid_price": "highest_bid?", "bid_quantity": "highest_size?", "ask_price": "lowest_ask?",
    "ask_quantity": "lowest_size?", "last_price": "last", "high_price": "high_24h?",
    "low_price": "low_24h?", "volume": "base_volume?", "quote_volume": "quote_volume?"})
TRADE = {
    "trade_id": "id", "side": "side", "price": "price", "quantity": "amount",
    "time": "create_time_ms"}
RawTrade = shape(shapes.TradeShape, TRADE)
RawCandle = shape(shapes.CandleShape, [
    "open_time", "quote_volume", "close", "high", "low", "open", "volume", "closed"])
decode_order = decoder(shape(shapes.OrderShape, {
    "symbol": "currency_pair", "venue_order_id": "id", "client_order_id": "text?",
    "status": "status?", "type": "type", "side": "side", "time_in_force": "time_in_force?",
    "price": "price?", "quantity": "amount", "filled_quantity": "filled_amount?",
    "filled_notional": "filled_total?", "create_time": "create_time_ms?",
    "update_time": "update_time_ms?"}))
decode_fill = decoder(shape(shapes.FillShape, {
    "trade_id": "id", "venue_order_id": "order_id", "client_order_id": "text?",
    "symbol": "currency_pair?", "side": "side", "price": "price", "quantity": "amount",
    "fee": "fee?", "fee_asset": "fee_currency?", "liquidity": "role", "time": "create_time_ms"}))
RawBalance = shape(shapes.BalanceShape, {
    "asset": "currency", "available": "available", "locked": "locked"})
decode_balance = decoder(shape(shapes.BalanceShape, {
    "asset": "currency", "total": "total", "available": "available"}))
decode_book_frame = decoder(BookFrame)
# Its best prices are a second old: those of the other topic count.
decode_statistics = decoder(shape(shapes.TickerShape, {
    "last_price": "last", "high_price": "high_24h?", "low_price": "low_24h?",
    "volume": "base_volume?", "quote_volume": "quote_volume?"}))
decode_quote = decoder(shape(shapes.TickerShape, {
    "bid_price": "b", "bid_quantity": "B", "ask_price": "a", "ask_quantity": "A", "time": "t?"}))
decode_candle = decoder(shape(shapes.CandleShape, {
    "open_time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "a?",
    "quote_volume": "v", "closed": "w?"}))
# Without the discount for paying in GT, which holds only while there is GT to pay with.
RawFees = shape(shapes.FeesShape, {"maker": "maker_fee", "taker": "taker_fee"})
decode_error, decode_told, decode_discount = (
    decoder(RawError), decoder(RawTold), decoder(RawDiscount))
decode_frame, decode_named = decoder(Frame), decoder(Named)
decode_entry, decode_rows = decoder(EntryFrame), decoder(list[Raw])
decode_trade, trade_time = decoder(RawTrade), member("timestamp_ms")

# -- words -----------------------------------------------------------------------------------------

def seconds(raw: Raw) -> int:
    return int((optional(raw) or 0) * SECOND)

WORDS = parse.Words(
    sides={"buy": Side.BUY, "sell": Side.SELL},
    statuses={
        "open": OrderStatus.OPEN, "closed": OrderStatus.FILLED, "cancelled": OrderStatus.CANCELED,
        "expired": OrderStatus.EXPIRED},  # the last is ours, made of why it was cancelled
    types={
        **{f"limit{lent}": (OrderType.LIMIT, None)
           for lent in ("", "_repay", "_borrow", "_borrow_repay")},
        **{f"market{lent}": (OrderType.MARKET, None)
           for lent in ("", "_repay", "_borrow", "_borrow_repay")}},
    times_in_force={
        "gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK,
        "poc": TimeInForce.POST_ONLY},
    time=milliseconds,
    liquidities={"maker": Liquidity.MAKER, "taker": Liquidity.TAKER})
CANDLE_WORDS = replace(WORDS, time=seconds)
EVENTS = {"put": "open", "update": "open", "finish": "cancelled"}
TIMES = {time: word for word, time in WORDS.times_in_force.items()}
MARKET_TIMES = {TimeInForce.GTC: "ioc", TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok"}
# Why the venue ended an order that nobody cancelled.
EXPIRED = dict.fromkeys(
    ("ioc", "fok", "poc", "stp", "small", "depth_not_enough", "trader_not_enough",
     "price_protect_cancelled"), "expired")
# Where only one side trades, the venue refuses the other.
STATUSES = dict.fromkeys(("tradable", "buyable", "sellable"), InstrumentStatus.TRADING)
INTERVALS = {
    1: "1s", 10: "10s", 60: "1m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 14400: "4h",
    28800: "8h", 86400: "1d", 604800: "7d"}
DEPTH = 100  # levels a side of its books
DAY = 86_400 * SECOND
SPANS = Spans(30 * DAY, kept=365 * DAY, names=("from", "to"), unit=SECOND)  # of fills
FILLS, ORDERS = 1000, 100  # a reply
VALID = 5 * SECOND  # a change that arrives later is turned away

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawPair, venue: str) -> Instrument:
    return Instrument(
        venue, f"{raw.base}-{raw.quote}", raw.id, InstrumentKind.SPOT,
        raw.base, raw.quote, raw.quote,
        price_tick=parse.increment(raw.precision),
        quantity_step=parse.increment(raw.amount_precision),
        min_quantity=positive(raw.min_base_amount) or ZERO,
        max_quantity=positive(raw.max_base_amount) or ZERO,
        min_notional=positive(raw.min_quote_amount) or ZERO,
        # A word that is new to us must not open a market.
        status=STATUSES.get(raw.trade_status, InstrumentStatus.HALTED))

def parse_book(raw: Any, command: ask.GetBook, scope: Scope) -> BookMessage:
    return BookMessage(
        raw.bids, raw.asks, raw.last, event_time=raw.event_time * MILLISECOND, whole=True)

def parse_trades(raw: Any, command: ask.GetTrades, scope: Scope) -> list[Trade]:
    found = [parse.trade(item, WORDS, command.instrument) for item in raw]
    return sorted(found, key=lambda trade: (trade.event_time, len(trade.trade_id), trade.trade_id))

def ours(name: str) -> str:
    """An id of ours; the others only say where an order came from: web, app, apiv4."""
    return name if name.startswith("t-") else ""

def told_of(item: Raw) -> tuple[Any, RawTold]:
    """An order, and what it tells besides: together they say why it ended."""
    raw, told = decode_order(item), decode_told(item)
    raw.client_order_id = ours(raw.client_order_id)
    raw.status = raw.status or lookup(EVENTS, told.event, "order event")
    if raw.status == "cancelled":
        raw.status = {"filled": "closed", **EXPIRED}.get(told.finish_as, raw.status)
    return raw, told

def report(item: Raw) -> OrderReport:
    """The amounts of an order are told in several ways, of which what is left is always there."""
    raw, told = told_of(item)
    said = parse.report(raw, WORDS)
    in_quote = raw.type.startswith("market") and raw.side == "buy"  # placed elsewhere
    filled = said.filled_quantity if in_quote else number(raw.quantity) - number(told.left)
    return replace(
        said, quantity=None if in_quote else said.quantity, filled_quantity=filled,
        # That of an order which does not stay may be our bound of a market order.
        price=said.price if raw.time_in_force in ("gtc", "poc") else None,
        reason=told.finish_as if told.finish_as in EXPIRED else "",
        event_time=said.event_time or seconds(told.update_time))

def order(item: Raw, scope: Scope) -> Order:
    (raw, told), said = told_of(item), report(item)
    return replace(
        parse.order(raw, WORDS, scope), filled_quantity=said.filled_quantity or ZERO,
        create_time=milliseconds(raw.create_time) or seconds(told.create_time),
        update_time=said.event_time)

def parse_changed(raw: Raw, command: Any, scope: Scope) -> ask.Reports:
    return [report(raw)]

def parse_all_canceled(raw: list[Raw], command: ask.CancelAll, scope: Scope) -> ask.Reports:
    return [report(item) for item in raw if decode_told(item).succeeded]

def parse_order(raw: Raw, command: ask.GetOrder, scope: Scope) -> Any:
    """By its own id, or found among those that ended, in pages."""
    if not command.closed:
        return report(raw)
    rows = decode_rows(raw)
    name = command.order.client_order_id
    found = next((row for row in rows if decode_order(row).client_order_id == name), None)
    if found is not None:
        return report(found)
    return Page((), str(page_of(command) + 1)) if len(rows) == ORDERS else None

def parse_orders(raw: list[RawPending], command: ask.ListOpenOrders, scope: Scope) -> Page[Order]:
    """A page has so many of each pair."""
    found = [order(item, scope) for pair in raw for item in pair.orders]
    wanted = [o for o in found if command.instrument is None
              or o.request.instrument == command.instrument.id]
    more = any(len(pair.orders) == ORDERS for pair in raw)
    return Page(wanted, str(page_of(command) + 1) if more else "")

def fill(item: Raw, scope: Scope, instrument: Instrument | None = None) -> Fill:
    """A fee may be paid in GT or in points instead; where no currency is named, what was received
    pays it."""
    raw, paid = decode_fill(item), decode_discount(item)
    raw.client_order_id = ours(raw.client_order_id)
    made = parse.fill(raw, WORDS, scope, instrument)
    for amount, asset in ((positive(paid.gt_fee), "GT"), (positive(paid.point_fee), "POINT")):
        if amount is not None:
            return replace(made, fee=amount, fee_asset=asset)
    traded = instrument or scope.instrument(raw.symbol)
    received = traded.base if made.side is Side.BUY else traded.quote
    return replace(made, fee_asset=made.fee_asset or received)

def parse_fills(raw: list[Raw], command: ask.ListFills, scope: Scope) -> Page[Fill]:
    found = [fill(item, scope, command.instrument) for item in reversed(raw)]
    return Page(found, str(page_of(command) + 1) if len(raw) == FILLS else "")

def parse_balances(raw: list[Any], command: Any, scope: Scope) -> list[Balance]:
    return [parse.balance(item, scope) for item in raw]

def parse_failure(status: int, body: bytes) -> Failure | None:
    if status < 400:
        return None
    error = decode_error(body)
    return Failure(error.label, error.message or error.detail)

def parse_key(raw: RawDetail, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    """It tells no more of a key than its addresses."""
    return KeyPermissions(
        bound_to_address=None if raw.ip_whitelist is None else bool(raw.ip_whitelist))

# -- encoders --------------------------------------------------------------------------------------

def symbol_of(command: Any) -> dict[str, Any]:
    return {"currency_pair": command.instrument.venue_symbol}

def encode_place(command: ask.Place) -> dict[str, Any]:
    """A market buy counts in quote there: it goes as a limit order that does not stay."""
    request, price = command.request, command.request.price or command.bound
    market = request.type is OrderType.MARKET
    times = MARKET_TIMES if market else TIMES
    return {
        "text": request.client_order_id, **symbol_of(command),
        "type": "limit" if price is not None else "market",
        "side": request.side.name.lower(), "amount": text(request.quantity),
        **({} if price is None else {"price": text(price)}),
        "time_in_force": times[request.time_in_force]}

def name_of(order: Order) -> str:
    """By its own name only while it is open."""
    return order.venue_order_id or order.client_order_id

def order_path(command: Any) -> str:
    return f"/api/v4/spot/orders/{name_of(command.order)}"

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    """In place; the amount counts what is filled."""
    return {**symbol_of(command), "amount": text(command.quantity), "price": text(command.price)}

def page_of(command: Any) -> int:
    return int(command.cursor or 1)

def encode_order(command: ask.GetOrder) -> dict[str, Any]:
    """What ended is searched from a minute before it was made."""
    if not command.closed:
        return symbol_of(command)
    made = command.order.create_time // SECOND - 60
    return {**symbol_of(command), "status": "finished", "page": page_of(command), "limit": ORDERS,
            **({"from": made} if made > 0 else {}),
            "side": command.order.request.side.name.lower()}

def next_order(command: ask.GetOrder, page: Any) -> ask.GetOrder | None:
    if command.order.venue_order_id:
        return None
    if not command.closed:
        return replace(command, closed=True)
    return replace(command, cursor=page.cursor) if page is not None else None

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    """Either the latest so many, or those of a span, both ends included."""
    params = {**symbol_of(command), "interval": INTERVALS[command.interval]}
    limit, span = min(command.limit, 1000), (min(command.limit, 1000) - 1) * command.interval
    if command.start is None and command.end is None:
        return {**params, "limit": limit}
    if command.start is None:
        end = (command.end or 0) // SECOND
        return {**params, "from": end - span, "to": end}
    start = -(-command.start // SECOND)
    last = start + span
    return {**params, "from": start,
            "to": last if command.end is None else min(command.end // SECOND, last)}

def encode_timer(command: ask.CancelAfter) -> dict[str, Any]:
    """In five seconds at the soonest."""
    seconds = -(-command.timeout // SECOND)
    return {"timeout": max(seconds, 5) if seconds else 0}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    span = SPANS.of(command)
    return {**symbol_of(command), "limit": FILLS, "page": page_of(command), **span,
            "to": min(span["to"], command.now // SECOND)}

# -- streams ---------------------------------------------------------------------------------------

PRIVATE_CHANNELS = ("spot.orders_v2", "spot.usertrades", "spot.balances")

def route(frame: bytes) -> Iterable[Routed]:
    if b'"spot.order_book_update"' in frame and b'"update"' in frame:
        book = decode_book_frame(frame)
        return ((f"{book.channel}:{book.result.s}", book.result),)
    raw = decode_frame(frame)
    if raw.channel == "spot.pong":
        return ()
    if raw.error is not None:
        return (Nack(str(raw.id), str(raw.error.code), raw.error.message),)
    if raw.event in ("subscribe", "unsubscribe"):
        return () if raw.id is None else (Ack(str(raw.id)),)
    if raw.channel in PRIVATE_CHANNELS:
        return ((raw.channel, raw.result),)
    about = decode_named(raw.result)
    name = about.s or about.currency_pair or about.n
    if not name or raw.channel == "spot.order_book_update":
        raise ValueError("neither data nor an answer")
    return ((f"{raw.channel}:{name}", raw),)

def write(event: str) -> Any:
    """Pairs that need nothing else share a frame; candles and books have one each."""
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        payloads: list[tuple[str, list[str]]] = []
        shared: dict[str, list[str]] = {}
        for topic in topics:
            channel, _, name = topic.partition(":")
            if channel == "spot.order_book_update":
                payloads.append((channel, [name, "100ms"]))
            elif channel == "spot.candlesticks":
                interval, _, pair = name.partition("_")
                payloads.append((channel, [interval, pair]))
            elif channel == "spot.balances":
                payloads.append((channel, []))
            elif channel in PRIVATE_CHANNELS:
                payloads.append((channel, ["!all"]))
            else:
                shared.setdefault(channel, []).append(name)
        return [
            written(event, channel, payload, session, session.id * 1000 + place)
            for place, (channel, payload) in enumerate([*payloads, *shared.items()])]
    return frames

def written(
    event: str, channel: str, payload: list[str], session: Session, id: int
) -> Outgoing:
    message: dict[str, Any] = {
        "time": session.moment.now // SECOND, "id": id, "channel": channel, "event": event}
    if payload:
        message["payload"] = payload
    if channel in PRIVATE_CHANNELS:
        assert session.credentials is not None
        message["auth"] = SIGNER.sign_event(channel, event, session.credentials, session.moment)
    return Outgoing(wire.encode(message), (str(id),))

def ping(now: int) -> bytes:
    return wire.encode({"time": now // SECOND, "channel": "spot.ping"})

def log_in(session: Session) -> Sequence[Outgoing]:
    assert session.credentials is not None
    name, channel = str(session.id), "spot.login"
    signed = SIGNER.sign_login(channel, session.credentials, session.moment)
    return [Outgoing(wire.encode({
        "time": session.moment.now // SECOND, "channel": channel, "event": "api",
        "payload": {**signed, "req_id": name}}), (name,))]

def write_order(
    word: str, command: Any, params: Mapping[str, Any], session: Session
) -> Outgoing | None:
    """As by REST, with the order's name among the parameters. One word cancels all of a pair."""
    if isinstance(command, ask.CancelAll) and command.instrument is None:
        return None
    named = {} if isinstance(command, ask.Place | ask.CancelAll) else {
        "order_id": name_of(command.order)}
    name = str(session.id)
    payload = {"req_id": name, "req_param": {**named, **params},
               "req_header": SIGNER.expiry(session.moment)}
    return Outgoing(wire.encode({
        "time": session.moment.now // SECOND, "channel": word, "event": "api",
        "payload": payload}), (name,))

def route_entry(frame: bytes) -> Iterable[Routed]:
    """What comes first only says that the order arrived."""
    raw = decode_entry(frame)
    if raw.ack or raw.channel == "spot.pong":
        return ()
    if raw.header is None or raw.data is None:
        raise ValueError("neither an answer nor its announcement")
    header, errors = raw.header, bytes(raw.data.errs)
    failed = errors not in (b"", b"null")
    if header.channel == "spot.login":
        error = decode_error(errors) if failed else None
        return (Nack(raw.request_id, error.label, error.message) if error else
                Ack(raw.request_id),)
    status = int(header.status)
    used = used_of("place", header.x_gate_ratelimit_limit, header.x_gate_ratelimit_requests_remain)
    return (Answer(
        raw.request_id, max(status, 400) if failed else status,
        errors if failed else bytes(raw.data.result), used),)

def verdict(message: BookMessage, sequence: int, first: bool) -> spec.Verdict:
    if message.last <= sequence:
        return spec.Verdict.OLD
    return spec.Verdict.APPLY if message.first <= sequence + 1 else spec.Verdict.GAP

def read_book(message: Depth, instrument: Instrument, received: int) -> Iterable[BookMessage]:
    message.event_time *= MILLISECOND
    return (message,)

def read_trade(frame: Frame, instrument: Instrument, received: int) -> Iterable[Trade]:
    return (parse.trade(decode_trade(frame.result), WORDS, instrument, received),)

def read_statistics(frame: Frame, instrument: Instrument, received: int) -> Iterable[Ticker]:
    told = parse.ticker(decode_statistics(frame.result), WORDS, instrument, received)
    return (replace(told, event_time=frame.time_ms * MILLISECOND),)

def read_quote(frame: Frame, instrument: Instrument, received: int) -> Iterable[Ticker]:
    return (parse.ticker(decode_quote(frame.result), WORDS, instrument, received),)

def read_candles(interval: int) -> spec.MarketParser:
    """Before mid-2021 only the quote volume was told: nothing traded is nothing in base too."""
    def read(frame: Frame, instrument: Instrument, received: int) -> Iterable[Candle]:
        raw = decode_candle(frame.result)
        if optional(raw.volume) is None:
            if number(raw.quote_volume):
                return ()
            raw.volume = raw.quote_volume
        return (parse.candle(raw, CANDLE_WORDS, instrument, interval),)
    return read

def rows(read: Callable[[Raw, Scope], Any]) -> spec.AccountParser:
    return lambda payload, scope: [read(item, scope) for item in decode_rows(payload)]

def read_balance(item: Raw, scope: Scope) -> Balance:
    return parse.balance(decode_balance(item), scope, milliseconds(trade_time(item)))

# -- tables ----------------------------------------------------------------------------------------

SIGNER = LinesSigner(VALID)
LIMITS = {  # of an address or an account: each endpoint so many in ten seconds
    False: ("time", "pairs", "book", "tickers", "trades", "candles"),
    True: ("order", "orders", "open_orders", "fills", "balances", "fees", "detail", "timer")}
POOLS = (
    *(Pool(name, 200, 10 * SECOND, account, Window.ROLLING)
      for account, names in LIMITS.items() for name in names),
    # New and changed orders of each pair; cancels of all.
    Pool("place", 10, SECOND, account=True, window=Window.ROLLING),
    Pool("cancel", 200, SECOND, account=True, window=Window.ROLLING))

def used_of(pool: str, limit: int, remain: int) -> dict[str, int]:
    return {pool: max(limit - remain, 0)} if limit else {}

def usage(headers: Mapping[str, str]) -> dict[str, int]:
    """What is left of the budget of the endpoint that was asked."""
    limit, left = (headers.get(f"x-gate-ratelimit-{name}", "")
                   for name in ("limit", "requests-remain"))
    known = limit.isdecimal() and left.isdecimal()
    return used_of(REQUESTED, int(limit), int(left)) if known else {}

def place_cost(command: Any) -> dict[str, int]:
    return {f"place/{command.instrument.venue_symbol}": 1}

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/api/v4/spot/time", holding("server_time"),
        lambda raw, command, scope: milliseconds(raw.value), cost={"time": 1}),
    ask.ListInstruments: Operation(
        "GET", "/api/v4/spot/currency_pairs", list[RawPair],
        lambda raw, command, scope: [parse_instrument(item, scope.venue) for item in raw],
        cost={"pairs": 1}),
    ask.GetBook: Operation(
        "GET", "/api/v4/spot/order_book", RawBook, parse_book,
        lambda command: {**symbol_of(command), "limit": min(max(command.depth, 1), DEPTH),
                         "with_id": "true"}, {"book": 1}),
    ask.GetTicker: Operation(
        "GET", "/api/v4/spot/tickers", list_of(RawTicker), readers.first(readers.ticker(WORDS)),
        symbol_of, {"tickers": 1}),
    ask.GetTrades: Operation(
        "GET", "/api/v4/spot/trades", list_of(RawTrade), parse_trades,
        lambda command: {**symbol_of(command), "limit": min(command.limit, 1000)}, {"trades": 1}),
    ask.GetCandles: Operation(
        "GET", "/api/v4/spot/candlesticks", list_of(RawCandle), readers.candles(CANDLE_WORDS),
        encode_candles, {"candles": 1}),
    ask.Place: Operation(
        "POST", "/api/v4/spot/orders", Raw, parse_changed, encode_place, place_cost, signed=True),
    ask.Cancel: Operation(
        "DELETE", order_path, Raw, parse_changed, symbol_of, {"cancel": 1}, signed=True),
    ask.CancelAll: Operation(
        "DELETE", "/api/v4/spot/orders", list[Raw], parse_all_canceled,
        lambda command: symbol_of(command) if command.instrument else {}, {"cancel": 1},
        signed=True),
    ask.CancelAfter: Operation(  # of the orders in all pairs
        "POST", "/api/v4/spot/countdown_cancel_all", dict, lambda raw, command, scope: None,
        encode_timer, {"timer": 1}, signed=True),
    ask.Replace: Operation(
        "PATCH", order_path, Raw, parse_changed, encode_replace, place_cost, signed=True),
    ask.GetOrder: Operation(
        "GET", lambda command: "/api/v4/spot/orders" if command.closed else order_path(command),
        Raw, parse_order, encode_order,
        lambda command: {"orders" if command.closed else "order": 1}, signed=True,
        more=next_order),
    ask.ListOpenOrders: Operation(
        "GET", "/api/v4/spot/open_orders", list[RawPending], parse_orders,
        lambda command: {"page": page_of(command), "limit": ORDERS}, {"open_orders": 1},
        signed=True, more=next_page),
    ask.ListFills: Operation(
        "GET", "/api/v4/spot/my_trades", list[Raw], parse_fills, encode_fills, {"fills": 1},
        signed=True, more=SPANS.following),
    ask.GetBalances: Operation(
        "GET", "/api/v4/spot/accounts", list_of(RawBalance), parse_balances,
        cost={"balances": 1}, signed=True),
    ask.GetFees: Operation(
        "GET", "/api/v4/wallet/fee", RawFees, readers.fees, symbol_of, {"fees": 1}, signed=True),
    ask.GetKeyPermissions: Operation(
        "GET", "/api/v4/account/detail", RawDetail, parse_key, cost={"detail": 1}, signed=True),
}

def topics(**channels: spec.MarketParser) -> Any:
    return lambda instrument, interval: {
        f"spot.{name}:{instrument.venue_symbol}": parser for name, parser in channels.items()}

CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(
        topics(order_book_update=read_book),
        book=spec.BookRule(spec.Start.REST, verdict, depth=DEPTH)),
    Channel.TRADES: spec.ChannelSpec(topics(trades=read_trade)),
    Channel.TICKER: spec.ChannelSpec(topics(tickers=read_statistics, book_ticker=read_quote)),
    Channel.CANDLES: spec.ChannelSpec(lambda instrument, interval: {
        f"spot.candlesticks:{INTERVALS[interval]}_{instrument.venue_symbol}":
            read_candles(interval)}),
}
STREAM = spec.StreamSpec(
    host="stream", path="/ws/v4/", route=route, subscribe=write("subscribe"),
    unsubscribe=write("unsubscribe"), ping=ping, frame_interval=SECOND // 50)
PRIVATE = spec.PrivateSpec(
    STREAM,
    {"spot.orders_v2": rows(lambda item, scope: report(item)), "spot.usertrades": rows(fill),
     "spot.balances": rows(read_balance)})
ENTRY = spec.OrderEntry(
    words={
        ask.Place: "spot.order_place", ask.Cancel: "spot.order_cancel",
        ask.CancelAll: "spot.order_cancel_cp", ask.Replace: "spot.order_amend"},
    write=write_order,
    stream=replace(STREAM, route=route_entry, opening=(log_in,)))
ERRORS = (
    *rules(
        ("INTERNAL SERVER_ERROR TOO_BUSY", Reason.VENUE_UNAVAILABLE),
        # An order with our id is there already: perhaps the very one that we asked for.
        ("REPEATED_CREATION DUPLICATE_REQUEST ORDER_EXISTS CANCEL_FAIL", Reason.OUTCOME_UNKNOWN),
        unknown=True),
    *rules(("TOO_MANY_REQUESTS", Reason.RATE_LIMITED, "(211)"), pools=("place",)),
    *rules(
        ("TOO_MANY_REQUESTS TOO_FAST", Reason.RATE_LIMITED),
        ("REQUEST_EXPIRED", Reason.CLOCK_SKEW),
        ("AUTHENTICATION_FAILED INVALID_CREDENTIALS INVALID_KEY IP_FORBIDDEN READ_ONLY"
         " INVALID_SIGNATURE MISSING_REQUIRED_HEADER ACCOUNT_LOCKED SUB_ACCOUNT_LOCKED FORBIDDEN",
         Reason.VENUE_AUTHENTICATION_FAILED),
        ("INVALID_CURRENCY INVALID_CURRENCY_PAIR", Reason.INSTRUMENT_NOT_FOUND),
        ("BALANCE_NOT_ENOUGH MARGIN_BALANCE_NOT_ENOUGH", Reason.INSUFFICIENT_BALANCE),
        ("POC_FILL_IMMEDIATELY", Reason.POST_ONLY_WOULD_TAKE),
        ("ORDER_NOT_FOUND CLIENT_ID_NOT_FOUND", Reason.ORDER_NOT_FOUND),
        ("ORDER_CLOSED ORDER_CANCELLED", Reason.ORDER_FINAL),
        ("INVALID_PARAM_VALUE", Reason.ORDER_RULE_BROKEN, "too small"),
        ("INVALID_PRECISION AMOUNT_TOO_LITTLE AMOUNT_TOO_MUCH QUANTITY_NOT_ENOUGH",
         Reason.ORDER_RULE_BROKEN),
        ("INVALID_PARAM_VALUE INVALID_PROTOCOL INVALID_ARGUMENT INVALID_REQUEST_BODY"
         " MISSING_REQUIRED_PARAM BAD_REQUEST INVALID_CONTENT_TYPE NOT_ACCEPTABLE"
         " METHOD_NOT_ALLOWED NOT_FOUND", Reason.VENUE_PROTOCOL_ERROR),
        ("FOK_NOT_FILL ORDER_BOOK_NOT_FOUND NO_CHANGE TRADE_RESTRICTED TOO_MANY_ORDERS"
         " INITIAL_MARGIN_TOO_LOW", Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="gate_io", name="Gate", kind=VenueKind.SPOT,
    documentation="https://www.gate.com/docs/developers/apiv4/en/",
    hosts={"rest": "https://api.gateio.ws", "stream": "wss://api.gateio.ws"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=PRIVATE,
    entry=ENTRY, signer=SIGNER, failure=parse_failure, errors=ERRORS, pools=POOLS, usage=usage,
    intervals=INTERVALS,
    order_types=frozenset({
        *((OrderType.LIMIT, time) for time in TIMES),
        *((OrderType.MARKET, time) for time in MARKET_TIMES)}),
    client_id=ClientIdRule(length=30, prefix="t-"),
    # What arrives five seconds late is turned away; then the matching engine's time.
    settle_time=VALID + 15 * SECOND,
    limit_pause=10 * SECOND, cancel_all_by_instrument=False, replaces_in_place=True,
    bounded=frozenset({Side.BUY}),
    standing_since="2025-11-30",
    standing_evidence="its v4 documentation and change log are maintained")
TEST_STREAM = replace(STREAM, path="/v4/ws/spot")
TESTNET = replace(
    VENUE, id="gate_io_testnet", name="Gate test network",
    hosts={"rest": "https://api-testnet.gateapi.io", "stream": "wss://ws-testnet.gate.com"},
    streams={"public": TEST_STREAM}, private=replace(PRIVATE, stream=TEST_STREAM),
    entry=replace(
        ENTRY, stream=replace(TEST_STREAM, route=route_entry, opening=(log_in,))))
VENUES = (VENUE, TESTNET)
