"""How a command speaks besides its results: errors, questions, and where it writes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200


class UsageError(Exception):
    """The command cannot be meant so; the message says how to say it."""


# What to try next, where the message of a reason cannot know it.
NEXT = {
    "VENUE_NOT_FOUND": "cambist venues",
    "INSTRUMENT_NOT_FOUND": "cambist instruments VENUE",
    "ACCOUNT_NOT_FOUND": "cambist account list",
    "ORDER_NOT_FOUND": "cambist order list",
    "NETWORK_NOT_FOUND": "cambist networks",
    "WALLET_NOT_FOUND": "cambist wallet list",
    "WALLETS_LOCKED": "cambist wallet unlock",
    "TOKEN_NOT_FOUND": "cambist tokens NETWORK",
    "POOL_NOT_FOUND": "cambist pools VENUE",
    "POSITION_NOT_FOUND": "cambist liquidity list VENUE",
    "QUOTE_NOT_FOUND": "cambist quote VENUE TOKEN_IN TOKEN_OUT AMOUNT",
    "QUOTE_EXPIRED": "cambist quote VENUE TOKEN_IN TOKEN_OUT AMOUNT",
    "SLIPPAGE_EXCEEDED": "cambist quote VENUE TOKEN_IN TOKEN_OUT AMOUNT",
    "OUTCOME_UNKNOWN": "cambist events --watch",
    "STARTING_UP": "cambist status --watch",
    "ACCOUNT_NOT_RECONCILED": "cambist status --watch",
    "INTERNAL": "the daemon's log",
    "CONNECTION_LOST": "cambist status",
}


def fail(
    reason: str, message: str, metadata: dict[str, str], as_json: bool, code: int = 1
) -> NoReturn:
    """Ends the command with an error."""
    write_error(reason, message, metadata, as_json)
    raise typer.Exit(code)


def write_error(reason: str, message: str, metadata: dict[str, str], as_json: bool) -> None:
    """Says on standard error what is wrong and what to do next."""
    if as_json:
        error = {"reason": reason, "message": message, "metadata": metadata}
        print(json.dumps({"error": error}, ensure_ascii=False), file=sys.stderr)
    else:
        err = console(stderr=True)
        err.print("error:", style="red", end=" ")
        err.print(message, markup=False, highlight=False, soft_wrap=True)
        if (known := metadata.get("known")) and known not in message:
            err.print(f"  known: {known}", markup=False, highlight=False, soft_wrap=True)
        if words := metadata.get("venue_message"):
            said = f"{metadata.get('venue_code', '')} {words}".strip()
            if words not in message:
                err.print(f"  venue: {said}", markup=False, highlight=False, soft_wrap=True)
        if reason in NEXT:
            err.print(f"  see: {NEXT[reason]}", markup=False, highlight=False, soft_wrap=True)


def console(stderr: bool = False) -> Console:
    """Where people read. Numbers are not coloured: only standing and state are."""
    from rich.console import Console

    file = sys.stderr if stderr else sys.stdout
    # Who reads through a pipe wants lines whole.
    width = None if file.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, width=width)


def confirm(question: str, yes: bool, in_scripts: bool = True) -> None:
    """Asks before something that costs; ends the command where the answer is no. Where nobody can
    be asked it goes on only if `in_scripts` is false."""
    if yes:
        return
    if not sys.stdin.isatty():
        if not in_scripts:
            return
        raise UsageError("nobody can be asked here: add --yes to go on")
    with contextlib.suppress(KeyboardInterrupt):
        if typer.confirm(question, err=True):
            return
    raise UsageError("nothing was done")
