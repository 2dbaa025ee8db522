"""A local EVM chain as whoever looks at it from outside sees it."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from chains.localnet import keeper


class Chain:
    """Asks the node that outlives the daemon, and tells it when to mine."""

    def __init__(self, data_dir: Path) -> None:
        self._address = data_dir / "localnet" / keeper.ADDRESS
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Ends the connection."""
        await self._session.close()

    async def call(self, method: str, *params: Any) -> Any:
        """A node's method."""
        port = json.loads(self._address.read_text())["port"]
        wire = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self._session.post(f"http://127.0.0.1:{port}", json=wire) as response:
            answer = await response.json()
        assert "error" not in answer, answer
        return answer["result"]

    async def number(self, method: str, *params: Any) -> int:
        """The same where a number is answered."""
        return int(await self.call(method, *params), 16)

    async def sent(self, address: str, since: int) -> list[dict[str, Any]]:
        """What an address has in the blocks after one, in order."""
        found: list[dict[str, Any]] = []
        for block in range(since + 1, await self.number("eth_blockNumber") + 1):
            there = await self.call("eth_getBlockByNumber", hex(block), True)
            found += [one for one in there["transactions"] if one["from"].lower() == address]
        return found

    async def waiting(self, address: str) -> int:
        """How many transactions of an address wait in the pool."""
        pending = await self.number("eth_getTransactionCount", address, "pending")
        return pending - await self.number("eth_getTransactionCount", address, "latest")
