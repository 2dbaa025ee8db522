"""Tokens that are more than a number: Token-2022's extensions, receivers that nobody owns, memos;
against the real programs."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana import instructions, programs
from core.errors import Reason, Refused
from core.ports import FeeOptions
from core.tokens import Token
from core.transactions import TransactionStatus
from tests.support import solana_mints as made
from tests.support.solana import INFO, USDC, Lab, lab

pytestmark = pytest.mark.solana
SOL = INFO.native
FEES = FeeOptions()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as started:
        yield started


def somebody() -> str:
    return str(Keypair().pubkey())


async def refusal(here: Lab, to: str, token: Token, units: int = 100) -> Refused:
    signed = here.signer.signed
    with pytest.raises(Refused) as refused:
        await here.network().transfer(here.address, to, token, units, f"{to}/{units}", FEES)
    assert here.signer.signed == signed
    return refused.value


@pytest.mark.parametrize(
    ("units", "fee"), [(1, 1), (40, 1), (41, 2), (100_000, 2_500), (10**6, 5_000)]
)
async def test_a_token_that_withholds_a_fee_says_what_arrives(
    here: Lab, units: int, fee: int
) -> None:
    token, to = made.mint(here.chain, "fee"), somebody()
    made.give(here.chain, here.address, token, 10**9)
    network = here.network()
    sent = await network.transfer(here.address, to, token, units, "i", FEES)
    assert (sent.details["token_fee"], sent.details["units_received"]) == (
        str(fee),
        str(units - fee),
    )
    assert sent.details["creates_account"] == str(made.account(to, token))
    [mine], [theirs] = (
        await network.balances(here.address, [token]),
        await network.balances(to, [token]),
    )
    assert (mine.units, theirs.units) == (10**9 - units, units - fee)
    again = await network.transfer(here.address, to, token, units, "j", FEES)
    assert "creates_account" not in again.details
    assert again.hash != sent.hash


async def test_a_fee_that_changes_is_paid_as_it_is_then(here: Lab) -> None:
    """A change of the fee begins two epochs later; until then the old one holds."""
    token = made.mint(here.chain, "fee")
    made.give(here.chain, here.address, token, 10**9)
    dearer = bytes([26, 5]) + (10_000).to_bytes(2, "little") + (10**9).to_bytes(8, "little")
    made.authority(here.chain, dearer, Pubkey.from_string(token.address))
    network = here.network()
    sent = await network.transfer(here.address, somebody(), token, 1_000, "i", FEES)
    assert sent.details["token_fee"] == "25"
    here.blocks(3 * 432_000)
    sent = await network.transfer(here.address, somebody(), token, 1_000, "j", FEES)
    assert sent.details["token_fee"] == "1000"


async def test_tokens_that_cannot_be_sent_say_why(here: Lab) -> None:
    bound = made.mint(here.chain, "non_transferable")
    made.give(here.chain, here.address, bound, 1_000)
    refused = await refusal(here, somebody(), bound)
    assert refused.reason is Reason.SIMULATION_FAILED
    assert "non-transferable" in refused.message

    hooked = made.mint(here.chain, "hook")
    made.give(here.chain, here.address, hooked, 1_000)
    refused = await refusal(here, somebody(), hooked)
    assert refused.reason is Reason.UNSUPPORTED_BY_VENUE
    assert "transfer hook" in refused.message
    assert refused.metadata["program"] == str(Pubkey(bytes(range(1, 33))))


async def test_what_its_issuer_has_stopped_says_so(here: Lab) -> None:
    token = made.mint(here.chain, "pausable")
    mine = made.give(here.chain, here.address, token, 1_000)
    key, to = Pubkey.from_string(token.address), somebody()
    network = here.network()
    await network.transfer(here.address, to, token, 1, "first", FEES)
    made.authority(here.chain, bytes([44, 1]), key)
    assert "paused" in (await refusal(here, to, token)).message
    made.authority(here.chain, bytes([44, 2]), key)
    theirs = made.account(to, token)
    made.authority(here.chain, bytes([10]), theirs, key)
    assert "receiver's account" in (await refusal(here, to, token)).message
    made.authority(here.chain, bytes([11]), theirs, key)
    made.authority(here.chain, bytes([10]), mine, key)
    assert "sender's account" in (await refusal(here, to, token)).message
    [balance] = await network.balances(here.address, [token])
    assert (balance.units, balance.available) == (999, Decimal(0))


async def test_a_token_that_starts_frozen_needs_its_issuer(here: Lab) -> None:
    token, to = made.mint(here.chain, "frozen"), somebody()
    key = Pubkey.from_string(token.address)
    mine = made.open_account(here.chain, here.address, token)
    made.authority(here.chain, bytes([11]), mine, key)
    made.give(here.chain, here.address, token, 1_000)
    assert "until its issuer admits" in (await refusal(here, to, token)).message
    theirs = made.open_account(here.chain, to, token)
    made.authority(here.chain, bytes([11]), theirs, key)
    await here.network().transfer(here.address, to, token, 7, "admitted", FEES)
    [balance] = await here.network().balances(to, [token])
    assert balance.units == 7


async def test_a_receiver_that_asks_for_memos_gets_one(here: Lab) -> None:
    token, receiver = made.mint(here.chain, "fee"), Keypair()
    to = str(receiver.pubkey())
    made.give(here.chain, here.address, token, 10**6)
    made.open_account(here.chain, to, token)
    made.ask_for_memos(here.chain, receiver, token)
    refused = await refusal(here, to, token)
    assert (refused.reason, refused.metadata) == (Reason.FIELD_REQUIRED, {"field": "memo"})
    network = here.network()
    sent = await network.transfer_with_memo(
        here.address, to, token, 1_000, "i", FEES, "deposit 4711"
    )
    assert sent.details["memo"] == "deposit 4711"
    [balance] = await network.balances(to, [token])
    assert balance.units == 975
    for wrong in ("x" * 257, "ü" * 129, "a\nb"):
        with pytest.raises(Refused) as refused_memo:
            await network.transfer_with_memo(here.address, to, SOL, 10**9, wrong, FEES, wrong)
        assert refused_memo.value.metadata == {"field": "memo"}
    coins = await network.transfer_with_memo(here.address, to, SOL, 10**9, "c", FEES, "für dich")
    here.blocks(40)
    await network.poll()
    assert (await network.transaction(coins.hash)).status is TransactionStatus.FINAL
    assert "für dich".encode() in coins.raw


async def test_a_receiver_without_a_key_gets_nothing(here: Lab) -> None:
    program = Pubkey.from_string(programs.TOKEN_2022)
    vault, _ = Pubkey.find_program_address([b"vault"], program)
    refused = await refusal(here, str(vault), USDC)
    assert refused.reason is Reason.FIELD_INVALID
    assert "off the curve" in refused.message
    assert "off the curve" in (await refusal(here, str(vault), SOL, 10**9)).message
    # A vault that its program has prepared may be paid.
    mint = Pubkey.from_string(USDC.address)
    token_program = Pubkey.from_string(programs.TOKEN)
    payer = made.FAUCET.pubkey()
    made.run(
        here.chain,
        [instructions.create_associated(payer, vault, mint, token_program)],
        [made.FAUCET],
    )
    await here.network().transfer(here.address, str(vault), USDC, 5, "vault", FEES)
    made.put(here.chain, vault, programs.SYSTEM)
    await here.network().transfer(here.address, str(vault), SOL, 5, "coins", FEES)
    mine = instructions.associated_account(here.signer.pair.pubkey(), mint, token_program)
    assert "token account" in (await refusal(here, str(mine), SOL)).message
    assert "program" in (await refusal(here, programs.TOKEN, SOL)).message


async def test_a_wallet_that_never_held_the_token_is_told_so(here: Lab) -> None:
    token = made.mint(here.chain, "fee")
    refused = await refusal(here, somebody(), token)
    assert refused.reason is Reason.INSUFFICIENT_BALANCE
    assert refused.metadata == {"asset": "FEE", "available": "0", "needed": "0.0001"}


async def test_an_intent_is_answered_whatever_its_accounts_are_like_by_now(here: Lab) -> None:
    network, to = here.network(), somebody()
    everything = 10_000 * 10**6
    sent = await network.transfer(here.address, to, USDC, everything, "all", FEES)
    again = await network.transfer(here.address, to, USDC, everything, "all", FEES)
    assert again.hash == sent.hash
    assert here.signer.signed == 1


async def test_equal_intents_have_an_effect_each(here: Lab) -> None:
    """Their bytes would be the same, and so the signature: the chain would include one of them."""
    network, to = here.network(), somebody()
    for number in range(16):
        await network.transfer(here.address, to, SOL, 10**9, f"s{number}", FEES)
    # A daemon that starts anew within the life of the blockhash has no memory of its own.
    other = here.network()
    for number in range(4):
        await other.transfer(here.address, to, SOL, 10**9, f"t{number}", FEES)
    await other.transfer(here.address, to, USDC, 1, "u1", FEES)
    await other.transfer(here.address, to, USDC, 1, "u2", FEES)
    here.blocks(40)
    for one in (network, other):
        await one.poll()
    assert here.lamports(to) == 20 * 10**9
    [held] = await network.balances(to, [USDC])
    assert held.units == 2
    assert len({t.hash for t in here.log.latest().values()}) == 22
    assert {t.status for t in here.log.latest().values()} == {TransactionStatus.FINAL}
