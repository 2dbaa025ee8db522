"""The demo against a real sandbox: it earns, the books add up, killing things changes nothing."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import cambist
from cambist import Client, OrderStatus, Side, TimeInForce
from examples.arbitrage import Arbitrage, Result
from examples.demo import Sandbox, ready
from examples.notebook import Notebook
from examples.placing import OrderWatch
from examples.planning import Settings
from tests.support.evm import installed

pytestmark = [
    pytest.mark.evm,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("sandbox"),
]

# Small steps, so that there are many moments to be killed at.
SETTINGS = Settings(clip=Decimal("0.6"))
KILLS = 5


@pytest.fixture(autouse=True)
def chain() -> None:
    installed()


@asynccontextmanager
async def sandbox(folder: Path, seed: int) -> AsyncIterator[Sandbox]:
    running = Sandbox(folder, seed)
    await running.start()
    keeper = asyncio.create_task(running.keep_running())
    try:
        await ready(running.connect, SETTINGS)
        yield running
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await running.stop()


async def deltas(client: Client) -> dict[tuple[str, str], Decimal]:
    """What every fill and every transaction of a fresh daemon changed, by account and asset."""
    changed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    async for fill in client.trading.list_fills():
        base, quote = fill.instrument.split("-")
        sign = 1 if fill.side is Side.BUY else -1
        amount = Decimal(fill.details.get("notional") or fill.price * fill.quantity)
        changed[fill.account, base] += sign * fill.quantity
        changed[fill.account, quote] -= sign * amount
        if fill.account != "trader":  # on chain the fee is the transaction's, which is below
            changed[fill.account, fill.fee_asset] -= fill.fee
    async for transaction in client.chains.list_transactions(network="ethereum_local"):
        changed["trader", "ETH"] -= transaction.fee or 0
    return changed


async def check(client: Client, notebook: Notebook, result: Result) -> None:
    """Everything that the daemon promises, from what it says of itself."""
    # The balances are the start, plus the fills, less the fees and the gas: to the last unit.
    changed = await deltas(client)
    for account, assets in notebook.start.items():
        for asset, before in assets.items():
            after = result.account.end[account].get(asset, Decimal(0))
            assert after == Decimal(before) + changed[account, asset], (account, asset)
    assert result.account.exact
    # It earned, and nothing is left to earn.
    assert result.earned > 0
    assert result.gone
    # Each intent had one effect: one order a request id, one swap an order.
    orders = await client.trading.list_orders()
    ours = Counter(order.request_id for order in orders if order.request_id)
    sent = {leg.request_id for leg in notebook.legs if leg.client_order_id}
    assert sent <= set(ours) <= {leg.request_id for leg in notebook.legs}
    assert set(ours.values()) == {1}
    assert not [order for order in orders if order.status is OrderStatus.UNCONFIRMED]
    swaps = Counter(
        transaction.intent
        for transaction in await client.chains.list_transactions()
        if transaction.purpose == "swap" and transaction.succeeded
    )
    assert set(swaps.values()) <= {1}
    # No event is missing, none came twice.
    sequences = [event.sequence async for event in client.events.list_events()]
    assert sequences == list(range(1, len(sequences) + 1))
    assert notebook.events_seen == notebook.last_sequence <= len(sequences)


async def test_the_demo_ends_well(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.demo", stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(200):
        out, _ = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, text
    assert "earned " in text
    assert "What it did" in text


async def test_the_bot_earns_exactly_what_the_books_say(tmp_path: Path) -> None:
    async with sandbox(tmp_path, seed=2) as running, cambist.connect(running.connect) as client:
        notebook = Notebook.open(tmp_path / "notebook.json")
        said: list[str] = []
        result = await Arbitrage(client, notebook, SETTINGS, said.append).run()
        assert len(notebook.steps) >= 3
        assert len(said) == len(notebook.steps)
        await check(client, notebook, result)


async def test_the_other_direction(tmp_path: Path) -> None:
    """Somebody makes the pool the dearer side: the bot buys on the exchange and sells there."""
    async with sandbox(tmp_path, seed=3) as running, cambist.connect(running.connect) as client:
        watch = OrderWatch()
        pushed = await client.trading.place_order(
            SETTINGS.pool_venue,
            SETTINGS.pool_instrument,
            Side.BUY,
            20,
            account=SETTINGS.wallet,
            price=4000,
            time_in_force=TimeInForce.IOC,
        )
        assert (await watch.final(client, pushed)).status is OrderStatus.FILLED
        notebook = Notebook.open(tmp_path / "notebook.json")
        settings = replace(SETTINGS, clip=Decimal(2))
        result = await Arbitrage(client, notebook, settings, lambda _: None).run()
        assert not notebook.steps[0].exchange.sell
        assert result.account.exact
        assert result.earned > 0
        assert result.gone


class Watched(Notebook):
    """Tells when the bot writes something down: before and after each thing that it sends."""

    saved: asyncio.Event  # of the running test's event loop

    def save(self) -> None:
        super().save()
        self.saved.set()


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_daemon_and_the_bot_are_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "notebook.json"
    said: list[str] = []
    Watched.saved = asyncio.Event()

    def start(client: Client) -> tuple[Notebook, "asyncio.Task[Result]"]:
        notebook = Watched.open(path)
        return notebook, asyncio.create_task(
            Arbitrage(client, notebook, SETTINGS, said.append).run()
        )

    async with sandbox(tmp_path, seed) as running:
        async with cambist.connect(running.connect, timeout=90, patience=120) as client:
            notebook, bot = start(client)
            kills = 0
            while kills < KILLS:
                await saves_later(bot, chance.randint(1, 5))
                # Not a wait for anything: a step takes about so long, and any moment is meant.
                await asyncio.sleep(chance.uniform(0, 0.06))
                if bot.done():
                    break
                os.kill(running.pid, signal.SIGKILL)
                kills += 1
                if kills % 2 == 0:
                    bot.cancel()
                    with suppress(asyncio.CancelledError):
                        await bot
                    notebook, bot = start(client)
            async with asyncio.timeout(200):
                result = await bot
            assert kills == KILLS
            await check(client, notebook, result)


async def saves_later(bot: "asyncio.Task[Result]", count: int) -> None:
    """Waits until the bot has written so many times, or has ended."""
    for _ in range(count):
        Watched.saved.clear()
        saved = asyncio.create_task(Watched.saved.wait())
        async with asyncio.timeout(120):
            await asyncio.wait({saved, bot}, return_when=asyncio.FIRST_COMPLETED)
        saved.cancel()
