"""The steps at which a daemon can be told to die: around each write of a journal, and around each
message that has an effect elsewhere.

`hook()` puts them into this process. A daemon dies of an order, a file in its data directory with
"NAME NUMBER": at the NUMBER-th step from there it sends itself SIGKILL, so that the kernel ends it
between two instructions, with no chance to tidy up. The steps are noted beside the order, the last
one is that of the death.

$CAMBIST_CRASH_SETTLE shortens how long (s) a venue is thought to need until what was sent to it can
have no effect any more, for tests that have no time; 0 leaves it as it is.
"""

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from core.clock import SECOND

ORDER = "die"
NOTED = "steps"
DIRECTORY = "CAMBIST_CRASH_DIRECTORY"
SETTLE = "CAMBIST_CRASH_SETTLE"


class Steps:
    """Counts from each order on. Steps come from several threads."""

    def __init__(self, directory: Path) -> None:
        self._order = directory / ORDER
        self._noted = directory / NOTED
        self._lock = threading.Lock()
        self._name = ""
        self._count = 0

    def take(self, name: str) -> None:
        """One step; perhaps the last."""
        with self._lock:
            try:
                order, number = self._order.read_text().split()
            except (FileNotFoundError, ValueError):
                return
            if order != self._name:
                self._name, self._count = order, 0
            self._count += 1
            with self._noted.open("a") as file:
                file.write(f"{order}\t{name}\n")
            if self._count == int(number):
                os.kill(os.getpid(), signal.SIGKILL)


def hook() -> None:
    """From now on this process takes steps."""
    from cex.engine.account import ExchangeAccount
    from cex.engine.caller import Caller
    from cex.paper.store import Store
    from chains.evm.rpc import RpcPool as EvmNodes
    from chains.solana.pool import RpcPool as SolanaNodes
    from daemon.journal.sqlite import SqliteStore

    found: list[Steps] = []

    def take(name: str) -> None:
        if not found:
            found.append(Steps(Path(os.environ[DIRECTORY])))
        found[0].take(name)

    def written(rows: Sequence[Any]) -> str:
        kinds = dict.fromkeys(type(row).__name__.removesuffix("Row").lower() for row in rows)
        return f"journal ({', '.join(kinds)})"

    def paper(batch: Any, counters: Any) -> str:
        return "paper exchange" if batch.orders or batch.fills else ""  # else the market moves

    def message(operation: Any, command: Any, *_: Any) -> str:
        return f"venue ({type(command).__name__.lower()})" if command.mutates else ""

    settle_time: Callable[[ExchangeAccount], int] = vars(ExchangeAccount)["settle_time"].fget

    def settles(account: ExchangeAccount) -> int:
        return int(float(os.environ[SETTLE]) * SECOND) or settle_time(account)

    setattr(ExchangeAccount, "settle_time", property(settles))  # noqa: B010 - it is read-only
    _around(SqliteStore, "write", take, written)
    _around(Store, "write", take, paper)
    _around_async(Caller, "_exchange", take, message)
    _around_async(EvmNodes, "broadcast", take, lambda *_: "node (broadcast)")
    _around_async(SolanaNodes, "broadcast", take, lambda *_: "node (broadcast)")


def _around(owner: Any, name: str, take: Callable[[str], None], called: Callable[..., str]) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def method(self: Any, *arguments: Any) -> Any:
        what = called(*arguments)
        if not what:
            return real(self, *arguments)
        take(f"before {what}")
        answer = real(self, *arguments)
        take(f"after {what}")
        return answer

    setattr(owner, name, method)


def _around_async(
    owner: Any, name: str, take: Callable[[str], None], called: Callable[..., str]
) -> None:
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def method(self: Any, *arguments: Any) -> Any:
        what = called(*arguments)
        if not what:
            return await real(self, *arguments)
        take(f"before {what}")
        answer = await real(self, *arguments)
        take(f"after {what}")
        return answer

    setattr(owner, name, method)
