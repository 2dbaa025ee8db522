"""Orders as intents: place, cancel, replace; on any venue that can tell what it has."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Protocol

import cambist
from cambist import Client, Order, OrderStatus, OrderType, Side
from tests.crash.trial import DONE, REJECTED

UNANSWERED = {OrderStatus.PENDING, OrderStatus.UNCONFIRMED}
AGAIN = {"OUTCOME_UNKNOWN", "RATE_LIMITED"}


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as the venue itself has it."""

    client_order_id: str
    status: str
    quantity: Decimal
    price: Decimal | None
    filled: Decimal


class Market(Protocol):
    """A venue that trades one instrument."""

    client: Client
    venue: str
    account: str
    instrument: str
    price: Decimal  # of orders that rest

    def standing(self, quantity: Decimal) -> Sequence[Standing]:
        """The orders of a quantity, ever: each intent has a quantity of its own."""
        ...

    def named(self, client_order_id: str) -> Standing | None:
        """One order."""
        ...

    def number(self) -> int:
        """The next intent's."""
        ...

    def quantity(self, number: int) -> Decimal:
        """A quantity that only this intent has, lower than all before."""
        ...

    async def fill(self, client_order_id: str) -> None:
        """Somebody trades with an order, where that can be arranged."""
        ...

    async def remove(self, client_order_id: str) -> None:
        """Ends an order, by whatever way."""
        ...


def agrees(order: Order, standing: Standing | None) -> bool:
    """Whether the daemon says what the venue says, and is sure of it."""
    ending = order.cancel_requested and order.status is not OrderStatus.CANCELED
    if order.status in UNANSWERED or ending:
        return False
    if standing is None:
        return order.status is OrderStatus.REJECTED
    said = order.status.name, order.filled_quantity, order.spec.quantity, order.spec.price
    return said == (standing.status, standing.filled, standing.quantity, standing.price)


class Place:
    """An order that rests; with `price` None one that takes what there is."""

    def __init__(self, market: Market, resting: bool = True) -> None:
        self._market = market
        number = market.number()
        self._id = f"place-{number}"
        self._quantity = market.quantity(number)
        self._price = market.price if resting else None
        # What takes from the book does not run out of money when it goes both ways.
        self._side = Side.SELL if self._price is None and number % 2 else Side.BUY

    async def ask(self) -> str:
        market = self._market
        trading = market.client.trading
        while True:
            try:
                order = await trading.place_order(
                    venue=market.venue,
                    account=market.account,
                    instrument=market.instrument,
                    side=self._side,
                    type=OrderType.LIMIT if self._price else OrderType.MARKET,
                    quantity=self._quantity,
                    price=self._price,
                    request_id=self._id,
                    timeout=200,
                )
            except cambist.Error as error:
                if error.reason == "ORDER_REJECTED":
                    return REJECTED
                if error.reason not in AGAIN:
                    raise
                await asyncio.sleep(0.05)
                continue
            while order.status in UNANSWERED:
                await asyncio.sleep(0.02)
                order = await trading.get_order(account=market.account, request_id=self._id)
            return REJECTED if order.status is OrderStatus.REJECTED else DONE

    async def known(self) -> bool:
        market = self._market
        there = market.standing(self._quantity)
        try:
            order = await market.client.trading.get_order(
                account=market.account, request_id=self._id
            )
        except cambist.OrderNotFound:
            return not there
        return agrees(order, there[0] if there else None)

    async def effects(self) -> int:
        return len(self._market.standing(self._quantity))

    async def meanwhile(self, random: Random) -> None:
        if self._price and random.random() < 0.2:
            for one in self._market.standing(self._quantity):
                await self._market.fill(one.client_order_id)

    async def over(self) -> None:
        for one in self._market.standing(self._quantity):
            await self._market.remove(one.client_order_id)


async def placed(market: Market) -> Order:
    """An order that rests, for what is to be done with it."""
    number = market.number()
    order = await market.client.trading.place_order(
        venue=market.venue,
        account=market.account,
        instrument=market.instrument,
        side=Side.BUY,
        quantity=market.quantity(number),
        price=market.price,
        request_id=f"rest-{number}",
        timeout=200,
    )
    assert order.status is OrderStatus.OPEN, order
    return order


class Cancel:
    """The end of an order that rests."""

    def __init__(self, market: Market, order: Order) -> None:
        self._market = market
        self._order = order.client_order_id
        self._id = f"cancel-{market.number()}"

    async def ask(self) -> str:
        trading, account = self._market.client.trading, self._market.account
        while True:
            try:
                order = await trading.cancel_order(
                    self._order, account=account, request_id=self._id, timeout=200
                )
            except cambist.Error as error:
                if error.reason not in AGAIN:
                    raise
                await asyncio.sleep(0.05)
                continue
            while order.status is not OrderStatus.CANCELED:
                assert order.status is OrderStatus.OPEN, order
                await asyncio.sleep(0.02)
                order = await trading.get_order(self._order, account=account)
            return DONE

    async def known(self) -> bool:
        order = await self._market.client.trading.get_order(
            self._order, account=self._market.account
        )
        return agrees(order, self._market.named(self._order))

    async def effects(self) -> int:
        standing = self._market.named(self._order)
        assert standing is not None
        return int(standing.status == "CANCELED")

    async def meanwhile(self, random: Random) -> None:
        return None

    async def over(self) -> None:
        return None


class Replace:
    """Another price and quantity for an order that rests; or, `smaller`, a lower quantity only,
    which venues do in place that otherwise make a new order of it."""

    def __init__(self, market: Market, order: Order, smaller: bool) -> None:
        self._market = market
        self._order = order
        number = market.number()
        self._id = f"replace-{number}"
        self._quantity = market.quantity(number)
        self._price = market.price if smaller else market.price + 1

    async def ask(self) -> str:
        trading, account = self._market.client.trading, self._market.account
        while True:
            try:
                order = await trading.replace_order(
                    self._order.client_order_id,
                    account=account,
                    quantity=self._quantity,
                    price=self._price,
                    request_id=self._id,
                    timeout=200,
                )
            except cambist.Error as error:
                if error.reason not in AGAIN:
                    raise
                await asyncio.sleep(0.05)
                continue
            assert order.status is OrderStatus.OPEN, order
            assert (order.spec.quantity, order.spec.price) == (self._quantity, self._price), order
            return DONE

    async def known(self) -> bool:
        """The old order and, where there is one, the new."""
        market = self._market
        ids = {one.client_order_id for one in market.standing(self._quantity)}
        for id in ids | {self._order.client_order_id}:
            try:
                order = await market.client.trading.get_order(id, account=market.account)
            except cambist.OrderNotFound:
                return False
            if order.external or not agrees(order, market.named(id)):
                return False
        return True

    async def effects(self) -> int:
        live = [
            one
            for one in (
                *self._market.standing(self._quantity),
                self._market.named(self._order.client_order_id),
            )
            if one is not None and one.status == "OPEN"
        ]
        assert len({one.client_order_id for one in live}) == 1, live
        return len(self._market.standing(self._quantity))

    async def meanwhile(self, random: Random) -> None:
        return None

    async def over(self) -> None:
        for one in self._market.standing(self._quantity):
            await self._market.remove(one.client_order_id)
