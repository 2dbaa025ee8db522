"""Limits over all bots, and the emergency stop."""

from typing import Annotated

import typer

from daemon.cli.arguments import OnlyAccount, OnlyInstrument, OnlyVenue, RequestId
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError

PANEL = "Safety"

OnlyRoot = Annotated[
    str, typer.Option("--token", metavar="ROOT", help="Only the bot whose tokens have this root.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "halt", rich_help_panel=PANEL)(halt)
    command(app, "resume", rich_help_panel=PANEL)(resume)
    command(app, "risk", rich_help_panel=PANEL)(limits)
    command(app, "tighten", rich_help_panel=PANEL)(tighten)


async def halt(
    session: Session,
    list_: Annotated[bool, typer.Option("--list", help="Only show what is halted.")] = False,
    reduce: Annotated[
        bool, typer.Option("--reduce", help="Let pass what lowers exposure.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Also cancel open orders.")] = False,
    venue: OnlyVenue = "",
    account: OnlyAccount = "",
    instrument: OnlyInstrument = "",
    token: OnlyRoot = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    request_id: RequestId = "",
) -> None:
    """Stop everything, or a part: nothing new goes out, cancels pass, also after a restart."""
    from cambist import HaltMode, Scope

    if list_:
        session.rows("HaltRecord", await session.client.risk.list_halts(), "nothing is halted")
        return
    made = await session.client.risk.halt(
        scope=Scope(venue, account, instrument, token),
        mode=HaltMode.REDUCE if reduce else HaltMode.ALL,
        cancel_orders=cancel,
        reason=reason,
        request_id=request_id or None,
    )
    if session.json:
        session.document(made)
    else:
        what = "only what lowers exposure passes" if reduce else "nothing new goes out"
        session.print(f"halted ({made.scope}): {what}; 'cambist resume {made.id}' ends it")


async def resume(
    session: Session,
    halt_id: Annotated[
        str, typer.Argument(metavar="[HALT]", help="As 'cambist halt --list' shows; or --all.")
    ] = "",
    all_: Annotated[bool, typer.Option("--all", help="End all halts.")] = False,
    request_id: RequestId = "",
) -> None:
    """End a halt."""
    if all_ == bool(halt_id):
        raise UsageError("say which halt: 'cambist halt --list' shows them; or --all")
    found = [halt_id] if halt_id else [one.id for one in await session.client.risk.list_halts()]
    for number, id in enumerate(found):
        suffix = f"-{number}" if number else ""
        await session.client.risk.resume(id, request_id=request_id and f"{request_id}{suffix}")
    session.done(f"resumed: {', '.join(found)}" if found else "nothing was halted")


async def limits(session: Session) -> None:
    """The limits over all bots, and how far each is used."""
    nothing = "no limit: see [risk] in the configuration, or 'cambist tighten'"
    session.rows("RiskLimit", await session.client.risk.list_risk_limits(), nothing)


async def tighten(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="LIMIT", help="Such as order_notional.")],
    limit: Annotated[str, typer.Argument(metavar="FIGURE", help="The most from now on.")],
    venue: OnlyVenue = "",
    account: OnlyAccount = "",
    instrument: OnlyInstrument = "",
    token: OnlyRoot = "",
    request_id: RequestId = "",
) -> None:
    """Lower a limit, or make a new one; loosening is for the configuration."""
    from cambist import Scope

    made = await session.client.risk.tighten_risk_limit(
        name,
        limit,
        scope=Scope(venue, account, instrument, token),
        request_id=request_id or None,
    )
    session.one(made)
