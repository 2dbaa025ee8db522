"""Market data, once or live."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import complete
from daemon.cli.arguments import Instrument, Limit, OnlyAccount, Venue, Watch
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError
from daemon.cli.tables import COLOURS, details
from daemon.cli.values import book_to_json, parse_interval, parse_time, to_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cambist import OrderBook

Depth = Annotated[int, typer.Option("--depth", "-d", min=1, help="Levels a side.")]


PANEL = "Markets"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (book, ticker, trades, candles, funding):
        command(app, function.__name__, rich_help_panel=PANEL)(function)


async def book(
    session: Session, venue: Venue, instrument: Instrument, depth: Depth = 10, watch: Watch = False
) -> None:
    """The order book; with --watch as it moves. A pool shows its curve as levels."""
    market = session.client.market
    if watch:
        live = market.order_book(venue, instrument)
        if session.json:
            await session.follow(_documents(live, depth), str)
        else:
            await session.follow(live, lambda now: _drawn(now, depth))
        return
    now = await market.get_order_book(venue, instrument, depth=depth)
    if session.json:
        session.document(book_to_json(now, depth))
    else:
        session.print(_drawn(now, depth))


async def _documents(live: "AsyncIterator[OrderBook]", depth: int) -> AsyncIterator[dict[str, Any]]:
    async for now in live:
        yield book_to_json(now, depth)


def _drawn(now: "OrderBook", depth: int) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    state = str(now.state)
    head = Text.assemble(
        (f"{now.instrument} ", "bold"), f"on {now.venue}: ", (state, COLOURS.get(state, ""))
    )
    if now.reason:
        head.append(f" ({now.reason})")
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name, style in (("Quantity", ""), ("Bid", "green"), ("Ask", "red"), ("Quantity", "")):
        drawn.add_column(name, justify="right", style=style, no_wrap=True, min_width=12)
    bids, asks = now.bids[:depth], now.asks[:depth]
    for row in range(max(len(bids), len(asks))):
        bid = bids[row] if row < len(bids) else None
        ask = asks[row] if row < len(asks) else None
        drawn.add_row(
            *(to_text(value) for value in (bid and bid.quantity, bid and bid.price)),
            *(to_text(value) for value in (ask and ask.price, ask and ask.quantity)),
        )
    return Group(head, drawn)


def _fields(value: Any) -> "RenderableType":
    from daemon.cli.session import flat

    return details(flat(value))


async def ticker(
    session: Session, venue: Venue, instrument: Instrument, watch: Watch = False
) -> None:
    """Latest prices and the day's statistics."""
    market = session.client.market
    if watch:
        await session.follow(market.ticker(venue, instrument), _fields)
    else:
        session.one(await market.get_ticker(venue, instrument))


async def trades(
    session: Session,
    venue: Venue,
    instrument: Instrument,
    watch: Watch = False,
    limit: Limit = 20,
) -> None:
    """The latest public trades, newest first; with --watch as they happen."""
    market = session.client.market
    if watch:
        await session.rows_as_they_come("Trade", market.trades(venue, instrument))
        return
    found = await market.list_trades(venue, instrument, page_size=min(limit, 1000)).first(limit)
    session.rows("Trade", found, "no trades yet")


async def candles(
    session: Session,
    venue: Venue,
    instrument: Instrument,
    interval: Annotated[str, typer.Option("--interval", "-i", help="1m, 5m, 1h, 1d, ...")] = "1m",
    start: Annotated[str, typer.Option(metavar="TIME", help="Not before, ISO 8601.")] = "",
    end: Annotated[str, typer.Option(metavar="TIME", help="Before, ISO 8601.")] = "",
    watch: Watch = False,
    limit: Limit = 20,
) -> None:
    """Candles, oldest first; with --watch the running one at each change."""
    market = session.client.market
    length = parse_interval(interval)
    if watch:
        await session.follow(market.candles(venue, instrument, length), _fields)
        return
    pages = market.list_candles(
        venue,
        instrument,
        length,
        start_time=parse_time(start) if start else None,
        end_time=parse_time(end) if end else None,
        page_size=min(limit, 1000),
    )
    # Without a start the newest are meant, and pages are oldest first.
    found = await pages.first(limit) if start else (await pages)[-limit:]
    session.rows("Candle", found, "no candles in that time")


async def funding(
    session: Session,
    venue: Annotated[
        str, typer.Argument(metavar="[VENUE]", autocompletion=complete.venues, help="The venue.")
    ] = "",
    instrument: Annotated[
        str,
        typer.Argument(
            metavar="[INSTRUMENT]", autocompletion=complete.instruments, help="The perpetual."
        ),
    ] = "",
    watch: Watch = False,
    payments: Annotated[
        bool, typer.Option("--payments", help="What was paid and received instead.")
    ] = False,
    account: OnlyAccount = "",
    limit: Limit = 20,
) -> None:
    """Funding rate, mark and index price of a perpetual; or funding --payments."""
    client = session.client
    if payments:
        pages = client.accounts.list_funding_payments(
            account=account, venue=venue, instrument=instrument
        )
        session.rows("FundingPayment", await pages.first(limit), "no funding was paid yet")
        return
    if not venue or not instrument:
        raise UsageError("name a venue and a perpetual, or use --payments")
    if watch:
        await session.follow(client.market.funding(venue, instrument), _fields)
    else:
        session.one(await client.market.get_funding(venue, instrument))
