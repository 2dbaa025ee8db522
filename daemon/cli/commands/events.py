"""The log of what happened."""

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.arguments import Limit, OnlyAccount, Watch
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError, console
from daemon.cli.tables import cells
from daemon.cli.values import to_text

if TYPE_CHECKING:
    from cambist import Event


PANEL = "Trading"
KINDS = {
    "AccountNotice": "notice",
    "Balance": "balance",
    "Fill": "fill",
    "FundingPayment": "funding",
    "Order": "order",
    "Position": "position",
    "Transaction": "transaction",
    "NoneType": "unknown",
}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "events", rich_help_panel=PANEL)(events)


async def events(
    session: Session,
    watch: Watch = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="From the first event.")] = False,
    resume: Annotated[
        str, typer.Option(metavar="TOKEN", help="Go on where --watch was ended.")
    ] = "",
    account: OnlyAccount = "",
    limit: Limit = 50,
) -> None:
    """What happened: orders, fills, balances, positions, transactions. The newest last."""
    client = session.client
    if resume and from_start:
        raise UsageError("say either --resume TOKEN or --from-start")
    if not watch and not resume:
        newest = (await client.system.get_status()).event_sequence
        after = 0 if from_start else max(0, newest - limit)
        found = await client.events.list_events(after_sequence=after, account=account)
        if session.json:
            session.document(found)
        for event in found if not session.json else []:
            _print(session, event)
        if not found and not session.json:
            session.print("nothing has happened yet")
        return
    stream = client.events.stream(resume_token=resume, from_start=from_start, account=account)
    try:
        async for event in stream:
            if session.json:
                session.line(event)
            else:
                _print(session, event)
    finally:
        if stream.resume_token:
            words = f"go on with: cambist events --resume {stream.resume_token}"
            console(stderr=True).print(words, style="dim", markup=False, soft_wrap=True)


def _print(session: Session, event: "Event") -> None:
    from rich.text import Text

    payload = event.payload
    kind = type(payload).__name__
    if payload is None:
        words = "an event that this version does not know"
    elif kind == "AccountNotice":
        words = f"{getattr(payload, 'account', '')} {getattr(payload, 'message', '')}"
    else:
        row = cells(payload)
        words = " ".join(cell for cell in (row[1:] if _starts_with_time(kind) else row) if cell)
    line = Text.assemble(
        (f"{event.sequence:>6} ", "dim"),
        f"{to_text(event.time)} ",
        (f"{KINDS.get(kind, kind):<11} ", "bold"),
        words,
    )
    console().print(line, soft_wrap=True)


def _starts_with_time(kind: str) -> bool:
    from daemon.cli.tables import COLUMNS

    return COLUMNS[kind][0].startswith("Time")
