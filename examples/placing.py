"""Places one order and follows it to its end, whatever happens to the daemon meanwhile.

The outcome of a call that failed is decided by evidence only: REJECTED, or refused and unknown to
the daemon, means that it had no effect; anything else is asked again, with the same request id.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import cambist
from cambist import Client, Order, OrderStatus, Side, TimeInForce
from examples.notebook import Leg

FINAL = {
    OrderStatus.FILLED,
    OrderStatus.CANCELED,
    OrderStatus.REJECTED,
    OrderStatus.EXPIRED,
}
# How long a venue may be away before the bot gives up, in seconds.
PATIENCE = 120.0


T = TypeVar("T")


class GaveUp(Exception):
    """The outcome of an order could not be found out. The notebook has its request id."""


class OrderWatch:
    """The latest state of each order, told by the event stream, by client order id."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._changed = asyncio.Event()

    def saw(self, order: Order) -> None:
        """Takes an order's event."""
        self._orders[order.client_order_id] = order
        self._changed.set()

    async def final(self, client: Client, order: Order) -> Order:
        """The order once it is final. Asks now and then as well: an event may be long past."""
        deadline = time.monotonic() + PATIENCE
        while order.status not in FINAL:
            if time.monotonic() > deadline:
                raise GaveUp(f"order {order.client_order_id} stays {order.status}")
            self._changed.clear()
            try:
                async with asyncio.timeout(0.5):
                    await self._changed.wait()
            except TimeoutError:
                order = await client.trading.get_order(
                    order.client_order_id, account=order.spec.account
                )
            order = self._orders.get(order.client_order_id, order)
        return order


async def settle(client: Client, watch: OrderWatch, leg: Leg) -> Decimal:
    """Places the order of a leg, or finds it again, and gives what it filled when it is final."""
    order = await _placed(client, leg)
    if order is None:
        return Decimal(0)
    leg.client_order_id = order.client_order_id
    order = await watch.final(client, order)
    leg.reason = order.reason or leg.reason
    return order.filled_quantity


async def _placed(client: Client, leg: Leg) -> Order | None:
    """The order; None when there is proof that it never was."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await client.trading.place_order(
                leg.venue,
                leg.instrument,
                Side.SELL if leg.sell else Side.BUY,
                leg.quantity,
                account=leg.account,
                price=leg.limit,
                time_in_force=TimeInForce.IOC,
                request_id=leg.request_id,
            )
        except cambist.Error as error:
            leg.reason = str(error)
            outcome = error.metadata.get("outcome", "UNKNOWN")
            passing = isinstance(error, cambist.Unavailable | cambist.ResourceExhausted)
            if outcome == "REJECTED" or (outcome == "NOT_SENT" and not passing):
                # Where the daemon knows it, it has an end too, and what was paid on the way there
                # (the gas of an approval) is found under its id.
                return await _known(client, leg)
            if time.monotonic() > deadline:
                raise GaveUp(f"request {leg.request_id}: {error}") from error
            await asyncio.sleep(0.2)


async def _known(client: Client, leg: Leg) -> Order | None:
    try:
        return await client.trading.get_order(account=leg.account, request_id=leg.request_id)
    except cambist.OrderNotFound:
        return None


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks until what is needed answers: after a restart, a chain or a venue takes a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await ask()
        except cambist.Unavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
