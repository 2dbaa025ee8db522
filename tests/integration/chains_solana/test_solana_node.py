"""The local node's JSON-RPC: framing, errors, hostile calls, lookup tables, and what it keeps."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc import responses
from solders.system_program import (
    CreateLookupTableParams,
    ExtendLookupTableParams,
    TransferParams,
    create_lookup_table,
    extend_lookup_table,
    transfer,
)
from solders.transaction import VersionedTransaction

from chains.solana.localnet import server
from chains.solana.localnet.chain import Chain
from core.clock import SECOND, ManualClock
from tests.support.solana import Lab, lab

pytestmark = pytest.mark.solana


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


async def post(here: Lab, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with aiohttp.ClientSession() as session, session.post(here.url, data=raw) as response:
        assert response.status == 200
        return await response.json()


async def call(here: Lab, method: str, *params: Any) -> Any:
    return await post(here, {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})


def compiled(here: Lab, steps: list[Any], blockhash: Hash | None = None, *tables: Any) -> str:
    payer = here.signer.pair
    latest = blockhash or here.chain.slots.block().blockhash
    message = MessageV0.try_compile(payer.pubkey(), steps, list(tables), latest)
    return base64.b64encode(bytes(VersionedTransaction(message, [payer]))).decode()


async def send(here: Lab, wire: str) -> Any:
    answer = await call(here, "sendTransaction", wire, {"encoding": "base64"})
    assert "result" in answer, answer
    return answer["result"]


async def test_framing(here: Lab) -> None:
    assert (await post(here, b"{"))["error"]["code"] == -32700
    assert (await post(here, []))["error"]["code"] == -32600
    assert (await post(here, {"method": "getSlot"}))["error"]["code"] == -32600
    assert (await call(here, "getNothing"))["error"]["code"] == -32601
    batch = await post(
        here,
        [
            {"jsonrpc": "2.0", "id": 1, "method": "getHealth"},
            {"jsonrpc": "2.0", "id": "two", "method": "getNothing"},
            7,
        ],
    )
    assert [answer.get("id") for answer in batch] == [1, "two", None]
    assert batch[0]["result"] == "ok"
    assert (await post(here, [7] * 201))["error"]["code"] == -32600


HOSTILE: list[Any] = [None, True, -1, 1.5, 1 << 65, "", "x", "1" * 2_000, "é", [], ["x"], {}]


@pytest.mark.parametrize("method", sorted(server._METHODS))
async def test_hostile_parameters_get_an_error_of_the_request(here: Lab, method: str) -> None:
    options = [{"commitment": "soon"}, {"encoding": 7}, {"encoding": "base58"}, {"mint": 5}]
    for first in HOSTILE:
        for second in [*HOSTILE, *options]:
            answer = await call(here, method, first, second)
            if "error" in answer:
                assert answer["error"]["code"] != -32603, (first, second)
    answer = await call(here, method)
    assert answer.get("error", {}).get("code") != -32603


async def test_hostile_transactions_change_nothing(here: Lab) -> None:
    good = base64.b64decode(
        compiled(
            here,
            [
                transfer(
                    TransferParams(
                        from_pubkey=here.signer.pair.pubkey(),
                        to_pubkey=Keypair().pubkey(),
                        lamports=10**9,
                    )
                )
            ],
        )
    )
    before = here.lamports(here.address)
    for position in range(len(good)):
        for value in (good[position] ^ 0xFF, good[position] ^ 1):
            broken = good[:position] + bytes([value]) + good[position + 1 :]
            wire = base64.b64encode(broken).decode()
            skip = {"encoding": "base64", "skipPreflight": position % 2 == 0}
            answer = await call(here, "sendTransaction", wire, skip)
            assert answer.get("error", {}).get("code") != -32603
    for cut in range(0, len(good), 7):
        wire = base64.b64encode(good[:cut]).decode()
        answer = await call(here, "sendTransaction", wire, {"encoding": "base64"})
        assert answer["error"]["code"] == -32602
    assert here.lamports(here.address) == before
    too_long = base64.b64encode(good + bytes(1_232)).decode()
    answer = await call(here, "sendTransaction", too_long, {"encoding": "base64"})
    assert "too large" in answer["error"]["message"]


async def test_answers_parse_as_the_validators_own_types(here: Lab) -> None:
    """The types of `solders` are generated from the validator's source, and are strict."""
    me = here.address
    wire = compiled(here, [])
    sent = await send(here, wire)
    here.blocks(40)
    version = {"maxSupportedTransactionVersion": 0}
    cases: list[tuple[Any, str, list[Any]]] = [
        (responses.GetBalanceResp, "getBalance", [me]),
        (responses.GetAccountInfoResp, "getAccountInfo", [me, {"encoding": "base64"}]),
        (responses.GetEpochInfoResp, "getEpochInfo", []),
        (responses.GetLatestBlockhashResp, "getLatestBlockhash", []),
        (responses.GetSignatureStatusesResp, "getSignatureStatuses", [[sent]]),
        (responses.GetTransactionResp, "getTransaction", [sent, version]),
        (responses.GetTransactionResp, "getTransaction", [sent, {**version, "encoding": "base64"}]),
        (responses.GetVersionResp, "getVersion", []),
        (responses.GetRecentPrioritizationFeesResp, "getRecentPrioritizationFees", []),
        (
            responses.SimulateTransactionResp,
            "simulateTransaction",
            [compiled(here, []), {"encoding": "base64", "replaceRecentBlockhash": True}],
        ),
    ]
    for type_, method, params in cases:
        answer = await call(here, method, *params)
        parsed = type_.from_json(json.dumps(answer))
        assert type(parsed) is type_, (method, answer, parsed)


async def test_min_context_slot(here: Lab) -> None:
    far = here.chain.slots.block().slot + 1
    answer = await call(here, "getSlot", {"commitment": "processed", "minContextSlot": far})
    assert answer["error"]["code"] == -32016
    here.blocks(1)
    answer = await call(here, "getSlot", {"commitment": "processed", "minContextSlot": far})
    assert answer["result"] == far


async def test_lookup_tables_shorten_a_transaction(here: Lab) -> None:
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
    await send(here, compiled(here, [make, extend]))
    here.blocks(1)
    steps = [
        transfer(TransferParams(from_pubkey=me, to_pubkey=to, lamports=10**9)) for to in receivers
    ]
    known = AddressLookupTableAccount(table, receivers)
    wire = compiled(here, steps, None, known)
    sent = await send(here, wire)
    assert {here.lamports(str(to)) for to in receivers} == {10**9}
    here.blocks(1)
    options = {
        "commitment": "confirmed",
        "encoding": "jsonParsed",
        "maxSupportedTransactionVersion": 0,
    }
    found = (await call(here, "getTransaction", sent, options))["result"]
    sources = [key["source"] for key in found["transaction"]["message"]["accountKeys"]]
    assert sources.count("lookupTable") == 20
    assert len(found["meta"]["postBalances"]) == len(sources)
    wrong = AddressLookupTableAccount(Pubkey.new_unique(), receivers)
    answer = await call(
        here, "sendTransaction", compiled(here, steps, None, wrong), {"encoding": "base64"}
    )
    assert answer["error"]["data"]["err"] == "AddressLookupTableNotFound"


async def test_a_chain_that_is_opened_again_is_the_same(here: Lab, tmp_path: Path) -> None:
    to = Keypair().pubkey()
    step = transfer(
        TransferParams(from_pubkey=here.signer.pair.pubkey(), to_pubkey=to, lamports=10**9)
    )
    wire = compiled(here, [step])
    sent = await send(here, wire)
    # As after a kill: nothing is closed, another process opens the files.
    again = Chain(tmp_path, here.clock)
    assert again.genesis == here.chain.genesis
    assert again.slots.block() == here.chain.slots.block()
    account = again.machine.account(to)
    assert account is not None
    assert account.lamports == 10**9
    assert again.refusal(VersionedTransaction.from_bytes(base64.b64decode(wire))) == (
        "AlreadyProcessed"
    )
    assert again.store.status(sent) == here.chain.store.status(sent)
    again.close()


def test_time_that_goes_back_does_not_take_slots_back(tmp_path: Path) -> None:
    clock = ManualClock()
    chain = Chain(tmp_path, clock)
    clock.advance(10 * SECOND)
    block = chain.slots.block()
    clock.advance(-20 * SECOND)
    assert chain.slots.block() == block
    clock.advance(3600 * SECOND)
    assert chain.slots.block().height == block.height + 8_950
    assert chain.slots.valid_until(block.blockhash) is None
    chain.close()
