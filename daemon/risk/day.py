"""What was ordered and traded since midnight UTC, and how fast: from the journal at the start, and
from then on as it happens."""

from bisect import insort
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from core.clock import SECOND
from core.money import ZERO
from core.orders import Fill, Side
from daemon.risk.scope import Scope

DAY = 86_400 * SECOND
MINUTE = 60 * SECOND


@dataclass(slots=True)
class Traded:
    """Of one account and instrument today: what is left of base, and what it brought in quote."""

    base: Decimal = ZERO
    quote: Decimal = ZERO

    def profit(self, price: Decimal) -> Decimal:
        """In quote, with what is left valued at a price."""
        return self.quote + self.base * price


Place = tuple[str, str, str]  # venue, account, instrument


@dataclass(frozen=True, slots=True)
class Swapped:
    """What was swapped on one day: the orders' journal does not have it. `also` marks what stands
    there for a second venue, the one whose contract does the swap: it is not counted twice."""

    day: int
    venue: str
    account: str
    instrument: str
    root: str
    quote: str
    also: bool
    notional: Decimal = ZERO


def quote_of(instrument: str) -> str:
    """The asset of an instrument's notional, from its id (BASE-QUOTE, BASE-QUOTE-PERP, or of a pool
    BASE-QUOTE:MARK): also of one that is no longer told."""
    return instrument.partition(":")[0].removesuffix("-PERP").rpartition("-")[2]


class Day:
    """Forgets all at midnight."""

    def __init__(self) -> None:
        self._day = -1
        self._ordered: dict[tuple[str, str, str, str, str], Decimal] = defaultdict(lambda: ZERO)
        self._traded: dict[Place, Traded] = defaultdict(Traded)
        self._swapped: dict[Swapped, Decimal] = defaultdict(lambda: ZERO)
        # Of each place and bot, so that a look at the rate does not count every order.
        self._times: dict[tuple[str, str, str, str], deque[int]] = defaultdict(deque)

    def swapped(self, now: int, swaps: Iterable[Swapped]) -> None:
        """A swap that is being sent, as `swap` has it, or (below zero) one that was refused."""
        self._turn(now)
        for one in swaps:
            self._swapped[replace(one, notional=ZERO)] += one.notional
            if one.notional > ZERO and not one.also:
                self._sent(now, (one.venue, one.account, one.instrument, one.root), now)

    @property
    def swaps(self) -> list[Swapped]:
        """All of today, to be kept."""
        return [replace(one, notional=amount) for one, amount in self._swapped.items()]

    def restore(self, now: int, swaps: Iterable[Swapped]) -> None:
        """Takes what was kept, where it is of today."""
        self._turn(now)
        for one in swaps:
            if one.day == self._day:
                self._swapped[replace(one, notional=ZERO)] += one.notional

    def ordered(
        self,
        now: int,
        place: Place,
        root: str,
        quote: str,
        notional: Decimal | None,
        sent: int | None = None,
    ) -> None:
        """An order that is being sent, or that was at the time `sent`; `notional` None where nobody
        knows it."""
        self._turn(now)
        self._ordered[(*place, root, quote)] += notional or ZERO
        self._sent(now, (*place, root), now if sent is None else sent)

    def filled(self, now: int, fill: Fill, quote: str) -> None:
        """A trade. A fee in another asset than base and quote is left out."""
        self._turn(now)
        if fill.event_time // DAY != self._day:
            return
        traded = self._traded[fill.venue, fill.account, fill.instrument]
        sign = 1 if fill.side is Side.BUY else -1
        traded.base += sign * fill.quantity
        traded.quote -= sign * fill.quantity * fill.price
        if fill.fee_asset == quote:
            traded.quote -= fill.fee

    def notional(self, now: int, scope: Scope, quote: str) -> Decimal:
        """The sum of the orders and swaps of today, in one quote."""
        self._turn(now)
        orders = (
            amount
            for (venue, account, instrument, root, asset), amount in self._ordered.items()
            if asset == quote and scope.covers(venue, account, instrument, root)
        )
        swaps = (
            amount
            for one, amount in self._swapped.items()
            if one.quote == quote
            and not (one.also and not scope.venue)
            and scope.covers(one.venue, one.account, one.instrument, one.root)
        )
        return sum(orders, ZERO) + sum(swaps, ZERO)

    def rate(self, now: int, scope: Scope) -> int:
        """The orders and swaps of the last minute."""
        count = 0
        for place, times in self._times.items():
            if scope.covers(*place):
                _drop(times, now)
                count += len(times)
        return count

    def traded(self, now: int, scope: Scope) -> Iterator[tuple[Place, Traded]]:
        """What was traded today in the places of a scope; bots are not told apart."""
        self._turn(now)
        for (venue, account, instrument), traded in self._traded.items():
            if scope.covers(venue, account, instrument, scope.token_root):
                yield (venue, account, instrument), traded

    def _sent(self, now: int, place: tuple[str, str, str, str], time: int) -> None:
        if time <= now - MINUTE:
            return
        times = self._times[place]
        _drop(times, now)
        if times and time < times[-1]:
            insort(times, time)
        else:
            times.append(time)

    def _turn(self, now: int) -> None:
        if now // DAY != self._day:
            self._day = now // DAY
            self._ordered.clear()
            self._swapped.clear()
            self._times = defaultdict(
                deque, {place: times for place, times in self._times.items() if times}
            )
            self._traded.clear()


def _drop(times: deque[int], now: int) -> None:
    while times and times[0] <= now - MINUTE:
        times.popleft()
