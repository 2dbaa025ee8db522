"""The worker's end of bench.child."""

import asyncio
import json
import sys
from typing import Any


def say(value: Any) -> None:
    """One line of JSON to whoever started this."""
    print(json.dumps(value), flush=True)


class Ears:
    """Lines from whoever started this; ends when that process does."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader()

    async def open(self) -> "Ears":
        """Listens to standard input."""
        protocol = asyncio.StreamReaderProtocol(self._reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        return self

    async def word(self) -> str:
        """The next line; leaves the program when nobody is there any more."""
        line = await self._reader.readline()
        if not line:
            sys.exit(0)
        return line.decode().strip()
