"""The nonce ledger: no nonce twice, no gap of our making, whatever the nodes say and when."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chains.evm.nonces import Counts, NonceLedger, agreed, choose, foreign, gap
from core.clock import SECOND, ManualClock

small = st.integers(0, 12)
ours = st.frozensets(small, max_size=8)


@given(small, small, ours, small)
def test_a_chosen_nonce_is_free_and_the_lowest_that_is(
    latest: int, more: int, taken: frozenset[int], settled: int
) -> None:
    counts = Counts(latest, latest + more, 0)
    nonce = choose(counts, taken, settled)
    assert nonce not in taken
    assert nonce >= max(counts.latest, counts.pending, settled)
    assert all(n in taken for n in range(max(counts.pending, settled), nonce))


@given(small, small, ours)
def test_gaps_and_strangers(latest: int, more: int, taken: frozenset[int]) -> None:
    counts = Counts(latest, latest + more, 0)
    hole = gap(counts, taken)
    if hole is not None:
        assert hole not in taken
        assert max(taken) > hole
        assert choose(counts, taken) == hole
    assert foreign(counts, taken) == len(set(range(latest, latest + more)) - taken)


@given(st.lists(small, min_size=1, max_size=7))
def test_what_most_nodes_say_counts(values: list[int]) -> None:
    found = agreed(values)
    assert values.count(found) == max(values.count(value) for value in values)


class OneWallet(RuleBasedStateMachine):
    """A chain whose pool mines in order, a journal of ours, a stranger with the same key, and
    counts that are asked for now and used later."""

    def __init__(self) -> None:
        super().__init__()
        self.used = 0  # nonces that are in blocks
        self.pool: set[int] = set()
        self.pending: set[int] = set()  # ours
        self.signed: list[int] = []
        self.strangers: set[int] = set()
        self.ledger = NonceLedger(lambda: self.pending)
        self.counts = self._ask()

    def _ask(self) -> Counts:
        ready = self.used
        while ready in self.pool:
            ready += 1
        return Counts(self.used, ready, self.ledger.asked())

    @rule()
    def ask(self) -> None:
        self.counts = self._ask()

    @rule(arrives=st.booleans())
    def send(self, arrives: bool) -> None:
        nonce = self.ledger.next(self.counts)
        assert nonce not in self.signed, "one nonce for two of our transactions"
        if self.counts == self._ask():
            assert nonce not in self.strangers
            assert nonce >= self.used
        self.pending.add(nonce)
        self.signed.append(nonce)
        if arrives and nonce >= self.used:
            self.pool.add(nonce)

    @rule()
    def rebroadcast(self) -> None:
        self.pool |= {nonce for nonce in self.pending if nonce >= self.used}

    @rule()
    def stranger(self) -> None:
        nonce = self._ask().pending
        self.pool.add(nonce)
        if nonce not in self.pending:
            self.strangers.add(nonce)

    @rule()
    def mine(self) -> None:
        """One block, final at once, and we notice."""
        if self.used in self.pool:
            self.pool.discard(self.used)
            self.used += 1
        for nonce in sorted(self.pending):
            if nonce < self.used:
                self.ledger.settle(nonce)
                self.pending.discard(nonce)

    @invariant()
    def a_fresh_look_never_leaves_a_hole(self) -> None:
        counts = self._ask()
        nonce = self.ledger.next(counts)
        taken = self.pending | self.pool | set(range(self.used))
        assert all(n in taken for n in range(nonce)), "a gap below the next nonce"


TestOneWallet = OneWallet.TestCase


async def test_the_lock_hands_out_one_nonce_at_a_time() -> None:
    taken: set[int] = set()
    ledger = NonceLedger(lambda: taken)

    async def one() -> int:
        counts = Counts(0, 0, ledger.asked())
        async with ledger.lock:
            nonce = ledger.next(counts)
            await asyncio.sleep(0)
            taken.add(nonce)
        return nonce

    assert sorted(await asyncio.gather(*(one() for _ in range(32)))) == list(range(32))


def test_what_was_used_for_good_is_remembered_against_nodes_that_lag_for_a_while() -> None:
    clock = ManualClock()
    ledger = NonceLedger(set, clock, memory=300 * SECOND)
    ledger.settle(4)
    lagging = Counts(latest=2, pending=2, asked=ledger.asked())
    assert ledger.next(lagging) == 5
    clock.advance(300 * SECOND)
    assert ledger.next(lagging) == 5
    clock.advance(1)
    assert ledger.next(lagging) == 2  # a chain that was set back for good is believed in the end
    ledger = NonceLedger(set, clock)
    ledger.settle(4)
    assert ledger.next(Counts(2, 2, ledger.asked())) == 2
