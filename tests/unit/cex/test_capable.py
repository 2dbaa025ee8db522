"""What a venue can do is what its tables have."""

from dataclasses import replace

import pytest

from cex.engine import commands
from cex.engine.capable import capabilities
from cex.engine.spec import ChannelSpec
from cex.venues import catalogue
from core.ports import Capability, Channel

TRADING = {
    *(Capability.LIMIT, Capability.MARKET, Capability.POST_ONLY, Capability.IOC),
    *(Capability.ORDER_BOOK, Capability.TRADES, Capability.TICKER, Capability.CANDLES),
    *(Capability.CANCEL_ALL, Capability.FILLS, Capability.BALANCES, Capability.FEES),
}
HOLDING = {
    *(Capability.FUNDING, Capability.REDUCE_ONLY, Capability.POSITIONS, Capability.LEVERAGE),
    Capability.STOP,
}
MODES = {Capability.MARGIN_MODE, Capability.POSITION_MODE, Capability.FUNDING_PAYMENTS}
ALL = {Capability.FOK, Capability.REPLACE}


@pytest.mark.parametrize(
    ("venue", "more"),
    [
        ("binance", {*ALL, Capability.STOP}),
        ("bybit", ALL),
        ("kucoin", {Capability.FOK}),
        ("hyperliquid", {Capability.REPLACE}),
        ("binance_perpetual", {*ALL, *HOLDING, *MODES}),
        ("okx_perpetual", {*ALL, *HOLDING, *MODES}),
        (
            "hyperliquid_perpetual",
            {
                *(Capability.REPLACE, Capability.MARGIN_MODE, Capability.FUNDING_PAYMENTS),
                *HOLDING,
            },
        ),
    ],
)
def test_venues_can_do_what_is_known_of_them(venue: str, more: set[Capability]) -> None:
    assert capabilities(catalogue()[venue]) == TRADING | more


def test_what_a_table_loses_cannot_be_done() -> None:
    spec = catalogue()["binance"]
    operations = {
        kind: operation
        for kind, operation in spec.operations.items()
        if kind is not commands.Replace
    }
    channels: dict[Channel, ChannelSpec] = dict(spec.channels)
    del channels[Channel.CANDLES]
    less = capabilities(replace(spec, operations=operations, channels=channels))
    assert capabilities(spec) - less == {Capability.REPLACE, Capability.CANDLES}
