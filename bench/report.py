"""The table for people and the file for machines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.results import Failure, Outcome, Result


def number(value: float) -> str:
    """Three significant digits or whole thousands."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(outcomes: Iterable[Outcome]) -> Table:
    """One row a figure."""
    made = Table(title="Cambist beside its peers", caption="ratio: how many times better")
    made.add_column("figure")
    made.add_column("cambist", justify="right")
    made.add_column("peer", justify="right")
    made.add_column("unit")
    made.add_column("ratio", justify="right")
    made.add_column("expected", justify="right")
    made.add_column("peer is; note")
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            made.add_row(outcome.name, "[red]failed[/]", "", "", "", "", escape(outcome.reason))
            continue
        made.add_row(
            outcome.name,
            number(outcome.value),
            number(outcome.peer_value),
            outcome.unit,
            f"{outcome.ratio:.2f}",
            _expected(outcome),
            "; ".join(text for text in (outcome.peer, outcome.note) if text),
        )
    return made


def _expected(result: Result) -> str:
    if result.expected is None:
        return ""
    sign = "≥" if result.more_is_better else "≤"
    colour = "green" if result.met else "red"
    return f"[{colour}]{sign} {number(result.expected)}[/]"


def show(outcomes: Sequence[Outcome], machine: Mapping[str, str]) -> None:
    """Prints the table and the machine."""
    # A pipe has no width: wide enough that no figure is cut.
    console = Console() if Console().is_terminal else Console(width=160)
    console.print(table(outcomes))
    console.print("; ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)


def write(outcomes: Iterable[Outcome], machine: Mapping[str, str], folder: Path) -> None:
    """Writes results.json (a list of objects) and machine.json."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = [outcome.as_object() for outcome in outcomes]
    (folder / "results.json").write_text(json.dumps(objects, indent=2) + "\n")
    (folder / "machine.json").write_text(json.dumps(dict(machine), indent=2) + "\n")
