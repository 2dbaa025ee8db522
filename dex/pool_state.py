"""Pools in memory, brought up to date at every block; what quotes and books are made of.

How a block is read is the family's (dex.family.StateReader): one read of all tracked pools a block,
at that block, which a reorganisation repeats from the fork on.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chains.evm.model import Block
from core.errors import CambistError, Reason, Refused
from dex.families.curve import Content
from dex.family import BlockHash, StateReader
from dex.network import PoolNetwork, Unsubscribe
from dex.pools import PoolMarket, PoolState

_log = logging.getLogger(__name__)

MAX_LAG = 3  # blocks; while a read is under way the chain may be a block or two ahead
_KEPT_TIMES = 512
_FIRST_RETRY = 0.25  # float: seconds, as asyncio counts
_LAST_RETRY = 5.0  # float: seconds
_PULSE = 1.0  # float: seconds between looks at the chain's condition while no block comes


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a read brought: its block, the lowest block announced since the read before (lower than
    expected after a reorganisation), and the addresses of the pools that are not as before."""

    block: int
    first: int
    changed: frozenset[str]
    live: bool


RefreshCallback = Callable[[Refresh], None]


class PoolStates:
    """The tracked pools, with the block that they are of. `reader` makes what reads them, given
    what tells the hash of an announced block."""

    def __init__(
        self, network: PoolNetwork, reader: Callable[[PoolNetwork, BlockHash], StateReader]
    ) -> None:
        self._network = network
        self._hashes: dict[int, str] = {}
        self._reader = reader(network, self._hashes.get)
        self._tracked: dict[str, PoolMarket] = {}
        self._states: dict[str, PoolState] = {}
        self._missing: dict[str, str] = {}
        self._times: OrderedDict[int, int] = OrderedDict()
        self._callbacks: list[RefreshCallback] = []
        self._wanted = 0  # the block to read
        self._asked = 0  # how often a read was asked for, and how many of these are answered
        self._answered = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Unsubscribe | None = None
        self._lowest: int | None = None  # announced, and in no read yet
        self._told_live = False
        self.block = 0
        self.version = 0  # another number after every change of a pool
        self.base_fee = 0  # wei, of the latest block seen; 0 where there is none
        self.trouble = "no block was read yet"

    # -- life

    def start(self) -> None:
        """Follows the chain from now on."""
        self._unsubscribe = self._network.on_block(self._on_block)
        if self._network.height:  # the next block may be long in coming
            self._ask(self._network.height)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._unsubscribe = self._task = None

    def subscribe(self, callback: RefreshCallback) -> Unsubscribe:
        """Calls back after every read, and when the state becomes live or stops being it."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    # -- what is known, without asking anybody

    @property
    def why_not_live(self) -> str:
        """What is wrong with the state; empty while it may be traded on."""
        if why := self._network.why_unknown:
            return f"the chain's head is not known: {why}"
        if self.trouble:
            return self.trouble
        lag = self._network.height - self.block
        if lag > MAX_LAG:
            return f"pool state is of block {self.block}, {lag} behind the chain"
        return ""

    def known(self, address: str) -> PoolState | None:
        """A pool's last state, live or not."""
        return self._states.get(address)

    def missing(self, address: str) -> str | None:
        """Why a tracked address turned out to be no pool; None if it is one, or is not read yet."""
        return self._missing.get(address)

    def live(self, market: PoolMarket) -> PoolState:
        """A pool's state; Refused when there is none that may be traded on."""
        reason = self.why_not_live
        if reason:
            raise Refused(
                Reason.BOOK_NOT_LIVE,
                f"the state of pool {market.instrument.id} is not current ({reason}); try again",
                {
                    "venue": market.instrument.venue,
                    "instrument": market.instrument.id,
                    "block": str(self.block),
                },
            )
        if market.address in self._missing:
            raise Refused(
                Reason.POOL_NOT_FOUND,
                f"there is no pool at {market.address}: {self._missing[market.address]}",
                {"venue": market.instrument.venue, "pool": market.address},
            )
        state = self._states.get(market.address)
        if state is None:
            raise Refused(
                Reason.BOOK_NOT_LIVE,
                f"pool {market.instrument.id} is not read yet; try again in a moment",
                {"venue": market.instrument.venue, "instrument": market.instrument.id},
            )
        return state

    def block_time(self, number: int) -> int | None:
        """When a recent block was made, in ns; None for a block that was not seen."""
        return self._times.get(number)

    @property
    def chain_time(self) -> int:
        """The time of the latest block seen, in ns; 0 before the first."""
        return next(reversed(self._times.values()), 0)

    # -- reading

    def track(self, market: PoolMarket) -> None:
        """Reads a pool from the next block on."""
        self._tracked[market.address] = market

    async def read(self, market: PoolMarket) -> PoolState | None:
        """Tracks a pool and reads it now; None when there is no pool at its address."""
        (state,) = await self.read_all([market])
        return state

    async def read_all(self, markets: Sequence[PoolMarket]) -> list[PoolState | None]:
        """The same for several, in one read."""
        height = self._network.height
        if height == 0:
            raise Refused(
                Reason.NODE_UNAVAILABLE,
                "the chain was not reached yet; try again in a moment",
                {"network": self._network.info.id},
            )
        answers = await self._reader.read(markets, height)
        for market, answer in zip(markets, answers, strict=True):
            newer = self._states.get(market.address)
            if newer is None or newer.block < height:
                self._apply(market, answer, height)
            if market.address not in self._missing:
                self.track(market)
            elif market.address not in self._tracked:
                del self._missing[market.address]  # a question that was asked in vain
        return [self._states.get(market.address) for market in markets]

    def _apply(self, market: PoolMarket, answer: Content | str, block: int) -> bool:
        """Takes an answer in; whether the pool is not as before."""
        before = self._states.get(market.address)
        self.version += 1
        if isinstance(answer, str):
            self._missing[market.address] = answer
            self._states.pop(market.address, None)
            return before is not None
        self._missing.pop(market.address, None)
        self._states[market.address] = PoolState(market, answer, block)
        return before is None or before.content != answer

    def _on_block(self, block: Block) -> None:
        for number in [n for n in self._times if n >= block.number]:
            del self._times[number]
            self._hashes.pop(number, None)
        self._times[block.number] = block.timestamp * 1_000_000_000
        self._hashes[block.number] = block.hash
        self.base_fee = block.base_fee or 0
        while len(self._times) > _KEPT_TIMES:
            oldest, _ = self._times.popitem(last=False)
            self._hashes.pop(oldest, None)
        self._ask(block.number)

    def _ask(self, number: int) -> None:
        self._note_lowest(number)
        self._wanted = number
        self._asked += 1
        self._wake.set()

    def _note_lowest(self, number: int) -> None:
        self._lowest = number if self._lowest is None else min(self._lowest, number)

    async def _run(self) -> None:
        pause = _FIRST_RETRY
        while True:
            try:
                async with asyncio.timeout(_PULSE if self._answered == self._asked else pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            asked, number, lowest = self._asked, self._wanted, self._lowest
            if asked == self._answered or lowest is None:
                self._tell(frozenset(), only_if_turned=True)
                continue
            self._lowest = None
            if lowest <= self.block:
                self._reader.rewind(lowest)
            try:
                changed = await self._refresh(number)
            except CambistError as error:
                self._note_lowest(lowest)
                self.trouble = f"pools could not be read: {error.message}"
                _log.warning("pool state of block %d: %s", number, error.message)
                pause = min(pause * 2, _LAST_RETRY)
                self._tell(frozenset(), only_if_turned=True)
                continue
            pause = _FIRST_RETRY
            self._answered = asked
            self._tell(changed, lowest)

    async def _refresh(self, number: int) -> frozenset[str]:
        markets = list(self._tracked.values())
        answers = await self._reader.read(markets, number) if markets else []
        changed = frozenset(
            market.address
            for market, answer in zip(markets, answers, strict=True)
            if self._apply(market, answer, number)
        )
        self.block = number
        self.trouble = ""
        return changed

    def _tell(
        self, changed: frozenset[str], lowest: int | None = None, only_if_turned: bool = False
    ) -> None:
        live = not self.why_not_live
        if only_if_turned and live == self._told_live:
            return
        self._told_live = live
        refresh = Refresh(self.block, self.block if lowest is None else lowest, changed, live)
        for callback in list(self._callbacks):
            try:
                callback(refresh)
            except Exception:  # noqa: BLE001  one listener's bug must not stop the others
                _log.exception("a pool state callback failed")
