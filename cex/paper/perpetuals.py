"""What only perpetual markets have: mark prices, funding, and the end of positions without margin.

Mark is the market's fair price on the tick grid: no trade can push it. The funding rate of an
interval is 0.01 % plus the premium of mark over index, the premium cut to ±0.05 %; it is paid at
each multiple of the interval since the epoch, by long to short when positive. Funding times that
pass while the exchange is closed count as one: the market stood still.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from cex.paper.admission import reducible
from cex.paper.book import Book
from cex.paper.clearing import Clearing
from cex.paper.ledger import OpenOrder
from cex.paper.matching import Why
from cex.paper.pit import Pit
from cex.paper.simulation import Simulation
from core.instruments import InstrumentKind
from core.market import Funding
from core.money import floor_to
from core.orders import OrderStatus

_INTEREST = Decimal("0.0001")
_PREMIUM_CAP = Decimal("0.0005")
_RATE_GRAIN = Decimal("1E-8")

Pits = Mapping[str, Pit]


def mark(pit: Pit, book: Book) -> None:
    """Tells an account's ledger the present mark price, also where it holds nothing yet."""
    if book.margin is not None and pit.tape.funding is not None:
        book.margin.holding(pit.instrument.id)
        book.margin.mark(pit.instrument.id, pit.tape.funding.mark_price)


def revalue(pits: Pits, simulation: Simulation, clearing: Clearing, interval: int) -> None:
    """Sets mark, index and funding rate of each perpetual from the simulation's fair prices."""
    now = clearing.now()
    if not clearing.counters.funding:
        clearing.counters.funding = (now // interval + 1) * interval
    for id, pit in _perpetuals(pits).items():
        price = floor_to(simulation.fair(id), pit.instrument.price_tick)
        index = simulation.fair(pit.market.motion.follows or id)
        premium = max(-_PREMIUM_CAP, min(_PREMIUM_CAP, (price - index) / index))
        pit.tape.funding = Funding(
            instrument=id,
            rate=(_INTEREST + premium).quantize(_RATE_GRAIN),
            next_time=clearing.counters.funding,
            mark_price=price,
            index_price=floor_to(index, pit.instrument.price_tick),
            event_time=now,
        )
        for book in clearing.books():
            if book.margin is not None and book.venue == pit.instrument.venue:
                book.margin.mark(id, price)


def pay_due_funding(pits: Pits, clearing: Clearing, interval: int) -> None:
    """Settles funding between all positions and the market when its time has come."""
    now, due = clearing.now(), clearing.counters.funding
    if now < due:
        return
    clearing.counters.funding = (now // interval + 1) * interval
    for id, pit in _perpetuals(pits).items():
        funding = pit.tape.funding
        if funding is None:
            continue
        for book in clearing.books():
            if book.venue == pit.instrument.venue:
                clearing.pay_funding(id, funding.rate, due, book)
        pit.tape.funding = replace(funding, next_time=clearing.counters.funding)


def enforce(
    book: Book,
    clearing: Clearing,
    drop: Callable[[OpenOrder], None],
    flatten: Callable[[Book, str], None],
) -> None:
    """Ends an account's reduce-only orders that have nothing left to reduce, and liquidates.

    `drop` takes an order out of whatever matches it, `flatten` tells that of a position that was
    closed without a trade there.
    """
    margin = book.margin
    if margin is None:
        return
    for order in list(book.orders.values()) if margin.moved else []:
        request = order.request
        if request.reduce_only and order.active and not reducible(book, request):
            drop(order)
            clearing.finish(order, OrderStatus.EXPIRED, Why.REDUCE_ONLY.value)
    while (holding := margin.due_liquidation()) is not None:
        for order in list(book.orders.values()):
            drop(order)
            clearing.finish(order, OrderStatus.CANCELED, "liquidation: the margin ran out")
        clearing.liquidate(book, holding)
        flatten(book, holding.instrument)
    clearing.cover(book)


def _perpetuals(pits: Pits) -> dict[str, Pit]:
    return {id: pit for id, pit in pits.items() if pit.instrument.kind is InstrumentKind.PERPETUAL}
