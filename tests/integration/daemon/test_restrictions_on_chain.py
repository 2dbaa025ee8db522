"""What a token says of amounts, slippage, exposure and paper, on every call that sends a
transaction, with a real chain behind it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import cambist
from cambist import Client, Grant
from tests.support.daemon import running_daemon, sandbox_arguments
from tests.support.evm import installed

pytestmark = pytest.mark.evm

NETWORK, V2, V3 = "ethereum_local", "uniswap_v2@ethereum_local", "uniswap_v3@ethereum_local"
POOL, TO = "WETH-USDC", "0x000000000000000000000000000000000000dEaD"
SWAP_ONLY = "cambist.v1.SwapService/Swap", "cambist.v1.SystemService/GetInfo"
Calls = Mapping[str, Callable[[Client], Awaitable[Any]]]

# By what a token may say of them.
SWAPS: Calls = {
    "swap of 1 ETH": lambda c: c.swaps.swap_now(
        V2, "ETH", "USDC", "1", wallet="trader", slippage="0.01", dry_run=True
    ),
    "add": lambda c: c.liquidity.add_liquidity(V2, POOL, 1, 3000, wallet="trader", slippage="0.01"),
}
REDUCING: Calls = {
    "remove": lambda c: c.liquidity.remove_liquidity(
        V2, "nothing", 1, wallet="trader", slippage="0.01"
    ),
    "collect": lambda c: c.liquidity.collect_fees(V3, "999999", wallet="trader"),
}
SENDING: Calls = {
    "transfer": lambda c: c.wallets.transfer(NETWORK, TO, "0.1", wallet="trader"),
    "wrap": lambda c: c.wallets.wrap(NETWORK, "0.1", wallet="trader"),
    "unwrap": lambda c: c.wallets.unwrap(NETWORK, "0.1", wallet="trader"),
    "approve": lambda c: c.wallets.approve(V2, "USDC", "1", wallet="trader"),
}


async def denied(client: Client, call: Callable[[Client], Awaitable[Any]]) -> bool:
    """Whether the token stands in the way; what else may be wrong with the call does not matter."""
    try:
        await call(client)
    except cambist.PermissionDenied:
        return True
    except cambist.Error:
        pass
    return False


async def test_restrictions_of_what_is_sent_to_a_chain(tmp_path: Path) -> None:
    installed()  # skips where there is no local chain
    arguments = sandbox_arguments(tmp_path, evm=True)
    async with running_daemon(tmp_path, *arguments) as daemon:
        async with cambist.connect(daemon.connect, patience=60) as owner:

            async def stopped(grant: Grant, calls: Calls) -> set[str]:
                token = (await owner.access.bake_token("bot", grant)).token
                async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
                    return {name for name, call in calls.items() if await denied(bot, call)}

            everything = {**SWAPS, **REDUCING, **SENDING}
            names = set(everything)
            async with asyncio.timeout(60):  # the pools are read once the chain is there
                while True:
                    try:
                        await SWAPS["swap of 1 ETH"](owner)
                        break
                    except cambist.BookNotLive:
                        await asyncio.sleep(0.1)
            for grant, expected in (
                (Grant(), set()),
                (Grant(paper_only=True), names),
                (Grant(accounts=("another",)), names),
                (Grant(venues=("paper",)), names),
                (Grant(instruments=("BTC-USDC",)), {*SWAPS, *REDUCING}),
                (Grant(permissions=("market:read", "system:read")), names),
                (Grant(methods=SWAP_ONLY), names - {"swap of 1 ETH"}),
                (Grant(max_slippage=Decimal("0.001")), {*SWAPS, "remove"}),
                (Grant(max_slippage=Decimal("0.02")), set()),
                # What nobody can value in a quote is above every amount.
                (Grant(max_order_notional=Decimal(10)), names),
                (Grant(max_day_notional=Decimal(10)), names),
                (Grant(reduce_only=True), {*SWAPS, *SENDING}),
            ):  # fmt: skip
                assert await stopped(grant, everything) == expected, grant
            # A swap of a pool's own tokens is worth what its market says.
            small: Calls = {
                amount: lambda c, amount=amount: c.swaps.swap_now(  # type: ignore[misc]
                    V2, "ETH", "USDC", amount, wallet="trader", dry_run=True
                )
                for amount in ("0.001", "1")
            }
            assert await stopped(Grant(max_order_notional=Decimal(100)), small) == {"1"}
            # By a quote's id the limits are the same.
            quote = await owner.swaps.get_quote(V2, "ETH", "USDC", "1", slippage="0.01")
            quoted: Calls = {"quoted": lambda c: c.swaps.swap(quote, wallet="trader", dry_run=True)}
            for grant in (
                Grant(max_slippage=Decimal("0.001")),
                Grant(max_order_notional=Decimal(10)),
                Grant(venues=(V3,)),
                Grant(accounts=("another",)),
                Grant(paper_only=True),
            ):
                assert await stopped(grant, quoted) == {"quoted"}, grant
            assert await stopped(Grant(venues=(V2,), accounts=("trader",)), quoted) == set()
            # A day's amount is that of all swaps together.
            price = (await owner.swaps.get_quote(V2, "ETH", "USDC", "0.01")).amount_out.amount
            day = Grant(max_day_notional=price * Decimal("1.5"))
            token = (await owner.access.bake_token("daily", day)).token
            async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
                swap = partial(bot.swaps.swap_now, V2, "ETH", "USDC", "0.01", wallet="trader")
                await swap(slippage="0.2")
                with pytest.raises(cambist.PermissionDenied, match="day notional is limited"):
                    await swap(slippage="0.2")
            # A transaction is its wallet's, whoever asks for it to be replaced.
            sent = await owner.wallets.transfer(NETWORK, TO, "0.1", wallet="trader")
            replacing: Calls = {
                "speed up": lambda c: c.chains.speed_up_transaction(NETWORK, sent.hash),
                "cancel": lambda c: c.chains.cancel_transaction(NETWORK, sent.hash),
            }
            for grant in (Grant(accounts=("another",)), Grant(paper_only=True)):
                assert await stopped(grant, replacing) == set(replacing), grant
            assert await stopped(Grant(accounts=("trader",)), replacing) == set()
