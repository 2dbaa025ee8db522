"""Quotes and pools against the real contracts."""

from decimal import Decimal

import pytest

from chains.evm.abi import address_word, selector, uint_at, uint_word
from chains.evm.model import Call
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions, Health
from core.tokens import Token
from dex import discovery
from tests.support.evm import BOB, CAROL, until
from tests.support.evm_proxy import proxy
from tests.support.pools import PoolWorld, Told, connected, deployed, pool_world, trading

pytestmark = pytest.mark.evm

HALF_PERCENT = Decimal("0.005")
SIZES = [10**12, 10**15 + 7, 10**18, 123_456_789_012_345_678_901, 5 * 10**20]


async def routers_answer(
    world: PoolWorld, router: str, exact_in: bool, units: int, one: Token, other: Token
) -> int:
    name = "getAmountsOut" if exact_in else "getAmountsIn"
    path = uint_word(2) + address_word(one.address) + address_word(other.address)
    data = selector(f"{name}(uint256,address[])") + uint_word(units) + uint_word(64) + path
    (answer,) = await world.net.multicall([Call(router, data)])
    assert isinstance(answer, bytes)
    return uint_at(answer, 3 if exact_in else 2)


async def test_quotes_equal_the_routers_in_both_directions() -> None:
    async with pool_world() as world:
        pairs = [
            (world.uniswap, "WETH", "USDC"),
            (world.uniswap, "WBTC", "WETH"),
            (world.pangolin, "WAVAX", "USDC"),
        ]
        for venue, one, other in pairs:
            router = venue.spec.deployment.router
            for give, take in ((one, other), (other, one)):
                first, second = world.token(give), world.token(take)
                for size in SIZES:
                    units = max(1, size * 10**first.decimals // 10**18)
                    quote = await venue.quote(first, second, units, True, HALF_PERCENT)
                    assert quote.units_out == await routers_answer(
                        world, router, True, units, first, second
                    )
                    wanted = quote.units_out
                    back = await venue.quote(first, second, wanted, False, HALF_PERCENT)
                    assert back.units_in == await routers_answer(
                        world, router, False, wanted, first, second
                    )


async def test_a_quote_makes_no_request_and_says_its_block() -> None:
    async with deployed() as (node, contracts), proxy(node.url) as watched:
        async with connected(node, contracts, urls=[watched.url]) as world:
            weth, usdc = world.token("WETH"), world.token("USDC")
            # The first of two tokens asks which pools they have.
            await world.uniswap.quote(weth, usdc, 10**18, True, HALF_PERCENT)
            asked = len(watched.asked)
            for _ in range(200):
                quote = await world.uniswap.quote(weth, usdc, 10**18, True, HALF_PERCENT)
            assert "eth_call" not in watched.asked[asked:]
            assert quote.block == world.net.height
            assert quote.expire_time > quote.create_time


async def test_the_native_coin_is_quoted_as_its_wrapped_token() -> None:
    async with pool_world() as world:
        native, usdc = world.net.info.native, world.token("USDC")
        eth = await world.uniswap.quote(native, usdc, 10**18, True, HALF_PERCENT)
        weth = await world.uniswap.quote(world.token("WETH"), usdc, 10**18, True, HALF_PERCENT)
        assert (eth.units_out, eth.token_in) == (weth.units_out, native)
        # Pangolin's router wraps the native coin as WAVAX, wherever it stands.
        other = await world.pangolin.quote(native, usdc, 10**18, True, HALF_PERCENT)
        wavax = await world.pangolin.quote(world.token("WAVAX"), usdc, 10**18, True, HALF_PERCENT)
        assert other.units_out == wavax.units_out
        with pytest.raises(Refused, match="wrap or unwrap"):
            await world.uniswap.quote(native, world.token("WETH"), 1, True, HALF_PERCENT)


@pytest.mark.parametrize(
    ("units", "slippage", "reason"),
    [
        (0, "0.005", Reason.FIELD_INVALID),
        (-1, "0.005", Reason.FIELD_INVALID),
        (1, "0.005", Reason.FIELD_INVALID),  # gives no unit of USDC
        (10**60, "0.005", Reason.INSUFFICIENT_LIQUIDITY),
        (10**18, "-0.1", Reason.FIELD_INVALID),
        (10**18, "1", Reason.FIELD_INVALID),
        (10**18, "NaN", Reason.FIELD_INVALID),
        (10**18, "Infinity", Reason.FIELD_INVALID),
    ],
)
async def test_amounts_that_cannot_be_quoted(units: int, slippage: str, reason: Reason) -> None:
    async with pool_world() as world:
        weth, usdc = world.token("WETH"), world.token("USDC")
        with pytest.raises(Refused) as refused:
            await world.uniswap.quote(weth, usdc, units, True, Decimal(slippage))
        assert refused.value.reason is reason


async def test_pools_that_do_not_exist_and_chains_that_do_not_answer_are_told_apart() -> None:
    async with deployed() as (node, contracts), proxy(node.url) as between:
        async with connected(node, contracts, urls=[between.url]) as world:
            wbtc, wavax = world.token("WBTC"), world.token("WAVAX")
            with pytest.raises(Refused) as refused:
                await world.uniswap.quote(wbtc, wavax, 10**8, True, HALF_PERCENT)
            assert refused.value.reason is Reason.POOL_NOT_FOUND
            for address in (
                CAROL,
                world.token("USDC").address,
                world.contracts.pangolin.pairs["WAVAX-USDC"],
            ):
                with pytest.raises(Refused) as refused:
                    await world.uniswap.pool(address)
                assert refused.value.reason is Reason.POOL_NOT_FOUND
            with pytest.raises(Refused) as refused:
                await world.uniswap.pool("0x123")
            assert refused.value.reason is Reason.FIELD_INVALID
            await node.mine()  # what a block had is known; the next is asked
            await world.synced(world.uniswap)
            between.status = 503
            with pytest.raises(CambistError) as failed:
                await world.uniswap.quote(wbtc, wavax, 10**8, True, HALF_PERCENT)
            assert failed.value.reason is Reason.NODE_UNAVAILABLE
            with pytest.raises(CambistError) as failed:
                await world.uniswap.pool(CAROL)
            assert failed.value.reason is Reason.NODE_UNAVAILABLE
            await until(lambda: world.uniswap.condition.health is Health.DOWN)
            weth, usdc = world.token("WETH"), world.token("USDC")
            with pytest.raises(Refused) as refused:
                await world.uniswap.quote(weth, usdc, 10**18, True, HALF_PERCENT)
            assert refused.value.reason is Reason.BOOK_NOT_LIVE
            between.status = 200
            await until(lambda: not world.uniswap.states.why_not_live)
            await world.uniswap.quote(weth, usdc, 10**18, True, HALF_PERCENT)


async def test_a_pool_that_is_not_in_the_table_is_found_by_its_address_and_by_its_tokens() -> None:
    async with pool_world() as world:
        address = await world.create_pair("WBTC", 2 * 10**8, "USDC", 120_000 * 10**6)
        assert "WBTC-USDC" not in world.uniswap.instruments
        await world.synced(world.uniswap)
        pool = await world.uniswap.pool(address.lower())
        assert (pool.address, pool.instrument) == (address, "WBTC-USDC")
        assert sorted((pool.reserve0, pool.reserve1)) == [2 * 10**8, 120_000 * 10**6]
        assert "WBTC-USDC" in world.uniswap.instruments
        assert address in {known.address for known in await world.uniswap.pools()}
        # The fees of two pools on the other way are more than its better price.
        quote = await world.uniswap.quote(
            world.token("WBTC"), world.token("USDC"), 10**4, True, HALF_PERCENT
        )
        assert quote.pools == (address,)


async def test_tokens_by_address_and_by_symbol() -> None:
    async with pool_world() as world:
        usdc = world.token("USDC")
        assert await world.uniswap.find_token("USDC") == usdc
        assert await world.uniswap.find_token("usdc") == usdc
        assert await world.uniswap.find_token(usdc.address.lower()) == usdc
        assert (await world.uniswap.find_token("ETH")).is_native
        for text in ("NOPE", "0x123", ""):
            with pytest.raises(Refused) as refused:
                await world.uniswap.find_token(text)
            assert refused.value.reason is Reason.TOKEN_NOT_FOUND


async def test_an_expired_quote_and_another_venues_are_refused() -> None:
    async with pool_world() as world, trading(world, Told()):
        weth, usdc = world.token("WETH"), world.token("USDC")
        quote = await world.uniswap.quote(usdc, weth, 10**9, True, HALF_PERCENT)
        with pytest.raises(Refused) as refused:
            await world.pangolin.swap(quote, BOB, "i1", 0, FeeOptions())
        assert refused.value.reason is Reason.QUOTE_NOT_FOUND
        world.clock.advance(quote.expire_time - quote.create_time + 1_000_000_000)
        with pytest.raises(Refused) as refused:
            await world.uniswap.swap(quote, BOB, "i2", 0, FeeOptions())
        assert refused.value.reason is Reason.QUOTE_EXPIRED
        assert not world.log.rows


async def test_only_so_many_pools_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pool_world() as world:
        address = await world.create_pair("WBTC", 2 * 10**8, "USDC", 120_000 * 10**6)
        await world.synced(world.uniswap)
        monkeypatch.setattr(discovery, "MAX_POOLS", 3)
        with pytest.raises(Refused) as refused:
            await world.uniswap.pool(address)
        assert refused.value.reason is Reason.RATE_LIMITED
        assert len(await world.uniswap.pools()) == 3
        monkeypatch.setattr(discovery, "MAX_POOLS", 4)
        assert (await world.uniswap.pool(address)).address == address
