"""A bot that trades at random, and remembers what it asked for and what it was answered."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import Any

import cambist
from cambist import Client, Order, OrderType, Side, TimeInForce

# What a random command may rightly be answered with; anything else is a bug, here or there.
ALLOWED = {
    "FIELD_INVALID",  # a replacement below what is filled
    "INSUFFICIENT_BALANCE",
    "ORDER_FINAL",
    "ORDER_REJECTED",
    "POST_ONLY_WOULD_TAKE",
}
# The venue left it open, or limits us: the same request again, until it is known.
AGAIN = {"OUTCOME_UNKNOWN", "RATE_LIMITED"}
LIMIT = Decimal("0.001")


@dataclass
class RandomBot:
    """One connection, one instrument. `called` counts for whoever waits for calls to happen."""

    name: str
    client: Client
    venue: str
    account: str
    instrument: str
    tick: Decimal
    step: Decimal
    random: Random
    called: Callable[[], None]
    placed: dict[str, dict[str, Any]] = field(default_factory=dict)  # request id -> arguments
    answers: dict[str, Order | cambist.Error] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)  # client order ids
    _count: int = 0

    async def run(self, ended: asyncio.Event) -> None:
        """Until `ended`; every call is seen through to its answer."""
        while not ended.is_set():
            await self.random.choices([self.place, self.cancel, self.replace], [6, 3, 2])[0]()

    async def place(self) -> None:
        """A limit order near or far from the market, an IOC, or a market order."""
        ticker = await self.client.market.get_ticker(self.venue, self.instrument)
        assert ticker.bid_price
        assert ticker.ask_price
        middle = (ticker.bid_price + ticker.ask_price) / 2
        request_id = self._new_id("p")
        side = self.random.choice([Side.BUY, Side.SELL])
        away = middle * self.random.choice([0, 0, 1, 3, 50]) * LIMIT
        crossing = middle * 2 * LIMIT
        kind = self.random.choices(["rest", "ioc", "market", "post"], [5, 2, 2, 1])[0]
        sign = -1 if side is Side.BUY else 1
        price: Decimal | None = self._price(middle + sign * (-crossing if kind == "ioc" else away))
        if kind == "market":
            price = None
        self.placed[request_id] = {
            "venue": self.venue,
            "instrument": self.instrument,
            "side": side,
            "quantity": self.step * self.random.randint(20, 200),
            "account": self.account,
            "price": price,
            "type": OrderType.MARKET if price is None else OrderType.LIMIT,
            "time_in_force": {
                "rest": TimeInForce.GTC,
                "ioc": TimeInForce.IOC,
                "post": TimeInForce.POST_ONLY,
            }.get(kind),
            "request_id": request_id,
        }
        calls = self.random.choice([1, 1, 1, 2])  # sometimes a bot is twice at once
        answers = await asyncio.gather(*(self.again(request_id) for _ in range(calls)))
        # Of two at once, one may be refused (which leaves the id free) before the other is done.
        given = [one for one in answers if not left_free(one)]
        assert all(alike(given[0], one) for one in given), answers
        self.answers[request_id] = (given or answers)[0]

    async def again(self, request_id: str) -> Order | cambist.Error:
        """Sends a place request, for the first time or again."""
        return await self._call(
            lambda: self.client.trading.place_order(**self.placed[request_id], timeout=60)
        )

    async def cancel(self) -> None:
        """One of the last orders."""
        order = self._recent()
        if order is not None:
            request_id = self._new_id("c")
            await self._call(
                lambda: self.client.trading.cancel_order(
                    order.client_order_id,
                    account=self.account,
                    request_id=request_id,
                    timeout=60,
                )
            )

    async def replace(self) -> None:
        """One of the last orders that has a price."""
        order = self._recent()
        if order is None or order.spec.price is None:
            return
        request_id = self._new_id("r")
        quantity = self.step * self.random.randint(20, 200)
        price = self._price(order.spec.price * (1 + self.random.randint(-2, 2) * LIMIT))
        self.replaced.add(order.client_order_id)
        await self._call(
            lambda: self.client.trading.replace_order(
                order.client_order_id,
                account=self.account,
                quantity=quantity,
                price=price,
                request_id=request_id,
                timeout=60,
            )
        )

    async def _call(self, call: Callable[[], Awaitable[Order]]) -> Order | cambist.Error:
        self.called()
        while True:
            try:
                return await call()
            except cambist.Error as error:
                if error.reason in ALLOWED:
                    return error
                if error.reason not in AGAIN:
                    raise
                await asyncio.sleep(0.05)  # the caller's timeout bounds it

    def _recent(self) -> Order | None:
        orders = [one for one in self.answers.values() if isinstance(one, Order)][-12:]
        return self.random.choice(orders) if orders else None

    def _price(self, price: Decimal) -> Decimal:
        return (price / self.tick).quantize(Decimal(1), ROUND_DOWN) * self.tick

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{self.name}-{kind}{self._count}"


def left_free(answer: Order | cambist.Error) -> bool:
    """Whether nothing was sent, so that the same request may have another outcome later."""
    return isinstance(answer, cambist.Error) and answer.metadata.get("outcome") == "NOT_SENT"


def alike(one: Order | cambist.Error, other: Order | cambist.Error) -> bool:
    """Whether two answers are the same."""
    if isinstance(one, cambist.Error) and isinstance(other, cambist.Error):
        return (one.reason, one.message) == (other.reason, other.message)
    return one == other
