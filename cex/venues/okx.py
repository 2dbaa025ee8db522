"""OKX spot, its sites for the US and for Europe, and their demo networks.

https://www.okx.com/docs-v5/en: REST, websocket channels, error codes; as of 2026-09. For accounts
in spot or futures mode, which trade spot in cash. Stops and take-profits are kept apart ("algo
orders") until they trigger; then they become orders of the book, which name the id of ours that
they come from. Only orders of the book have a venue order id here, so that it tells where an order
is to be asked for; an algo order placed elsewhere without an id has "algo" and theirs.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zlib import crc32

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spans, spec, wire
from cex.engine.messages import Ack, Answer, BookMessage, Nack, Outgoing, Restart, Routed
from cex.engine.parse import Page, next_page
from cex.engine.shapes import shape
from cex.engine.signing import PassphraseSigner
from cex.engine.spec import Failure, Operation, Pool, Scope, Session, rules
from cex.engine.wire import (
    Wire,
    decoder,
    given,
    holding,
    list_of,
    member,
    milliseconds,
    number,
    optional,
    positive,
)
from core.accounts import Balance, FeeRates
from core.clock import MILLISECOND, SECOND
from core.errors import Reason, Refused
from core.ids import ClientIdRule
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
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

class RawItem(Wire):
    sCode: str = ""
    sMsg: str = ""

class RawStatus(Wire):
    code: str
    msg: str = ""
    data: Raw = Raw()

class RawInstrument(Wire):
    instId: str
    baseCcy: str
    quoteCcy: str
    tickSz: Raw
    lotSz: Raw
    minSz: Raw
    maxLmtSz: Raw
    state: str
    instIdCode: int | None = None

class RawBook(Wire, gc=False):
    bids: list[wire.Level]
    asks: list[wire.Level]
    ts: str
    checksum: int = 0
    seqId: int = 0
    prevSeqId: int = 0

RawTicker = shape(shapes.TickerShape, {
    "bid_price": "bidPx", "bid_quantity": "bidSz", "ask_price": "askPx", "ask_quantity": "askSz",
    "last_price": "last", "open_price": "open24h", "high_price": "high24h", "low_price": "low24h",
    "volume": "vol24h", "quote_volume": "volCcy24h", "time": "ts"})
RawTrade = shape(shapes.TradeShape, {
    "trade_id": "tradeId", "side": "side", "price": "px", "quantity": "sz", "time": "ts"})
RawCandle = shape(shapes.CandleShape, [
    "open_time", "open", "high", "low", "close", "volume", None, "quote_volume", "closed"])
ORDER = {
    "symbol": "instId", "venue_order_id": "ordId", "client_order_id": "clOrdId", "status": "state",
    "type": "ordType", "side": "side", "price": "px", "quantity": "sz",
    "filled_quantity": "accFillSz", "average_price": "avgPx", "create_time": "cTime",
    "update_time": "uTime", "original_client_order_id": "algoClOrdId?"}
RawOrder = shape(shapes.OrderShape, {**ORDER, "reason": "cancelSourceReason?"})
RawExecution = shape(shapes.OrderShape, {
    **ORDER, "reason": "msg?", "trade_id": "tradeId", "trade_price": "fillPx",
    "trade_quantity": "fillSz", "fee": "fillFee", "fee_asset": "fillFeeCcy",
    "liquidity": "execType"})
decode_fill = decoder(shape(shapes.FillShape, {
    "trade_id": "tradeId", "venue_order_id": "ordId", "client_order_id": "clOrdId",
    "symbol": "instId", "side": "side", "price": "fillPx", "quantity": "fillSz", "fee": "fee",
    "fee_asset": "feeCcy", "liquidity": "execType", "time": "fillTime"}))
decode_balance = decoder(shape(shapes.BalanceShape, {
    "asset": "ccy", "total": "cashBal", "available": "availBal"}))

class RawAlgo(Wire):
    instId: str
    algoId: str
    algoClOrdId: str
    state: str
    side: str
    sz: Raw
    cTime: Raw
    uTime: Raw = Raw()
    slTriggerPx: Raw = Raw()
    slOrdPx: Raw = Raw()
    tpTriggerPx: Raw = Raw()
    tpOrdPx: Raw = Raw()
    triggerPx: Raw = Raw()
    ordPx: Raw = Raw()
    last: Raw = Raw()  # when it was placed
    reduceOnly: str = ""
    ordId: str = ""
    ordIdList: list[str] = []  # noqa: RUF012 - msgspec copies it
    failCode: str = ""

class RawAck(Wire):
    sCode: str
    ordId: str = ""
    clOrdId: str = ""
    algoClOrdId: str = ""
    sMsg: str = ""

class RawAccount(Wire):
    details: list[Raw]

class RawRates(Wire):
    maker: Raw = Raw()
    taker: Raw = Raw()

class RawFees(RawRates):
    feeGroup: list[RawRates] = []  # noqa: RUF012 - msgspec copies it

class RawKey(Wire):
    perm: str | None = None
    ip: str | None = None

class Argument(Wire, gc=False):
    channel: str
    instId: str = ""
    instType: str = ""

class BookFrame(Wire, gc=False):
    """There are many a second: decoded at one go."""

    arg: Argument
    action: str
    data: list[RawBook]

class Frame(Wire):
    event: str = ""
    arg: Argument | None = None
    action: str = ""
    data: Raw = Raw()
    id: str = ""
    code: str = ""
    msg: str = ""

def listed(type_: Any) -> Any:
    """The envelope of a reply; its data is always a list."""
    return holding("data", list_of(type_))

decode_status, decode_items = decoder(RawStatus), decoder(list[RawItem])
decode_frame, decode_books = decoder(Frame), decoder(BookFrame)
decode_tickers, decode_trades = decoder(list_of(RawTicker)), decoder(list_of(RawTrade))
decode_candles, decode_executions = decoder(list_of(RawCandle)), decoder(list_of(RawExecution))
decode_accounts, decode_order = decoder(list[RawAccount]), decoder(RawOrder)
decode_algos, decode_algo = decoder(list[RawAlgo]), decoder(RawAlgo)
time_of, updated_of, bill_of = member("ts"), member("uTime"), member("billId", str)

# -- words -----------------------------------------------------------------------------------------

WORDS = parse.Words(
    sides={"buy": Side.BUY, "sell": Side.SELL},
    statuses={
        "live": OrderStatus.OPEN, "partially_filled": OrderStatus.PARTIALLY_FILLED,
        "filled": OrderStatus.FILLED, "canceled": OrderStatus.CANCELED,
        "mmp_canceled": OrderStatus.CANCELED},
    types={
        "limit": (OrderType.LIMIT, TimeInForce.GTC), "ioc": (OrderType.LIMIT, TimeInForce.IOC),
        "fok": (OrderType.LIMIT, TimeInForce.FOK),
        "post_only": (OrderType.LIMIT, TimeInForce.POST_ONLY),
        "market": (OrderType.MARKET, TimeInForce.GTC),
        # Placed elsewhere: by a market maker, and of a derivative.
        "elp": (OrderType.LIMIT, TimeInForce.POST_ONLY),
        "optimal_limit_ioc": (OrderType.MARKET, TimeInForce.IOC)},
    times_in_force={}, time=milliseconds,
    liquidities={"M": Liquidity.MAKER, "T": Liquidity.TAKER},
    fee_sign=-1)
TYPE_WORDS = {
    **{(kind, time): word for word, (kind, time) in WORDS.types.items() if time and word != "elp"},
    (OrderType.MARKET, TimeInForce.IOC): "market"}
INTERVALS = {  # those from six hours on begin at midnight in Hong Kong unless asked otherwise
    1: "1s", 60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1H", 7200: "2H",
    14400: "4H", 21600: "6Hutc", 43200: "12Hutc", 86400: "1Dutc", 172800: "2Dutc",
    259200: "3Dutc", 604800: "1Wutc"}
ALGO_STATES = {
    "live": OrderStatus.OPEN, "pause": OrderStatus.OPEN, "partially_effective": OrderStatus.OPEN,
    "effective": OrderStatus.OPEN, "canceled": OrderStatus.CANCELED,
    "order_failed": OrderStatus.REJECTED, "partially_failed": OrderStatus.REJECTED}
STOPS = {  # what their words for trigger and price begin with; whether there is a price
    OrderType.STOP_MARKET: ("sl", False), OrderType.STOP_LIMIT: ("sl", True),
    OrderType.TAKE_PROFIT_MARKET: ("tp", False), OrderType.TAKE_PROFIT_LIMIT: ("tp", True)}
STOP_TYPES = {words: kind for kind, words in STOPS.items()}
AT_MARKET = "-1"
ALGO = "algo"  # what the pages of waiting orders, and ids of those without one of ours, begin with
KIND = {"instType": "SPOT"}
DAY = 86_400 * SECOND
RECENT = 1430  # candles, some fewer than are kept where the running one is
PAGE = 100  # orders or fills a reply
GONE = ("51400", "51401", "51402")  # there is nothing left of it to cancel

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawInstrument, venue: str) -> Instrument:
    return Instrument(
        venue, f"{raw.baseCcy}-{raw.quoteCcy}", raw.instId, InstrumentKind.SPOT,
        raw.baseCcy, raw.quoteCcy, raw.quoteCcy,
        price_tick=number(raw.tickSz), quantity_step=number(raw.lotSz),
        min_quantity=positive(raw.minSz) or ZERO, max_quantity=positive(raw.maxLmtSz) or ZERO,
        # A state that is new to us must not open a market.
        status=InstrumentStatus.TRADING if raw.state == "live" else InstrumentStatus.HALTED,
        venue_code="" if raw.instIdCode is None else str(raw.instIdCode))

def parse_book(raw: RawBook, whole: bool, rows: Any = wire.rows) -> BookMessage:
    """A checksum of zero is none: since 2026-06-23 the venue sends no other."""
    return BookMessage(
        rows(raw.bids), rows(raw.asks), raw.seqId, 0, raw.prevSeqId, int(raw.ts) * MILLISECOND,
        whole, checksum=raw.checksum or None)

def parse_report(raw: shapes.OrderShape) -> OrderReport:
    """A market order placed elsewhere may count its quantity in quote: it is never taken over."""
    said = parse.report(raw, WORDS)
    return replace(said, quantity=None) if raw.type == "market" else said

def apart(order: Order) -> bool:
    """Whether an order is kept apart, for all we know: it has not triggered."""
    name = order.venue_order_id
    return order.request.type in STOPS and (not name or name.startswith(ALGO))

def algo_report(raw: RawAlgo) -> OrderReport:
    """The order that it became, once it has, is named; what becomes of it, that order tells."""
    name = next((name for name in [*raw.ordIdList, raw.ordId] if name), "")
    failed = raw.failCode.strip("0")
    return OrderReport(
        raw.algoClOrdId, wire.lookup(ALGO_STATES, raw.state, "state"),
        name or ("" if raw.algoClOrdId else ALGO + raw.algoId), quantity=positive(raw.sz),
        reason=f"error {raw.failCode}" if failed else "",
        event_time=milliseconds(raw.uTime) or milliseconds(raw.cTime))

def trigger_of(raw: RawAlgo) -> tuple[str, Decimal, Decimal | None] | None:
    """What it is, its trigger, and its price: none is at market. Of a pair, the stop counts. A mere
    trigger above the price makes a buy a stop, a sale a take-profit; below, the other way round."""
    found = (("sl", raw.slTriggerPx, raw.slOrdPx), ("tp", raw.tpTriggerPx, raw.tpOrdPx),
             ("", raw.triggerPx, raw.ordPx))
    for words, trigger, price in found:
        level = positive(trigger)
        if level is not None:
            rises = level > (optional(raw.last) or ZERO)
            kind = words or ("sl" if rises == (raw.side == "buy") else "tp")
            return kind, level, positive(price)
    return None

def algo_order(raw: RawAlgo, scope: Scope) -> Order | None:
    """None for what is of a position, whatever it is then, or has no trigger yet."""
    waits, quantity = trigger_of(raw), positive(raw.sz)
    if waits is None or quantity is None:
        return None
    said, (words, trigger, price) = algo_report(raw), waits
    request = OrderRequest(
        said.client_order_id, scope.account, scope.venue, scope.instrument(raw.instId).id,
        wire.lookup(WORDS.sides, raw.side, "side"), STOP_TYPES[words, price is not None],
        quantity, price, trigger, reduce_only=raw.reduceOnly == "true")
    return Order(
        request, said.status, said.venue_order_id, create_time=milliseconds(raw.cTime),
        update_time=said.event_time)

def parse_order(raw: list[Raw], command: ask.GetOrder, scope: Scope) -> OrderReport:
    if apart(command.order):
        return algo_report(decode_algo(raw[0]))
    return parse_report(decode_order(raw[0]))

def next_order(command: ask.GetOrder, said: OrderReport) -> ask.GetOrder | None:
    """What has triggered is known better as the order that it became."""
    if not apart(command.order) or not said.venue_order_id or said.venue_order_id.startswith(ALGO):
        return None
    return replace(command, order=replace(command.order, venue_order_id=said.venue_order_id))

def linear(symbol: str) -> bool:
    """Not of a swap that is margined in its base, which an account may hold as well."""
    return not symbol.endswith("-USD-SWAP")

def parse_open_orders(raw: list[Raw], command: ask.ListOpenOrders, scope: Scope) -> Page[Order]:
    """Orders of the book, then those that wait for their triggers."""
    full = len(raw) == PAGE
    if not command.cursor.startswith(ALGO):
        found = [decode_order(row) for row in raw]
        orders = [parse.order(row, WORDS, scope) for row in found if linear(row.symbol)]
        return Page(orders, str(found[-1].venue_order_id) if full else ALGO)
    rows = [decode_algo(row) for row in raw]
    waiting = [algo_order(row, scope) for row in rows if linear(row.instId)]
    return Page([order for order in waiting if order], ALGO + rows[-1].algoId if full else "")

def parse_algos(payload: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    return [algo_report(raw) for raw in decode_algos(payload.data)]

def parse_ack(raw: RawAck, name: str) -> OrderReport:
    """The venue took it down; what becomes of it, the stream tells."""
    if raw.sCode != "0":
        raise ValueError("neither done nor refused")
    return OrderReport(name, OrderStatus.OPEN, raw.ordId)

def parse_placed(raw: RawAck, command: ask.Place, scope: Scope) -> ask.Reports:
    return [parse_ack(raw, raw.clOrdId or raw.algoClOrdId)]

def parse_many_placed(
    raw: list[RawAck], command: ask.PlaceOrders, scope: Scope
) -> list[ask.Reports | Failure]:
    """Each by itself, in their order."""
    return [
        [parse_ack(ack, ack.clOrdId)] if ack.sCode == "0" else Failure(ack.sCode, ack.sMsg)
        for ack in raw]

def parse_changed(raw: RawAck, command: ask.Cancel | ask.Replace, scope: Scope) -> ask.Reports:
    return [parse_ack(raw, command.order.client_order_id)]

def parse_canceled(raw: list[RawAck], command: ask.CancelOrders, scope: Scope) -> ask.Reports:
    """Those that it will cancel; it answers in the order of the question."""
    names = [order.client_order_id for order, _ in command.orders]
    rows = zip(raw, names, strict=False)
    return [parse_ack(ack, name) for ack, name in rows if ack.sCode == "0"]

def parse_fills(raw: list[Raw], command: ask.ListFills, scope: Scope) -> Page[Fill]:
    found = [parse.fill(decode_fill(item), WORDS, scope) for item in reversed(raw)]
    return Page(found, bill_of(raw[-1]) if len(raw) == PAGE else "")

def parse_balances(raw: RawAccount, command: Any, scope: Scope) -> list[Balance]:
    return [
        parse.balance(decode_balance(item), scope, milliseconds(updated_of(item)))
        for item in raw.details]

def parse_fees(raw: RawFees, command: ask.GetFees, scope: Scope) -> FeeRates:
    """What is paid is negative there. Of several groups, the dearest."""
    rates = [raw, *raw.feeGroup]
    maker, taker = (
        max(-rate for rate in found if rate is not None)
        for found in ([optional(r.maker) for r in rates], [optional(r.taker) for r in rates]))
    return FeeRates(scope.account, scope.venue, command.instrument.id, maker, taker)

def parse_failure(status: int, body: bytes) -> Failure | None:
    """A success may carry failures by item. It is a failure when nothing was done; of several, the
    first that is not about an order that was over anyway."""
    raw = decode_status(body)
    items = decode_items(raw.data) if b'"sCode"' in body else []
    bad = [item for item in items if item.sCode != "0"]
    if bad and len(bad) == len(items):
        worst = next((item for item in bad if item.sCode not in GONE), bad[0])
        return Failure(worst.sCode, worst.sMsg)
    done = raw.code == "0" or (raw.code == "2" and bad)
    return None if done and status < 400 else Failure(raw.code, raw.msg)

def parse_whole_failure(status: int, body: bytes) -> Failure | None:
    """Of a reply whose items are judged one by one."""
    raw = decode_status(body)
    told = raw.code == "0" or (raw.code in ("1", "2") and decode_items(raw.data))
    return None if told and status < 400 else Failure(raw.code, raw.msg)

def parse_execution(payload: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    for raw in decode_executions(payload.data):
        yield parse_report(raw)
        if raw.trade_id and positive(raw.trade_quantity):
            yield parse.execution(raw, WORDS, scope)

def parse_account(payload: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    for raw in decode_accounts(payload.data):
        yield from parse_balances(raw, None, scope)

def parse_key(raw: RawKey, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    may = None if raw.perm is None else raw.perm.split(",")
    return KeyPermissions(
        None if may is None else "trade" in may, None if may is None else "withdraw" in may,
        None if raw.ip is None else bool(raw.ip))

# -- encoders --------------------------------------------------------------------------------------

def symbol_of(command: Any) -> dict[str, Any]:
    return {"instId": command.instrument.venue_symbol}

def encode_place(command: ask.Place) -> dict[str, Any]:
    request: OrderRequest = command.request
    stop = STOPS.get(request.type)
    params = {
        **symbol_of(command), "tdMode": "cash",
        "algoClOrdId" if stop else "clOrdId": request.client_order_id,
        "side": request.side.name.lower(),
        "ordType": "conditional" if stop else TYPE_WORDS[request.type, request.time_in_force],
        "sz": text(request.quantity)}
    if request.price is None and not (stop and request.side is Side.SELL):
        params["tgtCcy"] = "base_ccy"  # or a buy would be counted in quote
    if stop and request.trigger_price is not None:
        price = AT_MARKET if request.price is None else text(request.price)
        return {**params, f"{stop[0]}TriggerPx": text(request.trigger_price),
                f"{stop[0]}OrdPx": price}
    return params if request.price is None else {**params, "px": text(request.price)}

def named(order: Order, instrument: Instrument) -> dict[str, Any]:
    """By their id where it is known: an order from elsewhere may have no other."""
    own, theirs = ("algoClOrdId", "algoId") if apart(order) else ("clOrdId", "ordId")
    name = order.venue_order_id.removeprefix(ALGO)
    return {"instId": instrument.venue_symbol,
            **({theirs: name} if name else {own: order.client_order_id})}

def encode_cancel(command: ask.Cancel) -> Any:
    name = named(command.order, command.instrument)
    return [name] if apart(command.order) else name

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    """In place; the quantity counts what is filled."""
    name, kind = named(command.order, command.instrument), command.order.request.type
    if not apart(command.order):
        return {**name, "newSz": text(command.quantity), "newPx": text(command.price)}
    words, priced = STOPS[kind]
    if not priced:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE, "an order at market that waits for its trigger has no "
            "price to change: cancel it and place another", {"venue": command.instrument.venue})
    return {**name, "newSz": text(command.quantity),
            f"new{words.capitalize()}OrdPx": text(command.price)}

def encode_order(command: ask.GetOrder) -> dict[str, Any]:
    """One that waits is asked for without its instrument."""
    name = named(command.order, command.instrument)
    return {n: v for n, v in name.items() if n != "instId" or not apart(command.order)}

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    """Both ends are exclusive there; without an end it would begin with the newest."""
    limit, start, end = spans.candles(command, 300)
    return given({
        **symbol_of(command), "bar": INTERVALS[command.interval], "limit": limit,
        "before": None if start is None else -(-start // MILLISECOND) - 1,
        "after": None if end is None else end // MILLISECOND + 1})

def candles_path(command: ask.GetCandles) -> str:
    span = command.interval * SECOND
    first = command.start
    if first is None:
        first = (command.end or command.now) - command.limit * span
    old = first < command.now - RECENT * span
    return "/api/v5/market/history-candles" if old else "/api/v5/market/candles"

def encode_open_orders(command: ask.ListOpenOrders) -> dict[str, Any]:
    after = command.cursor.removeprefix(ALGO)
    return {**KIND, **(symbol_of(command) if command.instrument else {}),
            **({"ordType": "conditional,oco"} if aside(command) else {}),
            **({"after": after} if after else {}), "limit": PAGE}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    return {**KIND, **symbol_of(command),
            **({"begin": command.since // MILLISECOND} if command.since else {}),
            **({"after": command.cursor} if command.cursor else {}), "limit": PAGE}

def fills_path(command: ask.ListFills) -> str:
    recent = command.since > command.now - 2 * DAY  # three are kept
    return "/api/v5/trade/fills" if recent else "/api/v5/trade/fills-history"

# -- streams ---------------------------------------------------------------------------------------

def route(frame: bytes) -> Iterable[Routed]:
    if frame == b"pong":
        return ()
    if frame.startswith(b'{"arg":{"channel":"books"'):
        return route_books(frame)
    raw = decode_frame(frame)
    if raw.id.startswith("order"):
        return (Answer(raw.id, 200, frame),)  # or a refusal of the whole: written the same way
    if not raw.event:
        if raw.arg is None:
            raise ValueError("neither data nor an answer")
        return route_books(frame) if raw.arg.channel == "books" else ((topic_of(raw.arg), raw),)
    if raw.event in ("subscribe", "unsubscribe") and raw.arg is not None:
        return (Ack(f"{raw.event} {topic_of(raw.arg)}"),)
    if raw.event == "login" and raw.code == "0":
        return (Ack("login"),)
    if raw.event in ("login", "error"):
        return (Nack(raw.id or "login", raw.code, raw.msg),)
    if raw.event in ("notice", "channel-conn-count-error"):
        return (Restart(f"the venue sent {raw.event} {raw.code} {raw.msg}".strip()),)
    if raw.event == "channel-conn-count":
        return ()
    raise ValueError(f"unknown event {raw.event[:60]!r}")

def route_books(frame: bytes) -> Iterable[Routed]:
    raw = decode_books(frame)
    return ((f"books:{raw.arg.instId}", raw),)

def topic_of(arg: Argument) -> str:
    """An account's topics are by kind, the public ones by instrument."""
    of = arg.instType or arg.instId
    return f"{arg.channel}:{of}" if of else arg.channel

def write(op: str, member: str) -> Any:
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        parts = [topic.partition(":") for topic in topics]
        args = [{"channel": name, **({member: rest} if rest else {})} for name, _, rest in parts]
        name = str(session.id)
        payload = wire.encode({"id": name, "op": op, "args": args})
        return [Outgoing(payload, tuple(f"{op} {topic}" for topic in topics), name)]
    return frames

def log_in(session: Session) -> Sequence[Outgoing]:
    assert session.credentials is not None
    args = [SIGNER.sign_login("/users/self/verify", session.credentials, session.moment)]
    return [Outgoing(wire.encode({"op": "login", "args": args}), ("login",))]

def verdict(message: BookMessage, sequence: int, first: bool) -> spec.Verdict:
    """Each message names the one before. Numbers may begin again, so that a lower one alone proves
    nothing; recordings from before there were numbers have zeros."""
    if message.previous == sequence:
        return spec.Verdict.APPLY
    return spec.Verdict.OLD if message.last == sequence else spec.Verdict.GAP

def write_order(word: str, command: Any, params: Any, session: Session) -> Outgoing | None:
    """As by REST, in a list; instruments go by their number, where the venue has told it."""
    rows = params if isinstance(params, list) else [params]
    if "algo" in str(rows[0].keys()):
        return None  # what waits for a trigger goes by REST
    if isinstance(command, ask.CancelOrders):
        instruments = [instrument for _, instrument in command.orders]
    elif isinstance(command, ask.PlaceOrders):
        instruments = [order.instrument for order in command.orders]
    else:
        instruments = [command.instrument]
    codes = [instrument.venue_code for instrument in instruments]
    if not all(codes):
        return None
    args = [
        {"instIdCode": int(code), **{name: row[name] for name in row if name != "instId"}}
        for row, code in zip(rows, codes, strict=True)]
    name = f"order{session.id}"
    return Outgoing(wire.encode({"id": name, "op": word, "args": args}), (name,))

def checksum(book: Any, size: Decimal | None = None) -> int:
    """Signed CRC-32 of the 25 best levels, bids and asks by turns; `size` is a contract's."""
    (bids, sold), (asks, bought) = [
        (prices, amounts if size is None else [text(Decimal(amount) / size) for amount in amounts])
        for prices, amounts in book.snapshot(25)]
    both = min(len(bids), len(asks))
    turns = [""] * (4 * both)
    turns[::4], turns[1::4], turns[2::4], turns[3::4] = (
        column[:both] for column in (bids, sold, asks, bought))
    for row in zip((*bids[both:], *asks[both:]), (*sold[both:], *bought[both:]), strict=True):
        turns += row
    value = crc32(":".join(turns).encode())
    return value - (value >> 31 << 32)

def read_books(payload: BookFrame, instrument: Instrument, received: int) -> Iterable[BookMessage]:
    return [parse_book(raw, payload.action == "snapshot") for raw in payload.data]

def each(decode: Callable[[Raw], Any], make: Any) -> spec.MarketParser:
    def read(payload: Frame, instrument: Instrument, received: int) -> Iterable[Any]:
        return [make(raw, WORDS, instrument, received) for raw in decode(payload.data)]
    return read

def read_candles(interval: int) -> spec.MarketParser:
    return each(decode_candles, lambda raw, words, instrument, received:
                parse.candle(raw, words, instrument, interval))

def topics(channel: str, parser: spec.MarketParser) -> Any:
    return lambda instrument, interval: {f"{channel}:{instrument.venue_symbol}": parser}

# -- tables ----------------------------------------------------------------------------------------

SIGNER = PassphraseSigner("OK-ACCESS")

def pool(name: str, limit: int, account: bool = True) -> Pool:
    return Pool(name, limit, 2 * SECOND, account, spec.Window.ROLLING, shared=True)

POOLS = (  # each endpoint has its own, of an address or of an account; some for each instrument
    Pool("connections", 3, SECOND, window=spec.Window.ROLLING, shared=True),
    *(pool(name, limit, account=False) for name, limit in {
        "time": 10, "instruments": 20, "book": 40, "ticker": 20, "trades": 100, "candles": 40,
        "old_candles": 20}.items()),
    *(pool(name, limit) for name, limit in {
        "orders": 1000, "place": 60, "cancel": 60, "cancel_batch": 300,
        "place_batch": 300, "amend": 60, "order": 60,
        "open_orders": 60, "fills": 60, "old_fills": 10, "balances": 10, "fees": 5, "timer": 2,
        "config": 5,
        **dict.fromkeys(("algo_place", "algo_cancel", "algo_amend", "algo_order", "algo_open"), 20),
        }.items()))

def of(name: str, orders: int = 0) -> Callable[[Any], dict[str, int]]:
    """One from an instrument's own pool, and from that of all new and changed orders."""
    return lambda command: {
        f"{'algo_' * aside(command)}{name}/{command.instrument.venue_symbol}": 1, "orders": orders}

def aside(command: Any) -> bool:
    """Whether it is about what waits for its trigger."""
    if isinstance(command, ask.Place):
        return command.request.type in STOPS
    if isinstance(command, ask.ListOpenOrders):
        return command.cursor.startswith(ALGO)
    return apart(command.orders[0][0] if isinstance(command, ask.CancelOrders) else command.order)

def either(algo: str, book: str) -> Callable[[Any], str]:
    """The path for what waits for its trigger, and for the book."""
    return lambda command: f"/api/v5/trade/{algo if aside(command) else book}"

def batch_cost(command: ask.CancelOrders) -> dict[str, int]:
    name = "algo_cancel" if aside(command) else "cancel_batch"
    return Counter(f"{name}/{instrument.venue_symbol}" for _, instrument in command.orders)

def batch_place_cost(command: ask.PlaceOrders) -> dict[str, int]:
    names = (f"place_batch/{one.instrument.venue_symbol}" for one in command.orders)
    return {**Counter(names), "orders": len(command.orders)}

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/api/v5/public/time", listed(Raw),
        readers.held(readers.first(lambda raw, command, scope: milliseconds(time_of(raw)))),
        cost={"time": 1}),
    ask.ListInstruments: Operation(
        "GET", "/api/v5/public/instruments", listed(RawInstrument),
        readers.held(lambda raw, command, scope: [
            # What is only announced may have no tick yet.
            parse_instrument(i, scope.venue) for i in raw
            if i.state == "live" or optional(i.tickSz)]),
        lambda command: dict(KIND), {"instruments": 1}),
    ask.GetBook: Operation(
        "GET", "/api/v5/market/books", listed(RawBook),
        readers.held(readers.first(lambda raw, command, scope: parse_book(raw, True))),
        lambda command: {**symbol_of(command), "sz": min(max(command.depth, 1), 400)},
        {"book": 1}),
    ask.GetTicker: Operation(
        "GET", "/api/v5/market/ticker", listed(RawTicker),
        readers.held(readers.first(readers.ticker(WORDS))), symbol_of, {"ticker": 1}),
    ask.GetTrades: Operation(
        "GET", "/api/v5/market/trades", listed(RawTrade),
        readers.held(readers.trades(WORDS), backwards=True),
        lambda command: {**symbol_of(command), "limit": min(command.limit, 500)}, {"trades": 1}),
    ask.GetCandles: Operation(
        "GET", candles_path, listed(RawCandle),
        readers.held(readers.candles(WORDS), backwards=True), encode_candles,
        lambda command: {"old_candles" if "history" in candles_path(command) else "candles": 1}),
    ask.Place: Operation(
        "POST", either("order-algo", "order"), listed(RawAck),
        readers.held(readers.first(parse_placed)), encode_place, of("place", 1), signed=True),
    ask.PlaceOrders: Operation(
        "POST", "/api/v5/trade/batch-orders", listed(RawAck), readers.held(parse_many_placed),
        lambda command: [encode_place(one) for one in command.orders], batch_place_cost,
        signed=True, failure=parse_whole_failure),
    ask.Cancel: Operation(
        "POST", either("cancel-algos", "cancel-order"), listed(RawAck),
        readers.held(readers.first(parse_changed)), encode_cancel, of("cancel"), signed=True),
    ask.CancelOrders: Operation(
        "POST", either("cancel-algos", "cancel-batch-orders"), listed(RawAck),
        readers.held(parse_canceled),
        lambda command: [named(*pair) for pair in command.orders], batch_cost, signed=True),
    ask.CancelAfter: Operation(  # of the book, spot and derivatives alike; 10 to 120 s
        "POST", "/api/v5/trade/cancel-all-after", dict, readers.nothing,
        lambda command: {"timeOut": str(-(-command.timeout // SECOND))}, {"timer": 1}, signed=True),
    ask.Replace: Operation(
        "POST", either("amend-algos", "amend-order"), listed(RawAck),
        readers.held(readers.first(parse_changed)), encode_replace, of("amend", 1), signed=True),
    ask.GetOrder: Operation(
        "GET", either("order-algo", "order"), listed(Raw), readers.held(parse_order), encode_order,
        of("order"), signed=True, better=next_order),
    ask.ListOpenOrders: Operation(
        "GET", either("orders-algo-pending", "orders-pending"), listed(Raw),
        readers.held(parse_open_orders), encode_open_orders,
        lambda command: {"algo_open" if aside(command) else "open_orders": 1}, signed=True,
        more=next_page),
    ask.ListFills: Operation(
        "GET", fills_path, listed(Raw), readers.held(parse_fills), encode_fills,
        lambda command: {"old_fills" if "history" in fills_path(command) else "fills": 1},
        signed=True, more=next_page),
    ask.GetBalances: Operation(
        "GET", "/api/v5/account/balance", listed(RawAccount),
        readers.held(readers.first(parse_balances)), cost={"balances": 1}, signed=True),
    ask.GetFees: Operation(
        "GET", "/api/v5/account/trade-fee", listed(RawFees),
        readers.held(readers.first(parse_fees)),
        lambda command: {**KIND, **symbol_of(command)}, {"fees": 1}, signed=True),
    ask.GetKeyPermissions: Operation(
        "GET", "/api/v5/account/config", listed(RawKey), readers.held(readers.first(parse_key)),
        cost={"config": 1}, signed=True),
}
BOOK = spec.BookRule(  # without changes they say so about once a minute
    spec.Start.STREAM, verdict, depth=400, checksum=checksum, heartbeat=180 * SECOND)
CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(topics("books", read_books), book=BOOK),
    Channel.TRADES: spec.ChannelSpec(topics("trades", each(decode_trades, parse.trade))),
    Channel.TICKER: spec.ChannelSpec(topics("tickers", each(decode_tickers, parse.ticker))),
    Channel.CANDLES: spec.ChannelSpec(
        lambda instrument, interval: topics(
            f"candle{INTERVALS[interval]}", read_candles(interval))(instrument, interval),
        stream="business"),
}
PUBLIC = spec.StreamSpec(  # three of our frames a second, 480 an hour; cut after 30 s of silence
    host="stream", path="/ws/v5/public", route=route, subscribe=write("subscribe", "instId"),
    unsubscribe=write("unsubscribe", "instId"), ping=lambda now: b"ping",
    connect={"connections": 1}, frame_interval=SECOND // 2)
PRIVATE = spec.PrivateSpec(
    replace(PUBLIC, path="/ws/v5/private", opening=(log_in,),
            subscribe=write("subscribe", "instType")),
    {"orders:SPOT": parse_execution, "account": parse_account}, beside=(spec.PrivateSpec(
        replace(PUBLIC, path="/ws/v5/business", opening=(log_in,),
                subscribe=write("subscribe", "instType")), {"orders-algo:SPOT": parse_algos}),))
ENTRY = spec.OrderEntry(  # over the account's stream, and from the same budgets
    words={
        ask.Place: "order", ask.PlaceOrders: "batch-orders", ask.Cancel: "cancel-order",
        ask.CancelOrders: "batch-cancel-orders", ask.Replace: "amend-order"},
    write=write_order)
ERRORS = (
    # 51016: an order with our id is there already, perhaps the very one that we asked for.
    *rules(("50001 50004 50005 50013 50026 51149 51054", Reason.VENUE_UNAVAILABLE),
           ("51016", Reason.OUTCOME_UNKNOWN), unknown=True),
    *rules(("50061", Reason.RATE_LIMITED), pools=("orders",)),
    *rules(
        ("50011 60014", Reason.RATE_LIMITED),
        ("50102 60006", Reason.CLOCK_SKEW),
        ("50100..50114 50119 50120 60005 60007 60009 60024 60032",
         Reason.VENUE_AUTHENTICATION_FAILED),
        ("51001 51015 60018", Reason.INSTRUMENT_NOT_FOUND),
        ("51008 51119 51127 51131 51502", Reason.INSUFFICIENT_BALANCE),
        ("51603 51400 51503", Reason.ORDER_NOT_FOUND),
        ("51401 51402 51509 51510", Reason.ORDER_FINAL),
        ("51006 51020 51120 51121 51136 51137 51138 51201 51202", Reason.ORDER_RULE_BROKEN),
        ("50000 50002 50006 50014..50016 50024 50025 50115 51000 51003",
         Reason.VENUE_PROTOCOL_ERROR),  # it does not read what we wrote
        ("50007 50009 50012 50027 50028 51004..51399 51403..51599", Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="okx", name="OKX", kind=VenueKind.SPOT, documentation="https://www.okx.com/docs-v5/en",
    hosts={"rest": "https://www.okx.com", "stream": "wss://ws.okx.com:8443"},
    operations=OPERATIONS,
    streams={"public": PUBLIC, "business": replace(PUBLIC, path="/ws/v5/business")},
    channels=CHANNELS, private=PRIVATE, entry=ENTRY, signer=SIGNER, failure=parse_failure,
    errors=ERRORS, pools=POOLS, usage=lambda headers: {}, intervals=INTERVALS,
    order_types=frozenset({*TYPE_WORDS, *((kind, TimeInForce.GTC) for kind in STOPS)}),
    credentials=frozenset({"api_key", "secret", "passphrase"}),
    client_id=ClientIdRule(length=32),
    # A request is turned away half a minute after its timestamp; then the matching engine's time.
    settle_time=45 * SECOND,
    limit_pause=2 * SECOND, cancel_batch={False: 20, True: 10}, cancel_group=apart,
    place_batch={False: 20, True: 1}, place_group=lambda request: request.type in STOPS,
    cancel_all_by_instrument=False, replaces_in_place=True,
    standing_since="2026-09-06",
    standing_evidence="its documentation is maintained, and announces changes months ahead")
US = replace(
    VENUE, id="okx_us", name="OKX US",
    hosts={"rest": "https://us.okx.com", "stream": "wss://wsus.okx.com:8443"})
EEA = replace(
    VENUE, id="okx_eea", name="OKX Europe",
    hosts={"rest": "https://eea.okx.com", "stream": "wss://wseea.okx.com:8443"})
def demo(venue: spec.VenueSpec, stream: str) -> spec.VenueSpec:
    """A site's demo network: at the same host, told apart by a header."""
    return replace(
        venue, id=f"{venue.id}_testnet", name=f"{venue.name} demo network",
        hosts={**venue.hosts, "stream": f"wss://{stream}.okx.com:8443"},
        headers={"x-simulated-trading": "1"})

VENUES = (VENUE, US, EEA, demo(VENUE, "wspap"), demo(US, "wsuspap"), demo(EEA, "wseeapap"))
