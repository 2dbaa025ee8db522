"""The local node's websocket in front of the stock client's: `solana.rpc.websocket_api`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from chains.solana import instructions, programs
from chains.solana.localnet import genesis
from tests.support.solana import Lab, lab

websocket_api = pytest.importorskip(
    "solana.rpc.websocket_api", reason="the stock client is not installed: pip install solana"
)
JsonRpcError = pytest.importorskip("solana.rpc.jsonrpc").SolanaJsonRpcError

pytestmark = pytest.mark.solana


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


@pytest.fixture
async def socket(here: Lab) -> AsyncIterator[Any]:
    async with websocket_api.SolanaWsClient(here.server.websocket_url) as made:
        yield made


async def next_of(socket: Any, wanted: Callable[[Any], bool] = lambda one: True) -> Any:
    async with asyncio.timeout(30):
        while True:
            found = await socket.recv()
            if wanted(found):
                return found


def submit(here: Lab, to: Pubkey, lamports: int = 10**9) -> Signature:
    payer = here.signer.pair
    step = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
    blockhash = here.chain.slots.block().blockhash
    message = MessageV0.try_compile(payer.pubkey(), [step], [], blockhash)
    transaction = VersionedTransaction(message, [payer])
    here.chain.submit(transaction)
    return transaction.signatures[0]


async def test_slots_and_roots(here: Lab, socket: Any) -> None:
    slots, roots = await socket.slot_subscribe(), await socket.root_subscribe()
    here.blocks(3)
    top = here.chain.slots.block().slot
    seen = [await next_of(socket) for _ in range(6)]
    told = [one.result.slot for one in seen if one.subscription == slots.subscription_id]
    assert told == [top - 2, top - 1, top]
    rooted = [one.result for one in seen if one.subscription == roots.subscription_id]
    assert rooted == [top - 34, top - 33, top - 32]
    await socket.unsubscribe(slots)
    await socket.unsubscribe(roots)


@pytest.mark.parametrize(
    ("commitment", "blocks"), [("processed", 0), ("confirmed", 1), ("finalized", 32)]
)
async def test_a_signature_at_each_commitment(
    here: Lab, socket: Any, commitment: str, blocks: int
) -> None:
    to = Keypair().pubkey()
    # Subscribed before it is sent, as the signature is known beforehand.
    await socket.signature_subscribe(signature=Signature.new_unique(), commitment=commitment)
    signature = submit(here, to)
    slot = here.chain.slots.block().slot
    early = await socket.signature_subscribe(signature=signature, commitment=commitment)
    if blocks:
        here.blocks(blocks - 1)
        await asyncio.sleep(0)
        here.blocks(1)
    told = await next_of(socket)
    assert (told.subscription, told.result.value.err) == (early.subscription_id, None)
    assert told.result.context.slot == slot
    late = await socket.signature_subscribe(signature=signature, commitment=commitment)
    told = await next_of(socket)
    assert told.subscription == late.subscription_id


async def test_a_failure_and_the_receipt_of_a_transaction(here: Lab) -> None:
    payer, to = here.signer.pair, Keypair().pubkey()
    step = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=10**15))
    blockhash = here.chain.slots.block().blockhash
    message = MessageV0.try_compile(payer.pubkey(), [step], [], blockhash)
    transaction = VersionedTransaction(message, [payer])
    signature = transaction.signatures[0]
    # The stock client has no type for the receipt, nor for how nodes spell a program's error here.
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(here.server.websocket_url) as plain:
            options = {"commitment": "confirmed", "enableReceivedNotification": True}
            call = {"jsonrpc": "2.0", "id": 1, "method": "signatureSubscribe"}
            await plain.send_json({**call, "params": [str(signature), options]})
            number = (await plain.receive_json(timeout=30))["result"]
            here.chain.submit(transaction)
            received = (await plain.receive_json(timeout=30))["params"]
            assert received["result"]["value"] == "receivedSignature"
            here.blocks(1)
            confirmed = (await plain.receive_json(timeout=30))["params"]
            assert confirmed["subscription"] == received["subscription"] == number
            error = {"InstructionError": [0, {"Custom": 1}]}
            assert confirmed["result"]["value"] == {"err": error}


async def test_an_account_and_its_tokens(here: Lab, socket: Any) -> None:
    to = Keypair().pubkey()
    await socket.account_subscribe(pubkey=to, commitment="processed", encoding="base64")
    submit(here, to, 10**9)
    submit(here, to, 2 * 10**9)
    told = [await next_of(socket) for _ in range(2)]
    assert [one.result.value.lamports for one in told] == [10**9, 3 * 10**9]

    token = Pubkey.from_string(programs.TOKEN)
    mint = genesis.USDC.address
    account = instructions.associated_account(here.signer.pair.pubkey(), mint, token)
    made = await socket.account_subscribe(
        pubkey=account, commitment="confirmed", encoding="jsonParsed"
    )
    network_steps = [
        instructions.mint_to_checked(mint, account, genesis.FAUCET.pubkey(), token, 5, 6)
    ]
    blockhash = here.chain.slots.block().blockhash
    message = MessageV0.try_compile(genesis.FAUCET.pubkey(), network_steps, [], blockhash)
    here.chain.submit(VersionedTransaction(message, [genesis.FAUCET]))
    here.blocks(1)
    told_token = await next_of(socket, lambda one: one.subscription == made.subscription_id)
    info = told_token.result.value.data.parsed["info"]
    assert info["tokenAmount"]["amount"] == str(10_000 * 10**6 + 5)


async def test_logs_and_programs(here: Lab, socket: Any) -> None:
    to = Keypair().pubkey()
    everything = await socket.logs_subscribe(commitment="processed")
    mine = await socket.logs_subscribe(
        filter_=RpcTransactionLogsFilterMentions(to), commitment="processed"
    )
    wallets = await socket.program_subscribe(
        program_id=Pubkey.from_string(programs.SYSTEM), commitment="processed", encoding="base64"
    )
    signature = submit(here, to)
    other = submit(here, Keypair().pubkey())
    told: list[Any] = [await next_of(socket) for _ in range(7)]
    by = {
        one.subscription_id: [t for t in told if t.subscription == one.subscription_id]
        for one in (everything, mine, wallets)
    }
    logged = [t.result.value.signature for t in by[everything.subscription_id]]
    assert logged == [signature, other]
    [only] = by[mine.subscription_id]
    assert (only.result.value.signature, only.result.value.err) == (signature, None)
    assert only.result.value.logs
    changed = {str(t.result.value.pubkey) for t in by[wallets.subscription_id]}
    assert {here.address, str(to)} <= changed


async def test_what_there_is_not(here: Lab, socket: Any) -> None:
    with pytest.raises(JsonRpcError, match="Method not found"):
        await socket.vote_subscribe()
    made = await socket.slot_subscribe()
    await socket.unsubscribe(made)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(here.server.websocket_url) as plain:
            for sent, code in (
                ("{", -32700),
                ("[]", -32600),
                ('{"jsonrpc":"2.0","id":1,"method":"slotUnsubscribe","params":[7]}', -32602),
                ('{"jsonrpc":"2.0","id":1,"method":"accountSubscribe","params":["x"]}', -32602),
                ('{"jsonrpc":"2.0","id":1,"method":"logsSubscribe","params":["some"]}', -32602),
            ):
                await plain.send_str(sent)
                answer = await plain.receive_json(timeout=30)
                assert answer["error"]["code"] == code, sent
        # The same address without a websocket is none of a browser's.
        async with session.get(here.url) as response:
            assert response.status == 405
