"""What is sent to routers for ways that change the kind of pool, and for native coins."""

from dataclasses import replace

import pytest

from chains.evm.abi import selector, uint_at
from core.tokens import Token
from dex.families import universal_router
from dex.families.concentrated_router import router_call
from dex.plans import PlanLeg, Segment, SwapPlan
from dex.spec import RouterKind
from tests.support.pool_fakes import DAI, NETWORK, OWNER, USDC, WETH

NATIVE = Token(NETWORK, "", "ETH", 18)
REFUND = selector("refundETH()")
V2_IN = selector("swapExactTokensForTokens(uint256,uint256,address[],address)")
V3_IN = selector("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))")
ROUTER_ITSELF = 2


def plan(token_in: Token, *segments: Segment, exact_in: bool = True) -> SwapPlan:
    return SwapPlan(
        sender=OWNER,
        token_in=token_in,
        token_out=DAI,
        exact_in=exact_in,
        exact=1_000,
        limit=900,
        path=(),
        intent="i",
        deadline=10**18,
        split=(PlanLeg(1_000, 900, segments),),
    )


BY_TICKS = Segment((WETH.address, USDC.address), (500,))
BY_RESERVES = Segment((USDC.address, DAI.address), (3_000,), by_reserves=True)


def arguments(data: bytes, function: bytes) -> bytes:
    assert data.count(function) == 1
    return data[data.index(function) + 4 :]


def test_only_the_last_segment_guards_and_the_others_leave_all_to_the_router() -> None:
    data = router_call(plan(WETH, BY_TICKS, BY_RESERVES), RouterKind.SWAP_ROUTER_02).data
    first = arguments(data, V3_IN)
    recipient, amount, least = (uint_at(first, place) for place in (3, 4, 5))
    assert (recipient, amount, least) == (ROUTER_ITSELF, 1_000, 0)
    last = arguments(data, V2_IN)
    amount, least, _, recipient = (uint_at(last, place) for place in range(4))
    assert (recipient, amount, least) == (int(OWNER, 16), 0, 900)
    # And the other way round.
    back = replace(
        plan(WETH, BY_RESERVES, BY_TICKS), split=(PlanLeg(7, 5, (BY_RESERVES, BY_TICKS)),)
    )
    data = router_call(back, RouterKind.SWAP_ROUTER_02).data
    assert [uint_at(arguments(data, V2_IN), place) for place in (0, 1, 3)] == [7, 0, ROUTER_ITSELF]
    last = arguments(data, V3_IN)
    assert [uint_at(last, place) for place in (3, 4, 5)] == [int(OWNER, 16), 0, 5]


def test_no_other_router_and_no_exact_out_changes_the_kind_of_pool() -> None:
    mixed = plan(WETH, BY_TICKS, BY_RESERVES)
    with pytest.raises(ValueError, match="only SwapRouter02"):
        router_call(mixed, RouterKind.SWAP_ROUTER)
    backwards = replace(mixed, exact_in=False)
    with pytest.raises(ValueError, match="only for exact in"):
        router_call(backwards, RouterKind.SWAP_ROUTER_02)
    with pytest.raises(ValueError, match="exact in only"):
        universal_router.router_call(backwards, False, b"")


@pytest.mark.parametrize("kind", RouterKind)
@pytest.mark.parametrize("exact_in", [True, False])
def test_coins_that_a_pool_does_not_take_come_back(kind: RouterKind, exact_in: bool) -> None:
    call = router_call(plan(NATIVE, BY_TICKS, exact_in=exact_in), kind)
    assert REFUND in call.data
    assert call.value == (1_000 if exact_in else 900)
    assert REFUND not in router_call(plan(WETH, BY_TICKS, exact_in=exact_in), kind).data
