"""Fees, mints, reasons and base58: pure parts against others' code and hand-made bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.token.associated import get_associated_token_address
from solders.token.state import Mint, TokenAccount, TokenAccountState

from chains.solana import base58, fees, instructions, mints, programs, reasons
from core.errors import Reason

ME, OTHER = Pubkey(bytes(range(32))), Pubkey(bytes(range(1, 33)))


# --- fees -----------------------------------------------------------------------------------


def test_fees_are_what_the_chain_computes() -> None:
    assert fees.total(1, 450, 1_000_000) == 5_450
    assert fees.total(2, 1, 1) == 10_001  # a part of a lamport is a lamport
    assert fees.total(1, 1_400_000, 0) == 5_000


@given(st.integers(0, 1_400_000), st.integers(0, 10**9))
def test_a_message_says_its_fee(units: int, price: int) -> None:
    pair = Keypair()
    steps = [
        set_compute_unit_price(price),
        set_compute_unit_limit(units),
        transfer(TransferParams(from_pubkey=pair.pubkey(), to_pubkey=ME, lamports=1)),
    ]
    message = MessageV0.try_compile(pair.pubkey(), steps, [], Hash.default())
    assert fees.of_message(message) == fees.total(1, units, price)
    assert fees.price_of(message) == price


def test_prices_are_percentiles_with_a_ceiling() -> None:
    recent = [0] * 50 + list(range(1, 51))
    prices = [fees.unit_price(recent, strategy) for strategy in ("slow", "normal", "fast")]
    assert prices == [0, 10, 40]
    assert fees.unit_price([], "fast") == 0
    assert fees.unit_price([10**15] * 5, "slow") == 10_000_000
    assert set(fees.strategies()) == {"slow", "normal", "fast"}


@given(st.integers(0, 2_000_000))
def test_unit_limits_leave_room_and_keep_the_maximum(consumed: int) -> None:
    limit = fees.unit_limit(consumed)
    assert limit <= programs.MAX_COMPUTE_UNITS
    assert limit >= min(consumed + 500, programs.MAX_COMPUTE_UNITS)


# --- mints ----------------------------------------------------------------------------------


def mint_bytes(decimals: int = 6, supply: int = 10**15) -> bytes:
    return bytes(Mint(ME, supply, decimals, is_initialized=True))


def test_mints_and_accounts_as_solders_writes_them() -> None:
    found = mints.parse_mint(programs.TOKEN, mint_bytes())
    assert found == mints.Mint(programs.TOKEN, 6, 10**15)
    for state, frozen in ((TokenAccountState.Initialized, False), (TokenAccountState.Frozen, True)):
        account = TokenAccount(ME, OTHER, (1 << 64) - 1, None, state, None, 0)
        held = mints.parse_holding(programs.TOKEN, bytes(account))
        assert held == mints.Holding(str(ME), str(OTHER), (1 << 64) - 1, frozen)


def test_other_accounts_are_neither() -> None:
    mint = mint_bytes()
    account = bytes(TokenAccount(ME, OTHER, 1, None, TokenAccountState.Initialized, None, 0))
    empty = bytes(165)
    assert mints.parse_mint(programs.SYSTEM, mint) is None
    assert mints.parse_holding(programs.SYSTEM, account) is None
    for data in (b"", account, empty, mint[:-1], mint + b"\0", bytes(82)):
        assert mints.parse_mint(programs.TOKEN_2022, data) is None
    for data in (b"", mint, empty, account[:-1], account + b"\1"):
        assert mints.parse_holding(programs.TOKEN_2022, data) is None
    padded = mint + bytes(165 - 82) + b"\1"
    assert mints.parse_mint(programs.TOKEN_2022, padded) is not None
    assert mints.parse_holding(programs.TOKEN_2022, padded) is None
    assert mints.parse_holding(programs.TOKEN_2022, account + b"\2") is not None


def text(value: bytes) -> bytes:
    return len(value).to_bytes(4, "little") + value


def extension(kind: int, body: bytes) -> bytes:
    return kind.to_bytes(2, "little") + len(body).to_bytes(2, "little") + body


def test_metadata_in_the_mint_itself() -> None:
    body = bytes(ME) + bytes(OTHER) + text(b"PayPal USD") + text(b"PYUSD") + text(b"https://x")
    data = mint_bytes() + bytes(83) + b"\1" + extension(3, bytes(32)) + extension(19, body)
    assert mints.metadata_extension(data) == mints.Metadata("PayPal USD", "PYUSD")
    assert mints.metadata_extension(mint_bytes()) is None
    assert mints.metadata_extension(data[:-200]) is None


def test_metadata_of_metaplex() -> None:
    name, symbol = b"USD Coin".ljust(32, b"\0"), b"USDC".ljust(10, b"\0")
    data = b"\4" + bytes(ME) + bytes(OTHER) + text(name) + text(symbol) + bytes(300)
    assert mints.metaplex_metadata(data) == mints.Metadata("USD Coin", "USDC")
    assert mints.metaplex_metadata(b"\1" + data[1:]) is None
    hostile = b"\4" + bytes(64) + text(b"\x1b[2J\n" + b"x" * 500) + text("\u202eCDSU".encode())
    found = mints.metaplex_metadata(hostile)
    assert found is not None
    assert found.name.isprintable()
    assert len(found.name) <= 64
    assert found.symbol == "CDSU"


@given(st.binary(max_size=400), st.sampled_from(mints.PROGRAMS))
def test_no_bytes_make_a_parser_fail(data: bytes, program: str) -> None:
    mints.parse_mint(program, data)
    mints.parse_holding(program, data)
    mints.metadata_extension(data)
    mints.metaplex_metadata(b"\4" + data)


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_associated_accounts_are_solders(owner: bytes, mint: bytes) -> None:
    for program in mints.PROGRAMS:
        keys = Pubkey(owner), Pubkey(mint), Pubkey.from_string(program)
        assert instructions.associated_account(*keys) == get_associated_token_address(*keys)


# --- reasons --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("BlockhashNotFound", "Blockhash not found"),
        ("AccountInUse", "AccountInUse"),
        ({"InsufficientFundsForRent": {"account_index": 1}}, "insufficient funds for rent"),
        ({"InstructionError": [0, {"Custom": 1}]}, "Instruction 0: custom program error: 0x1"),
        ({"InstructionError": [3, "InvalidAccountData"]}, "Instruction 3: InvalidAccountData"),
        ({"InstructionError": [3, {"BorshIoError": "x"}]}, "BorshIoError"),
        ({"DuplicateInstruction": 4}, "DuplicateInstruction"),
        ({"InstructionError": "odd"}, "InstructionError"),
        ({"InsufficientFundsForRent": 7}, "InsufficientFundsForRent"),
        ({"a": 1, "b": 2}, "'a': 1"),
        (7, "7"),
        ([], "[]"),
    ],
)
def test_errors_in_words(error: object, said: str) -> None:
    assert said in reasons.words(error)


def test_refusals_tell_what_is_missing() -> None:
    custom = {"InstructionError": [1, {"Custom": 1}]}
    logs = ["Program log: Error: insufficient funds", "Program X failed: custom program error: 0x1"]
    assert reasons.simulation_refusal(custom, logs).reason is Reason.INSUFFICIENT_BALANCE
    assert reasons.simulation_refusal("AccountNotFound", None).reason is Reason.INSUFFICIENT_BALANCE
    other = reasons.simulation_refusal(custom, ["Program log: Error: too late"])
    assert other.reason is Reason.SIMULATION_FAILED
    assert "too late" in other.message
    rent = reasons.simulation_refusal({"InsufficientFundsForRent": {"account_index": 1}}, [])
    assert "rent-exempt" in rent.message


# --- base58 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["0", "O", "I", "l", " ", "é", "1" * 200, "+"])
def test_what_is_not_base58_is_refused_without_being_repeated(bad: str) -> None:
    with pytest.raises(ValueError, match=r"base58") as refused:
        base58.decode("abc" + bad)
    assert "abc" not in str(refused.value)
