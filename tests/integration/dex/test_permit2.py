"""Swaps by Permit2 and the Universal Router: the real contracts, over pools of both kinds."""

import asyncio
from decimal import Decimal

import pytest

from chains.evm import erc20, permit2
from chains.evm.abi import address_word, selector
from chains.evm.codec import hexadecimal, quantity
from chains.evm.permit2 import PermitSingle, permit_input
from core.errors import Reason, Refused
from core.swaps import ApprovalMethod
from dex.permits import permits_of
from dex.plans import SwapPlan
from dex.router import RouterVenue
from tests.support.evm import BOB, CAROL, LOCAL
from tests.support.permits import (
    CAKE,
    ETHER,
    FEES,
    SLIPPAGE,
    V2,
    V3,
    PermitWorld,
    deploy_permit2,
    permit_world,
    universal_router,
)
from tests.support.public_chain import Builder, ethereum

pytestmark = pytest.mark.evm

PERMIT2, STANDING = ApprovalMethod.PERMIT2, ApprovalMethod.PERMIT2_UNLIMITED
USDC = 10**6


def purposes(world: PermitWorld, intent: str) -> list[str]:
    return [one.purpose for one in world.sent(intent)]


async def test_permit2_is_approved_exactly_and_the_signature_is_exact_too() -> None:
    async with permit_world() as world:
        venue, give, take = world.venues[V3], world.token("USDC"), world.token("WETH")
        quote = await venue.quote(give, take, 1_000 * USDC, True, SLIPPAGE)
        needed = await venue.required_approval(quote, BOB, PERMIT2)
        assert needed is not None
        assert (needed.spender, needed.units, needed.by_signature) == (
            permit2.ADDRESS,
            1_000 * USDC,
            False,
        )
        await world.swapped(venue, (give, take), 1_000 * USDC, PERMIT2, "first")
        assert purposes(world, "first") == ["approve", "swap"]
        assert await world.allowance(BOB, "USDC", permit2.ADDRESS) == 0
        assert await world.allowance(BOB, "USDC", venue.spec.deployment.router) == 0
        amount, until, nonce = await world.permit2_allowance("USDC")
        swap = world.sent("first")[-1]
        assert (amount, nonce) == (0, 1)
        assert until <= swap.create_time // 10**9 + 120
        ((intent, words, facts),) = world.notes
        assert (intent, facts["permit"]) == ("first", "permit2")
        assert "may take 1000 USDC" in words
        assert facts["permit_spender"] == world.universal_router == swap.to
        assert swap.details["permit_units"] == str(1_000 * USDC)
        assert permit2.ADDRESS in venue.spenders


@pytest.mark.parametrize("name", [V3, V2])
async def test_one_transaction_once_permit_2_is_approved(name: str) -> None:
    """Over pools of either kind, exact in and exact out, to a token and to the native coin."""
    async with permit_world() as world:
        venue, usdc, weth = world.venues[name], world.token("USDC"), world.token("WETH")
        native = world.net.info.native
        await world.swapped(venue, (usdc, weth), 500 * USDC, STANDING, "first")
        assert purposes(world, "first") == ["approve", "swap"]
        steps = [
            (weth, 700 * USDC, True),
            (weth, ETHER // 10, False),
            (native, 300 * USDC, True),
            (native, ETHER // 20, False),
            (world.token("WBTC"), 5_000 * USDC, True),  # over two pools
            (world.token("WBTC"), 10**6, False),
        ]
        for number, (take, units, exact_in) in enumerate(steps):
            intent = f"step-{number}"
            quote = await world.swapped(venue, (usdc, take), units, STANDING, intent, exact_in)
            assert purposes(world, intent) == ["swap"]
            assert world.notes[-1][2]["permit_units"] == str(
                quote.units_in if exact_in else quote.guaranteed
            )
            needed = await venue.required_approval(quote, BOB, STANDING)
            assert needed is not None
            assert (needed.spender, needed.by_signature) == (world.universal_router, True)
        amount, until, nonce = await world.permit2_allowance("USDC")
        assert nonce == len(world.notes) == len(steps) + 1
        # What the last one did not need ends with the deadline.
        assert amount == quote.guaranteed - quote.units_in
        block = await world.node.rpc.call("eth_getBlockByNumber", ["latest", False])
        assert until <= int(block["timestamp"], 16) + 130


async def test_what_was_approved_once_and_for_all_can_be_taken_back() -> None:
    async with permit_world() as world:
        venue, usdc, weth = world.venues[V3], world.token("USDC"), world.token("WETH")
        await world.swapped(venue, (usdc, weth), USDC, STANDING, "first")
        assert await world.allowance(BOB, "USDC", permit2.ADDRESS) > 2**255
        deployment = venue.spec.deployment
        for spender, expected in (
            ("", deployment.router),
            (deployment.positions.lower(), deployment.positions),
            (permit2.ADDRESS, permit2.ADDRESS),
        ):
            for units in (5, 0):
                intent = f"{expected}-{units}"
                sent = await venue.approve(BOB, usdc, units, intent, FEES, spender)
                assert (await world.net.wait_included(sent.hash, 10)).succeeded
                assert await world.allowance(BOB, "USDC", expected) == units
        for stranger in (CAROL, world.venues[CAKE].spec.deployment.router, "0x12"):
            with pytest.raises(Refused) as caught:
                await venue.approve(BOB, usdc, 5, "stranger", FEES, stranger)
            assert caught.value.reason is Reason.FIELD_INVALID


async def test_a_split_over_pools_of_both_kinds_is_paid_for_by_one_permit() -> None:
    async with permit_world() as world:
        venues = [world.venues[V2], world.venues[V3]]
        router = RouterVenue(world.net, venues, world.clock)
        weth, usdc = world.token("WETH"), world.token("USDC")
        await world.node.rpc.call("anvil_setBalance", [BOB, quantity(1_000 * ETHER)])
        wire = {"from": BOB, "to": weth.address, "value": quantity(500 * ETHER)}
        wire |= {"data": hexadecimal(erc20.deposit()), "gas": quantity(100_000)}
        assert (await world.node.send(wire))["status"] == "0x1"
        for venue in venues:
            await world.synced(venue)
        quote = await router.quote(weth, usdc, 500 * ETHER, True, SLIPPAGE)
        assert {hop.venue for leg in quote.legs for hop in leg.hops} == {V2, V3}
        before = await world.units(BOB, "USDC")
        sent = await router.swap(quote, BOB, "split", 0, FEES, PERMIT2)
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        assert await world.units(BOB, "USDC") - before == quote.units_out
        offers = {one.method: one.why_not for one in await router.approval_offers(quote, BOB)}
        assert not offers[PERMIT2]
        assert "takes no permits" in offers[ApprovalMethod.EIP2612]


async def test_a_permit_that_a_stranger_hands_in_first_does_no_harm() -> None:
    async with permit_world() as world:
        venue, usdc, weth = world.venues[V3], world.token("USDC"), world.token("WETH")
        await world.swapped(venue, (usdc, weth), USDC, STANDING, "first")
        await world.synced(venue)
        quote = await venue.quote(usdc, weth, 100 * USDC, True, SLIPPAGE)
        await world.node.automine(False)
        sent = await venue.swap(quote, BOB, "watched", 0, FEES, STANDING)
        facts = world.notes[-1][2]
        # The stranger reads the permit from the mempool and hands it to Permit2.
        single = PermitSingle(
            usdc.address,
            100 * USDC,
            int(facts["permit_nonce"]),
            world.universal_router,
            int(facts["permit_deadline"]),
        )
        data = await world.pending_input(sent.hash)
        start = data.index(single.words())
        signature = data[start + 8 * 32 : start + 8 * 32 + 65]
        r, s, v = (
            int.from_bytes(part, "big")
            for part in (signature[:32], signature[32:64], signature[64:])
        )
        words = permit_input(single, (r, s, v - 27))
        name = "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)"
        body = words[: 6 * 32] + (8 * 32).to_bytes(32, "big") + words[7 * 32 :]
        call = selector(name) + address_word(BOB) + body
        wire = {"from": CAROL, "to": permit2.ADDRESS, "data": hexadecimal(call)}
        first = await world.hurried(wire | {"gas": quantity(300_000)})
        again = await world.node.rpc.call(
            "eth_sendTransaction", [wire | {"gas": quantity(300_000), "gasPrice": quantity(10**10)}]
        )
        await world.node.mine()
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        assert await world.came_first(first, sent.hash)
        receipt = await world.node.rpc.call("eth_getTransactionReceipt", [again])
        assert receipt["status"] == "0x0"  # none works twice
        assert (await world.permit2_allowance("USDC"))[0] == 0


async def test_many_at_once_use_their_permits_in_turn() -> None:
    async with permit_world() as world:
        usdc, weth = world.token("USDC"), world.token("WETH")
        before = await world.units(BOB, "USDC")

        async def one(number: int) -> None:
            venue = world.venues[(V3, V2)[number % 2]]
            quote = await venue.quote(usdc, weth, 10 * USDC + number, True, Decimal("0.2"))
            sent = await venue.swap(quote, BOB, f"many-{number}", 0, FEES, PERMIT2)
            assert (await world.net.wait_included(sent.hash, 30)).succeeded

        await asyncio.gather(*map(one, range(6)))
        assert before - await world.units(BOB, "USDC") == 60 * USDC + 15
        assert (await world.permit2_allowance("USDC"))[2] == 6


async def test_after_a_restart_the_next_permit_waits_for_the_one_under_way() -> None:
    async with permit_world() as world:
        venue, usdc, weth = world.venues[V3], world.token("USDC"), world.token("WETH")
        await world.swapped(venue, (usdc, weth), USDC, STANDING, "first")
        await world.synced(venue)
        quote = await venue.quote(usdc, weth, 100 * USDC, True, Decimal("0.2"))
        await world.node.automine(False)
        sent = await venue.swap(quote, BOB, "before", 0, FEES, STANDING)
        turns = permits_of(world.net).turns
        turns._counts.clear()  # what a restart forgets
        venue.executor.restore(BOB, usdc.address, world.log.rows[sent.hash], 100 * USDC)
        task = asyncio.create_task(venue.swap(quote, BOB, "after", 0, FEES, STANDING))
        await asyncio.wait([task], timeout=0.3)
        assert not task.done()
        assert len(world.notes) == 2
        await world.node.automine(True)
        await world.node.mine()
        assert (await world.net.wait_included((await task).hash, 10)).succeeded
        assert (await world.permit2_allowance("USDC"))[2] == 3


async def test_where_it_is_not_offered() -> None:
    async with permit_world(permit2_there=False) as world:
        usdc, weth = world.token("USDC"), world.token("WETH")
        for name, why in ((V3, "no Permit2 is deployed"), (CAKE, "no router that takes tokens")):
            venue = world.venues[name]
            quote = await venue.quote(usdc, weth, 100 * USDC, True, SLIPPAGE)
            offers = {one.method: one.why_not for one in await venue.approval_offers(quote, BOB)}
            for method in (PERMIT2, STANDING):
                assert why in offers[method]
                with pytest.raises(Refused) as caught:
                    await venue.swap(quote, BOB, f"{name}-{method.value}", 0, FEES, method)
                assert caught.value.reason is Reason.UNSUPPORTED_BY_VENUE
                assert why in caught.value.message
        assert not world.notes
        assert not world.log.rows
        # An impostor at its address: its domain is not Permit2's.
        code = await world.node.rpc.call("eth_getCode", [world.token("WETH").address, "latest"])
        await world.node.rpc.call("anvil_setCode", [permit2.ADDRESS, code])
        venue = world.venues[V3]
        quote = await venue.quote(usdc, weth, 100 * USDC, True, SLIPPAGE)
        with pytest.raises(Refused, match="no Permit2 is deployed"):
            await venue.swap(quote, BOB, "impostor", 0, FEES, PERMIT2)


async def test_what_permit2_refuses_is_told_before_anything_is_sent() -> None:
    async with permit_world() as world:
        venue, usdc, weth = world.venues[V3], world.token("USDC"), world.token("WETH")
        await world.swapped(venue, (usdc, weth), USDC, STANDING, "first")
        await world.synced(venue)
        quote = await venue.quote(usdc, weth, 100 * USDC, True, SLIPPAGE)
        with pytest.raises(Refused) as caught:
            await venue.swap(quote, BOB, "late", 10**9, FEES, STANDING)
        assert caught.value.reason is Reason.QUOTE_EXPIRED
        # The price has moved past the limit since.
        await world.node.rpc.call("anvil_setBalance", [CAROL, quantity(10**24)])
        await world.stranger_sells("USDC", "WETH", 100_000 * USDC)
        tight = await world.venues[V2].quote(usdc, weth, 100 * USDC, True, Decimal(0))
        assert tight.units_out
        assert not world.sent("late")
        # A limit at which the router stops half-way is not this router's.
        plan = SwapPlan(
            BOB,
            usdc,
            weth,
            True,
            USDC,
            1,
            (usdc.address, weth.address),
            "limit",
            world.clock.now() + 60 * 10**9,
            details={"quoted_in": str(USDC)},
            fees=(500,),
            price_limit=2**96,
        )
        with pytest.raises(Refused, match="no price limit"):
            await venue.executor.send(plan, FEES, PERMIT2)
        assert LOCAL.chain_id == world.net.info.chain_id


async def test_the_router_of_the_shipped_table_at_its_address() -> None:
    """Chain id 1, Permit2 as it was deployed, the Universal Router where Uniswap has it."""
    async with ethereum() as world:
        ids = "uniswap_v2@ethereum", "uniswap_v3@ethereum"
        v2, v3 = (world.venues[id].spec for id in ids)
        there = v2.deployment.universal_router
        assert there == v3.deployment.universal_router
        factories = v2.deployment.factory, v3.deployment.factory
        hashes = v2.init_code_hash, v3.init_code_hash
        usdc, weth = world.tokens["USDC"], world.tokens["WETH"]
        await deploy_permit2(world.node)
        builder = Builder(world.node)
        await builder.place(universal_router(weth.address, factories, hashes), there)
        for id in ids:
            venue = world.venues[id]
            await world.synced(venue)
            quote = await venue.quote(usdc, weth, 1_000 * USDC, True, SLIPPAGE)
            before = (await world.net.balances(BOB, [weth]))[0].units or 0
            sent = await venue.swap(quote, BOB, id, 0, FEES, PERMIT2)
            assert sent.to == there
            assert (await world.net.wait_included(sent.hash, 10)).succeeded
            after = (await world.net.balances(BOB, [weth]))[0].units or 0
            assert after - before == quote.units_out
