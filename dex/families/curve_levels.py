"""A pool as an order book: its curve cut into levels.

A level's price is the worst marginal price, fee included, of the slice that it stands for: whoever
takes a level gets every unit of it at that price or better, so a limit order at the price of the
n-th level fills the quantity of the first n. Prices lie on a grid of four significant digits of the
pool's mid price, so that they stay the same from block to block; quantities are exact to the base
token's last unit.
"""

from dataclasses import dataclass
from decimal import Decimal

from core.market import Levels
from core.money import canonical, from_units
from dex.families.curve import Curve, Ratio

SIGNIFICANT_DIGITS = 4
# Steps of the grid that may hold nothing: the first may lie before the curve, others in a gap of
# its liquidity.
_EMPTY_STEPS = 20


@dataclass(frozen=True, slots=True)
class Market:
    """A pool as its market sees it: base units and quote units, and how many decimals each has."""

    selling: Curve  # base in, quote out
    base_decimals: int
    quote_decimals: int

    @property
    def mid(self) -> Decimal:
        """Quote a base unit, fee excluded."""
        over, under = self.selling.mid
        base = from_units(under, self.base_decimals)
        return from_units(over, self.quote_decimals) / base

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be traded."""
        return self.selling.is_empty

    def ratio(self, price: Decimal) -> Ratio:
        """A price above zero as quote units a base unit."""
        numerator, denominator = price.as_integer_ratio()
        shift = self.quote_decimals - self.base_decimals
        if shift >= 0:
            return numerator * 10**shift, denominator
        return numerator, denominator * 10**-shift

    def sellable(self, price: Decimal) -> int:
        """Base units that can be sold with each giving at least `price`."""
        return self.selling.most_in(self.ratio(price))

    def buyable(self, price: Decimal) -> int:
        """Base units that can be bought with each costing at most `price`."""
        return self.selling.reversed().most_out(self.ratio(price))

    def best(self) -> tuple[Decimal, Decimal]:
        """The prices of an infinitely small sale and purchase, fee included."""
        kept = 1 - self.selling.fee.fraction
        return self.mid * kept, self.mid / kept


def levels(market: Market, depth: int) -> tuple[Levels, Levels]:
    """Bids and asks, best first, at most `depth` levels a side; empty for an empty pool."""
    bids: Levels = ([], [])
    asks: Levels = ([], [])
    if market.is_empty:
        return bids, asks
    exponent = market.mid.adjusted() - SIGNIFICANT_DIGITS + 1
    best_bid, best_ask = market.best()
    step = int(best_bid.scaleb(-exponent)) + 1
    done = 0
    for _ in range(min(step - 1, depth + _EMPTY_STEPS)):
        if len(bids[0]) == depth:
            break
        step -= 1
        price = Decimal(step).scaleb(exponent)
        done = _add(bids, price, market.sellable(price), done, market.base_decimals)
    step = int(best_ask.scaleb(-exponent))
    done = 0
    for _ in range(depth + _EMPTY_STEPS):
        if len(asks[0]) == depth:
            break
        step += 1
        price = Decimal(step).scaleb(exponent)
        done = _add(asks, price, market.buyable(price), done, market.base_decimals)
    return bids, asks


def _add(side: Levels, price: Decimal, upto: int, done: int, decimals: int) -> int:
    if upto <= done:
        return done
    side[0].append(canonical(format(price, "f")))
    side[1].append(canonical(format(from_units(upto - done, decimals), "f")))
    return upto
