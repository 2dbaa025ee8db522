"""The sandbox's paper exchange, made to misbehave, so that a bot is tested before venues do."""

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated

import typer

from daemon.cli.arguments import OnlyAccount, OnlyInstrument, OnlyVenue, RequestId
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError

PANEL = "The daemon"
_MICROSECOND = Decimal("0.000001")
_LONGEST = Decimal(86_400)


class KindName(StrEnum):
    """What goes wrong."""

    TIMEOUT_AFTER_EFFECT = "timeout-after-effect"
    TIMEOUT_WITHOUT_EFFECT = "timeout-without-effect"
    RATE_LIMIT = "rate-limit"
    DELAY = "delay"
    DROP_FILL = "drop-fill"
    DUPLICATE_REPORT = "duplicate-report"
    DISCONNECT = "disconnect"
    SKIP_SEQUENCE = "skip-sequence"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Make the paper exchange misbehave, to test bots.", no_args_is_help=True
    )
    command(group, "fault")(fault)
    command(group, "faults")(faults)
    command(group, "heal")(heal)
    app.add_typer(group, name="sandbox", rich_help_panel=PANEL)


async def fault(
    session: Session,
    kind: Annotated[KindName, typer.Argument(metavar="KIND", help="What goes wrong: see below.")],
    venue: OnlyVenue = "",
    account: OnlyAccount = "",
    operation: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Only this command or question: place, cancel, query, fills, ..."
        ),
    ] = "",
    instrument: OnlyInstrument = "",
    times: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="How often; 0 until 'cambist sandbox heal'.")
    ] = 0,
    delay: Annotated[
        str,
        typer.Option(
            metavar="SECONDS",
            help="How long a delay is, or a rate limit's wait.",
            show_default="1",
        ),
    ] = "",
    request_id: RequestId = "",
) -> None:
    """Switch a fault on.

    KIND is timeout-after-effect (done, but the answer is lost), timeout-without-effect (lost on
    the way), rate-limit, delay, drop-fill, duplicate-report, disconnect (the account's stream) or
    skip-sequence (a book's change is lost).
    """
    from cambist import FaultKind

    await session.client.sandbox.add_fault(
        FaultKind[kind.name],
        venue=venue,
        account=account,
        operation=operation,
        instrument=instrument,
        times=times,
        delay=_seconds(delay) if delay else None,
        request_id=request_id or None,
    )
    how_long = f"{times} times" if times > 1 else "once" if times else "until 'sandbox heal'"
    session.done(f"{kind.value} is on, {how_long}")


async def faults(session: Session) -> None:
    """The faults that are on; "times" is how often they still strike, 0 until healed."""
    found = await session.client.sandbox.list_faults()
    session.rows("Fault", found, "no fault is on")


async def heal(session: Session, request_id: RequestId = "") -> None:
    """Switch all faults off."""
    await session.client.sandbox.clear_faults(request_id=request_id or None)
    session.done("no fault is on")


def _seconds(text: str) -> timedelta:
    """Exact to the microsecond."""
    try:
        value = Decimal(text)
        possible = 0 <= value <= _LONGEST
    except InvalidOperation:  # no number, or NaN
        possible = False
    if not possible:
        raise UsageError(f"--delay {text!r} must be seconds from 0 to {_LONGEST}, such as 0.5")
    return timedelta(microseconds=int(value / _MICROSECOND))
