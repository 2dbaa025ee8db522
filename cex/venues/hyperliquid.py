"""Hyperliquid spot, and its test network.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api: info and exchange endpoints,
websocket, error responses, rate limits, nonces; as of 2026-08. All questions go to /info, all
actions to /exchange. An account's key signs; where it trades for a vault or a sub-account, their
address is the credentials' `user`. Assets have the names of the chain: UBTC is what its web
interface shows as BTC.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, shapes, spec, wire
from cex.engine.credentials import Credentials
from cex.engine.messages import Ack, Answer, BookMessage, Nack, Outgoing, Routed
from cex.engine.parse import Page
from cex.engine.phantom import EXCHANGE, PhantomSigner, account_of, address_of
from cex.engine.shapes import shape
from cex.engine.spec import Failure, NonceRule, Operation, Pool, Scope, Session, Window, rules
from cex.engine.wire import Wire, decoder, list_of, lookup, milliseconds, number, optional, positive
from core.accounts import Balance, FeeRates
from core.clock import MILLISECOND, SECOND
from core.errors import Reason
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind
from core.market import Candle, Ticker, Trade
from core.money import ZERO, ceil_to, floor_to, text
from core.orders import (
    Fill,
    Liquidity,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import Channel, KeyPermissions, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawToken(Wire):
    name: str
    index: int
    szDecimals: int

class RawPair(Wire):
    name: str
    index: int
    tokens: tuple[int, int]

class RawMeta(Wire):
    universe: list[RawPair]
    tokens: list[RawToken]

class RawContext(Wire):
    coin: str = ""
    prevDayPx: Raw = Raw()
    dayNtlVlm: Raw = Raw()
    dayBaseVlm: Raw = Raw()
    markPx: Raw = Raw()
    oraclePx: Raw = Raw()
    funding: Raw = Raw()
    openInterest: Raw = Raw()

class RawLevel(Wire, gc=False):
    px: str
    sz: str

class RawBook(Wire):
    coin: str
    time: int
    levels: tuple[list[RawLevel], list[RawLevel]]
    fast: bool = False

class RawBest(Wire):
    coin: str
    time: int
    bbo: tuple[RawLevel | None, RawLevel | None]

TRADE = {"trade_id": "tid", "side": "side", "price": "px", "quantity": "sz", "time": "time"}
RawTrade = shape(shapes.TradeShape, TRADE)
CANDLE = {"open_time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
RawCandle = shape(shapes.CandleShape, CANDLE)
decode_candle = decoder(RawCandle)

class RawCandleKey(Wire):
    s: str
    i: str
    T: Raw

class RawCoin(Wire):
    coin: str

class RawAsset(Wire):
    coin: str
    ctx: RawContext

class RawOrder(Wire):
    coin: str
    side: str
    limitPx: Raw
    sz: Raw
    oid: int
    timestamp: Raw = Raw()
    origSz: Raw = Raw()
    cloid: str | None = None
    orderType: str = "Limit"
    tif: str | None = None
    triggerPx: Raw = Raw()
    reduceOnly: bool = False

class RawUpdate(Wire):
    order: RawOrder
    status: str
    statusTimestamp: Raw

class RawFound(Wire):
    status: str
    order: RawUpdate | None = None

class RawFill(Wire):
    coin: str
    px: Raw
    sz: Raw
    side: str
    time: Raw
    oid: int
    tid: int
    fee: Raw
    feeToken: str
    crossed: bool
    cloid: str | None = None
    startPosition: Raw = Raw()

class RawFills(Wire):
    fills: list[RawFill]
    isSnapshot: bool = False

class RawHolding(Wire):
    coin: str
    total: Raw
    hold: Raw

class RawHoldings(Wire):
    balances: list[RawHolding]

class RawSpotState(Wire):
    spotState: RawHoldings

class RawFees(Wire):
    userCrossRate: Raw = Raw()
    userAddRate: Raw = Raw()
    userSpotCrossRate: Raw = Raw()
    userSpotAddRate: Raw = Raw()

class RawResting(Wire):
    oid: int

class RawFilled(Wire):
    oid: int
    totalSz: Raw
    avgPx: Raw

class RawStatus(Wire):
    resting: RawResting | None = None
    filled: RawFilled | None = None
    error: str = ""

class RawStatuses(Wire):
    statuses: list[str | RawStatus]

class RawDone(Wire):
    type: str
    data: RawStatuses | None = None

class RawReply(Wire):
    status: str = ""
    response: str | RawDone | None = None

class RawSubscription(Wire):
    type: str
    coin: str = ""
    interval: str = ""
    fast: bool | None = None

class RawSubscribed(Wire):
    method: str
    subscription: RawSubscription

class RawAnswer(Wire):
    type: str
    payload: Raw

class RawPost(Wire):
    id: int
    response: RawAnswer

class Frame(Wire):
    channel: str
    data: Raw = Raw()

decode_frame, decode_post = decoder(Frame), decoder(RawPost)
decode_subscribed, decode_subscription = decoder(RawSubscribed), decoder(RawSubscription)
decode_book_frame = wire.member("data", RawBook)
decode_book, decode_best, decode_asset = decoder(RawBook), decoder(RawBest), decoder(RawAsset)
decode_trades, decode_coins = decoder(list_of(RawTrade)), decoder(list_of(RawCoin))
decode_candle_key, decode_updates = decoder(RawCandleKey), decoder(list_of(RawUpdate))
decode_fills, decode_spot_state = decoder(RawFills), decoder(RawSpotState)
decode_reply, decode_text = decoder(RawReply), decoder(str)
contexts_of = decoder(tuple[RawMeta, list[RawContext]])

# -- words -----------------------------------------------------------------------------------------

SIDES = {"B": Side.BUY, "A": Side.SELL}
WORDS = parse.Words(sides=SIDES, statuses={}, types={}, times_in_force={}, time=milliseconds)
STATUSES = {
    "open": OrderStatus.OPEN, "triggered": OrderStatus.OPEN, "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED, "scheduledCancel": OrderStatus.CANCELED,
    "iocCancelRejected": OrderStatus.EXPIRED,
    **dict.fromkeys((
        "marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled",
        "selfTradeCanceled", "reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled",
        "liquidatedCanceled", "outcomeSettledCanceled", "internalCancel"), OrderStatus.EXPIRED),
    **dict.fromkeys((
        "rejected", "tickRejected", "minTradeNtlRejected", "minTradeSpotNtlRejected",
        "perpMarginRejected", "reduceOnlyRejected", "badAloPxRejected", "badTriggerPxRejected",
        "marketOrderNoLiquidityRejected", "positionIncreaseAtOpenInterestCapRejected",
        "positionFlipAtOpenInterestCapRejected", "tooAggressiveAtOpenInterestCapRejected",
        "openInterestIncreaseRejected", "insufficientSpotBalanceRejected", "oracleRejected",
        "perpMaxPositionRejected", "tooManyOpenOrdersRejected"), OrderStatus.REJECTED)}
TYPES = {
    "Limit": OrderType.LIMIT, "Market": OrderType.MARKET, "Stop Limit": OrderType.STOP_LIMIT,
    "Stop Market": OrderType.STOP_MARKET, "Take Profit Limit": OrderType.TAKE_PROFIT_LIMIT,
    "Take Profit Market": OrderType.TAKE_PROFIT_MARKET}
WITHOUT_PRICE = (OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)
TIMES = {"Gtc": TimeInForce.GTC, "Ioc": TimeInForce.IOC, "Alo": TimeInForce.POST_ONLY}
TIME_WORDS = {time: word for word, time in TIMES.items()}
TIMES_OF_ORDERS = {
    **TIMES, "": TimeInForce.GTC, "FrontendMarket": TimeInForce.IOC,
    "LiquidationMarket": TimeInForce.IOC}
UNMATCHED = "could not immediately match"  # an IOC order that met nobody: it ended, as it was to
INTERVALS = {
    60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h", 7200: "2h", 14400: "4h",
    28800: "8h", 43200: "12h", 86400: "1d", 259200: "3d", 604800: "1w"}
CLOID = re.compile(r"0x[0-9a-f]{32}", re.ASCII).fullmatch
BEST = 5  # levels of a fast book
PAGE = 500  # what has a time range comes in pages of at least so many
FIRST_SPOT = 10_000  # asset numbers below are perpetuals'

# -- parsers ---------------------------------------------------------------------------------------

def is_spot(coin: str) -> bool:
    return coin.startswith("@") or "/" in coin

def parse_instruments(raw: RawMeta, command: Any, scope: Scope) -> list[Instrument]:
    """Two tokens may have several markets; the first has their name. One whose token is not told
    holds up no other."""
    tokens = {token.index: token for token in raw.tokens}
    found: dict[str, Instrument] = {}
    for pair in raw.universe:
        if not tokens.keys() >= set(pair.tokens):
            continue
        base, quote = (tokens[index] for index in pair.tokens)
        name = f"{base.name}-{quote.name}"
        name = f"{name}@{pair.index}" if name in found else name
        found[name] = Instrument(
            scope.venue, name, pair.name, InstrumentKind.SPOT, base.name, quote.name, quote.name,
            price_tick=parse.increment(8 - base.szDecimals), price_digits=5,
            quantity_step=parse.increment(base.szDecimals), min_notional=Decimal(10),
            venue_code=str(FIRST_SPOT + pair.index))
    return list(found.values())

def book_message(raw: RawBook, best: int = 0) -> BookMessage:
    """Of a book without a number, the time tells the order."""
    bids, asks = [[(level.px, level.sz) for level in side] for side in raw.levels]
    return BookMessage(
        bids, asks, raw.time, event_time=raw.time * MILLISECOND, whole=not best, best=best)

def parse_book(raw: RawBook, command: Any, scope: Scope) -> BookMessage:
    return book_message(raw)

def best_ticker(
    instrument: Instrument, bid: RawLevel | None, offer: RawLevel | None, time: int, received: int
) -> Ticker:
    none = RawLevel("", "")
    prices, sizes = [
        [positive(Raw(getattr(level or none, name).encode())) for level in (bid, offer)]
        for name in ("px", "sz")]
    return Ticker(
        instrument.id, prices[0], sizes[0], prices[1], sizes[1],
        event_time=time * MILLISECOND, receive_time=received)

def statistics(raw: RawContext, instrument: Instrument, received: int = 0) -> Ticker:
    return Ticker(
        instrument.id, open_price=positive(raw.prevDayPx), volume=optional(raw.dayBaseVlm),
        quote_volume=optional(raw.dayNtlVlm), receive_time=received)

def parse_ticker(payload: Raw, command: ask.GetTicker, scope: Scope) -> Ticker:
    """The best prices are of the book, the day's statistics of the list of all markets."""
    if command.part:
        _, contexts = contexts_of(payload)
        named = (raw for raw in contexts if raw.coin == command.instrument.venue_symbol)
        return statistics(next(named, RawContext()), command.instrument)
    raw = decode_book(payload)
    bid, offer = (side[0] if side else None for side in raw.levels)
    return best_ticker(command.instrument, bid, offer, raw.time, 0)

def parse_trades(raw: list[Any], command: ask.GetTrades, scope: Scope) -> list[Trade]:
    """They begin with the newest."""
    trades = [parse.trade(item, WORDS, command.instrument) for item in raw[: command.limit]]
    return trades[::-1]

def parse_candles(raw: list[Any], command: ask.GetCandles, scope: Scope) -> list[Candle]:
    return [
        parse.candle(item, WORDS, command.instrument, command.interval, command.now)
        for item in raw][-command.limit:]

def status_report(raw: RawOrder, word: str, time: Raw) -> OrderReport:
    """`sz` is what was left when the status was reached. Of an order that is filled it may be what
    it was before, but what an IOC order left is not to come."""
    status = lookup(STATUSES, word, "order status")
    whole, left = positive(raw.origSz), number(raw.sz)
    filled = None if whole is None else max(whole - left, ZERO)
    if status is OrderStatus.FILLED and whole is not None:
        at_once = raw.tif is None or TIMES_OF_ORDERS.get(raw.tif) is TimeInForce.IOC
        if at_once and 0 < left < whole:
            status = OrderStatus.EXPIRED
        else:
            filled = whole
    reason = word if status in (OrderStatus.EXPIRED, OrderStatus.REJECTED) else ""
    return OrderReport(
        raw.cloid or "", status, str(raw.oid), filled, reason=reason,
        event_time=milliseconds(time))

def parse_found(raw: RawFound, command: ask.GetOrder, scope: Scope) -> OrderReport | None:
    if raw.order is None:
        if raw.status != "unknownOid":
            raise ValueError(f"unknown answer {raw.status[:60]!r}")
        return None
    told = status_report(raw.order.order, raw.order.status, raw.order.statusTimestamp)
    return replace(told, client_order_id=told.client_order_id or command.order.client_order_id)

def open_order(raw: RawOrder, scope: Scope) -> Order:
    kind = lookup(TYPES, raw.orderType, "order type")
    left = number(raw.sz)
    whole = positive(raw.origSz) or left
    filled = max(whole - left, ZERO)
    request = OrderRequest(
        raw.cloid or "", scope.account, scope.venue, scope.instrument(raw.coin).id,
        lookup(SIDES, raw.side, "side"), kind, whole,
        None if kind in WITHOUT_PRICE else number(raw.limitPx), positive(raw.triggerPx),
        lookup(TIMES_OF_ORDERS, raw.tif or "", "time in force"), raw.reduceOnly)
    time = milliseconds(raw.timestamp)
    return Order(
        request, OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN, str(raw.oid),
        filled, create_time=time, update_time=time)

def open_orders(ours: Callable[[str], bool]) -> Any:
    """An account's orders of all markets come together; each venue reads its own."""
    def read(raw: list[RawOrder], command: Any, scope: Scope) -> list[Order]:
        return [open_order(item, scope) for item in raw if ours(item.coin)]
    return read

def fill(raw: RawFill, scope: Scope) -> Fill:
    return Fill(
        str(raw.tid), scope.venue, scope.account, scope.instrument(raw.coin).id, raw.cloid or "",
        str(raw.oid), lookup(SIDES, raw.side, "side"), number(raw.px), number(raw.sz),
        number(raw.fee), raw.feeToken, Liquidity.TAKER if raw.crossed else Liquidity.MAKER,
        milliseconds(raw.time))

def parse_fills(raw: list[RawFill], command: ask.ListFills, scope: Scope) -> Page[Fill]:
    """All markets from a time on, oldest first: a full page goes on at its last time."""
    symbol = command.instrument.venue_symbol
    last = str(milliseconds(raw[-1].time)) if len(raw) >= PAGE else ""
    return Page([fill(item, scope) for item in raw if item.coin == symbol], last)

def next_page(command: Any, page: Any) -> Any:
    later = page.cursor and int(page.cursor) > command.since
    return replace(command, since=int(page.cursor)) if later else None

def balance(raw: RawHolding, scope: Scope) -> Balance:
    total = number(raw.total)
    free = max(total - number(raw.hold), ZERO)
    return Balance(scope.account, scope.venue, scope.asset(raw.coin), total, free)

def balances(raw: RawHoldings, scope: Scope) -> list[Balance]:
    """Without the shares of outcome markets, whose names begin with a sign."""
    return [balance(item, scope) for item in raw.balances if not item.coin.startswith("+")]

def parse_balances(raw: RawHoldings, command: Any, scope: Scope) -> list[Balance]:
    return balances(raw, scope)

def parse_fees(raw: RawFees, command: ask.GetFees, scope: Scope) -> FeeRates:
    return FeeRates(
        scope.account, scope.venue, command.instrument.id, number(raw.userSpotAddRate),
        number(raw.userSpotCrossRate))

def placed(
    item: str | RawStatus, name: str, quantity: Decimal, time_in_force: TimeInForce
) -> OrderReport:
    """What became of an order at once."""
    if isinstance(item, str):
        return OrderReport(name, lookup(WAITING, item, "order status"))
    if item.resting is not None:
        return OrderReport(name, OrderStatus.OPEN, str(item.resting.oid))
    if item.filled is not None:
        filled = number(item.filled.totalSz)
        rest = (OrderStatus.EXPIRED if time_in_force is TimeInForce.IOC
                else OrderStatus.PARTIALLY_FILLED)
        status = OrderStatus.FILLED if filled >= quantity else rest
        return OrderReport(
            name, status, str(item.filled.oid), filled, filled * number(item.filled.avgPx))
    if UNMATCHED in item.error:
        return OrderReport(name, OrderStatus.EXPIRED, filled_quantity=ZERO, reason=item.error)
    raise ValueError("neither resting nor filled")

WAITING = {"waitingForFill": OrderStatus.OPEN, "waitingForTrigger": OrderStatus.OPEN}

def only(raw: RawReply) -> str | RawStatus:
    (item,) = statuses_of(raw)
    return item

def statuses_of(raw: RawReply) -> list[str | RawStatus]:
    done = raw.response
    return done.data.statuses if isinstance(done, RawDone) and done.data is not None else []

def parse_placed(raw: RawReply, command: ask.Place, scope: Scope) -> ask.Reports:
    request = command.request
    market = request.type is OrderType.MARKET
    time = TimeInForce.IOC if market else request.time_in_force
    return [placed(only(raw), request.client_order_id, request.quantity, time)]

def parse_replaced(raw: RawReply, command: ask.Replace, scope: Scope) -> ask.Reports:
    """The new order has a number of its own at the venue; the old one is canceled."""
    old, left = command.order, command.quantity - command.order.filled_quantity
    new = placed(only(raw), command.client_order_id, left, old.request.time_in_force)
    canceled = OrderReport(old.client_order_id, OrderStatus.CANCELED, old.venue_order_id)
    return [canceled, replace(new, quantity=left, price=command.price)]

def parse_canceled(raw: RawReply, command: ask.Cancel, scope: Scope) -> ask.Reports:
    return ended([command.order], [only(raw)])

def parse_all_canceled(raw: RawReply, command: ask.CancelOrders, scope: Scope) -> ask.Reports:
    return ended([order for order, _ in command.orders], statuses_of(raw))

def ended(orders: Sequence[Order], items: Sequence[str | RawStatus]) -> list[OrderReport]:
    """Those of several orders that were canceled; the rest were not there any more."""
    pairs = zip(orders, items, strict=True)
    if [item for item in items if item != "success" and not getattr(item, "error", "")]:
        raise ValueError("neither canceled nor refused")
    return [
        OrderReport(order.client_order_id, OrderStatus.CANCELED, order.venue_order_id)
        for order, item in pairs if item == "success"]

def parse_nothing(raw: RawReply, command: Any, scope: Scope) -> None:
    """An action that has no result."""
    if raw.status != "ok":
        raise ValueError(f"unknown answer {raw.status[:60]!r}")

def parse_failure(status: int, body: bytes) -> Failure | None:
    """A whole action may be refused ("err"), or each of its orders ("error")."""
    if status >= 400:
        return Failure(str(status), body[:300].decode(errors="replace"))
    if not body.startswith(b'{"status":'):
        return None
    raw = decode_reply(body)
    if raw.status == "err":
        return Failure("err", raw.response if isinstance(raw.response, str) else "")
    errors = [item.error for item in statuses_of(raw) if not isinstance(item, str)]
    refused = len(errors) == len(statuses_of(raw)) and all(errors) and errors
    return Failure("error", errors[0]) if refused and UNMATCHED not in errors[0] else None

def key_permissions(credentials: Credentials) -> KeyPermissions:
    """An API wallet, which has another address than the account, can only trade; whether it may,
    and still, the venue knows. The account's own key can do all."""
    own = address_of(credentials.secret) == credentials.api_key.lower()
    return KeyPermissions(own or None, withdraw=own)

# -- encoders --------------------------------------------------------------------------------------

def info(kind: str) -> Callable[[Any], dict[str, Any]]:
    return lambda command: {"type": kind}

def coin_of(kind: str) -> Callable[[Any], dict[str, Any]]:
    return lambda command: {"type": kind, "coin": command.instrument.venue_symbol}

def worst(request: OrderRequest, instrument: Instrument) -> Decimal:
    """A stop's limit once it is a market order: a tenth from its trigger, unless told otherwise."""
    trigger = request.trigger_price or ZERO
    slippage = SLIPPAGE if request.max_slippage is None else request.max_slippage
    if request.side is Side.BUY:
        price = trigger * (1 + slippage)
        return floor_to(price, instrument.tick_at(price))
    price = trigger * (1 - slippage)
    return ceil_to(price, instrument.tick_at(price))

SLIPPAGE = Decimal("0.1")

def encode_order(
    request: OrderRequest, instrument: Instrument, bound: Decimal | None = None, **changed: Any
) -> dict[str, Any]:
    """The order of the members is part of what is signed."""
    kind = request.type
    price = changed.get("price", request.price)
    if kind is OrderType.MARKET:
        price = bound
    elif kind in WITHOUT_PRICE:
        price = worst(request, instrument)
    if kind in (OrderType.LIMIT, OrderType.MARKET):
        ioc = kind is OrderType.MARKET
        how: dict[str, Any] = {
            "limit": {"tif": "Ioc" if ioc else TIME_WORDS[request.time_in_force]}}
    else:
        stop = kind in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)
        how = {"trigger": {
            "isMarket": kind in WITHOUT_PRICE, "triggerPx": text(request.trigger_price or ZERO),
            "tpsl": "sl" if stop else "tp"}}
    return {
        "a": int(instrument.venue_code), "b": request.side is Side.BUY, "p": text(price or ZERO),
        "s": text(changed.get("quantity", request.quantity)), "r": request.reduce_only, "t": how,
        "c": changed.get("name", request.client_order_id)}

def encode_place(command: ask.Place) -> dict[str, Any]:
    return {
        "type": "order",
        "orders": [encode_order(command.request, command.instrument, command.bound)],
        "grouping": "na"}

def name_of(order: Order) -> str | int:
    """By our id where there is one: a change gives an order another number."""
    return order.client_order_id if CLOID(order.client_order_id) else int(order.venue_order_id)

def encode_cancel(command: ask.Cancel) -> dict[str, Any]:
    asset, name = int(command.instrument.venue_code), name_of(command.order)
    if isinstance(name, int):
        return {"type": "cancel", "cancels": [{"a": asset, "o": name}]}
    return {"type": "cancelByCloid", "cancels": [{"asset": asset, "cloid": name}]}

def encode_cancels(command: ask.CancelOrders) -> dict[str, Any]:
    """Those that were just listed, by the number that they were listed with."""
    return {"type": "cancel", "cancels": [
        {"a": int(instrument.venue_code), "o": int(order.venue_order_id)}
        for order, instrument in command.orders]}

def encode_timer(command: ask.CancelAfter) -> dict[str, Any]:
    """Of the orders in all markets, spot and perpetual; in five seconds at the soonest."""
    if not command.timeout:
        return {"type": "scheduleCancel"}
    return {"type": "scheduleCancel",
            "time": (command.now + max(command.timeout, 6 * SECOND)) // MILLISECOND}

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    """The venue places the new order only if it could cancel the old one."""
    order = command.order
    changed = encode_order(
        order.request, command.instrument, price=command.price, name=command.client_order_id,
        quantity=command.quantity - order.filled_quantity)
    return {"type": "batchModify", "modifies": [{"oid": name_of(order), "order": changed}]}

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    """The venue wants a beginning; it has the 5000 latest."""
    span = (min(command.limit, 5000) - 1) * command.interval * SECOND
    start, end = command.start, command.end
    if start is None:
        start = (command.now if end is None else end) - span
    elif end is None or end > start + span:
        end = start + span
    times = {"startTime": start // MILLISECOND}
    if end is not None:
        times["endTime"] = end // MILLISECOND
    return {"type": "candleSnapshot", "req": {
        "coin": command.instrument.venue_symbol, "interval": INTERVALS[command.interval], **times}}

def encode_ticker(kind: str) -> Callable[[ask.GetTicker], dict[str, Any]]:
    return lambda command: (
        {"type": kind} if command.part else coin_of("l2Book")(command))

def next_part(command: ask.GetTicker, page: Any) -> ask.GetTicker | None:
    return None if command.part else replace(command, part="statistics")

# -- streams ---------------------------------------------------------------------------------------

def topic_of(raw: RawSubscription) -> str:
    words = (raw.type, raw.coin, raw.interval, "fast" if raw.fast else "")
    return " ".join(word for word in words if word)

def subscription(topic: str) -> dict[str, Any]:
    kind, coin, *more = topic.split(" ")
    if kind == "candle":
        return {"type": kind, "coin": coin, "interval": more[0]}
    return {"type": kind, "coin": coin, **({"fast": True} if more else {})}

def write(method: str) -> Any:
    """A frame each. The fast book comes or not: without it the book is right, only slower."""
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        return [
            Outgoing(
                wire.encode({"method": method, "subscription": subscription(topic)}),
                () if topic.endswith(" fast") else (f"{method} {topic}",))
            for topic in topics]
    return frames

MUST = ("orderUpdates", "userFills")  # the rest of an account's topics can be asked for as well

def subscribe_account(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
    assert session.credentials is not None
    user = account_of(session.credentials)
    return [
        Outgoing(
            wire.encode({"method": "subscribe", "subscription": {"type": topic, "user": user}}),
            (f"subscribe {topic}",) if topic in MUST else ())
        for topic in topics]

def by_coin(kind: str, decode: Any) -> Any:
    def read(data: Raw) -> Iterable[Routed]:
        raw = decode(data)
        return ((f"{kind} {raw.coin}", raw),)
    return read

def route_book(raw: RawBook) -> Iterable[Routed]:
    return ((f"l2Book {raw.coin} fast" if raw.fast else f"l2Book {raw.coin}", raw),)

def route_trades(data: Raw) -> Iterable[Routed]:
    coins = {raw.coin for raw in decode_coins(data)}
    if len(coins) > 1:
        raise ValueError("trades of several markets")
    return [(f"trades {coin}", data) for coin in coins]

def route_candle(data: Raw) -> Iterable[Routed]:
    raw = decode_candle_key(data)
    return ((f"candle {raw.s} {raw.i}", data),)

def route_subscribed(data: Raw) -> Iterable[Routed]:
    raw = decode_subscribed(data)
    return (Ack(f"{raw.method} {topic_of(raw.subscription)}"),)

def route_error(data: Raw) -> Iterable[Routed]:
    """Words, and the frame or subscription that they are about."""
    said = decode_text(data)
    words, brace, rest = said.partition("{")
    about = (brace + rest).encode()
    try:
        raw = (decode_subscribed(about) if b'"subscription"' in about
               else RawSubscribed("subscribe", decode_subscription(about)))
    except wire.MALFORMED:
        return (Nack("", "error", said[:300]),)
    key = f"{raw.method} {topic_of(raw.subscription)}"
    return (Ack(key) if words.startswith("Already") else Nack(key, "error", said[:300]),)

def route_post(data: Raw) -> Iterable[Routed]:
    """What an action's reply would be, or why there is none: words that may begin with a status."""
    raw = decode_post(data)
    if raw.response.type == "action":
        return (Answer(str(raw.id), 200, bytes(raw.response.payload)),)
    said = decode_text(raw.response.payload)
    status = said[:3] if re.match(r"[45]\d\d\b", said) else "500"
    return (Answer(str(raw.id), int(status), said.encode()),)

ROUTES: Mapping[str, Callable[[Raw], Iterable[Routed]]] = {
    "l2Book": lambda data: route_book(decode_book(data)), "trades": route_trades,
    "bbo": by_coin("bbo", decode_best),
    "candle": route_candle, "activeAssetCtx": by_coin("activeAssetCtx", decode_asset),
    "activeSpotAssetCtx": by_coin("activeAssetCtx", decode_asset),
    "subscriptionResponse": route_subscribed, "error": route_error, "post": route_post,
    "pong": lambda data: ()}

def route(frame: bytes) -> Iterable[Routed]:
    if frame == b"Websocket connection established.":
        return ()
    if frame.startswith(b'{"channel":"l2Book"'):  # in one go: most frames are of books
        return route_book(decode_book_frame(frame))
    raw = decode_frame(frame)
    read = ROUTES.get(raw.channel)
    return read(raw.data) if read is not None else ((raw.channel, raw.data),)

def write_post(signer: PhantomSigner) -> Any:
    def frame(word: str, command: Any, params: Any, session: Session) -> Outgoing:
        assert session.credentials is not None
        payload = signer.envelope(params, session.credentials, session.moment)
        return Outgoing(
            wire.encode({"method": "post", "id": session.id,
                         "request": {"type": word, "payload": payload}}), (str(session.id),))
    return frame

def verdict(message: BookMessage, sequence: int, first: bool) -> spec.Verdict:
    return spec.Verdict.OLD if message.last < sequence else spec.Verdict.APPLY

def read_book(raw: RawBook, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    bids, asks = raw.levels
    columns = (([level.px for level in bids], [level.sz for level in bids]),
               ([level.px for level in asks], [level.sz for level in asks]))
    return (BookMessage(
        last=raw.time, event_time=raw.time * MILLISECOND, whole=True, columns=columns),)

def read_best_levels(
    raw: RawBook, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    return (book_message(raw, BEST),)

def read_trades(data: Raw, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    return [parse.trade(raw, WORDS, instrument, received) for raw in decode_trades(data)]

def read_best(raw: RawBest, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
    return (best_ticker(instrument, *raw.bbo, raw.time, received),)

def read_statistics(
    raw: RawAsset, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    return (statistics(raw.ctx, instrument, received),)

def read_candle(interval: int) -> spec.MarketParser:
    def read(data: Any, instrument: Instrument, received: int) -> Iterable[spec.MarketValue]:
        return (parse.candle(decode_candle(data), WORDS, instrument, interval, received),)
    return read

def read_updates(ours: Callable[[str], bool]) -> spec.AccountParser:
    def read(data: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
        return [
            status_report(raw.order, raw.status, raw.statusTimestamp)
            for raw in decode_updates(data) if ours(raw.order.coin)]
    return read

def read_fills(data: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    """Not the first message: what was before is asked for, as far back as it is needed."""
    raw = decode_fills(data)
    return [fill(item, scope) for item in raw.fills if is_spot(item.coin) and not raw.isSnapshot]

def read_balances(data: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    return balances(decode_spot_state(data).spotState, scope)

# -- tables ----------------------------------------------------------------------------------------

# An action that is in no block after this time never will be.
SIGNER, TEST_SIGNER = (PhantomSigner(source, 10 * SECOND) for source in "ab")
POOLS = (  # What an account may do grows with what it has traded, for cancels more so; one that
    # used it up may still do something every ten seconds.
    Pool("weight", 1200, 60 * SECOND, window=Window.ROLLING, shared=True),
    *(Pool(name, 1200, 60 * SECOND, account=True, window=Window.ROLLING, shared=True)
      for name in ("actions", "cancels")))

def weight(amount: int = 20) -> dict[str, int]:
    return {"weight": amount}

def asked(reply: Any, parser: Any, params: Any, cost: Any = None, **more: Any) -> Any:
    return Operation("POST", "/info", reply, parser, params, cost or weight(), **more)

def done(parser: Any, params: Any, cost: Any, reply: Any = RawReply) -> Any:
    return Operation("POST", EXCHANGE, reply, parser, params, cost, signed=True)

def cancel_cost(command: ask.CancelOrders) -> dict[str, int]:
    size = len(command.orders)
    return {"weight": 1 + size // 40, "cancels": size}

ACTION = {"weight": 1, "actions": 1}
OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: asked(
        wire.holding("time"), lambda raw, command, scope: milliseconds(raw.value),
        info("exchangeStatus"), weight(2)),
    ask.ListInstruments: asked(RawMeta, parse_instruments, info("spotMeta")),
    ask.GetBook: asked(RawBook, parse_book, coin_of("l2Book"), weight(2)),
    ask.GetTicker: asked(
        Raw, parse_ticker, encode_ticker("spotMetaAndAssetCtxs"),
        lambda command: weight(20 if command.part else 2), more=next_part),
    ask.GetTrades: asked(list_of(RawTrade), parse_trades, coin_of("recentTrades"), weight(21)),
    ask.GetCandles: asked(
        list_of(RawCandle), parse_candles, encode_candles,
        lambda command: weight(20 + min(command.limit, 5000) // 60)),
    ask.Place: done(parse_placed, encode_place, ACTION),
    ask.Cancel: done(parse_canceled, encode_cancel, {"weight": 1, "cancels": 1}),
    ask.CancelOrders: done(parse_all_canceled, encode_cancels, cancel_cost),
    ask.CancelAfter: done(parse_nothing, encode_timer, {"weight": 1, "cancels": 1}),
    ask.Replace: done(parse_replaced, encode_replace, ACTION),
    ask.GetOrder: asked(
        RawFound, parse_found,
        lambda command: {"type": "orderStatus", "oid": name_of(command.order)}, weight(2),
        signed=True),
    ask.ListOpenOrders: asked(
        list_of(RawOrder), open_orders(is_spot), info("frontendOpenOrders"), signed=True),
    ask.ListFills: asked(
        list_of(RawFill), parse_fills,
        lambda command: {"type": "userFillsByTime", "startTime": command.since // MILLISECOND},
        weight(45), signed=True, more=next_page),  # and one for each twenty that are found
    ask.GetBalances: asked(
        RawHoldings, parse_balances, info("spotClearinghouseState"), weight(2), signed=True),
    ask.GetFees: asked(RawFees, parse_fees, info("userFees"), signed=True),
}

def topics(make: Any) -> Any:
    return lambda instrument, interval: {
        " ".join((kind, instrument.venue_symbol, *more)): parser
        for kind, more, parser in make(interval)}

CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(
        topics(lambda interval: [
            ("l2Book", (), read_book), ("l2Book", ("fast",), read_best_levels)]),
        book=spec.BookRule(spec.Start.WHOLE, verdict, depth=20, trim=20)),
    Channel.TRADES: spec.ChannelSpec(topics(lambda interval: [("trades", (), read_trades)])),
    Channel.TICKER: spec.ChannelSpec(topics(lambda interval: [
        ("bbo", (), read_best), ("activeAssetCtx", (), read_statistics)])),
    Channel.CANDLES: spec.ChannelSpec(topics(lambda interval: [
        ("candle", (INTERVALS[interval],), read_candle(interval))])),
}

def ping(now: int) -> bytes:
    return b'{"method":"ping"}'

STREAM = spec.StreamSpec(  # 2000 frames of ours a minute are allowed, for all connections
    host="stream", path="/ws", route=route, subscribe=write("subscribe"),
    unsubscribe=write("unsubscribe"), ping=ping, frame_interval=SECOND // 20)
PRIVATE = spec.PrivateSpec(
    replace(STREAM, subscribe=subscribe_account),
    {"orderUpdates": read_updates(is_spot), "userFills": read_fills, "spotState": read_balances})

def entry(signer: PhantomSigner) -> spec.OrderEntry:
    kinds = (ask.Place, ask.Cancel, ask.CancelOrders, ask.Replace)
    return spec.OrderEntry(words=dict.fromkeys(kinds, "action"), write=write_post(signer))

ERRORS = (
    # This very action may have come twice.
    *rules(("err", Reason.OUTCOME_UNKNOWN, "duplicate nonce"), unknown=True),
    *rules(("429", Reason.RATE_LIMITED), pools=("weight",)),
    *rules(("err", Reason.RATE_LIMITED, "too many cumulative requests"), pools=("actions",)),
    *rules(
        ("422", Reason.VENUE_PROTOCOL_ERROR),
        ("err", Reason.VENUE_AUTHENTICATION_FAILED, "api wallet"),
        ("err", Reason.VENUE_AUTHENTICATION_FAILED, "vault not registered"),
        ("err", Reason.CLOCK_SKEW, "invalid nonce"),
        ("err error", Reason.ORDER_REJECTED, "only post-only orders allowed"),
        ("err", Reason.INSUFFICIENT_BALANCE, "must deposit"),
        ("err error", Reason.INSUFFICIENT_BALANCE, "insufficient"),
        ("err error", Reason.ORDER_RULE_BROKEN, "divisible by tick size"),
        ("err error", Reason.ORDER_RULE_BROKEN, "minimum value"),
        ("err error", Reason.ORDER_RULE_BROKEN, "order has"),
        ("err error", Reason.ORDER_RULE_BROKEN, "invalid tp/sl price"),
        ("err error", Reason.ORDER_RULE_BROKEN, "too far from oracle"),
        ("err error", Reason.ORDER_RULE_BROKEN, "away from the reference price"),
        ("err error", Reason.REDUCE_ONLY_WOULD_INCREASE, "reduce only order would increase"),
        ("err error", Reason.POST_ONLY_WOULD_TAKE, "post only order would have"),
        ("err error", Reason.ORDER_NOT_FOUND, "never placed"),
        ("err error", Reason.ORDER_FINAL, "cannot modify canceled or filled"),
        # Whatever it says of an order by itself, it says instead of placing or canceling it.
        ("error", Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="hyperliquid", name="Hyperliquid", kind=VenueKind.SPOT,
    documentation="https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api",
    hosts={"rest": "https://api.hyperliquid.xyz", "stream": "wss://api.hyperliquid.xyz"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=PRIVATE,
    entry=entry(SIGNER), signer=SIGNER, errors=ERRORS, pools=POOLS, failure=parse_failure,
    usage=lambda headers: {}, intervals=INTERVALS,
    order_types=frozenset({
        *((OrderType.LIMIT, time) for time in TIMES.values()), (OrderType.MARKET, TimeInForce.GTC),
        (OrderType.MARKET, TimeInForce.IOC)}),
    key_permissions=key_permissions,
    client_id=ClientIdRule(length=34, prefix="0x", hexadecimal=True),
    # Ten seconds until an action has expired, the difference of our clocks, and the time in which
    # what is in a block can be asked for.
    settle_time=16 * SECOND, limit_pause=10 * SECOND, cancel_batch=40,
    nonce=NonceRule(MILLISECOND, places=2, place=0), bounded=frozenset(Side),
    standing_since="2026-08-02",
    standing_evidence="its API is documented and its changes are announced; its SDK is maintained")
TESTNET = replace(
    VENUE, id="hyperliquid_testnet", name="Hyperliquid test network", signer=TEST_SIGNER,
    entry=entry(TEST_SIGNER),
    hosts={
        "rest": "https://api.hyperliquid-testnet.xyz",
        "stream": "wss://api.hyperliquid-testnet.xyz"})
VENUES = (VENUE, TESTNET)
