"""`cambistd journal`: verifies and exports a journal. Needs no daemon, and may run beside one."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from daemon.cli.speech import console

app = typer.Typer(help="The record of everything that was done.", no_args_is_help=True)


class FormatName(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


class TableName(StrEnum):
    """What is exported."""

    EVENTS = "events"
    ORDERS = "orders"
    FILLS = "fills"
    FUNDING = "funding"
    TRANSACTIONS = "transactions"


Profile = Annotated[str, typer.Option("--profile", metavar="PROFILE", help="live or sandbox.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where it is.", show_default="~/.cambist/live"),
]


@app.command()
def verify(
    profile: Profile = "live",
    data_dir: DataDir = None,
    expect: Annotated[
        str, typer.Option("--expect", metavar="HASH", help="A hash that was noted earlier.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Hold every row against the hash chain. Note the hash that it prints, elsewhere: with
    --expect it proves later that nothing before it was changed."""
    import json

    from daemon.journal.store import StoreError
    from daemon.journal.verify import verify as verify_journal

    try:
        noted = bytes.fromhex(expect) if expect else None
    except ValueError:
        _fail(f"{expect!r} is no hash")
    try:
        with console(stderr=True).status("reading the journal"):
            found = verify_journal(_path(profile, data_dir), noted)
    except StoreError as error:
        _fail(str(error))
    if as_json:
        document = {
            "good": not found.faults,
            "entries": found.entries,
            "rows": found.rows,
            "events": found.events,
            "head": found.head.hex(),
            "faults": list(found.faults),
        }
        print(json.dumps(document, indent=2))
    else:
        for fault in found.faults:
            console().print(f"[red]✗[/red] {fault}", highlight=False)
        verdict = "[red]changed after it was written[/red]" if found.faults else "good"
        console().print(
            f"{verdict}: {found.entries} entries, {found.rows} rows, {found.events} events"
        )
        print(f"head {found.head.hex()}")
    if found.faults:
        raise typer.Exit(1)


@app.command()
def export(
    table: Annotated[TableName, typer.Argument(help="What to export.")] = TableName.EVENTS,
    profile: Profile = "live",
    data_dir: DataDir = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to.", show_default="terminal"),
    ] = None,
    format: Annotated[FormatName, typer.Option(help="How it is written.")] = FormatName.JSONL,
) -> None:
    """Write it as JSON lines or Parquet (which needs 'pip install pyarrow')."""
    from daemon.journal.export import rows, write_json_lines, write_parquet
    from daemon.journal.store import StoreError

    found = rows(_path(profile, data_dir), table.value)
    try:
        if format is FormatName.PARQUET:
            if output is None:
                _fail("Parquet is not for the terminal: name a file with --output")
            count = write_parquet(found, output)
        elif output is None:
            write_json_lines(found, sys.stdout)
            return
        else:
            with output.open("w", encoding="utf-8") as file:
                count = write_json_lines(found, file)
    except StoreError as error:
        _fail(str(error))
    except ModuleNotFoundError:
        _fail("Parquet needs pyarrow: pip install pyarrow")
    except BrokenPipeError:
        # Who read us has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as error:
        _fail(f"{output} cannot be written: {error.strerror}")
    print(f"wrote {count} rows to {output}")


def _path(profile: str, data_dir: Path | None) -> Path:
    from daemon.config.model import home

    return (data_dir or home() / profile) / "journal.sqlite"


def _fail(message: str) -> NoReturn:
    typer.secho("error: ", fg="red", err=True, nl=False)
    typer.echo(message, err=True)
    raise typer.Exit(1)
