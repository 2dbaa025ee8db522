"""What replacing rests on: transactions read back, prices that nodes accept, rivals of a nonce."""

from dataclasses import replace
from typing import cast

import pytest
import rlp  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.envelope import Envelope, opened
from chains.evm.fees import Fees, outbid, under_cap
from chains.evm.rivals import is_superseded, outdone, rivals, standing
from chains.evm.rlp import Item, decode, encode
from core.errors import Reason, Refused
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus
from tests.support.evm import ALICE, BOB, KeySigner

ETHER = Token("ethereum", "", "ETH", 18)
trees = st.recursive(
    st.binary(max_size=80), lambda children: st.lists(children, max_size=5), max_leaves=20
)
prices = st.integers(0, 10**15)
fees = st.builds(
    lambda price, tip, dynamic: Fees(max(price, tip), tip if dynamic else None),
    prices,
    prices,
    st.booleans(),
)
envelopes = st.builds(
    Envelope,
    chain_id=st.integers(1, 2**40),
    nonce=st.integers(0, 2**60),
    fees=fees,
    gas_limit=st.integers(21_000, 30_000_000),
    to=st.sampled_from(["", ALICE, BOB]),
    value=st.integers(0, 2**256 - 1),
    data=st.binary(max_size=200),
)


@given(trees)
def test_rlp_is_read_back(tree: object) -> None:
    assert decode(encode(cast(Item, tree))) == tree


@given(st.binary(max_size=100))
def test_rlp_takes_what_the_reference_takes(data: bytes) -> None:
    """Hostile bytes are a value or a ValueError; what is taken is canonical."""
    try:
        theirs = rlp.decode(data, strict=True)
    except rlp.exceptions.RLPException:
        with pytest.raises(ValueError):
            decode(data)
        return
    assert encode(cast(Item, decode(data))) == data == rlp.encode(theirs)


@pytest.mark.parametrize(
    "data", [b"\x81\x01", b"\xb8\x01\x80", b"\xb9\x00\x38" + bytes(56), b"\xc0" * 2, b"\xc1" * 40]
)
def test_rlp_that_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


@given(envelopes)
async def test_a_signed_transaction_is_read_back(envelope: Envelope) -> None:
    signature = await KeySigner().sign("evm", ALICE, envelope.digest())
    assert opened(envelope.signed(signature)) == envelope


@given(st.binary(max_size=120))
def test_what_is_no_transaction_of_ours_is_a_value_error(data: bytes) -> None:
    for raw in (data, b"\x02" + data, b"\x01" + data):
        try:
            opened(raw)
        except ValueError:
            continue


@given(wished=fees, before=fees)
def test_a_replacement_passes_the_rule_of_nodes(wished: Fees, before: Fees) -> None:
    """geth: both prices higher, and by at least a tenth (core/txpool/legacypool/list.go, Add)."""
    made = outbid(wished, before)
    old_tip = before.price if before.priority is None else before.priority
    new_tip = made.price if made.priority is None else made.priority
    assert made.price > before.price
    assert made.price * 100 >= before.price * 110
    if before.priority is not None or made.priority is None:
        assert new_tip > old_tip
        assert new_tip * 100 >= old_tip * 110
    assert made.price >= wished.price
    assert made.priority is None or made.price >= made.priority


@given(
    wished=fees,
    before=fees,
    base=st.integers(0, 10**14),
    cap=st.integers(0, 10**20),
    gas=st.integers(21_000, 10**6),
)
def test_a_capped_replacement_is_still_one_or_is_refused(
    wished: Fees, before: Fees, base: int, cap: int, gas: int
) -> None:
    offered = outbid(wished, before)
    nothing = Fees(0, None if wished.priority is None else 0)
    least = outbid(nothing, before).price
    tip = offered.priority
    needed = least if tip is None else max(base + base // 8 + tip, least)
    if min(needed, offered.price) * gas > cap:
        with pytest.raises(Refused) as caught:
            under_cap(offered, gas, base, cap, ETHER, least)
        assert caught.value.reason is Reason.FEE_CAP_EXCEEDED
        return
    made = under_cap(offered, gas, base, cap, ETHER, least)
    assert made.price * gas <= cap
    assert made.price * 100 >= before.price * 110
    assert made.price > before.price
    assert made.priority is None or made.priority <= made.price


def sent(name: str, time: int, **changes: object) -> Transaction:
    plain = Transaction("n", ALICE, "i", "transfer", name, b"", TransactionStatus.BROADCAST, 7)
    return replace(plain, create_time=time, **changes)  # type: ignore[arg-type]


def test_rivals_share_signer_and_nonce() -> None:
    a, b, c = sent("a", 1), sent("b", 2), sent("c", 3)
    assert rivals(a, [c, a, sent("x", 0, nonce=8), sent("y", 0, address=BOB), b]) == [b, c]
    assert rivals(replace(a, nonce=None), [b]) == []


def test_only_a_later_one_that_was_taken_supersedes() -> None:
    first, second = sent("a", 1), sent("b", 2)
    assert is_superseded(first, [first, second])
    assert not is_superseded(second, [first, second])
    unsent = replace(second, status=TransactionStatus.SIGNED)
    assert not is_superseded(first, [first, unsent])


@pytest.mark.parametrize("status", list(TransactionStatus))
def test_only_a_rival_at_finality_depth_ends_a_transaction(status: TransactionStatus) -> None:
    ended = outdone(sent("a", 1), sent("b", 2, status=status), 9)
    deep = status in (TransactionStatus.FINAL, TransactionStatus.REVERTED)
    assert [one.status for one in ended] == ([TransactionStatus.REPLACED] if deep else [])
    for mine in (TransactionStatus.INCLUDED, TransactionStatus.FINAL, TransactionStatus.DROPPED):
        assert outdone(sent("a", 1, status=mine), sent("b", 2, status=status), 9) == []
    assert outdone(sent("a", 1, nonce=8), sent("b", 2, status=status), 9) == []


def test_an_intent_is_told_by_what_lives_then_by_what_was_included() -> None:
    final = sent("a", 1, status=TransactionStatus.FINAL)
    lost = sent("b", 2, status=TransactionStatus.REPLACED)
    live = sent("c", 3)
    assert max([lost, final], key=standing) == final
    assert max([final, live, lost], key=standing) == live
