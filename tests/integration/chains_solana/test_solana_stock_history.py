"""The local node in front of the stock client `solana`: history, scans, extensions of Token-2022,
lookup tables, and what a cluster is asked for besides."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateLookupTableParams,
    ExtendLookupTableParams,
    TransferParams,
    create_lookup_table,
    extend_lookup_table,
    transfer,
)
from solders.transaction import VersionedTransaction

from chains.solana import instructions, programs
from chains.solana.localnet import genesis
from core.ports import FeeOptions
from tests.support import solana_mints
from tests.support.solana import INFO, USDC, Lab, lab

async_api = pytest.importorskip(
    "solana.rpc.async_api", reason="the stock client is not installed: pip install solana==0.41.0"
)
RPCException = pytest.importorskip("solana.rpc.core").RPCException
models = pytest.importorskip("solana.rpc.models")

pytestmark = pytest.mark.solana
TOKEN, TOKEN_2022 = (Pubkey.from_string(one) for one in (programs.TOKEN, programs.TOKEN_2022))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


@pytest.fixture
async def client(here: Lab) -> AsyncIterator[Any]:
    async with async_api.AsyncClient(here.url) as made:
        yield made


async def send(here: Lab, client: Any, *steps: Instruction, tables: Any = ()) -> Any:
    payer = here.signer.pair
    blockhash = (await client.get_latest_blockhash("confirmed")).value.blockhash
    message = MessageV0.try_compile(payer.pubkey(), list(steps), list(tables), blockhash)
    transaction = VersionedTransaction(message, [payer])
    options = models.TxOpts(preflight_commitment="confirmed")
    sent = (await client.send_transaction(transaction, options)).value
    here.blocks(1)
    return sent


def coins(here: Lab, to: Pubkey, lamports: int = 10**9) -> Instruction:
    me = here.signer.pair.pubkey()
    return transfer(TransferParams(from_pubkey=me, to_pubkey=to, lamports=lamports))


async def test_the_history_of_an_address(here: Lab, client: Any) -> None:
    to, me = Keypair().pubkey(), here.signer.pair.pubkey()
    sent = [await send(here, client, coins(here, to, 10**9 + i)) for i in range(5)]
    noted = await send(here, client, instructions.memo(me, "für dich"), coins(here, to))
    failed = (
        await client.send_raw_transaction(
            bytes(await unfunded(here, client, to)), models.TxOpts(skip_preflight=True)
        )
    ).value
    here.blocks(1)
    found = (await client.get_signatures_for_address(to, commitment="confirmed")).value
    assert [one.signature for one in found] == [failed, noted, *reversed(sent)]
    assert [one.err is None for one in found] == [False, *[True] * 6]
    assert found[1].memo == "[9] für dich"
    assert found[2].memo is None
    assert len({one.slot for one in found}) == 7
    page = (
        await client.get_signatures_for_address(
            to, before=sent[4], until=sent[1], limit=9, commitment="confirmed"
        )
    ).value
    assert [one.signature for one in page] == [sent[3], sent[2]]
    final = (await client.get_signatures_for_address(to)).value
    assert final == []
    here.blocks(40)
    assert len((await client.get_signatures_for_address(to, limit=3)).value) == 3
    with pytest.raises(RPCException, match="Invalid limit"):
        await client.get_signatures_for_address(to, limit=1_001)


async def unfunded(here: Lab, client: Any, to: Pubkey) -> VersionedTransaction:
    payer = here.signer.pair
    blockhash = (await client.get_latest_blockhash("confirmed")).value.blockhash
    message = MessageV0.try_compile(payer.pubkey(), [coins(here, to, 10**15)], [], blockhash)
    return VersionedTransaction(message, [payer])


async def test_blocks(here: Lab, client: Any) -> None:
    here.blocks(2)
    sent = await send(here, client, coins(here, Keypair().pubkey()))
    [status] = (await client.get_signature_statuses([sent])).value
    here.blocks(40)
    for encoding in ("json", "jsonParsed", "base64"):
        block = (
            await client.get_block(status.slot, encoding, max_supported_transaction_version=0)
        ).value
        assert len(block.transactions) == 1
        assert block.transactions[0].meta.err is None
    assert block.parent_slot == status.slot - 1
    before = (await client.get_block(status.slot - 1, max_supported_transaction_version=0)).value
    assert (before.blockhash, before.transactions) == (block.previous_blockhash, [])
    assert before.block_height == block.block_height - 1
    top = (await client.get_slot()).value
    assert (await client.get_blocks(status.slot, status.slot + 3)).value == [
        status.slot + i for i in range(4)
    ]
    assert (await client.get_blocks(top)).value == [top]
    with pytest.raises(RPCException, match="not available"):
        await client.get_block(top + 1)
    with pytest.raises(RPCException, match="skipped"):
        await client.get_block(5)


async def test_accounts_of_programs(here: Lab, client: Any) -> None:
    me = here.signer.pair.pubkey()
    owned_by_me = models.MemcmpOpts(offset=32, bytes=str(me))
    found = (await client.get_program_accounts(TOKEN, filters=[165, owned_by_me])).value
    assert [str(one.account.owner) for one in found] == [programs.TOKEN]
    assert found[0].pubkey == instructions.associated_account(me, genesis.USDC.address, TOKEN)
    cut = models.DataSliceOpts(offset=64, length=8)
    [sliced] = (
        await client.get_program_accounts(
            TOKEN, encoding="base64", data_slice=cut, filters=[165, owned_by_me]
        )
    ).value
    assert int.from_bytes(sliced.account.data, "little") == 10_000 * 10**6
    parsed = (await client.get_program_accounts_json_parsed(TOKEN, filters=[82])).value
    assert {one.account.data.parsed["type"] for one in parsed} == {"mint"}
    assert (await client.get_program_accounts(Keypair().pubkey())).value == []
    [largest] = (await client.get_token_largest_accounts(genesis.USDC.address)).value
    assert (largest.address, largest.amount.ui_amount_string) == (found[0].pubkey, "10000")
    options = models.TokenAccountOpts(program_id=TOKEN)
    assert (await client.get_token_accounts_by_delegate(me, options)).value == []


async def test_extensions_of_token_2022(here: Lab, client: Any) -> None:
    """A token that withholds a fee: sent by us, read by the stock client."""
    token = solana_mints.mint(here.chain, "fee", decimals=9)
    solana_mints.give(here.chain, here.address, token, 10**12)
    to = Keypair().pubkey()
    network = here.network()
    sent = await network.transfer(here.address, str(to), token, 100_000, "i", FeeOptions())
    account = solana_mints.account(str(to), token)
    balance = (await client.get_token_account_balance(account)).value
    assert (balance.amount, balance.decimals) == (sent.details["units_received"], 9)
    mint = (await client.get_account_info_json_parsed(Pubkey.from_string(token.address))).value
    assert mint.data.program == "spl-token-2022"
    assert mint.data.parsed["info"]["decimals"] == 9
    supply = (await client.get_token_supply(Pubkey.from_string(token.address))).value
    assert supply.amount == str(10**12)
    mine = models.TokenAccountOpts(program_id=TOKEN_2022)
    held = (await client.get_token_accounts_by_owner(to, mine)).value
    assert [one.pubkey for one in held] == [account]
    assert len(held[0].account.data) > 165
    largest = (await client.get_token_largest_accounts(Pubkey.from_string(token.address))).value
    assert len(largest) == 2


async def test_lookup_tables(here: Lab, client: Any) -> None:
    me = here.signer.pair.pubkey()
    here.blocks(1)
    [(recent, _)] = here.chain.slots.hashes(1)
    make, table = create_lookup_table(
        CreateLookupTableParams(authority_address=me, payer_address=me, recent_slot=recent)
    )
    receivers = [Keypair().pubkey() for _ in range(20)]
    extend = extend_lookup_table(
        ExtendLookupTableParams(
            lookup_table_address=table,
            authority_address=me,
            payer_address=me,
            new_addresses=receivers,
        )
    )
    await send(here, client, make, extend)
    here.blocks(1)
    read = (await client.get_account_info(table)).value
    assert str(read.owner) == programs.LOOKUP_TABLE
    assert bytes(read.data)[56:88] == bytes(receivers[0])
    known = AddressLookupTableAccount(table, receivers)
    steps = [coins(here, to, 10**8) for to in receivers]
    sent = await send(here, client, *steps, tables=[known])
    here.blocks(40)
    for encoding in ("json", "jsonParsed", "base64"):
        found = (
            await client.get_transaction(sent, encoding, max_supported_transaction_version=0)
        ).value
        meta = found.transaction.meta
        assert meta.err is None
        assert len(meta.post_balances) == 22  # payer, system program, and those of the table
    history = (await client.get_signatures_for_address(receivers[7])).value
    assert [one.signature for one in history] == [sent]
    # What it reads of the table is a lookup table for us too.
    mine = await here.network().lookup_table(str(table))
    assert list(mine.addresses) == receivers


async def test_what_a_cluster_is_asked_for_besides(here: Lab, client: Any) -> None:
    schedule = (await client.get_epoch_schedule()).value
    assert schedule.slots_per_epoch == 432_000
    identity = (await client.get_identity()).value
    assert (await client.get_slot_leader()).value == identity.identity
    assert (await client.get_slot_leaders(10_500, 3)).value == [identity.identity] * 3
    assert (await client.get_vote_accounts()).value.current == []
    [node] = (await client.get_cluster_nodes()).value
    assert node.pubkey == identity.identity
    supply = (await client.get_supply()).value
    assert supply.total > 100 * 10**9
    largest = (await client.get_largest_accounts()).value
    assert largest[0].lamports >= largest[-1].lamports
    [sample] = (await client.get_recent_performance_samples(1)).value
    assert sample.num_slots == 150


async def test_ours_and_the_stock_client_agree(here: Lab, client: Any) -> None:
    network, me = here.network(), here.signer.pair.pubkey()
    sent = await network.transfer(
        here.address, str(Keypair().pubkey()), USDC, 77, "i", FeeOptions()
    )
    await network.wrap(here.address, 10**9, "w", FeeOptions())
    here.blocks(40)
    await network.poll()
    coin, usdc = await network.balances(here.address, [INFO.native, USDC])
    assert coin.units == (await client.get_balance(me)).value
    account = instructions.associated_account(me, genesis.USDC.address, TOKEN)
    assert str(usdc.units) == (await client.get_token_account_balance(account)).value.amount
    ours = await network.transaction(sent.hash)
    theirs = (await client.get_signature_statuses([sent_signature(sent.hash)])).value[0]
    assert (ours.block, ours.succeeded) == (theirs.slot, theirs.err is None)


def sent_signature(hash: str) -> Any:
    from solders.signature import Signature

    return Signature.from_string(hash)
