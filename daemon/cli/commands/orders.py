"""Orders and fills."""

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli import complete
from daemon.cli.arguments import (
    Account,
    DryRun,
    Limit,
    OnlyAccount,
    OnlyInstrument,
    OnlyVenue,
    OrderId,
    RequestId,
    SideName,
    TimeInForceName,
)
from daemon.cli.commands.order_file import place_file
from daemon.cli.resolve import find_order, trading_account
from daemon.cli.session import Session, command
from daemon.cli.speech import UsageError

PANEL = "Trading"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Place, change, cancel and list orders.", no_args_is_help=True)
    command(group, "place")(place)
    command(group, "replace")(replace)
    command(group, "cancel")(cancel)
    command(group, "list")(listed)
    command(group, "show")(show)
    app.add_typer(group, name="order", rich_help_panel=PANEL)
    command(app, "fills", rich_help_panel=PANEL)(fills)
    command(app, "explain", rich_help_panel=PANEL)(explain)


async def place(
    session: Session,
    venue: Annotated[
        str, typer.Argument(metavar="VENUE", autocompletion=complete.venues, help="Such as paper.")
    ] = "",
    instrument: Annotated[
        str,
        typer.Argument(
            metavar="INSTRUMENT", autocompletion=complete.instruments, help="Such as ETH-USDC."
        ),
    ] = "",
    side: Annotated[SideName | None, typer.Argument(help="buy or sell.")] = None,
    quantity: Annotated[str, typer.Argument(metavar="QUANTITY", help="In base units.")] = "",
    price: Annotated[str, typer.Option("--price", "-p", metavar="P", help="A limit order.")] = "",
    market: Annotated[bool, typer.Option("--market", help="A market order.")] = False,
    trigger: Annotated[
        str, typer.Option(metavar="P", help="A stop order that waits for this price.")
    ] = "",
    take_profit: Annotated[
        bool, typer.Option("--take-profit", help="With --trigger: take profit, not stop.")
    ] = False,
    tif: Annotated[
        TimeInForceName | None, typer.Option("--tif", help="How long it lives.", show_default="gtc")
    ] = None,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Only reduces a position.")
    ] = False,
    max_slippage: Annotated[
        str, typer.Option(metavar="FRACTION", help="Market orders: 0.005 is 0.5 %.")
    ] = "",
    account: Account = "",
    dry_run: DryRun = False,
    request_id: RequestId = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Several orders: JSON lines of venue, instrument, ..."),
    ] = None,
) -> None:
    """Place an order: --price P for a limit order, --market for a market order.

    On a pool use --tif ioc: an order there is a swap. With --file each line is an order, such as
    {"venue": "paper", "instrument": "ETH-USDC", "side": "buy", "quantity": "1", "price": "2900"}.
    """
    if file is not None:
        await place_file(session, file, account, request_id, dry_run)
        return
    if not (venue and instrument and side and quantity):
        raise UsageError("say VENUE INSTRUMENT buy|sell QUANTITY and --price P or --market")
    if bool(price) == market:
        raise UsageError("say either --price P or --market")
    from cambist import Side

    order = await session.client.trading.place_order(
        venue,
        instrument,
        Side[side.name],
        quantity,
        account=await trading_account(session, account, venue),
        price=price or None,
        type=_order_type(market=market, trigger=bool(trigger), take_profit=take_profit),
        trigger_price=trigger or None,
        time_in_force=_time_in_force(tif),
        reduce_only=reduce_only,
        max_slippage=max_slippage or None,
        dry_run=dry_run,
        request_id=request_id or None,
    )
    session.one(order)


def _order_type(market: bool, trigger: bool, take_profit: bool) -> Any:
    from cambist import OrderType

    if take_profit and not trigger:
        raise UsageError("--take-profit needs --trigger P")
    if not trigger:
        return OrderType.MARKET if market else OrderType.LIMIT
    kind = "TAKE_PROFIT" if take_profit else "STOP"
    return OrderType[f"{kind}_{'MARKET' if market else 'LIMIT'}"]


def _time_in_force(tif: TimeInForceName | None) -> Any:
    from cambist import TimeInForce

    return None if tif is None else TimeInForce[tif.name]


async def replace(
    session: Session,
    order: OrderId,
    quantity: Annotated[str, typer.Option(metavar="Q", help="The new whole quantity.")] = "",
    price: Annotated[str, typer.Option("--price", "-p", metavar="P", help="The new limit.")] = "",
    account: Account = "",
    dry_run: DryRun = False,
    request_id: RequestId = "",
) -> None:
    """Change an open order's quantity, price, or both."""
    if not quantity and not price:
        raise UsageError("say --quantity Q, --price P, or both")
    known = await find_order(session, order, account)
    new_price = price or known.spec.price
    if new_price is None:
        raise UsageError("a market order has no price to keep: say --price P")
    changed = await session.client.trading.replace_order(
        known.client_order_id,
        account=known.spec.account,
        quantity=quantity or known.spec.quantity,
        price=new_price,
        dry_run=dry_run,
        request_id=request_id or None,
    )
    session.one(changed)


async def cancel(
    session: Session,
    order: Annotated[str, typer.Argument(metavar="[ORDER]", help="One order.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All open orders.")] = False,
    venue: OnlyVenue = "",
    instrument: OnlyInstrument = "",
    account: OnlyAccount = "",
    request_id: RequestId = "",
) -> None:
    """Cancel one order, or --all (of a venue, an instrument, an account)."""
    if bool(order) == everything:
        raise UsageError("name an order, or say --all")
    trading = session.client.trading
    if order:
        known = await find_order(session, order, account)
        session.one(
            await trading.cancel_order(
                known.client_order_id,
                account=known.spec.account,
                request_id=request_id or None,
            )
        )
        return
    open_orders = await trading.list_orders(
        account=account, venue=venue, instrument=instrument, open_only=True
    )
    places = sorted({(one.spec.account, one.spec.venue) for one in open_orders})
    canceled = []
    for number, (owner, where) in enumerate(places, 1):
        canceled += await trading.cancel_all_orders(
            where,
            account=owner,
            instrument=instrument,
            request_id=f"{request_id}-{number}" if request_id else None,
        )
    session.rows("Order", canceled, "no order is open")


async def listed(
    session: Session,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not final.")] = False,
    account: OnlyAccount = "",
    venue: OnlyVenue = "",
    instrument: OnlyInstrument = "",
    limit: Limit = 50,
) -> None:
    """Orders, newest first."""
    pages = session.client.trading.list_orders(
        account=account,
        venue=venue,
        instrument=instrument,
        open_only=open_only,
        page_size=min(limit, 1000),
    )
    session.rows("Order", await pages.first(limit), "no order")


async def show(session: Session, order: OrderId, account: Account = "") -> None:
    """One order with everything that is known of it."""
    session.one(await find_order(session, order, account))


async def fills(
    session: Session,
    order: Annotated[str, typer.Option(metavar="ORDER", help="Only of this order.")] = "",
    account: OnlyAccount = "",
    venue: OnlyVenue = "",
    instrument: OnlyInstrument = "",
    limit: Limit = 50,
) -> None:
    """Fills, newest first: facts with their fees."""
    pages = session.client.trading.list_fills(
        account=account,
        venue=venue,
        instrument=instrument,
        client_order_id=order,
        page_size=min(limit, 1000),
    )
    session.rows("Fill", await pages.first(limit), "no fill yet")


async def explain(session: Session, order: OrderId, account: Account = "") -> None:
    """An order's whole story from the journal."""
    known = await find_order(session, order, account)
    steps = await session.client.trading.explain_order(
        known.client_order_id, account=known.spec.account
    )
    session.rows("OrderStep", steps, "the journal says nothing of it")
