"""A process that sends one transaction and is killed at a point of its life.

python -m tests.support.evm_killed URL LOG POINT; POINT is "signed" (journaled, not yet broadcast)
or "broadcast" (a node has it, which is not yet journaled).
"""

import asyncio
import os
import pickle
import signal
import sys
from pathlib import Path

from core.ports import FeeOptions
from core.transactions import Transaction, TransactionStatus
from tests.support.evm import ALICE, BOB, MemoryLog, network


class FileLog(MemoryLog):
    """A log that outlives its process."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            self.rows = pickle.loads(path.read_bytes())

    async def save(self, transaction: Transaction) -> None:
        await super().save(transaction)
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(pickle.dumps(self.rows))
        temporary.replace(self._path)


class Deadly(FileLog):
    """Kills its process before (`broadcast`) or after (`signed`) a state is written."""

    point = ""

    async def save(self, transaction: Transaction) -> None:
        if self.point == "broadcast" and transaction.status is not TransactionStatus.SIGNED:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().save(transaction)
        if self.point == "signed":
            os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    url, path, point = sys.argv[1:]
    log = Deadly(Path(path))
    log.point = point
    async with network([url], log) as net:
        await net.transfer(ALICE, BOB, net.info.native, 10**18, "the intent", FeeOptions())
        await asyncio.sleep(30)


if __name__ == "__main__":
    asyncio.run(main())
