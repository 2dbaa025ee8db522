"""What every command of `cambist` shares: the connection, `--json`, and how errors end it.

A command is a coroutine whose first parameter is the session; `command` makes a typer command of it
and adds the options that all of them have. The client is imported only when a command runs, so that
`--help` and completion answer at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import json
import os
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from cambist import Client

Function = TypeVar("Function", bound=Callable[..., Awaitable[None]])

JSON = Annotated[bool, typer.Option("--json", help="One JSON document; a line each for streams.")]
CONNECT = Annotated[
    str,
    typer.Option(
        "--connect",
        metavar="STRING",
        help="unix:///path/cambist.sock or cambist://127.0.0.1:7177.",
        show_default="$CAMBIST_CONNECT, else the local daemon",
    ),
]
PROFILE = Annotated[
    str, typer.Option("--profile", metavar="PROFILE", help="Only the local live or sandbox daemon.")
]


PIPE_WIDTH = 200


class UsageError(Exception):
    """The command cannot be meant so; the message says how to say it."""


class Session:
    """One run of a command."""

    def __init__(self, client: Client, as_json: bool) -> None:
        self.client = client
        self.json = as_json

    def document(self, value: Any) -> None:
        """Writes one JSON document."""
        from daemon.cli.values import to_json

        _write(json.dumps(to_json(value), indent=2, ensure_ascii=False))

    def line(self, value: Any) -> None:
        """Writes one line of a stream of JSON."""
        from daemon.cli.values import to_json

        _write(json.dumps(to_json(value), ensure_ascii=False))

    def print(self, what: RenderableType) -> None:
        """Writes for people."""
        console().print(what)

    def done(self, words: str) -> None:
        """Says what was done; with --json an empty object, so that there is always a document."""
        if self.json:
            self.document({})
        else:
            self.print(words)

    def rows(self, kind: str, values: Sequence[Any], nothing: str) -> None:
        """Shows a list; `nothing` says in words that it is empty."""
        from daemon.cli.tables import table

        if self.json:
            self.document(list(values))
        elif values:
            self.print(table(kind, values))
        else:
            self.print(nothing)

    def one(self, value: Any) -> None:
        """Shows one value with all its fields."""
        from daemon.cli.tables import details

        if self.json:
            self.document(value)
        else:
            self.print(details(flat(value)))

    async def follow(
        self, values: AsyncIterable[Any], draw: Callable[[Any], RenderableType]
    ) -> None:
        """Shows what a stream says last, in place; with --json a line each."""
        if self.json:
            async for value in values:
                self.line(value)
            return
        from rich.live import Live

        with Live(console=console(), auto_refresh=False) as live:
            async for value in values:
                live.update(draw(value), refresh=True)

    async def rows_as_they_come(self, kind: str, values: AsyncIterable[Any]) -> None:
        """Shows each value of a stream on a line of its own."""
        from daemon.cli.tables import cells, heads, table

        widths: list[int] = []  # the widest so far, so that lines stay below each other
        async for value in values:
            if self.json:
                self.line(value)
                continue
            drawn = table(kind, [value])
            drawn.show_header = not widths
            sizes = [len(cell) for cell in cells(value)]
            widths = [max(pair) for pair in zip(sizes, widths or heads(kind), strict=True)]
            for column, width in zip(drawn.columns, widths, strict=True):
                column.min_width = width
            self.print(drawn)


def flat(value: Any) -> list[tuple[str, Any]]:
    """A value's fields, those of nested values with them."""
    pairs: list[tuple[str, Any]] = []
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if type(item).__name__ in ("OrderSpec", "RequiredApproval"):
            pairs.extend(flat(item))
        elif isinstance(item, Mapping):
            pairs.extend((f"· {key}", item[key]) for key in sorted(item))
        else:
            pairs.append((field.name, item))
    return pairs


def command(
    app: typer.Typer, name: str | None = None, **options: Any
) -> Callable[[Function], Function]:
    """Registers a coroutine as a command, with --json, --connect and --profile."""

    def register(function: Function) -> Function:
        signature = inspect.signature(function)
        own = list(signature.parameters.values())[1:]  # the first is the session
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter("as_json", keyword, default=False, annotation=JSON),
            inspect.Parameter("connect", keyword, default="", annotation=CONNECT),
            inspect.Parameter("profile", keyword, default="", annotation=PROFILE),
        ]

        def run(*, as_json: bool, connect: str, profile: str, **values: Any) -> None:
            execute(lambda session: function(session, **values), as_json, connect, profile)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        own = [parameter.replace(kind=keyword) for parameter in own]
        run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in [*own, *added]}
        app.command(name, **options)(run)
        return function

    return register


def execute(
    body: Callable[[Session], Awaitable[None]], as_json: bool, connect: str, profile: str
) -> None:
    """Connects, runs, and turns whatever goes wrong into words and an exit code."""
    import cambist

    async def connected() -> None:
        async with cambist.connect(connect or None, profile=profile or None) as client:
            await body(Session(client, as_json))

    try:
        asyncio.run(connected())
    except cambist.Error as error:
        fail(error.reason, error.message, error.metadata, as_json)
    except UsageError as error:
        fail("USAGE", str(error), {}, as_json, code=2)
    except (ValueError, TypeError) as error:
        fail("USAGE", str(error), {}, as_json, code=2)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Who read us has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


# What to try next, where the message of a reason cannot know it.
NEXT = {
    "VENUE_NOT_FOUND": "cambist venues",
    "INSTRUMENT_NOT_FOUND": "cambist instruments VENUE",
    "ACCOUNT_NOT_FOUND": "cambist account list",
    "ORDER_NOT_FOUND": "cambist order list",
    "NETWORK_NOT_FOUND": "cambist networks",
    "WALLET_NOT_FOUND": "cambist wallet list",
    "TOKEN_NOT_FOUND": "cambist tokens NETWORK",
    "POOL_NOT_FOUND": "cambist pools VENUE",
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


def _write(text: str) -> None:
    print(text, flush=True)


def confirm(question: str, yes: bool) -> None:
    """Asks before something that costs; ends the command where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: add --yes to go on")
    with contextlib.suppress(KeyboardInterrupt):
        if typer.confirm(question, err=True):
            return
    raise UsageError("nothing was done")
