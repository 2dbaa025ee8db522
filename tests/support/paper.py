"""Small things that the tests of the paper exchange share."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from cex.paper.account import PaperAccount
from cex.paper.exchange import PaperExchange
from cex.paper.markets import MARKETS, Market
from cex.paper.rows import as_order
from cex.paper.venue import PaperVenue
from core.clock import ManualClock
from core.orders import Order, OrderRequest, OrderType, Side
from core.ports import AccountReport, VenueKind

# The same instruments without the simulated public: only accounts trade.
QUIET: tuple[Market, ...] = tuple(
    replace(market, motion=replace(market.motion, levels=0, taker_chance=0)) for market in MARKETS
)


def request(id: str, side: Side, quantity: str, price: str | None, **changes: Any) -> OrderRequest:
    """A limit order (a market order when `price` is None) for ETH-USDC by account `a`."""
    fields: dict[str, Any] = {
        "client_order_id": id,
        "account": "a",
        "venue": "paper",
        "instrument": "ETH-USDC",
        "side": side,
        "type": OrderType.MARKET if price is None else OrderType.LIMIT,
        "quantity": Decimal(quantity),
        "price": None if price is None else Decimal(price),
    }
    return OrderRequest(**{**fields, **changes})


def perpetual(
    id: str, side: Side, quantity: str, price: str | None, **changes: Any
) -> OrderRequest:
    """The same for ETH-USDT-PERP by account `p`."""
    place = {"account": "p", "venue": "paper_perpetual", "instrument": "ETH-USDT-PERP"}
    return request(id, side, quantity, price, **{**place, **changes})


def named(id: str) -> Order:
    """An order of which only the client order id matters."""
    return Order(request(id, Side.BUY, "1", "1"))


class Desk:
    """An exchange with accounts `a`, `b` (spot) and `p`, `q` (perpetual), and what they heard."""

    def __init__(
        self,
        path: Path | None = None,
        markets: tuple[Market, ...] = QUIET,
        clock: ManualClock | None = None,
        seed: int = 1,
        **options: Any,
    ) -> None:
        self.seed = seed
        self.clock = clock or ManualClock()
        self.exchange = PaperExchange(
            path, self.clock, seed, markets=markets, step_interval=None, **options
        )
        self.spot = PaperVenue(self.exchange, VenueKind.SPOT)
        self.futures = PaperVenue(self.exchange, VenueKind.PERPETUAL)
        self.heard: dict[str, list[AccountReport]] = {}
        self.accounts = {
            name: PaperAccount(name, venue, self.exchange)
            for name, venue in (
                ("a", self.spot),
                ("b", self.spot),
                ("p", self.futures),
                ("q", self.futures),
            )
        }

    async def start(self) -> "Desk":
        """Connects the private streams."""
        for name, account in self.accounts.items():
            heard: list[AccountReport] = []
            self.heard[name] = heard
            await account.start(heard.append)
        return self

    def total(self, account: str, asset: str) -> Decimal:
        """A balance."""
        return self.exchange.clearing.book(account).ledger.totals[asset]

    def available(self, account: str, asset: str) -> Decimal:
        """What is not reserved of a balance."""
        return self.exchange.clearing.book(account).ledger.available(asset)


def books_of_record(exchange: PaperExchange) -> dict[str, Any]:
    """All that must survive a crash, in a form that can be compared."""
    clearing = exchange.clearing
    accounts = {
        book.id: {
            "totals": {k: v for k, v in sorted(book.ledger.totals.items()) if v},
            "available": {asset: book.ledger.available(asset) for asset in book.ledger.totals},
            "orders": [
                (as_order(order), order.active, order.priority) for order in book.orders.values()
            ],
            "positions": {
                h.instrument: (h.quantity, h.cost, h.realized, h.leverage)
                for h in (book.margin.holdings.values() if book.margin else ())
                if h.quantity
            },
            "fills": [clearing.store.fills(book.id, id, 0) for id in exchange.pits],
        }
        for book in sorted(clearing.books(), key=lambda book: book.id)
    }
    queues = {
        id: [
            (side, price, [(o.number, o.owner, o.remaining) for o in queue])
            for side in Side
            for price, _ in pit.engine.levels(side)
            if (queue := [o for o in pit.engine.queue(side, price) if o.owner])
        ]
        for id, pit in exchange.pits.items()
    }
    market = (exchange.simulation.tick, dict(exchange.simulation.offsets))
    last = {id: pit.engine.last for id, pit in exchange.pits.items()}
    return {"accounts": accounts, "queues": queues, "market": market, "last": last}
