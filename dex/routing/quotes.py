"""A route as a quote. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from secrets import token_hex

from core import swaps
from core.swaps import Quote, SwapLimit
from dex.families.curve import largest_in, least_out, price_impact
from dex.limits import Limited
from dex.quoting import QuoteRequest, price, validity
from dex.routing.search import Leg

# Unique in this process by the number, and among all by what this process drew.
_numbers = count(1)
_drawn = token_hex(6)


@dataclass(frozen=True, slots=True)
class Routed:
    """A route that was chosen. `executor` is the venue whose router, the contract `spender`,
    executes it; `gas_cost` as in core.swaps.Quote."""

    legs: tuple[Leg, ...]
    executor: str
    spender: str
    gas: int
    gas_cost: int | None
    block: int

    def score(self, exact_in: bool) -> int:
        """How good it is, the gas paid; larger is better."""
        gas = self.gas_cost or 0
        if exact_in:
            return sum(leg.units_out for leg in self.legs) - gas
        return -sum(leg.units_in for leg in self.legs) - gas


def quote(venue: str, routed: Routed, request: QuoteRequest, now: int, block_time: int) -> Quote:
    """The quote of a route; each leg has its own guarantee, and the quote their sum."""
    units_in = sum(leg.units_in for leg in routed.legs)
    units_out = sum(leg.units_out for leg in routed.legs)
    legs = tuple(_leg(leg, request) for leg in routed.legs)
    shift = request.token_in.decimals - request.token_out.decimals
    return Quote(
        id=f"{_drawn}{next(_numbers):x}",
        venue=venue,
        network=request.token_in.network,
        token_in=request.token_in,
        token_out=request.token_out,
        exact_in=request.exact_in,
        units_in=units_in,
        units_out=units_out,
        guaranteed=sum(leg.guaranteed for leg in legs),
        slippage=request.slippage,
        price=price(units_out, units_in, shift),
        price_impact=_impact(routed.legs),
        pools=tuple(hop.pool for leg in legs for hop in leg.hops),
        block=routed.block,
        create_time=now,
        expire_time=now + validity(block_time),
        legs=legs,
        executor=routed.executor,
        spender=routed.spender,
        gas=routed.gas,
        gas_cost=routed.gas_cost,
    )


def limited_quote(
    venue: str,
    routed: Routed,
    done: Limited,
    request: QuoteRequest,
    limit: SwapLimit,
    now: int,
    block_time: int,
) -> Quote:
    """The quote of what one pool does within a limit, which is its guarantee."""
    found = quote(venue, routed, request, now, block_time)
    legs = (replace(found.legs[0], guaranteed=done.guaranteed),)
    return replace(
        found,
        guaranteed=done.guaranteed,
        legs=legs,
        limit=limit,
        asked=request.units,
        price_limit=done.price_limit,
    )


def _impact(legs: Sequence[Leg]) -> Decimal:
    ways = []
    for leg in legs:
        curves = [edge.curve() for edge in leg.edges]
        ways.append((leg.units_in, [curve for curve in curves if curve is not None]))
    return price_impact(ways, sum(leg.units_out for leg in legs))


def _leg(leg: Leg, request: QuoteRequest) -> swaps.Leg:
    if request.exact_in:
        guaranteed = least_out(leg.units_out, request.slippage)
    else:
        guaranteed = largest_in(leg.units_in, request.slippage)
    return swaps.Leg(leg.units_in, leg.units_out, guaranteed, tuple(edge.hop for edge in leg.edges))
