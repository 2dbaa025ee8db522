"""Bybit's perpetuals in USDT, and their test network: what differs from Bybit spot.

https://bybit-exchange.github.io/docs/v5/intro: V5, category "linear"; as of 2026-08. A contract is
a base unit. Positions are kept one way: an account in hedge mode can be read, not traded.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec
from cex.engine.messages import FundingChange
from cex.engine.parse import next_page
from cex.engine.shapes import shape
from cex.engine.spec import Operation, Pool, Scope, Window, rules
from cex.engine.wire import Wire, decoder, milliseconds, number, positive
from cex.venues import bybit
from cex.venues.bybit import cost, listed, symbol_of
from core.accounts import FundingPayment, Position, PositionSide
from core.clock import MILLISECOND, SECOND
from core.errors import Reason
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.money import ZERO, text
from core.orders import OrderType, TimeInForce
from core.ports import Channel, KeyPermissions, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawLot(Wire):
    qtyStep: Raw
    minOrderQty: Raw = Raw()
    maxOrderQty: Raw = Raw()
    minNotionalValue: Raw = Raw()

class RawSymbol(Wire):
    symbol: str
    contractType: str
    status: str
    baseCoin: str
    quoteCoin: str
    settleCoin: str
    lotSizeFilter: RawLot
    priceFilter: bybit.RawPrice

class RawNamed(Wire):
    symbol: str

class RawPayment(RawNamed):
    execId: str
    execFee: Raw
    feeRate: Raw
    execTime: Raw

decode_ticker = decoder(shape(shapes.TickerShape, {
    name: f"{theirs}?" for name, theirs in {
        **bybit.TICKER, "bid_price": "bid1Price", "bid_quantity": "bid1Size",
        "ask_price": "ask1Price", "ask_quantity": "ask1Size"}.items()}))
RawFunding = shape(shapes.FundingShape, {
    "rate": "fundingRate?", "next_time": "nextFundingTime?", "mark_price": "markPrice?",
    "index_price": "indexPrice?", "open_interest": "openInterest?"})
POSITION = {
    "symbol": "symbol", "side": "positionIdx", "direction": "side", "quantity": "size",
    "mark_price": "markPrice?", "liquidation_price": "liqPrice?",
    "unrealized_pnl": "unrealisedPnl?", "realized_pnl": "cumRealisedPnl?",
    "leverage": "leverage?", "margin": "positionIM?", "time": "updatedTime?"}
RawPosition = shape(shapes.PositionShape, {**POSITION, "entry_price": "avgPrice?"})
decode_position = decoder(shape(shapes.PositionShape, {**POSITION, "entry_price": "entryPrice?"}))
decode_funding = decoder(RawFunding)
decode_payment, decode_symbol = decoder(RawPayment), decoder(RawNamed)

# -- words -----------------------------------------------------------------------------------------

CATEGORY = {"category": "linear"}
SETTLED = {**CATEGORY, "settleCoin": "USDT"}  # all instruments that are ours
WORDS = replace(bybit.WORDS, position_sides={
    "0": PositionSide.NET, "1": PositionSide.LONG, "2": PositionSide.SHORT})

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawSymbol, scope: Scope) -> Instrument:
    lot = raw.lotSizeFilter
    return Instrument(
        scope.venue, f"{raw.baseCoin}-{raw.quoteCoin}-PERP", raw.symbol, InstrumentKind.PERPETUAL,
        raw.baseCoin, raw.quoteCoin, raw.settleCoin,
        price_tick=number(raw.priceFilter.tickSize), quantity_step=number(lot.qtyStep),
        min_quantity=positive(lot.minOrderQty) or ZERO,
        max_quantity=positive(lot.maxOrderQty) or ZERO,
        min_notional=positive(lot.minNotionalValue) or ZERO,
        status=bybit.STATUSES.get(raw.status, InstrumentStatus.HALTED))

def lasts(raw: RawSymbol) -> bool:
    """The list has futures with an end, and what is settled in USDC, as well."""
    return raw.contractType == "LinearPerpetual" and raw.settleCoin == "USDT"

def parse_funding(raw: Any, command: ask.GetFunding, scope: Scope) -> FundingChange:
    return parse.funding(raw.result.items[0], WORDS, milliseconds(raw.time))

def ours(raw: Any) -> bool:
    """An account may hold contracts that have an end, or are settled in USDC, as well."""
    return str(raw.symbol).endswith("USDT")

def position(raw: shapes.PositionShape, scope: Scope) -> Position:
    return parse.position(raw, WORDS, scope)

def parse_key(raw: Any, command: ask.GetKeyPermissions, scope: Scope) -> KeyPermissions:
    return bybit.read_key(
        raw.result, ("ContractTrade", "Order"), ("Derivatives", "DerivativesTrade"))

# -- encoders --------------------------------------------------------------------------------------

def encode_order(command: ask.Place) -> dict[str, Any]:
    """Every order says whether it may only reduce; a side of hedge mode is not named."""
    return {**linear_symbol(command), **bybit.encode_order(command.request),
            "reduceOnly": command.request.reduce_only}

def linear_symbol(command: Any) -> dict[str, Any]:
    return {**symbol_of(command), **CATEGORY}

def some_or_all(command: Any) -> dict[str, Any]:
    return linear_symbol(command) if command.instrument else dict(SETTLED)

def encode_leverage(command: ask.SetLeverage) -> dict[str, Any]:
    both = text(command.leverage)
    return {**linear_symbol(command), "buyLeverage": both, "sellLeverage": both}

def linear(operation: Operation[Any, Any]) -> Operation[Any, Any]:
    """The same call for the other category, where it names one."""
    def params(command: Any) -> Mapping[str, Any]:
        theirs: Any = operation.params(command)
        return {**theirs, **CATEGORY} if "category" in theirs else theirs
    return replace(operation, params=params)

# -- streams ---------------------------------------------------------------------------------------

def read_ticker(
    frame: bybit.Frame, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    told = parse.ticker(decode_ticker(frame.data), bybit.WORDS, instrument, received)
    return (replace(told, event_time=frame.ts * MILLISECOND),)

def read_funding(
    frame: bybit.Frame, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    """The ticker's topic: after the first message only what changed."""
    return (parse.funding(decode_funding(frame.data), WORDS, frame.ts * MILLISECOND),)

def rows_of(read: Any) -> Any:
    """Reads the rows of an account's frame that are of what is listed here."""
    return bybit.rows_of(
        "linear", lambda row, scope: read(row, scope) if ours(decode_symbol(row)) else ())

def read_execution(row: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    """A trade, or a funding payment: its "fee" is what was paid."""
    if bybit.kind_of(row) != "Funding":
        return bybit.read_execution(row, scope)
    raw = decode_payment(row)
    instrument = scope.instrument(raw.symbol)
    return (FundingPayment(
        scope.account, scope.venue, instrument.id, raw.execId, -number(raw.execFee),
        instrument.settle, number(raw.feeRate), milliseconds(raw.execTime)),)

def read_position(row: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    return (position(decode_position(row), scope),)

# -- tables ----------------------------------------------------------------------------------------

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    **{kind: linear(operation) for kind, operation in bybit.OPERATIONS.items()},
    ask.ListInstruments: replace(
        linear(bybit.OPERATIONS[ask.ListInstruments]), reply=listed(RawSymbol),
        parse=bybit.pages(parse_instrument, lasts)),
    ask.GetBook: replace(
        bybit.OPERATIONS[ask.GetBook],
        params=lambda command: {
            **linear_symbol(command), "limit": min(max(command.depth, 1), 500)}),
    ask.GetTrades: replace(
        bybit.OPERATIONS[ask.GetTrades],
        params=lambda command: {**linear_symbol(command), "limit": min(command.limit, 1000)}),
    ask.GetFunding: Operation(
        "GET", "/v5/market/tickers", listed(RawFunding), parse_funding, linear_symbol, cost()),
    ask.Place: replace(bybit.OPERATIONS[ask.Place], params=encode_order),
    ask.PlaceOrders: replace(
        bybit.OPERATIONS[ask.PlaceOrders], params=bybit.encode_many(encode_order, "linear")),
    ask.CancelAll: replace(bybit.OPERATIONS[ask.CancelAll], params=some_or_all),
    ask.ListOpenOrders: replace(
        bybit.OPERATIONS[ask.ListOpenOrders], parse=bybit.pages(bybit.order, ours),
        params=lambda command: bybit.paged({**some_or_all(command), "limit": 50}, command)),
    ask.GetKeyPermissions: replace(bybit.OPERATIONS[ask.GetKeyPermissions], parse=parse_key),
    ask.GetPositions: Operation(
        "GET", "/v5/position/list", listed(RawPosition), bybit.pages(position, ours),
        lambda command: bybit.paged({**SETTLED, "limit": 200}, command), cost("positions"),
        signed=True, more=next_page),
    ask.SetLeverage: Operation(
        "POST", "/v5/position/set-leverage", bybit.reply_of(dict), readers.nothing, encode_leverage,
        cost("leverage"), signed=True, already=frozenset({"110043"})),
}
STREAM = replace(bybit.STREAM, path="/v5/public/linear")
CHANNELS = {
    **bybit.CHANNELS,
    Channel.TICKER: spec.ChannelSpec(bybit.topics(lambda interval: [("tickers", read_ticker)])),
    # The same topic once more: on a connection of its own.
    Channel.FUNDING: spec.ChannelSpec(
        bybit.topics(lambda interval: [("tickers", read_funding)]), stream="funding"),
}
PRIVATE = replace(bybit.PRIVATE, topics={
    **bybit.PRIVATE.topics, "order": rows_of(bybit.read_order),
    "execution": rows_of(read_execution), "position": rows_of(read_position)})
LIMITS = {"create": 10, "create_batch": 10, "cancel": 10, "cancel_all": 10}
POOLS = (
    *(replace(pool, limit=LIMITS.get(pool.name, pool.limit)) for pool in bybit.POOLS),
    *(Pool(name, limit, SECOND, account=True, window=Window.ROLLING)
      for name, limit in (("positions", 50), ("leverage", 10))))
ERRORS = (
    *bybit.COMMON,
    # An order with our id is there already: perhaps the very one that we asked for.
    *rules(("110030 110072", Reason.OUTCOME_UNKNOWN), unknown=True),
    *rules(
        ("110004 110006 110007 110012 110044 110045 110051 110052 110053",
         Reason.INSUFFICIENT_BALANCE),
        ("110001", Reason.ORDER_NOT_FOUND),
        ("110008 110010", Reason.ORDER_FINAL),
        ("110017", Reason.REDUCE_ONLY_WOULD_INCREASE),
        ("110003 110016 110021 110094", Reason.ORDER_RULE_BROKEN),
        ("110009 110011 110013 110020 110022 110023 110036 110038 110040 110063 110066 110092"
         " 110093", Reason.ORDER_REJECTED)))
VENUE = replace(
    bybit.VENUE, id="bybit_perpetual", name="Bybit perpetuals", kind=VenueKind.PERPETUAL,
    operations=OPERATIONS, streams={"public": STREAM, "funding": STREAM}, channels=CHANNELS,
    private=PRIVATE, errors=ERRORS, pools=POOLS, place_batch=20,
    order_types=frozenset({
        *((kind, time) for kind in
          (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
          for time in bybit.TIMES),
        (OrderType.MARKET, TimeInForce.GTC), (OrderType.MARKET, TimeInForce.IOC),
        (OrderType.STOP_MARKET, TimeInForce.GTC), (OrderType.TAKE_PROFIT_MARKET, TimeInForce.GTC)}))
TESTNET = replace(
    VENUE, id="bybit_perpetual_testnet", name="Bybit perpetuals test network",
    hosts=bybit.TESTNET.hosts)
VENUES = (VENUE, TESTNET)
