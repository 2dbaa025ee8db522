"""The state machine of a transaction, under any sequence of observations."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.lifecycle import BLOCK_HASH, Observation, follow
from chains.evm.model import Receipt
from core.transactions import FINAL_STATUSES, Transaction, TransactionStatus
from tests.support.evm import ALICE

Status = TransactionStatus
receipts = st.builds(
    Receipt,
    hash=st.just("0x1"),
    status=st.booleans(),
    block=st.integers(0, 4),
    block_hash=st.sampled_from(["0xa", "0xb", "0xc"]),
    gas_used=st.integers(21_000, 100_000),
    effective_gas_price=st.integers(0, 10**12),
    logs=st.just(()),
)
observations = st.builds(
    Observation,
    head=st.integers(0, 7),
    receipt=st.none() | receipts,
    revert_reason=st.just("why"),
    in_pool=st.booleans(),
    block_gone=st.booleans(),
    nonce_used=st.booleans(),
)


def fresh() -> Transaction:
    return Transaction("n", ALICE, "i", "p", "0x1", b"raw", Status.SIGNED, nonce=3)


@settings(max_examples=400)
@given(st.lists(observations, min_size=1, max_size=6), st.integers(0, 4))
def test_whatever_nodes_say(seen: list[Observation], depth: int) -> None:
    current = fresh()
    for now, one in enumerate(seen, 1):
        before = current
        steps = follow(current, one, depth, 18, now)
        if before.is_final:
            assert steps == []
        for step in steps:
            check(current, step, one, depth)
            assert (step.raw, step.hash, step.nonce, step.intent) == (b"raw", "0x1", 3, "i")
            assert step.update_time == now
            current = step
        assert not any(step.is_final for step in steps[:-1])


def check(old: Transaction, new: Transaction, seen: Observation, depth: int) -> None:
    """Each step has its proof."""
    receipt = seen.receipt
    if new.status is Status.INCLUDED:
        assert receipt is not None
        assert new.succeeded is receipt.status
        assert (new.block, new.details[BLOCK_HASH]) == (receipt.block, receipt.block_hash)
        assert new.reason == ("" if receipt.status else "why")
    elif new.status in (Status.FINAL, Status.REVERTED):
        assert old.status is Status.INCLUDED
        assert receipt is not None
        assert receipt.status is (new.status is Status.FINAL)
        assert seen.head - receipt.block >= depth
        assert new.details[BLOCK_HASH] == receipt.block_hash
    elif new.status is Status.REPLACED:
        assert receipt is None
        assert seen.nonce_used
        assert old.block is None
    elif new.status is Status.REORGANISED:
        assert old.status is Status.INCLUDED
        assert (new.block, new.succeeded, new.fee) == (None, None, None)
        assert BLOCK_HASH not in new.details
        moved = receipt is not None and receipt.block_hash != old.details[BLOCK_HASH]
        assert moved or (receipt is None and seen.block_gone)
    else:
        assert new.status is Status.SEEN
        assert seen.in_pool
        assert old.status in (Status.SIGNED, Status.BROADCAST, Status.REORGANISED)
    assert new.status is not Status.DROPPED
    assert old.status not in FINAL_STATUSES


@given(st.lists(observations, max_size=4), receipts, st.integers(0, 4))
def test_in_the_end_the_receipt_decides(
    seen: list[Observation], receipt: Receipt, depth: int
) -> None:
    """Unless something proved the end before, a receipt at depth is the end."""
    current = fresh()
    for one in seen:
        current = [current, *follow(current, one, depth, 18, 1)][-1]
    if current.is_final:
        return
    last = Observation(receipt.block + depth, receipt=receipt, revert_reason="why")
    *_, end = follow(current, last, depth, 18, 2)
    assert end.status is (Status.FINAL if receipt.status else Status.REVERTED)


def test_not_knowing_proves_nothing() -> None:
    one = fresh()
    for _ in range(100):
        assert follow(one, Observation(head=10**6), 3, 18, 1) == []
    receipt = Receipt("0x1", True, 5, "0xa", 21_000, 1, ())
    (included,) = follow(one, Observation(6, receipt=receipt), 3, 18, 1)
    assert follow(included, Observation(10**6), 3, 18, 1) == []
    assert follow(included, Observation(10**6, nonce_used=True), 3, 18, 1) == []
