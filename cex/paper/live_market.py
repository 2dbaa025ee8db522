"""How paper orders fill against the displayed book and the public trades of a real market. Pure.

Assumptions, all on the cautious side
- A taker gets what is displayed, at the displayed prices. What it took is not there again until
  the venue changes the level.
- A resting order stands behind everything displayed at its price when it came. Only trades that
  print at its price move it forward: cancellations ahead of it are not credited.
- A trade that prints beyond its price, or what exceeds the queue at its price, fills it, but never
  more than the trade's quantity over all orders of the account.
- When the opposite side is displayed at or through its price, it trades with what is displayed
  there, at its own price.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from cex.paper.ledger import OpenOrder
from core.books import OrderBook
from core.market import BookSnapshot, BookState, BookUpdate, Trade
from core.money import ZERO
from core.orders import Side

_TAKEN_KEPT = 2_000  # levels of which something was taken


@dataclass(slots=True, eq=False)
class Waiting:
    """A resting order and what stands before it; None until the book could be looked at."""

    order: OpenOrder
    ahead: Decimal | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A trade of a resting order."""

    order: OpenOrder
    price: Decimal
    quantity: Decimal


Room = Callable[[OpenOrder], Decimal]
"""How much an order may trade now: what remains, less where reduce-only says so."""


class LiveMarket:
    """The displayed book of one instrument, and one account's orders in it."""

    def __init__(self) -> None:
        self.state = BookState.SYNCING
        self.reason = "no book yet"
        self.last: Decimal | None = None  # last trade price
        self._book = OrderBook()
        self._resting: dict[int, Waiting] = {}
        self._taken: dict[tuple[Side, str], tuple[str, Decimal]] = {}  # displayed then, taken

    # --- what the venue says ---

    def update(self, event: BookUpdate) -> None:
        """Applies a snapshot or a delta."""
        if isinstance(event, BookSnapshot):
            self.state, self.reason = event.state, event.reason
            if event.state is not BookState.LIVE:
                return
            self._book.load(zip(*event.bids, strict=True), zip(*event.asks, strict=True))
        elif self.state is BookState.LIVE:
            self._book.apply(zip(*event.bids, strict=True), zip(*event.asks, strict=True))
        for waiting in self._resting.values():
            if waiting.ahead is None:
                waiting.ahead = self._displayed(waiting.order)

    def reached(self) -> bool:
        """Whether the opposite side stands at or through a resting order's price."""
        return self.state is BookState.LIVE and any(
            self._crosses(waiting.order) for waiting in self._resting.values()
        )

    def crossings(self, room: Room) -> Iterator[Hit]:
        """Trades of resting orders with the displayed opposite side, first in the queue first.
        Book each before asking for the next."""
        for waiting in self._queue():
            order = waiting.order
            if not self._crosses(order):
                continue
            price = _price(order)
            for _, quantity in self.take(order.request.side, room(order), price):
                yield Hit(order, price, quantity)

    def prints(self, trade: Trade, room: Room) -> Iterator[Hit]:
        """Trades of resting orders that a public trade stands for. Book each before asking for
        the next."""
        self.last = trade.price
        left = trade.quantity
        for waiting in self._queue():
            order = waiting.order
            if order.request.side is trade.side or not _within(order, trade.price):
                continue
            passed = trade.quantity
            if _price(order) == trade.price:
                ahead = waiting.ahead if waiting.ahead is not None else trade.quantity
                passed = max(ZERO, trade.quantity - ahead)
                waiting.ahead = max(ZERO, ahead - trade.quantity)
            quantity = min(passed, left, room(order))
            if quantity > 0:
                left -= quantity
                yield Hit(order, _price(order), quantity)

    # --- what the account does ---

    def best(self, side: Side) -> Decimal | None:
        """The best displayed price of a side."""
        level = self._book.best_bid if side is Side.BUY else self._book.best_ask
        return Decimal(level[0]) if level else None

    def walk(
        self, side: Side, quantity: Decimal, limit: Decimal | None
    ) -> list[tuple[Decimal, Decimal]]:
        """What a taker of `side` would get now: prices and quantities, best first."""
        return [(price, got) for price, got, _, _ in self._walk(side, quantity, limit)]

    def take(
        self, side: Side, quantity: Decimal, limit: Decimal | None
    ) -> list[tuple[Decimal, Decimal]]:
        """The same, and it is not there any more afterwards."""
        found = self._walk(side, quantity, limit)
        for _, got, price, displayed in found:
            before = self._gone(side, price, displayed)
            self._taken.pop((side, price), None)
            self._taken[side, price] = (displayed, before + got)
        while len(self._taken) > _TAKEN_KEPT:
            del self._taken[next(iter(self._taken))]
        return [(price, got) for price, got, _, _ in found]

    def own_best(self, side: Side) -> Decimal | None:
        """The best price of the account's own resting orders of a side."""
        prices = [
            _price(waiting.order)
            for waiting in self._resting.values()
            if waiting.order.request.side is side
        ]
        if not prices:
            return None
        return max(prices) if side is Side.BUY else min(prices)

    def rest(self, order: OpenOrder) -> None:
        """Puts an order at the end of the queue at its price."""
        live = self.state is BookState.LIVE
        self._resting[order.number] = Waiting(order, self._displayed(order) if live else None)

    def drop(self, number: int) -> None:
        """Takes an order out; nothing happens if it is not there."""
        self._resting.pop(number, None)

    def ahead(self, number: int) -> Decimal | None:
        """What stands before a resting order, in base units."""
        return self._resting[number].ahead

    # --- inside ---

    def _walk(
        self, side: Side, quantity: Decimal, limit: Decimal | None
    ) -> list[tuple[Decimal, Decimal, str, str]]:
        bids, asks = self._book.snapshot()
        found = []
        for text_price, displayed in zip(*(asks if side is Side.BUY else bids), strict=True):
            price = Decimal(text_price)
            beyond = limit is not None and (price > limit if side is Side.BUY else price < limit)
            if quantity <= 0 or beyond:
                break
            there = Decimal(displayed) - self._gone(side, text_price, displayed)
            got = min(quantity, there)
            if got > 0:
                quantity -= got
                found.append((price, got, text_price, displayed))
        return found

    def _gone(self, side: Side, price: str, displayed: str) -> Decimal:
        """How much of a level was taken since the venue last changed it."""
        then, taken = self._taken.get((side, price), ("", ZERO))
        return taken if then == displayed else ZERO

    def _displayed(self, order: OpenOrder) -> Decimal:
        columns = self._book.snapshot()[0 if order.request.side is Side.BUY else 1]
        price = _price(order)
        for text_price, quantity in zip(*columns, strict=True):
            if Decimal(text_price) == price:
                return Decimal(quantity)
        return ZERO

    def _crosses(self, order: OpenOrder) -> bool:
        buys = order.request.side is Side.BUY
        best = self.best(Side.SELL if buys else Side.BUY)
        return best is not None and (best <= _price(order) if buys else best >= _price(order))

    def _queue(self) -> list[Waiting]:
        """Best price first, then first come first."""
        return sorted(
            self._resting.values(),
            key=lambda w: (
                -_price(w.order) if w.order.request.side is Side.BUY else _price(w.order),
                w.order.priority,
            ),
        )


def _price(order: OpenOrder) -> Decimal:
    price = order.request.price
    assert price is not None  # only priced orders rest
    return price


def _within(order: OpenOrder, price: Decimal) -> bool:
    """Whether a trade at `price` is at or beyond the order's price, seen from its side."""
    return price <= _price(order) if order.request.side is Side.BUY else price >= _price(order)
