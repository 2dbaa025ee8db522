"""A bot that trades the difference between an exchange and a pool until it is gone.

    python -m examples.arbitrage --notebook arbitrage.json

It watches a pair on an exchange and on a constant-product pool. While one is dearer by more than
all fees and gas, it sells there and buys the same quantity on the other side, in steps. It may be
killed and started again with the same notebook, and so may the daemon: no order is placed twice,
and no event of the log is missed.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import cambist
from cambist import Client, Instrument
from examples.accounting import Account, Holdings, account_of, holdings
from examples.notebook import Notebook, Step, bought
from examples.placing import patiently, settle
from examples.planning import Settings, affordable, new_step, plain, pool_leg
from examples.sizing import EXACT, Market
from examples.watching import Watcher

# How often a pool leg is tried.
ATTEMPTS = 5
MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended."""

    account: Account
    earned: Decimal  # quote, everything valued at the exchange's mid price
    mid: Decimal
    market: Market  # when nothing was left to earn
    gone: bool  # no trade of any size would pay its fees and its gas


class Arbitrage:
    """One run. `say` hears what happens, in words."""

    def __init__(
        self, client: Client, notebook: Notebook, settings: Settings, say: Callable[[str], None]
    ) -> None:
        self._client = client
        self._notebook = notebook
        self._settings = settings
        self._say = say
        self._watcher = Watcher(client, notebook, settings)

    async def run(self) -> Result:
        """Trades until the difference is gone."""
        settings, client, notebook = self._settings, self._client, self._notebook
        network = (await client.venues.get_venue(settings.pool_venue)).network
        on_exchange = await client.venues.get_instrument(settings.exchange, settings.instrument)
        on_pool = await client.venues.get_instrument(settings.pool_venue, settings.pool_instrument)
        rates = await patiently(
            lambda: client.accounts.get_fee_rates(
                settings.exchange, settings.instrument, account=settings.account
            )
        )
        if not notebook.start:
            start = await self._holdings(network)
            notebook.start = {
                account: {asset: str(amount) for asset, amount in assets.items()}
                for account, assets in start.items()
            }
            notebook.daemon_id = client.info.daemon_id
            notebook.save()
        try:
            async with asyncio.TaskGroup() as tasks:
                streams = [
                    tasks.create_task(self._watcher.follow_events()),
                    tasks.create_task(self._watcher.follow_book()),
                ]
                market = await self._trade(on_exchange, on_pool, rates.taker, network)
                await self._watcher.catch_up()
                for stream in streams:
                    stream.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return await self._result(market, on_exchange, on_pool, network)

    async def _trade(
        self, on_exchange: Instrument, on_pool: Instrument, taker_fee: Decimal, network: str
    ) -> Market:
        notebook, settings = self._notebook, self._settings
        for step in notebook.steps:
            if not step.done:
                self._say(f"step {step.number}: going on where the bot was killed")
                await self._execute(step, on_pool)
        while True:
            market = await self._watcher.market(on_exchange, taker_fee)
            held = await self._holdings(network, available=True)
            most_sold = min(
                settings.clip,
                held[settings.account].get(on_exchange.base, Decimal(0)),
                affordable(market, held[settings.wallet].get(on_pool.quote, Decimal(0))),
            )
            most_bought = min(settings.clip, held[settings.wallet].get(on_pool.base, Decimal(0)))
            trade = market.best(most_sold, most_bought)
            if trade is None or trade.profit <= self._gas(market):
                return market
            if len(notebook.steps) >= MAX_STEPS:
                self._say(f"stopping after {MAX_STEPS} steps with a difference left")
                return market
            step = new_step(settings, notebook.prefix, len(notebook.steps) + 1, trade)
            notebook.steps.append(step)
            notebook.save()
            await self._execute(step, on_pool)
            await asyncio.sleep(settings.pace)

    def _gas(self, market: Market) -> Decimal:
        return EXACT.multiply(self._settings.gas, market.asks[0][0])

    async def _execute(self, step: Step, on_pool: Instrument) -> None:
        """The exchange first, because it may fill in part; then exactly that much on the pool."""
        exchange = step.exchange
        if not exchange.filled:
            exchange.filled = plain(await settle(self._client, self._watcher.orders, exchange))
            self._notebook.save()
        wanted = Decimal(exchange.filled)
        while bought(step.pool) < wanted:
            leg = step.pool[-1] if step.pool and not step.pool[-1].filled else None
            if leg is None:
                if len(step.pool) >= ATTEMPTS:
                    raise RuntimeError(
                        f"step {step.number}: {wanted - bought(step.pool)} could not be traded on "
                        f"the pool: {step.pool[-1].reason}"
                    )
                left = wanted - bought(step.pool)
                leg = pool_leg(self._settings, self._notebook.prefix, step, left, on_pool)
                step.pool.append(leg)
                self._notebook.save()
            leg.filled = plain(await settle(self._client, self._watcher.orders, leg))
            self._notebook.save()
        step.done = True
        self._notebook.save()
        word = "sold" if exchange.sell else "bought"
        self._say(
            f"step {step.number}: {word} {wanted} on {exchange.venue}, the reverse on the pool"
        )

    async def _holdings(self, network: str, available: bool = False) -> Holdings:
        settings = self._settings
        return await patiently(
            lambda: holdings(
                self._client,
                settings.account,
                settings.exchange,
                settings.wallet,
                network,
                available=available,
            )
        )

    async def _result(
        self, market: Market, on_exchange: Instrument, on_pool: Instrument, network: str
    ) -> Result:
        end = await self._holdings(network)
        account = await account_of(
            self._client,
            self._notebook,
            end,
            base=on_exchange.base,
            pool_base=on_pool.base,
            quote=on_exchange.quote,
            network=network,
        )
        mid = (market.bids[0][0] + market.asks[0][0]) / 2
        # The native coin, its wrapped token and the exchange's coin are one thing at one price.
        prices = {on_exchange.base: mid, on_pool.base: mid, on_exchange.quote: Decimal(1)}
        left = market.best(most_sold=market.depth, most_bought=market.depth)
        gone = left is None or left.profit <= self._gas(market)
        return Result(account, account.earned(prices), mid, market, gone)


async def arbitrage(
    connect: str | None, notebook: Path, settings: Settings, say: Callable[[str], None]
) -> Result:
    """Connects and runs; waits for a daemon that is about to start."""
    async with cambist.connect(connect, timeout=60, patience=120, wait=60) as client:
        return await Arbitrage(client, Notebook.open(notebook), settings, say).run()


def main() -> int:
    """The bot on its own, against any daemon."""
    from examples.report import show

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--connect", help="connect string; else $CAMBIST_CONNECT or the local daemon"
    )
    parser.add_argument("--notebook", type=Path, default=Path(".cambist/arbitrage.json"))
    parser.add_argument("--pace", type=float, default=0.0, help="seconds between steps")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        result = asyncio.run(
            arbitrage(
                arguments.connect,
                arguments.notebook,
                Settings(pace=arguments.pace),
                lambda words: print(words, flush=True),
            )
        )
        show(result)
        return 0 if result.earned > 0 and result.account.exact else 1
    print(f"stopped; go on with: --notebook {arguments.notebook}")
    return 130


if __name__ == "__main__":
    sys.exit(main())
