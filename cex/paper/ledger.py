"""What spot accounts own and have promised. Pure: no I/O, no clock, exact Decimals.

Rules
- A resting limit order reserves what it may give: price times quantity in quote for a buy, the
  quantity in base for a sell. `available` is `total` less the reservations.
- A stop order reserves nothing until it triggers; it expires then if the balance is not there.
- The fee is taken from what a trade receives: base for a buy, quote for a sell. So a reservation
  never has to contain a fee.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from core.money import ZERO, text
from core.orders import OrderRequest, OrderStatus, Side


@dataclass(slots=True, eq=False)
class OpenOrder:
    """An order that is not final, as the venue keeps it."""

    number: int  # the venue's order id
    request: OrderRequest
    priority: int  # later is larger; a replace that loses the queue gets a new one
    create_time: int
    update_time: int
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    active: bool = True  # False while a stop waits for its trigger
    held: bool = False  # whether the ledger counts it
    reason: str = ""

    @property
    def remaining(self) -> Decimal:
        """What may still fill."""
        return self.request.quantity - self.filled


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee: paid is positive."""

    amount: Decimal
    asset: str


class Ledger(Protocol):
    """What clearing asks of an account's ledger, spot or margin."""

    totals: dict[str, Decimal]
    touched: set[str]  # assets whose balance changed since it was last emptied
    moved: set[str]  # instruments whose position changed since it was last emptied

    def available(self, asset: str) -> Decimal:
        """What an order may use; never negative."""
        ...

    def shortfall(
        self, request: OrderRequest, quantity: Decimal, notional: Decimal, rate: Decimal
    ) -> str | None:
        """Why the account cannot afford `quantity` for `notional`, in words; None if it can."""
        ...

    def hold(self, order: OpenOrder) -> None:
        """Counts an order's reservation."""
        ...

    def unhold(self, order: OpenOrder) -> None:
        """Takes the reservation back; call it before the order changes."""
        ...

    def settle(
        self, instrument: str, side: Side, price: Decimal, quantity: Decimal, rate: Decimal
    ) -> Charge:
        """Books a trade and its fee (`rate` is a fraction of what it is taken from)."""
        ...


def assets(instrument: str) -> tuple[str, str]:
    """Base and quote of an instrument id: BTC-USDT, BTC-USDT-PERP."""
    base, quote = instrument.split("-")[:2]
    return base, quote


class SpotLedger:
    """Balances of one spot account."""

    def __init__(self, totals: dict[str, Decimal]) -> None:
        self.totals = totals
        self.reserved: dict[str, Decimal] = {}
        self.touched: set[str] = set()
        self.moved: set[str] = set()  # stays empty: spot has no positions

    def available(self, asset: str) -> Decimal:
        return self.totals.get(asset, ZERO) - self.reserved.get(asset, ZERO)

    def shortfall(
        self, request: OrderRequest, quantity: Decimal, notional: Decimal, rate: Decimal
    ) -> str | None:
        asset, amount = _gives(request, quantity, notional)
        available = self.available(asset)
        if amount <= available:
            return None
        return f"needs {text(amount)} {asset}, available are {text(available)}"

    def hold(self, order: OpenOrder) -> None:
        if order.active and not order.held:
            order.held = True
            self._reserve(order, 1)

    def unhold(self, order: OpenOrder) -> None:
        if order.held:
            order.held = False
            self._reserve(order, -1)

    def settle(
        self, instrument: str, side: Side, price: Decimal, quantity: Decimal, rate: Decimal
    ) -> Charge:
        base, quote = assets(instrument)
        notional = price * quantity
        if side is Side.BUY:
            charge = Charge(quantity * rate, base)
            self._add(base, quantity - charge.amount)
            self._add(quote, -notional)
        else:
            charge = Charge(notional * rate, quote)
            self._add(base, -quantity)
            self._add(quote, notional - charge.amount)
        return charge

    def _reserve(self, order: OpenOrder, sign: int) -> None:
        price = order.request.price or ZERO
        asset, amount = _gives(order.request, order.remaining, price * order.remaining)
        self.reserved[asset] = self.reserved.get(asset, ZERO) + sign * amount
        self.touched.add(asset)

    def _add(self, asset: str, amount: Decimal) -> None:
        self.totals[asset] = self.totals.get(asset, ZERO) + amount
        self.touched.add(asset)


def _gives(request: OrderRequest, quantity: Decimal, notional: Decimal) -> tuple[str, Decimal]:
    """What an order hands over when it fills: the asset and how much."""
    base, quote = assets(request.instrument)
    return (quote, notional) if request.side is Side.BUY else (base, quantity)
