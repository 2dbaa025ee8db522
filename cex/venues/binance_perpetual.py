"""Binance's USD-M perpetuals, and their test network: what differs from Binance spot.

https://developers.binance.com/docs/derivatives/usds-margined-futures: REST (fapi), websocket
streams by their paths (/public, /market, /private), user data stream, error codes; as of 2026-09.
A contract is a base unit. Stops and take-profits are kept apart ("algo orders") until they trigger;
then they become orders of the book, which inherit their client id. Only these have a venue order id
here: so that it tells where an order is to be asked for.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec
from cex.engine.messages import Ask, BookMessage, Outgoing, Restart, Routed
from cex.engine.shapes import shape
from cex.engine.signing import KeySigner
from cex.engine.spans import Spans
from cex.engine.spec import Failure, Operation, Pool, Scope, Session, rules
from cex.engine.wire import (
    Wire,
    decoder,
    encode,
    given,
    holding,
    list_of,
    member,
    milliseconds,
    number,
    positive,
)
from cex.venues import binance
from cex.venues.binance import symbol_of, topics, write
from core.accounts import Balance, FundingPayment, MarginMode, Position, PositionMode, PositionSide
from core.clock import MILLISECOND, SECOND
from core.errors import Reason, Refused
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.market import Ticker
from core.money import ZERO, text
from core.orders import Fill, Order, OrderReport, OrderStatus, OrderType, TimeInForce
from core.ports import Channel, KeyPermissions, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawFilter(binance.RawFilter):
    notional: Raw = Raw()

class RawSymbol(Wire):
    symbol: str
    status: str
    contractType: str
    baseAsset: str
    quoteAsset: str
    marginAsset: str
    pricePrecision: int
    quantityPrecision: int
    filters: list[RawFilter]

class RawExchangeInfo(Wire):
    symbols: list[RawSymbol]

class StreamChange(Wire):
    m: str = ""
    B: list[Raw] = []  # noqa: RUF012 - msgspec copies it
    P: list[Raw] = []  # noqa: RUF012

class StreamAccount(Wire):
    T: Raw
    a: StreamChange

class RawPayment(Wire):
    symbol: str
    incomeType: str
    income: Raw
    asset: str
    time: Raw
    tranId: Raw

class RawBalance(Wire):
    asset: str
    balance: Raw
    availableBalance: Raw
    updateTime: Raw = Raw()

class RawDone(Wire):
    code: int | str

class RawMode(Wire):
    dualSidePosition: bool

class AccountFrame(Wire):
    """An event, or one in the envelope of a combined stream."""

    e: str = ""
    data: Raw = Raw()

# Of two calls: reference prices, open interest.
RawFunding = shape(shapes.FundingShape, {
    "rate": "lastFundingRate?", "next_time": "nextFundingTime?", "mark_price": "markPrice?",
    "index_price": "indexPrice?", "open_interest": "openInterest?", "time": "time?"})
decode_funding = decoder(shape(shapes.FundingShape, {  # open interest is not streamed
    "rate": "r", "next_time": "T", "mark_price": "p", "index_price": "i", "time": "E"}))
RawPosition = shape(shapes.PositionShape, {
    "symbol": "symbol", "side": "positionSide", "quantity": "positionAmt",
    "entry_price": "entryPrice", "mark_price": "markPrice?",
    "liquidation_price": "liquidationPrice?", "unrealized_pnl": "unRealizedProfit?",
    "leverage": "leverage?", "margin": "positionInitialMargin?",
    "isolated_margin": "isolatedMargin?", "time": "updateTime?"})
decode_position = decoder(shape(shapes.PositionShape, {
    "symbol": "s", "side": "ps", "quantity": "pa", "entry_price": "ep", "unrealized_pnl": "up?",
    "realized_pnl": "cr?", "margin_mode": "mt?"}))
RawFees = shape(shapes.FeesShape, {"maker": "makerCommissionRate", "taker": "takerCommissionRate"})
decode_depth = decoder(shape(BookMessage, {
    "first": "U", "last": "u", "previous": "pu", "bids": "b", "asks": "a", "event_time": "E"}))
STATISTICS = {
    "last_price": "lastPrice?", "open_price": "openPrice?", "high_price": "highPrice?",
    "low_price": "lowPrice?", "volume": "volume?", "quote_volume": "quoteVolume?",
    "bid_price": "bidPrice?", "bid_quantity": "bidQty?", "ask_price": "askPrice?",
    "ask_quantity": "askQty?"}
decode_statistics = decoder(shape(shapes.TickerShape, {**STATISTICS, "time": "closeTime?"}))
decode_best = decoder(shape(shapes.TickerShape, {**STATISTICS, "time": "time?"}))
TRADE = {"trade_id": "a", "price": "p", "quantity": "q", "time": "T", "buyer_is_maker": "m"}
RawTrade = shape(shapes.TradeShape, TRADE)
decode_trade = decoder(RawTrade)
decode_quote = decoder(shape(shapes.TickerShape, {
    "bid_price": "b", "bid_quantity": "B", "ask_price": "a", "ask_quantity": "A", "time": "E?"}))
ORDER = {
    "symbol": "symbol", "venue_order_id": "orderId", "client_order_id": "clientOrderId",
    "status": "status", "type": "type", "side": "side", "time_in_force": "timeInForce",
    "price": "price", "quantity": "origQty", "filled_quantity": "executedQty",
    "filled_notional": "cumQuote?", "average_price": "avgPrice?", "reduce_only": "reduceOnly?",
    "trigger_price": "stopPrice?", "create_time": "time?", "update_time": "updateTime"}
decode_order = decoder(shape(shapes.OrderShape, ORDER))
ALGO = {
    "symbol": "symbol?", "client_order_id": "clientAlgoId", "venue_order_id": "actualOrderId?",
    "status": "algoStatus?", "type": "orderType?", "side": "side?", "time_in_force": "timeInForce?",
    "price": "price?", "quantity": "quantity?", "filled_quantity": "actualQty?",
    "average_price": "actualPrice?", "reduce_only": "reduceOnly?", "trigger_price": "triggerPrice?",
    "create_time": "createTime?", "update_time": "updateTime?"}
decode_algo = decoder(shape(shapes.OrderShape, ALGO))
decode_execution = decoder(shape(shapes.OrderShape, {
    "symbol": "s", "venue_order_id": "i", "client_order_id": "c", "status": "X", "side": "S",
    "price": "p", "quantity": "q", "filled_quantity": "z", "average_price": "ap",
    "update_time": "T", "trade_id": "t", "trade_price": "L", "trade_quantity": "l", "fee": "n?",
    "fee_asset": "N?", "maker": "m"}))
decode_algo_update = decoder(shape(shapes.OrderShape, {
    "symbol": "s", "venue_order_id": "ai?", "client_order_id": "caid", "status": "X",
    "price": "p?", "quantity": "q?", "reason": "rm?"}))
RawFill = shape(shapes.FillShape, {
    "trade_id": "id", "venue_order_id": "orderId", "side": "side", "price": "price",
    "quantity": "qty", "fee": "commission", "fee_asset": "commissionAsset", "maker": "maker",
    "time": "time"})
decode_account, decode_frame = decoder(StreamAccount), decoder(AccountFrame)
order_of, time_of = member("o"), member("T")

# -- words -----------------------------------------------------------------------------------------

WORDS = replace(
    binance.WORDS,
    statuses={
        **binance.WORDS.statuses, "TRIGGERING": OrderStatus.OPEN, "TRIGGERED": OrderStatus.OPEN,
        # It became an order, which was filled or canceled: how much of it, its amounts say.
        "FINISHED": OrderStatus.CANCELED},
    types={
        "LIMIT": (OrderType.LIMIT, None), "MARKET": (OrderType.MARKET, None),
        "STOP": (OrderType.STOP_LIMIT, None), "STOP_MARKET": (OrderType.STOP_MARKET, None),
        "TAKE_PROFIT": (OrderType.TAKE_PROFIT_LIMIT, None),
        "TAKE_PROFIT_MARKET": (OrderType.TAKE_PROFIT_MARKET, None),
        # Placed elsewhere: a stop whose trigger moves along; an order of the venue's own.
        "TRAILING_STOP_MARKET": (OrderType.STOP_MARKET, None),
        "LIQUIDATION": (OrderType.LIMIT, None)},
    times_in_force={
        **binance.WORDS.times_in_force, "GTX": TimeInForce.POST_ONLY, "GTD": TimeInForce.GTC,
        "GTE_GTC": TimeInForce.GTC, "RPI": TimeInForce.POST_ONLY},
    position_sides={
        "BOTH": PositionSide.NET, "LONG": PositionSide.LONG, "SHORT": PositionSide.SHORT},
    margin_modes={"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED})
FOREIGN = ("TRAILING_STOP_MARKET", "LIQUIDATION", "GTD", "GTE_GTC", "RPI")  # not placed by us
TYPES = {kind: word for word, (kind, _) in WORDS.types.items() if word not in FOREIGN}
TIMES = {time: word for word, time in WORDS.times_in_force.items() if word not in FOREIGN}
STOPS = (OrderType.STOP_LIMIT, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_LIMIT,
         OrderType.TAKE_PROFIT_MARKET)
LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
CONTRACTS = ("PERPETUAL", "TRADIFI_PERPETUAL")
MARGINS = {MarginMode.CROSS: "CROSSED", MarginMode.ISOLATED: "ISOLATED"}
INTERVALS = {seconds: word for seconds, word in binance.INTERVALS.items() if seconds >= 60}
DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}  # of a book, with their weights
SPANS = Spans(7 * binance.DAY, kept=180 * binance.DAY)  # of fills
PAGE = 1000
KEY = KeySigner("X-MBX-APIKEY")

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawSymbol, venue: str) -> Instrument:
    rules = {rule.filterType: rule for rule in raw.filters}
    none = RawFilter("")
    price, lot = rules.get("PRICE_FILTER", none), rules.get("LOT_SIZE", none)
    return Instrument(
        venue, f"{raw.baseAsset}-{raw.quoteAsset}-PERP", raw.symbol, InstrumentKind.PERPETUAL,
        raw.baseAsset, raw.quoteAsset, raw.marginAsset,
        price_tick=positive(price.tickSize) or parse.increment(raw.pricePrecision),
        quantity_step=positive(lot.stepSize) or parse.increment(raw.quantityPrecision),
        min_quantity=positive(lot.minQty) or ZERO, max_quantity=positive(lot.maxQty) or ZERO,
        min_notional=positive(rules.get("MIN_NOTIONAL", none).notional) or ZERO,
        status=binance.STATUSES.get(raw.status, InstrumentStatus.HALTED))

def lasting(symbol: str) -> bool:
    """An account may hold contracts that have an end as well: their symbols have its day."""
    return "_" not in symbol

def apart(command: ask.Cancel | ask.Replace | ask.GetOrder) -> bool:
    """Whether an order is kept apart, for all we know: it has not triggered."""
    order = command.order
    stop = order.request.type in STOPS and not order.venue_order_id
    return stop and not (isinstance(command, ask.GetOrder) and command.closed)

def report_algo(raw: shapes.OrderShape, time: int = 0) -> OrderReport:
    said = parse.report(raw, WORDS, time)
    if raw.status == "FINISHED" and said.filled_quantity == said.quantity:
        said = replace(said, status=OrderStatus.FILLED)
    return said if said.filled_quantity else replace(said, filled_quantity=None)

def parse_placed(raw: Raw, command: ask.Place, scope: Scope) -> ask.Reports:
    if command.request.type in STOPS:
        return [report_algo(decode_algo(raw))]
    return [parse.report(decode_order(raw), WORDS)]

def parse_many_placed(
    raw: list[Raw], command: ask.PlaceOrders, scope: Scope
) -> list[ask.Reports | Failure]:
    """Each by itself, in their order."""
    return [
        binance.parse_failure(row) if b'"code"' in bytes(row)
        else [parse.report(decode_order(row), WORDS)] for row in raw]

def parse_canceled(raw: Raw, command: ask.Cancel, scope: Scope) -> ask.Reports:
    """Of what waited, an older form of the reply says that it was done, and no more."""
    if not apart(command):
        return [parse.report(decode_order(raw), WORDS)]
    said = decode_algo(raw)
    said.status = said.status or "CANCELED"
    return [report_algo(said)]

def parse_all_canceled(raw: RawDone, command: ask.CancelAll, scope: Scope) -> ask.Reports:
    """Which ones, the stream tells."""
    if str(raw.code) != "200":
        raise ValueError("neither done nor refused")
    return []

def parse_changed(raw: Raw, command: ask.Replace, scope: Scope) -> ask.Reports:
    return [parse.report(decode_order(raw), WORDS)]

def parse_order(raw: Raw, command: ask.GetOrder, scope: Scope) -> OrderReport:
    if apart(command):
        return report_algo(decode_algo(raw))
    return parse.report(decode_order(raw), WORDS)

def next_order(command: ask.GetOrder, said: OrderReport | None) -> ask.GetOrder | None:
    """What has triggered is known better as the order that it became."""
    if not apart(command) or (said is not None and not said.venue_order_id):
        return None
    name = said.venue_order_id if said is not None else ""
    return replace(command, order=replace(command.order, venue_order_id=name), closed=True)

def parse_open_orders(
    raw: list[Raw], command: ask.ListOpenOrders, scope: Scope
) -> list[Order]:
    """What has triggered is among the orders of the book; what closes a position, whatever it is
    then, has no quantity that could be kept."""
    found = [(decode_algo if command.cursor else decode_order)(row) for row in raw]
    return [
        parse.order(row, WORDS, scope) for row in found if lasting(row.symbol)
        and not (command.cursor and (row.venue_order_id or not positive(row.quantity)))]

def parse_balances(
    raw: list[RawBalance], command: ask.GetBalances, scope: Scope
) -> list[Balance]:
    """Where all assets are margin, more of one may be available than there is of it."""
    found = []
    for row in raw:
        total = number(row.balance)
        available = min(max(number(row.availableBalance), ZERO), max(total, ZERO))
        found.append(Balance(
            scope.account, scope.venue, scope.asset(row.asset), total, available,
            update_time=milliseconds(row.updateTime)))
    return found

def parse_positions(
    raw: list[shapes.PositionShape], command: ask.GetPositions, scope: Scope
) -> list[Position]:
    """Only what is isolated has a margin of its own."""
    return [
        replace(parse.position(row, WORDS, scope), margin_mode=MarginMode.ISOLATED
                if positive(row.isolated_margin) else MarginMode.CROSS)
        for row in raw if lasting(row.symbol)]

def parse_payments(
    raw: list[RawPayment], command: ask.ListFundingPayments, scope: Scope
) -> list[FundingPayment]:
    """The rate is not told."""
    return [
        FundingPayment(
            scope.account, scope.venue, instrument.id,
            f"{bytes(row.tranId).decode().strip(chr(34))} {row.symbol}", number(row.income),
            row.asset, None, milliseconds(row.time))
        for row in raw if row.incomeType == "FUNDING_FEE"
        and (instrument := parse.listed(row.symbol, scope))]

def parse_execution(payload: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    raw = decode_execution(order_of(payload))
    if not lasting(raw.symbol):
        return
    yield parse.report(raw, WORDS)
    if raw.trade_id and positive(raw.trade_quantity):
        yield parse.execution(raw, WORDS, scope)

def parse_algo_update(payload: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    """What becomes of one that has triggered, the order that it became tells."""
    raw = decode_algo_update(order_of(payload))
    if raw.status != "FINISHED":
        yield parse.report(raw, WORDS, milliseconds(time_of(payload)))

def parse_account(payload: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    """The event does not say what is available, nor for which position funding was paid."""
    raw = decode_account(payload)
    time = milliseconds(raw.T)
    for row in map(decode_position, raw.a.P):
        if lasting(row.symbol):
            yield replace(parse.position(row, WORDS, scope), update_time=time)
    if raw.a.B:
        yield Ask(ask.GetBalances())
    if raw.a.m == "FUNDING_FEE":
        yield Ask(ask.ListFundingPayments(time - 60 * SECOND))

def parse_key(raw: binance.RawKey, command: Any, scope: Scope) -> KeyPermissions:
    return KeyPermissions(raw.enableFutures, raw.enableWithdrawals, raw.ipRestrict)

# -- encoders --------------------------------------------------------------------------------------

def encode_place(command: ask.Place) -> dict[str, Any]:
    request = command.request
    stop, limit = request.type in STOPS, request.type in LIMITS
    params = {
        **symbol_of(command), "side": request.side.name,
        "positionSide": None if command.position is PositionSide.NET else command.position.name,
        "algoType": "CONDITIONAL" if stop else None, "type": TYPES[request.type],
        "timeInForce": TIMES[request.time_in_force] if limit else None,
        "quantity": text(request.quantity),
        "price": text(request.price) if limit and request.price is not None else None,
        "triggerPrice": None if request.trigger_price is None else text(request.trigger_price),
        # In hedge mode the position's side says it already.
        "reduceOnly": "true" if request.reduce_only and command.position is PositionSide.NET
        else None,
        "clientAlgoId" if stop else "newClientOrderId": request.client_order_id,
        "newOrderRespType": "RESULT"}
    return given(params)

def encode_named(command: Any) -> dict[str, Any]:
    if apart(command):
        return {"clientAlgoId": command.order.client_order_id}
    return binance.encode_cancel(command)

def place_path(command: ask.Place) -> str:
    return "/fapi/v1/algoOrder" if command.request.type in STOPS else "/fapi/v1/order"

def order_path(command: Any) -> str:
    return "/fapi/v1/algoOrder" if apart(command) else "/fapi/v1/order"

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    """In place. The quantity counts what is filled."""
    if apart(command):
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            "Binance changes no order that waits for its trigger: cancel it and place another",
            {"venue": command.instrument.venue})
    return {**encode_named(command), "side": command.order.request.side.name,
            "quantity": text(command.quantity), "price": text(command.price)}

def encode_fills(command: ask.ListFills) -> dict[str, Any]:
    """By time, in windows of a week, until there is a trade, and from there on by trade id."""
    by_id = {"fromId": command.cursor} if command.cursor else {}
    return {**symbol_of(command), **(by_id or SPANS.of(command)), "limit": PAGE}

def next_fills(command: ask.ListFills, page: Sequence[Fill]) -> ask.ListFills | None:
    if page and (len(page) == PAGE or not command.cursor):
        return replace(command, cursor=str(int(page[-1].trade_id) + 1))
    return None if command.cursor else SPANS.later(command)

def encode_payments(command: ask.ListFundingPayments) -> dict[str, Any]:
    return {"incomeType": "FUNDING_FEE", "startTime": command.since // MILLISECOND, "limit": PAGE,
            **({"page": command.cursor} if command.cursor else {})}

def next_payments(
    command: ask.ListFundingPayments, page: Sequence[FundingPayment]
) -> ask.ListFundingPayments | None:
    return replace(command, cursor=str(int(command.cursor or 1) + 1)) if len(page) == PAGE else None

# -- streams ---------------------------------------------------------------------------------------

def route_account(frame: bytes) -> Iterable[Routed]:
    raw = decode_frame(frame)
    kind, event = (raw.e, Raw(frame)) if raw.e else (binance.kind_of(raw.data), raw.data)
    return (Restart("the listen key expired") if kind == "listenKeyExpired" else (kind, event),)

def write_order(
    word: str, command: Any, params: Mapping[str, Any], session: Session
) -> Outgoing:
    """What waits for its trigger has words of its own."""
    stop = command.request.type in STOPS if isinstance(command, ask.Place) else apart(command)
    return binance.write_order(f"algoOrder.{word}" if stop else f"order.{word}",
                               command, params, session)

def verdict(message: BookMessage, sequence: int, first: bool) -> spec.Verdict:
    """Each message names the one before; the first after a snapshot only has to hold its number."""
    if message.previous == sequence or (first and message.first <= sequence <= message.last):
        return spec.Verdict.APPLY
    return spec.Verdict.OLD if message.last <= sequence else spec.Verdict.GAP

# -- tables ----------------------------------------------------------------------------------------

POOLS = (  # of an address: weight; of an account: new and changed orders
    Pool("weight", 2400, 60 * SECOND), Pool("orders_10s", 300, 10 * SECOND, account=True),
    Pool("orders_1m", 1200, 60 * SECOND, account=True), Pool("sapi", 12_000, 60 * SECOND))
USAGE = {
    "x-mbx-used-weight-1m": "weight", "x-mbx-order-count-10s": "orders_10s",
    "x-mbx-order-count-1m": "orders_1m", "x-sapi-used-ip-weight-1m": "sapi"}

def usage(headers: Mapping[str, str]) -> dict[str, int]:
    return {USAGE[n]: int(v) for n, v in headers.items() if n in USAGE and v.isdecimal()}

def weight(amount: int, orders: int = 0) -> dict[str, int]:
    return {"weight": amount, "orders_10s": orders, "orders_1m": orders}

def depth(command: ask.GetBook) -> int:
    return next((depth for depth in DEPTHS if depth >= command.depth), max(DEPTHS))

def ticker_path(command: ask.GetTicker) -> str:
    return f"/fapi/v1/ticker/{command.part or '24hr'}"

def parse_ticker(raw: Raw, command: ask.GetTicker, scope: Scope) -> Ticker:
    return parse.ticker((decode_best if command.part else decode_statistics)(raw), WORDS,
                        command.instrument)

def next_part(part: str) -> Any:
    """The command for what another call tells, after the first."""
    return lambda command, told: None if command.part else replace(command, part=part)

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: Operation(
        "GET", "/fapi/v1/time", Raw,
        lambda raw, command, scope: milliseconds(binance.time_of(raw)), cost=weight(1)),
    ask.ListInstruments: Operation(
        "GET", "/fapi/v1/exchangeInfo", RawExchangeInfo, lambda raw, command, scope: [
            parse_instrument(s, scope.venue) for s in raw.symbols if s.contractType in CONTRACTS],
        cost=weight(1)),
    ask.GetBook: Operation(
        "GET", "/fapi/v1/depth", binance.RawBook, readers.book,
        lambda command: {**symbol_of(command), "limit": depth(command)},
        lambda command: weight(DEPTHS[depth(command)])),
    ask.GetTicker: Operation(
        "GET", ticker_path, Raw, parse_ticker, symbol_of, weight(2), more=next_part("bookTicker")),
    ask.GetTrades: Operation(
        "GET", "/fapi/v1/aggTrades", list_of(RawTrade), readers.trades(WORDS),
        lambda command: {**symbol_of(command), "limit": min(command.limit, PAGE)}, weight(20)),
    ask.GetCandles: Operation(
        "GET", "/fapi/v1/klines", list_of(binance.RawCandle), readers.candles(WORDS),
        binance.encode_candles,
        lambda command: weight(1 if command.limit < 100 else 2 if command.limit < 500 else 5)),
    ask.GetFunding: Operation(
        "GET", lambda command: f"/fapi/v1/{command.part or 'premiumIndex'}", RawFunding,
        readers.funding(WORDS), symbol_of, weight(1), more=next_part("openInterest")),
    ask.GetToken: Operation(
        "POST", "/fapi/v1/listenKey", holding("listenKey", str),
        lambda raw, command, scope: raw.value, cost=weight(1), signed=True, signer=KEY),
    ask.KeepToken: Operation(
        "PUT", "/fapi/v1/listenKey", dict, readers.nothing, cost=weight(1),
        signed=True, signer=KEY),
    ask.Place: Operation(
        "POST", place_path, Raw, parse_placed, encode_place, weight(0, orders=1), signed=True),
    ask.PlaceOrders: Operation(
        "POST", "/fapi/v1/batchOrders", list[Raw], parse_many_placed,
        lambda command: {
            "batchOrders": encode([encode_place(order) for order in command.orders]).decode()},
        {"weight": 5, "orders_10s": 5, "orders_1m": 1}, signed=True),
    ask.Cancel: Operation(
        "DELETE", order_path, Raw, parse_canceled, encode_named, weight(1), signed=True),
    ask.CancelAll: Operation(
        "DELETE", lambda command: f"/fapi/v1/{command.part or 'allOpenOrders'}", RawDone,
        parse_all_canceled, symbol_of, weight(1), signed=True, more=next_part("algoOpenOrders")),
    ask.CancelAfter: Operation(
        "POST", "/fapi/v1/countdownCancelAll", dict, readers.nothing,
        lambda command: {**symbol_of(command), "countdownTime": command.timeout // MILLISECOND},
        weight(10), signed=True),
    ask.Replace: Operation(
        "PUT", "/fapi/v1/order", Raw, parse_changed, encode_replace, weight(1, orders=1),
        signed=True),
    ask.GetOrder: Operation(
        "GET", order_path, Raw, parse_order, encode_named, weight(1), signed=True,
        more=next_order, better=next_order),
    ask.ListOpenOrders: Operation(
        "GET", lambda command: f"/fapi/v1/{command.cursor or 'openOrders'}", list[Raw],
        parse_open_orders, lambda command: symbol_of(command) if command.instrument else {},
        lambda command: weight(1 if command.instrument else 40), signed=True,
        more=lambda command, page: None if command.cursor else replace(
            command, cursor="openAlgoOrders")),
    ask.ListFills: Operation(
        "GET", "/fapi/v1/userTrades", list_of(RawFill), readers.fills(WORDS), encode_fills,
        weight(5), signed=True, more=next_fills),
    ask.GetBalances: Operation(
        "GET", "/fapi/v3/balance", list[RawBalance], parse_balances, cost=weight(5), signed=True),
    ask.GetPositions: Operation(
        "GET", "/fapi/v3/positionRisk", list_of(RawPosition), parse_positions,
        cost=weight(5), signed=True),
    ask.ListFundingPayments: Operation(
        "GET", "/fapi/v1/income", list[RawPayment], parse_payments, encode_payments, weight(30),
        signed=True, more=next_payments),
    ask.GetFees: Operation(
        "GET", "/fapi/v1/commissionRate", RawFees, readers.fees, symbol_of, weight(20),
        signed=True),
    ask.GetKeyPermissions: replace(  # of the key, whatever it trades: at the spot product's host
        binance.OPERATIONS[ask.GetKeyPermissions], parse=parse_key, host="wallet"),
    ask.SetLeverage: Operation(
        "POST", "/fapi/v1/leverage", dict, readers.nothing,
        lambda command: {**symbol_of(command), "leverage": text(command.leverage)}, weight(1),
        signed=True),
    ask.SetMarginMode: Operation(
        "POST", "/fapi/v1/marginType", dict, readers.nothing,
        lambda command: {**symbol_of(command), "marginType": MARGINS[command.mode]}, weight(1),
        signed=True, already=frozenset({"-4046"})),
    ask.SetPositionMode: Operation(
        "POST", "/fapi/v1/positionSide/dual", dict, readers.nothing,
        lambda command: {
            "dualSidePosition": "true" if command.mode is PositionMode.HEDGE else "false"},
        weight(1), signed=True, already=frozenset({"-4059"})),
    ask.GetPositionMode: Operation(
        "GET", "/fapi/v1/positionSide/dual", RawMode, lambda raw, command, scope:
            PositionMode.HEDGE if raw.dualSidePosition else PositionMode.ONE_WAY,
        cost=weight(30), signed=True),
}
CHANNELS = {
    Channel.BOOK: spec.ChannelSpec(
        topics(lambda interval: [("depth@100ms", readers.book_stream(decode_depth))]),
        book=spec.BookRule(spec.Start.REST, verdict, depth=1000)),
    Channel.TRADES: spec.ChannelSpec(
        topics(lambda interval: [("aggTrade", readers.trade_stream(decode_trade, WORDS))]),
        stream="market"),
    Channel.TICKER: spec.ChannelSpec(
        topics(lambda interval: [
            ("ticker", readers.ticker_stream(binance.decode_statistics, WORDS))]),
        stream="market", beside={"public": topics(lambda interval: [
            ("bookTicker", readers.ticker_stream(decode_quote, WORDS))])}),
    Channel.CANDLES: replace(binance.CHANNELS[Channel.CANDLES], stream="market"),
    Channel.FUNDING: spec.ChannelSpec(
        topics(lambda interval: [
            ("markPrice@1s", readers.funding_stream(decode_funding, WORDS))]), stream="market"),
}
PUBLIC = spec.StreamSpec(  # ten of our frames a second; 1024 topics would be allowed
    host="stream", path="/public/stream", route=binance.route_market, subscribe=write("SUBSCRIBE"),
    unsubscribe=write("UNSUBSCRIBE"), frame_interval=SECOND // 5)
PRIVATE = spec.PrivateSpec(
    spec.StreamSpec(
        host="stream", path=lambda session: f"/private/ws/{session.token}", route=route_account,
        token=ask.GetToken(), keep_token=ask.KeepToken, keep_interval=1800 * SECOND),  # of 3600
    {"ORDER_TRADE_UPDATE": parse_execution, "ALGO_UPDATE": parse_algo_update,
     "ACCOUNT_UPDATE": parse_account,
     # What these tell, others tell as well; or it is about what we do not have.
     **dict.fromkeys(
         ("TRADE_LITE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL", "STRATEGY_UPDATE", "GRID_UPDATE",
          "CONDITIONAL_ORDER_TRIGGER_REJECT"), lambda payload, scope: ())})
ENTRY = spec.OrderEntry(
    words={ask.Place: "place", ask.Cancel: "cancel", ask.Replace: "modify"}, write=write_order,
    stream=spec.StreamSpec(host="ws_api", path="/ws-fapi/v1", route=binance.route_account))
ERRORS = (
    *rules(("-1000 -1001 -1006 -1007 -1008 -1016", Reason.VENUE_UNAVAILABLE),
           # An order with our id is there already: perhaps the very one that we asked for.
           ("-4116", Reason.OUTCOME_UNKNOWN), unknown=True),
    *rules(("-1015", Reason.RATE_LIMITED), pools=("orders_10s", "orders_1m")),
    *rules(
        ("-1003", Reason.RATE_LIMITED),
        ("-1002 -1011 -1022 -1099 -1125 -2014 -2015 -2017 -4109",
         Reason.VENUE_AUTHENTICATION_FAILED),
        ("-1021", Reason.CLOCK_SKEW),
        ("-1014 -1020 -4120 -5025", Reason.UNSUPPORTED_BY_VENUE),
        ("-1121 -1122", Reason.INSTRUMENT_NOT_FOUND),
        ("-1013 -1111 -4007..-4001 -4013 -4014 -4016 -4023 -4024 -4131 -4164 -4183 -4184 -4210"
         " -4211 -5029", Reason.ORDER_RULE_BROKEN),
        ("-1199..-1100 -4015", Reason.VENUE_PROTOCOL_ERROR),  # it does not read what we wrote
        ("-2018 -2019 -2028 -4050 -4051", Reason.INSUFFICIENT_BALANCE),
        ("-2022 -4118", Reason.REDUCE_ONLY_WOULD_INCREASE),
        ("-5022", Reason.POST_ONLY_WOULD_TAKE),
        ("-2011", Reason.ORDER_NOT_FOUND, "unknown order"),
        ("-2013", Reason.ORDER_NOT_FOUND),
        ("-1010 -2029..-2010 -4499..-4000 -4531 -5099..-5021", Reason.ORDER_REJECTED)))
VENUE = replace(
    binance.VENUE, id="binance_perpetual", name="Binance perpetuals", kind=VenueKind.PERPETUAL,
    documentation="https://developers.binance.com/docs/derivatives/usds-margined-futures",
    hosts={
        "rest": "https://fapi.binance.com", "stream": "wss://fstream.binance.com",
        "ws_api": "wss://ws-fapi.binance.com", "wallet": "https://api.binance.com"},
    operations=OPERATIONS,
    streams={"public": PUBLIC, "market": replace(PUBLIC, path="/market/stream")},
    channels=CHANNELS, private=PRIVATE, entry=ENTRY, errors=ERRORS, pools=POOLS, usage=usage,
    intervals=INTERVALS, replaces_in_place=True, timer_by_instrument=True,
    place_batch={False: 5, True: 1}, place_group=lambda request: request.type in STOPS,
    order_types=frozenset({
        *((kind, time) for kind in LIMITS for time in TimeInForce),
        *((kind, TimeInForce.GTC) for kind in TYPES if kind not in LIMITS),
        (OrderType.MARKET, TimeInForce.IOC)}),
    standing_since="2026-09-15",
    standing_evidence="its documentation is maintained, and announces changes weeks ahead")
TESTNET = replace(
    VENUE, id="binance_perpetual_testnet", name="Binance perpetuals test network",
    operations={
        kind: one for kind, one in OPERATIONS.items() if kind is not ask.GetKeyPermissions},
    hosts={
        "rest": "https://demo-fapi.binance.com", "stream": "wss://fstream.binancefuture.com",
        "ws_api": "wss://testnet.binancefuture.com"})
VENUES = (VENUE, TESTNET)
