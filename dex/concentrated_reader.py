"""Pools of concentrated liquidity, kept by the events of each block and checked against the chain.

A pool is read whole once: price, liquidity, bitmap, ticks, all at one block. From then on its
events are applied block by block, in one request for all pools, and price and liquidity (and every
tick that changed) are compared with the chain's at the same block; what does not agree is read
whole again. What is known of the last blocks is kept, so that after a reorganisation it goes on
from the fork.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chains.evm.model import Call, CallError, Log
from core.errors import CambistError, Reason
from dex.families import concentrated_abi as abi
from dex.families.concentrated import ConcentratedPool
from dex.families.concentrated_math_ticks import TickLiquidity, Ticks, ticks_in_word, words
from dex.family import BlockHash
from dex.network import PoolNetwork
from dex.pools import PoolMarket

_log = logging.getLogger(__name__)

_KEPT = 64  # blocks back to which a reorganisation is followed without reading anew
_MOST_REPLAYED = 1_000  # blocks; more than that are read anew
_MOMENT = 0.05  # float: seconds
_TRIES = 3
_AT_ONCE = 500  # calls in one read


_Latest = tuple[int, ConcentratedPool]  # what a pool was at the end of a block


@dataclass(slots=True)
class _Past:
    """What a pool was after each block that changed it, oldest first."""

    states: list[tuple[int, ConcentratedPool]] = field(default_factory=list)
    synced: int = -1

    @property
    def latest(self) -> _Latest:
        """The block that it is known at, and the pool."""
        return self.synced, self.states[-1][1]

    def rewind(self, block: int) -> None:
        self.synced = min(self.synced, block - 1)
        while self.states and self.states[-1][0] >= block:
            self.states.pop()

    def add(self, block: int, pool: ConcentratedPool) -> None:
        self.synced = block
        if not self.states or self.states[-1][1] is not pool:
            self.states.append((block, pool))
        while len(self.states) > 1 and self.states[1][0] <= block - _KEPT:
            self.states.pop(0)


class ConcentratedReader:
    """See dex.family.StateReader. `block_hash` tells the hash of a block that was announced."""

    def __init__(self, network: PoolNetwork, block_hash: BlockHash) -> None:
        self._network = network
        self._block_hash = block_hash
        self._past: dict[str, _Past] = {}
        self.loads = 0  # how often a pool was read whole

    def rewind(self, block: int) -> None:
        """What was read of `block` and later blocks is void."""
        for past in self._past.values():
            past.rewind(block)

    async def read(
        self, markets: Sequence[PoolMarket], block: int
    ) -> Sequence[ConcentratedPool | str]:
        """The pools at the end of a block; why there is none, in words, in the place of a pool."""
        known = [market for market in markets if self._replays(market, block)]
        found: dict[str, ConcentratedPool | str] = {}
        if known:
            found |= await self._follow(known, block)
        fresh = [market for market in markets if market.address not in found]
        loaded = await asyncio.gather(*(self._load(market, block) for market in fresh))
        for market, pool in zip(fresh, loaded, strict=True):
            found[market.address] = pool
        for address, pool in found.items():
            self._keep(address, pool, block)
        return [found[market.address] for market in markets]

    def _replays(self, market: PoolMarket, block: int) -> bool:
        past = self._past.get(market.address)
        if past is None or not past.states:
            return False
        return 0 <= block - past.synced <= _MOST_REPLAYED

    def _keep(self, address: str, pool: ConcentratedPool | str, block: int) -> None:
        if isinstance(pool, str):
            self._past.pop(address, None)
            return
        past = self._past.setdefault(address, _Past())
        if block >= past.synced:
            past.add(block, pool)

    # -- from block to block

    async def _follow(
        self, markets: Sequence[PoolMarket], block: int
    ) -> dict[str, ConcentratedPool | str]:
        """Those that agree with the chain after their events were applied."""
        before = {market.address: self._past[market.address].latest for market in markets}
        found, touched = await self._advanced(before, block)
        if len(found) < len(before):
            # A node may know the events of a block a moment later than its state, and while it
            # takes in the next block it may answer with that one's state: once more, then.
            await asyncio.sleep(_MOMENT)
            rest = {address: latest for address, latest in before.items() if address not in found}
            more, more_touched = await self._advanced(rest, block)
            found |= more
            touched |= more_touched
        for address in before.keys() - found.keys():
            _log.warning("pool %s at block %d is not as its events say", address, block)
        await self._check_ticks(found, touched, block)
        return dict(found)

    async def _advanced(
        self, before: Mapping[str, _Latest], block: int
    ) -> tuple[dict[str, ConcentratedPool], set[tuple[str, int]]]:
        """The pools that agree with the chain after their events, and which ticks changed."""
        questions = [
            Call(address, data) for address in before for data in (abi.slot0(), abi.liquidity())
        ]
        answers, events = await asyncio.gather(
            self._network.multicall(questions, block=block), self._events(before, block)
        )
        theirs = {
            address: answers[2 * place : 2 * place + 2] for place, address in enumerate(before)
        }
        return _compared(before, events, theirs)

    async def _events(self, before: Mapping[str, _Latest], block: int) -> dict[str, list[Log]]:
        """What happened to each pool since it was read last."""
        events: dict[str, list[Log]] = {address: [] for address in before}
        first = min(synced for synced, _ in before.values()) + 1
        if first > block:
            return events
        told = await self._network.logs(first, block, list(before), [list(abi.STATE_TOPICS)])
        for log in self._of_this_chain(told):
            if log.address in events and log.block > before[log.address][0]:
                events[log.address].append(log)
        return events

    def _of_this_chain(self, logs: Sequence[Log]) -> list[Log]:
        """Sorted; an event of a block that is not ours means that the node is on another branch."""
        for log in logs:
            ours = self._block_hash(log.block)
            if ours is not None and ours != log.block_hash:
                raise CambistError(
                    Reason.NODE_UNAVAILABLE,
                    f"the node told events of another block {log.block} than it announced",
                    {"network": self._network.info.id},
                )
        return sorted(logs, key=lambda log: (log.block, log.index))

    async def _check_ticks(
        self, found: dict[str, ConcentratedPool], touched: set[tuple[str, int]], block: int
    ) -> None:
        """Takes out of `found` what has other ticks than the chain."""
        if not touched:
            return
        places = sorted(touched)
        answers = await self._calls([Call(address, abi.ticks(i)) for address, i in places], block)
        for (address, index), answer in zip(places, answers, strict=True):
            pool = found.get(address)
            if pool is None:
                continue
            theirs = None if isinstance(answer, CallError) else abi.decode_tick(answer)
            ours = pool.ticks.at.get(index, TickLiquidity(0, 0))
            if ours != theirs:
                _log.warning("tick %d of pool %s is not as its events say", index, address)
                del found[address]

    # -- whole

    async def _load(self, market: PoolMarket, block: int) -> ConcentratedPool | str:
        """Everything, at one block. Reads that do not fit together are of two blocks."""
        self.loads += 1
        for _ in range(_TRIES):
            try:
                pool = await self._loaded(market, block)
            except ValueError as error:
                return str(error)
            if pool.ticks.liquidity_at(pool.tick) == pool.liquidity:
                return pool
            await asyncio.sleep(_MOMENT)
        raise CambistError(
            Reason.NODE_UNAVAILABLE,
            f"the node answered for pool {market.address} with states of several blocks",
            {"network": self._network.info.id},
        )

    async def _loaded(self, market: PoolMarket, block: int) -> ConcentratedPool:
        address, spacing = market.address, market.spacing
        head = await self._calls(
            [Call(address, abi.slot0()), Call(address, abi.liquidity())], block
        )
        slot0, liquidity = (_bytes(answer) for answer in head)
        sqrt_price, tick = abi.decode_slot0(slot0)
        places = list(words(spacing)) if sqrt_price else []
        bitmap = await self._calls([Call(address, abi.tick_bitmap(word)) for word in places], block)
        indexes = [
            index
            for word, answer in zip(places, bitmap, strict=True)
            for index in ticks_in_word(word, abi.decode_uint(_bytes(answer)), spacing)
        ]
        answers = await self._calls([Call(address, abi.ticks(index)) for index in indexes], block)
        ticks = {
            index: abi.decode_tick(_bytes(answer))
            for index, answer in zip(indexes, answers, strict=True)
        }
        return ConcentratedPool(
            fee=market.fee.pips,
            spacing=spacing,
            sqrt_price=sqrt_price,
            tick=tick,
            liquidity=abi.decode_uint(liquidity),
            ticks=Ticks.of(ticks),
        )

    async def _calls(self, calls: Sequence[Call], block: int) -> list[bytes | CallError]:
        parts = [calls[start : start + _AT_ONCE] for start in range(0, len(calls), _AT_ONCE)]
        answers = await asyncio.gather(
            *(self._network.multicall(part, block=block) for part in parts)
        )
        return [answer for part in answers for answer in part]


def applied(pool: ConcentratedPool, events: Iterable[Log]) -> tuple[ConcentratedPool, set[int]]:
    """A pool after its events, oldest first, and the ticks at which liquidity changed. ValueError
    for events that no contract can have told."""
    touched: set[int] = set()
    for log in events:
        kind = log.topics[0]
        if kind in abi.SWAP_TOPICS:
            swap = abi.decode_swap(log.topics, log.data)
            pool = replace(
                pool, sqrt_price=swap.sqrt_price, tick=swap.tick, liquidity=swap.liquidity
            )
        elif kind == abi.INITIALIZE_TOPIC:
            sqrt_price, tick = abi.decode_initialize(log.data)
            pool = replace(pool, sqrt_price=sqrt_price, tick=tick)
        elif kind in (abi.MINT_TOPIC, abi.BURN_TOPIC):
            lower, upper, change = abi.decode_change(log.topics, log.data)
            if not change:
                continue  # a burn of nothing only counts the fees
            touched |= {lower, upper}
            inside = lower <= pool.tick < upper
            pool = replace(
                pool,
                ticks=pool.ticks.with_position(lower, upper, change),
                liquidity=pool.liquidity + (change if inside else 0),
            )
    return pool, touched


def _compared(
    before: Mapping[str, _Latest],
    events: Mapping[str, Sequence[Log]],
    theirs: Mapping[str, Sequence[bytes | CallError]],
) -> tuple[dict[str, ConcentratedPool], set[tuple[str, int]]]:
    """The pools that are after their events as the chain says, and which ticks changed."""
    found: dict[str, ConcentratedPool] = {}
    touched: set[tuple[str, int]] = set()
    for address, (_, pool) in before.items():
        try:
            after, changed = applied(pool, events[address])
            if _agrees(after, *theirs[address]):
                found[address] = after
                touched |= {(address, tick) for tick in changed}
        except ValueError as error:
            _log.warning("events of pool %s make no sense: %s", address, error)
    return found, touched


def _agrees(pool: ConcentratedPool, slot0: bytes | CallError, liquidity: bytes | CallError) -> bool:
    theirs = (*abi.decode_slot0(_bytes(slot0)), abi.decode_uint(_bytes(liquidity)))
    return (pool.sqrt_price, pool.tick, pool.liquidity) == theirs


def _bytes(answer: bytes | CallError) -> bytes:
    if isinstance(answer, CallError):
        raise ValueError(answer.reason)
    return answer
