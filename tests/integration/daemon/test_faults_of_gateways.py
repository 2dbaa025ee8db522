"""Faults that were found in other gateways by running them, tried on ours through its API. The
whole list is docs/faults-of-gateways.md."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

import cambist
from cambist import SwapMode
from tests.integration.daemon.test_transactions_end_to_end import EVM, VENUE, ended
from tests.support.evm import installed
from tests.support.sandbox import sandbox_daemon

pytestmark = pytest.mark.evm

V3, POOL = "uniswap_v3@ethereum_local", "WETH-USDC:500"
STRANGER = "0x" + "5A" * 20


async def amounts(client: cambist.Client) -> None:
    """Large and tiny ones are quoted, negative ones and words are refused, everywhere."""
    for venue in (VENUE, V3):
        large = await client.swaps.get_quote(venue, "WETH", "USDC", "1000")
        assert large.amount_in.units == 10**21
        tiny = await client.swaps.get_quote(venue, "WETH", "USDC", "0.0000001")
        assert 0 < tiny.amount_out.units < 1_000
        for mode in (SwapMode.EXACT_IN, SwapMode.EXACT_OUT):
            for amount in ("-1", "0", "1e21x", "NaN", "Infinity"):
                with pytest.raises((cambist.InvalidArgument, ValueError)):
                    await client.swaps.get_quote(venue, "WETH", "USDC", amount, mode=mode)
    with pytest.raises(cambist.InvalidArgument):
        await client.wallets.transfer(EVM, STRANGER, "-1", wallet="trader")


async def balances(client: cambist.Client) -> None:
    """A token that does not exist has no balance of zero; an address needs no key to be read."""
    with pytest.raises(cambist.TokenNotFound):
        await client.wallets.list_wallet_balances(EVM, "trader", tokens=["NOPE"])
    with pytest.raises(cambist.TokenNotFound):
        await client.wallets.list_wallet_balances(EVM, "trader", tokens=[STRANGER])
    found = await client.wallets.list_wallet_balances(EVM, STRANGER, tokens=["USDC"])
    assert [(one.asset, one.total) for one in found] == [("ETH", 0), ("USDC", 0)]


async def orientation(client: cambist.Client) -> None:
    """What is base is base: in the pool, its book, a quote for a position and the position."""
    pool = await client.swaps.get_pool(V3, POOL)
    assert [one.token.symbol for one in pool.reserves] == ["WETH", "USDC"]
    book = await client.market.get_order_book(V3, POOL, depth=1)
    middle = book.asks[0].price
    assert 2_000 < middle < 4_000
    around = middle * Decimal("0.8"), middle * Decimal("1.2")
    would = await client.liquidity.quote_add_liquidity(V3, POOL, 1, 4_000, price_range=around)
    assert [one.token.symbol for one in would.amounts] == ["WETH", "USDC"]
    sent = await client.liquidity.add_liquidity(
        V3, POOL, 1, 4_000, wallet="trader", price_range=around
    )
    assert (await ended(client, sent)).succeeded
    (position,) = await client.liquidity.list_liquidity_positions(V3, "trader")
    assert [one.token.symbol for one in position.amounts] == ["WETH", "USDC"]
    assert position.range is not None
    assert 2_000 < position.range.lower_price < middle < position.range.upper_price < 6_000


async def use(address: str) -> None:
    async with cambist.connect(address) as client:
        await amounts(client)
        await balances(client)
        await orientation(client)


def test_faults_of_gateways_through_the_api(tmp_path: Path) -> None:
    installed()  # skips where there is no local chain
    with sandbox_daemon(tmp_path) as address:
        asyncio.run(use(address))
