"""Which nonce comes next: one ledger an address, derived and never stored.

What counts is the journal's pending transactions (ours) and the chain's two counts: `latest` (used)
and `pending` (used, or waiting in the node's pool without a gap).
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from core.clock import Clock

_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Counts:
    """eth_getTransactionCount at "latest" and "pending", and when they were asked for (`asked`, a
    ledger's own count of events)."""

    latest: int
    pending: int
    asked: int


def choose(counts: Counts, ours: Set[int], settled: int = 0) -> int:
    """The lowest nonce that nobody uses. Fills a gap below our own pending transactions.

    `settled` is one above the last nonce known as used since the counts were asked for.
    """
    nonce = max(counts.latest, counts.pending, settled)
    while nonce in ours:
        nonce += 1
    return nonce


def foreign(counts: Counts, ours: Set[int]) -> int:
    """How many transactions of the address wait in the pool that were not sent from here."""
    return sum(nonce not in ours for nonce in range(counts.latest, counts.pending))


def gap(counts: Counts, ours: Set[int]) -> int | None:
    """The nonce that our later transactions wait for, if nobody uses it."""
    first = max(counts.latest, counts.pending)
    return first if first not in ours and any(nonce > first for nonce in ours) else None


def agreed(values: Sequence[int]) -> int:
    """What most nodes say; among equals the larger, since a node that lags says less."""
    counted = Counter(values)
    return max(counted, key=lambda value: (counted[value], value))


class NonceLedger:
    """Hands out the nonces of one address, one at a time.

    The lock is held from the choice until the transaction is journaled, and with it one of `ours`.
    `memory` (ns) is for how long a nonce that was used for good is held against nodes that count
    less: by most nodes' word it was at finality depth, so it is they who lag.
    """

    def __init__(
        self, ours: Callable[[], Set[int]], clock: Clock | None = None, memory: int = 0
    ) -> None:
        self.lock = asyncio.Lock()
        self.ours = ours
        self._clock = clock
        self._memory = memory
        self._events = 0
        self._settled: deque[tuple[int, int, int]] = deque(maxlen=_REMEMBERED)

    def asked(self) -> int:
        """To be noted in Counts before the chain is asked."""
        return self._events

    def settle(self, nonce: int) -> None:
        """A nonce of ours is used for good, and leaves `ours`: counts asked for earlier may not
        show it yet."""
        self._events += 1
        self._settled.append((self._events, self._time(), nonce + 1))

    def next(self, counts: Counts) -> int:
        """The nonce to sign with. The caller holds the lock."""
        since = self._time() - self._memory
        floors = (
            floor
            for event, time, floor in self._settled
            if event > counts.asked or (self._memory and time >= since)
        )
        return choose(counts, self.ours(), max(floors, default=0))

    def _time(self) -> int:
        return self._clock.monotonic() if self._clock else 0
