"""An order on a pool: an approval, a swap, and a fill from its receipt."""

import asyncio
from decimal import Decimal
from random import Random

import cambist
from cambist import OrderStatus, OrderType, Side
from tests.crash.orders import UNANSWERED
from tests.crash.transactions import AGAIN, VENUE, WALLET, Ledger
from tests.crash.trial import DONE, REJECTED, Intent


class PoolOrder:
    """Sells wrapped coins at the market."""

    def __init__(self, ledger: Ledger, number: int, block: int) -> None:
        self._ledger = ledger
        self._block = block
        self._id = f"pool-order-{number}"
        self._quantity = Decimal("0.001") + number * Decimal("0.000001")

    async def ask(self) -> str:
        trading = self._ledger.client.trading
        while True:
            try:
                order = await trading.place_order(
                    venue=VENUE,
                    account=WALLET,
                    instrument="WETH-USDC",
                    side=Side.SELL,
                    type=OrderType.MARKET,
                    quantity=self._quantity,
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
            while order.status in UNANSWERED or order.status is OrderStatus.OPEN:
                await asyncio.sleep(0.02)
                order = await trading.get_order(account=WALLET, request_id=self._id)
            return DONE if order.status is OrderStatus.FILLED else REJECTED

    async def known(self) -> bool:
        """Its end, and all of its fill, once."""
        trading, there = self._ledger.client.trading, await self.effects()
        try:
            order = await trading.get_order(account=WALLET, request_id=self._id)
        except cambist.OrderNotFound:
            return not there
        if order.status in UNANSWERED or order.status is OrderStatus.OPEN:
            return False
        fills = await trading.list_fills(
            account=WALLET, client_order_id=order.client_order_id, page_size=10
        )
        sold = sum(fill.quantity for fill in fills)
        return sold == order.filled_quantity == there * self._quantity

    async def effects(self) -> int:
        """Swaps in the blocks since; an approval goes to the token and is none."""
        return len(await self._ledger.swaps(self._block, approvals=1))

    async def meanwhile(self, random: Random) -> None:
        return None

    async def over(self) -> None:
        assert not await self._ledger.chain.waiting(self._ledger.address)


async def pool_order(ledger: Ledger) -> Intent:
    """One of them."""
    return PoolOrder(ledger, *await ledger.begun())
