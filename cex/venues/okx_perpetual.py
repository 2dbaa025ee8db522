"""OKX's perpetual swaps that are margined in what they are quoted in, and their demo network: what
differs from OKX spot.

https://www.okx.com/docs-v5/en: instrument type "SWAP"; as of 2026-09. The venue counts contracts;
here quantities are base units. The margin mode is each order's, so that the engine remembers it.
Swaps that are margined in their base are left out: their contracts are of quote units, which are
no fixed number of base units.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, readers, shapes, spec
from cex.engine.contracts import (
    in_base,
    in_contracts,
    reply_in_base,
    rows_in_base,
    stream_in_base,
)
from cex.engine.messages import Ask, BookMessage, FundingChange
from cex.engine.parse import Page, next_page
from cex.engine.shapes import shape
from cex.engine.spec import Operation, Scope, rules
from cex.engine.wire import (
    Level,
    Wire,
    decoder,
    list_of,
    lookup,
    milliseconds,
    number,
    optional,
    positive,
)
from cex.venues import okx
from cex.venues.okx import linear, listed, pool, symbol_of
from core.accounts import Balance, FundingPayment, MarginMode, Position, PositionMode, PositionSide
from core.clock import MILLISECOND, SECOND
from core.errors import Reason
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.market import Ticker
from core.money import ZERO, text
from core.orders import Order
from core.ports import Channel, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawInstrument(Wire):
    instId: str
    uly: str
    ctType: str
    ctVal: Raw
    ctMult: Raw
    settleCcy: str
    tickSz: Raw
    lotSz: Raw
    minSz: Raw
    maxLmtSz: Raw
    state: str
    instFamily: str = ""
    instIdCode: int | None = None

class RawDetail(Wire):
    ccy: str
    cashBal: Raw
    availBal: Raw
    availEq: Raw = Raw()
    uTime: Raw = Raw()

class RawAccount(Wire):
    details: list[RawDetail]

class RawEvent(Wire):
    eventType: str
    pTime: Raw

class RawPayment(Wire):
    billId: str
    type: str
    instId: str
    ccy: str
    ts: Raw
    pnl: Raw = Raw()
    balChg: Raw = Raw()
    posBalChg: Raw = Raw()

class RawConfig(Wire):
    posMode: str

class RawFees(okx.RawFees):
    makerU: Raw = Raw()
    takerU: Raw = Raw()
    makerUSDC: Raw = Raw()
    takerUSDC: Raw = Raw()

RawFunding = shape(shapes.FundingShape, {  # of several calls, or topics
    "rate": "fundingRate?", "next_time": "fundingTime?", "mark_price": "markPx?",
    "index_price": "idxPx?", "open_interest": "oi?", "time": "ts?"})
RawPosition = shape(shapes.PositionShape, {
    "symbol": "instId", "side": "posSide", "quantity": "pos", "margin_mode": "mgnMode",
    "entry_price": "avgPx?", "mark_price": "markPx?", "liquidation_price": "liqPx?",
    "unrealized_pnl": "upl?", "realized_pnl": "realizedPnl?", "leverage": "lever?",
    "margin": "imr?", "isolated_margin": "margin?", "time": "uTime?"})
decode_fundings, decode_positions = decoder(list_of(RawFunding)), decoder(list_of(RawPosition))
decode_accounts, decode_events = decoder(list[RawAccount]), decoder(list[RawEvent])

# -- words -----------------------------------------------------------------------------------------

KIND = {"instType": "SWAP"}
WORDS = replace(
    okx.WORDS,
    position_sides={
        "net": PositionSide.NET, "long": PositionSide.LONG, "short": PositionSide.SHORT},
    margin_modes={"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED})
SIDE_WORDS = {side: word for word, side in WORDS.position_sides.items()}
MARGIN_WORDS = {mode: word for word, mode in WORDS.margin_modes.items()}
MODES = {"net_mode": PositionMode.ONE_WAY, "long_short_mode": PositionMode.HEDGE}
MODE_WORDS = {mode: word for word, mode in MODES.items()}
FUNDING_FEE = "8"
WEEK = 7 * okx.DAY
PARTS = {  # of what funding is told: each call and the next
    "": "mark-price", "mark-price": "index-tickers", "index-tickers": "open-interest"}

# -- parsers ---------------------------------------------------------------------------------------

def parse_instrument(raw: RawInstrument, venue: str) -> Instrument:
    """Several kinds may have one underlying: their family tells them apart."""
    base, _, quote = raw.uly.partition("-")
    size = number(raw.ctVal) * number(raw.ctMult)
    return Instrument(
        venue, f"{raw.instFamily or raw.uly}-PERP", raw.instId, InstrumentKind.PERPETUAL, base,
        quote, raw.settleCcy, price_tick=number(raw.tickSz), quantity_step=number(raw.lotSz) * size,
        min_quantity=(positive(raw.minSz) or ZERO) * size,
        max_quantity=(positive(raw.maxLmtSz) or ZERO) * size, contract_size=size,
        # A state that is new to us must not open a market.
        status=InstrumentStatus.TRADING if raw.state == "live" else InstrumentStatus.HALTED,
        venue_code="" if raw.instIdCode is None else str(raw.instIdCode))

def parse_instruments(
    raw: list[RawInstrument], command: ask.ListInstruments, scope: Scope
) -> list[Instrument]:
    """What is only announced may have no tick yet."""
    return [
        parse_instrument(row, scope.venue) for row in raw if row.ctType == "linear"
        and (row.state == "live" or (optional(row.tickSz) and optional(row.ctVal)))]

def positions(raw: Iterable[shapes.PositionShape], scope: Scope) -> list[Position]:
    return [
        in_base(parse.position(row, WORDS, scope), scope.instrument(row.symbol).contract_size)
        for row in raw if linear(row.symbol)]

def balances(raw: RawAccount, scope: Scope) -> Iterable[Balance]:
    """Profits that are not taken count as available there, and are no money yet."""
    for row in raw.details:
        total, free = number(row.cashBal), optional(row.availEq)
        available = number(row.availBal) if free is None else free
        yield Balance(
            scope.account, scope.venue, scope.asset(row.ccy), total,
            min(max(available, ZERO), max(total, ZERO)), update_time=milliseconds(row.uTime))

def parse_open_orders(raw: list[Raw], command: ask.ListOpenOrders, scope: Scope) -> Page[Order]:
    page = okx.parse_open_orders(raw, command, scope)
    page[:] = [in_base(order, size_of(order.request.instrument, scope)) for order in page]
    return page

def size_of(id: str, scope: Scope) -> Decimal:
    return scope.instrument(f"{id.removesuffix('PERP')}SWAP").contract_size

def parse_payments(
    raw: list[RawPayment], command: ask.ListFundingPayments, scope: Scope
) -> Page[FundingPayment]:
    """With isolated margin it is the position's balance that changes. The rate is not told."""
    found = [
        FundingPayment(
            scope.account, scope.venue, instrument.id, row.billId,
            optional(row.pnl) or (optional(row.balChg) or ZERO) + (optional(row.posBalChg) or ZERO),
            row.ccy, None, milliseconds(row.ts))
        for row in reversed(raw) if row.type == FUNDING_FEE and linear(row.instId)
        and (instrument := parse.listed(row.instId, scope))]
    return Page(found, raw[-1].billId if len(raw) == okx.PAGE else "")

def parse_fees(raw: RawFees, command: ask.GetFees, scope: Scope) -> Any:
    """Of what is told of several kinds, the dearest."""
    kinds = [okx.RawRates(raw.makerU, raw.takerU), okx.RawRates(raw.makerUSDC, raw.takerUSDC)]
    raw.feeGroup = [*raw.feeGroup, *kinds]
    return okx.parse_fees(raw, command, scope)

def parse_execution(payload: okx.Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    for raw in okx.decode_executions(payload.data):
        if not linear(raw.symbol):
            continue
        size = scope.instrument(raw.symbol).contract_size
        yield in_base(parse.report(raw, okx.WORDS), size)
        if raw.trade_id and positive(raw.trade_quantity):
            yield in_base(parse.execution(raw, okx.WORDS, scope), size)

def parse_algos(payload: okx.Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    return [
        in_base(okx.algo_report(raw), scope.instrument(raw.instId).contract_size)
        for raw in okx.decode_algos(payload.data) if linear(raw.instId)]

def parse_positions(payload: okx.Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    return positions(decode_positions(payload.data), scope)

def parse_account(payload: okx.Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    for raw in decode_accounts(payload.data):
        yield from balances(raw, scope)

def parse_events(payload: okx.Frame, scope: Scope) -> Iterable[spec.AccountValue]:
    """That funding was paid is told, for what is not."""
    for raw in decode_events(payload.data):
        if raw.eventType == "funding_fee":
            yield Ask(ask.ListFundingPayments(milliseconds(raw.pTime) - 60 * SECOND))

# -- encoders --------------------------------------------------------------------------------------

def encode_place(command: ask.Place) -> dict[str, Any]:
    request = command.request
    counted = replace(request, quantity=in_contracts(request.quantity, command.instrument))
    params = okx.encode_place(replace(command, request=counted))
    params.pop("tgtCcy", None)
    params["tdMode"] = MARGIN_WORDS[command.margin]
    if command.position is not PositionSide.NET:
        return {**params, "posSide": SIDE_WORDS[command.position]}
    return {**params, "reduceOnly": True} if request.reduce_only else params

def encode_replace(command: ask.Replace) -> dict[str, Any]:
    quantity = in_contracts(command.quantity, command.instrument)
    return okx.encode_replace(replace(command, quantity=quantity))

def encode_funding(command: ask.GetFunding) -> dict[str, Any]:
    if command.part == "index-tickers":
        return {"instId": index_of(command.instrument)}
    return {**(KIND if command.part else {}), **symbol_of(command)}

def index_of(instrument: Instrument) -> str:
    return f"{instrument.base}-{instrument.quote}"

def funding_path(command: ask.GetFunding) -> str:
    where = "market" if command.part == "index-tickers" else "public"
    return f"/api/v5/{where}/{command.part or 'funding-rate'}"

def next_part(command: ask.GetFunding, told: FundingChange) -> ask.GetFunding | None:
    following = PARTS.get(command.part)
    return replace(command, part=following) if following else None

def encode_leverage(command: ask.SetLeverage) -> dict[str, Any]:
    side = {} if command.position is PositionSide.NET else {"posSide": SIDE_WORDS[command.position]}
    return {**symbol_of(command), "lever": text(command.leverage),
            "mgnMode": MARGIN_WORDS[command.margin], **side}

def encode_payments(command: ask.ListFundingPayments) -> dict[str, Any]:
    return {**KIND, "type": FUNDING_FEE, "begin": command.since // MILLISECOND,
            **({"after": command.cursor} if command.cursor else {}), "limit": okx.PAGE}

def payments_path(command: ask.ListFundingPayments) -> str:
    old = command.now - command.since > WEEK - okx.DAY  # a week is kept
    return f"/api/v5/account/bills{'-archive' if command.now and old else ''}"

def swap(operation: Operation[Any, Any]) -> Operation[Any, Any]:
    """The same call for this kind of instrument, where it names one."""
    def params(command: Any) -> Any:
        theirs: Any = operation.params(command)
        return {**theirs, **KIND} if "instType" in theirs else theirs
    return replace(operation, params=params)

def counted(operation: Operation[Any, Any]) -> Operation[Any, Any]:
    """The same, where the reply counts contracts."""
    return replace(swap(operation), parse=reply_in_base(operation.parse))

# -- streams ---------------------------------------------------------------------------------------

def read_funding(payload: okx.Frame, instrument: Instrument, received: int) -> Iterable[Any]:
    return [in_base(parse.funding(raw, WORDS), instrument.contract_size)
            for raw in decode_fundings(payload.data)]

def funding_topics(instrument: Instrument, interval: int) -> dict[str, Any]:
    symbol = instrument.venue_symbol
    return dict.fromkeys(
        (f"funding-rate:{symbol}", f"mark-price:{symbol}", f"open-interest:{symbol}",
         f"index-tickers:{index_of(instrument)}"), read_funding)

def each_counted(of: spec.TopicsOf) -> spec.TopicsOf:
    """Topics that count contracts."""
    return lambda instrument, interval: {
        topic: stream_in_base(parser) for topic, parser in of(instrument, interval).items()}

def read_books(
    payload: okx.BookFrame, instrument: Instrument, received: int
) -> Iterable[BookMessage]:
    size, whole = instrument.contract_size, payload.action == "snapshot"
    def rows(levels: list[Level]) -> list[tuple[str, str]]:
        return rows_in_base(levels, size)
    return [okx.parse_book(raw, whole, rows) for raw in payload.data]

def read_tickers(payload: okx.Frame, instrument: Instrument, received: int) -> Iterable[Ticker]:
    return [untold(parse.ticker(raw, okx.WORDS, instrument, received))
            for raw in okx.decode_tickers(payload.data)]

def untold(told: Ticker) -> Ticker:
    """What is the volume in quote for spot, is in base here."""
    return replace(told, quote_volume=None)

def checksum_for(instrument: Instrument) -> Callable[[Any], int]:
    """Of contracts, as they sent them."""
    return lambda book: okx.checksum(book, instrument.contract_size)

# -- tables ----------------------------------------------------------------------------------------

SPOT = okx.OPERATIONS
OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    **{kind: swap(operation) for kind, operation in SPOT.items()},
    ask.ListInstruments: replace(
        swap(SPOT[ask.ListInstruments]), reply=listed(RawInstrument),
        parse=readers.held(parse_instruments)),
    **{kind: counted(SPOT[kind]) for kind in (
        ask.GetBook, ask.GetTrades, ask.GetCandles, ask.GetOrder, ask.ListFills)},
    ask.GetTicker: replace(SPOT[ask.GetTicker], parse=reply_in_base(
        lambda raw, command, scope: untold(SPOT[ask.GetTicker].parse(raw, command, scope)))),
    ask.GetFunding: Operation(
        "GET", funding_path, listed(RawFunding),
        reply_in_base(readers.held(readers.first(readers.funding(WORDS)))), encode_funding,
        lambda command: {command.part or "funding-rate": 1}, more=next_part),
    ask.Place: replace(SPOT[ask.Place], params=encode_place),
    ask.PlaceOrders: replace(
        SPOT[ask.PlaceOrders], params=lambda command: [encode_place(o) for o in command.orders]),
    ask.Replace: replace(SPOT[ask.Replace], params=encode_replace),
    ask.ListOpenOrders: replace(
        swap(SPOT[ask.ListOpenOrders]), parse=readers.held(parse_open_orders)),
    ask.GetBalances: replace(
        SPOT[ask.GetBalances], reply=listed(RawAccount), parse=readers.held(readers.first(
            lambda raw, command, scope: list(balances(raw, scope))))),
    ask.GetPositions: Operation(
        "GET", "/api/v5/account/positions", listed(RawPosition),
        readers.held(lambda raw, command, scope: positions(raw, scope)),
        lambda command: dict(KIND), {"positions": 1}, signed=True),
    ask.ListFundingPayments: Operation(
        "GET", payments_path, listed(RawPayment), readers.held(parse_payments), encode_payments,
        lambda command: {"old_bills" if "archive" in payments_path(command) else "bills": 1},
        signed=True, more=next_page),
    ask.GetFees: replace(
        SPOT[ask.GetFees], reply=listed(RawFees), parse=readers.held(readers.first(parse_fees)),
        params=lambda command: {
            **KIND, "instFamily": command.instrument.venue_symbol.removesuffix("-SWAP")}),
    ask.SetLeverage: Operation(
        "POST", "/api/v5/account/set-leverage", dict, readers.nothing,
        encode_leverage, {"leverage": 1}, signed=True),
    ask.SetPositionMode: Operation(
        "POST", "/api/v5/account/set-position-mode", dict, readers.nothing,
        lambda command: {"posMode": MODE_WORDS[command.mode]}, {"mode": 1}, signed=True),
    ask.GetPositionMode: Operation(
        "GET", "/api/v5/account/config", listed(RawConfig), readers.held(readers.first(
            lambda raw, command, scope: lookup(MODES, raw.posMode, "position mode"))),
        cost={"config": 1}, signed=True),
}
CHANNELS = {
    **{channel: replace(of, topics=each_counted(of.topics))
       for channel, of in okx.CHANNELS.items()},
    Channel.BOOK: spec.ChannelSpec(
        okx.topics("books", read_books),
        book=replace(okx.BOOK, checksum=None, checksum_for=checksum_for)),
    Channel.TICKER: spec.ChannelSpec(each_counted(okx.topics("tickers", read_tickers))),
    Channel.FUNDING: spec.ChannelSpec(funding_topics),
}
PRIVATE = spec.PrivateSpec(
    okx.PRIVATE.stream,
    {"orders:SWAP": parse_execution, "positions:SWAP": parse_positions, "account": parse_account,
     "balance_and_position": parse_events},
    beside=(replace(okx.PRIVATE.beside[0], topics={"orders-algo:SWAP": parse_algos}),))
POOLS = (
    *okx.POOLS,
    *(pool(name, limit, account=False) for name, limit in {
        "funding-rate": 10, "mark-price": 10, "index-tickers": 20, "open-interest": 20}.items()),
    *(pool(name, limit) for name, limit in {
        "positions": 10, "bills": 10, "old_bills": 5, "leverage": 20, "mode": 5}.items()))
ERRORS = (
    *rules(("51169", Reason.REDUCE_ONLY_WOULD_INCREASE),
           ("59000..59199 59301 59303", Reason.ORDER_REJECTED)),
    *okx.ERRORS)
VENUE = replace(
    okx.VENUE, id="okx_perpetual", name="OKX perpetuals", kind=VenueKind.PERPETUAL,
    operations=OPERATIONS, channels=CHANNELS, private=PRIVATE, errors=ERRORS, pools=POOLS,
    margin_by_order=True, leverage_by_side=True)
VENUES = (VENUE, okx.demo(VENUE, "wspap"))
