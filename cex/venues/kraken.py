"""Kraken spot.

https://docs.kraken.com: REST (/0/…), websocket v2, trading and REST limits, error messages; as of
2026-08. It trades spot without margin. It has no test network.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from operator import add
from typing import Any
from zlib import crc32

from msgspec import Raw, field

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec, wire
from cex.engine.messages import Ack, Answer, Ask, BookMessage, Nack, Outgoing, Restart, Routed
from cex.engine.parse import Page
from cex.engine.shapes import NONE, shape
from cex.engine.signing import NonceSigner
from cex.engine.spec import ErrorRule, Failure, Operation, Pool, Scope, Session, Window, rules
from cex.engine.wire import Wire, decoder, holding, lookup, member, number, optional, positive
from core.accounts import Balance, FeeRates
from core.clock import SECOND
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
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.ports import Channel, KeyPermissions, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawEnvelope(Wire):
    error: list[str]

class RawPair(Wire):
    altname: str
    base: str
    quote: str
    pair_decimals: int
    lot_decimals: int
    wsname: str = ""
    tick_size: Raw = NONE
    ordermin: Raw = NONE
    costmin: Raw = NONE
    status: str = "online"  # many pairs have none

class RawDepth(Wire):
    """Of a level's three the first two count: price, quantity."""

    bids: list[tuple[str, str, Any]]
    asks: list[tuple[str, str, Any]]

class RawTicker(Wire):
    """Lists: ask and bid with two volumes, the last trade; the day's and the last 24 hours'."""

    a: list[Raw]
    b: list[Raw]
    c: list[Raw]
    v: list[Raw]
    l: list[Raw]  # noqa: E741
    h: list[Raw]

RawTrade = shape(shapes.TradeShape, [
    "price", "quantity", "time", "side", None, None, "trade_id"])
RawCandle = shape(shapes.CandleShape, [
    "open_time", "open", "high", "low", "close", None, "volume", None])

class RawCount(Wire):
    """How many orders were canceled; over the websocket, of one order which."""

    count: int | None = None
    order_id: str = ""
    cl_ord_id: str = ""

class RawPlaced(Wire):
    """By REST a list of ids, over the websocket an id."""

    txid: list[str] = []  # noqa: RUF012 - msgspec copies it
    order_id: str = ""

class RawOne(Wire):
    txid: str = ""
    error: str = ""

class RawMany(Wire):
    """Of each order of a batch; either an id or an error."""

    orders: list[RawOne]

class RawAmended(Wire):
    amend_id: str

class RawDescription(Wire):
    pair: str
    type: str
    ordertype: str
    price: Raw = NONE
    price2: Raw = NONE

class RawOrder(Wire):
    status: str
    descr: RawDescription
    vol: Raw
    vol_exec: Raw
    cost: Raw
    opentm: Raw
    closetm: Raw = NONE
    cl_ord_id: str | None = None
    stopprice: Raw = NONE
    limitprice: Raw = NONE
    oflags: str = ""
    time_in_force: str = "gtc"
    reason: str | None = None

RawMyTrade = shape(shapes.FillShape, {
    "venue_order_id": "ordertxid", "symbol": "pair", "time": "time", "side": "type",
    "price": "price", "quantity": "vol", "fee": "fee", "maker": "maker?"})

class RawHistory(Wire):
    trades: dict[str, RawMyTrade]  # type: ignore[valid-type]
    count: int | None = None

class RawBalance(Wire):
    balance: Raw
    hold_trade: Raw = NONE
    credit: Raw = NONE
    credit_used: Raw = NONE

class RawFee(Wire):
    fee: Raw

class RawVolume(Wire):
    fees: dict[str, RawFee]
    fees_maker: dict[str, RawFee] | None = None

class RawKey(Wire):
    permissions: list[str]
    ip_allowlist: list[str] | None = field(default=None, name="ipAllowlist")

class RawLevel(Wire, gc=False):
    price: Raw
    qty: Raw

class RawBook(Wire, gc=False):
    symbol: str
    bids: Raw
    asks: Raw
    checksum: int | None = None
    timestamp: Raw = NONE

class BookFrame(Wire, gc=False):
    type: str
    data: list[RawBook]

class Head(Wire):
    symbol: str
    interval: int = 0

class Subscription(Wire):
    channel: str
    symbol: str = ""
    interval: int | None = None

class Frame(Wire):
    channel: str = ""
    type: str = ""
    data: Raw = NONE
    method: str = ""
    success: bool = False
    result: Raw = NONE
    error: str = ""
    req_id: int | None = None

decode_statistics = decoder(shape(shapes.TickerShape, {
    "bid_price": "bid", "bid_quantity": "bid_qty", "ask_price": "ask", "ask_quantity": "ask_qty",
    "last_price": "last", "high_price": "high", "low_price": "low", "volume": "volume",
    "time": "timestamp?"}))
decode_trade = decoder(shape(shapes.TradeShape, {
    "trade_id": "trade_id", "side": "side", "price": "price", "quantity": "qty",
    "time": "timestamp"}))
decode_candle = decoder(shape(shapes.CandleShape, {
    "open_time": "interval_begin", "open": "open", "high": "high", "low": "low", "close": "close",
    "volume": "volume"}))
decode_execution = decoder(shape(shapes.OrderShape, {
    "venue_order_id": "order_id", "execution": "exec_type", "update_time": "timestamp",
    "client_order_id": "cl_ord_id?", "symbol": "symbol?", "status": "order_status?",
    "side": "side?", "price": "limit_price?", "quantity": "order_qty?",
    "filled_quantity": "cum_qty?", "filled_notional": "cum_cost?", "reason": "reason?",
    "trade_id": "exec_id?", "trade_price": "last_price?", "trade_quantity": "last_qty?",
    "liquidity": "liquidity_ind?"}))

class StreamFee(Wire):
    asset: str
    qty: Raw

decode_envelope, decode_frame = decoder(RawEnvelope), decoder(Frame)
decode_items, decode_head, decode_order = decoder(list[Raw]), decoder(Head), decoder(RawOrder)
decode_books, decode_levels = decoder(BookFrame), decoder(list[RawLevel])
decode_orders, decode_subscription = decoder(dict[str, RawOrder]), decoder(Subscription)
change_of, fees_of = member("change", Raw, NONE), member("fees", list[StreamFee], [])

def result(type_: Any) -> Any:
    """The envelope of a reply."""
    return holding("result", type_)

# -- words -----------------------------------------------------------------------------------------

ASSETS = {  # names from before 2014, and those that the rest of the world writes otherwise
    **{f"X{name}": name for name in ("ETC", "ETH", "LTC", "MLN", "REP", "XLM", "XMR", "XRP",
                                     "ZEC")},
    **{f"Z{name}": name for name in ("AUD", "CAD", "EUR", "GBP", "JPY", "USD")},
    "XXBT": "BTC", "XBT": "BTC", "XXDG": "DOGE", "XDG": "DOGE"}
TYPES = {
    "limit": (OrderType.LIMIT, None), "market": (OrderType.MARKET, None),
    "stop-loss": (OrderType.STOP_MARKET, None), "stop-loss-limit": (OrderType.STOP_LIMIT, None),
    "take-profit": (OrderType.TAKE_PROFIT_MARKET, None),
    "take-profit-limit": (OrderType.TAKE_PROFIT_LIMIT, None)}
TYPE_WORDS = {kind: word for word, (kind, _) in TYPES.items()}
WORDS = parse.Words(
    sides={"buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL},
    statuses={
        "pending": OrderStatus.OPEN, "open": OrderStatus.OPEN, "closed": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELED, "expired": OrderStatus.EXPIRED,
        "pending_new": OrderStatus.OPEN, "new": OrderStatus.OPEN,
        "partially_filled": OrderStatus.PARTIALLY_FILLED, "filled": OrderStatus.FILLED},
    types={
        **TYPES, "iceberg": (OrderType.LIMIT, None), "settle-position": (OrderType.MARKET, None),
        "trailing-stop": (OrderType.STOP_MARKET, None),
        "trailing-stop-limit": (OrderType.STOP_LIMIT, None)},  # these are placed elsewhere
    times_in_force={
        "gtc": TimeInForce.GTC, "gtd": TimeInForce.GTC, "ioc": TimeInForce.IOC,
        "fok": TimeInForce.FOK, "post": TimeInForce.POST_ONLY},
    time=wire.seconds, liquidities={"m": Liquidity.MAKER, "t": Liquidity.TAKER})
STREAM_WORDS = replace(WORDS, time=wire.rfc3339)
STATUSES = {
    "online": InstrumentStatus.TRADING, "post_only": InstrumentStatus.TRADING,
    "limit_only": InstrumentStatus.TRADING, "cancel_only": InstrumentStatus.CANCEL_ONLY}
INTERVALS = {  # the venue counts minutes
    60: "1", 300: "5", 900: "15", 1800: "30", 3600: "60", 14400: "240", 86400: "1440",
    604800: "10080", 1296000: "21600"}
DEPTHS = (10, 25, 100, 500, 1000)
DEPTH = 500  # that we subscribe to
PAGE = 50  # trades a reply
BATCH = 50
ALONE = "ohlc"  # see candle_topics

# -- parsers ---------------------------------------------------------------------------------------

def named(asset: str) -> str:
    return ASSETS.get(asset, asset)

def parse_instrument(raw: RawPair, venue: str) -> Instrument:
    """The tick is written with the pair's decimals, which the checksum of a book needs."""
    base, _, quote = raw.wsname.partition("/")
    base, quote = named(base or raw.base), named(quote or raw.quote)
    places = parse.increment(raw.pair_decimals)
    return Instrument(
        venue, f"{base}-{quote}", f"{base}/{quote}", InstrumentKind.SPOT, base, quote, quote,
        price_tick=(positive(raw.tick_size) or places) + 0 * places,
        quantity_step=parse.increment(raw.lot_decimals),
        min_quantity=positive(raw.ordermin) or ZERO, min_notional=positive(raw.costmin) or ZERO,
        # A status that is new to us must not open a market.
        status=STATUSES.get(raw.status, InstrumentStatus.HALTED), venue_code=raw.altname)

def first_of(raw: Mapping[str, Any]) -> Any:
    """What a reply tells of the one pair that was asked for, whatever it calls it."""
    found = [value for name, value in raw.items() if name != "last"]
    if not found:
        raise ValueError("nothing of the pair")
    return found[0]

def parse_ticker(raw: Mapping[str, RawTicker], command: ask.GetTicker, scope: Scope) -> Ticker:
    """Its opening price is that of the day, not of 24 hours ago."""
    told = first_of(raw)
    return parse.ticker(shapes.TickerShape(
        told.b[0], told.b[2], told.a[0], told.a[2], told.c[0], told.h[1], told.l[1],
        volume=told.v[1]), WORDS, command.instrument)

def of_rows(type_: Any, make: Callable[[Any, Any], Any]) -> readers.Reader:
    decode = decoder(list[type_])
    return lambda raw, command, scope: [make(row, command) for row in decode(first_of(raw))]

def read_candle(raw: shapes.CandleShape, command: ask.GetCandles) -> Candle:
    return parse.candle(raw, WORDS, command.instrument, command.interval, command.now)

def cut_candles(found: list[Candle], command: ask.GetCandles) -> list[Candle]:
    """The venue gives the newest 720 at most, and knows no end."""
    start, end = command.start or 0, command.end
    wanted = [c for c in found if start <= c.open_time and (end is None or c.open_time <= end)]
    return wanted[:command.limit] if command.start is not None else wanted[-command.limit:]

def read_trade(raw: shapes.TradeShape, command: ask.GetTrades) -> Trade:
    return parse.trade(raw, WORDS, command.instrument)

def acknowledged(order: Order) -> OrderReport:
    """The venue took it down; what becomes of it, the stream tells."""
    return OrderReport(order.client_order_id, OrderStatus.OPEN, order.venue_order_id)

def taken(ours: str, name: str) -> OrderReport:
    if not name:
        raise ValueError("the order has no id")
    return OrderReport(ours, OrderStatus.OPEN, name)

def parse_placed(raw: Any, command: ask.Place, scope: Scope) -> ask.Reports:
    return [taken(command.request.client_order_id, raw.value.order_id or raw.value.txid[0])]

def nothing(raw: Any, command: Any, scope: Scope) -> None:
    """That it was understood is all."""

def parse_many_placed(
    raw: Any, command: ask.PlaceOrders, scope: Scope
) -> list[ask.Reports | Failure]:
    """In their order."""
    def told(one: RawOne, place: ask.Place) -> ask.Reports | Failure:
        if one.error:
            return failure_of([one.error])
        return [taken(place.request.client_order_id, one.txid)]
    return [told(*pair) for pair in zip(raw.value.orders, command.orders, strict=True)]

def parse_amended(raw: Any, command: ask.Replace, scope: Scope) -> ask.Reports:
    return [acknowledged(command.order)]

def counted(raw: RawCount) -> int:
    count = raw.count
    if count is None and (raw.order_id or raw.cl_ord_id):
        return 1
    if not count:
        raise ValueError("neither canceled nor refused")
    return count

def parse_canceled(raw: Any, command: ask.Cancel, scope: Scope) -> ask.Reports:
    counted(raw.value)
    return [acknowledged(command.order)]

def parse_many_canceled(raw: Any, command: ask.CancelOrders, scope: Scope) -> ask.Reports:
    """The venue tells how many. If those are not all, the stream tells which."""
    whole = counted(raw.value) == len(command.orders)
    return [acknowledged(order) for order, _ in command.orders] if whole else []

def fixed(*spelled: Raw) -> Raw:
    """The first that is a price; those of trailing orders may be offsets, "+5.0%" say."""
    return next((raw for raw in spelled if bytes(raw).strip(b'"')[:1].isdigit()), NONE)

def order_shape(name: str, raw: RawOrder) -> shapes.OrderShape:
    told, kind = raw.descr, raw.descr.ordertype
    trigger, limit = NONE, told.price
    if kind not in ("limit", "iceberg", "market", "settle-position"):
        trigger, limit = fixed(told.price, raw.stopprice), fixed(told.price2, raw.limitprice)
    post = "post" in raw.oflags.split(",")
    return shapes.OrderShape(
        symbol=told.pair, venue_order_id=name, client_order_id=raw.cl_ord_id or "",
        status=raw.status, type=kind, side=told.type, price=limit, trigger_price=trigger,
        time_in_force="post" if post else raw.time_in_force.lower(), quantity=raw.vol,
        filled_quantity=raw.vol_exec, filled_notional=raw.cost, reason=raw.reason or "",
        create_time=raw.opentm, update_time=raw.closetm if optional(raw.closetm) else raw.opentm)

def parse_open_orders(raw: Any, command: ask.ListOpenOrders, scope: Scope) -> list[Order]:
    found = [parse.order(order_shape(name, order), WORDS, scope)
             for name, order in raw.value["open"].items()]
    wanted = command.instrument
    return [o for o in found if wanted is None or o.request.instrument == wanted.id]

def parse_found(raw: Any, command: ask.GetOrder, scope: Scope) -> OrderReport | None:
    """By the venue's id the orders are the reply, by ours they are under "open" or "closed"."""
    for state in ("open", "closed"):
        if state in raw.value:
            orders = decode_orders(raw.value[state])
            break
    else:
        orders = {name: decode_order(order) for name, order in raw.value.items()}
    ours = command.order.client_order_id
    for name, order in orders.items():
        if name == command.order.venue_order_id or (order.cl_ord_id or "") == ours:
            return parse.report(order_shape(name, order), WORDS)
    if orders:
        raise ValueError("none of them is the order that was asked for")
    return None

def names_of(instrument: Instrument) -> set[str]:
    """All that the venue calls it."""
    def old(asset: str) -> list[str]:
        return [asset, *(name for name, new in ASSETS.items() if new == asset)]
    return {instrument.venue_symbol, instrument.venue_code, *(
        f"{base}{between}{quote}" for base in old(instrument.base)
        for quote in old(instrument.quote) for between in ("", "/"))}

def parse_fills(raw: Any, command: ask.ListFills, scope: Scope) -> Page[Fill]:
    """The trades of all instruments, newest first; fees are told in quote."""
    instrument, names, page = command.instrument, names_of(command.instrument), raw.value
    fills = [
        replace(parse.fill(told, WORDS, scope, instrument), trade_id=id, fee_asset=instrument.quote)
        for id, told in page.trades.items() if told.symbol in names]
    seen = int(command.cursor or 0) + len(page.trades)
    more = len(page.trades) >= PAGE and (page.count is None or seen < page.count)
    return Page(fills, str(seen) if more else "")

def parse_balances(raw: Any, command: Any, scope: Scope) -> list[Balance]:
    """What earns rewards ("BTC.F") is traded like the rest. Other suffixes are of products from
    which one must withdraw first: they are told under their own name."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for name, told in raw.value.items():
        asset, _, suffix = name.partition(".")
        asset = named(asset) if suffix in ("", "F") else f"{named(asset)}.{suffix}"
        held, credit, used = (
            optional(r) or ZERO for r in (told.hold_trade, told.credit, told.credit_used))
        total = number(told.balance)
        before = sums.get(asset, (ZERO, ZERO))
        sums[asset] = before[0] + total, before[1] + total + credit - used - held
    return [
        Balance(scope.account, scope.venue, asset, total, min(max(free, ZERO), max(total, ZERO)))
        for asset, (total, free) in sums.items()]

def parse_fees(raw: Any, command: ask.GetFees, scope: Scope) -> FeeRates:
    """In percent. A pair without fees for makers has the same for both."""
    taker = first_of(raw.value.fees)
    maker = first_of(raw.value.fees_maker) if raw.value.fees_maker else taker
    rates = [number(told.fee).scaleb(-2) for told in (maker, taker)]
    return FeeRates(scope.account, scope.venue, command.instrument.id, *rates)

def parse_failure(status: int, body: bytes | Raw) -> Failure | None:
    """An error is `<category>:<text>`; those that begin with W are warnings."""
    errors = [error for error in decode_envelope(body).error if not error.startswith("W")]
    return failure_of(errors) if errors or status >= 400 else None

def failure_of(errors: Sequence[str]) -> Failure:
    categories = {error.partition(":")[0] for error in errors}
    return Failure(categories.pop() if len(categories) == 1 else "", "; ".join(errors))

# -- streams ---------------------------------------------------------------------------------------

def route(frame: bytes) -> Iterable[Routed]:
    if frame.startswith(b'{"channel":"book"'):  # nearly all are
        return route_books(frame)
    raw = decode_frame(frame)
    if raw.channel == "book":
        return route_books(frame)
    if raw.channel in ("trade", "ticker", "ohlc"):
        items = [(decode_head(item), item) for item in decode_items(raw.data)]
        return [(f"{raw.channel}{head.interval or ''} {head.symbol}", item) for head, item in items]
    if raw.channel in ("executions", "balances"):
        return ((raw.channel, raw),)
    if raw.channel in ("heartbeat", "status") or raw.method == "pong":
        return ()
    if raw.method in ENTRY.words.values() or raw.method == "cancel_order":
        return answer(raw)
    if raw.method not in ("subscribe", "unsubscribe"):
        raise ValueError(f"neither data nor an answer: {raw.error[:60]!r}")
    if not raw.success:
        return (Nack(str(raw.req_id), *raw.error.partition(":")[::2]),)
    told = decode_subscription(raw.result)
    return (Ack(f"{raw.method} {told.channel}{told.interval or ''} {told.symbol}".strip()),)

def route_books(frame: bytes) -> Sequence[Routed]:
    raw = decode_books(frame)
    whole = lookup(WHOLE, raw.type, "kind of message")
    return [(f"book {book.symbol}", (book, whole)) for book in raw.data]

WHOLE = {"snapshot": True, "update": False}

def answer(raw: Frame) -> Sequence[Routed]:
    """As REST would write it. A token that is no longer valid needs a new connection."""
    errors = [] if raw.success else [raw.error]
    done = Answer(f"order {raw.req_id}", 200, wire.encode({
        "error": errors, "result": raw.result if bytes(raw.result) else {}}))
    stale = not raw.success and any(word in raw.error for word in ("token", "ESession"))
    return (done, Restart("the token is no longer valid")) if stale else (done,)

def write(method: str) -> Any:
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        return [frame(*topic.split(" "), session=session) for topic in topics
                if not topic.startswith(f"{ALONE} ")]

    def frame(word: str, symbol: str = "", *, session: Session) -> Outgoing:
        channel = ALONE if word.startswith(ALONE) else word
        interval = word.removeprefix(ALONE)
        details: dict[str, dict[str, Any]] = {
            "book": {"depth": DEPTH}, "ticker": {"event_trigger": "bbo"},
            ALONE: {"interval": int(interval) if interval.isdigit() else 0}}
        params = {
            "channel": channel, **({"symbol": [symbol]} if symbol else {}),
            **details.get(channel, {}), **({"token": session.token} if session.token else {})}
        payload = wire.encode({"method": method, "params": params, "req_id": session.id})
        return Outgoing(payload, (f"{method} {word} {symbol}".strip(),), str(session.id))

    return frames

def write_order(
    word: str, command: Any, params: Mapping[str, Any], session: Session
) -> Outgoing:
    """A batch is two orders or more."""
    alone = word == "batch_cancel" and "orders" not in params
    frame = {"method": "cancel_order" if alone else word,
             "params": {**params, "token": session.token}, "req_id": session.id}
    return Outgoing(wire.encode(frame), (f"order {session.id}",))

LEVELS = re.compile(r'\{"price":([0-9.]+),"qty":([0-9.]+)\}').findall

def levels(raw: Raw) -> list[tuple[str, str]]:
    """Numbers as the venue wrote them. As it writes today, the expression finds them in a fifth of
    the time that decoding takes."""
    told = str(raw, "utf-8")
    if told == "[]":
        return []
    found = LEVELS(told)
    if len(found) == told.count("{"):
        return found
    return [(spelled(level.price), spelled(level.qty)) for level in decode_levels(raw)]

def spelled(raw: Raw) -> str:
    """A number, bare or quoted, without an exponent."""
    return format(Decimal(str(raw, "ascii").strip('"')), "f")

def read_book(payload: Any, instrument: Instrument, received: int) -> Iterable[BookMessage]:
    """A snapshot as large as a depth that is offered was cut to it."""
    raw, whole = payload
    message = BookMessage(
        levels(raw.bids), levels(raw.asks), whole=whole, checksum=raw.checksum,
        event_time=wire.rfc3339(raw.timestamp))
    if whole and (size := max(len(message.bids), len(message.asks))) in DEPTHS:
        message.depth = size
    return (message,)

class Digits(dict[str, str]):
    """Canonical numbers with so many decimals, as the checksum wants them: without the point and
    without leading zeros. Prices and quantities recur."""

    def __init__(self, decimals: int) -> None:
        super().__init__()
        self.decimals = decimals

    def __missing__(self, plain: str) -> str:
        if len(self) >= 20_000:
            self.clear()
        whole, _, fraction = plain.partition(".")
        value = self[plain] = (whole + fraction.ljust(self.decimals, "0")).lstrip("0")
        return value

def checksum_for(instrument: Instrument) -> Callable[[Any], int]:
    """CRC-32 of the ten best levels: asks, then bids, price and quantity by turns."""
    prices, sizes = (
        Digits(-int(step.as_tuple().exponent)).__getitem__
        for step in (instrument.price_tick, instrument.quantity_step))

    def side() -> Callable[[Any], bytes]:
        known: Any = None
        spelled = b""

        def text_of(levels: Any) -> bytes:
            nonlocal known, spelled
            if levels != known:  # most changes are on the other side, or farther away
                known = levels
                spelled = "".join(map(add, map(prices, levels[0]), map(sizes, levels[1]))).encode()
            return spelled

        return text_of

    of_bids, of_asks = side(), side()

    def checksum(book: Any) -> int:
        bids, asks = book.snapshot(10)
        return crc32(of_bids(bids), crc32(of_asks(asks)))

    return checksum

def read_ticker(payload: Raw, instrument: Instrument, received: int) -> Iterable[Ticker]:
    told = parse.ticker(decode_statistics(payload), STREAM_WORDS, instrument, received)
    change = optional(change_of(payload))
    known = told.last_price is not None and change is not None
    return (replace(told, open_price=told.last_price - change) if known else told,)  # type: ignore[operator]

def read_trades(payload: Raw, instrument: Instrument, received: int) -> Iterable[Trade]:
    return (parse.trade(decode_trade(payload), STREAM_WORDS, instrument, received),)

def read_candles(interval: int) -> spec.MarketParser:
    """Closed once its time is over: the venue does not say so."""
    def read(payload: Raw, instrument: Instrument, received: int) -> Iterable[Candle]:
        raw = decode_candle(payload)
        return (parse.candle(raw, STREAM_WORDS, instrument, interval, received),)
    return read

def topics(channel: str, parser: spec.MarketParser) -> Any:
    return lambda instrument, interval: {f"{channel} {instrument.venue_symbol}": parser}

def candle_topics(instrument: Instrument, interval: int) -> Mapping[str, spec.MarketParser]:
    """A connection takes one interval of a symbol. The second topic, for which nothing is sent and
    nothing comes, puts two intervals on two connections."""
    read = read_candles(interval)
    return {f"{ALONE}{INTERVALS[interval]} {instrument.venue_symbol}": read,
            f"{ALONE} {instrument.venue_symbol}": read}

def parse_executions(payload: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    for item in decode_items(payload.data):
        raw = decode_execution(item)
        if raw.status:
            yield parse.report(raw, STREAM_WORDS)
        if raw.execution == "trade":
            fees = fees_of(item)
            asset = fees[0].asset if fees else scope.instrument(raw.symbol).quote
            paid = sum((number(fee.qty) for fee in fees if fee.asset == asset), ZERO)
            yield replace(
                parse.execution(raw, STREAM_WORDS, scope), fee=paid, fee_asset=named(asset))
    yield BALANCES

def parse_ledger(payload: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    """It tells what is held, and not what of it is free."""
    decode_items(payload.data)
    return (BALANCES,)

BALANCES = Ask(ask.GetBalances())

def parse_key(raw: Any, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    key = raw.value
    return KeyPermissions(
        "modify-trades" in key.permissions, "withdraw-funds" in key.permissions,
        None if key.ip_allowlist is None else bool(key.ip_allowlist))

# -- encoders --------------------------------------------------------------------------------------

def pair_of(command: Any) -> dict[str, Any]:
    return {"pair": command.instrument.venue_code or command.instrument.venue_symbol}

def order_of(request: OrderRequest) -> dict[str, Any]:
    """Fees are asked for in quote: a sale would be charged in base else."""
    prices = [p for p in (request.trigger_price, request.price) if p is not None]
    post = request.time_in_force is TimeInForce.POST_ONLY
    fast = request.type is OrderType.LIMIT and request.time_in_force in FAST
    return {
        "type": request.side.name.lower(), "ordertype": TYPE_WORDS[request.type],
        "volume": text(request.quantity),
        **dict(zip(("price", "price2"), map(text, prices), strict=False)),
        **({"timeinforce": request.time_in_force.name} if fast else {}),
        "oflags": "post,fciq" if post else "fciq", "cl_ord_id": request.client_order_id}

def encode_place(command: ask.Place | ask.Preview) -> dict[str, Any]:
    return {**pair_of(command), **order_of(command.request)}

def encode_many(command: ask.PlaceOrders) -> dict[str, Any]:
    return {**pair_of(command.orders[0]), "orders": [order_of(o.request) for o in command.orders]}

def exact(value: Decimal) -> Raw:
    """A JSON number with just these digits."""
    return Raw(text(value).encode())

def encode_add(command: ask.Place) -> dict[str, Any]:
    request = command.request
    params: dict[str, Any] = {
        "order_type": TYPE_WORDS[request.type], "side": request.side.name.lower(),
        "order_qty": exact(request.quantity), "symbol": command.instrument.venue_symbol,
        "fee_preference": "quote", "cl_ord_id": request.client_order_id}
    if request.price is not None:
        params["limit_price"] = exact(request.price)
    if request.trigger_price is not None:
        params["triggers"] = {"reference": "last", "price": exact(request.trigger_price)}
    if request.time_in_force is TimeInForce.POST_ONLY:
        params["post_only"] = True
    if request.type is OrderType.LIMIT and request.time_in_force in FAST:
        params["time_in_force"] = request.time_in_force.name.lower()
    return params

FAST = (TimeInForce.IOC, TimeInForce.FOK)

def id_of(order: Order, name: str = "txid") -> dict[str, Any]:
    return {name: order.venue_order_id} if order.venue_order_id else {
        "cl_ord_id": order.client_order_id}

def encode_amend(name: str, spell: Callable[[Decimal], Any], yes: Any) -> Any:
    """In place; the quantity counts what is filled."""
    def params(command: ask.Replace) -> dict[str, Any]:
        post = command.order.request.time_in_force is TimeInForce.POST_ONLY
        return {**id_of(command.order, name), "order_qty": spell(command.quantity),
                "limit_price": spell(command.price), **({"post_only": yes} if post else {})}
    return params

def lists_of(orders: Iterable[Order], name: str, ours: str) -> dict[str, list[str]]:
    """Ids of the venue's and of ours, each in its list."""
    ids = [order.venue_order_id for order in orders if order.venue_order_id]
    own = [order.client_order_id for order in orders if not order.venue_order_id]
    return {**({name: ids} if ids else {}), **({ours: own} if own else {})}

def encode_batch(command: ask.CancelOrders) -> dict[str, Any]:
    orders = [order for order, _ in command.orders]
    return lists_of(orders, "orders", "cl_ord_ids") if len(orders) > 1 else id_of(orders[0])

def encode_batch_cancel(command: ask.CancelOrders) -> dict[str, Any]:
    """A batch must have a list of the venue's ids, if an empty one."""
    orders = [order for order, _ in command.orders]
    if len(orders) > 1:
        return {"orders": [], **lists_of(orders, "orders", "cl_ord_id")}
    return lists_of(orders, "order_id", "cl_ord_id")

def order_path(command: ask.GetOrder) -> str:
    if command.order.venue_order_id:
        return "/0/private/QueryOrders"
    return "/0/private/ClosedOrders" if command.closed else "/0/private/OpenOrders"

def next_place(command: ask.GetOrder, found: Any) -> ask.GetOrder | None:
    elsewhere = not (command.closed or command.order.venue_order_id)
    return replace(command, closed=True) if elsewhere else None

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    since = {} if command.start is None else {"since": max(command.start // SECOND - 1, 0)}
    return {**pair_of(command), "interval": INTERVALS[command.interval], **since}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    """The start is exclusive there. Each trade is to be told, as the stream does."""
    return {"consolidate_taker": "false",
            **({"start": command.since // SECOND - 1} if command.since else {}),
            **({"ofs": command.cursor} if command.cursor else {})}

# -- tables ----------------------------------------------------------------------------------------

def aged(steps: Sequence[tuple[int, int]], **always: int) -> Callable[[Any, int], dict[str, int]]:
    """The younger an order, the dearer its end or change: so much below so many seconds."""
    def cost(command: Any, now: int) -> dict[str, int]:
        age = now - max(command.order.create_time, command.order.update_time)
        penalty = next((points for below, points in steps if age < below * SECOND), 0)
        amount = penalty + always.get("trading", 0)
        return {**always, f"trading/{command.instrument.venue_symbol}": amount, "trading": 0}
    return cost

def of_pair(pool: str) -> Callable[[Any], dict[str, int]]:
    return lambda command: {f"{pool}/{command.instrument.venue_symbol}": 1}

PUBLIC = ("public", "trades", "candles")
POOLS = (
    # Of an address, and for some of an address and a pair: one call a second, and a few at once.
    *(Pool(name, 4, 4 * SECOND, window=Window.DECAYING) for name in PUBLIC),
    # Those of the lowest tier; the venue does not tell of which an account is. Of a key: calls but
    # for orders. Of an account: what its orders in a pair count.
    Pool("calls", 15, 45 * SECOND, account=True, window=Window.DECAYING),
    Pool("trading", 60, 60 * SECOND, account=True, window=Window.DECAYING))
CALL, HISTORY = {"calls": 1}, {"calls": 2}
CANCEL = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
AMEND = ((5, 3), (10, 2), (15, 1))
OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/0/public/Time", result(holding("unixtime", int)),
        # It tells whole seconds: half of one has passed on average.
        lambda raw, command, scope: raw.value.value * SECOND + SECOND // 2, cost={"public": 1}),
    ask.ListInstruments: Operation(
        "GET", "/0/public/AssetPairs", result(dict[str, RawPair]),
        lambda raw, command, scope: [
            # ".d" are dark pools.
            parse_instrument(p, scope.venue) for p in raw.value.values()
            if not p.altname.endswith(".d")],
        cost={"public": 1}),
    ask.GetBook: Operation(
        "GET", "/0/public/Depth", result(dict[str, RawDepth]),
        readers.held(lambda raw, command, scope: parse_depth(first_of(raw))),
        lambda command: {**pair_of(command), "count": min(max(command.depth, 1), 500)},
        {"public": 1}),
    ask.GetTicker: Operation(
        "GET", "/0/public/Ticker", result(dict[str, RawTicker]), readers.held(parse_ticker),
        pair_of, {"public": 1}),
    ask.GetTrades: Operation(
        "GET", "/0/public/Trades", result(dict[str, Raw]),
        readers.held(of_rows(RawTrade, read_trade)),
        lambda command: {**pair_of(command), "count": min(max(command.limit, 1), 1000)},
        of_pair("trades")),
    ask.GetCandles: Operation(
        "GET", "/0/public/OHLC", result(dict[str, Raw]),
        lambda raw, command, scope: cut_candles(
            of_rows(RawCandle, read_candle)(raw.value, command, scope), command),
        encode_candles, of_pair("candles")),
    ask.GetToken: Operation(
        "POST", "/0/private/GetWebSocketsToken", result(holding("token", str)),
        lambda raw, command, scope: raw.value.value, cost=CALL, signed=True),
    ask.Place: Operation(
        "POST", "/0/private/AddOrder", result(RawPlaced), parse_placed, encode_place,
        of_pair("trading"), signed=True),
    ask.PlaceOrders: Operation(
        "POST", "/0/private/AddOrderBatch", result(RawMany), parse_many_placed, encode_many,
        lambda command: {
            **CALL,
            f"trading/{command.orders[0].instrument.venue_symbol}": -(-len(command.orders) // 2)},
        signed=True, layout=spec.Layout.JSON),
    ask.Preview: Operation(
        "POST", "/0/private/AddOrder", result(dict[str, Any]), nothing,
        lambda command: {**encode_place(command), "validate": "true"}, of_pair("trading"),
        signed=True),
    ask.Cancel: Operation(
        "POST", "/0/private/CancelOrder", result(RawCount), parse_canceled,
        lambda command: id_of(command.order), cost_at=aged(CANCEL), signed=True),
    ask.CancelOrders: Operation(
        # The venue takes a batch whatever the orders' counter says.
        "POST", lambda command: "/0/private/" + (
            "CancelOrderBatch" if len(command.orders) > 1 else "CancelOrder"),
        result(RawCount), parse_many_canceled, encode_batch, CALL, signed=True,
        layout=spec.Layout.JSON),
    ask.CancelAfter: Operation(
        "POST", "/0/private/CancelAllOrdersAfter", result(dict[str, Any]), nothing,
        lambda command: {"timeout": -(-command.timeout // SECOND)}, CALL, signed=True),
    ask.Replace: Operation(
        "POST", "/0/private/AmendOrder", result(RawAmended), parse_amended,
        encode_amend("txid", text, "true"), cost_at=aged(AMEND, calls=1, trading=1), signed=True),
    ask.GetOrder: Operation(
        "POST", order_path, result(dict[str, Raw]), parse_found,
        lambda command: id_of(command.order),
        lambda command: CALL if command.order.venue_order_id else HISTORY, signed=True,
        more=next_place),
    ask.ListOpenOrders: Operation(
        "POST", "/0/private/OpenOrders", result(dict[str, dict[str, RawOrder]]),
        parse_open_orders, cost=HISTORY, signed=True),
    ask.ListFills: Operation(
        "POST", "/0/private/TradesHistory", result(RawHistory), parse_fills, encode_fills,
        HISTORY, signed=True,
        more=lambda command, page: replace(command, cursor=page.cursor) if page.cursor else None),
    ask.GetBalances: Operation(
        "POST", "/0/private/BalanceEx", result(dict[str, RawBalance]), parse_balances, cost=CALL,
        signed=True),
    ask.GetFees: Operation(
        "POST", "/0/private/TradeVolume", result(RawVolume), parse_fees, pair_of, CALL,
        signed=True),
    ask.GetKeyPermissions: Operation(
        "POST", "/0/private/GetApiKeyInfo", result(RawKey), parse_key, cost=CALL, signed=True),
}

def parse_depth(raw: RawDepth) -> BookMessage:
    bids, asks = ([(row[0], row[1]) for row in rows] for rows in (raw.bids, raw.asks))
    return BookMessage(bids, asks, whole=True)

ENTRY = spec.OrderEntry(  # over the account's stream, and from the same counters
    words={ask.Place: "add_order", ask.Cancel: "cancel_order", ask.Replace: "amend_order",
           ask.CancelOrders: "batch_cancel"},
    write=write_order,
    operations={
        ask.Place: replace(OPERATIONS[ask.Place], params=encode_add),
        ask.Cancel: replace(
            OPERATIONS[ask.Cancel],
            params=lambda command: lists_of([command.order], "order_id", "cl_ord_id")),
        ask.Replace: replace(
            OPERATIONS[ask.Replace], params=encode_amend("order_id", exact, True),
            cost_at=aged(AMEND, trading=1)),
        ask.CancelOrders: replace(
            OPERATIONS[ask.CancelOrders], params=encode_batch_cancel, cost={})})
CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(topics("book", read_book), book=spec.BookRule(
        # There are no numbers: the checksum of each message tells whether one is missing.
        spec.Start.STREAM, lambda message, sequence, first: spec.Verdict.APPLY,
        checksum_for=checksum_for, trim=DEPTH, rounds=True)),
    Channel.TRADES: spec.ChannelSpec(topics("trade", read_trades)),
    Channel.TICKER: spec.ChannelSpec(topics("ticker", read_ticker)),
    Channel.CANDLES: spec.ChannelSpec(candle_topics),
}
STREAM = spec.StreamSpec(
    # One topic a frame: what of a frame was done before another part of it is refused would be
    # refused itself when asked for again.
    host="stream", path="/v2", route=route, subscribe=write("subscribe"),
    unsubscribe=write("unsubscribe"), ping=lambda now: b'{"method":"ping"}', topics_per_frame=1,
    frame_interval=SECOND // 20)
PRIVATE = spec.PrivateSpec(
    replace(STREAM, host="account", token=ask.GetToken()),
    {"executions": parse_executions, "balances": parse_ledger},
    ask_pause=4 * SECOND)  # three quarters of the calls that the lowest tier has
ERRORS = (
    # An order with our id may be there already, perhaps the very one; a cancel may be on its way.
    *rules(("EOrder EGeneral", Reason.OUTCOME_UNKNOWN, "cl_ord_id"),
           ("EOrder", Reason.OUTCOME_UNKNOWN, "cancel pending"), unknown=True),
    *rules(("EOrder", Reason.RATE_LIMITED, "rate limit exceeded"), pools=("trading",)),
    *rules(("EAPI EAuth", Reason.RATE_LIMITED, "rate limit exceeded"),
           ("EGeneral EAuth", Reason.RATE_LIMITED, "too many requests"), pools=("calls", *PUBLIC)),
    *rules(
        ("EService", Reason.RATE_LIMITED, "throttled"),
        # The number of another request was larger: this one was not looked at.
        ("EAPI", Reason.CLOCK_SKEW, "invalid nonce"),
        ("EAPI EAuth EAccount ESession", Reason.VENUE_AUTHENTICATION_FAILED),
        ("EGeneral", Reason.VENUE_AUTHENTICATION_FAILED, "permission denied"),
        ("EGeneral", Reason.VENUE_AUTHENTICATION_FAILED, "temporary lockout"),
        ("EGeneral", Reason.ORDER_RULE_BROKEN, "invalid arguments:volume"),
        ("EGeneral", Reason.ORDER_RULE_BROKEN, "invalid arguments:price"),
        ("EGeneral", Reason.UNSUPPORTED_BY_VENUE, "index unavailable"),
        ("EGeneral", Reason.VENUE_PROTOCOL_ERROR, "invalid arguments"),
        ("EQuery", Reason.INSTRUMENT_NOT_FOUND, "asset pair"),
        ("EService", Reason.ORDER_RULE_BROKEN, "market in "),
        ("EOrder", Reason.INSUFFICIENT_BALANCE, "insufficient funds"),
        ("EOrder", Reason.POST_ONLY_WOULD_TAKE, "post only"),
        ("EOrder", Reason.REDUCE_ONLY_WOULD_INCREASE, "reduce only"),
        ("EOrder", Reason.ORDER_NOT_FOUND, "unknown order"),
        ("EOrder", Reason.ORDER_NOT_FOUND, "invalid order"),
        ("EOrder", Reason.ORDER_RULE_BROKEN, "minimum not met"),
        ("EOrder", Reason.ORDER_RULE_BROKEN, "tick size"),
        ("EOrder", Reason.ORDER_RULE_BROKEN, "invalid price"),
        ("EOrder ETrade EBM", Reason.ORDER_REJECTED)),
    *(ErrorRule(category, Reason.VENUE_UNAVAILABLE, unknown=True)
      for category in ("EService", "EGeneral", "EDatabase")))
VENUE = spec.VenueSpec(
    id="kraken", name="Kraken", kind=VenueKind.SPOT, documentation="https://docs.kraken.com",
    hosts={
        "rest": "https://api.kraken.com", "stream": "wss://ws.kraken.com",
        "account": "wss://ws-auth.kraken.com"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=PRIVATE,
    entry=ENTRY, signer=NonceSigner(), body=spec.Layout.FORM, nonce=spec.NonceRule(unit=1),
    failure=parse_failure, errors=ERRORS, pools=POOLS, usage=lambda headers: {},
    intervals=INTERVALS,
    order_types=frozenset({
        *((OrderType.LIMIT, time) for time in TimeInForce),
        *((kind, TimeInForce.GTC) for kind in TYPE_WORDS), (OrderType.MARKET, TimeInForce.IOC)}),
    client_id=ClientIdRule(length=18),  # a longer one must be a UUID, which has two spellings
    # The matching engine refuses what is older than five seconds, and REST what a later request
    # has overtaken; what is new may be missing from the lists for a moment.
    settle_time=20 * SECOND,
    limit_pause=10 * SECOND, cancel_batch=BATCH, place_batch=15,
    place_group=lambda request: request.instrument, replaces_in_place=True,
    standing_since="2026-08-25",
    standing_evidence="its documentation is maintained, and it publishes a client library")
VENUES = (VENUE,)
