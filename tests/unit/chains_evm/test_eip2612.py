"""What a token's answers say of its permits; calldata as eth_abi has it."""

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm import eip2612, permit2
from chains.evm.abi import selector, uint_word
from chains.evm.codec import checksum, keccak
from chains.evm.eip2612 import DAI_TYPE_HASH, TYPE_HASH, Permitting
from chains.evm.model import CallError
from chains.evm.permit2 import PermitSingle
from chains.evm.typed_data import Domain, type_text
from dex.families import constant_product_liquidity as pairs

TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ROUTER = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
NONE = CallError("reverted without a reason")
EXPIRED = CallError("permit is expired", b"\x08\xc3\x79\xa0...")
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: checksum("0x" + raw.hex()))
WORDS = st.integers(0, 2**256 - 1)

SEVEN = uint_word(7)

Answer = bytes | CallError


def string(text: str) -> bytes:
    return encode(["string"], [text])


def described(fields: int, name: str, version: str, chain: int = 1) -> bytes:
    types = ["bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]"]
    return encode(types, [bytes([fields]), name, version, chain, TOKEN, bytes(32), []])


def answers(
    separator: Answer,
    nonce: Answer = SEVEN,
    name: Answer = NONE,
    version: Answer = NONE,
    domain: Answer = NONE,
    type_hash: Answer = TYPE_HASH,
    probe: Answer = EXPIRED,
) -> list[Answer]:
    return [separator, nonce, name, version, domain, type_hash, probe]


def separator(name: str, version: str, chain: int = 1, token: str = TOKEN) -> bytes:
    return Domain(chain, token, name, version).separator()


def test_the_hashes_of_the_types() -> None:
    assert keccak(type_text("Permit", eip2612.TYPES).encode()) == TYPE_HASH
    dai = b"Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)"
    assert keccak(dai) == DAI_TYPE_HASH
    # Permit2's own: https://github.com/Uniswap/permit2/blob/main/src/libraries/PermitHash.sol
    single = (
        b"PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)"
        b"PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)"
    )
    assert type_text("PermitSingle", permit2.TYPES).encode() == single


def test_domains_of_deployed_contracts() -> None:
    """As their DOMAIN_SEPARATOR answers on Ethereum."""
    assert separator("USD Coin", "2").hex() == (
        "06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335"
    )
    assert permit2.domain(1).separator().hex() == (
        "866a5aba21966af95d6c7ab78eb2b2fc913915c28be3b9aa07cc04ff903e3f28"
    )


@pytest.mark.parametrize(
    "given_answers",
    [
        answers(separator("USD Coin", "2"), name=string("USD Coin"), version=string("2")),
        answers(separator("USD Coin", "2"), name=string("USD Coin")),  # tells no version
        answers(separator("USD Coin", "1"), name=string("USD Coin")),
        answers(separator("USD Coin", "1"), name=string("USD Coin"), version=string("9")),
        # Whatever name it shows, this is what it calls itself when it signs.
        answers(separator("Coin", "7"), name=string("USD"), domain=described(15, "Coin", "7")),
        answers(separator("USD Coin", "1"), name=string("USD Coin"), type_hash=NONE),
        answers(separator("USD", "1"), name=b"USD" + bytes(29)),
        answers(separator("", "1"), name=string("")),
    ],
)
def test_tokens_that_take_permits(given_answers: list[Answer]) -> None:
    found = eip2612.read(1, TOKEN, given_answers)
    assert isinstance(found, Permitting)
    assert found.nonce == 7
    assert found.domain.separator() == given_answers[0]
    assert (found.domain.chain_id, found.domain.contract) == (1, TOKEN)


RIGHT = separator("Coin", "1")


@pytest.mark.parametrize(
    ("given_answers", "why"),
    [
        (answers(NONE), "takes no permits"),
        (answers(b""), "takes no permits"),
        (answers(RIGHT[:31]), "takes no permits"),
        (answers(RIGHT, nonce=NONE), "takes no permits"),
        (answers(RIGHT, name=string("Coin"), type_hash=DAI_TYPE_HASH), "as DAI does"),
        (answers(RIGHT, name=string("Coin"), type_hash=bytes(32)), "a kind of its own"),
        (answers(RIGHT, name=string("Coin"), probe=b""), "that nobody signed"),
        (answers(RIGHT, name=string("Coin"), type_hash=NONE, probe=NONE), "no permit that"),
        # Lies: another chain's domain, another token's, another name's, one without a name.
        (answers(separator("Coin", "1", chain=2), name=string("Coin")), "good elsewhere"),
        (answers(separator("Coin", "1", token=ROUTER), name=string("Coin")), "good elsewhere"),
        (answers(separator("Other", "1"), name=string("Coin")), "good elsewhere"),
        (answers(RIGHT), "good elsewhere"),
        (answers(Domain(1, TOKEN, "Coin").separator(), name=string("Coin")), "good elsewhere"),
        # Domains of other fields, and descriptions that are none.
        (answers(RIGHT, domain=described(0x1F, "Coin", "1")), "good elsewhere"),
        (answers(RIGHT, domain=described(15, "Coin", "1")[:100]), "good elsewhere"),
        (answers(RIGHT, domain=b"\x0f" + b"\xff" * 300), "good elsewhere"),
        (answers(separator("C" * 999, "1"), name=string("C" * 999)), "good elsewhere"),
        (answers(RIGHT, name=b"\xff" * 64), "good elsewhere"),
    ],
)
def test_tokens_that_take_none_or_lie(given_answers: list[Answer], why: str) -> None:
    found = eip2612.read(1, TOKEN, given_answers)
    assert isinstance(found, str)
    assert why in found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=7, max_size=7))
def test_no_answer_makes_it_fail(given_answers: list[bytes]) -> None:
    assert isinstance(eip2612.read(1, TOKEN, given_answers), str)
    assert isinstance(permit2.read(1, given_answers[:2]), str)


# -- calldata


@settings(max_examples=60, deadline=None)
@given(ADDRESSES, WORDS, WORDS, WORDS, WORDS, st.integers(0, 1))
def test_calls_are_as_eth_abi_has_them(
    token: str, units: int, deadline: int, r: int, s: int, parity: int
) -> None:
    words = [r.to_bytes(32, "big"), s.to_bytes(32, "big")]
    types = ["address", "uint256", "uint256", "uint8", "bytes32", "bytes32"]
    name = f"selfPermitIfNecessary({','.join(types)})"
    mine = eip2612.self_permit(token, units, deadline, (r, s, parity))
    assert mine == selector(name) + encode(types, [token, units, deadline, 27 + parity, *words])
    types = ["address"] * 2 + ["uint256"] * 3 + ["address", "uint256", "bool"] + types[3:]
    name = f"removeLiquidityWithPermit({','.join(types)})"
    mine = pairs.remove(token, OWNER, units, (1, 2), ROUTER, deadline, (r, s, parity))
    values = [token, OWNER, units, 1, 2, ROUTER, deadline, False, 27 + parity, *words]
    assert mine == selector(name) + encode(types, values)


@settings(max_examples=60, deadline=None)
@given(
    ADDRESSES,
    st.integers(0, 2**160 - 1),
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**48 - 1),
    WORDS,
    WORDS,
)
def test_permits_of_permit2_are_as_eth_abi_has_them(
    token: str, units: int, nonce: int, deadline: int, r: int, s: int
) -> None:
    single = PermitSingle(token, units, nonce, ROUTER, deadline)
    types = ["((address,uint160,uint48,uint48),address,uint256)", "bytes"]
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1c"
    values = [((token, units, deadline, nonce), ROUTER, deadline), signature]
    assert permit2.permit_input(single, (r, s, 1)) == encode(types, values)
    assert single.message(1).digest() != single.message(2).digest()


def test_where_there_is_no_permit2() -> None:
    right = permit2.domain(1).separator()
    assert permit2.read(1, [right, uint_word(1) + uint_word(2) + uint_word(3)]) == 3
    for separator_, allowance, why in (
        (NONE, NONE, "no Permit2"),
        (b"", b"", "no Permit2"),
        (right, b"", "no Permit2"),
        (permit2.domain(2).separator(), bytes(96), "is not Permit2"),
        (bytes(32), bytes(96), "is not Permit2"),
    ):
        found = permit2.read(1, [separator_, allowance])
        assert isinstance(found, str)
        assert why in found
