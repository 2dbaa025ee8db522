"""Which nonce comes next: one ledger an address, derived and never stored.

What counts is the journal's pending transactions (ours) and the chain's two counts: `latest` (used)
and `pending` (used, or waiting in the node's pool without a gap).
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

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
    """

    def __init__(self, ours: Callable[[], Set[int]]) -> None:
        self.lock = asyncio.Lock()
        self.ours = ours
        self._events = 0
        self._settled: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def asked(self) -> int:
        """To be noted in Counts before the chain is asked."""
        return self._events

    def settle(self, nonce: int) -> None:
        """A nonce of ours is used for good, and leaves `ours`: counts asked for earlier may not
        show it yet."""
        self._events += 1
        self._settled.append((self._events, nonce + 1))

    def next(self, counts: Counts) -> int:
        """The nonce to sign with. The caller holds the lock."""
        later = (floor for event, floor in self._settled if event > counts.asked)
        return choose(counts, self.ours(), max(later, default=0))
