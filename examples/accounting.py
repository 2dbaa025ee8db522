"""What was earned, from facts: balances before and after, fills, and the fees of transactions."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import cambist
from cambist import Client, Fill, Side
from examples.notebook import Leg, Notebook, Step
from examples.sizing import EXACT

Holdings = dict[str, dict[str, Decimal]]  # account -> asset -> amount


@dataclass(slots=True)
class Outcome:
    """How a step ended."""

    step: Step
    sold: Decimal = Decimal(0)  # base, on the dearer side
    quote: Decimal = Decimal(0)  # change of quote over both legs, fees in quote included
    gas: Decimal = Decimal(0)  # native coin


@dataclass(slots=True)
class Account:
    """The whole account of a run."""

    start: Holdings
    end: Holdings
    expected: Holdings  # the start and everything that happened
    outcomes: list[Outcome]
    gas: Decimal = Decimal(0)  # native coin, approvals included
    fees: dict[str, Decimal] = field(default_factory=dict)  # asset -> paid to the exchange

    @property
    def exact(self) -> bool:
        """Whether the end is the start plus the fills, less the fees and the gas; to the unit."""
        return all(
            self.end.get(account, {}).get(asset, Decimal(0)) == amount
            for account, assets in self.expected.items()
            for asset, amount in assets.items()
        )

    def earned(self, prices: Mapping[str, Decimal]) -> Decimal:
        """The change of everything, valued at these prices (quote an asset); 0 for others."""
        total = Decimal(0)
        for account in self.end.keys() | self.start.keys():
            after, before = self.end.get(account, {}), self.start.get(account, {})
            for asset in after.keys() | before.keys():
                change = after.get(asset, Decimal(0)) - before.get(asset, Decimal(0))
                total = EXACT.add(total, EXACT.multiply(change, prices.get(asset, Decimal(0))))
        return total


async def holdings(
    client: Client, account: str, venue: str, wallet: str, network: str, available: bool = False
) -> Holdings:
    """What the account on the exchange and the wallet hold now; the wallet's from the chain.

    `available` leaves out what open orders hold. Raises `cambist.Unavailable`.
    """
    found: Holdings = {account: {}, wallet: {}}
    pages = client.accounts.list_balances(account=account, venue=venue)
    for balance in await pages:
        found[account][balance.asset] = balance.available if available else balance.total
    if pages.unavailable:
        raise cambist.VenueUnavailable(pages.unavailable[0].message)
    async for balance in client.wallets.list_wallet_balances(network, wallet):
        found[wallet][balance.asset] = balance.available if available else balance.total
    return found


async def account_of(
    client: Client,
    notebook: Notebook,
    end: Holdings,
    base: str,
    pool_base: str,
    quote: str,
    network: str,
) -> Account:
    """Adds up everything that the notebook's orders did."""
    start = {
        account: {asset: Decimal(amount) for asset, amount in assets.items()}
        for account, assets in notebook.start.items()
    }
    expected: dict[str, defaultdict[str, Decimal]] = {
        account: defaultdict(Decimal, assets) for account, assets in start.items()
    }
    approvals = {
        transaction.intent: transaction.fee or Decimal(0)
        async for transaction in client.chains.list_transactions(network=network)
        if transaction.purpose == "approve"
    }
    fees: defaultdict[str, Decimal] = defaultdict(Decimal)
    outcomes, gas = [], Decimal(0)
    for step in notebook.steps:
        outcome = Outcome(step)
        for leg in (step.exchange, *step.pool):
            on_chain = leg is not step.exchange
            held = expected[leg.account]
            for fill in await _fills(client, leg):
                sign = 1 if fill.side is Side.BUY else -1
                amount = notional(fill)
                held[pool_base if on_chain else base] += sign * fill.quantity
                held[quote] -= sign * amount
                held[fill.fee_asset] -= fill.fee
                outcome.quote -= sign * amount
                outcome.sold += fill.quantity if fill.side is Side.SELL else 0
                if on_chain:
                    outcome.gas += fill.fee
                else:
                    fees[fill.fee_asset] += fill.fee
                    outcome.quote -= fill.fee if fill.fee_asset == quote else 0
            approval = approvals.get(f"{leg.client_order_id}/approve") if on_chain else None
            if approval:
                native = (await client.chains.get_network(network)).native.symbol
                held[native] -= approval
                outcome.gas += approval
        gas += outcome.gas
        outcomes.append(outcome)
    return Account(start, end, dict(expected), outcomes, gas, dict(fees))


async def _fills(client: Client, leg: Leg) -> list[Fill]:
    if not leg.client_order_id:
        return []
    return await client.trading.list_fills(
        account=leg.account, venue=leg.venue, client_order_id=leg.client_order_id
    )


def notional(fill: Fill) -> Decimal:
    """The exact amount of quote. A pool's price is that amount divided, so it may be rounded."""
    stated = fill.details.get("notional")
    return Decimal(stated) if stated else EXACT.multiply(fill.price, fill.quantity)
