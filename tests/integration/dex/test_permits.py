"""Permits of tokens (EIP-2612) in swaps and liquidity: real tokens, real routers, and everybody who
might get in between."""

import asyncio
from decimal import Decimal

import pytest

from chains.evm.codec import quantity
from chains.evm.eip2612 import DAI_TYPE_HASH, TYPE_HASH
from chains.evm.typed_data import Domain
from core.errors import Reason, Refused
from core.liquidity import LiquiditySpec
from core.swaps import ApprovalMethod
from core.tokens import Token
from dex.venue import PoolVenue
from tests.support.evm import BOB, CAROL, KeySigner
from tests.support.permits import (
    CAKE,
    ETHER,
    FEES,
    PERMIT_TOKEN,
    SLIPPAGE,
    V2,
    V3,
    PermitWorld,
    permit_world,
    self_permit_words,
    words_after,
)

pytestmark = pytest.mark.evm

EXACT, PERMIT = ApprovalMethod.EXACT, ApprovalMethod.EIP2612
UNLIMITED = ApprovalMethod.UNLIMITED
USDC = 10**6


def pair(world: PermitWorld) -> tuple[Token, Token]:
    return world.token(PERMIT_TOKEN), world.token("USDC")


async def why_not(world: PermitWorld, venue: PoolVenue, method: ApprovalMethod = PERMIT) -> str:
    """What a quote says of a way to approve; and that a swap says the same, and signs nothing."""
    quote = await venue.quote(*pair(world), ETHER, True, SLIPPAGE)
    offers = {one.method: one.why_not for one in await venue.approval_offers(quote, BOB)}
    assert not offers[EXACT]
    assert not offers[UNLIMITED]
    assert isinstance(world.signer, KeySigner)
    signed = world.signer.signed
    if offers[method]:
        with pytest.raises(Refused) as first:
            await venue.required_approval(quote, BOB, method)
        with pytest.raises(Refused) as second:
            await venue.swap(quote, BOB, f"refused-{signed}", 0, FEES, method)
        assert first.value.reason is second.value.reason is Reason.UNSUPPORTED_BY_VENUE
        assert offers[method] in second.value.message
        assert "use the exact approval" in second.value.message
        assert world.signer.signed == signed
    return offers[method]


@pytest.mark.parametrize("name", [V3, CAKE])
async def test_one_transaction_brings_the_permit_and_the_swap(name: str) -> None:
    async with permit_world() as world:
        venue, (give, take) = world.venues[name], pair(world)
        router = venue.spec.deployment.router
        quote = await venue.quote(give, take, 100 * ETHER, True, SLIPPAGE)
        needed = await venue.required_approval(quote, BOB, PERMIT)
        assert needed is not None
        assert (needed.spender, needed.units, needed.by_signature) == (router, 100 * ETHER, True)
        await world.swapped(venue, (give, take), 100 * ETHER, PERMIT, "in")
        (sent,) = world.sent("in")
        assert sent.purpose == "swap"
        assert await world.permits_used() == 1
        assert await world.allowance(BOB, PERMIT_TOKEN, router) == 0
        # What was signed is known, before it was and after.
        ((intent, words, facts),) = world.notes
        assert intent == "in"
        assert "may take 100 UNI-V2" in words
        assert sent.details["permit"] == facts["permit"] == "eip2612"
        assert facts["permit_units"] == str(100 * ETHER)
        assert facts["permit_spender"] == router
        assert int(facts["permit_deadline"]) <= sent.create_time // 10**9 + 120
        # Exact out: a permit for the most, and no more can be left of it.
        quoted = await world.swapped(venue, (give, take), 50 * USDC, PERMIT, "out", exact_in=False)
        assert world.notes[1][2]["permit_units"] == str(quoted.guaranteed)
        rest = await world.allowance(BOB, PERMIT_TOKEN, router)
        assert rest == quoted.guaranteed - quoted.units_in
        assert await world.permits_used() == len(world.notes) == 2
        # Where the allowance is there nothing is signed but the swap.
        await world.swapped(venue, (give, take), rest, PERMIT, "rest")
        assert len(world.notes) == await world.permits_used() == 2
        # The token's coin wrapped again on the way out is the same.
        if name == V3:
            native = world.net.info.native
            await world.swapped(venue, (give, native), 10 * ETHER, PERMIT, "native")
            assert len(world.sent("native")) == 1


async def test_a_permit_that_a_stranger_uses_first_does_no_harm_and_none_works_twice() -> None:
    async with permit_world() as world:
        venue, (give, take) = world.venues[V3], pair(world)
        router = venue.spec.deployment.router
        quote = await venue.quote(give, take, 10 * ETHER, True, SLIPPAGE)
        await world.node.automine(False)
        sent = await venue.swap(quote, BOB, "watched", 0, FEES, PERMIT)
        permit = self_permit_words(await world.pending_input(sent.hash))
        assert permit[0] == 10 * ETHER
        first = await world.stranger_permits(give.address, router, permit)
        await world.node.mine()
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        assert await world.came_first(first, sent.hash)
        assert await world.permits_used() == 1
        assert await world.allowance(BOB, PERMIT_TOKEN, router) == 0
        # The same permit once more.
        again = await world.stranger_permits(give.address, router, permit)
        await world.node.mine()
        receipt = await world.node.rpc.call("eth_getTransactionReceipt", [again])
        assert receipt["status"] == "0x0"
        assert await world.allowance(BOB, PERMIT_TOKEN, router) == 0
        # The same intent is the same transaction.
        assert (await venue.swap(quote, BOB, "watched", 0, FEES, PERMIT)).hash == sent.hash


async def test_a_permit_that_is_too_late_is_refused_before_anything_is_sent() -> None:
    async with permit_world() as world:
        for name in (V3, CAKE):
            venue = world.venues[name]
            quote = await venue.quote(*pair(world), ETHER, True, SLIPPAGE)
            with pytest.raises(Refused) as caught:
                await venue.swap(quote, BOB, f"late-{name}", 10**9, FEES, PERMIT)
            assert caught.value.reason is Reason.QUOTE_EXPIRED
            assert not world.sent("late")
        # One that comes too late on the chain has no effect either.
        venue = world.venues[V3]
        quote = await venue.quote(*pair(world), ETHER, True, SLIPPAGE)
        await world.node.automine(False)
        sent = await venue.swap(quote, BOB, "slow", 0, FEES, PERMIT)
        await world.node.rpc.call("evm_increaseTime", [quantity(600)])
        await world.node.mine()
        ended = await world.net.wait_included(sent.hash, 10)
        assert ended.succeeded is False
        assert await world.permits_used() == 0


async def test_tokens_that_take_no_permits_or_lie_about_them_are_found_out() -> None:
    async with permit_world() as world:
        venue, token = world.venues[V3], world.token(PERMIT_TOKEN).address
        chain = world.net.info.chain_id
        usd = world.token("USDC")
        true = Domain(chain, token, "Uniswap V2", "1").separator()
        assert await why_not(world, venue) == ""
        lies = [
            Domain(chain, usd.address, "Uniswap V2", "1"),  # good for another token
            Domain(1, token, "Uniswap V2", "1"),  # on another chain
            Domain(chain, token, "Uniswap V3", "1"),
        ]
        for lie in lies:
            await world.lie_about_domain(token, lie.separator())
            assert "domain separator is not that" in await why_not(world, venue)
        await world.lie_about_domain(token, true)
        # One that names DAI's permit, which has no amount.
        await world.patch(token, TYPE_HASH, DAI_TYPE_HASH)
        assert "as DAI does" in await why_not(world, venue)
        await world.patch(token, DAI_TYPE_HASH, bytes(32))
        assert "a kind of its own" in await why_not(world, venue)
        await world.patch(token, bytes(32), TYPE_HASH, 1)
        # A token without permits, one whose fallback takes everything, and a router without.
        quote = await venue.quote(world.token("WETH"), usd, ETHER, True, SLIPPAGE)
        offers = {one.method: one for one in await venue.approval_offers(quote, BOB)}
        assert "takes no permits" in offers[PERMIT].why_not
        two = world.venues[V2]
        tokens = world.token(PERMIT_TOKEN), world.token("WETH")
        quote = await two.quote(*tokens, ETHER, True, SLIPPAGE)
        with pytest.raises(Refused, match="router takes no permit"):
            await two.swap(quote, BOB, "two", 0, FEES, PERMIT)
        native = await venue.quote(world.net.info.native, usd, ETHER, True, SLIPPAGE)
        assert await venue.approval_offers(native, BOB) == []
        assert world.notes == []


async def test_a_token_that_checks_another_domain_than_it_tells_takes_nothing() -> None:
    async with permit_world() as world:
        venue, token = world.venues[V3], world.token(PERMIT_TOKEN).address
        # Its permit goes by another type than it says: the last of the two places in its code.
        code = await world.node.rpc.call("eth_getCode", [token, "latest"])
        places = code.count(TYPE_HASH.hex())
        assert places == 2
        other = code[::-1].replace(TYPE_HASH.hex()[::-1], "11" * 32, 1)[::-1]
        await world.node.rpc.call("anvil_setCode", [token, other])
        quote = await venue.quote(*pair(world), ETHER, True, SLIPPAGE)
        with pytest.raises(Refused) as caught:
            await venue.swap(quote, BOB, "liar", 0, FEES, PERMIT)
        assert caught.value.reason in (Reason.ALLOWANCE_TOO_LOW, Reason.UNSUPPORTED_BY_VENUE)
        assert "use the exact approval" in caught.value.message
        assert not world.sent("liar")
        # The way out works.
        await world.swapped(venue, pair(world), ETHER, EXACT, "out")


async def test_many_swaps_of_one_wallet_with_permits_and_without() -> None:
    async with permit_world() as world:
        venue, (give, take) = world.venues[V3], pair(world)
        before = await world.of(give)

        async def one(number: int, method: ApprovalMethod) -> None:
            quote = await venue.quote(give, take, ETHER + number, True, Decimal("0.2"))
            sent = await venue.swap(quote, BOB, f"many-{number}", 0, FEES, method)
            assert (await world.net.wait_included(sent.hash, 30)).succeeded

        methods = [PERMIT, PERMIT, EXACT, PERMIT, EXACT, PERMIT]
        await asyncio.gather(*(one(number, method) for number, method in enumerate(methods)))
        assert before - await world.of(give) == 6 * ETHER + 15
        # One may have found an allowance that was there, for a swap that then approved anew: before
        # it had a permit signed, or on the chain, where its permit was not needed then.
        used = await world.permits_used()
        assert 1 < used <= len(world.notes) <= methods.count(PERMIT)
        nonces = [int(note[2]["permit_nonce"]) for note in world.notes]
        assert set(nonces) >= set(range(used))
        assert nonces == sorted(nonces)


async def test_everything_may_be_approved_once_and_for_all_if_that_is_asked_for() -> None:
    async with permit_world() as world:
        venue = world.venues[V3]
        quote = await venue.quote(*pair(world), ETHER, True, SLIPPAGE)
        needed = await venue.required_approval(quote, BOB, UNLIMITED)
        assert needed is not None
        assert (needed.units, needed.by_signature) == (2**256 - 1, False)
        await world.swapped(venue, pair(world), ETHER, UNLIMITED, "first")
        assert [one.purpose for one in world.sent("first")] == ["approve", "swap"]
        await world.swapped(venue, pair(world), ETHER, UNLIMITED, "second")
        await world.swapped(venue, pair(world), ETHER, EXACT, "third")
        assert len(world.sent("second")) == len(world.sent("third")) == 1


# -- liquidity


async def added(world: PermitWorld, venue: PoolVenue, base: int, quote: int) -> str:
    """BOB's share of the pool of the permit token; its instrument."""
    (pool,) = [
        market.instrument.id
        for market in venue.directory
        if {market.token0.symbol, market.token1.symbol} == {PERMIT_TOKEN, "WETH"}
    ]
    market = venue.finder.of_instrument(pool)
    units = {PERMIT_TOKEN: base, "WETH": quote}
    amounts = units[market.base.symbol], units[market.quote.symbol]
    spec = LiquiditySpec(pool, *amounts, None, SLIPPAGE)
    sent = await venue.liquidity.add(spec, "", BOB, "add", FEES)
    assert (await world.net.wait_included(sent.hash, 10)).succeeded
    return market.address


async def test_shares_of_a_pool_are_given_back_by_one_transaction() -> None:
    async with permit_world() as world:
        venue = world.venues[V2]
        tokens = world.token(PERMIT_TOKEN), world.token("WETH")
        await venue.quote(*tokens, ETHER, True, SLIPPAGE)  # finds the pool
        pool = await added(world, venue, 1_000 * ETHER, ETHER)
        router = venue.spec.deployment.router
        half = Decimal("0.5")
        shares = (await venue.liquidity.position(pool, BOB)).liquidity
        quote = await venue.liquidity.quote_remove(pool, BOB, half)
        before = [await world.of(token) for token in tokens]
        sent = await venue.liquidity.remove(pool, BOB, half, SLIPPAGE, "half", FEES, PERMIT)
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        after = [await world.of(token) for token in tokens]
        got = sorted(b - a for a, b in zip(before, after, strict=True))
        assert got == sorted((quote.amounts.units0, quote.amounts.units1))
        assert [one.purpose for one in world.sent("half")] == ["liquidity_remove"]
        assert (await venue.liquidity.position(pool, BOB)).liquidity == shares - shares // 2
        assert await world.permits_used(pool) == 1
        ((_, words, facts),) = world.notes
        assert facts["permit_units"] == str(shares // 2)
        assert "change of liquidity" in words

        # Somebody else uses the permit first: the router calls it all the same, and fails. That
        # says why, and the next try finds the allowance.
        await world.node.automine(False)
        sent = await venue.liquidity.remove(pool, BOB, half, SLIPPAGE, "robbed", FEES, PERMIT)
        name = (
            "removeLiquidityWithPermit(address,address,uint256,uint256,uint256,address,uint256,"
            "bool,uint8,bytes32,bytes32)"
        )
        words_of = words_after(await world.pending_input(sent.hash), name, 11)
        permit = [words_of[2], words_of[6], *words_of[8:]]
        assert words_of[7] == 0  # not for everything
        first = await world.stranger_permits(pool, router, permit)
        await world.node.mine()
        ended = await world.net.wait_included(sent.hash, 10)
        assert await world.came_first(first, sent.hash)
        assert ended.succeeded is False
        assert "INVALID_SIGNATURE" in ended.reason
        await world.node.automine(True)
        await world.synced(venue)
        sent = await venue.liquidity.remove(pool, BOB, half, SLIPPAGE, "again", FEES, PERMIT)
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        assert len(world.notes) == await world.permits_used(pool) == 2
        for method in (ApprovalMethod.PERMIT2, ApprovalMethod.PERMIT2_UNLIMITED):
            with pytest.raises(Refused, match="not provided by Permit2"):
                await venue.liquidity.remove(pool, BOB, half, SLIPPAGE, "no", FEES, method)
        spec = LiquiditySpec(pool, ETHER, ETHER, None, SLIPPAGE)
        with pytest.raises(Refused, match="no permits when liquidity is added"):
            await venue.liquidity.add(spec, "", BOB, "no", FEES, PERMIT)


@pytest.mark.parametrize("name", [V3, CAKE])
async def test_a_position_is_opened_with_the_permits_of_the_tokens_that_take_them(
    name: str,
) -> None:
    async with permit_world() as world:
        venue, tokens = world.venues[name], pair(world)
        await venue.quote(*tokens, ETHER, True, SLIPPAGE)  # finds the pool
        (market,) = [
            one for one in venue.directory if PERMIT_TOKEN in (one.token0.symbol, one.token1.symbol)
        ]
        other = venue.finder.of_instrument("WETH-USDC:500")
        for place, (one, approved) in enumerate(((market, []), (other, [world.token("WETH")]))):
            units = [place or 100, 3_000 if place else 200]
            spec = LiquiditySpec(
                one.instrument.id,
                units[0] * int(10**one.base.decimals),
                units[1] * int(10**one.quote.decimals),
                None,
                SLIPPAGE,
            )
            quote = await venue.liquidity.quote_add(spec)
            before = [await world.of(token) for token in (one.token0, one.token1)]
            intent = f"open-{place}"
            sent = await venue.liquidity.add(spec, "", BOB, intent, FEES, PERMIT)
            assert (await world.net.wait_included(sent.hash, 10)).succeeded
            after = [await world.of(token) for token in (one.token0, one.token1)]
            taken = tuple(b - a for b, a in zip(before, after, strict=True))
            assert taken == (quote.amounts.units0, quote.amounts.units1)
            rows = [row for row in world.sent(intent) if row.purpose == "approve"]
            assert [row.details["token"] for row in rows] == [token.address for token in approved]
            await world.synced(venue)
        assert await world.permits_used() == 1
        assert await world.permits_used(world.token("USDC").address) == 2
        assert len(world.notes) == 3
        with pytest.raises(Refused, match="not provided by Permit2"):
            await venue.liquidity.add(spec, "", BOB, "no", FEES, ApprovalMethod.PERMIT2)


async def test_nobody_else_can_use_a_permit_for_himself() -> None:
    """The router takes the sender's tokens only: CAROL has BOB's permit, and gets nothing by it."""
    async with permit_world() as world:
        venue, (give, take) = world.venues[V3], pair(world)
        quote = await venue.quote(give, take, 10 * ETHER, True, SLIPPAGE)
        await world.node.automine(False)
        sent = await venue.swap(quote, BOB, "seen", 0, FEES, PERMIT)
        data = await world.pending_input(sent.hash)
        router = venue.spec.deployment.router
        stolen = await world.hurried(
            {"from": CAROL, "to": router, "data": "0x" + data.hex(), "gas": quantity(900_000)}
        )
        before = await world.units(BOB, "USDC")
        await world.node.mine()
        assert (await world.net.wait_included(sent.hash, 10)).succeeded
        receipt = await world.node.rpc.call("eth_getTransactionReceipt", [stolen])
        assert receipt["status"] == "0x0"
        assert await world.units(BOB, "USDC") - before == quote.units_out
