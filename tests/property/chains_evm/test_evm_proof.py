"""What ends a transaction is what most nodes say, whatever the others make up."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chains.evm.lifecycle import Observation
from chains.evm.model import Block, Receipt
from chains.evm.proof import _awake, _judged
from core.clock import SECOND

DEPTH, BLOCK = 10, 100
REAL = Receipt("0xaa", True, BLOCK, "0xb1", 21_000, 1, ())
heads = st.integers(0, 10**9)
blocks = st.sampled_from(["0xb1", "0xb2"])
made_up = st.builds(lambda at, block: Receipt("0xaa", True, at, block, 1, 1, ()), heads, blocks)
lies = st.tuples(heads, st.one_of(st.none(), made_up))


@given(st.lists(lies, max_size=4), st.integers(BLOCK, BLOCK + DEPTH - 1), st.data())
def test_a_minority_never_makes_a_receipt_deep(
    liars: list[tuple[int, Receipt | None]], head: int, data: st.DataObject
) -> None:
    honest = [(head, REAL)] * (len(liars) + data.draw(st.integers(0, 3)))
    votes = data.draw(st.permutations([*liars, *honest]))
    seen = Observation(head=10**9, receipt=REAL)
    told = _judged(seen, votes, DEPTH)
    assert told.receipt is None or told.head - told.receipt.block < DEPTH


@given(st.lists(lies, max_size=4), st.integers(BLOCK, 10**6))
def test_a_majority_without_a_receipt_takes_it_back(
    liars: list[tuple[int, Receipt | None]], head: int
) -> None:
    honest: list[tuple[int, Receipt | None]] = [(head, None)] * (len(liars) + 1)
    told = _judged(Observation(head=10**9, receipt=REAL), [*liars, *honest], DEPTH)
    assert told.receipt is None
    assert told.block_gone


@given(st.lists(lies, max_size=4), st.integers(BLOCK + DEPTH, 10**6))
def test_a_majority_at_depth_is_proof(liars: list[tuple[int, Receipt | None]], head: int) -> None:
    honest: list[tuple[int, Receipt | None]] = [(head, REAL)] * (len(liars) + 1)
    seen = Observation(head=head, receipt=REAL)
    assert _judged(seen, [*liars, *honest], DEPTH) == seen


def test_who_stands_still_has_no_say() -> None:
    def told(timestamp: int) -> tuple[Block, Sequence[Any]]:
        return Block(1, "0x", "0x", timestamp, None), []

    now = 1_700_000_000
    voters = [told(now), told(now - 200), told(now - 241)]
    assert _awake(voters, 12 * SECOND) == voters[:2]
    assert _awake([told(now), told(now - 61)], SECOND // 4) == [told(now)]
    assert _awake([], SECOND) == []
