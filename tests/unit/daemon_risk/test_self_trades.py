"""Which orders of this daemon would trade with each other."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from core.clock import ManualClock
from core.errors import Reason, Refused
from core.orders import Order, OrderRequest, OrderType, Side
from daemon.risk.desk import RiskDesk
from daemon.risk.halts import Halts
from daemon.risk.limits import Limits

RESTING = OrderRequest(
    "one", "main", "binance", "BTC-USDT", Side.SELL, OrderType.LIMIT, Decimal(1), Decimal(100)
)
COMING = replace(RESTING, client_order_id="two", account="other", side=Side.BUY)


def desk(paper: set[str]) -> Any:
    """With one resting order of the bot `a`."""
    exposure: Any = SimpleNamespace(
        open_orders=lambda venue, instrument: [Order(RESTING)], root_of=lambda order: "a"
    )
    instruments: Any = SimpleNamespace(is_paper=lambda account: account in paper)
    clock = ManualClock()
    halts = Halts((), clock, lambda: None, lambda kind: kind)
    prices: Any = None
    return RiskDesk(Limits(()), halts, prices, instruments, exposure, clock)


def trades(request: OrderRequest, root: str = "b", paper: frozenset[str] = frozenset()) -> bool:
    admission = SimpleNamespace(request=request, root=root, replaces="")
    try:
        desk(set(paper))._check_self_trade(admission)
    except Refused as error:
        return error.reason is Reason.SELF_TRADE
    return False


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (COMING, True),
        (replace(COMING, price=Decimal(99)), False),
        (replace(COMING, type=OrderType.MARKET, price=None), True),
        (replace(COMING, side=Side.SELL), False),
    ],
)
def test_what_crosses_an_order_of_another_bot(request_: OrderRequest, expected: bool) -> None:
    assert trades(request_) is expected


def test_a_bot_with_itself_is_for_the_venue() -> None:
    assert not trades(replace(COMING, account="main"), root="a")
    assert trades(replace(COMING, account="main"), root="b")


@pytest.mark.parametrize("paper", [{"main"}, {"other"}])
def test_pretended_money_meets_no_real_order(paper: set[str]) -> None:
    assert not trades(COMING, paper=frozenset(paper))
    assert trades(COMING, paper=frozenset({"main", "other"}))
