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
    """What a case gets: `quick` asks for a smoke run, `work_dir` is its own and deleted after."""

    quick: bool
    work_dir: Path


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark: the module's name, its title, and its coroutine."""

    name: str
    title: str
    order: int
    run: Callable[[Setting], Awaitable[Iterable[Result]]]


def found() -> list[Case]:
    """All cases, in the order of their `ORDER`.

    A module in `bench/cases` has `TITLE`, `ORDER` and `async def run(setting) -> list[Result]`.
    """
    modules = [
        importlib.import_module(f"{cases.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(cases.__path__)
    ]
    made = [Case(m.__name__.rpartition(".")[2], m.TITLE, m.ORDER, m.run) for m in modules]
    return sorted(made, key=lambda case: (case.order, case.name))
