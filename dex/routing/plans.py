"""From a quote to what is sent, and to what its transaction must remember. Pure."""

from itertools import groupby

from core.money import text
from core.swaps import Hop, Leg, Quote
from dex.plans import PlanLeg, Segment, SwapPlan
from dex.spec import PoolVenueSpec

_MILLION = 1_000_000
# details["way"] of a swap that is not over one pool: each leg's pools, with what they are sold.
_NEXT_LEG, _NEXT_POOL, _TOKEN = ";", ">", ":"


def swap_plan(
    quote: Quote,
    spec: PoolVenueSpec,
    sender: str,
    intent: str,
    deadline: int,
    measured: bool,
    details: dict[str, str],
) -> SwapPlan:
    """What the router of `spec` is to do."""
    legs = tuple(_leg(leg, quote.exact_in, spec) for leg in quote.legs)
    whole = legs[0].segments[0]
    alone = len(legs) == len(legs[0].segments) == 1 and not whole.by_reserves
    return SwapPlan(
        sender=sender,
        token_in=quote.token_in,
        token_out=quote.token_out,
        exact_in=quote.exact_in,
        exact=quote.units_in if quote.exact_in else quote.units_out,
        limit=quote.guaranteed,
        path=whole.path if alone else (),
        fees=whole.fees if alone else (),
        split=() if alone else legs,
        intent=intent,
        deadline=deadline,
        measured=measured,
        details=details,
        price_limit=quote.price_limit,
    )


def route_details(quote: Quote) -> dict[str, str]:
    """What a swap from a quote must remember of it."""
    details = {
        "kind": "swap",
        "quoted_in": str(quote.units_in),
        "quoted_out": str(quote.units_out),
        "guaranteed": str(quote.guaranteed),
        "exact_in": "1" if quote.exact_in else "0",
        "quoted_block": str(quote.block),
    }
    if quote.limit is not None:
        details["limit_price"] = text(quote.limit.price)
        details["asked"] = str(quote.asked)
        details["price_limit"] = str(quote.price_limit)
    if len(quote.pools) > 1 or quote.legs[0].hops[0].venue != quote.executor:
        details["way"] = _NEXT_LEG.join(
            _NEXT_POOL.join(f"{hop.pool}{_TOKEN}{_zero_in(hop)}" for hop in leg.hops)
            for leg in quote.legs
        )
    return details


def route_ends(text: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """The first pools of a route's legs and the last ones, each with whether token0 is sold there;
    ValueError for what `route_details` did not write."""
    first, last = [], []
    for leg in text.split(_NEXT_LEG):
        pools = []
        for part in leg.split(_NEXT_POOL):
            pool, mark, zero_in = part.partition(_TOKEN)
            if mark != _TOKEN or zero_in not in ("0", "1"):
                raise ValueError(f"not a route: {text[:80]!r}")
            pools.append((pool, zero_in == "1"))
        first.append(pools[0])
        last.append(pools[-1])
    return first, last


def _leg(leg: Leg, exact_in: bool, spec: PoolVenueSpec) -> PlanLeg:
    return PlanLeg(
        exact=leg.units_in if exact_in else leg.units_out,
        limit=leg.guaranteed,
        segments=tuple(
            _segment(tuple(hops), venue != spec.id)
            for venue, hops in groupby(leg.hops, lambda hop: hop.venue)
        ),
    )


def _segment(hops: tuple[Hop, ...], by_reserves: bool) -> Segment:
    path = (hops[0].token_in.address, *(hop.token_out.address for hop in hops))
    return Segment(path, tuple(int(hop.fee * _MILLION) for hop in hops), by_reserves)


def _zero_in(hop: Hop) -> str:
    """By the contracts' order of tokens: by the address as a number."""
    return "1" if int(hop.token_in.address, 16) < int(hop.token_out.address, 16) else "0"
