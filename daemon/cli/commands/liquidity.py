"""Liquidity positions in pools."""

from typing import Annotated

import typer

from daemon.cli.arguments import (
    Approval,
    ApprovalName,
    Venue,
    Wallet,
)
from daemon.cli.commands.chains import approval_method
from daemon.cli.resolve import wallet_for_venue
from daemon.cli.sending import AS_USUAL, Sending
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError
from daemon.cli.tables import details

Pool = Annotated[str, typer.Argument(metavar="POOL", help="Its address or instrument.")]
Position = Annotated[
    str, typer.Argument(metavar="POSITION", help="As 'cambist liquidity list' shows.")
]
Base = Annotated[str, typer.Argument(metavar="BASE", help="The most of base, in whole tokens.")]
Quote = Annotated[str, typer.Argument(metavar="QUOTE", help="The most of quote.")]
Lower = Annotated[str, typer.Option("--lower", metavar="PRICE", help="Quote a base unit.")]
Upper = Annotated[str, typer.Option("--upper", metavar="PRICE", help="Quote a base unit.")]
Slippage = Annotated[
    str, typer.Option(metavar="FRACTION", help="0.005 is 0.5 %.", show_default="0.005")
]
Fraction = Annotated[
    str, typer.Argument(metavar="[FRACTION]", help="0.5 is half; 1 closes the position.")
]

PANEL = "Trading"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Liquidity positions in pools.", no_args_is_help=True)
    for name, function in (
        ("list", listed),
        ("show", show),
        ("quote", quote),
        ("add", add),
        ("remove", remove),
        ("collect", collect),
    ):
        command(group, name)(function)
    app.add_typer(group, name="liquidity", rich_help_panel=PANEL)


async def listed(session: Session, venue: Venue, wallet: Wallet = "") -> None:
    """The positions of a wallet on a venue."""
    owner = await wallet_for_venue(session, wallet, venue)
    found = session.client.liquidity.list_liquidity_positions(venue, owner)
    session.rows("LiquidityPosition", await found, "no position")


async def show(session: Session, venue: Venue, position: Position, wallet: Wallet = "") -> None:
    """One position: what it is worth, what it has earned."""
    owner = "" if position.isdigit() else await wallet_for_venue(session, wallet, venue)
    session.one(
        await session.client.liquidity.get_liquidity_position(venue, position, wallet=owner)
    )


async def quote(
    session: Session,
    venue: Venue,
    pool: Annotated[str, typer.Argument(metavar="POOL", help="With --remove: the position.")],
    base: Annotated[str, typer.Argument(metavar="BASE", help="With --remove: the fraction.")],
    quote_: Annotated[str, typer.Argument(metavar="[QUOTE]", help="The most of quote.")] = "",
    lower: Lower = "",
    upper: Upper = "",
    removing: Annotated[bool, typer.Option("--remove", help="What removing would give.")] = False,
    wallet: Wallet = "",
) -> None:
    """What adding would take; with --remove what removing would give."""
    liquidity = session.client.liquidity
    if removing:
        owner = "" if pool.isdigit() else await wallet_for_venue(session, wallet, venue)
        found = await liquidity.quote_remove_liquidity(venue, pool, base, wallet=owner)
    else:
        found = await liquidity.quote_add_liquidity(
            venue, pool, base, quote_ or "0", price_range=_range(lower, upper)
        )
    if session.json:
        session.document(found._asdict())
        return
    pairs: list[tuple[str, object]] = [(one.token.symbol, one) for one in found.amounts]
    if found.liquidity:
        pairs.append(("liquidity", found.liquidity))
    session.print(details([*pairs, ("block", found.block)]))


async def add(
    session: Session,
    venue: Venue,
    pool: Pool,
    base: Base,
    quote_: Quote,
    lower: Lower = "",
    upper: Upper = "",
    position: Annotated[
        str, typer.Option("--position", metavar="POSITION", help="Increase this one.")
    ] = "",
    slippage: Slippage = "",
    wallet: Wallet = "",
    approval: Approval = ApprovalName.EXACT,
    sending: Sending = AS_USUAL,
) -> None:
    """Open a position, or increase one."""
    owner = await wallet_for_venue(session, wallet, venue)
    sending.confirm(f"Add up to {base} and {quote_} to {pool} from wallet {owner}?")
    sent = await session.client.liquidity.add_liquidity(
        venue,
        pool,
        base,
        quote_,
        wallet=owner,
        price_range=_range(lower, upper),
        position=position,
        slippage=slippage or None,
        approval=approval_method(approval),
        **sending.keywords(),
    )
    await sending.shown(session, sent)


async def remove(
    session: Session,
    venue: Venue,
    position: Position,
    fraction: Fraction = "1",
    slippage: Slippage = "",
    wallet: Wallet = "",
    approval: Approval = ApprovalName.EXACT,
    sending: Sending = AS_USUAL,
) -> None:
    """Take liquidity out, with the fees."""
    owner = await wallet_for_venue(session, wallet, venue)
    sending.confirm(f"Remove {fraction} of position {position}?")
    sent = await session.client.liquidity.remove_liquidity(
        venue,
        position,
        fraction,
        wallet=owner,
        slippage=slippage or None,
        approval=approval_method(approval),
        **sending.keywords(),
    )
    await sending.shown(session, sent)


async def collect(
    session: Session,
    venue: Venue,
    position: Position,
    wallet: Wallet = "",
    sending: Sending = AS_USUAL,
) -> None:
    """Collect a position's fees."""
    owner = await wallet_for_venue(session, wallet, venue)
    sending.confirm(f"Collect the fees of position {position}?", in_scripts=False)
    liquidity = session.client.liquidity
    sent = await liquidity.collect_fees(venue, position, wallet=owner, **sending.keywords())
    await sending.shown(session, sent)


def _range(lower: str, upper: str) -> tuple[str, str] | None:
    if bool(lower) != bool(upper):
        raise UsageError("a range has both ends: --lower PRICE --upper PRICE")
    return (lower, upper) if lower else None
