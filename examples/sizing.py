"""How much to trade: exact mathematics of an order book against a constant-product pool. No I/O.

Prices are quote a base unit, quantities base units, pool amounts integers in the token's smallest
units. Buying `q` from the pool costs what the pair's contract demands, to the last unit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

Level = tuple[Decimal, Decimal]  # price, quantity

# Python's default of 28 digits would round what 18 decimals times a price need.
EXACT = Context(prec=100)


@dataclass(frozen=True, slots=True)
class Reserves:
    """A pool's state: what it holds of each token in smallest units, and its fee as a fraction."""

    base: int
    quote: int
    fee: Decimal
    base_decimals: int
    quote_decimals: int

    @property
    def mid(self) -> Decimal:
        """The price of an infinitely small trade, without the fee."""
        base = EXACT.scaleb(Decimal(self.base), -self.base_decimals)
        return EXACT.divide(EXACT.scaleb(Decimal(self.quote), -self.quote_decimals), base)

    def cost(self, quantity: Decimal) -> Decimal | None:
        """Quote that must go in for a quantity of base to come out; None when there is not enough.

        Rounded up, as UniswapV2Library.getAmountIn does.
        """
        out = int(EXACT.scaleb(quantity, self.base_decimals).to_integral_value(ROUND_CEILING))
        if out >= self.base:
            return None
        kept = Fraction(1 - self.fee)
        numerator = self.quote * out * kept.denominator
        amount = numerator // ((self.base - out) * kept.numerator) + 1
        return EXACT.scaleb(Decimal(amount), -self.quote_decimals)

    def proceeds(self, quantity: Decimal) -> Decimal:
        """Quote that comes out for a quantity of base, rounded down as getAmountOut does."""
        amount = int(EXACT.scaleb(quantity, self.base_decimals).to_integral_value(ROUND_FLOOR))
        kept = Fraction(1 - self.fee)
        taken = amount * kept.numerator
        out = taken * self.quote // (self.base * kept.denominator + taken)
        return EXACT.scaleb(Decimal(out), -self.quote_decimals)


@dataclass(frozen=True, slots=True)
class Trade:
    """What to do: sell on the exchange and buy from the pool, or the other way round."""

    sell_on_exchange: bool
    quantity: Decimal  # base
    exchange_limit: Decimal  # the worst price that is touched in the book
    exchange_amount: Decimal  # quote, before the fee
    exchange_fee: Decimal  # quote
    pool_amount: Decimal  # quote
    profit: Decimal  # quote, gas not yet taken off


@dataclass(frozen=True, slots=True)
class Market:
    """What both sides look like now, and what they charge."""

    bids: Sequence[Level]
    asks: Sequence[Level]
    pool: Reserves
    taker_fee: Decimal  # of the exchange, a fraction
    step: Decimal  # quantities are multiples of it

    def sell_on_exchange(self, quantity: Decimal) -> Trade | None:
        """Sell into the bids, buy the same from the pool; None when either is too shallow."""
        sold, cost = walk(self.bids, quantity), self.pool.cost(quantity)
        if sold is None or cost is None:
            return None
        amount, limit = sold
        fee = EXACT.multiply(amount, self.taker_fee)
        return Trade(True, quantity, limit, amount, fee, cost, amount - fee - cost)

    def buy_on_exchange(self, quantity: Decimal) -> Trade | None:
        """Buy from the asks, sell the same to the pool."""
        bought = walk(self.asks, quantity)
        if bought is None:
            return None
        amount, limit = bought
        fee = EXACT.multiply(amount, self.taker_fee)
        proceeds = self.pool.proceeds(quantity)
        return Trade(False, quantity, limit, amount, fee, proceeds, proceeds - amount - fee)

    def best(self, most_sold: Decimal, most_bought: Decimal) -> Trade | None:
        """The trade that earns most, of at most `most_sold` base on the exchange or `most_bought`;
        None when neither direction earns anything.
        """
        found = [
            trade
            for attempt, most in (
                (self.sell_on_exchange, most_sold),
                (self.buy_on_exchange, most_bought),
            )
            if (trade := self._largest(attempt, most)) is not None and trade.profit > 0
        ]
        return max(found, key=lambda trade: trade.profit, default=None)

    def _largest(self, attempt: Callable[[Decimal], Trade | None], most: Decimal) -> Trade | None:
        """Each further step earns less than the one before, so the last that earns is the end."""

        def earns(steps: int) -> bool:
            smaller, larger = attempt(self.step * (steps - 1)), attempt(self.step * steps)
            return larger is not None and smaller is not None and larger.profit > smaller.profit

        low, high = 0, int(most / self.step)
        while low < high:
            middle = (low + high + 1) // 2
            if earns(middle):
                low = middle
            else:
                high = middle - 1
        return attempt(self.step * low) if low else None

    @property
    def depth(self) -> Decimal:
        """All base that the book holds on its deeper side."""
        sides = (sum((size for _, size in side), Decimal(0)) for side in (self.bids, self.asks))
        return max(sides)


def walk(levels: Sequence[Level], quantity: Decimal) -> tuple[Decimal, Decimal] | None:
    """What a quantity comes to, level by level, and the last price; None beyond the book."""
    amount, price, left = Decimal(0), Decimal(0), quantity
    for price, size in levels:
        part = min(size, left)
        amount = EXACT.add(amount, EXACT.multiply(part, price))
        left -= part
        if left <= 0:
            return amount, price
    return (amount, levels[0][0]) if quantity == 0 and levels else None
