"""Calldata, multicall and revert reasons, held against eth_abi."""

from contextlib import suppress
from typing import Any

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st

from chains.evm import erc20, multicall
from chains.evm.abi import bytes_at, selector, text_at, uint_at
from chains.evm.model import Call, CallError
from chains.evm.reverts import data_of, decode, failure
from tests.support.evm import ALICE, BOB

units = st.integers(0, erc20.MAX_UINT)


@given(units)
def test_erc20_calldata_equals_eth_abi(amount: int) -> None:
    def call(signature: str, types: list[str], values: list[Any]) -> bytes:
        return selector(signature) + abi_encode(types, values)

    assert erc20.transfer(BOB, amount) == call(
        "transfer(address,uint256)", ["address", "uint256"], [BOB, amount]
    )
    assert erc20.approve(BOB, amount) == call(
        "approve(address,uint256)", ["address", "uint256"], [BOB, amount]
    )
    assert erc20.transfer_from(ALICE, BOB, amount) == call(
        "transferFrom(address,address,uint256)",
        ["address", "address", "uint256"],
        [ALICE, BOB, amount],
    )
    assert erc20.balance_of(BOB) == call("balanceOf(address)", ["address"], [BOB])
    assert erc20.allowance(ALICE, BOB) == call(
        "allowance(address,address)", ["address", "address"], [ALICE, BOB]
    )
    assert erc20.withdraw(amount) == call("withdraw(uint256)", ["uint256"], [amount])


@pytest.mark.parametrize(
    ("signature", "known"),
    [
        ("transfer(address,uint256)", "a9059cbb"),
        ("approve(address,uint256)", "095ea7b3"),
        ("balanceOf(address)", "70a08231"),
        ("deposit()", "d0e30db0"),
        ("withdraw(uint256)", "2e1a7d4d"),
        ("aggregate3((address,bool,bytes)[])", "82ad56cb"),
    ],
)
def test_selectors(signature: str, known: str) -> None:
    assert selector(signature).hex() == known


def test_the_topic_of_a_transfer() -> None:
    from chains.evm.codec import keccak

    assert keccak(b"Transfer(address,address,uint256)") == erc20.TRANSFER_TOPIC


@pytest.mark.parametrize("amount", [-1, erc20.MAX_UINT + 1])
def test_amounts_that_do_not_fit_are_errors(amount: int) -> None:
    with pytest.raises(OverflowError):
        erc20.transfer(BOB, amount)


calls = st.lists(
    st.builds(Call, to=st.sampled_from([ALICE, BOB]), data=st.binary(max_size=100)), max_size=12
)


@given(calls)
def test_multicall_is_encoded_like_eth_abi(batch: list[Call]) -> None:
    expected = abi_encode(
        ["(address,bool,bytes)[]"], [[(call.to, True, call.data) for call in batch]]
    )
    assert multicall.encode(batch) == selector("aggregate3((address,bool,bytes)[])") + expected


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=100)), max_size=12))
def test_multicall_results_are_decoded_like_eth_abi(rows: list[tuple[bool, bytes]]) -> None:
    wire = abi_encode(["(bool,bytes)[]"], [rows])
    decoded = multicall.decode(wire, len(rows))
    for (success, content), ours in zip(rows, decoded, strict=True):
        assert (ours == content) if success else isinstance(ours, CallError)


@given(st.binary(max_size=300), st.integers(0, 5))
def test_hostile_multicall_results_are_values_or_value_errors(data: bytes, count: int) -> None:
    with suppress(ValueError):
        assert len(multicall.decode(data, count)) == count


@given(st.text(max_size=60))
def test_strings_are_read_like_eth_abi(text: str) -> None:
    assert text_at(abi_encode(["string"], [text])) == text


def test_early_tokens_return_bytes32_for_a_string() -> None:
    assert text_at(b"MKR".ljust(32, b"\0")) == "MKR"


@given(st.binary(max_size=200))
def test_hostile_strings_are_text_or_value_errors(data: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(text_at(data), str)


def test_words_beyond_the_end_are_errors() -> None:
    with pytest.raises(ValueError):
        uint_at(b"")
    with pytest.raises(ValueError):
        uint_at(bytes(63), 1)
    with pytest.raises(ValueError):
        bytes_at((2**255).to_bytes(32, "big"), 0)


@given(st.text(max_size=80))
def test_an_error_with_a_message_says_it(text: str) -> None:
    data = bytes.fromhex("08c379a0") + abi_encode(["string"], [text])
    assert decode(data) == text
    assert abi_decode(["string"], data[4:]) == (text,)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "reverted without a reason"),
        (bytes.fromhex("4e487b71") + (0x12).to_bytes(32, "big"), "panic 0x12: division by zero"),
        (bytes.fromhex("4e487b71") + (0x99).to_bytes(32, "big"), "panic 0x99: unknown"),
        (bytes.fromhex("4e487b71"), "malformed revert data 0x4e487b71"),
        (bytes.fromhex("08c379a0ff"), "malformed revert data 0x08c379a0ff"),
        (bytes.fromhex("deadbeef"), "custom error 0xdeadbeef"),
        (b"\x01", "custom error 0x01"),
        (
            selector("ERC20InsufficientAllowance(address,uint256,uint256)") + bytes(96),
            "ERC20InsufficientAllowance(address,uint256,uint256)",
        ),
    ],
)
def test_reasons(data: bytes, reason: str) -> None:
    assert decode(data) == reason


@given(st.binary(max_size=150))
def test_any_revert_data_has_a_reason(data: bytes) -> None:
    assert decode(data)


@pytest.mark.parametrize(
    ("wire", "data"),
    [
        ("0x1234", b"\x12\x34"),
        ("Reverted 0x1234", b"\x12\x34"),
        ({"data": "0x1234"}, b"\x12\x34"),
        ({"data": {"data": "0x"}}, b""),
        ({"message": "no"}, None),
        ("Reverted", None),
        ("0xzz", None),
        (None, None),
        (7, None),
    ],
)
def test_revert_data_is_found_where_each_client_puts_it(wire: object, data: bytes | None) -> None:
    assert data_of(wire) == data


@pytest.mark.parametrize(
    ("text", "data", "expected"),
    [
        ("execution reverted: no", None, ("no", b"")),
        ("execution reverted", "0x", ("reverted without a reason", b"")),
        ("VM Exception: revert", None, ("reverted without a reason", b"")),
        ("EVM error OutOfGas", None, ("EVM error OutOfGas", b"")),
        ("invalid opcode: INVALID", None, ("invalid opcode: INVALID", b"")),
        ("execution reverted", "0xdeadbeef", ("custom error 0xdeadbeef", b"\xde\xad\xbe\xef")),
        ("header not found", None, None),
        ("rate limited", None, None),
    ],
)
def test_failures_are_told_from_the_nodes_own_troubles(
    text: str, data: object, expected: tuple[str, bytes] | None
) -> None:
    assert failure(text, data) == expected
