"""Price-time matching of one instrument: integers, deterministic, no I/O and no clock.

Prices are counted in ticks, quantities in steps. The engine knows nothing of money: whoever calls
it has decided before that the owner can pay, and settles the executions afterwards. It does keep
each owner's net quantity when `positions` is on, because a resting reduce-only order may trade
only what its owner still holds at that very execution.

Owner "" is the simulated public: its orders may trade with each other. Two orders of any other
owner never trade: the newer one ends (self-trade prevention, "cancel newest").
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from enum import Enum

from cex.paper.ladder import Half, Resting
from core.orders import Side, TimeInForce

PUBLIC = ""


@dataclass(slots=True)
class Incoming:
    """An order on its way in; `price` is None for a market order."""

    number: int
    owner: str
    side: Side
    price: int | None
    quantity: int
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False


@dataclass(slots=True, eq=False)
class Execution:
    """One trade of the incoming order with a resting one, at the resting order's price."""

    maker: Resting
    price: int
    quantity: int


class Ending(Enum):
    """What became of an incoming order."""

    RESTS = 1
    FILLED = 2
    EXPIRED = 3  # perhaps after executions; `why` tells
    REFUSED = 4  # without any effect; `why` tells


class Why(Enum):
    """Why an order did not rest or fill; the values are the venue's words."""

    NONE = ""
    POST_ONLY = "post-only order would take liquidity"
    FOK = "fill-or-kill order could not be filled whole"
    IOC = "immediate-or-cancel remainder"
    EXHAUSTED = "no more quantity in the book for a market order"
    SELF_TRADE = "self-trade prevention: would have met an order of the same account"
    REDUCE_ONLY = "reduce-only order would increase the position"


@dataclass(slots=True)
class Result:
    """What a command did to the book."""

    ending: Ending
    why: Why = Why.NONE
    remaining: int = 0
    executions: list[Execution] = field(default_factory=list)
    spent: list[Resting] = field(default_factory=list)  # reduce-only makers with nothing to reduce


class MatchingEngine:
    """The book of one instrument and its waiting stop orders."""

    def __init__(self, positions: bool = False) -> None:
        self._halves = {Side.BUY: Half(1), Side.SELL: Half(-1)}
        self._orders: dict[int, Resting] = {}
        self._public: dict[int, Resting] = {}
        # (key, number), the next to trigger last: rising ones keyed by -trigger, falling by trigger
        self._rising: list[tuple[int, int]] = []
        self._falling: list[tuple[int, int]] = []
        self._stops: dict[int, tuple[bool, int]] = {}
        self._track = positions
        self.positions: dict[str, int] = {}
        self.last: int | None = None  # last trade price

    # --- reading ---

    def order(self, number: int) -> Resting | None:
        """A resting order."""
        return self._orders.get(number)

    def best(self, side: Side) -> int | None:
        """The best price of a side."""
        return self._halves[side].best()

    def levels(self, side: Side, depth: int = 0) -> list[tuple[int, int]]:
        """Price and total quantity, best first; `depth` 0 for all."""
        half = self._halves[side]
        keys = half.keys[-depth:] if depth else half.keys
        return [(key * half.sign, half.levels[key * half.sign].total) for key in reversed(keys)]

    def level(self, side: Side, price: int) -> int:
        """The total quantity at a price; 0 where there is none."""
        level = self._halves[side].levels.get(price)
        return level.total if level else 0

    def queue(self, side: Side, price: int) -> list[Resting]:
        """The orders at a price, first to trade first."""
        level = self._halves[side].levels.get(price)
        return list(level.orders.values()) if level else []

    def take_changes(self) -> dict[Side, set[int]]:
        """Prices whose level changed since the last call."""
        changes = {side: half.changed for side, half in self._halves.items()}
        for half in self._halves.values():
            half.changed = set()
        return changes

    def reducible(self, owner: str, side: Side) -> int:
        """How much an order of `side` can reduce the owner's position by."""
        held = self.positions.get(owner, 0)
        return max(0, -held if side is Side.BUY else held)

    def preview(self, incoming: Incoming) -> tuple[int, int]:
        """What would execute now: quantity, and the sum of price times quantity."""
        half = self._halves[_opposite(incoming.side)]
        left, cost = incoming.quantity, 0
        shift: dict[str, int] = {}
        for key in reversed(half.keys):
            price = key * half.sign
            if left == 0 or not _crosses(incoming, price):
                break
            for maker in half.levels[price].orders.values():
                if _same(maker.owner, incoming.owner):
                    return incoming.quantity - left, cost
                quantity = min(left, self._capacity(maker, shift.get(maker.owner, 0)))
                if self._track:
                    signed = quantity if maker.side is Side.BUY else -quantity
                    shift[maker.owner] = shift.get(maker.owner, 0) + signed
                left -= quantity
                cost += price * quantity
                if left == 0:
                    break
        return incoming.quantity - left, cost

    def refusal(self, incoming: Incoming) -> Result | None:
        """What ends an order before it trades (REFUSED, or EXPIRED for fill-or-kill); None if
        it may go in."""
        left = incoming.quantity
        if incoming.reduce_only and left > self.reducible(incoming.owner, incoming.side):
            return Result(Ending.REFUSED, Why.REDUCE_ONLY, left)
        if incoming.time_in_force is TimeInForce.POST_ONLY:
            best = self._halves[_opposite(incoming.side)].best()
            if best is not None and _crosses(incoming, best):
                return Result(Ending.REFUSED, Why.POST_ONLY, left)
        elif incoming.time_in_force is TimeInForce.FOK and self.preview(incoming)[0] < left:
            return Result(Ending.EXPIRED, Why.FOK, left)
        return None

    # --- commands ---

    def submit(self, incoming: Incoming) -> Result:
        """Matches an order and rests what may rest."""
        refusal = self.refusal(incoming)
        if refusal is not None:
            return refusal
        result = Result(Ending.FILLED)
        blocked = self._match(incoming, result)
        if result.remaining == 0:
            return result
        if blocked:
            result.ending, result.why = Ending.EXPIRED, Why.SELF_TRADE
        elif incoming.price is None:
            result.ending, result.why = Ending.EXPIRED, Why.EXHAUSTED
        elif incoming.time_in_force is TimeInForce.IOC:
            result.ending, result.why = Ending.EXPIRED, Why.IOC
        else:
            result.ending = Ending.RESTS
            self.rest(
                Resting(
                    incoming.number,
                    incoming.owner,
                    incoming.side,
                    incoming.price,
                    result.remaining,
                    incoming.reduce_only,
                )
            )
        return result

    def rest(self, order: Resting) -> None:
        """Puts an order into the book without matching; for orders restored after a restart."""
        self._orders[order.number] = order
        if order.owner == PUBLIC:
            self._public[order.number] = order
        self._halves[order.side].add(order)

    def cancel(self, number: int) -> Resting | None:
        """Removes an order or a waiting stop; the resting order as it was, None for a stop or
        an unknown number."""
        if number in self._stops:
            self._forget_stop(number)
            return None
        order = self._orders.get(number)
        if order is None:
            return None
        left = order.remaining
        self._remove(order, left)
        order.remaining = left
        return order

    def cancel_public(self) -> None:
        """Removes every order of the simulated public."""
        for order in list(self._public.values()):
            self._remove(order, order.remaining)

    def replace(self, number: int, price: int, remaining: int, post_only: bool) -> Result:
        """Changes a resting order. It keeps its place in the queue when only the quantity
        shrinks; else it leaves and comes in anew, and may trade. REFUSED leaves it as it was."""
        order = self._orders[number]
        if price == order.price and remaining <= order.remaining:
            self._remove(order, order.remaining - remaining)
            return Result(Ending.RESTS, remaining=remaining)
        incoming = Incoming(
            number,
            order.owner,
            order.side,
            price,
            remaining,
            TimeInForce.POST_ONLY if post_only else TimeInForce.GTC,
            order.reduce_only,
        )
        refusal = self.refusal(incoming)
        if refusal is not None:
            return refusal
        self._remove(order, order.remaining)
        return self.submit(incoming)

    # --- stops ---

    def add_stop(self, number: int, trigger: int, rising: bool) -> None:
        """Keeps an order until the last price is at or above (rising) or at or below `trigger`."""
        self._stops[number] = (rising, trigger)
        insort(self._rising if rising else self._falling, (-trigger if rising else trigger, number))

    def triggered(self) -> list[int]:
        """Takes out the stops that the last price has triggered, oldest first."""
        if self.last is None:
            return []
        due = []
        while self._rising and -self._rising[-1][0] <= self.last:
            due.append(self._rising.pop()[1])
        while self._falling and self._falling[-1][0] >= self.last:
            due.append(self._falling.pop()[1])
        for number in due:
            del self._stops[number]
        return sorted(due)

    # --- inside ---

    def _match(self, incoming: Incoming, result: Result) -> bool:
        """Executes what crosses into `result`; True when an order of the same owner stood there."""
        half = self._halves[_opposite(incoming.side)]
        left = incoming.quantity
        while left and half.keys:
            price = half.keys[-1] * half.sign
            if not _crosses(incoming, price):
                break
            maker = next(iter(half.levels[price].orders.values()))
            if _same(maker.owner, incoming.owner):
                result.remaining = left
                return True
            capacity = self._capacity(maker, 0)
            quantity = min(left, capacity)
            if quantity:
                result.executions.append(Execution(maker, price, quantity))
                self._hold(maker.owner, maker.side, quantity)
                self._hold(incoming.owner, incoming.side, quantity)
                self.last = price
                left -= quantity
                self._remove(maker, quantity)
            if quantity == capacity and maker.remaining:  # reduce-only with nothing more to reduce
                result.spent.append(maker)
                self._remove(maker, maker.remaining)
        result.remaining = left
        return False

    def _capacity(self, maker: Resting, shift: int) -> int:
        """What a resting order may trade now, its owner's position having moved by `shift`."""
        if not maker.reduce_only:
            return maker.remaining
        held = self.positions.get(maker.owner, 0) + shift
        return min(maker.remaining, max(0, -held if maker.side is Side.BUY else held))

    def _hold(self, owner: str, side: Side, quantity: int) -> None:
        if self._track and owner != PUBLIC:
            signed = quantity if side is Side.BUY else -quantity
            self.positions[owner] = self.positions.get(owner, 0) + signed

    def _remove(self, order: Resting, quantity: int) -> None:
        self._halves[order.side].reduce(order, quantity)
        if order.remaining == 0:
            del self._orders[order.number]
            self._public.pop(order.number, None)

    def _forget_stop(self, number: int) -> None:
        rising, trigger = self._stops.pop(number)
        entries = self._rising if rising else self._falling
        del entries[bisect_left(entries, (-trigger if rising else trigger, number))]


def _opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _crosses(incoming: Incoming, price: int) -> bool:
    if incoming.price is None:
        return True
    return price <= incoming.price if incoming.side is Side.BUY else price >= incoming.price


def _same(maker: str, taker: str) -> bool:
    return maker == taker != PUBLIC
