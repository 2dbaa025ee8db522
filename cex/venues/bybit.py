"""Bybit spot, and its test network.

https://bybit-exchange.github.io/docs/v5/intro: V5 REST, public and private websocket streams, rate
limits, error codes; as of 2026-08. Accounts are unified trading accounts. Its disconnection protect
is no timer of ours: the venue switches it on for institutions, it follows a stream that is cut, and
nothing ends it.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spans, spec, wire
from cex.engine.messages import Ack, Answer, BookMessage, Nack, Outgoing, Routed
from cex.engine.parse import Page, next_page
from cex.engine.shapes import shape
from cex.engine.signing import HeaderSigner, hmac_hex
from cex.engine.spans import Spans
from cex.engine.spec import Failure, Operation, Pool, Scope, Session, Verdict, Window, rules
from cex.engine.wire import (
    Wire,
    decoder,
    given,
    list_of,
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
from core.market import Ticker
from core.money import ZERO, text
from core.orders import (
    Fill,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import Channel, KeyPermissions, VenueKind

T = TypeVar("T")

# -- wire structs ----------------------------------------------------------------------------------

class Reply(Wire, Generic[T]):
    result: T
    time: Raw = Raw()

class Listed(Wire, Generic[T]):
    items: list[T] = msgspec.field(name="list")
    nextPageCursor: str = ""

class RawLot(Wire):
    basePrecision: Raw
    minOrderQty: Raw = Raw()
    maxLimitOrderQty: Raw = Raw()
    minOrderAmt: Raw = Raw()

class RawPrice(Wire):
    tickSize: Raw

class RawSymbol(Wire):
    symbol: str
    status: str
    baseCoin: str
    quoteCoin: str
    lotSizeFilter: RawLot
    priceFilter: RawPrice

class RawNow(Wire):
    timeNano: str

class RawAck(Wire):
    orderId: str
    orderLinkId: str

class RawItem(Wire):
    code: int
    msg: str = ""

class RawMany(Wire):
    """The reply to a batch: what of each, and whether it went wrong, in two lists."""

    result: Listed[RawAck]
    retExtInfo: Listed[RawItem]

class RawCoins(Wire):
    coin: list[Raw]

class Best(Wire):
    b: list[tuple[Raw, Raw]]
    a: list[tuple[Raw, Raw]]

class RawKey(Wire):
    readOnly: int
    permissions: dict[str, list[str]]
    ips: list[str] | None = None

class Frame(Wire):
    """What a websocket sends: data when there is a topic, an answer to a frame of ours else."""

    topic: str = ""
    type: str = ""
    ts: int = 0
    cts: int = 0  # when the matching engine made it
    creationTime: int = 0
    data: Raw = Raw()
    op: str = ""
    success: bool = True
    ret_msg: str = ""
    req_id: str = ""

class TradeFrame(Wire):
    """What the order entry's websocket sends: the reply to a frame of ours."""

    op: str
    retCode: int = 0
    retMsg: str = ""
    reqId: str = ""
    data: Raw = Raw(b"{}")
    retExtInfo: Raw = Raw(b"{}")

BOOK = {"bids": "b", "asks": "a", "last": "u"}
RawBook = shape(BookMessage, {**BOOK, "event_time": "ts"})
TICKER = {
    "last_price": "lastPrice", "open_price": "prevPrice24h", "high_price": "highPrice24h",
    "low_price": "lowPrice24h", "volume": "volume24h", "quote_volume": "turnover24h"}
RawTicker = shape(shapes.TickerShape, {
    **TICKER, "bid_price": "bid1Price", "bid_quantity": "bid1Size", "ask_price": "ask1Price",
    "ask_quantity": "ask1Size"})
RawTrade = shape(shapes.TradeShape, {
    "trade_id": "execId", "price": "price", "quantity": "size", "side": "side", "time": "time"})
StreamTrade = shape(shapes.TradeShape, {
    "trade_id": "i", "price": "p", "quantity": "v", "side": "S", "time": "T"})
RawCandle = shape(shapes.CandleShape, [
    "open_time", "open", "high", "low", "close", "volume", "quote_volume"])
StreamCandle = shape(shapes.CandleShape, {
    "open_time": "start", "open": "open", "high": "high", "low": "low", "close": "close",
    "volume": "volume", "quote_volume": "turnover", "closed": "confirm"})
RawOrder = shape(shapes.OrderShape, {
    "symbol": "symbol", "venue_order_id": "orderId", "client_order_id": "orderLinkId",
    "status": "orderStatus", "type": "orderType", "side": "side", "time_in_force": "timeInForce",
    "price": "price", "quantity": "qty", "filled_quantity": "cumExecQty",
    "filled_notional": "cumExecValue", "reason": "rejectReason?", "create_time": "createdTime",
    "update_time": "updatedTime", "reduce_only": "reduceOnly?", "trigger_price": "triggerPrice?",
    "trigger_direction": "triggerDirection?"})
RawFill = shape(shapes.FillShape, {
    "trade_id": "execId", "venue_order_id": "orderId", "client_order_id": "orderLinkId",
    "symbol": "symbol", "side": "side", "price": "execPrice", "quantity": "execQty",
    "fee": "execFee", "fee_asset": "feeCurrency?", "maker": "isMaker", "time": "execTime"})
RawBalance = shape(shapes.BalanceShape, {
    "asset": "coin", "total": "walletBalance", "locked": "locked"})
RawFees = shape(shapes.FeesShape, {"maker": "makerFeeRate", "taker": "takerFeeRate"})

def reply_of(type_: Any) -> Any:
    """The wire type of a reply with one result."""
    kind: Any = Reply
    return kind[type_]

def listed(type_: Any) -> Any:
    """The wire type of a reply with a list."""
    kind: Any = Listed
    return reply_of(kind[type_])

decode_frame, decode_trade_frame = decoder(Frame), decoder(TradeFrame)
failure_of = readers.failure("retCode", "retMsg")
decode_book, decode_best = decoder(shape(BookMessage, BOOK)), decoder(Best)
decode_statistics = decoder(shape(shapes.TickerShape, TICKER))
decode_trades, decode_candles = decoder(list_of(StreamTrade)), decoder(list_of(StreamCandle))
decode_rows, decode_wallets = decoder(list[Raw]), decoder(list[RawCoins])
decode_order, decode_fill = decoder(RawOrder), decoder(RawFill)
decode_balance = decoder(RawBalance)
category_of, kind_of = member("category", str), member("execType", str)
margins_of = [member(name, Raw, Raw()) for name in ("totalOrderIM", "totalPositionIM")]

# -- words -----------------------------------------------------------------------------------------

WORDS = parse.Words(
    sides={"Buy": Side.BUY, "Sell": Side.SELL},
    statuses={
        "New": OrderStatus.OPEN, "Untriggered": OrderStatus.OPEN, "Triggered": OrderStatus.OPEN,
        "PartiallyFilled": OrderStatus.PARTIALLY_FILLED, "Filled": OrderStatus.FILLED,
        "PartiallyFilledCanceled": OrderStatus.CANCELED, "Cancelled": OrderStatus.CANCELED,
        "Deactivated": OrderStatus.CANCELED, "Rejected": OrderStatus.REJECTED},
    types={
        "Limit": (OrderType.LIMIT, None), "Market": (OrderType.MARKET, None),
        # Of the venue's two words and of its trigger we make one; see `type_of`.
        "Limit stop": (OrderType.STOP_LIMIT, None), "Market stop": (OrderType.STOP_MARKET, None),
        "Limit profit": (OrderType.TAKE_PROFIT_LIMIT, None),
        "Market profit": (OrderType.TAKE_PROFIT_MARKET, None)},
    times_in_force={
        "GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK,
        "PostOnly": TimeInForce.POST_ONLY},
    time=milliseconds)
TYPES = {kind: word for word, (kind, _) in WORDS.types.items()}
SIDES = {side: word for word, side in WORDS.sides.items()}
TIMES = {time: word for word, time in WORDS.times_in_force.items()}
# Every other status takes no orders either, and a word that is new to us must not open a market.
STATUSES = {"Trading": InstrumentStatus.TRADING}
# Executions that change what an account holds as a trade does; the others are payments.
TRADES = ("Trade", "AdlTrade", "BustTrade", "BlockTrade")
INTERVALS = {
    60: "1", 180: "3", 300: "5", 900: "15", 1800: "30", 3600: "60", 7200: "120", 14400: "240",
    21600: "360", 43200: "720", 86400: "D", 604800: "W"}
DAY = 86_400 * SECOND
SPANS = Spans(7 * DAY, kept=730 * DAY)  # of fills
CATEGORY = {"category": "spot"}

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawSymbol, scope: Scope) -> Instrument:
    lot = raw.lotSizeFilter
    return Instrument(
        scope.venue, f"{raw.baseCoin}-{raw.quoteCoin}", raw.symbol, InstrumentKind.SPOT,
        raw.baseCoin, raw.quoteCoin, raw.quoteCoin,
        price_tick=number(raw.priceFilter.tickSize), quantity_step=number(lot.basePrecision),
        min_quantity=positive(lot.minOrderQty) or ZERO,
        max_quantity=positive(lot.maxLimitOrderQty) or ZERO,
        min_notional=positive(lot.minOrderAmt) or ZERO,
        status=STATUSES.get(raw.status, InstrumentStatus.HALTED))

def rows(read: readers.Reader, backwards: bool = False) -> readers.Reader:
    """A reader of a reply's list; `backwards` for one that begins with the newest."""
    return lambda raw, command, scope: read(
        raw.result.items[::-1] if backwards else raw.result.items, command, scope)

def page(found: Sequence[T], raw: Any) -> Page[T]:
    """The cursor of an empty page leads nowhere, and that of a page leads to an empty one."""
    return Page(found, unquote(raw.result.nextPageCursor) if raw.result.items else "")

def pages(make: Any, only: Any = lambda item: True) -> readers.Reader:
    """A reader of a reply's list, which may go on."""
    return lambda raw, command, scope: page(
        [make(item, scope) for item in raw.result.items if only(item)], raw)

def parse_book(raw: Any, command: Any, scope: Scope) -> BookMessage:
    book = raw.result
    return BookMessage(
        book.bids, book.asks, book.last, event_time=book.event_time * MILLISECOND, whole=True)

def parse_ticker(raw: Any, command: Any, scope: Scope) -> Ticker:
    told = parse.ticker(raw.result.items[0], WORDS, command.instrument)
    return replace(told, event_time=milliseconds(raw.time))

def taken(ack: RawAck) -> OrderReport:
    """The venue has taken a request down; what comes of it, the stream tells."""
    return OrderReport(ack.orderLinkId, OrderStatus.OPEN, ack.orderId)

def parse_taken(raw: Any, command: Any, scope: Scope) -> ask.Reports:
    return [taken(raw.result)]

def parse_many_placed(
    raw: RawMany, command: ask.PlaceOrders, scope: Scope
) -> list[ask.Reports | Failure]:
    """Each by itself, in their order."""
    return [
        Failure(str(told.code), told.msg) if told.code else [taken(ack)]
        for ack, told in zip(raw.result.items, raw.retExtInfo.items, strict=True)]

def parse_all_canceled(raw: Any, command: Any, scope: Scope) -> ask.Reports:
    return [taken(item) for item in raw.result.items]

def reason_of(raw: Any) -> str:
    return "" if raw.reason == "EC_NoError" else raw.reason

def report(raw: Any) -> OrderReport:
    return replace(parse.report(raw, WORDS), reason=reason_of(raw))

def parse_order(raw: Any, command: Any, scope: Scope) -> OrderReport | None:
    return report(raw.result.items[0]) if raw.result.items else None

def type_of(raw: Any) -> str:
    """A stop waits for a price that is worse than today's, a take profit for a better one."""
    rise = {1: True, 2: False}.get(raw.trigger_direction)
    if rise is None or not positive(raw.trigger_price):
        return str(raw.type)
    return f"{raw.type} {'stop' if rise == (raw.side == SIDES[Side.BUY]) else 'profit'}"

def order(raw: Any, scope: Scope) -> Order:
    raw.type = type_of(raw)
    return replace(parse.order(raw, WORDS, scope), reason=reason_of(raw))

def fill(raw: Any, scope: Scope) -> Fill:
    """Where the venue does not name the fee's currency: what was received pays it, and a rebate is
    in what was given."""
    found, instrument = parse.fill(raw, WORDS, scope), scope.instrument(raw.symbol)
    if found.fee_asset:
        return found
    base = (found.side is Side.BUY) == (found.fee >= 0)
    paid = instrument.base if base else instrument.quote
    perpetual = instrument.kind is InstrumentKind.PERPETUAL
    return replace(found, fee_asset=instrument.settle if perpetual else paid)

def balance(item: Raw, scope: Scope, time: int) -> Balance:
    """Free is what neither orders nor positions hold; a debt is no money."""
    raw = decode_balance(item)
    total = optional(raw.total) or ZERO
    held = [raw.locked, *(name(item) for name in margins_of)]
    free = total - sum((optional(part) or ZERO for part in held), ZERO)
    return Balance(
        scope.account, scope.venue, scope.asset(raw.asset), total, max(free, ZERO),
        update_time=time)

def parse_balances(raw: Any, command: Any, scope: Scope) -> list[Balance]:
    time = milliseconds(raw.time)
    return [balance(item, scope, time) for wallet in raw.result.items for item in wallet.coin]

def parse_failure(status: int, body: bytes) -> Failure | None:
    if status == 403:  # a firewall's page: too many requests, or a country that is not served
        return Failure("403", body[:300].decode(errors="replace"))
    failure = failure_of(body)
    return None if failure.code == "0" and status < 400 else failure

def read_key(raw: RawKey, *trading: tuple[str, str]) -> KeyPermissions:
    """`trading` are the permissions of which one lets it trade, with the groups they are of."""
    def may(*any_of: tuple[str, str]) -> bool:
        return not raw.readOnly and any(
            word in raw.permissions.get(group, ()) for group, word in any_of)
    bound = None if raw.ips is None else bool(raw.ips) and "*" not in raw.ips
    return KeyPermissions(may(*trading), may(("Wallet", "Withdraw")), bound)

def parse_key(raw: Any, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    return read_key(raw.result, ("Spot", "SpotTrade"))

# -- encoders --------------------------------------------------------------------------------------

def symbol_of(command: Any) -> dict[str, Any]:
    return {**CATEGORY, "symbol": command.instrument.venue_symbol}

def encode_order(request: OrderRequest) -> dict[str, Any]:
    kind, _, waits = TYPES[request.type].partition(" ")
    limit = kind == "Limit"
    params: dict[str, Any] = {
        "side": SIDES[request.side], "orderType": kind, "qty": text(request.quantity),
        "price": text(request.price) if limit and request.price is not None else None,
        "timeInForce": TIMES[request.time_in_force] if limit else None}
    if waits and request.trigger_price is not None:
        rise = (waits == "stop") == (request.side is Side.BUY)
        params |= {
            "triggerPrice": text(request.trigger_price), "triggerDirection": 1 if rise else 2}
    return given({**params, "orderLinkId": request.client_order_id})

def encode_place(command: ask.Place) -> dict[str, Any]:
    """A market buy would be of so many USDT, were the unit not named."""
    market = command.request.type is OrderType.MARKET
    return {**symbol_of(command), **encode_order(command.request),
            **({"marketUnit": "baseCoin"} if market else {})}

def encode_many(encode: Any, category: str) -> Any:
    """A list of orders, of which none names the category by itself."""
    def params(command: ask.PlaceOrders) -> dict[str, Any]:
        orders = [encode(one) for one in command.orders]
        bare = [{name: row[name] for name in row if name != "category"} for row in orders]
        return {"category": category, "request": bare}
    return params

def named(order: Order) -> dict[str, Any]:
    """An order by the venue's id where it is known: one from elsewhere has no other."""
    if order.venue_order_id:
        return {"orderId": order.venue_order_id}
    return {"orderLinkId": order.client_order_id}

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    return {**symbol_of(command), **named(command.order), "qty": text(command.quantity),
            "price": text(command.price)}

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    limit, start, end = spans.candles(command, 1000)
    times = given({"start": start, "end": end})
    return {
        **symbol_of(command), "interval": INTERVALS[command.interval],
        **{name: time // MILLISECOND for name, time in times.items()}, "limit": limit}

def paged(params: dict[str, Any], command: Any) -> dict[str, Any]:
    return {**params, "cursor": command.cursor} if command.cursor else params

# -- streams ---------------------------------------------------------------------------------------

def route(frame: bytes) -> Iterable[Routed]:
    raw = decode_frame(frame)
    if raw.topic:
        return ((raw.topic, raw),)
    if not raw.op:
        raise ValueError("neither data nor an answer")
    return (Ack(raw.req_id) if raw.success else Nack(raw.req_id, "", raw.ret_msg),)

def route_entry(frame: bytes) -> Iterable[Routed]:
    raw = decode_trade_frame(frame)
    if raw.op == "pong":
        return ()
    if raw.op == "auth":
        failed = Nack(raw.reqId, str(raw.retCode), raw.retMsg)
        return (failed if raw.retCode else Ack(raw.reqId),)
    body = {"retCode": raw.retCode, "retMsg": raw.retMsg, "result": raw.data,
            "retExtInfo": raw.retExtInfo}
    return (Answer(raw.reqId, 200, wire.encode(body)),)

def write(op: str) -> Any:
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        name = str(session.id)
        return [Outgoing(wire.encode({"req_id": name, "op": op, "args": list(topics)}), (name,))]
    return frames

def login(session: Session) -> list[Any]:
    assert session.credentials is not None
    expires = (session.moment.now + 10 * SECOND) // MILLISECOND
    signature = hmac_hex(session.credentials.secret, f"GET/realtime{expires}")
    return [session.credentials.api_key, expires, signature]

def log_in(session: Session) -> Sequence[Outgoing]:
    frames: Sequence[Outgoing] = write("auth")(login(session), session)
    return frames

def log_in_to_trade(session: Session) -> Sequence[Outgoing]:
    name = str(session.id)
    return [Outgoing(wire.encode({"reqId": name, "op": "auth", "args": login(session)}), (name,))]

def write_order(word: str, command: Any, params: Any, session: Session) -> Outgoing:
    name = str(session.id)
    header = {
        "X-BAPI-TIMESTAMP": str(session.moment.now // MILLISECOND),
        "X-BAPI-RECV-WINDOW": str(SIGNER.receive_window)}
    frame = {"reqId": name, "header": header, "op": word, "args": [params]}
    return Outgoing(wire.encode(frame), (name,))

def verdict(message: BookMessage, sequence: int, first: bool) -> Verdict:
    if message.last <= sequence:
        return Verdict.OLD
    return Verdict.APPLY if message.last == sequence + 1 else Verdict.GAP

def read_book(frame: Frame, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    raw = decode_book(frame.data)
    whole = frame.type == "snapshot" or raw.last == 1  # 1: their service was started again
    time = (frame.cts or frame.ts) * MILLISECOND
    return (BookMessage(raw.bids, raw.asks, raw.last, 0, 0, time, whole),)

def read_trades(frame: Frame, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    return [parse.trade(raw, WORDS, instrument, received) for raw in decode_trades(frame.data)]

def read_statistics(
    frame: Frame, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    told = parse.ticker(decode_statistics(frame.data), WORDS, instrument, received)
    return (replace(told, event_time=frame.ts * MILLISECOND),)

def read_best(frame: Frame, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    """A book of one level: what the ticker's own topic does not tell."""
    raw = decode_best(frame.data)
    (bid, bid_quantity), (ask_, ask_quantity) = [
        next(((price, size) for price, size in side if positive(size)), (Raw(), Raw()))
        for side in (raw.b, raw.a)]
    yield Ticker(
        instrument.id, positive(bid), positive(bid_quantity), positive(ask_),
        positive(ask_quantity), event_time=frame.ts * MILLISECOND, receive_time=received)

def read_candles(interval: int) -> spec.MarketParser:
    def read(frame: Any, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
        return [parse.candle(raw, WORDS, instrument, interval)
                for raw in decode_candles(frame.data)]
    return read

def rows_of(category: str, read: Any) -> Any:
    """Reads the rows of an account's frame that are of this product: an account trades several."""
    def frames(frame: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
        for row in decode_rows(frame.data):
            if category_of(row) == category:
                yield from read(row, scope)
    return frames

def read_order(row: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    return (report(decode_order(row)),)

def read_execution(row: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    return (fill(decode_fill(row), scope),) if kind_of(row) in TRADES else ()

def read_wallets(frame: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    time = frame.creationTime * MILLISECOND
    return [balance(item, scope, time)
            for wallet in decode_wallets(frame.data) for item in wallet.coin]

# -- tables ----------------------------------------------------------------------------------------

SIGNER = HeaderSigner("X-BAPI-", receive_window=5000)
POOLS = (  # of an address, whatever it asks for; of an account: each kind, in any second
    Pool("requests", 600, 5 * SECOND, window=Window.ROLLING, shared=True),
    Pool("connections", 500, 300 * SECOND, window=Window.ROLLING, shared=True),
    *(Pool(name, limit, SECOND, account=True, window=Window.ROLLING)
      for name, limit in (("create", 20), ("create_batch", 20), ("amend", 10), ("cancel", 20),
                          ("cancel_all", 20), ("orders", 50), ("history", 50), ("fills", 50),
                          ("wallet", 50), ("fees", 5), ("key", 10))))

def cost(pool: str = "") -> dict[str, int]:
    return {"requests": 1, pool: 1} if pool else {"requests": 1}

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/v5/market/time", reply_of(RawNow),
        lambda raw, command, scope: int(number(Raw(raw.result.timeNano.encode()))), cost=cost()),
    ask.ListInstruments: Operation(
        "GET", "/v5/market/instruments-info", listed(RawSymbol), pages(parse_instrument),
        lambda command: paged({**CATEGORY, "limit": 1000}, command), cost(), more=next_page),
    ask.GetBook: Operation(
        "GET", "/v5/market/orderbook", reply_of(RawBook), parse_book,
        lambda command: {**symbol_of(command), "limit": min(max(command.depth, 1), 200)}, cost()),
    ask.GetTicker: Operation(
        "GET", "/v5/market/tickers", listed(RawTicker), parse_ticker, symbol_of, cost()),
    ask.GetTrades: Operation(
        "GET", "/v5/market/recent-trade", listed(RawTrade),
        rows(readers.trades(WORDS), backwards=True),
        lambda command: {**symbol_of(command), "limit": min(command.limit, 60)}, cost()),
    ask.GetCandles: Operation(
        "GET", "/v5/market/kline", listed(RawCandle),
        rows(readers.candles(WORDS), backwards=True), encode_candles, cost()),
    ask.Place: Operation(
        "POST", "/v5/order/create", reply_of(RawAck), parse_taken,
        encode_place, cost("create"), signed=True),
    ask.PlaceOrders: Operation(
        "POST", "/v5/order/create-batch", RawMany, parse_many_placed,
        encode_many(encode_place, "spot"),
        lambda command: {"requests": 1, "create_batch": len(command.orders)}, signed=True),
    ask.Cancel: Operation(
        "POST", "/v5/order/cancel", reply_of(RawAck), parse_taken,
        lambda command: {**symbol_of(command), **named(command.order)}, cost("cancel"),
        signed=True),
    ask.CancelAll: Operation(
        "POST", "/v5/order/cancel-all", listed(RawAck), parse_all_canceled,
        lambda command: symbol_of(command) if command.instrument else dict(CATEGORY),
        cost("cancel_all"), signed=True),
    ask.Replace: Operation(
        "POST", "/v5/order/amend", reply_of(RawAck), parse_taken, encode_replace, cost("amend"),
        signed=True),
    # What ended is told from memory, which a restart of theirs empties: then the history knows.
    ask.GetOrder: Operation(
        "GET", lambda command: f"/v5/order/{'history' if command.closed else 'realtime'}",
        listed(RawOrder), parse_order,
        lambda command: {**symbol_of(command), **named(command.order)},
        lambda command: cost("history" if command.closed else "orders"), signed=True,
        more=lambda command, page: None if command.closed else replace(command, closed=True)),
    ask.ListOpenOrders: Operation(
        "GET", "/v5/order/realtime", listed(RawOrder), pages(order),
        lambda command: paged(
            {**(symbol_of(command) if command.instrument else CATEGORY), "limit": 50}, command),
        cost("orders"), signed=True, more=next_page),
    ask.ListFills: Operation(
        "GET", "/v5/execution/list", listed(Raw), pages(
            lambda row, scope: fill(decode_fill(row), scope), lambda row: kind_of(row) in TRADES),
        lambda command: paged({**symbol_of(command), **SPANS.of(command), "limit": 100}, command),
        cost("fills"), signed=True, more=SPANS.following),
    ask.GetBalances: Operation(
        "GET", "/v5/account/wallet-balance", listed(RawCoins), parse_balances,
        lambda command: {"accountType": "UNIFIED"}, cost("wallet"), signed=True),
    ask.GetFees: Operation(
        "GET", "/v5/account/fee-rate", listed(RawFees), rows(readers.first(readers.fees)),
        symbol_of, cost("fees"), signed=True),
    ask.GetKeyPermissions: Operation(
        "GET", "/v5/user/query-api", reply_of(RawKey), parse_key, cost=cost("key"), signed=True),
}

def topics(make: Any) -> Any:
    return lambda instrument, interval: {
        f"{name}.{instrument.venue_symbol}": parser for name, parser in make(interval)}

CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(
        topics(lambda interval: [("orderbook.200", read_book)]),
        book=spec.BookRule(spec.Start.STREAM, verdict, depth=200)),
    Channel.TRADES: spec.ChannelSpec(topics(lambda interval: [("publicTrade", read_trades)])),
    Channel.TICKER: spec.ChannelSpec(topics(lambda interval: [
        ("tickers", read_statistics), ("orderbook.1", read_best)])),
    Channel.CANDLES: spec.ChannelSpec(topics(lambda interval: [
        (f"kline.{INTERVALS[interval]}", read_candles(interval))])),
}

def ping(now: int) -> bytes:
    return b'{"op":"ping"}'

CONNECT = {"connections": 1}
STREAM = spec.StreamSpec(  # ten topics a frame are allowed for spot
    host="stream", path="/v5/public/spot", route=route, subscribe=write("subscribe"),
    unsubscribe=write("unsubscribe"), connect=CONNECT, ping=ping, topics_per_frame=10)
PRIVATE = spec.PrivateSpec(
    spec.StreamSpec(
        host="stream", path="/v5/private", route=route, opening=(log_in,),
        subscribe=write("subscribe"), connect=CONNECT, ping=ping),
    {"order": rows_of("spot", read_order), "execution": rows_of("spot", read_execution),
     "wallet": read_wallets})
ENTRY = spec.OrderEntry(
    words={
        ask.Place: "order.create", ask.PlaceOrders: "order.create-batch",
        ask.Cancel: "order.cancel", ask.Replace: "order.amend"},
    write=write_order,
    stream=spec.StreamSpec(
        host="stream", path="/v5/trade", route=route_entry, opening=(log_in_to_trade,),
        connect=CONNECT, ping=ping))
COMMON = (
    *rules(
        ("10000 10016 10019", Reason.VENUE_UNAVAILABLE), ("10014", Reason.OUTCOME_UNKNOWN),
        unknown=True),
    *rules(("10006", Reason.RATE_LIMITED), pools=tuple(p.name for p in POOLS if p.account)),
    *rules(("10018", Reason.RATE_LIMITED), pools=("requests",)),
    *rules(("403", Reason.RATE_LIMITED, "too frequent"), ("10429", Reason.RATE_LIMITED)),
    *rules(("403", Reason.VENUE_UNAVAILABLE), unknown=True),
    *rules(
        ("-2015 10003 10004 10005 10007 10008 10009 10010 10024 10027 10028 33004",
         Reason.VENUE_AUTHENTICATION_FAILED),
        ("10002", Reason.CLOCK_SKEW),
        ("10001 10017", Reason.VENUE_PROTOCOL_ERROR),
        ("10029", Reason.INSTRUMENT_NOT_FOUND)))
ERRORS = (
    *COMMON,
    *rules(
        ("170001 170007 170032 170035 170146 170147 170149 170150 170234",
         Reason.VENUE_UNAVAILABLE),
        # An order with our id is there already: perhaps the very one that we asked for.
        ("170141", Reason.OUTCOME_UNKNOWN), unknown=True),
    *rules(("170005 170222", Reason.RATE_LIMITED), pools=("create",)),
    *rules(
        ("170201", Reason.VENUE_AUTHENTICATION_FAILED),
        ("170105 170115 170116 170117 170130", Reason.VENUE_PROTOCOL_ERROR),
        ("170121", Reason.INSTRUMENT_NOT_FOUND),
        ("170131 170033", Reason.INSUFFICIENT_BALANCE),
        ("170218", Reason.POST_ONLY_WOULD_TAKE),
        ("170145 170217 170227", Reason.UNSUPPORTED_BY_VENUE),
        ("170124 170132..170137 170140 170148 170151 170157 170159 170192..170194 170371 170372",
         Reason.ORDER_RULE_BROKEN),
        ("170143 170213", Reason.ORDER_NOT_FOUND),
        ("170139 170142 170190", Reason.ORDER_FINAL),
        ("170031 170144 170191 170197 170198 170210", Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="bybit", name="Bybit", kind=VenueKind.SPOT,
    documentation="https://bybit-exchange.github.io/docs/v5/intro",
    hosts={"rest": "https://api.bybit.com", "stream": "wss://stream.bybit.com"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=PRIVATE,
    entry=ENTRY, signer=SIGNER, errors=ERRORS, pools=POOLS, failure=parse_failure,
    usage=lambda headers: {},  # they tell how much is left, not of which kind
    intervals=INTERVALS,
    order_types=frozenset({
        *((OrderType.LIMIT, time) for time in TIMES), (OrderType.MARKET, TimeInForce.GTC),
        (OrderType.MARKET, TimeInForce.IOC)}),
    client_id=ClientIdRule(length=32),
    # A request is turned away five seconds after its timestamp; orders are taken down at once and
    # worked on later, and the history may lag.
    settle_time=20 * SECOND, limit_pause=5 * SECOND, cancel_all_by_instrument=False,
    place_batch=10, replaces_in_place=True,
    standing_since="2026-08-09",
    standing_evidence="its V5 documentation is maintained; a session recorded then replays whole")
TESTNET = replace(
    VENUE, id="bybit_testnet", name="Bybit test network",
    hosts={"rest": "https://api-testnet.bybit.com", "stream": "wss://stream-testnet.bybit.com"})
VENUES = (VENUE, TESTNET)
