"""The sandbox: the paper exchange, the local EVM chain, the local Solana chain; one a scene."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import cambist
from tests.crash.audit import audit
from tests.crash.chain import Chain
from tests.crash.paper import PaperMarket
from tests.crash.pool_orders import pool_order
from tests.crash.solana import SolanaLedger
from tests.crash.transactions import NETWORK, VENUE, WALLET, Ledger
from tests.crash.trial import Intent
from tests.crash.victims import Nursery, Victim
from tests.support.daemon import sandbox_arguments

Kinds = dict[str, Callable[[], Awaitable[Intent]]]


class SandboxScene:
    """See the module. `check` is the audit of what it has."""

    in_flight = 0.0
    patience = 100.0

    def __init__(
        self,
        name: str,
        victim: Victim,
        client: cambist.Client,
        kinds: Kinds,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self.victim = victim
        self.client = client
        self.kinds = kinds
        self.audit = check

    def hold(self, arrived: Callable[[], None]) -> None:
        raise AssertionError("nothing can be held up here")

    def release(self, random: Random) -> None:
        raise AssertionError("nothing can be held up here")


@asynccontextmanager
async def paper(nursery: Nursery, directory: Path) -> AsyncIterator[SandboxScene]:
    """The paper exchange."""
    async with _daemon(nursery, directory) as (victim, client):
        market = PaperMarket(client, victim.data_dir)

        async def check() -> None:
            everything, trades = market.everything(), market.trades()
            assert len({one.quantity for one in everything}) > 1
            await audit(client, market.account, market.venue, everything, trades)

        yield SandboxScene("paper", victim, client, dict(market.kinds), check)


@asynccontextmanager
async def evm(nursery: Nursery, directory: Path) -> AsyncIterator[SandboxScene]:
    """The local EVM chain with Uniswap."""
    async with _daemon(nursery, directory, evm=True) as (victim, client):
        chain = Chain(victim.data_dir)
        try:
            wallets = {one.name: one.address async for one in client.wallets.list_wallets()}
            ledger = Ledger(client, chain, wallets[WALLET])
            while not await _live(client):  # noqa: ASYNC110 - the pools are being read
                await asyncio.sleep(0.05)
            # Something to swap back, as tokens.
            await client.swaps.swap_now(VENUE, "ETH", "USDC", 1, wallet=WALLET)
            await client.wallets.wrap(NETWORK, 5, wallet=WALLET)
            first = await chain.number("eth_getTransactionCount", ledger.address, "latest")

            async def check() -> None:
                used = await chain.number("eth_getTransactionCount", ledger.address, "latest")
                known = set()
                async for one in client.chains.list_transactions(network=NETWORK, page_size=1000):
                    if one.succeeded:
                        assert one.nonce not in known, f"two with nonce {one.nonce}"
                        known.add(one.nonce)
                assert set(range(first, used)) <= known, "a transaction that the daemon forgot"

            kinds: Kinds = {**ledger.kinds, "order on a pool": partial(pool_order, ledger)}
            yield SandboxScene("evm", victim, client, kinds, check)
        finally:
            await chain.close()


async def _live(client: cambist.Client) -> bool:
    try:
        await client.swaps.get_quote(VENUE, "ETH", "USDC", 1)
    except (cambist.BookNotLive, cambist.Error):
        return False
    return True


@asynccontextmanager
async def solana(nursery: Nursery, directory: Path) -> AsyncIterator[SandboxScene]:
    """The local Solana chain."""
    async with _daemon(nursery, directory, solana=True) as (victim, client):
        ledger = SolanaLedger(client, victim.data_dir)

        async def check() -> None:
            return None

        try:
            yield SandboxScene("solana", victim, client, dict(ledger.kinds), check)
        finally:
            await ledger.close()


@asynccontextmanager
async def _daemon(
    nursery: Nursery, directory: Path, evm: bool = False, solana: bool = False
) -> AsyncIterator[tuple[Victim, cambist.Client]]:
    arguments = await asyncio.to_thread(sandbox_arguments, directory, evm, solana)
    victim = Victim(nursery, directory, arguments)
    await victim.start()
    try:
        async with cambist.connect(victim.connect, timeout=200, patience=200, wait=100) as client:
            async for status in client.system.status():
                if status.state is cambist.DaemonState.READY:
                    break
            yield victim, client
    finally:
        await victim.stop()
