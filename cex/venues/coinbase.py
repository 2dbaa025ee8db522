"""Coinbase Advanced Trade: spot.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis: REST (/api/v3/brokerage), websocket
channels, API keys; the reference of each call at docs.cdp.coinbase.com/api-reference; as of
2026-09. Its sandbox answers a few calls with fixed replies and streams nothing: no venue.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec
from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec, wire
from cex.engine.jwt import JwtSigner
from cex.engine.messages import Ack, BookMessage, Nack, Numbered, Outgoing, Routed
from cex.engine.parse import Page, next_page
from cex.engine.shapes import NONE, OrderShape, shape
from cex.engine.signing import iso_time
from cex.engine.spec import Failure, Operation, Pool, Scope, Session, rules
from cex.engine.wire import Wire, decoder, holding, lookup, number, positive, rfc3339
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

class RawPages(Wire):
    next_cursor: str | None = None
    has_next: bool = False

class RawProduct(Wire):
    product_id: str
    base_currency_id: str
    quote_currency_id: str
    base_increment: Raw
    quote_increment: Raw
    status: str
    base_min_size: Raw = NONE
    base_max_size: Raw = NONE
    quote_min_size: Raw = NONE
    price_increment: Raw = NONE
    product_type: str = "SPOT"
    alias: str | None = None
    is_disabled: bool = False
    trading_disabled: bool = False
    cancel_only: bool = False
    view_only: bool | None = False
    auction_mode: bool = False

class RawProducts(Wire):
    products: list[RawProduct]
    pagination: RawPages | None = None

class RawLevel(Wire):
    price: str
    size: str

class RawBook(Wire):
    bids: list[RawLevel]
    asks: list[RawLevel]
    time: Raw = NONE

RawTrade = shape(shapes.TradeShape, {
    "trade_id": "trade_id", "price": "price", "quantity": "size", "time": "time", "side": "side"})
RawCandle = shape(shapes.CandleShape, {
    "open_time": "start", "open": "open", "high": "high", "low": "low", "close": "close",
    "volume": "volume"})

class RawQuote(Wire):
    trades: list[RawTrade]  # type: ignore[valid-type]
    best_bid: Raw = NONE
    best_ask: Raw = NONE

decode_order = decoder(shape(OrderShape, {
    "symbol": "product_id", "venue_order_id": "order_id", "client_order_id": "client_order_id",
    "side": "side", "status": "status", "create_time": "created_time",
    "filled_quantity": "filled_size?", "filled_notional": "filled_value?",
    "average_price": "average_filled_price?", "update_time": "last_fill_time?"}))
decode_report = decoder(shape(OrderShape, {
    "venue_order_id": "order_id", "client_order_id": "client_order_id", "status": "status",
    "filled_quantity": "cumulative_quantity", "filled_notional": "filled_value?",
    "average_price": "avg_price?", "reason": "cancel_reason?"}))

class RawTerms(Wire):
    """One of the kinds of order that there are; the member that holds it names it."""

    base_size: Raw = NONE
    limit_price: Raw = NONE
    stop_price: Raw = NONE
    stop_direction: str = ""
    post_only: bool | None = False

class RawEdit(Wire):
    price: Raw = NONE
    size: Raw = NONE
    replace_accept_timestamp: str | None = ""

class RawDetails(Wire):
    order_configuration: dict[str, RawTerms | None] | None = None
    edit_history: list[RawEdit] | None = None
    product_type: str = "SPOT"
    reject_message: str | None = ""
    cancel_message: str | None = ""

class RawOrders(Wire):
    orders: list[Raw]
    has_next: bool = False
    cursor: str | None = ""

class RawPlaced(Wire):
    order_id: str
    client_order_id: str = ""

class RawCanceled(Wire):
    success: bool
    order_id: str

class RawFill(Wire):
    trade_id: str
    order_id: str
    trade_time: Raw
    trade_type: str
    price: Raw
    size: Raw
    commission: Raw
    side: str
    liquidity_indicator: str
    size_in_quote: bool = False

class RawFills(Wire):
    fills: list[RawFill]
    cursor: str | None = ""

class RawAmount(Wire):
    value: Raw

class RawAccount(Wire):
    currency: str
    available_balance: RawAmount
    hold: RawAmount | None = None
    type: str = ""

class RawAccounts(Wire):
    accounts: list[RawAccount]
    has_next: bool = False
    cursor: str | None = ""

class RawRates(Wire):
    maker_fee_rate: Raw
    taker_fee_rate: Raw

class RawKey(Wire):
    can_trade: bool | None = None
    can_transfer: bool | None = None

StreamTicker = shape(shapes.TickerShape, {
    "last_price": "price", "bid_price": "best_bid?", "bid_quantity": "best_bid_quantity?",
    "ask_price": "best_ask?", "ask_quantity": "best_ask_quantity?", "high_price": "high_24_h?",
    "low_price": "low_24_h?", "volume": "volume_24_h?"})

class Level(Wire, gc=False):
    side: Literal["bid", "offer"]
    price_level: str
    new_quantity: str

class Event(Wire, gc=False):
    """What is there depends on the channel."""

    type: str = ""
    product_id: str = ""
    updates: tuple[Level, ...] = ()
    trades: tuple[Raw, ...] = ()
    tickers: tuple[Raw, ...] = ()
    candles: tuple[Raw, ...] = ()
    orders: tuple[Raw, ...] | None = ()
    subscriptions: dict[str, list[str] | None] | None = None

class Frame(Wire, gc=False):
    """`number` counts the frames of the connection. A refusal has a message and no channel."""

    channel: str = ""
    events: tuple[Event, ...] = ()
    timestamp: Raw = NONE
    number: int | None = msgspec.field(default=None, name="sequence_num")
    message: str = ""

decode_frame, decode_answer = decoder(Frame), decoder(dict[str, Any])
decode_trade, decode_candle = decoder(RawTrade), decoder(RawCandle)
decode_ticker = decoder(StreamTicker)
decode_details, decode_orders = decoder(RawDetails), decoder(RawOrders)
order_of, product_of = wire.member("order"), wire.member("product_id", str)

# -- words -----------------------------------------------------------------------------------------

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
WORDS = parse.Words(
    sides=SIDES,
    statuses={
        "PENDING": OrderStatus.OPEN, "QUEUED": OrderStatus.OPEN, "OPEN": OrderStatus.OPEN,
        "CANCEL_QUEUED": OrderStatus.OPEN, "EDIT_QUEUED": OrderStatus.OPEN,
        "FILLED": OrderStatus.FILLED, "CANCELLED": OrderStatus.CANCELED,
        "EXPIRED": OrderStatus.EXPIRED, "FAILED": OrderStatus.REJECTED},
    types={},
    times_in_force={},
    time=rfc3339,
    # What a trade does not tell is counted as the dearer.
    liquidities={"MAKER": Liquidity.MAKER, "TAKER": Liquidity.TAKER,
                 "UNKNOWN_LIQUIDITY_INDICATOR": Liquidity.TAKER})
KINDS = {
    "market_market_ioc": (OrderType.MARKET, IOC), "market_market_fok": (OrderType.MARKET, FOK),
    "sor_market_ioc": (OrderType.MARKET, IOC), "sor_limit_ioc": (OrderType.LIMIT, IOC),
    "limit_limit_gtc": (OrderType.LIMIT, GTC), "limit_limit_gtd": (OrderType.LIMIT, GTC),
    "limit_limit_fok": (OrderType.LIMIT, FOK), "stop": (OrderType.STOP_LIMIT, GTC),
    "take": (OrderType.TAKE_PROFIT_LIMIT, GTC),
    # Placed elsewhere: what is known of them is what they are to trade at.
    "twap_limit_gtd": (OrderType.LIMIT, GTC), "trigger_bracket_gtc": (OrderType.LIMIT, GTC),
    "trigger_bracket_gtd": (OrderType.LIMIT, GTC)}
# A public trade names the maker's side, as the recording shows: sells at the ask, buys at the bid.
MAKERS = replace(WORDS, sides={"BUY": Side.SELL, "SELL": Side.BUY})
IN_SECONDS = replace(WORDS, time=wire.seconds)
REASONS = ("new_order_failure_reason", "edit_failure_reason", "preview_failure_reason",
           "failure_reason", "error", "id")
TEXTS = ("error_details", "message")
BARE = (401, 429)  # statuses that say all
STOPS = ("stop_limit_stop_limit_gtc", "stop_limit_stop_limit_gtd")
UP, DOWN = "STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"
INTERVALS = {
    300: "FIVE_MINUTE", 60: "ONE_MINUTE", 900: "FIFTEEN_MINUTE", 1800: "THIRTY_MINUTE",
    3600: "ONE_HOUR", 7200: "TWO_HOUR", 14400: "FOUR_HOUR", 21600: "SIX_HOUR", 86400: "ONE_DAY"}
CANDLES = 350  # a reply
PAGE = 250
ROOT = "/api/v3/brokerage"
MARKET = f"{ROOT}/market"

# -- parsers ---------------------------------------------------------------------------------------

def parse_instruments(raw: RawProducts, command: Any, scope: Scope) -> Page[Instrument]:
    pages = raw.pagination or RawPages()
    return Page((parse_instrument(one, scope.venue) for one in raw.products
                 if one.product_type == "SPOT"),
                pages.next_cursor or "" if pages.has_next else "")

def parse_instrument(raw: RawProduct, venue: str) -> Instrument:
    status = InstrumentStatus.TRADING
    if raw.status == "delisted":
        status = InstrumentStatus.DELISTED
    elif (raw.status != "online" or raw.is_disabled or raw.trading_disabled or raw.view_only
          or raw.auction_mode):
        status = InstrumentStatus.HALTED
    elif raw.cancel_only:
        status = InstrumentStatus.CANCEL_ONLY
    return Instrument(
        venue, f"{raw.base_currency_id}-{raw.quote_currency_id}", raw.product_id,
        InstrumentKind.SPOT, raw.base_currency_id, raw.quote_currency_id, raw.quote_currency_id,
        price_tick=positive(raw.price_increment) or number(raw.quote_increment),
        quantity_step=number(raw.base_increment),
        min_quantity=positive(raw.base_min_size) or ZERO,
        max_quantity=positive(raw.base_max_size) or ZERO,
        min_notional=positive(raw.quote_min_size) or ZERO,
        # BTC-USDC is the book of BTC-USD, and streamed by that name only.
        status=status, venue_code=raw.alias or "")

def parse_book(raw: Any, command: ask.GetBook, scope: Scope) -> BookMessage:
    bids, asks = ([(one.price, one.size) for one in side] for side in (raw.value.bids,
                                                                     raw.value.asks))
    return BookMessage(bids, asks, event_time=rfc3339(raw.value.time), whole=True)

def parse_ticker(raw: RawQuote, command: ask.GetTicker, scope: Scope) -> Ticker:
    """The last trade and the best prices; a day's figures are for the stream."""
    last: Any = raw.trades[0] if raw.trades else shapes.TradeShape()
    return Ticker(
        command.instrument.id, positive(raw.best_bid), None, positive(raw.best_ask), None,
        positive(last.price), event_time=rfc3339(last.time))

def parse_trades(raw: RawQuote, command: ask.GetTrades, scope: Scope) -> list[Trade]:
    return [parse.trade(one, MAKERS, command.instrument) for one in raw.trades[::-1]]

def terms_of(details: RawDetails, side: str) -> tuple[str, RawTerms]:
    """The kind of order; of two that it has one name for, by the way the price has to go."""
    held = (details.order_configuration or {}).items()
    name, terms = next(((name, one) for name, one in held if one), ("", RawTerms()))
    if name in STOPS:
        name = "stop" if (terms.stop_direction == UP) == (side == "BUY") else "take"
    return name, terms

def report_of(raw: Raw) -> OrderReport:
    """With its terms as they are now: those of the last change, if it was changed."""
    order, details = decode_order(raw), decode_details(raw)
    changes = sorted(details.edit_history or (), key=lambda one: one.replace_accept_timestamp or "")
    terms, changed = terms_of(details, order.side)[1], (changes or [RawEdit()])[-1]
    return replace(
        partly(parse.report(order, WORDS)),
        quantity=positive(changed.size) or positive(terms.base_size),
        price=positive(changed.price) or positive(terms.limit_price),
        reason=details.reject_message or details.cancel_message or "")

def partly(report: OrderReport) -> OrderReport:
    """It has no word for what is filled in part."""
    part = report.status is OrderStatus.OPEN and report.filled_quantity
    return replace(report, status=OrderStatus.PARTIALLY_FILLED) if part else report

def parse_order(raw: Raw, scope: Scope) -> Order:
    order, told = decode_order(raw), report_of(raw)
    name, terms = terms_of(decode_details(raw), order.side)
    kind, time = lookup(KINDS, name, "kind of order")
    request = OrderRequest(
        told.client_order_id, scope.account, scope.venue, scope.instrument(order.symbol).id,
        lookup(SIDES, order.side, "side"), kind,
        told.quantity or told.filled_quantity or ZERO,  # without a size: it was for so much money
        told.price, positive(terms.stop_price), TimeInForce.POST_ONLY if terms.post_only else time)
    return Order(
        request, told.status, told.venue_order_id, told.filled_quantity or ZERO,
        told.filled_notional or ZERO, create_time=rfc3339(order.create_time),
        update_time=told.event_time)

def parse_open_orders(raw: RawOrders, command: ask.ListOpenOrders, scope: Scope) -> Page[Order]:
    spot = (one for one in raw.orders if decode_details(one).product_type == "SPOT")
    return Page((parse_order(one, scope) for one in spot), raw.cursor or "" if raw.has_next else "")

def parse_report(
    raw: Raw, command: ask.GetOrder, scope: Scope
) -> OrderReport | Page[OrderReport] | None:
    """By the venue's id; else from the list of those placed at that time, a page at a time."""
    if command.order.venue_order_id:
        return report_of(order_of(raw))
    page = decode_orders(raw)
    for one in page.orders:
        if decode_order(one).client_order_id == command.order.client_order_id:
            return report_of(one)
    return Page([], page.cursor) if page.has_next and page.cursor else None

def parse_placed(raw: Any, command: ask.Place, scope: Scope) -> ask.Reports:
    name = command.request.client_order_id
    if raw.value.client_order_id not in ("", name):
        raise ValueError("the reply is about another order")
    return [OrderReport(name, OrderStatus.OPEN, raw.value.order_id)]

def parse_taken(raw: Any, command: ask.Cancel | ask.Replace, scope: Scope) -> ask.Reports:
    """A cancel or a change was taken down; the stream tells when it is done."""
    order = command.order
    return [OrderReport(order.client_order_id, OrderStatus.OPEN, order.venue_order_id)]

def parse_canceled(raw: Any, command: ask.CancelOrders, scope: Scope) -> ask.Reports:
    names = {order.venue_order_id: order.client_order_id for order, _ in command.orders}
    return [OrderReport(lookup(names, one.order_id, "order"), OrderStatus.OPEN, one.order_id)
            for one in raw.value if one.success]

def parse_fills(raw: RawFills, command: ask.ListFills, scope: Scope) -> Page[Fill]:
    """Reversals and corrections of the venue's are not trades."""
    found = [parse_fill(one, command, scope) for one in raw.fills if one.trade_type == "FILL"]
    return Page(found, raw.cursor or "" if raw.fills else "")

def parse_fill(raw: RawFill, command: ask.ListFills, scope: Scope) -> Fill:
    price, size = number(raw.price), number(raw.size)
    if raw.size_in_quote:  # the order was for so much money
        size = (size / price).quantize(command.instrument.quantity_step)
    return Fill(
        raw.trade_id, scope.venue, scope.account, command.instrument.id, "", raw.order_id,
        lookup(SIDES, raw.side, "side"), price, size, number(raw.commission),
        command.instrument.quote, lookup(WORDS.liquidities, raw.liquidity_indicator, "liquidity"),
        rfc3339(raw.trade_time))

def parse_balances(raw: RawAccounts, command: ask.GetBalances, scope: Scope) -> Page[Balance]:
    """What can be traded with: vaults and the wallets of perpetuals cannot."""
    found: dict[str, Balance] = {}
    for one in raw.accounts:
        if not one.type.endswith(("VAULT", "PERP_FUTURES")):
            held = number(one.hold.value) if one.hold else ZERO
            free, asset = number(one.available_balance.value), scope.asset(one.currency)
            known = found.get(asset, Balance(scope.account, scope.venue, asset, ZERO, ZERO))
            found[asset] = replace(
                known, total=known.total + free + held, available=known.available + free)
    return Page((one for one in found.values() if one.total),
                raw.cursor or "" if raw.has_next else "")

def parse_fees(raw: Any, command: ask.GetFees, scope: Scope) -> FeeRates:
    """The account's tier; some pairs of stable coins are cheaper."""
    rates: RawRates = raw.value
    return FeeRates(scope.account, scope.venue, command.instrument.id,
                    number(rates.maker_fee_rate), number(rates.taker_fee_rate))

def parse_failure(status: int, body: bytes) -> Failure | None:
    """Some failures come with a status of success: of an order, of the one cancel, of a preview."""
    try:
        raw = decode_answer(body)
    except wire.MALFORMED:
        if status < 400:
            return None  # the parser will say
        if status not in BARE:
            raise
        raw = {}  # said in words that are not JSON
    results = raw.get("results")
    refused = isinstance(results, list) and len(results) == 1 and not granted(results[0])
    if status < 400 and raw.get("success") is not False and not raw.get("errs") and not refused:
        return None
    words = [*found(raw, REASONS), *([str(status)] if status in BARE else [])]
    # A preview's word is that of an order with a prefix; those for "unknown" are fillings.
    plain = [word.removeprefix("PREVIEW_") for word in words]
    known = next((word for word in plain if not word.startswith("UNKNOWN_") or refused), "")
    return Failure(known or (plain[0] if plain else ""), " ".join(found(raw, TEXTS)))

def granted(result: Any) -> bool:
    return isinstance(result, dict) and result.get("success") is True

def found(raw: Any, names: Sequence[str]) -> list[str]:
    """What a failure says under these names, in whichever of its forms."""
    if isinstance(raw, list):
        return [word for one in raw for word in found(one, names)]
    if not isinstance(raw, dict):
        return [raw] if isinstance(raw, str) and names is REASONS else []
    own = [raw[name] for name in names if isinstance(raw.get(name), str) and raw[name]]
    inner = [raw[name] for name in ("error_response", "errors", "errs", "results") if name in raw]
    return [*own, *found(inner, names)]

def parse_key(raw: RawKey, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    """To transfer is to send, to its owner's other portfolios or elsewhere."""
    return KeyPermissions(raw.can_trade, raw.can_transfer)

# -- encoders --------------------------------------------------------------------------------------

def product(command: Any) -> str:
    symbol: str = command.instrument.venue_symbol
    return symbol

def trades_path(command: Any) -> str:
    return f"{MARKET}/products/{product(command)}/ticker"

def terms(request: OrderRequest) -> dict[str, Any]:
    """The kind of order, named by the member."""
    size = {"base_size": text(request.quantity)}
    if request.price is None:
        return {"market_market_ioc": size}
    limited = {**size, "limit_price": text(request.price)}
    if request.trigger_price is not None:
        rises = (request.type is OrderType.STOP_LIMIT) == (request.side is Side.BUY)
        return {STOPS[0]: {**limited, "stop_price": text(request.trigger_price),
                           "stop_direction": UP if rises else DOWN}}
    if request.time_in_force is IOC:
        return {"sor_limit_ioc": limited}
    if request.time_in_force is FOK:
        return {"limit_limit_fok": limited}
    maker = request.time_in_force is TimeInForce.POST_ONLY
    return {"limit_limit_gtc": {**limited, "post_only": maker}}

def encode_preview(command: ask.Preview | ask.Place) -> dict[str, Any]:
    request = command.request
    return {"product_id": product(command), "side": request.side.name,
            "order_configuration": terms(request)}

def encode_place(command: ask.Place) -> dict[str, Any]:
    return {"client_order_id": command.request.client_order_id, **encode_preview(command)}

def encode_candles(command: ask.GetCandles) -> dict[str, Any]:
    """Both ends belong to it, and there are no more than so many between."""
    span, count = command.interval, min(command.limit, CANDLES)
    start = None if command.start is None else -(-command.start // SECOND)
    end = (command.now if command.end is None else command.end) // SECOND
    if start is None:
        start = end - (count - 1) * span
    end = max(min(end, start + (count - 1) * span), start)
    return {"start": start, "end": end, "granularity": INTERVALS[span], "limit": count}

def encode_open_orders(command: ask.ListOpenOrders) -> dict[str, Any]:
    """Those at rest first, then those on their way: it gives no list of both."""
    rests, _, cursor = command.cursor.rpartition("|")
    moving = ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
    return {"order_status": moving if rests else "OPEN", "product_type": "SPOT", "limit": PAGE,
            **({"product_ids": product(command)} if command.instrument else {}),
            **({"cursor": cursor} if cursor else {})}

def next_open_orders(command: ask.ListOpenOrders, page: Page[Order]) -> ask.ListOpenOrders | None:
    rests = "moving|" if command.cursor.startswith("moving|") else ""
    if page.cursor:
        return replace(command, cursor=rests + page.cursor)
    return None if rests else replace(command, cursor="moving|")

def order_path(command: ask.GetOrder) -> str:
    return f"{ROOT}/orders/historical/{command.order.venue_order_id or 'batch'}"

def encode_order(command: ask.GetOrder) -> dict[str, Any]:
    """It finds no order by our id: listed are those placed since shortly before it was."""
    order = command.order
    if order.venue_order_id:
        return {}
    since = iso_time(max(order.create_time - 60 * SECOND, 0))
    return {"product_ids": product(command), "order_side": order.request.side.name,
            "start_date": since, "limit": PAGE,
            **({"cursor": command.cursor} if command.cursor else {})}

def next_order(command: ask.GetOrder, page: Page[OrderReport] | None) -> ask.GetOrder | None:
    return replace(command, cursor=page.cursor) if page is not None and page.cursor else None

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    """In place; the size counts what is filled."""
    return {"order_id": command.order.venue_order_id, "price": text(command.price),
            "size": text(command.quantity)}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    since = {"start_sequence_timestamp": iso_time(command.since)} if command.since else {}
    return {"product_ids": product(command), **since, "limit": PAGE,
            **({"cursor": command.cursor} if command.cursor else {})}

def paged(params: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    return lambda command: {**params, **({"cursor": command.cursor} if command.cursor else {})}

# -- streams ---------------------------------------------------------------------------------------

def route(frame: bytes) -> Iterable[Routed]:
    raw = decode_frame(frame)
    number, channel = raw.number, raw.channel
    if channel == "subscriptions":
        return [*acknowledged(raw), *([] if number is None else [Numbered(number, data=False)])]
    data: list[Routed] = []
    if channel == "l2_data":
        data = [(f"level2:{event.product_id}", (raw, event)) for event in raw.events]
    elif channel in ("market_trades", "ticker", "candles"):
        data = list(split(raw))
    elif channel == "user":
        data = [("user", raw)]
    elif not channel and raw.message:
        return [Nack("request", "error", raw.message)]
    elif channel != "heartbeats":
        raise ValueError(f"unknown channel {channel[:60]!r}")
    return data if number is None else [Numbered(number), *data]

def acknowledged(raw: Frame) -> Iterable[Routed]:
    """All that the connection is subscribed to, each time."""
    for event in raw.events:
        for channel, names in (event.subscriptions or {}).items():
            yield Ack(channel)
            yield from (Ack(f"{channel}:{name}") for name in names or ())

def split(raw: Frame) -> Iterable[Routed]:
    """By what the items are about: an event may bring several instruments'."""
    for event in raw.events:
        groups: dict[str, list[Raw]] = {}
        for item in event.trades or event.tickers or event.candles:
            groups.setdefault(product_of(item), []).append(item)
        for name, items in groups.items():
            yield (f"{raw.channel}:{name}", (raw, event.type, items))

def write(kind: str) -> Any:
    """A frame a channel. What was unsubscribed from is only missing in the next confirmation."""
    def frames(topics: Sequence[str], session: Session) -> Sequence[Outgoing]:
        channels: dict[str, list[str]] = {}
        for topic in topics:
            channel, _, name = topic.partition(":")
            channels.setdefault(channel, []).append(name)
        return [Outgoing(
            wire.encode({"type": kind, "product_ids": names, "channel": channel}),
            tuple(f"{channel}:{name}" for name in names) if kind == "subscribe" else (),
            "request") for channel, names in channels.items()]
    return frames

def beat(session: Session) -> Sequence[Outgoing]:
    """A frame a second: without it, quiet subscriptions end."""
    return [Outgoing(wire.encode({"type": "subscribe", "channel": "heartbeats"}))]

def log_in(session: Session) -> Sequence[Outgoing]:
    assert session.credentials is not None
    token = SIGNER.token(session.credentials, session.moment)
    payload = wire.encode({"type": "subscribe", "channel": "user", "jwt": token})
    return [Outgoing(payload, ("user",), "request")]

def read_book(payload: Any, instrument: Instrument, received: int) -> Iterable[BookMessage]:
    """A snapshot is of tens of thousands of levels, the best first: it goes in columns."""
    frame, event = payload
    number, time = frame.number or 0, rfc3339(frame.timestamp)
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    for row in event.updates:
        (bids if row.side == "bid" else asks).append((row.price_level, row.new_quantity))
    if event.type == "update":
        return (BookMessage(bids, asks, number, event_time=time),)
    if event.type != "snapshot":
        raise ValueError(f"unknown event {event.type[:60]!r}")
    sides = [list(map(list, zip(*side, strict=True))) or [[], []] for side in (bids, asks)]
    columns: Any = tuple(map(tuple, sides))
    return (BookMessage(last=number, event_time=time, whole=True, columns=columns),)

def read_trades(payload: Any, instrument: Instrument, received: int) -> Iterable[Trade]:
    """A snapshot is of before the subscription, and comes again with each."""
    _, kind, items = payload
    return [parse.trade(decode_trade(item), MAKERS, instrument, received)
            for item in reversed(items) if kind != "snapshot"]

def read_ticker(payload: Any, instrument: Instrument, received: int) -> Iterable[Ticker]:
    frame, _, items = payload
    time = rfc3339(frame.timestamp)
    return [replace(parse.ticker(decode_ticker(item), WORDS, instrument, received), event_time=time)
            for item in items]

def read_candles(interval: int) -> spec.MarketParser:
    def read(payload: Any, instrument: Instrument, received: int) -> Iterable[Candle]:
        """A snapshot has hours of them: the last is the one that runs."""
        _, kind, items = payload
        found = [parse.candle(decode_candle(item), IN_SECONDS, instrument, interval, received)
                 for item in items]
        found.sort(key=lambda candle: candle.open_time)
        return found[-1:] if kind == "snapshot" else found
    return read

def read_orders(payload: Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    """How far each order is. Trades are not told: what was filled is asked for."""
    time = rfc3339(payload.timestamp)
    for event in payload.events:
        for item in event.orders or ():
            yield partly(parse.report(decode_report(item), WORDS, time))

def topics(channel: str, reader: Any) -> Any:
    return lambda instrument, interval: {
        f"{channel}:{instrument.venue_code or instrument.venue_symbol}": reader(interval)}

# -- tables ----------------------------------------------------------------------------------------

SIGNER = JwtSigner("api.coinbase.com", life=30)
POOLS = (  # of an address without, of an account with a key
    Pool("public", 10, SECOND, window=spec.Window.ROLLING),
    Pool("private", 30, SECOND, account=True, window=spec.Window.ROLLING))
SIZES = {str(pool.limit): pool.name for pool in POOLS}

def usage(headers: Mapping[str, str]) -> dict[str, int]:
    """Which budget it is, its size says."""
    limit, left = (headers.get(f"x-ratelimit-{what}", "") for what in ("limit", "remaining"))
    if limit not in SIZES or not left.isdecimal():
        return {}
    return {SIZES[limit]: max(int(limit) - int(left), 0)}

PUBLIC, PRIVATE = {"public": 1}, {"private": 1}
OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", f"{ROOT}/time", holding("epochMillis"),
        lambda raw, command, scope: wire.milliseconds(raw.value), cost=PUBLIC),
    ask.ListInstruments: Operation(
        "GET", f"{MARKET}/products", RawProducts, parse_instruments,
        paged({"product_type": "SPOT"}), PUBLIC, more=next_page),
    ask.GetBook: Operation(
        "GET", f"{MARKET}/product_book", holding("pricebook", RawBook), parse_book,
        lambda command: {"product_id": product(command), "limit": max(command.depth, 1)}, PUBLIC),
    ask.GetTicker: Operation(
        "GET", trades_path, RawQuote, parse_ticker, lambda command: {"limit": 1}, PUBLIC),
    ask.GetTrades: Operation(
        "GET", trades_path, RawQuote, parse_trades,
        lambda command: {"limit": min(command.limit, 1000)}, PUBLIC),
    ask.GetCandles: Operation(
        "GET", lambda command: f"{MARKET}/products/{product(command)}/candles",
        holding("candles", list[RawCandle]),  # type: ignore[valid-type]
        readers.held(readers.candles(IN_SECONDS), backwards=True), encode_candles, PUBLIC),
    ask.Preview: Operation(
        "POST", f"{ROOT}/orders/preview", holding("errs", list[str], []),
        lambda raw, command, scope: None, encode_preview, PRIVATE, signed=True),
    ask.Place: Operation(
        "POST", f"{ROOT}/orders", holding("success_response", RawPlaced), parse_placed,
        encode_place, PRIVATE, signed=True),
    ask.Cancel: Operation(
        "POST", f"{ROOT}/orders/batch_cancel", holding("results", tuple[RawCanceled]), parse_taken,
        lambda command: {"order_ids": [command.order.venue_order_id]}, PRIVATE, signed=True),
    ask.CancelOrders: Operation(
        "POST", f"{ROOT}/orders/batch_cancel", holding("results", list[RawCanceled]),
        parse_canceled,
        lambda command: {"order_ids": [order.venue_order_id for order, _ in command.orders]},
        PRIVATE, signed=True),
    ask.Replace: Operation(
        "POST", f"{ROOT}/orders/edit", holding("success", Literal[True]), parse_taken,
        encode_replace, PRIVATE, signed=True),
    ask.GetOrder: Operation(
        "GET", order_path, Raw, parse_report, encode_order, PRIVATE, signed=True, more=next_order),
    ask.ListOpenOrders: Operation(
        "GET", f"{ROOT}/orders/historical/batch", RawOrders, parse_open_orders, encode_open_orders,
        PRIVATE, signed=True, more=next_open_orders),
    ask.ListFills: Operation(
        "GET", f"{ROOT}/orders/historical/fills", RawFills, parse_fills, encode_fills, PRIVATE,
        signed=True, more=next_page),
    ask.GetBalances: Operation(
        "GET", f"{ROOT}/accounts", RawAccounts, parse_balances, paged({"limit": PAGE}), PRIVATE,
        signed=True, more=next_page),
    ask.GetFees: Operation(
        "GET", f"{ROOT}/transaction_summary", holding("fee_tier", RawRates), parse_fees,
        lambda command: {"product_type": "SPOT"}, PRIVATE, signed=True),
    ask.GetKeyPermissions: Operation(
        "GET", f"{ROOT}/key_permissions", RawKey, parse_key, cost=PRIVATE, signed=True),
}
CHANNELS = {
    # The connection counts its frames: while none is missing, a book is whole.
    Channel.BOOK: spec.ChannelSpec(
        topics("level2", lambda interval: read_book),
        book=spec.BookRule(spec.Start.STREAM, lambda message, last, first: spec.Verdict.APPLY)),
    Channel.TRADES: spec.ChannelSpec(topics("market_trades", lambda interval: read_trades)),
    Channel.TICKER: spec.ChannelSpec(topics("ticker", lambda interval: read_ticker)),
    Channel.CANDLES: spec.ChannelSpec(
        topics("candles", read_candles), intervals=frozenset({300})),
}
STREAM = spec.StreamSpec(  # eight of our frames a second
    host="stream", route=route, opening=(beat,), subscribe=write("subscribe"),
    unsubscribe=write("unsubscribe"), frame_interval=SECOND // 7, quiet=10 * SECOND,
    silence=30 * SECOND)
ACCOUNT = spec.PrivateSpec(
    replace(STREAM, host="user", opening=(log_in, beat), subscribe=lambda topics, session: ()),
    {"user": read_orders})
ERRORS = (
    *rules(
        # The last two: what they speak of may be done already, or be under way.
        ("UNKNOWN_FAILURE_REASON UNKNOWN_CANCEL_FAILURE_REASON UNKNOWN_EDIT_ORDER_FAILURE_REASON "
         "UNKNOWN_PREVIEW_FAILURE_REASON DUPLICATE_CLIENT_ORDER_ID DUPLICATE_CANCEL_REQUEST",
         Reason.OUTCOME_UNKNOWN),
        ("INTERNAL UNAVAILABLE ABORTED CANCELLED DEADLINE_EXCEEDED internal_server_error",
         Reason.VENUE_UNAVAILABLE), unknown=True),
    *rules(
        ("rate_limit_exceeded RESOURCE_EXHAUSTED resource_exhausted RFQ_RATE_LIMITED 429",
         Reason.RATE_LIMITED),
        ("401 UNAUTHENTICATED PERMISSION_DENIED authentication_error unauthorized "
         "invalid_token", Reason.VENUE_AUTHENTICATION_FAILED),
        ("INVALID_PRODUCT_ID INVALID_CANCEL_PRODUCT_ID", Reason.INSTRUMENT_NOT_FOUND),
        ("INSUFFICIENT_FUND INSUFFICIENT_FUNDS INVALID_LEDGER_BALANCE INSUFFICIENT_LEDGER_BALANCE",
         Reason.INSUFFICIENT_BALANCE),
        ("INVALID_LIMIT_PRICE_POST_ONLY", Reason.POST_ONLY_WOULD_TAKE),
        ("INVALID_NO_LIQUIDITY", Reason.INSUFFICIENT_LIQUIDITY),
        ("NOT_FOUND not_found ORDER_NOT_FOUND UNKNOWN_CANCEL_ORDER", Reason.ORDER_NOT_FOUND),
        ("unknown", Reason.ORDER_NOT_FOUND, "was not found"),
        ("ORDER_IS_FULLY_FILLED ONLY_OPEN_ORDERS_CAN_BE_EDITED CANNOT_EDIT_ORDER_PENDING_CANCEL",
         Reason.ORDER_FINAL),
        ("UNSUPPORTED_ORDER_CONFIGURATION INVALID_ORDER_CONFIG FOK_DISABLED REPLACE_NOT_SUPPORTED "
         "POST_ONLY_NOT_ALLOWED_WITH_FOK FOK_ONLY_ALLOWED_ON_LIMIT_ORDERS STRATEGY_NOT_SUPPORTED "
         "ONLY_LIMIT_ORDER_EDITS_SUPPORTED SIZE_IN_QUOTE_EDITS_NOT_ALLOWED "
         "PORTFOLIO_NOT_ALLOWED_FOR_EDITS", Reason.UNSUPPORTED_BY_VENUE),
        ("INVALID_SIZE_PRECISION INVALID_PRICE_PRECISION INVALID_LIMIT_PRICE INVALID_STOP_PRICE "
         "INVALID_LIMIT_PRICE_PRECISION INVALID_STOP_PRICE_PRECISION INVALID_QUOTE_SIZE_PRECISION "
         "INVALID_BASE_SIZE_TOO_LARGE INVALID_BASE_SIZE_TOO_SMALL INVALID_QUOTE_SIZE_TOO_LARGE "
         "INVALID_QUOTE_SIZE_TOO_SMALL INVALID_PRICE_TOO_LARGE BREACHED_PRICE_LIMIT "
         "LIMIT_PRICE_TOO_FAR_FROM_MARKET STOP_PRICE_ABOVE_LIMIT_PRICE "
         "STOP_PRICE_BELOW_LIMIT_PRICE STOP_PRICE_ABOVE_LAST_TRADE_PRICE "
         "STOP_PRICE_BELOW_LAST_TRADE_PRICE LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_BUY "
         "LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_SELL INVALID_EDITED_SIZE INVALID_EDITED_PRICE "
         "CANNOT_EDIT_TO_BELOW_FILLED_SIZE", Reason.ORDER_RULE_BROKEN),
        # It does not read what we wrote.
        ("INVALID_ARGUMENT INVALID_REQUEST INVALID_SIDE INVALID_CANCEL_REQUEST invalid_request "
         "param_required validation_error", Reason.VENUE_PROTOCOL_ERROR),
        ("COMMANDER_REJECTED_NEW_ORDER COMMANDER_REJECTED_CANCEL_ORDER INELIGIBLE_PAIR "
         "COMMANDER_REJECTED_EDIT_ORDER ORDER_ENTRY_DISABLED UNTRADABLE_PRODUCT TRADING_DISABLED "
         "PRODUCT_TRADING_HALTED NOT_ALLOWED_BY_MARKET_STATE GEOFENCING_RESTRICTION "
         "CLOSE_ONLY_FAILURE COMPLIANCE_PURCHASE_LIMIT_EXCEEDED MISSING_MARKET_TRADE_DATA "
         "MISSING_PRODUCT_PRICE_BOOK STOP_ALREADY_TRIGGERED STOP_TRIGGERED NOT_ALLOWED_TO_CANCEL "
         "ORDER_IS_BEING_REPLACED ORDER_IS_ALREADY_BEING_REPLACED ORDER_IS_PENDING_CANCEL "
         "TOO_MANY_PENDING_REPLACES EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT CALLER_ID_MISMATCH "
         "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST INVALID_ORIGINAL_SIZE INVALID_ORIGINAL_PRICE",
         Reason.ORDER_REJECTED)))
VENUE = spec.VenueSpec(
    id="coinbase", name="Coinbase", kind=VenueKind.SPOT,
    documentation="https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis",
    hosts={
        "rest": "https://api.coinbase.com", "stream": "wss://advanced-trade-ws.coinbase.com",
        "user": "wss://advanced-trade-ws-user.coinbase.com"},
    operations=OPERATIONS, streams={"public": STREAM}, channels=CHANNELS, private=ACCOUNT,
    signer=SIGNER, failure=parse_failure, errors=ERRORS, pools=POOLS, usage=usage,
    intervals=INTERVALS,
    order_types=frozenset({
        (OrderType.LIMIT, GTC), (OrderType.LIMIT, IOC), (OrderType.LIMIT, FOK),
        (OrderType.LIMIT, TimeInForce.POST_ONLY), (OrderType.MARKET, GTC), (OrderType.MARKET, IOC),
        (OrderType.STOP_LIMIT, GTC), (OrderType.TAKE_PROFIT_LIMIT, GTC)}),
    client_id=ClientIdRule(length=32),
    # A token is good for half a minute (it could be two); then the matching engine's time.
    settle_time=45 * SECOND,
    limit_pause=2 * SECOND, cancel_batch=100, cancel_all_by_instrument=False,
    replaces_in_place=True, by_venue_id=True,
    standing_since="2026-08-09",
    standing_evidence="its documentation, SDK and change log are maintained; recorded live then")
VENUES = (VENUE,)
