"""KuCoin spot: the trade account, by the endpoints that the venue calls "hf".

https://www.kucoin.com/docs-new/introduction: REST, websocket topics, error codes, as of 2025-11.
What it calls a change of an order is a cancel and a new order under the old client id, so that a
late word of the one would end the other: not offered here. Nor are stop orders, whose calls are
marked as abandoned. The stream tells of a trade without its fee: it is asked for.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Raw, field

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec, wire
from cex.engine.messages import Ack, Ask, BookMessage, Nack, Outgoing, Routed
from cex.engine.parse import Page, next_page
from cex.engine.shapes import shape
from cex.engine.signing import PassphraseSigner
from cex.engine.spans import Spans
from cex.engine.spec import REQUESTED, Failure, Operation, Pool, Scope, Session, Window, rules
from cex.engine.wire import Wire, decoder, holding, list_of, member, milliseconds, number, positive
from core.accounts import Balance
from core.clock import MILLISECOND, SECOND
from core.errors import Reason
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.market import Candle, Trade
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

class RawSymbol(Wire):
    symbol: str
    baseCurrency: str
    quoteCurrency: str
    baseIncrement: Raw
    priceIncrement: Raw
    enableTrading: bool
    baseMinSize: Raw = Raw()
    baseMaxSize: Raw = Raw()
    minFunds: Raw = Raw()

class RawServer(Wire):
    endpoint: str
    pingInterval: int = 18_000

class RawBullet(Wire):
    token: str
    instanceServers: list[RawServer]

class RawBook(Wire):
    sequence: str
    bids: list[tuple[str, str]] | None
    asks: list[tuple[str, str]] | None
    time: int = 0

class RawSides(Wire):
    """Rows of price, quantity, and the number of the change."""

    asks: list[tuple[str, ...]]
    bids: list[tuple[str, ...]]

class Changes(BookMessage, kw_only=True, gc=False):
    last: int = field(name="sequenceEnd")
    first: int = field(name="sequenceStart")
    event_time: int = field(name="time", default=0)
    changes: RawSides

class BookFrame(Wire):
    """There are many a second: decoded at one go."""

    topic: str
    data: Changes

class RawAck(Wire):
    orderId: str = ""

class RawCanceled(Wire):
    failedSymbols: list[Raw]

class RawSymbols(Wire):
    symbols: list[str]

class RawPage(Wire):
    items: list[Raw]
    currentPage: int = 1
    totalPage: int = 1

class RawFills(Wire):
    items: list[Raw]
    lastId: int | None = 0

class RawState(Wire):
    """Whether an order goes on, and why not."""

    active: bool
    cancelExist: bool = False
    postOnly: bool = False

class RawAccount(Wire):
    type: str = "trade"

class RawKey(Wire):
    permission: str
    ipWhitelist: str | None = None

class Frame(Wire):
    type: str
    id: str = ""
    topic: str = ""
    code: int = 0
    data: Raw = Raw()

class RawCandles(Wire):
    candles: Raw

class RawSnapshot(Wire):
    data: Raw

class RawMoved(Wire):
    """Which account a balance is of, by what moved it."""

    relationEvent: str = ""

RawTicker = shape(shapes.TickerShape, {
    "bid_price": "buy", "ask_price": "sell", "last_price": "last", "high_price": "high",
    "low_price": "low", "volume": "vol", "quote_volume": "volValue", "time": "time"})
RawTrade = shape(shapes.TradeShape, {
    "trade_id": "sequence", "side": "side", "price": "price", "quantity": "size", "time": "time"})
RawCandle = shape(shapes.CandleShape, [
    "open_time", "open", "close", "high", "low", "volume", "quote_volume"])
decode_trade = decoder(shape(shapes.TradeShape, {
    "trade_id": "tradeId", "side": "side", "price": "price", "quantity": "size", "time": "time"}))
decode_quote = decoder(shape(shapes.TickerShape, {
    "bid_price": "bestBid", "bid_quantity": "bestBidSize", "ask_price": "bestAsk",
    "ask_quantity": "bestAskSize", "last_price": "price", "time": "time?"}))
# Its best prices are two seconds old: those of the other topic count.
decode_statistics = decoder(shape(shapes.TickerShape, {
    "high_price": "high?", "low_price": "low?", "open_price": "open?", "volume": "vol?",
    "quote_volume": "volValue?", "time": "datetime?"}))
decode_order = decoder(shape(shapes.OrderShape, {
    "symbol": "symbol", "venue_order_id": "id", "client_order_id": "clientOid?", "type": "type",
    "side": "side", "time_in_force": "timeInForce?", "price": "price?", "quantity": "size?",
    "filled_quantity": "dealSize", "filled_notional": "dealFunds", "create_time": "createdAt",
    "update_time": "lastUpdatedAt?", "status": "opType?"}))  # the status: see told_of
decode_change = decoder(shape(shapes.OrderShape, {
    "symbol": "symbol", "venue_order_id": "orderId", "client_order_id": "clientOid?",
    "status": "type", "price": "price?", "quantity": "originSize?",
    "filled_quantity": "filledSize?", "update_time": "ts"}))
decode_fill = decoder(shape(shapes.FillShape, {
    "trade_id": "tradeId", "venue_order_id": "orderId", "symbol": "symbol", "side": "side",
    "price": "price", "quantity": "size", "fee": "fee", "fee_asset": "feeCurrency",
    "liquidity": "liquidity", "time": "createdAt"}))
decode_account = decoder(shape(shapes.BalanceShape, {
    "asset": "currency", "total": "balance", "available": "available"}))
decode_balance = decoder(shape(shapes.BalanceShape, {
    "asset": "currency", "total": "total", "available": "available"}))

def held(type_: Any) -> Any:
    """The envelope of a reply."""
    return holding("data", type_)

RawFees = shape(shapes.FeesShape, {"maker": "makerFeeRate", "taker": "takerFeeRate"})
decode_frame, failure_of = decoder(Frame), readers.failure("code", "msg")
decode_book_frame = decoder(BookFrame)
decode_state, decode_kind, decode_moved = decoder(RawState), decoder(RawAccount), decoder(RawMoved)
decode_symbols, decode_page = decoder(RawSymbols), decoder(RawPage)
decode_candles, decode_snapshot = decoder(RawCandles), decoder(RawSnapshot)
decode_canceled = decoder(RawCanceled)
decode_candle, time_of = decoder(RawCandle), member("time")

# -- words -----------------------------------------------------------------------------------------

def nanoseconds(raw: Raw) -> int:
    return milliseconds(raw) // MILLISECOND

def seconds(raw: Raw) -> int:
    return milliseconds(raw) * 1000

WORDS = parse.Words(
    sides={"buy": Side.BUY, "sell": Side.SELL},
    statuses={
        **dict.fromkeys(("received", "open", "match", "update"), OrderStatus.OPEN),
        "filled": OrderStatus.FILLED, "canceled": OrderStatus.CANCELED,
        "expired": OrderStatus.EXPIRED},  # the last is ours
    types={"limit": (OrderType.LIMIT, None), "market": (OrderType.MARKET, None)},
    times_in_force={
        "GTC": TimeInForce.GTC, "GTT": TimeInForce.GTC, "IOC": TimeInForce.IOC,
        "FOK": TimeInForce.FOK, "post only": TimeInForce.POST_ONLY},  # the last is ours
    time=milliseconds,
    liquidities={"maker": Liquidity.MAKER, "taker": Liquidity.TAKER})
NANO_WORDS, SECOND_WORDS = replace(WORDS, time=nanoseconds), replace(WORDS, time=seconds)
TIMES = {TimeInForce.GTC: "GTC", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK",
         TimeInForce.POST_ONLY: "GTC"}
INTERVALS = {
    60: "1min", 180: "3min", 300: "5min", 900: "15min", 1800: "30min", 3600: "1hour",
    7200: "2hour", 14400: "4hour", 21600: "6hour", 28800: "8hour", 43200: "12hour",
    86400: "1day", 604800: "1week"}
DAY = 86_400 * SECOND
SPANS = Spans(7 * DAY, kept=180 * DAY, names=("startAt", "endAt"))  # of fills
PAGE = 100  # orders or fills a reply
LATE = 10 * SECOND  # a trade's own time may be before that of the message about it

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawSymbol, venue: str) -> Instrument:
    return Instrument(
        venue, f"{raw.baseCurrency}-{raw.quoteCurrency}", raw.symbol, InstrumentKind.SPOT,
        raw.baseCurrency, raw.quoteCurrency, raw.quoteCurrency,
        price_tick=number(raw.priceIncrement), quantity_step=number(raw.baseIncrement),
        min_quantity=positive(raw.baseMinSize) or ZERO,
        max_quantity=positive(raw.baseMaxSize) or ZERO,
        min_notional=positive(raw.minFunds) or ZERO,
        status=InstrumentStatus.TRADING if raw.enableTrading else InstrumentStatus.HALTED)

def parse_token(raw: RawBullet, command: Any, scope: Scope) -> str:
    """Where to connect; how often to ping goes along behind the mark."""
    server = raw.instanceServers[0]
    if not server.endpoint.startswith("ws") or server.pingInterval < 1000:
        raise ValueError("no endpoint, or pings without end")
    return f"{server.endpoint}?token={raw.token}#{server.pingInterval}"

def parse_book(raw: RawBook, command: Any, scope: Scope) -> BookMessage:
    return BookMessage(
        raw.bids or (), raw.asks or (), int(raw.sequence), event_time=raw.time * MILLISECOND,
        whole=True)

def parse_trades(raw: list[Any], command: ask.GetTrades, scope: Scope) -> list[Trade]:
    found = [parse.trade(item, NANO_WORDS, command.instrument) for item in raw]
    found.sort(key=lambda trade: (trade.event_time, len(trade.trade_id), trade.trade_id))
    return found[-command.limit:]

def span_of(command: ask.GetCandles) -> tuple[int, int]:
    """The first and the last opening time (s) that are asked for, so many as a reply may have."""
    size = (min(command.limit, 1500) - 1) * command.interval
    if command.start is None:
        end = (command.now if command.end is None else command.end) // SECOND
        return end - size - command.interval + 1, end
    start = -(-command.start // SECOND)
    return start, min(start + size, start + size if command.end is None else command.end // SECOND)

def parse_candles(raw: list[Any], command: ask.GetCandles, scope: Scope) -> list[Candle]:
    """The newest comes first there."""
    start, end = span_of(command)
    found = [parse.candle(item, SECOND_WORDS, command.instrument, command.interval, command.now)
             for item in reversed(raw)]
    wanted = [c for c in found if start <= c.open_time // SECOND <= end]
    return wanted[-command.limit:]

def parse_taken(raw: RawAck, command: Any, scope: Scope) -> ask.Reports:
    """The venue took it down; what comes of it, the stream tells."""
    old = isinstance(command, ask.Cancel)
    request = command.order.request if old else command.request
    known = command.order.venue_order_id if old else ""
    return [OrderReport(request.client_order_id, OrderStatus.OPEN, raw.orderId or known)]

def parse_all_taken(raw: Raw, command: ask.CancelAll, scope: Scope) -> ask.Reports:
    """It does not name the orders; where it could not do it, it names the instruments."""
    if command.instrument is None and (failed := decode_canceled(raw).failedSymbols):
        raise ValueError(f"{len(failed)} instruments could not be canceled")
    return []

def status_of(raw: Any, state: RawState) -> str:
    if state.active:
        return "open"
    filled, whole = number(raw.filled_quantity), positive(raw.quantity)
    if filled >= whole if whole is not None else filled > 0:
        return "filled"
    stays = raw.time_in_force in ("GTC", "GTT") and raw.type == "limit"
    return "canceled" if state.cancelExist or stays else "expired"

def told_of(item: Raw) -> Any:
    """An order in our words: what it is made of stands in several members."""
    raw, state = decode_order(item), decode_state(item)
    raw.status = status_of(raw, state)
    raw.time_in_force = "post only" if state.postOnly else raw.time_in_force
    return raw

def parse_order(raw: Raw, command: ask.GetOrder, scope: Scope) -> OrderReport | None:
    return None if bytes(raw) == b"null" else parse.report(told_of(raw), WORDS)

def parse_orders(raw: Raw, command: ask.ListOpenOrders, scope: Scope) -> Page[Order]:
    """Which instruments have open orders; then those of each, in pages. The cursor is a list of
    what is still to be asked for."""
    if not command.cursor and command.instrument is None:
        return Page((), ",".join(f"{name}/1" for name in decode_symbols(raw).symbols))
    symbol, _, rest = asked_for(command)
    page = decode_page(raw)
    following = [f"{symbol}/{page.currentPage + 1}"] if page.currentPage < page.totalPage else []
    found = [parse.order(told_of(item), WORDS, scope) for item in page.items]
    return Page(found, ",".join([*following, *rest]))

def parse_fills(raw: RawFills, command: ask.ListFills, scope: Scope) -> Page[Fill]:
    found = [parse.fill(decode_fill(item), WORDS, scope) for item in reversed(raw.items)]
    return Page(found, str(raw.lastId) if len(raw.items) == PAGE and raw.lastId else "")

def parse_balances(raw: list[Raw], command: Any, scope: Scope) -> list[Balance]:
    return [parse.balance(decode_account(item), scope) for item in raw
            if decode_kind(item).type.startswith("trade")]

def parse_failure(status: int, body: bytes) -> Failure | None:
    failure = failure_of(body)
    return None if failure.code in ("200000", "200") and status < 400 else failure

def parse_key(raw: RawKey, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    """Its word for withdrawals is "Transfer"; elsewhere it says "Withdrawal"."""
    may = set(raw.permission.split(","))
    return KeyPermissions("Spot" in may, bool(may & {"Transfer", "Withdrawal"}),
                          None if raw.ipWhitelist is None else bool(raw.ipWhitelist))

# -- encoders --------------------------------------------------------------------------------------

def symbol_of(command: Any) -> dict[str, Any]:
    return {"symbol": command.instrument.venue_symbol}

def encode_place(command: ask.Place | ask.Preview) -> dict[str, Any]:
    request = command.request
    params = {
        "clientOid": request.client_order_id, "side": request.side.name.lower(),
        **symbol_of(command), "size": text(request.quantity)}
    if request.price is None:
        return {"type": "market", **params}
    maker = {"postOnly": True} if request.time_in_force is TimeInForce.POST_ONLY else {}
    return {"type": "limit", **params, "price": text(request.price),
            "timeInForce": TIMES[request.time_in_force], **maker}

def order_path(command: Any) -> str:
    order: Order = command.order
    if order.venue_order_id:
        return f"/api/v1/hf/orders/{order.venue_order_id}"
    return f"/api/v1/hf/orders/client-order/{order.client_order_id}"

def cancel_all_path(command: ask.CancelAll) -> str:
    return f"/api/v1/hf/orders{'' if command.instrument else '/cancelAll'}"

def encode_timer(command: ask.CancelAfter) -> dict[str, Any]:
    """In five seconds at the soonest; carried out up to ten seconds late."""
    seconds = -(-command.timeout // SECOND)
    return {"timeout": max(seconds, 5) if seconds else -1}

def book_path(command: ask.GetBook) -> str:
    return f"/api/v1/market/orderbook/level2_{20 if command.depth <= 20 else 100}"

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    start, end = span_of(command)
    return {**symbol_of(command), "type": INTERVALS[command.interval], "startAt": start,
            "endAt": end + 1}

def asked_for(command: ask.ListOpenOrders) -> tuple[str, str, list[str]]:
    """The instrument and page of a cursor, and what comes after."""
    first = f"{command.instrument.venue_symbol}/1" if command.instrument else ""
    part, *rest = (command.cursor or first).split(",")
    symbol, _, page = part.partition("/")
    return symbol, page, rest

def orders_path(command: ask.ListOpenOrders) -> str:
    return f"/api/v1/hf/orders/active/{'page' if asked_for(command)[0] else 'symbols'}"

def encode_orders(command: ask.ListOpenOrders) -> dict[str, Any]:
    symbol, page, _ = asked_for(command)
    return {"symbol": symbol, "pageNum": page, "pageSize": PAGE} if symbol else {}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    return {**symbol_of(command), **SPANS.of(command), "limit": PAGE,
            **({"lastId": command.cursor} if command.cursor else {})}

# -- streams ---------------------------------------------------------------------------------------

def route(frame: bytes) -> Iterable[Routed]:
    if b'"/market/level2:' in frame:
        book = decode_book_frame(frame)
        return ((book.topic, book.data),)
    raw = decode_frame(frame)
    if raw.type == "message" and not raw.topic.startswith("/market/level2:"):
        return ((raw.topic, raw),)
    if raw.type == "ack":
        return (Ack(raw.id),)
    if raw.type == "welcome":
        return (Ack("welcome"),)
    if raw.type == "error":
        return (Nack(raw.id, str(raw.code), wire.decode(str, bytes(raw.data))),)
    if raw.type == "pong":
        return ()
    raise ValueError(f"unknown type {raw.type[:60]!r}")

ALONE = ("/market/candles", "/market/snapshot")  # one name a frame

def write(kind: str, private: bool = False) -> Any:
    """Up to a hundred names of one topic share a frame."""
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        groups: dict[str, list[str]] = {}
        for topic in topics:
            name, _, symbol = topic.partition(":")
            groups.setdefault(topic if name in ALONE else name, []).append(symbol)
        joined = [topic if topic.partition(":")[0] in ALONE or not symbols[0] else
                  f"{topic}:{','.join(symbols)}" for topic, symbols in groups.items()]
        named = [(f"{session.id}.{place}", topic) for place, topic in enumerate(joined)]
        return [Outgoing(wire.encode({
            "id": name, "type": kind, "topic": topic, "privateChannel": private,
            "response": True}), (name,)) for name, topic in named]
    return frames

def ping(now: int) -> bytes:
    return wire.encode({"id": str(now // MILLISECOND), "type": "ping"})

def stream_path(session: Session) -> str:
    return f"{session.token.partition('#')[0]}&connectId={session.id}"

def ping_every(token: str) -> int:
    return int(token.rpartition("#")[2]) * MILLISECOND

def verdict(message: BookMessage, sequence: int, first: bool) -> spec.Verdict:
    if message.last <= sequence:
        return spec.Verdict.OLD
    return spec.Verdict.APPLY if message.first <= sequence + 1 else spec.Verdict.GAP

def levels(rows: list[tuple[str, ...]]) -> list[tuple[str, str]]:
    """In the order of their numbers; a price of zero only moves the number on."""
    if len(rows) > 1:
        rows.sort(key=lambda row: int(row[2]))
    return [(row[0], row[1]) for row in rows if row[0] != "0"]

def read_book(message: Changes, instrument: Instrument, received: int) -> Iterable[BookMessage]:
    message.bids, message.asks = levels(message.changes.bids), levels(message.changes.asks)
    message.event_time *= MILLISECOND
    return (message,)

def read_trade(frame: Frame, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    return (parse.trade(decode_trade(frame.data), NANO_WORDS, instrument, received),)

def read_quote(frame: Frame, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    return (parse.ticker(decode_quote(frame.data), WORDS, instrument, received),)

def read_statistics(
    frame: Frame, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    raw = decode_statistics(decode_snapshot(frame.data).data)
    return (parse.ticker(raw, WORDS, instrument, received),)

def read_candles(interval: int) -> spec.MarketParser:
    def read(frame: Frame, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
        raw = decode_candle(decode_candles(frame.data).candles)
        return (parse.candle(raw, SECOND_WORDS, instrument, interval),)
    return read

def read_order(frame: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    """A match is asked for: here it has no fee."""
    raw = decode_change(frame.data)
    yield replace(parse.report(raw, NANO_WORDS), filled_notional=None)
    if raw.status == "match":
        time = nanoseconds(raw.update_time)
        yield Ask(ask.ListFills(scope.instrument(raw.symbol), time - LATE, time))

def read_balance(frame: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    """The funding and margin accounts have movements of their own."""
    if decode_moved(frame.data).relationEvent.startswith("trade"):
        yield parse.balance(
            decode_balance(frame.data), scope, milliseconds(time_of(frame.data)))

# -- tables ----------------------------------------------------------------------------------------

SIGNER = PassphraseSigner("KC-API", key_version="2")
POOLS = (  # weights in half a minute from the first request on, of the lowest level
    Pool("public", 2000, 30 * SECOND, window=Window.ROLLING),
    Pool("spot", 4000, 30 * SECOND, account=True, window=Window.ROLLING),
    Pool("management", 2000, 30 * SECOND, account=True, window=Window.ROLLING))
WIDEST = max(pool.limit for pool in POOLS)

def usage(headers: Mapping[str, str]) -> dict[str, int]:
    """Of the pool that was asked. Who may do more than we count on has used less of it."""
    limit, left = (headers.get(f"gw-ratelimit-{name}", "") for name in ("limit", "remaining"))
    if not (limit.isdecimal() and left.isdecimal()):
        return {}
    return {REQUESTED: max(min(int(limit), WIDEST) - int(left), 0)}

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/api/v1/timestamp", held(Raw),
        readers.held(lambda raw, command, scope: milliseconds(raw)), cost={"public": 3}),
    ask.ListInstruments: Operation(
        "GET", "/api/v2/symbols", held(list[RawSymbol]),
        readers.held(lambda raw, command, scope: [parse_instrument(i, scope.venue) for i in raw]),
        cost={"public": 4}),
    ask.GetBook: Operation(
        "GET", book_path, held(RawBook), readers.held(parse_book), symbol_of, {"public": 2}),
    ask.GetTicker: Operation(
        "GET", "/api/v1/market/stats", held(RawTicker), readers.held(readers.ticker(WORDS)),
        symbol_of, {"public": 15}),
    ask.GetTrades: Operation(
        "GET", "/api/v1/market/histories", held(list_of(RawTrade)), readers.held(parse_trades),
        symbol_of, {"public": 3}),
    ask.GetCandles: Operation(
        "GET", "/api/v1/market/candles", held(list_of(RawCandle)), readers.held(parse_candles),
        encode_candles, {"public": 3}),
    ask.GetPublicToken: Operation(
        "POST", "/api/v1/bullet-public", held(RawBullet), readers.held(parse_token),
        cost={"public": 10}),
    ask.GetToken: Operation(
        "POST", "/api/v1/bullet-private", held(RawBullet), readers.held(parse_token),
        cost={"spot": 10}, signed=True),
    ask.Place: Operation(
        "POST", "/api/v1/hf/orders", held(RawAck), readers.held(parse_taken), encode_place,
        {"spot": 1}, signed=True),
    ask.Preview: Operation(
        "POST", "/api/v1/hf/orders/test", held(RawAck), lambda raw, command, scope: None,
        encode_place, {"spot": 1}, signed=True),
    ask.Cancel: Operation(
        "DELETE", order_path, held(RawAck), readers.held(parse_taken), symbol_of, {"spot": 1},
        signed=True),
    ask.CancelAll: Operation(
        "DELETE", cancel_all_path, held(Raw), readers.held(parse_all_taken),
        lambda command: symbol_of(command) if command.instrument else {},
        lambda command: {"spot": 2 if command.instrument else 30}, signed=True),
    ask.CancelAfter: Operation(  # of the orders in all pairs
        "POST", "/api/v1/hf/orders/dead-cancel-all", held(Raw), lambda raw, command, scope: None,
        encode_timer, {"spot": 2}, signed=True),
    ask.GetOrder: Operation(
        "GET", order_path, held(Raw), readers.held(parse_order), symbol_of,
        {"spot": 2}, signed=True),
    ask.ListOpenOrders: Operation(
        "GET", orders_path, held(Raw), readers.held(parse_orders), encode_orders, {"spot": 2},
        signed=True, more=next_page),
    ask.ListFills: Operation(
        "GET", "/api/v1/hf/fills", held(RawFills), readers.held(parse_fills), encode_fills,
        {"spot": 2}, signed=True, more=SPANS.following),
    ask.GetBalances: Operation(
        "GET", "/api/v1/accounts", held(list[Raw]), readers.held(parse_balances),
        lambda command: {"type": "trade"}, {"management": 5}, signed=True),
    ask.GetFees: Operation(
        "GET", "/api/v1/trade-fees", held(list_of(RawFees)),
        readers.held(readers.first(readers.fees)),
        lambda command: {"symbols": command.instrument.venue_symbol}, {"spot": 3}, signed=True),
    ask.GetKeyPermissions: Operation(
        "GET", "/api/v1/user/api-key", held(RawKey), readers.held(parse_key),
        cost={"management": 20}, signed=True),
}

def topics(**channels: spec.MarketParser) -> Any:
    return lambda instrument, interval: {
        f"/market/{name}:{instrument.venue_symbol}": parser for name, parser in channels.items()}

CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(
        topics(level2=read_book), book=spec.BookRule(spec.Start.REST, verdict, depth=100)),
    Channel.TRADES: spec.ChannelSpec(topics(match=read_trade)),
    Channel.TICKER: spec.ChannelSpec(topics(ticker=read_quote, snapshot=read_statistics)),
    Channel.CANDLES: spec.ChannelSpec(lambda instrument, interval: {
        f"/market/candles:{instrument.venue_symbol}_{INTERVALS[interval]}":
            read_candles(interval)}),
}
STREAM = spec.StreamSpec(  # a hundred frames of ours in ten seconds
    host="stream", path=stream_path, route=route, token=ask.GetPublicToken(),
    subscribe=write("subscribe"), unsubscribe=write("unsubscribe"), ping=ping,
    ping_every=ping_every, greeting="welcome", frame_interval=SECOND // 8)
PRIVATE = spec.PrivateSpec(
    replace(STREAM, token=ask.GetToken(), subscribe=write("subscribe", private=True),
            unsubscribe=write("unsubscribe", private=True)),
    {"/spotMarket/tradeOrdersV2": read_order, "/account/balance": read_balance})
ERRORS = (
    *rules(
        ("500000 500 503 126038 126039 135005 135018", Reason.VENUE_UNAVAILABLE),
        # An order with our id is there already: perhaps the very one that we asked for.
        ("126033 126044", Reason.OUTCOME_UNKNOWN), ("400100", Reason.OUTCOME_UNKNOWN, "duplicate"),
        unknown=True),
    *rules(
        ("429000 429 1015 509 200002", Reason.RATE_LIMITED),
        ("400002", Reason.CLOCK_SKEW),
        ("400001 400003..400012 401 403 411100", Reason.VENUE_AUTHENTICATION_FAILED),
        ("200004 126013 230003", Reason.INSUFFICIENT_BALANCE),
        ("400100", Reason.INSUFFICIENT_BALANCE, "available.amount"),
        ("900001 126004 126006 404", Reason.INSTRUMENT_NOT_FOUND),
        ("400100", Reason.INSTRUMENT_NOT_FOUND, "trading pair"),
        ("400100", Reason.ORDER_FINAL, "not allow"), ("400100", Reason.ORDER_FINAL, "not_allow"),
        ("400100", Reason.ORDER_NOT_FOUND, "not exist"),
        ("126043 order_not_exist", Reason.ORDER_NOT_FOUND),
        ("400100", Reason.ORDER_RULE_BROKEN, "minimum"),
        ("400100", Reason.ORDER_RULE_BROKEN, "increment"),
        ("600100 600203 400330 400600 126003 126022 126027..126030", Reason.ORDER_RULE_BROKEN),
        ("400000 400100 404000 415000 126041 400 406 415", Reason.VENUE_PROTOCOL_ERROR),
        ("200001 200003 200009 300000 400200 400301..400303 400350 400500 400700 400800"
         " 126000..126002 126005 126007..126011 126015 126021 126037 126042 126045..126048",
         Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="kucoin", name="KuCoin", kind=VenueKind.SPOT,
    documentation="https://www.kucoin.com/docs-new/introduction",
    hosts={"rest": "https://api.kucoin.com", "stream": "wss://ws-api-spot.kucoin.com"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=PRIVATE,
    signer=SIGNER, failure=parse_failure, errors=ERRORS, pools=POOLS, usage=usage,
    intervals=INTERVALS,
    order_types=frozenset({
        *((OrderType.LIMIT, time) for time in TIMES),
        (OrderType.MARKET, TimeInForce.GTC), (OrderType.MARKET, TimeInForce.IOC)}),
    credentials=frozenset({"api_key", "secret", "passphrase"}),
    client_id=ClientIdRule(length=32),
    # A request is turned away five seconds after its timestamp; then the matching engine's time.
    settle_time=20 * SECOND,
    limit_pause=3 * SECOND, wait_headers={"gw-ratelimit-reset": MILLISECOND},
    cancel_all_by_instrument=False,
    standing_since="2025-11-30",
    standing_evidence="its documentation and SDKs are maintained, changes are announced")
VENUES = (VENUE,)
