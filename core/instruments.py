"""What can be traded: an instrument of a venue and the rules that its orders must keep."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from core.money import ZERO, is_multiple, text

_ONE = Decimal(1)


class InstrumentKind(Enum):
    """What an instrument is."""

    SPOT = 1
    PERPETUAL = 2
    POOL = 3


class InstrumentStatus(Enum):
    """Whether a venue takes orders for an instrument now."""

    TRADING = 1
    CANCEL_ONLY = 2
    HALTED = 3
    DELISTED = 4


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market of one venue.

    Quantities are in base units and prices in quote a base unit, whatever the venue counts in;
    `contract_size` (base units a contract) is for the venue's own encoder, and so is `venue_code`,
    where some calls want another name of it than `venue_symbol`, a number say. A limit of zero
    means that the venue states none. `price_digits` is how many significant digits a price may have
    at most, None for any number: such a venue's tick grows with the price (`tick_at`).
    """

    venue: str
    id: str  # BTC-USDT, BTC-USDT-PERP
    venue_symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    settle: str
    price_tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal = ZERO
    max_quantity: Decimal = ZERO
    min_notional: Decimal = ZERO
    contract_size: Decimal = Decimal(1)
    status: InstrumentStatus = InstrumentStatus.TRADING
    venue_code: str = ""
    price_digits: int | None = None
    # Whether its assets are what their symbols say; not so in a pool of tokens that are on no list,
    # where anybody may have made a "USDC", and an amount of it is worth nothing.
    trusted: bool = True

    def tick_at(self, price: Decimal) -> Decimal:
        """The step between prices near this one: larger than `price_tick` where the venue limits
        the significant digits of a price. It allows whole numbers all the same."""
        if self.price_digits is None or not price:
            return self.price_tick
        coarse = Decimal(1).scaleb(price.adjusted() - self.price_digits + 1)
        return max(self.price_tick, min(coarse, _ONE))

    def breach(self, quantity: Decimal, price: Decimal | None) -> str | None:
        """The first rule that an order would break, in words with the numbers, or None.

        `price` is None for a market order, whose notional is not known beforehand.
        """
        if quantity < self.min_quantity:
            return f"quantity {text(quantity)} is below the minimum {text(self.min_quantity)}"
        if self.max_quantity and quantity > self.max_quantity:
            return f"quantity {text(quantity)} is above the maximum {text(self.max_quantity)}"
        if not is_multiple(quantity, self.quantity_step):
            return f"quantity {text(quantity)} is not a multiple of {text(self.quantity_step)}"
        if price is None:
            return None
        tick = self.tick_at(price)
        if not is_multiple(price, tick):
            return f"price {text(price)} is not a multiple of the tick {text(tick)}"
        if price * quantity < self.min_notional:
            return (
                f"notional {text(price * quantity)} {self.quote} is below the minimum "
                f"{text(self.min_notional)}"
            )
        return None
