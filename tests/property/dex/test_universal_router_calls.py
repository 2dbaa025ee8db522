"""What the Universal Router is sent, read by eth_abi as the contract reads it."""

from dataclasses import replace

import pytest
from eth_abi.abi import decode
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.abi import selector
from chains.evm.codec import checksum
from core.tokens import Token
from dex.families.concentrated_router import encoded_path
from dex.families.universal_router import router_call
from dex.plans import SwapPlan

NETWORK = "ethereum_local"
BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CALLER, ROUTER = "0x" + "0" * 39 + "1", "0x" + "0" * 39 + "2"
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: checksum("0x" + raw.hex()))
UNITS = st.integers(1, 2**160 - 1)
SWAP = ["address", "uint256", "uint256", "bytes", "bool"]
BY_PAIRS = ["address", "uint256", "uint256", "address[]", "bool"]


def token(address: str) -> Token:
    return Token(NETWORK, address, "T", 18)


def plan(path: list[str], units: tuple[int, int], exact_in: bool, native: bool) -> SwapPlan:
    return SwapPlan(
        sender=BOB,
        token_in=token(path[0]),
        token_out=token("" if native else path[-1]),
        exact_in=exact_in,
        exact=units[0],
        limit=units[1],
        path=tuple(path),
        intent="i",
        deadline=1_700_000_000_123_456_789,
        details={"quoted_in": "1"},
        fees=tuple(range(100, 100 + len(path) - 1)),
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(ADDRESSES, min_size=2, max_size=4),
    st.tuples(UNITS, UNITS),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.binary(max_size=400),
)
def test_a_swap_is_what_the_contract_reads(
    path: list[str],
    units: tuple[int, int],
    exact_in: bool,
    native: bool,
    pairs: bool,
    permit: bytes,
) -> None:
    made = plan(path, units, exact_in, native)
    call = router_call(made, pairs, permit)
    assert call.value == 0
    assert call.data[:4] == selector("execute(bytes,bytes[],uint256)")
    commands, inputs, deadline = decode(["bytes", "bytes[]", "uint256"], call.data[4:])
    assert deadline == 1_700_000_000
    swap = (0x08 if pairs else 0x00) + (0 if exact_in else 1)
    assert list(commands) == [0x8A, swap, *([0x0C] if native else [])]
    assert inputs[0] == permit
    to, amount, limit, way, paid = decode(BY_PAIRS if pairs else SWAP, inputs[1])
    assert (checksum(to), amount, limit, paid) == (ROUTER if native else CALLER, *units, True)
    if pairs:
        assert [checksum(one) for one in way] == path
    else:
        turn = 1 if exact_in else -1
        assert way == encoded_path(made.path[::turn], made.fees[::turn])
    if native:
        receiver, least = decode(["address", "uint256"], inputs[2])
        assert (checksum(receiver), least) == (CALLER, units[1] if exact_in else units[0])


def test_what_this_router_cannot_do_is_no_call() -> None:
    path = [BOB, "0x" + "1" * 40]
    limited = replace(plan(path, (1, 1), True, False), price_limit=1)
    with pytest.raises(ValueError, match="no price limit"):
        router_call(limited, False, b"")
    paid = replace(plan(path, (1, 1), True, False), token_in=token(""))
    with pytest.raises(ValueError, match="of a token"):
        router_call(paid, False, b"")
