"""Binance.US: what differs from Binance, whose engine of some years ago it runs.

https://docs.binance.us and https://github.com/binance-us/binance-us-api-docs: REST, websocket API,
streams, user data streams by listen key, filters, error codes; as of 2026-09. No test network, HMAC
keys only, no change of an order that keeps its place.
"""
# Set by hand: a venue's tables are read beside its documentation. Wire structs keep its spelling.
# fmt: off
# ruff: noqa: N815

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import Raw

from cex.engine import commands as ask
from cex.engine import spec
from cex.engine.messages import Restart, Routed
from cex.engine.signing import KeySigner
from cex.engine.spec import Operation, Pool, Scope, Session, rules
from cex.engine.wire import Wire, holding, lookup, number
from cex.venues import binance
from cex.venues.binance import DAY, encode_order, symbol_of, weight
from core.accounts import Balance, FeeRates
from core.clock import SECOND
from core.errors import Reason

# -- wire structs ----------------------------------------------------------------------------------

class RawRate(Wire):
    symbol: str
    makerCommission: Raw
    takerCommission: Raw

# -- parsers ---------------------------------------------------------------------------------------

def parse_balances(raw: Any, command: ask.GetBalances, scope: Scope) -> list[Balance]:
    """It lists all that there is."""
    return [one for one in binance.parse_balances(raw, command, scope) if one.total]

def parse_fees(raw: list[RawRate], command: ask.GetFees, scope: Scope) -> FeeRates:
    """Without the discount for paying in BNB."""
    symbol = command.instrument.venue_symbol
    rate = lookup({one.symbol: one for one in raw}, symbol, "symbol")
    return FeeRates(scope.account, scope.venue, command.instrument.id,
                    number(rate.makerCommission), number(rate.takerCommission))

# -- streams ---------------------------------------------------------------------------------------

def route_account(frame: bytes) -> Iterable[Routed]:
    """Events as they are: the connection is the listen key's alone."""
    kind = binance.kind_of(frame)
    if kind in ("listenKeyExpired", "serverShutdown"):
        return (Restart(f"the venue sent {kind}"),)
    return ((kind, Raw(frame)),)

def user_path(session: Session) -> str:
    return f"/ws/{session.token}"

# -- tables ----------------------------------------------------------------------------------------

POOLS = (
    Pool("weight", 1200, 60 * SECOND), Pool("requests", 5000, 300 * SECOND),
    Pool("connections", 300, 300 * SECOND),
    Pool("orders_10s", 50, 10 * SECOND, account=True),
    Pool("orders_1d", 160_000, DAY, account=True))
NAMED = KeySigner("X-MBX-APIKEY")  # listen keys are asked for without a signature

def book_weight(command: ask.GetBook) -> Mapping[str, int]:
    steps = ((100, 1), (500, 5), (1000, 10))
    return weight(next((cost for limit, cost in steps if command.depth <= limit), 50))

def same(kind: type[ask.Command[Any]], cost: Any, **changes: Any) -> Operation[Any, Any]:
    """Binance's call at another price."""
    cost = weight(cost) if isinstance(cost, int) else cost
    return replace(binance.OPERATIONS[kind], cost=cost, **changes)

OPERATIONS: dict[type[ask.Command[Any]], Operation[Any, Any]] = {
    ask.ServerTime: same(ask.ServerTime, 1),
    ask.ListInstruments: same(ask.ListInstruments, 10, params=lambda command: {}),
    ask.GetBook: same(ask.GetBook, book_weight),
    ask.GetTicker: same(ask.GetTicker, 1),
    ask.GetTrades: same(ask.GetTrades, 1),
    ask.GetCandles: same(ask.GetCandles, 1),
    ask.GetToken: Operation(
        "POST", "/api/v3/userDataStream", holding("listenKey", str),
        lambda raw, command, scope: raw.value, cost=weight(1), signed=True, signer=NAMED),
    ask.KeepToken: Operation(
        "PUT", "/api/v3/userDataStream", dict[str, Any], lambda raw, command, scope: None,
        lambda command: {"listenKey": command.token}, weight(1), signed=True, signer=NAMED),
    ask.Preview: Operation(
        "POST", "/api/v3/order/test", dict[str, Any], lambda raw, command, scope: None,
        lambda command: {**symbol_of(command), **encode_order(command.request)}, weight(1),
        signed=True),
    ask.Place: binance.OPERATIONS[ask.Place],
    ask.Cancel: binance.OPERATIONS[ask.Cancel],
    ask.CancelAll: binance.OPERATIONS[ask.CancelAll],
    ask.Replace: binance.OPERATIONS[ask.Replace],
    ask.GetOrder: same(ask.GetOrder, 2),
    ask.ListOpenOrders: same(
        ask.ListOpenOrders, lambda command: weight(3 if command.instrument else 40)),
    ask.ListFills: same(ask.ListFills, 10),
    ask.GetBalances: same(ask.GetBalances, 10, params=lambda command: {}, parse=parse_balances),
    ask.GetFees: Operation(
        "GET", "/sapi/v1/asset/query/trading-fee", list[RawRate], parse_fees, symbol_of, weight(1),
        signed=True),
}
ACCOUNT = spec.PrivateSpec(
    spec.StreamSpec(  # a key lives an hour after each word of ours
        host="stream", route=route_account, path=user_path, token=ask.GetToken(),
        keep_token=ask.KeepToken, keep_interval=30 * 60 * SECOND),
    binance.PRIVATE.topics)
ENTRY = replace(  # on a connection of its own: each command is signed, nobody logs in
    binance.ENTRY,
    words={kind: word for kind, word in binance.ENTRY.words.items() if kind in OPERATIONS},
    stream=spec.StreamSpec(host="ws_api", path="/ws-api/v3", route=binance.route_account))
VENUE = replace(
    binance.VENUE, id="binance_us", name="Binance.US", documentation="https://docs.binance.us",
    hosts={
        "rest": "https://api.binance.us", "stream": "wss://stream.binance.us:9443",
        "ws_api": "wss://ws-api.binance.us:443"},
    operations=OPERATIONS, private=ACCOUNT, entry=ENTRY, pools=POOLS,
    # A listen key that is no more: the stream asks for another.
    errors=(*rules(("-1125", Reason.VENUE_AUTHENTICATION_FAILED)), *binance.ERRORS),
    intervals={seconds: word for seconds, word in binance.INTERVALS.items() if seconds != 1},
    standing_since="2026-09-01",
    standing_evidence="its documentation names its own limits and ends; nothing of it was recorded")
VENUES = (VENUE,)
