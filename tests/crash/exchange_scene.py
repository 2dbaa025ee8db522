"""Orders on an exchange, by a real venue's protocol over real sockets."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import cambist
from tests.crash.audit import audit
from tests.crash.binance import Exchange
from tests.crash.orders import Cancel, Place, Replace, Standing, placed
from tests.crash.trial import Intent
from tests.crash.victims import Nursery, Victim
from tests.support.live import ready
from tests.support.local_exchange import LocalExchange

STATUS = {"NEW": "OPEN"}
CONFIG = """
[networks.ethereum]
enabled = false
[networks.avalanche]
enabled = false
[venues.binance.hosts]
rest = "{rest}"
stream = "{stream}"
ws_api = "{ws_api}"
[[accounts]]
id = "main"
venue = "binance"
credentials_file = "{keys}"
"""


class ExchangeScene:
    """See the module."""

    name = "exchange"
    venue, account, instrument = "binance", "main", "BTC-USDT"
    price = Decimal(90)

    def __init__(
        self, victim: Victim, server: Exchange, client: cambist.Client, settle: float
    ) -> None:
        self.victim = victim
        self.client = client
        self.server = server
        self.in_flight = settle * 0.6
        self.patience = 3 * settle + 60
        self._numbers = itertools.count(1)
        self.kinds = {
            "order": self._place,
            "cancel": self._cancel,
            "replace (new order)": self._replace,
            "replace (in place)": self._smaller,
        }

    async def _place(self) -> Intent:
        return Place(self)

    async def _cancel(self) -> Intent:
        return Cancel(self, await placed(self))

    async def _replace(self) -> Intent:
        return Replace(self, await placed(self), smaller=False)

    async def _smaller(self) -> Intent:
        return Replace(self, await placed(self), smaller=True)

    def number(self) -> int:
        return next(self._numbers)

    def quantity(self, number: int) -> Decimal:
        return Decimal("0.5") - number * Decimal("0.00001")

    def standing(self, quantity: Decimal) -> Sequence[Standing]:
        return [
            self._standing(one) for one in self.server.made if Decimal(one["origQty"]) == quantity
        ]

    def named(self, client_order_id: str) -> Standing | None:
        found = self.server.orders.get(client_order_id)
        return None if found is None else self._standing(found)

    @staticmethod
    def _standing(one: dict[str, Any]) -> Standing:
        return Standing(
            one["clientOrderId"],
            STATUS.get(one["status"], one["status"]),
            Decimal(one["origQty"]),
            Decimal(one["price"]),
            Decimal(one["executedQty"]),
        )

    async def fill(self, client_order_id: str) -> None:
        order = self.server.orders[client_order_id]
        self.server.fill(client_order_id, order["origQty"], order["price"])

    async def remove(self, client_order_id: str) -> None:
        order = self.server.orders[client_order_id]
        if order["status"] == "NEW":
            self.server.end(order)

    def hold(self, arrived: Callable[[], None]) -> None:
        self.server.arrived = arrived

    def release(self, random: Random) -> None:
        self.server.release(random)

    async def audit(self) -> None:
        names = [one["clientOrderId"] for one in self.server.made]
        assert len(set(names)) == len(names), "an order was sent twice"
        everything = [self._standing(one) for one in self.server.made]
        trades = [str(one["id"]) for one in self.server.trades]
        await audit(self.client, self.account, self.venue, everything, trades)


@asynccontextmanager
async def exchange(
    nursery: Nursery, directory: Path, settle: float = 0
) -> AsyncIterator[ExchangeScene]:
    """`settle`: seconds that the venue needs until what was sent can have no effect any more; 0 for
    its own, which is 16."""
    await asyncio.to_thread(directory.mkdir, parents=True)
    async with LocalExchange() as local:
        server = Exchange(local)
        keys, config = directory / "keys.toml", directory / "cambist.toml"
        keys.write_text('api_key = "crash-key"\nsecret = "crash-secret"\n')
        keys.chmod(0o600)
        config.write_text(CONFIG.format(**server.hosts, keys=keys))
        arguments = ["--profile", "live", "--config", str(config), "--tcp", "off"]
        victim = Victim(nursery, directory, arguments, settle)
        await victim.start()
        try:
            async with cambist.connect(
                victim.connect, timeout=200, patience=200, wait=100
            ) as client:
                await ready(client)
                yield ExchangeScene(victim, server, client, settle or 16)
        finally:
            await victim.stop()
