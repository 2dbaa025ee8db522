"""EIP-712 against eth_account's own encoder, over random types and messages."""

import string
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.codec import checksum, keccak
from chains.evm.signing import signed_message
from chains.evm.typed_data import PREFIX, Domain, TypedData, struct_hash, type_text
from tests.support.evm import BOB, KEYS, KeySigner

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: checksum("0x" + raw.hex()))
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=6)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
WIDTHS = st.integers(1, 32).map(lambda octets: octets * 8)


@st.composite
def atoms(draw: st.DrawFn) -> tuple[str, Any]:
    kind = draw(st.sampled_from(["uint", "int", "bool", "address", "string", "bytes", "fixed"]))
    match kind:
        case "uint":
            bits = draw(WIDTHS)
            return f"uint{bits}", draw(st.integers(0, 2**bits - 1))
        case "int":
            bits = draw(WIDTHS)
            return f"int{bits}", draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        case "bool":
            return "bool", draw(st.booleans())
        case "address":
            return "address", draw(ADDRESSES)
        case "string":
            return "string", draw(TEXTS)
        case "bytes":
            return "bytes", draw(st.binary(max_size=70))
    size = draw(st.integers(1, 32))
    return f"bytes{size}", draw(st.binary(min_size=size, max_size=size))


@st.composite
def structs(draw: st.DrawFn) -> tuple[dict[str, list[tuple[str, str]]], dict[str, Any]]:
    """Types, the first of which is Main, and a message of it."""
    types: dict[str, list[tuple[str, str]]] = {"Main": []}
    message: dict[str, Any] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)):
        shape = draw(st.sampled_from(["atom", "array", "struct"]))
        kind, value = draw(atoms())
        if shape == "array":
            count = draw(st.integers(1, 3))
            fixed = draw(st.booleans())
            kind, value = f"{kind}[{count if fixed else ''}]", [value] * count
        elif shape == "struct":
            inner = f"Inner{len(types)}"
            types[inner] = [(kind, "one"), ("uint256", "two")]
            kind, value = inner, {"one": value, "two": draw(st.integers(0, 2**256 - 1))}
        types["Main"].append((kind, name))
        message[name] = value
    return types, message


def theirs(data: TypedData) -> bytes:
    domain = data.domain
    members = [("string", "name")] * (domain.name is not None)
    members += [("string", "version")] * (domain.version is not None)
    members += [("uint256", "chainId"), ("address", "verifyingContract")]
    named = {"EIP712Domain": members, **data.types}
    values = {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.contract,
    }
    signable = encode_typed_data(
        full_message={
            "types": {
                struct: [{"type": kind, "name": name} for kind, name in found]
                for struct, found in named.items()
            },
            "primaryType": data.primary,
            "domain": {key: value for key, value in values.items() if value is not None},
            "message": dict(data.message),
        }
    )
    return b"\x19" + signable.version + signable.header + signable.body


@settings(max_examples=150, deadline=None)
@given(
    structs(),
    st.integers(1, 2**64),
    ADDRESSES,
    st.none() | TEXTS,
    st.none() | TEXTS,
)
def test_the_preimage_is_eth_accounts(
    made: tuple[dict[str, list[tuple[str, str]]], dict[str, Any]],
    chain: int,
    contract: str,
    name: str | None,
    version: str | None,
) -> None:
    types, message = made
    data = TypedData(Domain(chain, contract, name, version), "Main", types, message)
    assert data.preimage() == theirs(data)
    assert data.preimage()[:2] == PREFIX
    assert len(data.preimage()) == 66
    assert data.digest() == keccak(data.preimage())


async def test_a_signature_is_recovered_by_eth_account() -> None:
    types = {"Mail": [("address", "to"), ("string", "text")]}
    mail = {"to": BOB, "text": "hello"}
    data = TypedData(Domain(1, BOB, "Mailbox", "1"), "Mail", types, mail)
    r, s, parity = await signed_message(KeySigner(), BOB, data)
    mine = Account.unsafe_sign_hash(data.digest(), KEYS[1])
    assert (r, s, parity) == (mine.r, mine.s, mine.v - 27)


def test_types_are_told_with_all_that_they_need() -> None:
    types = {
        "Transaction": [("Person", "from"), ("Person", "to"), ("Asset", "tx")],
        "Asset": [("address", "token"), ("uint256", "amount")],
        "Person": [("address", "wallet"), ("string", "name")],
    }
    assert type_text("Transaction", types) == (
        "Transaction(Person from,Person to,Asset tx)"
        "Asset(address token,uint256 amount)Person(address wallet,string name)"
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint256", -1),
        ("uint256", 2**256),
        ("uint256", True),
        ("int8", 128),
        ("uint7", 1),
        ("bool", 1),
        ("address", "0x12"),
        ("bytes4", b"123"),
        ("bytes33", b"1" * 33),
        ("string", b"bytes"),
        ("uint256[2]", [1]),
        ("Unknown", 1),
    ],
)
def test_what_is_not_of_its_type_is_not_signed(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        struct_hash("One", {"One": [(kind, "member")]}, {"member": value})


def test_a_message_has_all_members_and_no_other() -> None:
    types = {"One": [("uint256", "a"), ("uint256", "b")]}
    for message in ({"a": 1}, {"a": 1, "b": 2, "c": 3}):
        with pytest.raises(ValueError, match="has"):
            struct_hash("One", types, message)
