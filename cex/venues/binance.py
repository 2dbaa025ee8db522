"""Binance spot, and its test network.

https://developers.binance.com/docs/binance-spot-api-docs: REST, websocket streams, websocket API
(the user data stream), filters, error codes; as of 2026-07. What a key may do: …/docs/wallet.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec, wire
from cex.engine.messages import Ack, Answer, BookMessage, Nack, Outgoing, Restart, Routed
from cex.engine.shapes import shape
from cex.engine.signing import QuerySigner
from cex.engine.spans import Spans
from cex.engine.spec import Failure, Operation, Pool, Scope, Session, rules
from cex.engine.wire import Wire, decoder, given, list_of, member, milliseconds, number, positive
from core.accounts import Balance, FeeRates
from core.clock import MILLISECOND, SECOND
from core.errors import Reason
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.money import ZERO, text
from core.orders import Fill, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from core.ports import Channel, KeyPermissions, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawKey(Wire):
    enableSpotAndMarginTrading: bool | None = None
    enableFutures: bool | None = None
    enableWithdrawals: bool | None = None
    ipRestrict: bool | None = None

class RawFilter(Wire):
    filterType: str
    tickSize: Raw = Raw()
    stepSize: Raw = Raw()
    minQty: Raw = Raw()
    maxQty: Raw = Raw()
    minNotional: Raw = Raw()

class RawSymbol(Wire):
    symbol: str
    status: str
    baseAsset: str
    quoteAsset: str
    baseAssetPrecision: int
    quotePrecision: int
    filters: list[RawFilter]
    isSpotTradingAllowed: bool = True

class RawExchangeInfo(Wire):
    symbols: list[RawSymbol]

RawBook = shape(BookMessage, {"last": "lastUpdateId", "bids": "bids", "asks": "asks"})
decode_depth = decoder(shape(BookMessage, {
    "first": "U", "last": "u", "bids": "b", "asks": "a", "event_time": "E"}))
RawTicker = shape(shapes.TickerShape, {
    "bid_price": "bidPrice", "bid_quantity": "bidQty", "ask_price": "askPrice",
    "ask_quantity": "askQty", "last_price": "lastPrice", "open_price": "openPrice",
    "high_price": "highPrice", "low_price": "lowPrice", "volume": "volume",
    "quote_volume": "quoteVolume", "time": "closeTime"})
# Its best prices are a second old: those of the other topic count.
decode_statistics = decoder(shape(shapes.TickerShape, {
    "last_price": "c", "open_price": "o", "high_price": "h", "low_price": "l", "volume": "v",
    "quote_volume": "q", "time": "E"}))
decode_quote = decoder(shape(shapes.TickerShape, {
    "bid_price": "b", "bid_quantity": "B", "ask_price": "a", "ask_quantity": "A"}))
RawTrade = shape(shapes.TradeShape, {
    "trade_id": "id", "price": "price", "quantity": "qty", "time": "time",
    "buyer_is_maker": "isBuyerMaker"})
decode_trade = decoder(shape(shapes.TradeShape, {
    "trade_id": "t", "price": "p", "quantity": "q", "time": "T", "buyer_is_maker": "m"}))
RawCandle = shape(shapes.CandleShape, [
    "open_time", "open", "high", "low", "close", "volume", None, "quote_volume"])
decode_candle = decoder(shape(shapes.CandleShape, {
    "open_time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
    "quote_volume": "q", "closed": "x"}))
ORDER = {
    "symbol": "symbol", "venue_order_id": "orderId", "client_order_id": "clientOrderId",
    "original_client_order_id": "origClientOrderId?", "status": "status", "type": "type",
    "side": "side", "time_in_force": "timeInForce", "price": "price", "quantity": "origQty",
    "filled_quantity": "executedQty", "filled_notional": "cummulativeQuoteQty",
    "trigger_price": "stopPrice?", "reason": "expiryReason?", "create_time": "time?"}
RawOrder = shape(shapes.OrderShape, {**ORDER, "update_time": "updateTime"})
# A new order's or a cancel's reply has the time of the transaction, a cancel's of an older engine
# has not; an amended order has it beside.
decode_changed = decoder(shape(shapes.OrderShape, {**ORDER, "update_time": "transactTime?"}))
decode_amended = decoder(shape(shapes.OrderShape, {
    **ORDER, "quantity": "qty?", "filled_notional": "cumulativeQuoteQty?"}))
decode_execution = decoder(shape(shapes.OrderShape, {
    "symbol": "s", "venue_order_id": "i", "client_order_id": "c", "original_client_order_id": "C",
    "status": "X", "type": "o", "side": "S", "time_in_force": "f", "price": "p", "quantity": "q",
    "filled_quantity": "z", "filled_notional": "Z", "trigger_price": "P", "reason": "eR?",
    "update_time": "T", "execution": "x", "trade_id": "t", "trade_price": "L",
    "trade_quantity": "l", "fee": "n", "fee_asset": "N", "maker": "m"}))
decode_fill = decoder(shape(shapes.FillShape, {
    "trade_id": "tradeId", "price": "price", "quantity": "qty", "fee": "commission",
    "fee_asset": "commissionAsset"}))
RawMyTrade = shape(shapes.FillShape, {
    "trade_id": "id", "venue_order_id": "orderId", "price": "price", "quantity": "qty",
    "fee": "commission", "fee_asset": "commissionAsset", "buyer": "isBuyer", "maker": "isMaker",
    "time": "time"})
decode_balance = decoder(shape(shapes.BalanceShape, {
    "asset": "asset", "available": "free", "locked": "locked"}))
decode_stream_balance = decoder(shape(shapes.BalanceShape, {
    "asset": "a", "available": "f", "locked": "l"}))

class RawAmended(Wire):
    transactTime: Raw
    amendedOrder: Raw

class RawReplaced(Wire):
    cancelResult: str
    cancelResponse: Raw
    newOrderResponse: Raw

class RawAccount(Wire):
    updateTime: Raw
    balances: list[Raw]

class StreamAccount(Wire):
    u: Raw
    B: list[Raw]

class RawRates(Wire):
    maker: Raw
    taker: Raw
    buyer: Raw
    seller: Raw

class RawCommission(Wire):
    standardCommission: RawRates
    taxCommission: RawRates
    specialCommission: RawRates | None = None

class MarketFrame(Wire):
    stream: str = ""
    data: Raw = Raw()
    id: int | None = None
    code: int = 0
    msg: str = ""
    error: Raw = Raw()  # of perpetuals

class RawLimit(Wire):
    rateLimitType: str
    interval: str
    intervalNum: int
    count: int

class RawWait(Wire):
    serverTime: int
    retryAfter: int

class ApiFrame(Wire):
    event: Raw = Raw()
    id: str | None = None
    status: int = 0
    result: Raw = Raw()
    error: Raw = Raw()
    rateLimits: list[RawLimit] = []  # noqa: RUF012 - msgspec copies it

decode_account, parse_failure = decoder(StreamAccount), readers.failure("code", "msg")
decode_market_frame, decode_api_frame = decoder(MarketFrame), decoder(ApiFrame)
fills_of, lists_of = member("fills", list[Raw]), member("orderReports", list[Raw], [])
halves_of, kind_of, kline_of = member("data", RawReplaced), member("e", str), member("k")
time_of, wait_of = member("serverTime"), member("data", RawWait)

# -- words -----------------------------------------------------------------------------------------

LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
WORDS = parse.Words(
    sides={"BUY": Side.BUY, "SELL": Side.SELL},
    statuses={
        "NEW": OrderStatus.OPEN, "PENDING_NEW": OrderStatus.OPEN,
        "PENDING_CANCEL": OrderStatus.OPEN, "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
        "FILLED": OrderStatus.FILLED, "CANCELED": OrderStatus.CANCELED,
        "REJECTED": OrderStatus.REJECTED, "EXPIRED": OrderStatus.EXPIRED,
        "EXPIRED_IN_MATCH": OrderStatus.EXPIRED},
    types={
        "LIMIT": (OrderType.LIMIT, None), "LIMIT_MAKER": (OrderType.LIMIT, TimeInForce.POST_ONLY),
        "MARKET": (OrderType.MARKET, None), "STOP_LOSS": (OrderType.STOP_MARKET, None),
        "STOP_LOSS_LIMIT": (OrderType.STOP_LIMIT, None),
        "TAKE_PROFIT": (OrderType.TAKE_PROFIT_MARKET, None),
        "TAKE_PROFIT_LIMIT": (OrderType.TAKE_PROFIT_LIMIT, None)},
    times_in_force={"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK},
    time=milliseconds)
TYPE_WORDS = {kind: word for word, (kind, time) in WORDS.types.items() if time is None}
# Every other status takes no orders either, and a word that is new to us must not open a market.
STATUSES = {"TRADING": InstrumentStatus.TRADING, "CANCEL_ONLY": InstrumentStatus.CANCEL_ONLY}
INTERVALS = {
    1: "1s", 60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 7200: "2h",
    14400: "4h", 21600: "6h", 28800: "8h", 43200: "12h", 86400: "1d", 259200: "3d", 604800: "1w"}
DAY = 86_400 * SECOND
SPANS = Spans(DAY, kept=100 * 365 * DAY)
PAGE = 1000  # trades or candles a reply

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawSymbol, venue: str) -> Instrument:
    rules, none = {rule.filterType: rule for rule in raw.filters}, RawFilter("")
    price, lot = rules.get("PRICE_FILTER", none), rules.get("LOT_SIZE", none)
    notional = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL", none)
    status = STATUSES.get(raw.status, InstrumentStatus.HALTED)
    return Instrument(
        venue, f"{raw.baseAsset}-{raw.quoteAsset}", raw.symbol, InstrumentKind.SPOT,
        raw.baseAsset, raw.quoteAsset, raw.quoteAsset,
        # A step of zero means "no rule": the asset's precision then is all that binds.
        price_tick=positive(price.tickSize) or parse.increment(raw.quotePrecision),
        quantity_step=positive(lot.stepSize) or parse.increment(raw.baseAssetPrecision),
        min_quantity=positive(lot.minQty) or ZERO, max_quantity=positive(lot.maxQty) or ZERO,
        min_notional=positive(notional.minNotional) or ZERO,
        status=status if raw.isSpotTradingAllowed else InstrumentStatus.HALTED)

def parse_placed(raw: Raw, command: ask.Place | ask.Replace, scope: Scope) -> ask.Reports:
    """The order, and what it traded at once, which made it a taker."""
    order = decode_changed(raw)
    placed, side = parse.report(order, WORDS), wire.lookup(WORDS.sides, order.side, "side")
    fills = [decode_fill(item) for item in fills_of(raw)]
    return [placed, *(parse.fill(f, WORDS, scope, command.instrument, placed, side) for f in fills)]

def parse_canceled(raw: Raw, command: ask.Cancel, scope: Scope) -> ask.Reports:
    return [parse.report(decode_changed(raw), WORDS)]

def parse_all_canceled(raw: list[Raw], command: ask.CancelAll, scope: Scope) -> ask.Reports:
    orders = [order for item in raw for order in lists_of(item) or [item]]
    return [parse.report(decode_changed(order), WORDS) for order in orders]

def parse_amended(raw: RawAmended, command: ask.Amend, scope: Scope) -> ask.Reports:
    said = parse.report(decode_amended(raw.amendedOrder), WORDS, milliseconds(raw.transactTime))
    return [replace(said, quantity=said.quantity or command.quantity)]

def parse_replaced(raw: RawReplaced, command: ask.Replace, scope: Scope) -> ask.Reports:
    canceled = parse.report(decode_changed(raw.cancelResponse), WORDS)
    return [canceled, *parse_placed(raw.newOrderResponse, command, scope)]

def parse_replace_failed(
    body: bytes, command: ask.Replace, scope: Scope
) -> tuple[ask.Reports, Failure]:
    """The cancel may have been done; each half has its own error."""
    raw = halves_of(body)
    if raw.cancelResult == "SUCCESS":
        canceled = parse.report(decode_changed(raw.cancelResponse), WORDS)
        return [canceled], parse_failure(raw.newOrderResponse)
    return [], parse_failure(raw.cancelResponse)

def parse_balances(raw: RawAccount, command: ask.GetBalances, scope: Scope) -> list[Balance]:
    time = milliseconds(raw.updateTime)
    return [parse.balance(decode_balance(item), scope, time) for item in raw.balances]

def parse_fees(raw: RawCommission, command: ask.GetFees, scope: Scope) -> FeeRates:
    """All that is charged; where buyer and seller differ, the dearer. Without the discount for
    paying in BNB, which holds only while there is BNB to pay with."""
    parts = [p for p in (raw.standardCommission, raw.specialCommission, raw.taxCommission) if p]
    maker, taker, buyer, seller = (
        sum((number(getattr(part, name)) for part in parts), ZERO)
        for name in ("maker", "taker", "buyer", "seller"))
    more = max(buyer, seller)
    return FeeRates(scope.account, scope.venue, command.instrument.id, maker + more, taker + more)

def parse_key(raw: RawKey, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    return KeyPermissions(raw.enableSpotAndMarginTrading, raw.enableWithdrawals, raw.ipRestrict)

def parse_execution(payload: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    raw = decode_execution(payload)
    yield parse.report(raw, WORDS)
    if raw.execution == "TRADE":
        yield parse.execution(raw, WORDS, scope)

def parse_position(payload: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    raw = decode_account(payload)
    for item in raw.B:
        yield parse.balance(decode_stream_balance(item), scope, milliseconds(raw.u))

# -- encoders --------------------------------------------------------------------------------------

def symbol_of(command: Any) -> dict[str, Any]:
    return {"symbol": command.instrument.venue_symbol}

def encode_order(request: OrderRequest, **changed: Any) -> dict[str, Any]:
    maker = request.time_in_force is TimeInForce.POST_ONLY
    limit = request.type in LIMITS
    params = {
        "side": request.side.name,
        "type": "LIMIT_MAKER" if maker else TYPE_WORDS[request.type],
        "timeInForce": request.time_in_force.name if limit and not maker else None,
        "quantity": changed.get("quantity", request.quantity),
        "price": changed.get("price", request.price) if limit else None,
        "stopPrice": request.trigger_price,
        "newClientOrderId": changed.get("name", request.client_order_id),
        "newOrderRespType": "FULL"}
    return {key: value if isinstance(value, str) else text(value)
            for key, value in given(params).items()}

def encode_cancel(command: ask.Cancel) -> dict[str, Any]:
    """By the venue's id where it is known: that is faster there."""
    order = command.order
    name = "orderId" if order.venue_order_id else "origClientOrderId"
    return {**symbol_of(command), name: order.venue_order_id or order.client_order_id}

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    """The new order is for what the old one left. While nothing is filled, the venue is asked to
    make sure that this still holds: a fill in between would otherwise be traded twice."""
    order = command.order
    params = {
        **symbol_of(command), "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelOrigClientOrderId": order.client_order_id,
        **encode_order(order.request, quantity=command.quantity - order.filled_quantity,
                       price=command.price, name=command.client_order_id)}
    return params if order.filled_quantity else {**params, "cancelRestrictions": "ONLY_NEW"}

def encode_amend(command: ask.Amend) -> dict[str, Any]:
    name = command.order.client_order_id
    return {**symbol_of(command), "origClientOrderId": name, "newClientOrderId": name,
            "newQty": text(command.quantity)}

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    times = {"startTime": command.start, "endTime": command.end}
    return {
        **symbol_of(command), "interval": INTERVALS[command.interval],
        **{name: time // MILLISECOND for name, time in given(times).items()},
        "limit": min(command.limit, PAGE)}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    """By time, in windows of a day (the longest allowed), until there is a trade, and from there on
    by trade id; by trade id from the first on when `since` is 0."""
    by_id = {"fromId": command.cursor or "0"} if command.cursor or not command.since else {}
    return {**symbol_of(command), **(by_id or SPANS.of(command)), "limit": PAGE}

def next_fills(command: ask.ListFills, page: Sequence[Fill]) -> ask.ListFills | None:
    by_id = command.cursor or not command.since
    if by_id and len(page) < PAGE:
        return None
    if page:
        return replace(command, cursor=str(int(page[-1].trade_id) + 1))
    return SPANS.later(command)

# -- streams ---------------------------------------------------------------------------------------

def route_market(frame: bytes) -> Iterable[Routed]:
    raw = decode_market_frame(frame)
    if raw.stream == "!serverShutdown":
        return (Restart("the venue is about to restart"),)
    if raw.stream:
        return ((raw.stream, raw.data),)
    if raw.id is None:
        raise ValueError("neither data nor an answer")
    name, failed = str(raw.id), Failure(str(raw.code), raw.msg)
    if bytes(raw.error):
        failed = parse_failure(raw.error)
    return (Nack(name, failed.code, failed.text) if failed.text else Ack(name),)

def retry_of(body: bytes) -> dict[str, str]:
    """Where a header would name seconds, they name a time, and their own."""
    wait = wait_of(body) if b'"retryAfter"' in body else None
    return {"retry-after": str(-((wait.serverTime - wait.retryAfter) // 1000))} if wait else {}

def route_account(frame: bytes) -> Iterable[Routed]:
    raw = decode_api_frame(frame)
    if raw.id is None:
        kind = kind_of(raw.event)
        ended = kind in ("serverShutdown", "eventStreamTerminated")
        return (Restart(f"the venue sent {kind}") if ended else (kind, raw.event),)
    body = bytes(raw.result if raw.status == 200 else raw.error)
    if raw.id.startswith("order"):
        used = {LIMITED[where]: limit.count for limit in raw.rateLimits
                if (where := (limit.rateLimitType, limit.interval, limit.intervalNum)) in LIMITED}
        return (Answer(raw.id, raw.status, body, used, retry_of(body)),)
    if raw.status == 200:
        return (Ack(raw.id),)
    failure = parse_failure(body) if body else Failure(str(raw.status), "")
    return (Nack(raw.id, failure.code, failure.text),)

def write(method: str) -> Any:
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        payload = wire.encode({"method": method, "params": list(topics), "id": session.id})
        return [Outgoing(payload, (str(session.id),))]
    return frames

def log_in(session: Session) -> Sequence[Outgoing]:
    assert session.credentials is not None
    name, method = str(session.id), "userDataStream.subscribe.signature"
    params = SIGNER.sign_parameters({}, session.credentials, session.moment)
    return [Outgoing(wire.encode({"id": name, "method": method, "params": params}), (name,))]

def write_order(
    word: str, command: Any, params: Mapping[str, Any], session: Session
) -> Outgoing:
    assert session.credentials is not None
    name = f"order{session.id}"
    signed = SIGNER.sign_parameters(params, session.credentials, session.moment)
    return Outgoing(wire.encode({"id": name, "method": word, "params": signed}), (name,))

def verdict(message: BookMessage, sequence: int, first: bool) -> spec.Verdict:
    if message.last <= sequence:
        return spec.Verdict.OLD
    return spec.Verdict.APPLY if message.first <= sequence + 1 else spec.Verdict.GAP

def topics(make: Any) -> Any:
    return lambda instrument, interval: {
        f"{instrument.venue_symbol.lower()}@{name}": parser for name, parser in make(interval)}

# -- tables ----------------------------------------------------------------------------------------

SIGNER = QuerySigner("X-MBX-APIKEY", receive_window=5000)
POOLS = (  # of an address: weight and requests; of an account: orders that nothing has filled yet
    Pool("weight", 6000, 60 * SECOND), Pool("requests", 300_000, 300 * SECOND),
    Pool("connections", 300, 300 * SECOND),
    Pool("orders_10s", 100, 10 * SECOND, account=True),
    Pool("orders_1d", 200_000, DAY, account=True),
    Pool("sapi", 12_000, 60 * SECOND))  # each endpoint below /sapi has its own
USAGE = {
    "x-mbx-used-weight-1m": "weight", "x-mbx-order-count-10s": "orders_10s",
    "x-mbx-order-count-1d": "orders_1d", "x-sapi-used-ip-weight-1m": "sapi"}
LIMITED = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight", ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "DAY", 1): "orders_1d"}

def usage(headers: Mapping[str, str]) -> dict[str, int]:
    return {USAGE[n]: int(v) for n, v in headers.items() if n in USAGE and v.isdecimal()}

def weight(amount: int, orders: int = 0) -> dict[str, int]:
    return {"weight": amount, "requests": 1, "orders_10s": orders, "orders_1d": orders}

def book_weight(command: ask.GetBook) -> dict[str, int]:
    steps = ((100, 5), (500, 25), (1000, 50))
    return weight(next((cost for limit, cost in steps if command.depth <= limit), 250))

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/api/v3/time", Raw,
        lambda raw, command, scope: milliseconds(time_of(raw)), cost=weight(1)),
    ask.ListInstruments: Operation(
        "GET", "/api/v3/exchangeInfo", RawExchangeInfo,
        lambda raw, command, scope: [parse_instrument(s, scope.venue) for s in raw.symbols],
        lambda command: {"showPermissionSets": "false"}, weight(20)),
    ask.GetBook: Operation(
        "GET", "/api/v3/depth", RawBook, readers.book,
        lambda command: {**symbol_of(command), "limit": min(max(command.depth, 1), 5000)},
        book_weight),
    ask.GetTicker: Operation(
        "GET", "/api/v3/ticker/24hr", RawTicker, readers.ticker(WORDS), symbol_of, weight(2)),
    ask.GetTrades: Operation(
        "GET", "/api/v3/trades", list_of(RawTrade), readers.trades(WORDS),
        lambda command: {**symbol_of(command), "limit": min(command.limit, PAGE)}, weight(25)),
    ask.GetCandles: Operation(
        "GET", "/api/v3/klines", list_of(RawCandle), readers.candles(WORDS), encode_candles,
        weight(2)),
    ask.Place: Operation(
        "POST", "/api/v3/order", Raw, parse_placed,
        lambda command: {**symbol_of(command), **encode_order(command.request)},
        weight(1, orders=1), signed=True),
    ask.Cancel: Operation(
        "DELETE", "/api/v3/order", Raw, parse_canceled, encode_cancel, weight(1), signed=True),
    ask.CancelAll: Operation(
        "DELETE", "/api/v3/openOrders", list[Raw], parse_all_canceled, symbol_of, weight(1),
        signed=True),
    ask.Replace: Operation(
        "POST", "/api/v3/order/cancelReplace", RawReplaced, parse_replaced, encode_replace,
        weight(1, orders=1), signed=True, effects=parse_replace_failed),
    ask.Amend: Operation(
        "PUT", "/api/v3/order/amend/keepPriority", RawAmended, parse_amended, encode_amend,
        weight(4), signed=True),
    ask.GetOrder: Operation(
        "GET", "/api/v3/order", RawOrder, readers.report(WORDS),
        lambda command: {
            **symbol_of(command), "origClientOrderId": command.order.client_order_id},
        weight(4), signed=True),
    ask.ListOpenOrders: Operation(
        "GET", "/api/v3/openOrders", list_of(RawOrder), readers.orders(WORDS),
        lambda command: symbol_of(command) if command.instrument else {},
        lambda command: weight(6 if command.instrument else 80), signed=True),
    ask.ListFills: Operation(
        "GET", "/api/v3/myTrades", list_of(RawMyTrade), readers.fills(WORDS), encode_fills,
        weight(20), signed=True, more=next_fills),
    ask.GetBalances: Operation(
        "GET", "/api/v3/account", RawAccount, parse_balances,
        lambda command: {"omitZeroBalances": "true"}, weight(20), signed=True),
    ask.GetFees: Operation(
        "GET", "/api/v3/account/commission", RawCommission, parse_fees, symbol_of, weight(20),
        signed=True),
    ask.GetKeyPermissions: Operation(
        "GET", "/sapi/v1/account/apiRestrictions", RawKey, parse_key, cost={"sapi": 1},
        signed=True),
}
CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(
        topics(lambda interval: [("depth@100ms", readers.book_stream(decode_depth))]),
        book=spec.BookRule(spec.Start.REST, verdict, depth=1000)),
    Channel.TRADES: spec.ChannelSpec(topics(
        lambda interval: [("trade", readers.trade_stream(decode_trade, WORDS))])),
    Channel.TICKER: spec.ChannelSpec(topics(lambda interval: [
        ("ticker", readers.ticker_stream(decode_statistics, WORDS)),
        ("bookTicker", readers.ticker_stream(decode_quote, WORDS))])),
    Channel.CANDLES: spec.ChannelSpec(topics(lambda interval: [(
        f"kline_{INTERVALS[interval]}",
        readers.candle_stream(lambda raw: decode_candle(kline_of(raw)), WORDS)(interval))])),
}
CONNECT = {"connections": 1}
STREAM = spec.StreamSpec(  # five of our frames a second; 1024 topics would be allowed
    host="stream", path="/stream", route=route_market, subscribe=write("SUBSCRIBE"),
    unsubscribe=write("UNSUBSCRIBE"), connect=CONNECT, max_topics=200, frame_interval=SECOND // 4)
PRIVATE = spec.PrivateSpec(
    spec.StreamSpec(
        host="ws_api", path="/ws-api/v3", route=route_account, opening=(log_in,),
        connect={**CONNECT, "weight": 2}),
    {"executionReport": parse_execution, "outboundAccountPosition": parse_position,
     # The position event that comes along has the new amounts; order lists we do not place.
     "balanceUpdate": lambda payload, scope: (), "externalLockUpdate": lambda payload, scope: (),
     "listStatus": lambda payload, scope: ()})
ENTRY = spec.OrderEntry(  # over the same connection, and from the same budgets
    words={
        ask.Place: "order.place", ask.Cancel: "order.cancel", ask.Replace: "order.cancelReplace",
        ask.Amend: "order.amend.keepPriority", ask.CancelAll: "openOrders.cancelAll"},
    write=write_order)
ERRORS = (
    *rules(("-1000 -1001 -1006 -1007 -1008 -1016", Reason.VENUE_UNAVAILABLE), unknown=True),
    # An order with our id is there already: perhaps the very one that we asked for.
    *rules(("-2010", Reason.OUTCOME_UNKNOWN, "duplicate order"), unknown=True),
    *rules(("-1015", Reason.RATE_LIMITED), pools=("orders_10s", "orders_1d")),
    *rules(
        ("-1003 -1034", Reason.RATE_LIMITED),
        ("-1002 -1022 -2014 -2015", Reason.VENUE_AUTHENTICATION_FAILED),
        ("-1021", Reason.CLOCK_SKEW),
        ("-1013 -1111", Reason.ORDER_RULE_BROKEN),
        ("-1014 -1020", Reason.UNSUPPORTED_BY_VENUE),
        ("-1121", Reason.INSTRUMENT_NOT_FOUND),
        ("-1199..-1100", Reason.VENUE_PROTOCOL_ERROR),  # it does not read what we wrote
        ("-2010", Reason.INSUFFICIENT_BALANCE, "insufficient balance"),
        ("-2010", Reason.POST_ONLY_WOULD_TAKE, "immediately match and take"),
        ("-2010 -2038", Reason.UNSUPPORTED_BY_VENUE, "not support"),
        ("-2010", Reason.ORDER_RULE_BROKEN, "filter failure"),
        ("-2010", Reason.ORDER_RULE_BROKEN, "market is closed"),
        ("-2011", Reason.ORDER_NOT_FOUND, "unknown order"),
        ("-2013 -2039", Reason.ORDER_NOT_FOUND),
        ("-2026", Reason.ORDER_FINAL),
        ("-1010 -2010 -2011 -2038", Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="binance", name="Binance", kind=VenueKind.SPOT,
    documentation="https://developers.binance.com/docs/binance-spot-api-docs",
    hosts={
        "rest": "https://api.binance.com", "stream": "wss://stream.binance.com:9443",
        "ws_api": "wss://ws-api.binance.com:443"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=PRIVATE,
    entry=ENTRY, signer=SIGNER, body=spec.Layout.FORM, errors=ERRORS, pools=POOLS, usage=usage,
    failure=lambda status, body: parse_failure(body) if status >= 400 else None,
    intervals=INTERVALS,
    order_types=frozenset({
        *((kind, time) for kind in LIMITS for time in WORDS.times_in_force.values()),
        (OrderType.LIMIT, TimeInForce.POST_ONLY), (OrderType.MARKET, TimeInForce.GTC),
        (OrderType.MARKET, TimeInForce.IOC), (OrderType.STOP_MARKET, TimeInForce.GTC),
        (OrderType.TAKE_PROFIT_MARKET, TimeInForce.GTC)}),
    client_id=ClientIdRule(length=32),
    # A request is turned away five seconds after its timestamp, which may be a second ahead; one
    # that got through is answered by the matching engine within ten.
    settle_time=16 * SECOND,
    standing_since="2026-07-21",
    standing_evidence="its API repository documents, maintains and announces changes")
TESTNET = replace(
    VENUE, id="binance_testnet", name="Binance test network",
    operations={  # it has nothing below /sapi
        kind: one for kind, one in OPERATIONS.items() if kind is not ask.GetKeyPermissions},
    hosts={
        "rest": "https://testnet.binance.vision", "stream": "wss://stream.testnet.binance.vision",
        "ws_api": "wss://ws-api.testnet.binance.vision"})
VENUES = (VENUE, TESTNET)
