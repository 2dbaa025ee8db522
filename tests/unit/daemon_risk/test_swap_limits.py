"""What limits say of swaps, and what a day's sum counts."""

from dataclasses import replace
from decimal import Decimal

import pytest

from core.clock import SECOND, ManualClock
from core.errors import Reason, Refused
from daemon.risk.day import DAY, MINUTE, Day, Swapped, quote_of
from daemon.risk.limits import Limit
from daemon.risk.scope import Scope
from daemon.risk.swap_checks import SWAP_CHECKS, Swap

NOW = ManualClock().now() // DAY * DAY + 3600 * SECOND
SWAP = Swap(
    account="trader",
    venues=("router@local", "v2@local"),
    instrument="WETH-USDC",
    assets=frozenset({"WETH", "USDC"}),
    quote="USDC",
    quantity=Decimal(1),
    notional=Decimal(3000),
    slippage=Decimal("0.01"),
)


def taken(day: Day, notional: str = "3000") -> None:
    rest = "trader", "WETH-USDC", "bot", "USDC"
    day.swapped(
        NOW,
        [
            Swapped(NOW // DAY, venue, *rest, number > 0, Decimal(notional))
            for number, venue in enumerate(SWAP.venues)
        ],
    )


@pytest.mark.parametrize(
    ("rule", "bound", "passes"),
    [
        ("order_quantity", "1", True),
        ("order_quantity", "0.9", False),
        ("order_notional", "3000", True),
        ("order_notional", "2999", False),
        ("day_notional", "6000", True),
        ("day_notional", "5999", False),
        ("order_rate", "2", True),
        ("order_rate", "1", False),
        ("slippage", "0.01", True),
        ("slippage", "0.009", False),
    ],
)
def test_each_rule_that_holds_for_swaps(rule: str, bound: str, passes: bool) -> None:
    day = Day()
    taken(day)
    limit = Limit(rule, Scope(), Decimal(bound))
    if passes:
        SWAP_CHECKS[rule](limit, SWAP, day, NOW)
        return
    with pytest.raises(Refused) as error:
        SWAP_CHECKS[rule](limit, SWAP, day, NOW)
    assert error.value.reason is Reason.RISK_LIMIT_EXCEEDED
    assert error.value.metadata["rule"] == rule


@pytest.mark.parametrize("rule", ["order_quantity", "order_notional", "day_notional"])
def test_what_nobody_can_value_is_within_no_limit(rule: str) -> None:
    unknown = replace(SWAP, instrument="", quote="", quantity=None, notional=None)
    with pytest.raises(Refused, match="no market of tokens that are on the list"):
        SWAP_CHECKS[rule](Limit(rule, Scope(), Decimal(10**9)), unknown, Day(), NOW)


def test_which_limits_concern_a_swap() -> None:
    def concerns(asset: str = "", **scope: str) -> bool:
        return SWAP.is_within(Limit("order_notional", Scope(**scope), Decimal(1), asset), "bot")

    assert concerns()
    assert concerns("USDC", venue="v2@local", account="trader", instrument="WETH-USDC")
    assert concerns(venue="router@local", token_root="bot")
    assert not concerns("DAI")
    assert not concerns(venue="v3@local")
    assert not concerns(token_root="another")


def test_a_swap_by_two_venues_counts_once_and_for_each() -> None:
    day = Day()
    taken(day)
    for scope in (Scope(), *(Scope(venue=venue) for venue in SWAP.venues), Scope(token_root="bot")):
        assert day.notional(NOW, scope, "USDC") == 3000
    assert day.notional(NOW, Scope(token_root="another"), "USDC") == 0
    assert day.rate(NOW, Scope()) == 1
    assert day.rate(NOW + MINUTE, Scope()) == 0
    taken(day, "-3000")  # refused
    assert day.notional(NOW, Scope(), "USDC") == 0


def test_what_was_swapped_outlives_the_daemon_and_ends_with_the_day() -> None:
    day, after = Day(), Day()
    taken(day)
    taken(day)
    after.restore(NOW, day.swaps)
    assert after.notional(NOW, Scope(), "USDC") == 6000
    tomorrow = Day()
    tomorrow.restore(NOW + DAY, day.swaps)
    assert tomorrow.notional(NOW + DAY, Scope(), "USDC") == 0


def test_orders_of_before_count_for_the_day_and_only_young_ones_for_the_rate() -> None:
    day = Day()
    place = "paper", "paper", "ETH-USDC"
    for age in (30, 10, 90, 20):
        day.ordered(NOW, place, "bot", "USDC", Decimal(1), sent=NOW - age * SECOND)
    assert day.notional(NOW, Scope(), "USDC") == 4
    assert day.rate(NOW, Scope(token_root="bot")) == 3
    assert day.rate(NOW + 35 * SECOND, Scope()) == 2


@pytest.mark.parametrize("id", ["ETH-USDC", "ETH-USDC-PERP", "ETH-USDC:500", "A-USDC:0xab-cd"])
def test_the_quote_of_an_instrument(id: str) -> None:
    assert quote_of(id) == "USDC"
