"""The daemon itself: how it is, and stopping it."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import typer

from daemon.cli.arguments import RequestId, Watch
from daemon.cli.session import Session, command
from daemon.cli.tables import COLOURS, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cambist import Info, Status


PANEL = "The daemon"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "status", rich_help_panel=PANEL)(status)
    command(app, "stop", rich_help_panel=PANEL)(stop)


async def status(session: Session, watch: Watch = False) -> None:
    """How the daemon and each of its parts are."""
    info = session.client.info
    if watch:
        stream = session.client.system.status()
        if session.json:
            await session.follow(_documents(info, stream), str)
        else:
            await session.follow(stream, lambda now: _drawn(session, info, now))
        return
    now = await session.client.system.get_status()
    if session.json:
        session.document(_document(info, now))
    else:
        session.print(_drawn(session, info, now))


async def _documents(
    info: "Info", stream: "AsyncIterator[Status]"
) -> AsyncIterator[dict[str, Any]]:
    async for now in stream:
        yield _document(info, now)


def _document(info: "Info", now: "Status") -> dict[str, Any]:
    return {
        "version": info.version,
        "api": info.api,
        "profile": info.profile,
        "daemon_id": info.daemon_id,
        "state": now.state,
        "start_time": now.start_time,
        "event_sequence": now.event_sequence,
        "components": now.components,
        "limits": info.limits,
    }


def _drawn(session: Session, info: "Info", now: "Status") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    state = str(now.state)
    head = Text.assemble(
        f"cambistd {info.version} ",
        (info.profile, "bold"),
        " is ",
        (state, COLOURS.get(state, "")),
        f" at {session.client.address}",
    )
    since = f"{now.start_time:%Y-%m-%d %H:%M:%S} UTC" if now.start_time else "?"
    more = Text(f"since {since}, {now.event_sequence} events in the log\n", style="dim")
    return Group(head, more, table("Component", now.components))


async def stop(session: Session, request_id: RequestId = "") -> None:
    """Stop the daemon: it refuses what is new, finishes what runs, and ends."""
    await session.client.system.shutdown(request_id=request_id or None)
    session.done("the daemon is stopping")
