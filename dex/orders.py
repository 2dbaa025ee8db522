"""What an order means on a pool: which swap, how much of it, and the worst it accepts. Pure.

A pool has no resting orders, so an order is a swap that happens now or not at all.

- A buy is an exact-out swap of base, a sale an exact-in swap: the quantity that is traded is the
  quantity that was sent, to the unit; the slippage is on the quote token's side.
- LIMIT, IOC: the largest part of the quantity whose every unit, fee included, costs no worse than
  the limit: what the pool's book shows up to that price. Trading further, until only the average
  keeps the limit, would buy units that are worse than the limit; no order book does that.
- LIMIT, FOK: the same, all or nothing.
- MARKET: the whole quantity, at worst what it would cost now and the venue's slippage. With a
  `max_slippage` it is a LIMIT at that distance from the best price, and fills as far as that goes.

What the chain enforces depends on the pool. Constant product: the average (the router knows a least
amount out and a most amount in, nothing else), all or nothing: `guaranteed` is limit * quantity,
rounded in the trader's favour. Concentrated liquidity knows a price at which a swap ends: an IOC is
sent with it, and where the price moved in between a part is traded and told; a FOK is sent without
it, so that it cannot stop half-way, and has the guarantee on the average instead.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from core.errors import Reason, Refused
from core.money import from_units, text, to_units
from core.orders import OrderRequest, OrderType, Side, TimeInForce
from dex.families.constant_product_abi import MAX_UINT
from dex.families.curve import largest_in, least_out
from dex.pools import PoolMarket, PoolState
from dex.refusals import invalid


@dataclass(frozen=True, slots=True)
class SwapTerms:
    """The swap that an order comes to. Units of base and quote; `quoted` is what the pool would
    take or give in quote now, `guaranteed` the worst that is accepted of the whole.

    `price_limit`, where it is not 0, is the pool's own measure of the order's limit: the contract
    stops there, and a part of the order is traded, each unit within the limit."""

    side: Side
    base_units: int
    quoted: int
    guaranteed: int
    price_limit: int = 0

    @property
    def exact_in(self) -> bool:
        """Sales fix what goes in, purchases what comes out; both are base."""
        return self.side is Side.SELL


def check(request: OrderRequest, market: PoolMarket) -> None:
    """Everything about an order that a pool can refuse without looking at its state."""
    refusal = _unsupported(request)
    if refusal:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            refusal[1],
            {"venue": request.venue, "capability": refusal[0]},
        )
    if not request.quantity.is_finite() or request.quantity <= 0:
        raise invalid("quantity", request.quantity, "the quantity must be above zero")
    price = request.price
    if request.type is OrderType.LIMIT:
        if price is None:
            raise Refused(Reason.FIELD_REQUIRED, "a limit order needs a price", {"field": "price"})
        if not price.is_finite() or price <= 0:
            raise invalid("price", price, "the price must be above zero")
    slippage = request.max_slippage
    if slippage is not None and not (slippage.is_finite() and 0 <= slippage < 1):
        raise invalid(
            "max_slippage", slippage, "max_slippage is a fraction from 0 to below 1: 0.005 is 0.5 %"
        )
    breach = market.instrument.breach(request.quantity, price)
    if breach:
        raise Refused(Reason.ORDER_RULE_BROKEN, breach, _where(request))


def _where(request: OrderRequest) -> dict[str, str]:
    return {"venue": request.venue, "instrument": request.instrument}


def _unsupported(request: OrderRequest) -> tuple[str, str] | None:
    """The capability that is missing, and what to do; None when all is there."""
    if request.type not in (OrderType.LIMIT, OrderType.MARKET):
        return "stop", "a pool takes LIMIT and MARKET orders only; nothing rests for a trigger"
    if request.reduce_only:
        return "reduce_only", "a pool has no positions to reduce; leave reduce_only out"
    if request.time_in_force is TimeInForce.POST_ONLY:
        return "post_only", "a pool has no resting orders, so nothing can be posted; use IOC or FOK"
    if request.type is OrderType.LIMIT and request.time_in_force is TimeInForce.GTC:
        return "gtc", "a pool has no resting orders: use IOC to take what the limit allows, or FOK"
    return None


def terms(request: OrderRequest, state: PoolState, slippage: Decimal) -> SwapTerms | str:
    """The swap of an order that `check` let pass, or why nothing can be traded at its limit.

    Raises Refused with INSUFFICIENT_LIQUIDITY when the pool cannot do it at any price.
    """
    wanted = to_units(request.quantity, state.market.base.decimals)
    limit = request.price
    if request.type is OrderType.MARKET:
        if request.max_slippage is None:
            return _market(request.side, wanted, state, slippage)
        limit = _slipped(request.side, request.max_slippage, state)
    assert limit is not None  # check() saw to it
    return _limit(request, wanted, state, limit)


def _slipped(side: Side, slippage: Decimal, state: PoolState) -> Decimal:
    """The best price and a fraction, rounded in the trader's favour."""
    if state.book.is_empty:
        raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
    tick = state.market.instrument.price_tick
    bid, ask = state.book.best()
    if side is Side.BUY:
        return (ask * (1 + slippage)).quantize(tick, ROUND_FLOOR)
    return max((bid * (1 - slippage)).quantize(tick, ROUND_CEILING), tick)


def _market(side: Side, wanted: int, state: PoolState, slippage: Decimal) -> SwapTerms:
    selling = state.curve(state.market.base)
    if side is Side.SELL:
        quoted = selling.amount_out(wanted)
        return SwapTerms(side, wanted, quoted, least_out(quoted, slippage))
    quoted = selling.reversed().amount_in(wanted)
    return SwapTerms(side, wanted, quoted, largest_in(quoted, slippage))


def _limit(request: OrderRequest, wanted: int, state: PoolState, limit: Decimal) -> SwapTerms | str:
    book = state.book
    if book.is_empty:
        raise Refused(Reason.INSUFFICIENT_LIQUIDITY, "the pool is empty")
    buying = request.side is Side.BUY
    possible = book.buyable(limit) if buying else book.sellable(limit)
    if possible == 0:
        best = book.best()[1 if buying else 0].quantize(
            state.market.instrument.price_tick, ROUND_CEILING if buying else ROUND_FLOOR
        )
        word = "asks" if buying else "bids"
        return f"at block {state.block} the pool {word} {text(best)}, the limit is {text(limit)}"
    if possible < wanted and request.time_in_force is TimeInForce.FOK:
        most = text(from_units(possible, state.market.base.decimals))
        return f"FOK: at block {state.block} only {most} can be had within the limit"
    units = min(wanted, possible)
    exact = limit * from_units(units, state.market.base.decimals)
    exact = exact.scaleb(state.market.quote.decimals)
    selling = state.curve(state.market.base)
    if buying:
        quoted = selling.reversed().amount_in(units)
        guaranteed = min(int(exact.to_integral_value(ROUND_FLOOR)), MAX_UINT)
        kept = quoted <= guaranteed
    else:
        guaranteed = int(exact.to_integral_value(ROUND_CEILING))
        quoted = _out_or_nothing(state, units)
        kept = quoted >= guaranteed
    if not kept:
        return "the amount is so small that the contract's rounding takes it past the limit"
    price_limit = 0
    if request.time_in_force is not TimeInForce.FOK:
        over, under = book.ratio(limit)
        price_limit = (
            selling.reversed().limit((under, over)) if buying else selling.limit((over, under))
        )
    return SwapTerms(request.side, units, quoted, guaranteed, price_limit)


def _out_or_nothing(state: PoolState, units: int) -> int:
    try:
        return state.curve(state.market.base).amount_out(units)
    except Refused as refusal:
        if refusal.reason is Reason.FIELD_INVALID:
            return 0
        raise
