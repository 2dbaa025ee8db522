"""Accounts, and what they hold, owe and pay."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import complete
from daemon.cli.arguments import (
    Account,
    Instrument,
    OnlyAccount,
    OnlyNetwork,
    OnlyVenue,
    RequestId,
    Venue,
    Yes,
)
from daemon.cli.resolve import trading_account
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError, confirm, console

AccountId = Annotated[
    str,
    typer.Argument(metavar="ACCOUNT", help="The account's id.", autocompletion=complete.accounts),
]


class MarginModeName(StrEnum):
    """What margin a position may use."""

    CROSS = "cross"
    ISOLATED = "isolated"


class PositionModeName(StrEnum):
    """Whether an instrument has one position or two."""

    ONE_WAY = "one-way"
    HEDGE = "hedge"


PANEL = "Trading"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Accounts on venues and their settings.", no_args_is_help=True)
    command(group, "list")(listed)
    command(group, "show")(show)
    command(group, "add")(add)
    command(group, "remove")(remove)
    command(group, "leverage")(leverage)
    command(group, "margin-mode")(margin_mode)
    command(group, "position-mode")(position_mode)
    app.add_typer(group, name="account", rich_help_panel=PANEL)
    command(app, "balances", rich_help_panel=PANEL)(balances)
    command(app, "positions", rich_help_panel=PANEL)(positions)
    command(app, "fees", rich_help_panel=PANEL)(fees)


async def listed(session: Session) -> None:
    """The accounts: credentials on a venue, or wallets."""
    session.rows("Account", await session.client.accounts.list_accounts(), "no account yet")


async def show(session: Session, account: AccountId) -> None:
    """One account."""
    session.one(await session.client.accounts.get_account(account))


async def add(
    session: Session,
    account: AccountId,
    venue: Venue,
    paper: Annotated[
        bool, typer.Option("--paper", help="Pretended money against the live book.")
    ] = False,
    credentials_file: Annotated[
        Path | None,
        typer.Option(help="A file of NAME=VALUE lines, - for standard input.", allow_dash=True),
    ] = None,
    request_id: RequestId = "",
) -> None:
    """Add an account. Credentials come by prompt or from a file, and never come out again."""
    credentials = {} if paper else _credentials(credentials_file)
    added, warnings = await session.client.accounts.add_account(
        account, venue, credentials, paper=paper, request_id=request_id or None
    )
    if session.json:
        session.document({"account": added, "warnings": warnings})
        return
    session.one(added)
    for warning in warnings:
        console(stderr=True).print(f"warning: {warning}", style="yellow")


def _credentials(file: Path | None) -> dict[str, str]:
    if file is None:
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked here: use --credentials-file FILE (or -)")
        pairs = {
            "api_key": typer.prompt("API key", hide_input=True, err=True),
            "secret": typer.prompt("API secret", hide_input=True, err=True),
            "passphrase": typer.prompt(
                "Passphrase (empty where the venue has none)", default="", hide_input=True, err=True
            ),
        }
        return {name: value for name, value in pairs.items() if value}
    text = sys.stdin.read() if str(file) == "-" else file.read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    if any("=" not in line for line in lines):
        raise UsageError("each line of the credentials is NAME=VALUE, such as api_key=...")
    pairs = dict(line.split("=", 1) for line in lines)
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs.items()}


async def remove(
    session: Session, account: AccountId, yes: Yes = False, request_id: RequestId = ""
) -> None:
    """Forget an account and its credentials."""
    confirm(f"Forget {account} and its credentials?", yes)
    await session.client.accounts.remove_account(account, request_id=request_id or None)
    session.done(f"{account} is forgotten")


async def leverage(
    session: Session,
    venue: Venue,
    instrument: Instrument,
    leverage: Annotated[str, typer.Argument(metavar="LEVERAGE", help="Notional over margin.")],
    account: Account = "",
    request_id: RequestId = "",
) -> None:
    """Declare an instrument's leverage."""
    owner = await trading_account(session, account, venue)
    await session.client.accounts.set_leverage(
        venue, instrument, leverage, account=owner, request_id=request_id or None
    )
    session.done(f"{instrument} has leverage {leverage}")


async def margin_mode(
    session: Session,
    venue: Venue,
    instrument: Instrument,
    mode: Annotated[MarginModeName, typer.Argument(help="cross or isolated.")],
    account: Account = "",
    request_id: RequestId = "",
) -> None:
    """Declare an instrument's margin mode."""
    from cambist import MarginMode

    owner = await trading_account(session, account, venue)
    await session.client.accounts.set_margin_mode(
        venue, instrument, MarginMode[mode.name], account=owner, request_id=request_id or None
    )
    session.done(f"{instrument} has {mode} margin")


async def position_mode(
    session: Session,
    venue: Venue,
    mode: Annotated[PositionModeName, typer.Argument(help="one-way or hedge.")],
    account: Account = "",
    request_id: RequestId = "",
) -> None:
    """Declare an account's position mode."""
    from cambist import PositionMode

    owner = await trading_account(session, account, venue)
    await session.client.accounts.set_position_mode(
        venue, PositionMode[mode.name], account=owner, request_id=request_id or None
    )
    session.done(f"{owner} is in {mode} mode")


async def balances(
    session: Session,
    wallet: Annotated[
        str, typer.Argument(metavar="[WALLET]", help="With --network: a wallet or any address.")
    ] = "",
    network: OnlyNetwork = "",
    account: OnlyAccount = "",
    venue: OnlyVenue = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what is zero.")] = False,
) -> None:
    """What accounts and wallets hold, in one table; or any address on a --network."""
    client = session.client
    if wallet and not network:
        raise UsageError("an address is looked up on a chain: add --network NETWORK")
    if network and wallet:
        held = await client.wallets.list_wallet_balances(network, wallet, include_zero=everything)
        session.rows("Balance", held, "nothing there")
        return
    pages = client.accounts.list_balances(account=account, venue=venue or network)
    found = [one for one in await pages if everything or one.total]
    session.rows("Balance", found, "nothing there")
    for missing in pages.unavailable:
        words = f"not shown: {missing.account} on {missing.venue}: {missing.message}"
        console(stderr=True).print(words, style="yellow", markup=False)


async def positions(session: Session, account: OnlyAccount = "", venue: OnlyVenue = "") -> None:
    """Open perpetual positions."""
    pages = session.client.accounts.list_positions(account=account, venue=venue)
    session.rows("Position", await pages, "no position is open")
    for missing in pages.unavailable:
        words = f"not shown: {missing.account} on {missing.venue}: {missing.message}"
        console(stderr=True).print(words, style="yellow", markup=False)


async def fees(
    session: Session, venue: Venue, instrument: Instrument, account: Account = ""
) -> None:
    """What trading an instrument costs, as fractions: 0.001 is 0.1 %."""
    owner = await trading_account(session, account, venue)
    session.one(await session.client.accounts.get_fee_rates(venue, instrument, account=owner))
