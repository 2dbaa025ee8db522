"""The local node in front of a stock client: `solana` from PyPI, whose parsers are the validator's
own types. It asks for everything that a bot or a wallet asks for, with its default settings."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus

from chains.solana import instructions, programs
from chains.solana.localnet import genesis
from tests.support.solana import Lab, lab

async_api = pytest.importorskip(
    "solana.rpc.async_api", reason="the stock client is not installed: pip install solana==0.41.0"
)
RPCException = pytest.importorskip("solana.rpc.core").RPCException
_models = pytest.importorskip("solana.rpc.models")
TokenAccountOpts, TxOpts = _models.TokenAccountOpts, _models.TxOpts

pytestmark = pytest.mark.solana
USDC, T22 = genesis.USDC, genesis.NEW
CONFIRMED = TransactionConfirmationStatus.Confirmed


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


@pytest.fixture
async def client(here: Lab) -> AsyncIterator[Any]:
    async with async_api.AsyncClient(here.url) as made:
        yield made


async def signed(here: Lab, client: Any, to: Pubkey, lamports: int) -> VersionedTransaction:
    blockhash = (await client.get_latest_blockhash()).value.blockhash
    payer = here.signer.pair
    step = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
    return VersionedTransaction(
        MessageV0.try_compile(payer.pubkey(), [step], [], blockhash), [payer]
    )


async def test_the_cluster(here: Lab, client: Any) -> None:
    assert await client.is_connected()
    assert (await client.get_version()).value.solana_core
    assert (await client.get_genesis_hash()).value == here.chain.genesis
    slots = [(await client.get_slot(c)).value for c in ("processed", "confirmed", "finalized")]
    assert [slots[0] - slot for slot in slots] == [0, 1, 32]
    height = (await client.get_block_height("processed")).value
    assert height < slots[0]
    info = (await client.get_epoch_info("processed")).value
    assert (info.absolute_slot, info.block_height) == (slots[0], height)
    latest = (await client.get_latest_blockhash("processed")).value
    assert latest.last_valid_block_height == height + 150
    assert (await client.get_first_available_block()).value == 0
    assert (await client.get_minimum_ledger_slot()).value == 0
    assert (await client.get_block_time(slots[0])).value == here.clock.now() // 10**9
    assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
    assert len((await client.get_recent_prioritization_fees()).value) == 150
    assert (await client.get_transaction_count()).value > 0


async def test_accounts(here: Lab, client: Any) -> None:
    me = here.signer.pair.pubkey()
    assert (await client.get_balance(me)).value == 100 * 10**9
    assert (await client.get_balance(Pubkey.new_unique())).value == 0
    account = (await client.get_account_info(me)).value
    assert (account.lamports, str(account.owner)) == (100 * 10**9, programs.SYSTEM)
    assert (await client.get_account_info(Pubkey.new_unique())).value is None
    mint = (await client.get_account_info_json_parsed(USDC.address)).value
    assert mint.data.program == "spl-token"
    assert mint.data.parsed["info"]["decimals"] == 6
    several = (await client.get_multiple_accounts([me, Pubkey.new_unique(), USDC.address])).value
    assert [account is None for account in several] == [False, True, False]
    parsed = (await client.get_multiple_accounts_json_parsed([USDC.address, me])).value
    assert parsed[0].data.parsed["type"] == "mint"


@pytest.mark.parametrize("token", [USDC, T22], ids=["token", "token-2022"])
async def test_tokens(here: Lab, client: Any, token: genesis.TestToken) -> None:
    me = here.signer.pair.pubkey()
    for options in (
        TokenAccountOpts(mint=token.address),
        TokenAccountOpts(program_id=token.program),
    ):
        [plain] = (await client.get_token_accounts_by_owner(me, options)).value
        [parsed] = (await client.get_token_accounts_by_owner_json_parsed(me, options)).value
        assert plain.pubkey == parsed.pubkey
        info = parsed.account.data.parsed["info"]
        assert info["owner"] == str(me)
        assert info["tokenAmount"]["uiAmountString"] == "10000"
    balance = (await client.get_token_account_balance(plain.pubkey)).value
    assert (balance.amount, balance.decimals) == (str(10_000 * 10**token.decimals), token.decimals)
    supply = (await client.get_token_supply(token.address)).value
    assert supply.ui_amount_string == "10000"
    with pytest.raises(RPCException, match="could not find account"):
        await client.get_token_account_balance(me)


async def test_a_transaction_from_signing_to_finality(here: Lab, client: Any) -> None:
    to = Keypair().pubkey()
    transaction = await signed(here, client, to, 10**9)
    fee = await client.get_fee_for_message(transaction.message)
    assert fee.value == 5_000
    simulated = (await client.simulate_transaction(transaction, sig_verify=True)).value
    assert simulated.err is None
    assert simulated.units_consumed == 150
    sent = (await client.send_transaction(transaction)).value
    assert sent == transaction.signatures[0]
    status = (await client.get_signature_statuses([sent])).value[0]
    assert status.confirmation_status == TransactionConfirmationStatus.Processed
    assert (await client.get_transaction(sent, max_supported_transaction_version=0)).value is None
    here.blocks(1)
    confirmed = await client.confirm_transaction(sent, "confirmed", sleep_seconds=0.01)
    assert confirmed.value[0].confirmation_status == CONFIRMED
    here.blocks(32)
    await client.confirm_transaction(sent, "finalized", sleep_seconds=0.01)
    for encoding in ("json", "jsonParsed", "base64", "base58"):
        found = (
            await client.get_transaction(sent, encoding, max_supported_transaction_version=0)
        ).value
        meta = found.transaction.meta
        assert (meta.err, meta.fee) == (None, 5_000)
        assert meta.pre_balances[0] - meta.post_balances[0] == 10**9 + 5_000
        assert meta.log_messages
    decoded = found.transaction.transaction
    assert bytes(decoded) == bytes(transaction)
    with pytest.raises(RPCException, match="maxSupportedTransactionVersion"):
        await client.get_transaction(sent)


async def test_a_legacy_transaction_and_one_with_inner_instructions(here: Lab, client: Any) -> None:
    payer, to = here.signer.pair, Keypair().pubkey()
    steps = [
        instructions.create_associated(payer.pubkey(), to, USDC.address, USDC.program),
        instructions.transfer_checked(
            instructions.associated_account(payer.pubkey(), USDC.address, USDC.program),
            USDC.address,
            instructions.associated_account(to, USDC.address, USDC.program),
            payer.pubkey(),
            USDC.program,
            5,
            6,
        ),
    ]
    blockhash = (await client.get_latest_blockhash()).value.blockhash
    message = Message.new_with_blockhash(steps, payer.pubkey(), blockhash)
    transaction = Transaction([payer], message, blockhash)
    sent = (await client.send_raw_transaction(bytes(transaction))).value
    here.blocks(33)
    for encoding in ("json", "jsonParsed"):
        found = (await client.get_transaction(sent, encoding)).value
        meta = found.transaction.meta
        assert meta.inner_instructions
        before = {b.owner: b.ui_token_amount.amount for b in meta.pre_token_balances}
        after = {b.owner: b.ui_token_amount.amount for b in meta.post_token_balances}
        assert to not in before
        assert after[to] == "5"
        assert int(before[payer.pubkey()]) - int(after[payer.pubkey()]) == 5


async def test_failures_are_said_as_a_node_says_them(here: Lab, client: Any) -> None:
    to = Keypair().pubkey()
    too_much = await signed(here, client, to, 10**15)
    with pytest.raises(RPCException, match="custom program error: 0x1") as failed:
        await client.send_transaction(too_much)
    preflight = failed.value.args[0]
    assert preflight.data.err.index == 0
    assert any("insufficient lamports" in line for line in preflight.data.logs)
    # Without preflight it is included, fails there, and pays.
    before = here.lamports(here.address)
    sent = (await client.send_transaction(too_much, TxOpts(skip_preflight=True))).value
    assert here.lamports(here.address) == before - 5_000
    assert (await client.get_signature_statuses([sent])).value[0].err is not None

    good = await signed(here, client, to, 10**9)
    forged = VersionedTransaction.populate(good.message, [Signature.new_unique()])
    with pytest.raises(RPCException, match="SignatureVerificationFailure"):
        await client.send_transaction(forged)
    await client.send_transaction(forged, TxOpts(skip_preflight=True))
    assert here.lamports(str(to)) == 0

    await client.send_transaction(good)
    with pytest.raises(RPCException, match="already been processed"):
        await client.send_transaction(good)
    await client.send_transaction(good, TxOpts(skip_preflight=True))
    assert here.lamports(str(to)) == 10**9


async def test_blockhashes_expire(here: Lab, client: Any) -> None:
    to = Keypair().pubkey()
    latest = (await client.get_latest_blockhash("processed")).value.blockhash
    payer = here.signer.pair
    step = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=10**9))
    early = VersionedTransaction(MessageV0.try_compile(payer.pubkey(), [step], [], latest), [payer])
    here.blocks(150)
    simulated = (await client.simulate_transaction(early)).value
    assert simulated.err is None
    here.blocks(1)
    with pytest.raises(RPCException, match="Blockhash not found"):
        await client.send_transaction(early)
    await client.send_transaction(early, TxOpts(skip_preflight=True))
    assert here.lamports(str(to)) == 0
    unknown = VersionedTransaction(
        MessageV0.try_compile(payer.pubkey(), [step], [], Hash.new_unique()), [payer]
    )
    replaced = (await client.simulate_transaction(unknown, replace_recent_blockhash=True)).value
    assert replaced.err is None
    assert replaced.replacement_blockhash.last_valid_block_height > 0


async def test_airdrops_are_transactions(here: Lab, client: Any) -> None:
    to = Keypair().pubkey()
    sent = [(await client.request_airdrop(to, 10**9)).value for _ in range(3)]
    assert len(set(sent)) == 3
    assert here.lamports(str(to)) == 3 * 10**9
    here.blocks(1)
    found = await client.get_transaction(
        sent[0], "base64", "confirmed", max_supported_transaction_version=0
    )
    assert found.value.transaction.meta.err is None


async def test_simulated_accounts_come_as_they_would_be(here: Lab, client: Any) -> None:
    to = Keypair().pubkey()
    transaction = await signed(here, client, to, 10**9)
    simulated = (
        await client.simulate_transaction(transaction, accounts_addresses=[to, USDC.address])
    ).value
    assert simulated.accounts[0].lamports == 10**9
    assert base64.b64encode(simulated.accounts[1].data)
    assert here.lamports(str(to)) == 0
