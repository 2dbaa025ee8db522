"""The steps of a call, for whoever records them: checks, journal, venue, chain.

A step has a name that is the same each time, and facts that tell one from another: ids of venues
and networks, words for operations; never what a bot or a venue wrote, and no secret. While nobody
records, a step is a function call and no more.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Function = Callable[P, Coroutine[Any, Any, R]]
Fact = str | int
Recorder = Callable[[str, Mapping[str, Fact]], AbstractContextManager[object]]

_recorder: Recorder | None = None


class _Nothing:
    """Stands for a step that nobody records; one for all."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


_NOTHING = _Nothing()


def record(recorder: Recorder | None) -> None:
    """From now on steps are told to a recorder; None for nobody. One for the process."""
    global _recorder
    _recorder = recorder


def step(name: str, **facts: Fact) -> AbstractContextManager[object]:
    """`with step("journal.write"): ...`"""
    return _NOTHING if _recorder is None else _recorder(name, facts)


def stepped(name: str) -> Callable[[Function[P, R]], Function[P, R]]:
    """Makes a step of each call of a coroutine function."""

    def wrap(function: Function[P, R]) -> Function[P, R]:
        @wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with step(name):
                return await function(*args, **kwargs)

        return run

    return wrap
