"""What follows from what a node says; above all, what does not."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chains.solana import lifecycle
from chains.solana.lifecycle import Death
from chains.solana.wire import Meta, Status
from core.transactions import Transaction, TransactionStatus

S = TransactionStatus
SIGNED = Transaction(
    "solana",
    "address",
    "intent",
    "transfer",
    "hash",
    b"raw",
    S.SIGNED,
    last_valid_height=1_000,
    details={lifecycle.SIGNED_SLOT: "900"},
)
FAILURE = {"InstructionError": [2, {"Custom": 6001}]}

statuses = st.builds(
    Status,
    slot=st.integers(901, 1_100),
    err=st.sampled_from([None, FAILURE]),
    confirmation_status=st.sampled_from(["processed", "confirmed", "finalized", None]),
)


def test_the_usual_way() -> None:
    at = lifecycle.taken(SIGNED, 1)
    assert at.status is S.BROADCAST
    assert lifecycle.taken(at, 2) is at
    assert lifecycle.follow(at, None, 950, 2) is at
    at = lifecycle.follow(at, Status(910, None, "processed"), 950, 3)
    assert at.status is S.SEEN
    at = lifecycle.follow(at, Status(910, None, "confirmed"), 950, 4)
    assert (at.status, at.block, at.succeeded) == (S.INCLUDED, 910, True)
    assert lifecycle.follow(at, Status(910, None, "processed"), 950, 5) is at
    at = lifecycle.follow(at, Status(910, None, "finalized"), 950, 6)
    assert (at.status, at.update_time) == (S.FINAL, 6)
    assert lifecycle.follow(at, None, 9_999, 7) is at


def test_a_failure_is_known_early_and_final_late() -> None:
    at = lifecycle.follow(SIGNED, Status(910, FAILURE, "confirmed"), 950, 1)
    assert (at.status, at.succeeded) == (S.INCLUDED, False)
    assert at.reason == "Error processing Instruction 2: custom program error: 0x1771"
    at = lifecycle.receipt(at, Meta(6_000, FAILURE, ["Program log: Error: slippage"]), 9)
    at = lifecycle.follow(at, Status(910, FAILURE, "finalized"), 950, 2)
    assert at.status is S.REVERTED
    assert at.reason.endswith("Program log: Error: slippage")
    assert str(at.fee) == "0.000006000"


def test_an_abandoned_block_is_a_reorganisation_unless_the_node_lags() -> None:
    included = lifecycle.follow(SIGNED, Status(910, None, "confirmed"), 950, 1)
    assert lifecycle.follow(included, None, 909, 2) is included
    assert lifecycle.follow(included, None, 910, 2) is included
    gone = lifecycle.follow(included, None, 911, 2)
    assert (gone.status, gone.block, gone.succeeded) == (S.REORGANISED, None, None)
    assert lifecycle.is_waiting(gone)
    back = lifecycle.follow(gone, Status(912, None, "confirmed"), 950, 3)
    assert (back.status, back.block) == (S.INCLUDED, 912)


def test_death_needs_a_finalized_height_and_the_history() -> None:
    cases = {
        Death(1_000, 2_000, 0, 2_010): False,  # may still be included
        Death(1_001, 2_000, 901, 2_010): False,  # the node lacks blocks in which it could be
        Death(1_001, 2_000, 0, 1_999): False,  # the node that does not know it lags behind
        Death(1_001, 2_000, 900, 2_000): True,
        Death(1_001, 2_000, 0, 2_010): True,
    }
    for death, dead in cases.items():
        buried = lifecycle.bury(SIGNED, death, "", 5)
        assert (buried.status is S.DROPPED) is dead, death
        assert (buried is SIGNED) is not dead
    proof = Death(9_999, 0, 0, 0)
    unknown_slot = replace(SIGNED, details={})
    assert lifecycle.bury(unknown_slot, proof, "", 5) is unknown_slot
    no_height = replace(SIGNED, last_valid_height=None)
    assert lifecycle.bury(no_height, proof, "", 5) is no_height


def test_what_nodes_said_is_kept_for_the_reader() -> None:
    buried = lifecycle.bury(SIGNED, Death(1_001, 0, 0, 0), "node: Blockhash not found", 5)
    assert "1000" in buried.reason
    assert buried.reason.endswith("node: Blockhash not found")


@given(st.lists(st.tuples(st.none() | statuses, st.integers(900, 1_200)), max_size=30))
def test_no_end_without_finality(observations: list[tuple[Status | None, int]]) -> None:
    at = SIGNED
    for now, (status, slot) in enumerate(observations):
        after = lifecycle.follow(at, status, slot, now)
        if at.is_final:
            assert after is at
        elif after.is_final:
            assert status is not None
            assert status.confirmation_status == "finalized"
            expected = S.FINAL if status.err is None else S.REVERTED
            assert after.status is expected
        if after.status is S.INCLUDED:
            assert after.block is not None
            assert after.succeeded is not None
        assert (after.hash, after.raw, after.intent) == (at.hash, at.raw, at.intent)
        at = after
    assert at.status is not S.DROPPED
