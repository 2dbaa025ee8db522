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
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import cambist
from cambist import Client, Instrument, OrderBook
from examples.accounting import Account, Holdings, account_of, holdings
from examples.notebook import Leg, Notebook, Step, bought
from examples.placing import OrderWatch, patiently, settle
from examples.sizing import EXACT, Market, Reserves, Trade

# A pool leg that had no effect is sent again at a worse limit: what was sold must be bought back.
ATTEMPTS = 5
WORSE = Decimal("0.01")
MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What is traded where."""

    exchange: str = "paper"
    account: str = "paper"
    instrument: str = "ETH-USDC"
    pool_venue: str = "uniswap_v2@ethereum_local"
    pool_instrument: str = "WETH-USDC"
    wallet: str = "trader"
    clip: Decimal = Decimal(1)  # the most base of one step
    pace: float = 0.0  # seconds between steps, for who wants to watch
    gas: Decimal = Decimal("0.00025")  # native coin; what a step's gas is taken to cost beforehand


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
        self._watch = OrderWatch()
        self._book: OrderBook | None = None
        self._moved = asyncio.Event()
        self._told = asyncio.Event()

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
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._follow_events()),
                tasks.create_task(self._follow_book()),
            ]
            market = await self._trade(on_exchange, on_pool, rates.taker, network)
            await self._catch_up()
            for task in running:
                task.cancel()
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
            market = await self._market(on_exchange, taker_fee)
            held = await self._holdings(network, available=True)
            most_sold = min(
                settings.clip,
                held[settings.account].get(on_exchange.base, Decimal(0)),
                self._affordable(market, held[settings.wallet].get(on_pool.quote, Decimal(0))),
            )
            most_bought = min(settings.clip, held[settings.wallet].get(on_pool.base, Decimal(0)))
            trade = market.best(most_sold, most_bought)
            if trade is None or trade.profit <= self._gas(market):
                return market
            if len(notebook.steps) >= MAX_STEPS:
                self._say(f"stopping after {MAX_STEPS} steps with a difference left")
                return market
            await self._execute(self._plan(trade, on_exchange), on_pool)
            await asyncio.sleep(settings.pace)

    def _gas(self, market: Market) -> Decimal:
        return EXACT.multiply(self._settings.gas, market.asks[0][0])

    def _affordable(self, market: Market, quote: Decimal) -> Decimal:
        """Base that the wallet's quote can buy, with a margin for the limit."""
        return EXACT.divide(quote, market.pool.mid * Decimal("1.05"))

    def _plan(self, trade: Trade, on_exchange: Instrument) -> Step:
        notebook, settings = self._notebook, self._settings
        number = len(notebook.steps) + 1
        step = Step(
            number=number,
            exchange=Leg(
                request_id=f"{notebook.prefix}-{number}-exchange",
                account=settings.account,
                venue=settings.exchange,
                instrument=on_exchange.id,
                sell=trade.sell_on_exchange,
                quantity=plain(trade.quantity),
                limit=plain(trade.exchange_limit),
            ),
            expected_profit=plain(trade.profit),
        )
        notebook.steps.append(step)
        notebook.save()
        return step

    async def _execute(self, step: Step, on_pool: Instrument) -> None:
        """The exchange first, because it may fill in part; then exactly that much on the pool."""
        exchange = step.exchange
        if not exchange.filled:
            exchange.filled = plain(await settle(self._client, self._watch, exchange))
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
                leg = await self._pool_leg(step, wanted - bought(step.pool), on_pool)
                step.pool.append(leg)
                self._notebook.save()
            leg.filled = plain(await settle(self._client, self._watch, leg))
            self._notebook.save()
        step.done = True
        self._notebook.save()
        word = "sold" if exchange.sell else "bought"
        self._say(
            f"step {step.number}: {word} {wanted} on {exchange.venue}, the reverse on the pool"
        )

    async def _pool_leg(self, step: Step, quantity: Decimal, on_pool: Instrument) -> Leg:
        """With a limit that keeps the step from losing; worse ones after that had no effect."""
        settings = self._settings
        sell = not step.exchange.sell
        slack = WORSE * len(step.pool)
        limit = Decimal(step.exchange.limit) * (1 - slack if sell else 1 + slack)
        tick = on_pool.price_tick
        limit = (limit / tick).to_integral_value(ROUND_FLOOR if sell else ROUND_CEILING) * tick
        return Leg(
            request_id=f"{self._notebook.prefix}-{step.number}-pool-{len(step.pool) + 1}",
            account=settings.wallet,
            venue=settings.pool_venue,
            instrument=on_pool.id,
            sell=sell,
            quantity=plain(quantity),
            limit=plain(limit),
        )

    async def _market(self, on_exchange: Instrument, taker_fee: Decimal) -> Market:
        """Both sides as they are now; waits while the book is not live."""
        settings = self._settings
        while self._book is None or not self._book.is_live or self._book.best_ask is None:
            self._moved.clear()
            await self._moved.wait()
        pool = await patiently(
            lambda: self._client.swaps.get_pool(settings.pool_venue, settings.pool_instrument)
        )
        held = {amount.token.symbol: amount for amount in pool.reserves}
        base, quote = settings.pool_instrument.split("-")
        return Market(
            bids=self._book.bids[:],
            asks=self._book.asks[:],
            pool=Reserves(
                held[base].units,
                held[quote].units,
                pool.fee,
                held[base].token.decimals,
                held[quote].token.decimals,
            ),
            taker_fee=taker_fee,
            step=on_exchange.quantity_step,
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

    async def _follow_book(self) -> None:
        settings = self._settings
        async for book in self._client.market.order_book(settings.exchange, settings.instrument):
            self._book = book
            self._moved.set()

    async def _follow_events(self) -> None:
        """The log from its first event, or from where the bot was killed; the client makes sure
        that none is missing.
        """
        notebook = self._notebook
        stream = self._client.events.stream(
            resume_token=notebook.resume_token,
            from_start=not notebook.resume_token,
            after_sequence=notebook.last_sequence,
        )
        async for event in stream:
            if event.order is not None:
                self._watch.saw(event.order)
            notebook.events_seen += 1
            notebook.last_sequence = event.sequence
            notebook.resume_token = stream.resume_token
            self._told.set()

    async def _catch_up(self) -> None:
        """Waits until the stream has told all that has happened."""
        newest = (await self._client.system.get_status()).event_sequence
        while self._notebook.last_sequence < newest:
            self._told.clear()
            await self._told.wait()
        self._notebook.save()

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


def plain(value: Decimal) -> str:
    """Without an exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


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
