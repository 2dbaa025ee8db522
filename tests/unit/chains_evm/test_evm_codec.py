"""Hex, addresses, RLP and envelopes, held against eth_utils, rlp and eth_account."""

from typing import cast

import pytest
import rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.codec import (
    checksum,
    create_address,
    integer,
    is_address,
    is_hash,
    keccak,
    unhex,
)
from chains.evm.envelope import Envelope, signer_of, split
from chains.evm.fees import Fees
from chains.evm.rlp import Item, encode
from tests.support.evm import ALICE, BOB, KEYS, KeySigner

items = st.recursive(
    st.binary(max_size=80) | st.integers(0, 2**256 - 1),
    lambda children: st.lists(children, max_size=6),
    max_leaves=20,
)


@given(items)
def test_rlp_equals_the_reference(item: object) -> None:
    assert encode(cast(Item, item)) == rlp.encode(item)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65_535, 65_536])
def test_rlp_at_the_edges_of_length(size: int) -> None:
    assert encode(b"\x80" * size) == rlp.encode(b"\x80" * size)
    assert encode([b"\x01"] * size) == rlp.encode([b"\x01"] * size)


@given(st.binary(min_size=20, max_size=20))
def test_checksum_equals_the_reference(raw: bytes) -> None:
    text = "0x" + raw.hex()
    assert checksum(text) == to_checksum_address(text)
    assert is_address(text)
    assert is_address(checksum(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        ALICE[:-1],
        ALICE + "0",
        ALICE[2:],
        "0X" + ALICE[2:],
        ALICE.swapcase(),
        "0x" + ALICE[2:].swapcase(),
        " " + ALICE,
        ALICE + "\n",
        "0x" + "g" * 40,
        "0x" + "٣" * 40,
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    "text", ["", "1", "0x", "0xg", "0x_1", "-0x1", None, 5, b"0x1", [], "0x1 2"]
)
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError):
        integer(text)


@pytest.mark.parametrize("text", ["", "00", "0x0", "0xzz", None, 5, {}])
def test_what_is_no_data(text: object) -> None:
    with pytest.raises(ValueError):
        unhex(text)


def test_hashes() -> None:
    assert is_hash("0x" + "ab" * 32)
    assert not is_hash("0x" + "ab" * 31)
    assert not is_hash("ab" * 32)
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_the_address_of_a_created_contract() -> None:
    # The first contract of anvil's first account, known to whoever has used it.
    assert create_address(ALICE, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"


amounts = st.integers(0, 2**96)
envelopes = st.builds(
    Envelope,
    chain_id=st.integers(1, 2**32),
    nonce=st.integers(0, 2**40),
    fees=st.builds(Fees, price=amounts, priority=st.none() | amounts),
    gas_limit=st.integers(21_000, 30_000_000),
    to=st.sampled_from([BOB, ALICE, ""]),
    value=amounts,
    data=st.binary(max_size=200),
)


@given(envelopes)
async def test_envelopes_equal_eth_account(envelope: Envelope) -> None:
    wire: dict[str, object] = {
        "chainId": envelope.chain_id,
        "nonce": envelope.nonce,
        "gas": envelope.gas_limit,
        "value": envelope.value,
        "data": envelope.data,
        "to": envelope.to or b"",
    }
    if envelope.fees.priority is None:
        wire["gasPrice"] = envelope.fees.price
    else:
        wire["type"] = 2
        wire["maxFeePerGas"] = envelope.fees.price
        wire["maxPriorityFeePerGas"] = envelope.fees.priority
    theirs = Account.sign_transaction(wire, KEYS[0])
    digest = envelope.digest()
    signature = await KeySigner().sign("evm", ALICE, digest)
    ours = envelope.signed(signature)
    assert ours == bytes(theirs.raw_transaction)
    assert keccak(ours) == bytes(theirs.hash)
    assert signer_of(digest, signature) == ALICE
    assert envelope.signed(signature[:64] + bytes([signature[64] + 27])) == ours


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(65),
        bytes(64),
        b"\x01" * 64 + b"\x02",
        b"\x01" * 32 + b"\xff" * 32 + b"\x00",
        bytes(32) + b"\x01" * 32 + b"\x00",
        b"\x01" * 66,
    ],
)
def test_signatures_that_no_node_accepts(signature: bytes) -> None:
    with pytest.raises(ValueError):
        split(signature)
