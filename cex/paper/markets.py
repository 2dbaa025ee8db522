"""The paper exchange's markets: instruments, fees, margin terms and how each market moves."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.instruments import Instrument, InstrumentKind

SPOT_VENUE = "paper"
PERPETUAL_VENUE = "paper_perpetual"


@dataclass(frozen=True, slots=True)
class Terms:
    """What trading an instrument costs. Fractions of notional; a spot fee is taken from what the
    trade receives (base for a buy, quote for a sell), a perpetual's from the margin."""

    maker: Decimal
    taker: Decimal
    max_leverage: int = 1
    maintenance: Decimal = Decimal(0)  # margin below which a position is liquidated
    liquidation_fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Motion:
    """How the simulated public moves a market; one step is one tick of the simulation.

    `volatility` is the standard deviation of a step in millionths of the price, `pull` the number
    of steps in which a deviation from the reference dies away, `spread` the distance of the best
    quotes in millionths. The reference is `start`, or the fair price of the market that this one
    `follows`.
    """

    start: Decimal
    volatility: int
    pull: int
    spread: int
    levels: int  # a side
    level_gap: int  # ticks
    level_quantity: Decimal  # about, of the best level; deeper levels hold more
    taker_chance: int  # percent of steps in which a taker comes
    follows: str = ""


@dataclass(frozen=True, slots=True)
class Market:
    """One row of the table."""

    instrument: Instrument
    terms: Terms
    motion: Motion


def _spot(id: str, tick: str, step: str, motion: Motion) -> Market:
    base, quote = id.split("-")
    instrument = Instrument(
        venue=SPOT_VENUE,
        id=id,
        venue_symbol=id,
        kind=InstrumentKind.SPOT,
        base=base,
        quote=quote,
        settle=quote,
        price_tick=Decimal(tick),
        quantity_step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(1_000_000),
        min_notional=Decimal(5),
    )
    return Market(instrument, Terms(maker=Decimal("0.0005"), taker=Decimal("0.001")), motion)


def _perpetual(id: str, tick: str, step: str, maintenance: str, motion: Motion) -> Market:
    base, quote, _ = id.split("-")
    instrument = Instrument(
        venue=PERPETUAL_VENUE,
        id=id,
        venue_symbol=id,
        kind=InstrumentKind.PERPETUAL,
        base=base,
        quote=quote,
        settle=quote,
        price_tick=Decimal(tick),
        quantity_step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(1_000_000),
        min_notional=Decimal(5),
    )
    terms = Terms(
        maker=Decimal("0.0002"),
        taker=Decimal("0.0005"),
        max_leverage=50,
        maintenance=Decimal(maintenance),
        liquidation_fee=Decimal("0.005"),
    )
    return Market(instrument, terms, motion)


# A step is 250 ms: 75 millionths a step are 1.5 basis points a second. The pull of 4,000 steps
# (1,000 s) keeps a market that runs for days within about 1 % of its start.
MARKETS: tuple[Market, ...] = (
    _spot(
        "BTC-USDT",
        "0.01",
        "0.00001",
        Motion(Decimal(96_000), 120, 4_000, 100, 25, 480, Decimal("0.4"), 60),
    ),
    _spot(
        "ETH-USDC",
        "0.01",
        "0.0001",
        Motion(Decimal(3_060), 60, 4_000, 200, 25, 15, Decimal(4), 50),
    ),
    _spot(
        "ETH-USDT",
        "0.01",
        "0.0001",
        Motion(Decimal(3_060), 40, 400, 200, 25, 15, Decimal(4), 50, "ETH-USDC"),
    ),
    _spot(
        "AVAX-USDC",
        "0.001",
        "0.01",
        Motion(Decimal("30.6"), 90, 4_000, 300, 25, 2, Decimal(150), 40),
    ),
    _spot(
        "SOL-USDC",
        "0.01",
        "0.001",
        Motion(Decimal(180), 150, 4_000, 200, 25, 1, Decimal(30), 40),
    ),
    _perpetual(
        "BTC-USDT-PERP",
        "0.1",
        "0.0001",
        "0.005",
        Motion(Decimal(96_000), 30, 400, 50, 25, 30, Decimal(1), 60, "BTC-USDT"),
    ),
    _perpetual(
        "ETH-USDT-PERP",
        "0.01",
        "0.001",
        "0.01",
        Motion(Decimal(3_060), 30, 400, 100, 25, 10, Decimal(10), 60, "ETH-USDT"),
    ),
)

# What an account holds when it is opened.
INITIAL_BALANCES: dict[InstrumentKind, dict[str, Decimal]] = {
    InstrumentKind.SPOT: {
        "USDT": Decimal(100_000),
        "USDC": Decimal(100_000),
        "BTC": Decimal(2),
        "ETH": Decimal(30),
        "AVAX": Decimal(500),
        "SOL": Decimal(100),
    },
    InstrumentKind.PERPETUAL: {"USDT": Decimal(100_000)},
}


def by_id(markets: Iterable[Market]) -> dict[str, Market]:
    """The rows by instrument id."""
    return {market.instrument.id: market for market in markets}
