"""The tables at the end: what the bot did, and what it earned."""

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from examples.arbitrage import Result


def show(result: Result) -> None:
    """Prints everything."""
    console = Console(highlight=False)
    console.print(_steps(result))
    console.print(_balances(result))
    account, market = result.account, result.market
    fees = ", ".join(f"{_cut(fee)} {asset}" for asset, fee in account.fees.items()) or "none"
    console.print(
        f"fees {fees}; gas {_cut(account.gas)} of the native coin\n"
        f"prices at the end: exchange {market.bids[0][0]} / {market.asks[0][0]}, "
        f"pool {_cut(market.pool.mid)}: "
        + (
            "the difference does not pay its fees any more"
            if result.gone
            else "a difference is left"
        )
    )
    if not account.exact:
        console.print("the balances do not add up: see the lines marked !", style="red")
    style = "bold green" if result.earned > 0 else "bold red"
    console.print(f"earned {result.earned:.2f} (everything valued at {result.mid})", style=style)


def _steps(result: Result) -> Table:
    table = Table(title="What it did", title_justify="left", box=None, header_style="bold")
    for name in ("Step", "Quantity", "Exchange", "Pool", "Earned", "Gas"):
        table.add_column(name, justify="left" if name in ("Exchange", "Pool") else "right")
    for outcome in result.account.outcomes:
        step = outcome.step
        table.add_row(
            str(step.number),
            step.exchange.filled or "0",
            f"{'sell' if step.exchange.sell else 'buy'} at {step.exchange.limit}",
            _pool_words(outcome.step.pool[-1].sell if step.pool else None, len(step.pool)),
            f"{outcome.quote:.2f}",
            _cut(outcome.gas),
        )
    return table


def _pool_words(sell: bool | None, attempts: int) -> str:
    if sell is None:
        return "not needed"
    words = "sell" if sell else "buy"
    return words if attempts == 1 else f"{words}, {attempts} attempts"


def _balances(result: Result) -> Table:
    table = Table(title="What it has", title_justify="left", box=None, header_style="bold")
    table.add_column("Account")
    table.add_column("Asset")
    for name in ("Before", "After", "Change"):
        table.add_column(name, justify="right")
    account = result.account
    for owner, assets in account.expected.items():
        for asset in sorted(assets):
            before = account.start.get(owner, {}).get(asset, Decimal(0))
            after = account.end.get(owner, {}).get(asset, Decimal(0))
            if before == after and assets[asset] == after:
                continue
            mark = "" if assets[asset] == after else f" ! expected {_cut(assets[asset])}"
            table.add_row(owner, asset, _cut(before), _cut(after), f"{after - before:+.6f}{mark}")
    return table


def _cut(value: Decimal) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") or "0"
