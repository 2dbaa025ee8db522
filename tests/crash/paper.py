"""Orders on the paper exchange; its own file says what happened there."""

import itertools
import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import cambist
from core.money import text
from core.orders import OrderStatus
from tests.crash.orders import Cancel, Place, Replace, Standing, placed
from tests.crash.trial import Intent

_SELECT = "SELECT client_order_id, status, quantity, price, filled FROM orders"


class PaperMarket:
    """`tests.crash.orders.Market` on the sandbox's spot market."""

    venue, account, instrument = "paper", "paper", "ETH-USDC"
    price = Decimal(1000)

    def __init__(self, client: cambist.Client, data_dir: Path) -> None:
        self.client = client
        self._path = data_dir / "paper.sqlite"
        self._numbers = itertools.count(1)
        self.kinds = {
            "order": self._place,
            "market order": self._take,
            "cancel": self._cancel,
            "replace": self._replace,
        }

    async def _place(self) -> Intent:
        return Place(self)

    async def _take(self) -> Intent:
        return Place(self, resting=False)

    async def _cancel(self) -> Intent:
        return Cancel(self, await placed(self))

    async def _replace(self) -> Intent:
        return Replace(self, await placed(self), smaller=False)

    def number(self) -> int:
        return next(self._numbers)

    def quantity(self, number: int) -> Decimal:
        return Decimal("0.5") - number * Decimal("0.0001")

    def standing(self, quantity: Decimal) -> Sequence[Standing]:
        return self._read(f"{_SELECT} WHERE quantity = ?", text(quantity))

    def named(self, client_order_id: str) -> Standing | None:
        found = self._read(f"{_SELECT} WHERE client_order_id = ?", client_order_id)
        return found[0] if found else None

    def everything(self) -> Sequence[Standing]:
        """All orders, ever."""
        return self._read(f"{_SELECT} WHERE account = ?", self.account)

    def trades(self) -> Sequence[str]:
        """The ids of all trades."""
        db = self._open()
        try:
            found = db.execute("SELECT trade_id FROM fills WHERE account = ?", (self.account,))
            return [str(row[0]) for row in found]
        finally:
            db.close()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)

    def _read(self, sql: str, value: str) -> Sequence[Standing]:
        db = self._open()
        try:
            return [
                Standing(
                    id,
                    OrderStatus(status).name,
                    Decimal(quantity),
                    None if price is None else Decimal(price),
                    Decimal(filled),
                )
                for id, status, quantity, price, filled in db.execute(sql, (value,))
            ]
        finally:
            db.close()

    async def fill(self, client_order_id: str) -> None:
        """Nobody does while no daemon runs."""

    async def remove(self, client_order_id: str) -> None:
        found = self.named(client_order_id)
        if found is not None and found.status == "OPEN":
            await self.client.trading.cancel_order(client_order_id, account=self.account)
