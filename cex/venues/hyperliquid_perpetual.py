"""Hyperliquid perpetuals in USDC, and their test network: what differs from Hyperliquid spot.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api; as of 2026-08. The markets of
the venue itself, not those that others deploy on it (HIP-3). Sizes are base units, positions are
kept one way, funding is paid every hour.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import parse, spec
from cex.engine.messages import FundingChange
from cex.engine.parse import Page
from cex.engine.spec import NonceRule, Operation, Scope
from cex.engine.wire import Wire, decoder, list_of, milliseconds, number, optional, positive
from cex.venues import hyperliquid
from cex.venues.hyperliquid import RawContext, asked, done, info, topics, weight
from core.accounts import Balance, FeeRates, FundingPayment, MarginMode, Position, PositionSide
from core.clock import MILLISECOND, SECOND
from core.errors import Reason, Refused
from core.instruments import Instrument, InstrumentKind, InstrumentStatus
from core.market import Funding, Ticker
from core.money import ZERO
from core.orders import Side, TimeInForce
from core.ports import Channel, VenueKind

# -- wire structs ----------------------------------------------------------------------------------

class RawPerpetual(Wire):
    name: str
    szDecimals: int
    isDelisted: bool = False

class RawMeta(Wire):
    universe: list[RawPerpetual]

class RawLeverage(Wire):
    type: str
    value: Raw = Raw()

class RawHeld(Wire):
    coin: str
    szi: Raw
    leverage: RawLeverage
    entryPx: Raw = Raw()
    liquidationPx: Raw = Raw()
    unrealizedPnl: Raw = Raw()
    marginUsed: Raw = Raw()

class RawPosition(Wire):
    position: RawHeld

class RawSummary(Wire):
    accountValue: Raw

class RawState(Wire):
    marginSummary: RawSummary
    withdrawable: Raw
    assetPositions: list[RawPosition]
    time: Raw = Raw()

class RawAccount(Wire):
    clearinghouseState: RawState
    dex: str = ""

class RawDeclared(Wire):
    leverage: RawLeverage

class RawPayment(Wire):
    coin: str
    usdc: Raw
    fundingRate: Raw
    time: Raw = Raw()

class RawPaid(Wire):
    time: Raw
    delta: RawPayment

class RawPayments(Wire):
    fundings: list[RawPayment]
    isSnapshot: bool = False

decode_account, decode_payments = decoder(RawAccount), decoder(RawPayments)
contexts_of = decoder(tuple[RawMeta, list[RawContext]])

# -- words -----------------------------------------------------------------------------------------

HOUR = 3600 * SECOND
MARGINS = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}

# -- parsers ---------------------------------------------------------------------------------------

def is_ours(coin: str) -> bool:
    """Not a pair of tokens, nor a market of another deployer (dex:COIN) or an outcome's (#1)."""
    return not hyperliquid.is_spot(coin) and ":" not in coin and not coin.startswith(("#", "+"))

def parse_instruments(raw: RawMeta, command: Any, scope: Scope) -> list[Instrument]:
    """An asset's number is its place in the list."""
    return [
        Instrument(
            scope.venue, f"{item.name}-USDC-PERP", item.name, InstrumentKind.PERPETUAL, item.name,
            "USDC", "USDC", price_tick=parse.increment(6 - item.szDecimals), price_digits=5,
            quantity_step=parse.increment(item.szDecimals), min_notional=Decimal(10),
            status=(InstrumentStatus.DELISTED if item.isDelisted else InstrumentStatus.TRADING),
            venue_code=str(place))
        for place, item in enumerate(raw.universe)]

def context_of(payload: Raw, instrument: Instrument) -> RawContext:
    meta, contexts = contexts_of(payload)
    names = [item.name for item in meta.universe]
    return dict(zip(names, contexts, strict=True))[instrument.venue_symbol]

def parse_ticker(payload: Raw, command: ask.GetTicker, scope: Scope) -> Ticker:
    if not command.part:
        return hyperliquid.parse_ticker(payload, command, scope)
    return hyperliquid.statistics(context_of(payload, command.instrument), command.instrument)

def next_hour(now: int) -> int:
    return (now // HOUR + 1) * HOUR

def parse_funding(payload: Raw, command: ask.GetFunding, scope: Scope) -> Funding:
    raw = context_of(payload, command.instrument)
    return Funding(
        command.instrument.id, number(raw.funding), next_hour(command.now), number(raw.markPx),
        number(raw.oraclePx), optional(raw.openInterest))

def position(raw: RawHeld, time: int, scope: Scope) -> Position:
    return Position(
        scope.account, scope.venue, scope.instrument(raw.coin).id, PositionSide.NET,
        number(raw.szi), optional(raw.entryPx) or ZERO, None, positive(raw.liquidationPx),
        optional(raw.unrealizedPnl), None, positive(raw.leverage.value), optional(raw.marginUsed),
        time, MARGINS[raw.leverage.type])

def positions(raw: RawState, scope: Scope) -> list[Position]:
    time = milliseconds(raw.time)
    return [
        position(item.position, time, scope) for item in raw.assetPositions
        if is_ours(item.position.coin)]

def balances(raw: RawState, scope: Scope) -> list[Balance]:
    """The margin account: what it is worth, and what may leave it."""
    total = number(raw.marginSummary.accountValue)
    free = min(max(number(raw.withdrawable), ZERO), max(total, ZERO))
    return [Balance(
        scope.account, scope.venue, "USDC", total, free, update_time=milliseconds(raw.time))]

def parse_declared(
    raw: RawDeclared, command: ask.GetLeverage, scope: Scope
) -> tuple[Decimal, MarginMode]:
    return number(raw.leverage.value), MARGINS[raw.leverage.type]

def payment(raw: RawPayment, time: Raw, scope: Scope) -> FundingPayment:
    instrument, when = scope.instrument(raw.coin), int(number(time))
    return FundingPayment(
        scope.account, scope.venue, instrument.id, f"{raw.coin}-{when}", number(raw.usdc),
        instrument.settle, number(raw.fundingRate), when * MILLISECOND)

def parse_payments(
    raw: list[RawPaid], command: ask.ListFundingPayments, scope: Scope
) -> Page[FundingPayment]:
    """Oldest first: a full page goes on at its last time."""
    last = str(milliseconds(raw[-1].time)) if len(raw) >= hyperliquid.PAGE else ""
    return Page([payment(item.delta, item.time, scope) for item in raw if is_ours(item.delta.coin)],
                last)

def parse_fees(raw: hyperliquid.RawFees, command: ask.GetFees, scope: Scope) -> FeeRates:
    return FeeRates(
        scope.account, scope.venue, command.instrument.id, number(raw.userAddRate),
        number(raw.userCrossRate))

# -- encoders --------------------------------------------------------------------------------------

def encode_leverage(command: ask.SetLeverage) -> dict[str, Any]:
    """Whole numbers only; the margin mode is declared along with it."""
    whole = int(command.leverage)
    if whole != command.leverage:
        raise Refused(
            Reason.FIELD_INVALID, "leverage is a whole number at Hyperliquid",
            {"field": "leverage"})
    return {
        "type": "updateLeverage", "asset": int(command.instrument.venue_code),
        "isCross": command.margin is MarginMode.CROSS, "leverage": whole}

# -- streams ---------------------------------------------------------------------------------------

def read_funding(
    raw: hyperliquid.RawAsset, instrument: Instrument, received: int
) -> Iterable[spec.MarketValue]:
    told = raw.ctx
    return (FundingChange(
        optional(told.funding), next_hour(received), positive(told.markPx),
        positive(told.oraclePx), optional(told.openInterest)),)

def read_fills(data: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    """And the end of a position: what has none is missing from the list of positions."""
    raw = hyperliquid.decode_fills(data)
    for item in raw.fills:
        if raw.isSnapshot or not is_ours(item.coin):
            continue
        fill = hyperliquid.fill(item, scope)
        yield fill
        before = optional(item.startPosition)
        change = fill.quantity if fill.side is Side.BUY else -fill.quantity
        if before is not None and before + change == 0:
            yield Position(
                scope.account, scope.venue, fill.instrument, PositionSide.NET, ZERO, ZERO,
                update_time=fill.event_time)

def read_account(data: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    raw = decode_account(data)
    if raw.dex:
        return ()
    state = raw.clearinghouseState
    return [*positions(state, scope), *balances(state, scope)]

def read_payments(data: Raw, scope: Scope) -> Iterable[spec.AccountValue]:
    """Not the first message, which tells of what was before."""
    raw = decode_payments(data)
    return [
        payment(item, item.time, scope) for item in raw.fundings
        if is_ours(item.coin) and not raw.isSnapshot]

# -- tables ----------------------------------------------------------------------------------------

SPOT = hyperliquid.OPERATIONS
OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    **SPOT,
    ask.ListInstruments: asked(RawMeta, parse_instruments, info("meta")),
    ask.GetTicker: replace(
        SPOT[ask.GetTicker], parse=parse_ticker,
        params=hyperliquid.encode_ticker("metaAndAssetCtxs")),
    ask.GetFunding: asked(Raw, parse_funding, info("metaAndAssetCtxs")),
    ask.ListOpenOrders: replace(
        SPOT[ask.ListOpenOrders], parse=hyperliquid.open_orders(is_ours)),
    ask.GetBalances: asked(
        RawState, lambda raw, command, scope: balances(raw, scope), info("clearinghouseState"),
        weight(2), signed=True),
    ask.GetPositions: asked(
        RawState, lambda raw, command, scope: positions(raw, scope), info("clearinghouseState"),
        weight(2), signed=True),
    ask.GetLeverage: asked(
        RawDeclared, parse_declared, hyperliquid.coin_of("activeAssetData"), signed=True),
    ask.ListFundingPayments: asked(
        list_of(RawPaid), parse_payments,
        lambda command: {"type": "userFunding", "startTime": command.since // MILLISECOND},
        weight(45), signed=True, more=hyperliquid.next_page),
    ask.SetLeverage: done(hyperliquid.parse_nothing, encode_leverage, hyperliquid.ACTION),
    ask.GetFees: replace(SPOT[ask.GetFees], parse=parse_fees),
}
CHANNELS = {
    **hyperliquid.CHANNELS,
    # The ticker's topic once more: on a connection of its own.
    Channel.FUNDING: spec.ChannelSpec(
        topics(lambda interval: [("activeAssetCtx", (), read_funding)]), stream="funding"),
}
PRIVATE = replace(hyperliquid.PRIVATE, topics={
    "orderUpdates": hyperliquid.read_updates(is_ours), "userFills": read_fills,
    "userFundings": read_payments, "clearinghouseState": read_account})
VENUE = replace(
    hyperliquid.VENUE, id="hyperliquid_perpetual", name="Hyperliquid perpetuals",
    kind=VenueKind.PERPETUAL, operations=OPERATIONS,
    streams={"public": hyperliquid.STREAM, "funding": hyperliquid.STREAM}, channels=CHANNELS,
    private=PRIVATE, nonce=NonceRule(MILLISECOND, places=2, place=1),
    order_types=hyperliquid.VENUE.order_types | {
        (kind, TimeInForce.GTC) for kind in hyperliquid.TYPES.values()})
TESTNET = replace(
    VENUE, id="hyperliquid_perpetual_testnet", name="Hyperliquid perpetuals test network",
    signer=hyperliquid.TESTNET.signer, entry=hyperliquid.TESTNET.entry,
    hosts=hyperliquid.TESTNET.hosts)
VENUES = (VENUE, TESTNET)
