"""What can be traded where."""

from typing import Annotated

import typer

from daemon.cli import complete
from daemon.cli.session import Session, command

PANEL = "Markets"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    command(app, "venues", rich_help_panel=PANEL)(venues)
    command(app, "instruments", rich_help_panel=PANEL)(instruments)
    command(app, "limits", rich_help_panel=PANEL)(limits)


AnyVenue = Annotated[
    str, typer.Argument(metavar="[VENUE]", help="Only this one.", autocompletion=complete.venues)
]
AnyInstrument = Annotated[
    str,
    typer.Argument(
        metavar="[INSTRUMENT]", help="Only this one.", autocompletion=complete.instruments
    ),
]


async def venues(session: Session, venue: AnyVenue = "") -> None:
    """Venues: what they can do, how far they are trusted, how they are now."""
    if venue:
        session.one(await session.client.venues.get_venue(venue))
    else:
        session.rows("Venue", await session.client.venues.list_venues(), "no venue is configured")


async def instruments(
    session: Session,
    venue: AnyVenue = "",
    instrument: AnyInstrument = "",
    base: Annotated[str, typer.Option(metavar="ASSET", help="Only with this base.")] = "",
    quote: Annotated[str, typer.Option(metavar="ASSET", help="Only with this quote.")] = "",
) -> None:
    """Instruments, with ticks, steps and smallest sizes."""
    client = session.client
    if venue and instrument:
        session.one(await client.venues.get_instrument(venue, instrument))
        return
    found = await client.venues.list_instruments(venue, base=base, quote=quote, page_size=1000)
    session.rows("Instrument", found, "no instrument fits")


async def limits(session: Session, venue: AnyVenue = "") -> None:
    """How much of each venue's rate limits is used."""
    found = await session.client.venues.list_rate_limits(venue)
    session.rows("RateLimit", found, "nothing is metered")
