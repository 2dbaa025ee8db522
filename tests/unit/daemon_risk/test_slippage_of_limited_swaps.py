"""A limit on slippage is not got round by a limit price that is far away."""

from dataclasses import replace
from decimal import Decimal

from core.swaps import Quote, SwapLimit
from core.tokens import Token
from daemon.services.swaps import _slippage

WETH, USDC = Token("ethereum", "0x1", "WETH", 18), Token("ethereum", "0x2", "USDC", 6)
QUOTE = Quote(
    id="q",
    venue="v",
    network="ethereum",
    token_in=WETH,
    token_out=USDC,
    exact_in=True,
    units_in=10**18,
    units_out=3_000 * 10**6,
    guaranteed=2_985 * 10**6,
    slippage=Decimal("0.005"),
    price=Decimal(3_000),
    price_impact=Decimal(0),
    pools=("0x3",),
    block=1,
    create_time=0,
    expire_time=0,
)


def test_a_part_has_its_limit_price_alone_to_hold_it() -> None:
    assert _slippage(QUOTE) == Decimal("0.005")
    whole = replace(QUOTE, limit=SwapLimit(Decimal(1_500), False))
    assert _slippage(whole) == Decimal("0.005")
    part = SwapLimit(Decimal(1_500), True)
    sold = replace(QUOTE, guaranteed=1_500 * 10**6, limit=part)
    assert _slippage(sold) == Decimal("0.5")
    bought = replace(QUOTE, exact_in=False, guaranteed=3 * 10**18, limit=part)
    assert _slippage(bought) == 2
