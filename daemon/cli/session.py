"""What every command of `cambist` shares: the connection, `--json`, and how errors end it.

A command is a coroutine whose first parameter is the session; `command` makes a typer command of it
and adds the options that all of them have. Options that several have together are a dataclass: a
parameter of such a class stands for all of its fields. The client is imported only when a command
runs, so that `--help` and completion answer at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import os
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from daemon.cli.speech import UsageError, console, fail

if TYPE_CHECKING:
    from rich.console import RenderableType

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


@dataclasses.dataclass(frozen=True, slots=True)
class Before:
    """What stood before the command's name: `cambist --profile sandbox status`."""

    json: bool = False
    connect: str = ""
    profile: str = ""


def before(ctx: typer.Context) -> Before:
    """Of the whole command line."""
    found = ctx.find_root().obj
    return found if isinstance(found, Before) else Before()


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
        """Shows what a stream says last, in place; one after the other where there is no terminal,
        with --json a line each."""
        if self.json:
            async for value in values:
                self.line(value)
            return
        shown = console()
        if not shown.is_terminal:  # a file or a pipe gets one after the other
            async for value in values:
                shown.print(draw(value))
            return
        from rich.live import Live

        with Live(console=shown, auto_refresh=False) as live:
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
        parameters = list(signature.parameters.values())[1:]  # the first is the session
        own = [option for parameter in parameters for option in _options(parameter)]
        groups = {one.name: one.annotation for one in parameters if _is_group(one)}
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter("ctx", keyword, annotation=typer.Context),
            inspect.Parameter("as_json", keyword, default=False, annotation=JSON),
            inspect.Parameter("connect", keyword, default="", annotation=CONNECT),
            inspect.Parameter("profile", keyword, default="", annotation=PROFILE),
        ]

        def run(
            *, ctx: typer.Context, as_json: bool, connect: str, profile: str, **values: Any
        ) -> None:
            said = before(ctx)
            as_json = as_json or said.json
            if not (connect or profile):  # what is said last counts
                connect, profile = said.connect, said.profile
            for name, group in groups.items():
                fields = [field.name for field in dataclasses.fields(group)]
                values[name] = group(**{field: values.pop(field) for field in fields})
            execute(lambda session: function(session, **values), as_json, connect, profile)

        run.__name__ = function.__name__
        run.__doc__ = function.__doc__
        own = [parameter.replace(kind=keyword) for parameter in own]
        run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in [*own, *added]}
        app.command(name, **options)(run)
        return function

    return register


def _is_group(parameter: inspect.Parameter) -> bool:
    return dataclasses.is_dataclass(parameter.annotation)


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """A parameter as it is; of a group of options (a dataclass) each of its fields."""
    if not _is_group(parameter):
        return [parameter]
    hints = get_type_hints(parameter.annotation, include_extras=True)
    return [
        inspect.Parameter(
            field.name, parameter.kind, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(parameter.annotation)
    ]


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


def _write(text: str) -> None:
    print(text, flush=True)
