"""Prices of gas: strategies, caps, margins."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.fees import (
    STRATEGIES,
    Fees,
    dynamic,
    legacy,
    strategy_of,
    typical_tip,
    under_cap,
    with_margin,
)
from core.errors import Reason, Refused
from core.tokens import Token

GWEI = 10**9
ETHER = Token("ethereum", "", "ETH", 18)


def history(rewards: list[list[str]], used: list[float]) -> dict[str, object]:
    return {"reward": rewards, "gasUsedRatio": used}


def test_the_tip_is_the_median_of_blocks_that_had_transactions() -> None:
    rewards = [["0x1", "0xa", "0x64"], ["0x2", "0x14", "0xc8"], ["0x3", "0x1e", "0x12c"]]
    assert typical_tip(history(rewards, [0.5, 0.5, 0.5]), 50) == 20
    assert typical_tip(history(rewards, [0.5, 0.5, 0.5]), 10) == 2
    assert typical_tip(history(rewards, [0.5, 0, 0]), 90) == 100
    assert typical_tip(history(rewards, [0, 0, 0]), 50) is None
    assert typical_tip({}, 50) is None
    assert typical_tip({"reward": None, "gasUsedRatio": [1]}, 50) is None


def test_faster_costs_more() -> None:
    offers = [dynamic(30 * GWEI, 2 * GWEI, STRATEGIES[n]).price for n in ("slow", "normal", "fast")]
    assert offers == sorted(set(offers))
    old = [legacy(30 * GWEI, STRATEGIES[n]).price for n in ("slow", "normal", "fast")]
    assert old == [30 * GWEI, 34_500_000_000, 37_500_000_000]
    with pytest.raises(Refused) as caught:
        strategy_of("instant")
    assert caught.value.reason is Reason.FIELD_INVALID
    assert "slow, normal, fast" in caught.value.message


@given(
    base_fee=st.integers(1, 10**13),
    tip=st.integers(0, 10**12),
    gas=st.integers(21_000, 30_000_000),
    cap=st.integers(0, 10**19),
    name=st.sampled_from(sorted(STRATEGIES)),
    dynamic_fees=st.booleans(),
)
def test_a_cap_is_never_exceeded_and_refuses_only_what_it_must(
    base_fee: int, tip: int, gas: int, cap: int, name: str, dynamic_fees: bool
) -> None:
    strategy = STRATEGIES[name]
    offered = dynamic(base_fee, tip, strategy) if dynamic_fees else legacy(base_fee, strategy)
    base = base_fee if dynamic_fees else None
    needed = base_fee + base_fee // 8 + tip if dynamic_fees else offered.price
    if min(needed, offered.price) * gas > cap:
        with pytest.raises(Refused) as caught:
            under_cap(offered, gas, base, cap, ETHER)
        assert caught.value.reason is Reason.FEE_CAP_EXCEEDED
        assert Decimal(caught.value.metadata["fee"]) == Decimal(needed * gas).scaleb(-18)
        return
    fees = under_cap(offered, gas, base, cap, ETHER)
    assert fees.price * gas <= cap
    assert fees.price <= offered.price
    assert fees.priority == offered.priority
    assert fees.price >= min(needed, offered.price)


def test_no_cap_changes_nothing() -> None:
    fees = Fees(10**12, 10**9)
    assert under_cap(fees, 21_000, 1, None, ETHER) is fees


def test_gas_limits_have_a_margin_but_for_plain_transfers() -> None:
    assert with_margin(100_000) == 120_000
    assert with_margin(21_000) == 21_000
    assert with_margin(21_055) == 25_266  # the coin, to a contract that does a little with it
