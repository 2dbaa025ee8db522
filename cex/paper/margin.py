"""What perpetual accounts hold: margin, positions, profit. Pure: no I/O, no clock, exact Decimals.

Rules (linear perpetuals, one-way positions, cross margin an asset)
- A position is a signed quantity and its signed cost (the sum of quantity times price); entry
  price is cost / quantity. Reducing releases cost in proportion, rounded to 12 decimals; the
  difference to the trade's notional is realised profit and goes to the balance at once.
- Initial margin of an instrument is its largest possible notional (the position, or the position
  after all its buys or all its sells have filled; reduce-only orders do not count) / leverage.
- Free margin is the balance less the initial margins, less unrealised losses. Unrealised gains
  do not count. An order that raises the initial margin needs free margin for it and for its fee.
- When balance and unrealised profit of an asset fall below the sum of maintenance margins
  (|quantity| times mark times the instrument's fraction), the account's positions are closed at
  mark, the largest first, until that is mended; see `due_liquidation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from cex.paper.ledger import Charge, OpenOrder, assets
from cex.paper.markets import Terms
from core.money import ZERO, text
from core.orders import OrderRequest, Side

DEFAULT_LEVERAGE = 10
_COST_GRAIN = Decimal("1E-12")
_MARGIN_GRAIN = Decimal("1E-8")


@dataclass(slots=True, eq=False)
class Holding:
    """One position and what its open orders may add to it."""

    instrument: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO  # signed like the quantity
    realized: Decimal = ZERO  # without fees and funding
    leverage: int = DEFAULT_LEVERAGE
    mark: Decimal = ZERO
    buys: Decimal = ZERO
    buys_notional: Decimal = ZERO
    sells: Decimal = ZERO
    sells_notional: Decimal = ZERO

    @property
    def unrealized(self) -> Decimal:
        """Profit if it were closed at mark."""
        return self.quantity * self.mark - self.cost

    @property
    def entry(self) -> Decimal:
        """Average price paid; 0 when flat."""
        return (self.cost / self.quantity).quantize(_COST_GRAIN) if self.quantity else ZERO

    def margin(
        self, side: Side | None = None, more: Decimal = ZERO, cost: Decimal = ZERO
    ) -> Decimal:
        """Initial margin, with a further order of `side` counted in."""
        buys, buys_cost, sells, sells_cost = (
            (self.buys + more, self.buys_notional + cost, self.sells, self.sells_notional)
            if side is Side.BUY
            else (self.buys, self.buys_notional, self.sells + more, self.sells_notional + cost)
        )
        size = abs(self.cost)
        notional = max(
            size,
            _after(self.quantity, size, buys, buys_cost),
            _after(-self.quantity, size, sells, sells_cost),
        )
        return (notional / self.leverage).quantize(_MARGIN_GRAIN, ROUND_CEILING)

    def trade(self, side: Side, price: Decimal, quantity: Decimal) -> Decimal:
        """Books a trade; the profit that it realises."""
        signed = quantity if side is Side.BUY else -quantity
        profit = ZERO
        if self.quantity * signed < 0:
            closed = min(quantity, abs(self.quantity))
            released = self.cost
            if closed != abs(self.quantity):
                share = self.cost * closed / abs(self.quantity)
                released = share.quantize(_COST_GRAIN, ROUND_HALF_EVEN)
            direction = 1 if self.quantity > 0 else -1
            profit = direction * closed * price - released
            self.cost -= released
            self.quantity -= direction * closed
            self.realized += profit
            signed += direction * closed
        self.quantity += signed
        self.cost += signed * price
        return profit


def _after(quantity: Decimal, size: Decimal, more: Decimal, cost: Decimal) -> Decimal:
    """Notional after `more` was added in the direction in which `quantity` counts."""
    if quantity >= 0:
        return size + cost
    over = more + quantity
    return cost * over / more if over > 0 else ZERO


class MarginLedger:
    """Balances and positions of one perpetual account."""

    def __init__(
        self,
        totals: dict[str, Decimal],
        holdings: dict[str, Holding],
        terms: Callable[[str], Terms],
    ) -> None:
        self.totals = totals
        self.holdings = holdings
        self.touched: set[str] = set()
        self.moved: set[str] = set()
        self._terms = terms

    def holding(self, instrument: str) -> Holding:
        """The holding of an instrument, flat if there was none."""
        found = self.holdings.get(instrument)
        if found is None:
            leverage = min(DEFAULT_LEVERAGE, self._terms(instrument).max_leverage)
            found = self.holdings[instrument] = Holding(instrument, leverage=leverage)
        return found

    def free(self, asset: str) -> Decimal:
        """Free margin; negative while losses exceed it."""
        mine = self._of(asset)
        losses = min(ZERO, sum((h.unrealized for h in mine), ZERO))
        return self.totals.get(asset, ZERO) + losses - sum((h.margin() for h in mine), ZERO)

    def available(self, asset: str) -> Decimal:
        return max(ZERO, self.free(asset))

    def shortfall(
        self, request: OrderRequest, quantity: Decimal, notional: Decimal, rate: Decimal
    ) -> str | None:
        if request.reduce_only:
            return None
        asset = assets(request.instrument)[1]
        holding = self.holding(request.instrument)
        more = holding.margin(request.side, quantity, notional) - holding.margin()
        if more <= 0:
            return None
        need, free = more + max(ZERO, notional * rate), self.free(asset)
        if need <= free:
            return None
        return (
            f"needs {text(need)} {asset} of margin at leverage {holding.leverage}, "
            f"available are {text(max(ZERO, free))}"
        )

    def hold(self, order: OpenOrder) -> None:
        if order.active and not order.held and not order.request.reduce_only:
            order.held = True
            self._count(order, 1)

    def unhold(self, order: OpenOrder) -> None:
        if order.held:
            order.held = False
            self._count(order, -1)

    def settle(
        self, instrument: str, side: Side, price: Decimal, quantity: Decimal, rate: Decimal
    ) -> Charge:
        asset = assets(instrument)[1]
        charge = Charge(price * quantity * rate, asset)
        holding = self.holding(instrument)
        holding.mark = holding.mark or price  # until the first mark price comes
        profit = holding.trade(side, price, quantity)
        self.totals[asset] = self.totals.get(asset, ZERO) + profit - charge.amount
        self.touched.add(asset)
        self.moved.add(instrument)
        return charge

    def pay(self, asset: str, amount: Decimal) -> None:
        """Adds to a balance: funding, or what the insurance fund takes over."""
        self.totals[asset] = self.totals.get(asset, ZERO) + amount
        self.touched.add(asset)

    def mark(self, instrument: str, price: Decimal) -> bool:
        """Sets the mark price; whether there is a position that it values."""
        holding = self.holdings.get(instrument)
        if holding is None:
            return False
        holding.mark = price
        return holding.quantity != 0

    def set_leverage(self, instrument: str, leverage: int) -> str | None:
        """Changes an instrument's leverage; why not, in words, when the margin does not allow."""
        holding = self.holding(instrument)
        before, holding.leverage = holding.leverage, leverage
        asset = assets(instrument)[1]
        free = self.free(asset)
        if leverage < before and free < 0:
            holding.leverage = before
            return f"leverage {leverage} needs {text(-free)} {asset} more of free margin"
        self.moved.add(instrument)
        self.touched.add(asset)
        return None

    def maintenance(self, asset: str) -> Decimal:
        """The least equity that keeps the positions of an asset alive."""
        return sum((self._maintenance(h) for h in self._of(asset)), ZERO)

    def equity(self, asset: str) -> Decimal:
        """Balance and unrealised profit."""
        return self.totals.get(asset, ZERO) + sum((h.unrealized for h in self._of(asset)), ZERO)

    def due_liquidation(self) -> Holding | None:
        """The position to close now: the largest of an asset whose margin ran out."""
        exposed = {assets(h.instrument)[1] for h in self.holdings.values() if h.quantity}
        for asset in sorted(exposed):
            if self.equity(asset) < self.maintenance(asset):
                open_ = [h for h in self._of(asset) if h.quantity]
                return max(open_, key=lambda h: (abs(h.quantity * h.mark), h.instrument))
        return None

    def liquidation_price(self, holding: Holding) -> Decimal | None:
        """The mark at which the account is liquidated, other prices standing still; None where
        no price does it."""
        asset = assets(holding.instrument)[1]
        fraction = self._terms(holding.instrument).maintenance
        slope = holding.quantity - abs(holding.quantity) * fraction
        if not slope:
            return None
        spare = self.equity(asset) - self.maintenance(asset)
        price = holding.mark - spare / slope
        return price.quantize(_MARGIN_GRAIN) if price > 0 else None

    def _maintenance(self, holding: Holding) -> Decimal:
        if not holding.quantity:
            return ZERO
        return abs(holding.quantity) * holding.mark * self._terms(holding.instrument).maintenance

    def _of(self, asset: str) -> list[Holding]:
        return [h for h in self.holdings.values() if assets(h.instrument)[1] == asset]

    def _count(self, order: OpenOrder, sign: int) -> None:
        holding, request = self.holding(order.request.instrument), order.request
        quantity = sign * order.remaining
        notional = quantity * (request.price or ZERO)
        if request.side is Side.BUY:
            holding.buys += quantity
            holding.buys_notional += notional
        else:
            holding.sells += quantity
            holding.sells_notional += notional
        self.touched.add(assets(request.instrument)[1])
