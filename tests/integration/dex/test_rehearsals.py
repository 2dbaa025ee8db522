"""A dry run of a swap refuses what the swap would refuse, and leaves no trace."""

from decimal import Decimal

import pytest

from core.errors import Reason, Refused
from core.swaps import ApprovalMethod, SwapLimit
from dex.router import RouterVenue
from tests.support.evm import BOB
from tests.support.pools import pool_world

pytestmark = pytest.mark.evm

V2, V3 = "uniswap_v2@ethereum_local", "uniswap_v3@ethereum_local"
ETHER, USDC = 10**18, 10**6
PERCENT = Decimal("0.01")


@pytest.mark.parametrize("name", [V2, V3])
async def test_a_dry_run_finds_what_the_swap_would_find(name: str) -> None:
    async with pool_world() as world:
        venue = world.venues[name]
        native, usdc, weth = world.net.info.native, world.token("USDC"), world.token("WETH")
        quote = await venue.quote(native, usdc, ETHER, True, PERCENT)
        assert await venue.rehearse(quote, BOB, 0)
        rich = await venue.quote(native, usdc, 500_000 * ETHER, True, PERCENT)
        with pytest.raises(Refused) as refused:
            await venue.rehearse(rich, BOB, 0)
        assert refused.value.reason is Reason.INSUFFICIENT_BALANCE
        rich = await venue.quote(usdc, weth, 300_000 * USDC, True, PERCENT)
        with pytest.raises(Refused, match="the swap takes 300000") as refused:
            await venue.rehearse(rich, BOB, 0)
        assert refused.value.reason is Reason.INSUFFICIENT_BALANCE
        # What the token allows nobody to take cannot be simulated; once it does it is.
        for exact_in, units in ((True, 1_000 * USDC), (False, ETHER // 10)):
            quote = await venue.quote(usdc, weth, units, exact_in, PERCENT)
            assert not await venue.rehearse(quote, BOB, 0)
        sent = len(world.log.rows)
        assert sent == 0
        await world.approve("USDC", 1_000 * USDC, "allow", venue)
        quote = await venue.quote(usdc, weth, 1_000 * USDC, True, Decimal(0))
        assert await RouterVenue(world.net, [venue], world.clock).rehearse(quote, BOB, 0)
        with pytest.raises(Refused) as refused:
            await venue.rehearse(quote, BOB, 10**9)
        assert refused.value.reason is Reason.QUOTE_EXPIRED
        with pytest.raises(Refused) as refused:
            await venue.rehearse(quote, BOB, 0, ApprovalMethod.PERMIT2)
        assert refused.value.reason is Reason.UNSUPPORTED_BY_VENUE
        assert [row.purpose for row in world.log.rows.values()] == ["approve"]


async def test_a_dry_run_finds_that_the_price_is_gone() -> None:
    async with pool_world() as world:
        venue, native, usdc = world.uniswap, world.net.info.native, world.token("USDC")
        tight = Decimal("0.0001")
        quote = await venue.quote(native, usdc, ETHER, True, tight)
        bounded = await venue.quote(
            native, usdc, ETHER, True, PERCENT, SwapLimit(Decimal("2980"), False)
        )
        await world.stranger_sells("WETH", "USDC", 30 * ETHER)
        for gone in (quote, bounded):
            with pytest.raises(Refused, match="the price moved past the limit") as refused:
                await venue.rehearse(gone, BOB, 0)
            assert refused.value.reason is Reason.SLIPPAGE_EXCEEDED
        assert not world.log.rows
