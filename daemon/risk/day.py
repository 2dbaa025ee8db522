"""What was ordered and traded since midnight UTC, and how fast: from the journal at the start, and
from then on as it happens."""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
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


def quote_of(instrument: str) -> str:
    """The asset of an instrument's notional, from its id: also of one that is no longer told."""
    return instrument.removesuffix("-PERP").rpartition("-")[2]


class Day:
    """Forgets all at midnight."""

    def __init__(self) -> None:
        self._day = -1
        self._ordered: dict[tuple[str, str, str, str, str], Decimal] = defaultdict(lambda: ZERO)
        self._traded: dict[Place, Traded] = defaultdict(Traded)
        self._times: deque[tuple[int, str, str, str, str]] = deque()

    def ordered(
        self, now: int, place: Place, root: str, quote: str, notional: Decimal | None
    ) -> None:
        """An order that is being sent; `notional` None where nobody knows it."""
        self._turn(now)
        self._ordered[(*place, root, quote)] += notional or ZERO
        self._times.append((now, *place, root))
        while self._times and self._times[0][0] <= now - MINUTE:
            self._times.popleft()

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
        """The sum of the orders of today, in one quote."""
        self._turn(now)
        return sum(
            (
                amount
                for (venue, account, instrument, root, asset), amount in self._ordered.items()
                if asset == quote and scope.covers(venue, account, instrument, root)
            ),
            ZERO,
        )

    def rate(self, now: int, scope: Scope) -> int:
        """The orders of the last minute."""
        return sum(
            time > now - MINUTE and scope.covers(venue, account, instrument, root)
            for time, venue, account, instrument, root in self._times
        )

    def traded(self, now: int, scope: Scope) -> Iterator[tuple[Place, Traded]]:
        """What was traded today in the places of a scope; bots are not told apart."""
        self._turn(now)
        for (venue, account, instrument), traded in self._traded.items():
            if scope.covers(venue, account, instrument, scope.token_root):
                yield (venue, account, instrument), traded

    def _turn(self, now: int) -> None:
        if now // DAY != self._day:
            self._day = now // DAY
            self._ordered.clear()
            self._traded.clear()
