"""Ticks that depend on the price, where a venue limits its significant digits."""

from dataclasses import replace
from decimal import Decimal

import pytest

from core.instruments import Instrument, InstrumentKind

PLAIN = Instrument(
    "somewhere", "BTC-USDC-PERP", "BTC", InstrumentKind.PERPETUAL, "BTC", "USDC", "USDC",
    price_tick=Decimal("0.1"), quantity_step=Decimal("0.00001"),
)  # fmt: skip
FIVE = replace(PLAIN, price_digits=5)
FINE = replace(FIVE, price_tick=Decimal("0.000001"))


@pytest.mark.parametrize(
    ("instrument", "price", "tick"),
    [
        (PLAIN, "123456.7", "0.1"),
        (FIVE, "123456", "1"),  # whole numbers may have more digits
        (FIVE, "12345", "1"),
        (FIVE, "1234.5", "0.1"),
        (FIVE, "123.4", "0.1"),  # 0.01 by its digits, but not by its decimals
        (FINE, "1234.5", "0.1"),
        (FINE, "1.2345", "0.0001"),
        (FINE, "0.012345", "0.000001"),
        (FINE, "0.001", "0.000001"),
        (FINE, "0", "0.000001"),
    ],
)
def test_the_tick_near_a_price(instrument: Instrument, price: str, tick: str) -> None:
    assert instrument.tick_at(Decimal(price)) == Decimal(tick)


@pytest.mark.parametrize(
    ("instrument", "price", "allowed"),
    [
        (PLAIN, "123456.7", True),
        (PLAIN, "123456.75", False),
        # the examples of https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/
        # tick-and-lot-size
        (FINE, "1234.5", True),
        (FINE, "1234.56", False),
        (FINE, "0.001234", True),
        (FINE, "0.0012345", False),
        (replace(FINE, price_tick=Decimal("0.00001")), "0.01234", True),
        (replace(FINE, price_tick=Decimal("0.00001")), "0.012345", False),
        (FINE, "123456", True),
        (FINE, "123456.0", True),
        (FINE, "123456.7", False),
    ],
)
def test_what_price_an_order_may_have(instrument: Instrument, price: str, allowed: bool) -> None:
    breach = instrument.breach(Decimal(1), Decimal(price))
    assert (breach is None) is allowed
    if breach is not None:
        assert "is not a multiple of the tick" in breach
