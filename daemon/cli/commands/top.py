"""`cambist top`: the daemon at a glance, again and again."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.session import Session, command
from daemon.cli.tables import COLOURS

if TYPE_CHECKING:
    from rich.console import RenderableType

PANEL = "The daemon"
_ORDERS = 12  # the newest that are shown


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "top", rich_help_panel=PANEL)(top)


async def top(
    session: Session,
    interval: Annotated[
        float, typer.Option(min=0.2, help="Seconds between looks.")  # float: seconds
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
) -> None:
    """Venues, budgets, open orders, limits and halts, as they are now; Ctrl-C ends it."""
    if session.json or once:
        while True:
            found = await _look(session)
            if session.json:
                session.line(found)
            else:
                session.print(_draw(found))
            if once:
                return
            await asyncio.sleep(interval)
    from rich.live import Live

    from daemon.cli.speech import console

    with Live(console=console(), auto_refresh=False, screen=True) as live:
        while True:
            live.update(_draw(await _look(session)), refresh=True)
            await asyncio.sleep(interval)


async def _look(session: Session) -> dict[str, Any]:
    from cambist import PermissionDenied

    client = session.client
    hidden: list[str] = []

    async def all_of(what: str, pages: Any) -> list[Any]:
        """A token need not allow all of it: the rest is shown."""
        try:
            return [one async for one in pages]
        except PermissionDenied:
            hidden.append(what)
            return []

    status, venues, limits, halts, risk, orders = await asyncio.gather(
        client.system.get_status(),
        all_of("venues", client.venues.list_venues()),
        all_of("budgets", client.venues.list_rate_limits()),
        all_of("halts", client.risk.list_halts()),
        all_of("limits", client.risk.list_risk_limits()),
        all_of("open orders", client.trading.list_orders(open_only=True)),
    )
    return {
        "time": datetime.now(UTC),
        "status": status,
        "venues": venues,
        "rate_limits": limits,
        "halts": halts,
        "risk_limits": risk,
        "open_orders": len(orders),
        "orders": orders[:_ORDERS],
        "hidden": sorted(hidden),
    }


def _draw(found: dict[str, Any]) -> "RenderableType":
    from rich.columns import Columns
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from daemon.cli.tables import table
    from daemon.cli.values import to_text

    status = found["status"]
    state = status.state.name.lower()
    head = Text.assemble(
        ("cambistd ", "bold"),
        (state, COLOURS.get(state, "")),
        f"   {found['time']:%H:%M:%S} UTC   {found['open_orders']} open orders",
    )
    parts: list[RenderableType] = [head]
    parts += [
        Text(f"HALTED {one.id}: {one.scope} ({one.mode}) {one.reason}", "bold red")
        for one in found["halts"]
    ]
    usage: dict[str, Decimal] = {}
    for limit in found["rate_limits"]:
        share = Decimal(limit.used) / limit.limit if limit.limit else Decimal(0)
        usage[limit.venue] = max(usage.get(limit.venue, Decimal(0)), share)
    venues = Table("Venue", "State", "Budget", title="Venues", title_justify="left")
    conditions = {(one.kind, one.id): one.condition for one in status.components}
    for venue in found["venues"]:
        bar = _bar(usage[venue.id]) if venue.id in usage else Text("")
        venues.add_row(venue.id, to_text(conditions.get(("venue", venue.id), "")), bar)
    others = Table("Part", "State", title="The rest", title_justify="left")
    for (kind, id), condition in conditions.items():
        if kind != "venue":
            others.add_row(
                id if kind in ("journal", "risk") else f"{kind} {id}", to_text(condition)
            )
    parts.append(Columns([venues, others]))
    if found["orders"]:
        parts.append(table("Order", found["orders"]))
    if found["risk_limits"]:
        parts.append(table("RiskLimit", found["risk_limits"]))
    if found["hidden"]:
        words = f"this token does not show all {', '.join(found['hidden'])}"
        parts.append(Text(words, style="dim"))
    return Group(*parts)


def _bar(share: Decimal, width: int = 10) -> Any:
    from rich.text import Text

    filled = min(int(share * width), width)
    colour = "red" if share > Decimal("0.9") else "yellow" if share > Decimal("0.6") else "green"
    return Text.assemble(
        ("█" * filled, colour), ("░" * (width - filled), "dim"), f" {share * 100:.0f} %"
    )
