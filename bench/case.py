"""A benchmark is a module in `bench/cases`; it is found, not registered."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import cases
from bench.results import Result


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case gets: `quick` asks for a smoke run, `work_dir` is its own and deleted after;
    `minutes` is for cases that last as long as they are told to."""

    quick: bool
    work_dir: Path
    minutes: float = 10  # float: of a person's clock


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark: the module's name, its title, and its coroutine. `default`: it runs when none
    is named. `extra` seconds beside its minutes, for one that has such."""

    name: str
    title: str
    order: int
    run: Callable[[Setting], Awaitable[Iterable[Result]]]
    default: bool = True
    extra: int = 0


def found() -> list[Case]:
    """All cases, in the order of their `ORDER`.

    A module in `bench/cases` has `TITLE`, `ORDER` and `async def run(setting) -> list[Result]`;
    with `DEFAULT = False` it runs only when it is named, with `EXTRA_SECONDS` for `--minutes` and
    so long.
    """
    modules = [
        importlib.import_module(f"{cases.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(cases.__path__)
    ]
    made = [
        Case(
            m.__name__.rpartition(".")[2],
            m.TITLE,
            m.ORDER,
            m.run,
            getattr(m, "DEFAULT", True),
            getattr(m, "EXTRA_SECONDS", 0),
        )
        for m in modules
    ]
    return sorted(made, key=lambda case: (case.order, case.name))
