"""The chain as it grows: every block once and in order, reorganisations noticed.

Heads are polled, and pushed over a websocket where a node offers one. A node that falls behind is
not a reorganisation: what was seen stays until another branch, or patience, proves it gone.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from chains.evm import model
from chains.evm.codec import integer, quantity
from chains.evm.model import Block, BlockCallback
from chains.evm.rpc import RpcPool
from chains.nodes import parsed
from core.errors import CambistError, Reason

_KEPT = 512  # blocks whose hashes are remembered
_DEEPEST = 128  # a longer gap or fork starts anew
_PATIENCE = 4  # polls in a row that must say that the chain became shorter
_PROBE_EVERY = 10  # polls between looks at how far the other nodes are
_SELDOM = 10  # poll intervals between polls while heads are pushed: some blocks
_MOMENT = 1.0  # float: seconds
_PARTING = aiohttp.ClientWSTimeout(ws_close=1.0)  # float: seconds, for a socket that is left
_CHAIN_ID = {"jsonrpc": "2.0", "id": 0, "method": "eth_chainId", "params": []}
_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
_BROKEN = (  # what a socket and the messages on it can fail with
    aiohttp.ClientError,
    CambistError,
    OSError,
    msgspec.MsgspecError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
_log = logging.getLogger(__name__)


class HeadTracker:
    """Follows the head. `interval` (seconds) is the poll's; while a websocket pushes heads, ten
    times it."""

    def __init__(
        self,
        rpc: RpcPool,
        interval: float,
        websockets: Sequence[str] = (),  # float: seconds
    ) -> None:
        self._rpc = rpc
        self._interval = interval
        self._websockets = list(websockets)
        self._hashes: dict[int, str] = {}
        self._callbacks: list[BlockCallback] = []
        self._behind = 0
        self._orphans = 0
        self._pushed = False
        self._pushes = 0
        self._listening: asyncio.Timeout | None = None
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.head: Block | None = None
        self.trouble: CambistError | None = None

    def subscribe(self, callback: BlockCallback) -> Callable[[], None]:
        """Calls back with each block of the canonical chain; after a reorganisation, with the new
        branch from the fork on."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def is_canonical(self, number: int, hash: str) -> bool | None:
        """Whether a block belongs to the chain seen; None where that is not known."""
        if self.head is None:
            return None
        if number > self.head.number:
            return False
        known = self._hashes.get(number)
        return None if known is None else known == hash

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._poll_for_ever())]
        if self._websockets:
            self._tasks.append(asyncio.create_task(self._listen_for_ever()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def poll(self) -> None:
        """Asks for the head once; raises CambistError."""
        wire = await self._rpc.call("eth_getBlockByNumber", ["latest", False])
        await self.accept(_parse(wire), polled=True)

    async def known(self) -> Block:
        """The head, asked for when none was seen yet; raises CambistError."""
        if self.head is None:
            await self.poll()
        if self.head is None:
            raise CambistError(Reason.NODE_UNAVAILABLE, "the chain's head is not known yet")
        return self.head

    async def _poll_for_ever(self) -> None:
        turns, pushes, seldom = 0, 0, False
        while True:
            head = self.head
            try:
                if len(self._rpc.nodes) > 1 and turns % _PROBE_EVERY == 0:
                    await self._rpc.ask_all([("eth_blockNumber", [])])
                await self.poll()
                self.trouble = None
            except CambistError as error:
                self.trouble = error
            if seldom and self._pushes == pushes and self.head is not head:
                await self._distrust_socket()
            turns, pushes, seldom = turns + 1, self._pushes, self._pushed
            await asyncio.sleep(self._interval * (_SELDOM if seldom else 1))

    async def _distrust_socket(self) -> None:
        """A poll found a block, and none was pushed for some block times: unless it comes in a
        moment, the socket has fallen silent, and is left for another."""
        pushes = self._pushes
        await asyncio.sleep(min(self._interval, _MOMENT))
        if self._pushes == pushes and self._pushed and self._listening is not None:
            _log.info("heads websocket fell silent")
            self._pushed = False
            if not self._listening.expired():
                self._listening.reschedule(asyncio.get_running_loop().time())

    async def _listen_for_ever(self) -> None:
        turns = 0
        while True:
            url = self._websockets[turns % len(self._websockets)]
            try:
                async with aiohttp.ClientSession() as session:
                    async with session.ws_connect(url, heartbeat=20, timeout=_PARTING) as socket:
                        async with asyncio.timeout(None) as self._listening:
                            await self._listen(socket)
            except _BROKEN as error:
                _log.info("heads websocket broke: %s", type(error).__name__)
            turns = 0 if self._pushed else turns + 1
            self._pushed, self._listening = False, None
            await asyncio.sleep(min(2 ** min(turns, 10), 30))

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Takes heads from a socket until it closes, if the node is on the right chain."""
        await socket.send_json(_CHAIN_ID)
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            wire: Any = msgspec.json.decode(message.data)
            if wire.get("id") == _CHAIN_ID["id"]:
                if integer(wire.get("result")) != self._rpc.chain_id:
                    raise ValueError("the websocket is of another chain")
                await socket.send_json(_SUBSCRIBE)
            elif wire.get("id") == _SUBSCRIBE["id"]:
                self._pushed = "result" in wire
            elif wire.get("method") == "eth_subscription":
                self._pushes += 1
                await self.accept(_parse(wire["params"]["result"]))

    async def accept(self, block: Block, polled: bool = False) -> None:
        """Takes a head that a node reported."""
        async with self._turn:
            for one in await self._news(block, polled):
                self._append(one)

    async def _news(self, block: Block, polled: bool) -> list[Block]:
        """The blocks that are new, oldest first."""
        head = self.head
        far = head is None or block.number > head.number + _DEEPEST
        if far and not await self._rpc.is_plausible(block.number):
            _log.warning("a node tells of block %d, which is far from what others do", block.number)
            return []
        if head is None:
            return [block]
        if block.hash == head.hash:
            self._behind = 0
            return []
        known = self._hashes.get(block.number)
        # A block older than all that was seen cannot contradict it.
        if known == block.hash or (known is None and block.number < min(self._hashes)):
            self._behind += polled
            return [block] if self._behind >= _PATIENCE else []
        self._behind = 0
        branch = [block]
        while not self._connects(branch[0]):
            if len(branch) >= _DEEPEST or branch[0].number == 0:
                self._hashes.clear()
                return [block]
            parent = await self._rpc.call(
                "eth_getBlockByNumber", [quantity(branch[0].number - 1), False]
            )
            if parent is None:  # the node is changing its mind, or making the block up
                self._orphans += polled
                if self._orphans >= _PATIENCE:
                    self._rpc.ranking.doubt(block.number)
                    self._orphans = 0
                return []
            branch.insert(0, _parse(parent))
        return branch

    def _connects(self, block: Block) -> bool:
        return self._hashes.get(block.number - 1) == block.parent_hash

    def _append(self, block: Block) -> None:
        if self.head is not None and block.number <= self.head.number:
            for number in range(block.number + 1, self.head.number + 1):
                self._hashes.pop(number, None)
        self._behind = self._orphans = 0
        self.head = block
        self._hashes[block.number] = block.hash
        self._hashes.pop(block.number - _KEPT, None)
        # Each callback in a turn of its own: one that fails harms nobody else.
        loop = asyncio.get_running_loop()
        for callback in self._callbacks:
            loop.call_soon(callback, block)


def _parse(wire: object) -> Block:
    return parsed(model.block, wire, "block")
