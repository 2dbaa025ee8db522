"""What a stream's message only hints at is asked for: balances after a change, funding payments."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

from cex.engine.commands import Command
from core.clock import SECOND
from core.errors import CambistError
from core.ports import AccountReport


class Asking:
    """One question of a kind and instrument at a time; what is hinted at meanwhile is asked once
    more, as it was first hinted at.

    A question that fails is left at that: the daemon asks for everything when it reconciles.
    """

    def __init__(
        self,
        ask: Callable[[Command[Any]], Awaitable[Sequence[AccountReport]]],
        tell: Callable[[AccountReport], None],
        failed: Callable[[CambistError], None],
        pause: int = 0,
    ) -> None:
        """`pause` (ns) lies between two questions of a kind."""
        self._ask = ask
        self._tell = tell
        self._failed = failed
        self._pause = pause
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._again: dict[Hashable, Command[Any]] = {}

    def want(self, command: Command[Any]) -> None:
        """Asks soon, and tells what was answered."""
        kind = type(command), getattr(command, "instrument", None)
        if kind in self._tasks:
            self._again.setdefault(kind, command)
        else:
            self._tasks[kind] = asyncio.create_task(self._run(kind, command))

    def stop(self) -> None:
        """Asks no more."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, kind: Hashable, command: Command[Any]) -> None:
        following: Command[Any] | None = command
        try:
            while following is not None:
                try:
                    for value in await self._ask(following):
                        self._tell(value)
                except CambistError as error:
                    self._failed(error)
                if self._pause:
                    await asyncio.sleep(self._pause / SECOND)  # float: asyncio's unit
                following = self._again.pop(kind, None)
        finally:
            del self._tasks[kind]
