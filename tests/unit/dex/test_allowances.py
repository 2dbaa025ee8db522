"""Approvals: exact, shared by swaps that run at the same time, and never short."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from chains.evm.abi import address_at, selector, uint_at
from chains.evm.model import Call, TransactionPlan
from core.errors import CambistError, Reason, Refused, Unconfirmed
from core.ports import FeeOptions
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus
from dex.allowances import Allowances, Granted
from dex.network import PoolNetwork
from tests.support.pool_fakes import OWNER, SPEC, USDC, WETH, Answer, FakeNetwork

FEES = FeeOptions()
BALANCE = 10**30
SPENDER = SPEC.deployment.router


@dataclass
class FakeTokens:
    """The allowances of OWNER, as tokens keep them; USDT-like ones take changes by way of zero."""

    allowed: dict[str, int] = field(default_factory=dict)
    by_way_of_zero: bool = False
    fails: bool = False

    def __post_init__(self) -> None:
        self.network = FakeNetwork(self.answer)
        self.network.include = self.include
        self.network.refuses = self.refuses

    def answer(self, call: Call, block: int | str) -> Answer:
        if call.data.startswith(selector("allowance(address,address)")):
            assert address_at(call.data[4:], 1) == SPENDER
            return self.allowed.get(call.to, 0).to_bytes(32, "big")
        return BALANCE.to_bytes(32, "big")

    async def include(self, plan: TransactionPlan) -> bool:
        await asyncio.sleep(0)
        if not self.fails:
            self.allowed[plan.to] = uint_at(plan.data[4:], 1)
        return not self.fails

    def refuses(self, plan: TransactionPlan) -> CambistError | None:
        units = uint_at(plan.data[4:], 1)
        if self.by_way_of_zero and units and self.allowed.get(plan.to):
            return Refused(Reason.SIMULATION_FAILED, "would revert")
        return None

    def approvals(self) -> list[int]:
        return [uint_at(plan.data[4:], 1) for plan in self.network.sent]

    def allowances(self) -> Allowances:
        network: PoolNetwork = self.network  # type: ignore[assignment]  # only what it uses
        one = Allowances(network, SPENDER)
        one.start()
        return one


async def hold(allowances: Allowances, units: int, intent: str, token: Token = USDC) -> int:
    return await allowances.hold(OWNER, token, units, units, intent, FEES)


async def swap(tokens: FakeTokens, intent: str) -> Transaction:
    return await tokens.network.send(TransactionPlan(OWNER, "", bytes(68), 0, intent, "swap"), FEES)


async def test_an_approval_is_exact_and_of_the_same_lineage() -> None:
    tokens = FakeTokens()
    await hold(tokens.allowances(), 123, "order")
    (plan,) = tokens.network.sent
    assert (plan.intent, plan.purpose, plan.to) == ("order/approve", "approve", USDC.address)
    assert tokens.allowed == {USDC.address: 123}


async def test_an_allowance_that_is_there_needs_no_approval() -> None:
    tokens = FakeTokens({USDC.address: 500})
    await hold(tokens.allowances(), 500, "order")
    assert tokens.network.sent == []


async def test_sixteen_swaps_at_a_time_share_one_approval() -> None:
    tokens = FakeTokens()
    allowances = tokens.allowances()
    await asyncio.gather(*(hold(allowances, 100 + n, f"order {n}") for n in range(16)))
    assert tokens.approvals() == [sum(100 + n for n in range(16))]


async def test_what_a_swap_on_its_way_will_take_is_not_free() -> None:
    tokens = FakeTokens({USDC.address: 100})
    allowances = tokens.allowances()
    await hold(allowances, 100, "one")
    await swap(tokens, "one")
    allowances.release(OWNER, USDC, "one")
    tokens.network.sent.clear()
    await hold(allowances, 60, "two")
    # The first swap has the lower nonce: it takes its 100 before the approval replaces them.
    assert tokens.approvals() == [60]


async def test_what_a_swap_took_is_forgotten_once_it_is_in_a_block() -> None:
    tokens = FakeTokens({USDC.address: 200})
    allowances = tokens.allowances()
    await hold(allowances, 100, "one")
    sent = await swap(tokens, "one")
    assert allowances.free(OWNER, USDC, 200) == 100
    tokens.network.tell(sent, TransactionStatus.INCLUDED)
    assert allowances.free(OWNER, USDC, 100) == 100


async def test_a_swap_whose_caller_went_away_still_counts() -> None:
    tokens = FakeTokens({USDC.address: 200})
    allowances = tokens.allowances()
    await hold(allowances, 150, "one")
    await swap(tokens, "one")  # signed, and then the caller is cancelled
    allowances.release(OWNER, USDC, "one")
    assert allowances.free(OWNER, USDC, 200) == 50


async def test_a_swap_that_lands_while_the_chain_is_asked_is_not_free() -> None:
    """The answer may be of the block before: what the swap has taken by now is in it still."""
    tokens = FakeTokens({USDC.address: 150})
    allowances = tokens.allowances()
    await hold(allowances, 100, "one")
    sent = await swap(tokens, "one")
    ask = tokens.network.multicall

    async def late(calls: Sequence[Call], block: int | str = "latest") -> Sequence[object]:
        answers = await ask(calls, block)
        tokens.network.tell(sent, TransactionStatus.INCLUDED)
        return answers

    tokens.network.multicall = late  # type: ignore[assignment, method-assign]
    assert await allowances.read_free(OWNER, USDC) == (BALANCE, 50)


async def test_a_permit_waits_for_what_is_held_and_nothing_is_free_beside_it() -> None:
    tokens = FakeTokens({USDC.address: 100})
    allowances = tokens.allowances()
    await hold(allowances, 40, "one")
    order: list[str] = []

    async def permit() -> None:
        async with allowances.permitting(OWNER, USDC, 70, 70, "two") as granted:
            order.append("permit")
            assert granted == Granted(70, covered=False)  # 40 are on their way
            waiting = asyncio.create_task(hold(allowances, 10, "three"))
            await asyncio.sleep(0)
            assert not waiting.done()
            await swap(tokens, "two")
        await waiting
        order.append("hold")

    task = asyncio.create_task(permit())
    await asyncio.sleep(0)
    assert order == []
    await swap(tokens, "one")
    allowances.release(OWNER, USDC, "one")
    await task
    assert order == ["permit", "hold"]
    assert tokens.approvals()[-1] == 10  # after the permit, nothing counted as free


async def test_a_permit_is_not_needed_where_the_allowance_is_there() -> None:
    tokens = FakeTokens({USDC.address: 100})
    async with tokens.allowances().permitting(OWNER, USDC, 100, 100, "one") as granted:
        assert granted == Granted(100, covered=True)
    async with tokens.allowances().permitting(OWNER, USDC, 101, 101, "one") as granted:
        assert granted == Granted(101, covered=False)
    assert tokens.network.sent == []


async def test_an_exact_out_swap_holds_no_more_than_the_wallet_has() -> None:
    tokens = FakeTokens()
    held = await tokens.allowances().hold(OWNER, USDC, 10**40, 10, "order", FEES)
    assert tokens.approvals() == [held] == [BALANCE]


async def test_too_low_a_balance_is_refused_before_anything_is_approved() -> None:
    tokens = FakeTokens()
    with pytest.raises(Refused) as refused:
        await hold(tokens.allowances(), BALANCE + 1, "order")
    assert refused.value.reason is Reason.INSUFFICIENT_BALANCE
    assert tokens.network.sent == []


async def test_what_was_held_for_a_swap_that_failed_is_free_again() -> None:
    tokens = FakeTokens({USDC.address: 100})
    allowances = tokens.allowances()
    await hold(allowances, 100, "one")
    allowances.release(OWNER, USDC, "one")
    await hold(allowances, 100, "two")
    assert tokens.approvals() == []


async def test_a_token_that_changes_by_way_of_zero_only() -> None:
    tokens = FakeTokens({USDC.address: 5}, by_way_of_zero=True)
    await hold(tokens.allowances(), 100, "order")
    assert tokens.approvals() == [0, 100]
    assert tokens.network.sent[0].intent == "order/approve-reset"


async def test_an_approval_that_reverts_refuses_the_swap() -> None:
    tokens = FakeTokens(fails=True)
    with pytest.raises(Refused) as refused:
        await hold(tokens.allowances(), 100, "order")
    assert refused.value.reason is Reason.ALLOWANCE_TOO_LOW
    assert refused.value.metadata["hash"] == "0x1"


async def test_an_approval_that_takes_too_long_refuses_the_swap() -> None:
    tokens = FakeTokens()

    async def never(plan: TransactionPlan) -> bool:
        raise Unconfirmed(Reason.OUTCOME_UNKNOWN, "not included")

    tokens.network.include = never
    with pytest.raises(Refused, match="was not sent") as refused:
        await hold(tokens.allowances(), 100, "order")
    assert refused.value.reason is Reason.ALLOWANCE_TOO_LOW


async def test_tokens_and_failures_do_not_mix() -> None:
    tokens = FakeTokens()
    allowances = tokens.allowances()
    await asyncio.gather(hold(allowances, 1, "a"), hold(allowances, 2, "b", WETH))
    assert tokens.allowed == {USDC.address: 1, WETH.address: 2}


@pytest.mark.parametrize("units", [-1, 2**256])
async def test_amounts_out_of_range_are_refused(units: int) -> None:
    tokens = FakeTokens()
    with pytest.raises(Refused):
        await tokens.allowances().approve(OWNER, USDC, units, "x", FEES)
    assert tokens.network.sent == []
