"""A local Binance, and the engine connected to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from cex.engine.account import ExchangeAccount
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.venues.binance import VENUE
from core.clock import SystemClock
from core.instruments import Instrument
from core.orders import Fill, Order, OrderReport, OrderRequest, OrderType, Side
from core.ports import AccountReport, StreamState
from tests.support.binance_server import BinanceServer
from tests.support.local_exchange import LocalExchange

REQUEST = OrderRequest(
    "CBTEXAMPLE1",
    "main",
    "binance",
    "BTC-USDT",
    Side.BUY,
    OrderType.LIMIT,
    Decimal("0.1"),
    Decimal("99.5"),
)


@dataclass
class Bench:
    """What the tests of this folder use."""

    exchange: LocalExchange
    server: BinanceServer
    market: ExchangeVenue
    account: ExchangeAccount
    reports: list[AccountReport] = field(default_factory=list)

    @property
    def instrument(self) -> Instrument:
        return self.market.instruments["BTC-USDT"]

    async def connect_account(self) -> None:
        """Starts the account and waits for its stream."""
        await self.account.start(self.reports.append)
        await self.exchange.until(lambda: self.states()[-1:] == [True], "the account stream")

    def states(self) -> list[bool]:
        """The states of the account's stream so far."""
        return [r.connected for r in self.reports if isinstance(r, StreamState)]

    def fills(self) -> list[Fill]:
        return [r for r in self.reports if isinstance(r, Fill)]

    def orders(self) -> list[OrderReport]:
        return [r for r in self.reports if isinstance(r, OrderReport)]


def order_of(request: OrderRequest = REQUEST, **changed: Any) -> Order:
    """An order that was asked for."""
    return replace(Order(request), **changed)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with LocalExchange() as exchange:
        server = BinanceServer(exchange)
        market = ExchangeVenue(VENUE, SystemClock(), server.hosts)
        account = ExchangeAccount("main", market, Credentials("the-api-key", "the-secret-key"))
        await market.start()
        await exchange.until(market.loaded.is_set, "the instruments")
        yield Bench(exchange, server, market, account)
        await account.stop()
        await market.stop()
