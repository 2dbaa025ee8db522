"""What a run showed, as a table."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.crash.trial import Record


def show(records: Sequence[Record], console: Console) -> None:
    """By kind and way to die; then by the step, where the death was at one."""
    console.print(_table("deaths", records, lambda one: (one.scene, one.kind, one.how)))
    steps = [one for one in records if one.how == "step" and one.kills]
    console.print(_table("steps", steps, lambda one: (one.scene, one.kind, one.step)))
    for one in records:
        if one.problem:
            console.print(f"[red]{one.scene}, {one.kind}, {one.how} {one.step}: {one.problem}")
    broken = sum(bool(one.problem) for one in records)
    console.print(
        f"{sum(one.kills for one in records)} kills, {len(records)} intents,"
        f" {broken} broken promises"
    )


def _table(name: str, records: Sequence[Record], key: "object") -> Table:
    assert callable(key)
    table = Table(title=name)
    for column in ("scene", "intent", "died"):
        table.add_column(column)
    for column in (
        "intents", "kills", "effects, most", "done", "rejected", "known after, median s", "most s"
    ):  # fmt: skip
        table.add_column(column, justify="right")
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for one in records:
        groups[key(one)].append(one)
    for names, found in sorted(groups.items()):
        times = [one.seconds for one in found if one.kills and not one.problem] or [0.0]
        table.add_row(
            *names,
            str(len(found)),
            str(sum(one.kills for one in found)),
            str(max(one.effects for one in found)),
            str(sum(one.outcome == "done" for one in found)),
            str(sum(one.outcome == "rejected" for one in found)),
            f"{median(times):.2f}",
            f"{max(times):.2f}",
        )
    return table
