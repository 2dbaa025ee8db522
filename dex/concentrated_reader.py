"""Pools of concentrated liquidity, kept by the events of each block and checked against the chain.

A pool is read whole once: price, liquidity, bitmap, ticks, all at one block. From then on its
events are applied block by block, in one request for all pools, and price and liquidity (and every
tick that changed) are compared with the chain's at the same block; what does not agree is read
whole again. What is known of the last blocks is kept, so that after a reorganisation it goes on
from the fork.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
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
_AT_ONCE = 500  # calls in one read


@dataclass(slots=True)
class _Past:
    """What a pool was after each block that changed it, oldest first."""

    states: list[tuple[int, ConcentratedPool]] = field(default_factory=list)
    synced: int = -1

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
        pasts = {market.address: self._past[market.address] for market in markets}
        before = {address: (past.synced, past.states[-1][1]) for address, past in pasts.items()}
        first = min(synced for synced, _ in before.values()) + 1
        checks = self._network.multicall(
            [
                Call(market.address, data)
                for market in markets
                for data in (abi.slot0(), abi.liquidity())
            ],
            block=block,
        )
        if first > block:
            answers, logs = await checks, []
        else:
            answers, told = await asyncio.gather(
                checks, self._network.logs(first, block, list(before), [list(abi.STATE_TOPICS)])
            )
            logs = self._of_this_chain(told)
        events: dict[str, list[Log]] = {address: [] for address in before}
        for log in logs:
            if log.address in events and log.block > before[log.address][0]:
                events[log.address].append(log)
        found: dict[str, ConcentratedPool | str] = {}
        touched: list[tuple[str, int]] = []
        for place, (address, (_, pool)) in enumerate(before.items()):
            try:
                after, changed = applied(pool, events[address])
                agrees = _agrees(after, answers[2 * place], answers[2 * place + 1])
            except ValueError as error:
                _log.warning("events of pool %s make no sense: %s", address, error)
                continue
            if agrees:
                found[address] = after
                touched += [(address, tick) for tick in changed]
            else:
                _log.warning("pool %s at block %d is not as its events say", address, block)
        await self._check_ticks(found, touched, block)
        return found

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
        self, found: dict[str, ConcentratedPool | str], touched: list[tuple[str, int]], block: int
    ) -> None:
        """Takes out of `found` what has other ticks than the chain."""
        if not touched:
            return
        answers = await self._calls([Call(address, abi.ticks(i)) for address, i in touched], block)
        for (address, index), answer in zip(touched, answers, strict=True):
            pool = found.get(address)
            if not isinstance(pool, ConcentratedPool):
                continue
            theirs = None if isinstance(answer, CallError) else abi.decode_tick(answer)
            ours = pool.ticks.at.get(index, TickLiquidity(0, 0))
            if ours != theirs:
                _log.warning("tick %d of pool %s is not as its events say", index, address)
                del found[address]

    # -- whole

    async def _load(self, market: PoolMarket, block: int) -> ConcentratedPool | str:
        """Everything, at one block."""
        self.loads += 1
        try:
            return await self._loaded(market, block)
        except ValueError as error:
            return str(error)

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


def _agrees(pool: ConcentratedPool, slot0: bytes | CallError, liquidity: bytes | CallError) -> bool:
    theirs = (*abi.decode_slot0(_bytes(slot0)), abi.decode_uint(_bytes(liquidity)))
    return (pool.sqrt_price, pool.tick, pool.liquidity) == theirs


def _bytes(answer: bytes | CallError) -> bytes:
    if isinstance(answer, CallError):
        raise ValueError(answer.reason)
    return answer
