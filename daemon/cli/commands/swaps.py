"""Pools, quotes and swaps."""

from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.arguments import (
    Amount,
    Approval,
    ApprovalName,
    DryRun,
    Venue,
    Wallet,
    Watch,
)
from daemon.cli.commands.chains import approval_method
from daemon.cli.resolve import wallet_for_venue
from daemon.cli.sending import AS_USUAL, Sending
from daemon.cli.session import Session, command, flat
from daemon.cli.tables import details

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cambist import Quote, SwapMode

TokenIn = Annotated[str, typer.Argument(metavar="TOKEN_IN", help="Address or symbol.")]
TokenOut = Annotated[str, typer.Argument(metavar="TOKEN_OUT", help="Address or symbol.")]
ExactOut = Annotated[bool, typer.Option("--exact-out", help="AMOUNT is what comes out.")]
Slippage = Annotated[
    str,
    typer.Option(metavar="FRACTION", help="0.005 is 0.5 %.", show_default="0.005"),
]
LimitPrice = Annotated[
    str,
    typer.Option(
        metavar="PRICE",
        help="The worst price of a unit: TOKEN_OUT for one TOKEN_IN, fees included.",
    ),
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="With --limit-price: what can be had within it, else nothing."),
]

PANEL = "Trading"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (pools, quote, swap):
        command(app, function.__name__, rich_help_panel=PANEL)(function)


async def pools(
    session: Session,
    venue: Venue,
    pool: Annotated[str, typer.Argument(metavar="[POOL]", help="Its address or instrument.")] = "",
) -> None:
    """The pools of a venue, or one with all its fields."""
    client = session.client
    if pool:
        session.one(await client.swaps.get_pool(venue, pool))
    else:
        session.rows("Pool", await client.swaps.list_pools(venue), "no pool is known")


async def quote(
    session: Session,
    venue: Venue,
    token_in: TokenIn,
    token_out: TokenOut,
    amount: Amount,
    exact_out: ExactOut = False,
    slippage: Slippage = "",
    limit_price: LimitPrice = "",
    partial: Partial = False,
    wallet: Wallet = "",
    approval: Approval = ApprovalName.EXACT,
    watch: Watch = False,
) -> None:
    """What a swap would give now; with --watch at each block."""
    swaps = session.client.swaps
    mode = _mode(exact_out)
    if watch:
        stream = swaps.quotes(
            venue,
            token_in,
            token_out,
            amount,
            mode=mode,
            slippage=slippage or None,
            limit_price=limit_price or None,
            partial=partial,
        )
        await session.follow(stream, _drawn)
        return
    found = await swaps.get_quote(
        *(venue, token_in, token_out, amount),
        mode=mode,
        slippage=slippage or None,
        limit_price=limit_price or None,
        partial=partial,
        wallet=wallet,
        approval=approval_method(approval),
    )
    if session.json:
        session.document(found)
    else:
        session.print(_drawn(found))


async def swap(
    session: Session,
    venue: Venue,
    token_in: TokenIn,
    token_out: TokenOut,
    amount: Amount,
    exact_out: ExactOut = False,
    slippage: Slippage = "",
    limit_price: LimitPrice = "",
    partial: Partial = False,
    wallet: Wallet = "",
    approval: Approval = ApprovalName.EXACT,
    dry_run: DryRun = False,
    sending: Sending = AS_USUAL,
) -> None:
    """Swap tokens: shows the quote, asks, and executes exactly that quote."""
    client = session.client
    owner = await wallet_for_venue(session, wallet, venue)
    found = await client.swaps.get_quote(
        venue,
        token_in,
        token_out,
        amount,
        mode=_mode(exact_out),
        slippage=slippage or None,
        limit_price=limit_price or None,
        partial=partial,
        wallet=owner,
        approval=approval_method(approval),
    )
    if not session.json:
        session.print(_drawn(found))
    if not dry_run:
        sending.confirm(f"Swap with wallet {owner}?")
    sent = await client.swaps.swap(
        found,
        wallet=owner,
        approval=approval_method(approval),
        dry_run=dry_run,
        **sending.keywords(),
    )
    transaction = sent.transaction
    if transaction is not None:
        transaction = await sending.waited(session, transaction)
    if session.json:
        session.document({"transaction": transaction, "quote": sent.quote})
    elif transaction is None:
        session.print(_rehearsed(sent.quote))
    else:
        session.print(details(flat(transaction)))
    if transaction is not None:
        sending.check(transaction)


def _rehearsed(quote: "Quote") -> str:
    if quote.required_approval is None:
        return "it would succeed; nothing was sent"
    return "the wallet has what it takes, and must allow it first; nothing was sent"


def _mode(exact_out: bool) -> "SwapMode":
    from cambist import SwapMode

    return SwapMode.EXACT_OUT if exact_out else SwapMode.EXACT_IN


def _drawn(found: "Quote") -> "RenderableType":
    exact_out = str(found.mode) == "exact_out"
    least = "at the most in" if exact_out else "at the least out"
    approval = found.required_approval
    permit = approval is not None and approval.by_signature
    ways = [
        str(one.method)
        for one in found.approvals
        if one.offered and approval is not None and one.method != approval.method
    ]
    pairs = [
        ("asked", found.asked_amount if found.partial else None),
        ("in", found.amount_in),
        ("out", found.amount_out),
        (least, found.guaranteed),
        ("price", found.price),
        ("price impact", found.price_impact),
        ("slippage", found.slippage),
        ("limit price", found.limit_price),
        ("block", found.block),
        ("until", found.expire_time),
        ("signs a permit of" if permit else "approves first", approval and approval.amount),
        ("other ways", ", ".join(ways)),
        ("plan", found.plan),
        ("quote", found.id),
    ]
    return details(pairs)
