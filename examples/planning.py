"""What is traded where, and how a trade becomes orders. No I/O."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from cambist import Instrument
from examples.notebook import Leg, Step
from examples.sizing import EXACT, Market, Trade

# A pool leg that had no effect is sent again at a worse limit: what was sold must be bought back.
WORSE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is traded where."""

    exchange: str = "paper"
    account: str = "paper"
    instrument: str = "ETH-USDC"
    pool_venue: str = "uniswap_v2@ethereum_local"
    pool_instrument: str = "WETH-USDC"
    wallet: str = "trader"
    clip: Decimal = Decimal(1)  # the most base of one step
    pace: float = 0.0  # seconds between steps, for who wants to watch
    gas: Decimal = Decimal("0.00025")  # native coin; what a step's gas is taken to cost beforehand


def affordable(market: Market, quote: Decimal) -> Decimal:
    """Base that the wallet's quote can buy from the pool, with a margin for the limit."""
    return EXACT.divide(quote, market.pool.mid * Decimal("1.05"))


def new_step(settings: Settings, prefix: str, number: int, trade: Trade) -> Step:
    """The trade as a step that begins on the exchange."""
    return Step(
        number=number,
        exchange=Leg(
            request_id=f"{prefix}-{number}-exchange",
            account=settings.account,
            venue=settings.exchange,
            instrument=settings.instrument,
            sell=trade.sell_on_exchange,
            quantity=plain(trade.quantity),
            limit=plain(trade.exchange_limit),
        ),
        expected_profit=plain(trade.profit),
    )


def pool_leg(
    settings: Settings, prefix: str, step: Step, quantity: Decimal, on_pool: Instrument
) -> Leg:
    """With a limit that keeps the step from losing; worse ones after that had no effect."""
    sell = not step.exchange.sell
    slack = WORSE * len(step.pool)
    limit = Decimal(step.exchange.limit) * (1 - slack if sell else 1 + slack)
    ticks = EXACT.divide(limit, on_pool.price_tick)
    ticks = ticks.to_integral_value(ROUND_FLOOR if sell else ROUND_CEILING)
    return Leg(
        request_id=f"{prefix}-{step.number}-pool-{len(step.pool) + 1}",
        account=settings.wallet,
        venue=settings.pool_venue,
        instrument=on_pool.id,
        sell=sell,
        quantity=plain(quantity),
        limit=plain(EXACT.multiply(ticks, on_pool.price_tick)),
    )


def plain(value: Decimal) -> str:
    """Without an exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
