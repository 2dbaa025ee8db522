"""One side of a book: price levels in order, and at each the orders in order of arrival."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from core.orders import Side


@dataclass(slots=True, eq=False)
class Resting:
    """An order in the book."""

    number: int
    owner: str
    side: Side
    price: int
    remaining: int
    reduce_only: bool = False


@dataclass(slots=True, eq=False)
class Level:
    """One price: its orders in order of arrival (a dict keeps it), and their sum."""

    orders: dict[int, Resting] = field(default_factory=dict)
    total: int = 0


class Half:
    """One side. Prices are kept times `sign`, ascending, so that the best is always the last."""

    __slots__ = ("changed", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.changed: set[int] = set()

    def add(self, order: Resting) -> None:
        """Puts an order behind all others at its price."""
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = Level()
            insort(self.keys, order.price * self.sign)
        level.orders[order.number] = order
        level.total += order.remaining
        self.changed.add(order.price)

    def reduce(self, order: Resting, quantity: int) -> None:
        """Takes `quantity` off a resting order; the order leaves the book when nothing is left."""
        level = self.levels[order.price]
        order.remaining -= quantity
        level.total -= quantity
        self.changed.add(order.price)
        if order.remaining == 0:
            del level.orders[order.number]
            if not level.orders:
                del self.levels[order.price]
                key = order.price * self.sign
                if self.keys[-1] == key:
                    self.keys.pop()
                else:
                    del self.keys[bisect_left(self.keys, key)]

    def best(self) -> int | None:
        """The price that trades first."""
        return self.keys[-1] * self.sign if self.keys else None
