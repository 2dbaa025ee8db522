"""Nodes that lag, forget, throttle, lie about blockhashes, or say no: one effect an intent, and
final states that are true."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair

from chains.solana import programs
from chains.solana.localnet.parameters import RpcError
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions, Health
from core.transactions import TransactionStatus
from tests.support.solana import INFO, Lab, lab

pytestmark = pytest.mark.solana
SOL = INFO.native
FEES = FeeOptions()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


def somebody() -> str:
    return str(Keypair().pubkey())


def forgets(params: list[Any]) -> Any:
    """A node that is at the newest slot and knows no transaction at all."""
    return {"context": {"slot": 10**9}, "value": [None] * len(params[0])}


async def test_a_node_that_forgets_signatures_is_not_believed_alone(here: Lab) -> None:
    forgetful, to = await here.another(getSignatureStatuses=forgets), somebody()
    network = here.network(forgetful.url, here.url)
    network._pool.hedging = False  # so that the forgetful one is asked first, each time
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    here.blocks(2)
    await network.poll()  # it says that it does not know it, and it is not dead yet
    assert here.log.latest()[sent.hash].status is TransactionStatus.BROADCAST
    here.blocks(200)
    await network.poll()
    final = here.log.latest()[sent.hash]
    assert (final.status, final.succeeded) == (TransactionStatus.FINAL, True)
    again = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert again.hash == sent.hash
    assert here.lamports(to) == 10**9


async def test_forgetting_is_no_reorganisation(here: Lab) -> None:
    other, to = await here.another(), somebody()
    network = here.network(other.url, here.url)
    network._pool.hedging = False
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    here.blocks(2)
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.INCLUDED
    other.lies["getSignatureStatuses"] = forgets
    here.blocks(2)
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.INCLUDED
    here.blocks(40)
    await network.poll()
    assert here.log.statuses(sent.hash)[-2:] == ["INCLUDED", "FINAL"]
    assert "REORGANISED" not in here.log.statuses(sent.hash)


async def test_when_all_have_forgotten_it_its_block_is_gone_and_it_is_sent_again(here: Lab) -> None:
    network, to = here.network(), somebody()
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    here.blocks(2)
    await network.poll()
    # The block is abandoned: the chain is as it was before.
    here.chain.store._db.execute("DELETE FROM transactions WHERE signature = ?", (sent.hash,))
    here.blocks(6)
    await network.poll()
    assert here.log.statuses(sent.hash)[-2:] == ["INCLUDED", "REORGANISED"]
    assert here.chain.arrived == 2  # the same bytes
    here.blocks(40)
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.FINAL
    assert here.signer.signed == 1


async def test_a_blockhash_of_a_fork_ends_as_dropped_and_the_intent_can_be_renewed(
    here: Lab,
) -> None:
    stray = str(Hash(hashlib.sha256(b"a fork").digest()))

    def forked(params: list[Any]) -> Any:
        answer = node.true("getLatestBlockhash", params)
        answer["value"]["blockhash"] = stray
        return answer

    node, to = await here.another(), somebody()
    node.lies["getLatestBlockhash"] = forked
    network = here.network(node.url, here.url)
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert here.lamports(to) == 0
    for _ in range(20):
        here.blocks(10)
        await network.poll()
    dropped = here.log.latest()[sent.hash]
    assert dropped.status is TransactionStatus.DROPPED
    node.lies.clear()
    again = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert again.hash != sent.hash
    assert here.lamports(to) == 10**9


async def test_a_node_that_lies_about_the_end_of_a_blockhash_kills_nothing_early(here: Lab) -> None:
    """It says that the end is near: by its word, another transaction could be signed while the
    first can still be included."""

    def short(params: list[Any]) -> Any:
        answer = node.true("getLatestBlockhash", params)
        answer["value"]["lastValidBlockHeight"] -= 100
        return answer

    node, to = await here.another(), somebody()
    node.lies["getLatestBlockhash"] = short
    network = here.network(node.url, here.url, here.url)
    await network.poll()
    height = here.chain.slots.block("confirmed").height
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert sent.last_valid_height is not None
    assert sent.last_valid_height >= height + programs.MAX_PROCESSING_AGE


async def test_a_blockhash_of_a_node_that_lags_is_taken_from_another(here: Lab) -> None:
    def old(params: list[Any]) -> Any:
        answer = node.true("getLatestBlockhash", params)
        block = here.chain.slots.at(here.chain.slots.block().height - 140)
        answer["value"] = {
            "blockhash": str(block.blockhash),
            "lastValidBlockHeight": block.last_valid_height,
        }
        return answer

    node, to = await here.another(), somebody()
    node.lies["getLatestBlockhash"] = old
    network = here.network(node.url, here.url)
    await network.poll()
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert sent.last_valid_height is not None
    assert sent.last_valid_height > here.chain.slots.block().height + 140
    assert here.lamports(to) == 10**9


async def test_a_node_that_lags_is_asked_last(here: Lab) -> None:
    def behind(params: list[Any]) -> Any:
        answer = node.true("getEpochInfo", params)
        answer["absoluteSlot"] -= 500
        answer["blockHeight"] -= 500
        return answer

    node = await here.another()
    node.lies["getEpochInfo"] = behind
    network = here.network(node.url, here.url)
    await network.poll()
    node.asked.clear()
    await network.balances(here.address, [SOL])
    assert node.asked == []
    assert network.condition.health is Health.READY


async def test_a_node_that_throttles_is_left_alone_for_as_long_as_it_asks(here: Lab) -> None:
    node = await here.another()
    network = here.network(node.url, here.url)
    node.status = 429
    [balance] = await network.balances(here.address, [SOL])
    assert balance.units == 100 * 10**9
    node.status = 200
    for seconds, asked in ((6, []), (6, ["getEpochInfo"])):
        here.clock.advance(seconds * 10**9)
        await network.poll()
        assert node.asked == asked
    node.status = 429
    alone = here.network(node.url)
    with pytest.raises(CambistError) as failed:
        await alone.balances(here.address, [SOL])
    assert failed.value.reason is Reason.NODE_UNAVAILABLE
    assert failed.value.retry_after == 7 * 10**9


@pytest.mark.parametrize("code", [-32005, -32010, -32601, 403, 429, -32429])
async def test_a_node_that_may_not_answer_is_passed_over(here: Lab, code: int) -> None:
    def no(params: list[Any]) -> Any:
        raise RpcError(code, "not here")

    node = await here.another(getMultipleAccounts=no, getTokenAccountsByOwner=no)
    network = here.network(node.url, here.url)
    assert len(await network.holdings(here.address)) == 3


async def test_a_slow_node_costs_a_moment_and_not_its_timeout(here: Lab) -> None:
    node = await here.another()
    node.gate = asyncio.Event()
    network = here.network(node.url, here.url, timeout=60.0)
    async with asyncio.timeout(30):
        [balance] = await network.balances(here.address, [SOL])
    assert balance.units == 100 * 10**9


async def test_a_node_that_refuses_in_its_preflight_is_quoted(here: Lab) -> None:
    """What a node says against a transaction proves nothing while it may be included; once it is
    proven dead, it is the likeliest reason."""
    said = {
        "err": {"InstructionError": [1, {"Custom": 1}]},
        "logs": ["Program 11 invoke [1]", "Transfer: insufficient lamports 5, need 7"],
    }

    def preflight(params: list[Any]) -> Any:
        raise RpcError(-32002, "Transaction simulation failed", said)

    node = await here.another(sendTransaction=preflight)
    network, to = here.network(node.url), somebody()
    sent = await network.transfer(here.address, to, SOL, 10**9, "intent", FEES)
    assert sent.status is TransactionStatus.SIGNED
    for _ in range(20):
        here.blocks(10)
        await network.poll()
    dropped = here.log.latest()[sent.hash]
    assert dropped.status is TransactionStatus.DROPPED
    assert "insufficient lamports 5, need 7" in dropped.reason
    assert "0x1" in dropped.reason

    node.lies["simulateTransaction"] = preflight
    with pytest.raises(Refused) as refused:
        await network.transfer(here.address, to, SOL, 10**9, "other", FEES)
    assert refused.value.reason is Reason.INSUFFICIENT_BALANCE
    assert "need 7" in refused.value.message


async def test_a_chain_that_stands_still_is_said_to(here: Lab) -> None:
    node = await here.another()
    slot = node.true("getEpochInfo", [])

    def frozen(params: list[Any]) -> Any:
        return slot

    node.lies["getEpochInfo"] = frozen
    network = here.network(node.url)
    await network.poll()
    assert network.condition.health is Health.READY
    for _ in range(10):
        here.clock.advance(6 * 10**9)
        await network.poll()
    assert network.condition.health is Health.DEGRADED
    assert "no new slot" in network.condition.reason
    node.lies.clear()
    here.clock.advance(6 * 10**9)
    await network.poll()
    assert network.condition.health is Health.READY


async def test_others_transactions_are_found_wherever_they_are_known(here: Lab) -> None:
    node = await here.another(getSignatureStatuses=forgets)
    sent = await here.network().transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
    here.blocks(40)
    found = await here.network(node.url, here.url).transaction(sent.hash)
    assert found.status is TransactionStatus.FINAL


async def test_a_quorum_is_of_one_mind_about_balances_and_about_ends(here: Lab) -> None:
    def rich(params: list[Any]) -> Any:
        answer = liar.true("getMultipleAccounts", params)
        for account in filter(None, answer["value"]):
            account["lamports"] += 1
        return answer

    def hasty(params: list[Any]) -> Any:
        slot = here.chain.slots.block().slot
        status = {"slot": slot, "err": None, "confirmationStatus": "finalized"}
        return {"context": {"slot": slot}, "value": [status] * len(params[0])}

    liar, honest = await here.another(), await here.another()
    liar.lies.update(getMultipleAccounts=rich, getSignatureStatuses=hasty)
    network = here.network(liar.url, here.url, honest.url, quorum=2)
    [balance] = await network.balances(here.address, [SOL])
    assert balance.units == 100 * 10**9
    to = somebody()
    here.chain.lose = 1_000
    sent = await network.transfer(here.address, to, SOL, 10**9, "i", FEES)
    here.blocks(2)
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.BROADCAST
    here.blocks(200)
    await network.poll()  # it is not known by two, and one of them says that it is there
    assert here.log.latest()[sent.hash].status is TransactionStatus.BROADCAST
    here.chain.lose = 0
    liar.lies.pop("getSignatureStatuses")
    await network.poll()
    assert here.log.latest()[sent.hash].status is TransactionStatus.DROPPED
    honest.lies["getMultipleAccounts"] = lambda params: {
        "context": {"slot": 1},
        "value": [None] * len(params[0]),
    }
    with pytest.raises(CambistError, match="at most 1 Solana nodes say the same") as failed:
        await network.balances(here.address, [SOL])
    assert failed.value.reason is Reason.NODE_UNAVAILABLE


async def test_a_node_is_sent_no_more_than_its_budget_and_transactions_do_not_wait(
    here: Lab,
) -> None:
    node = await here.another()
    network = here.network(node.url, rate=10, timeout=0.5)

    async def ask(times: int) -> None:
        for _ in range(times):
            await network.balances(here.address, [SOL])

    await ask(10)
    with pytest.raises(CambistError, match="budget") as failed:
        await ask(20)
    assert failed.value.reason is Reason.NODE_UNAVAILABLE
    asked = len(node.asked)
    assert asked < 20
    await network._pool.broadcast(b"nonsense")
    assert node.asked[asked:] == ["sendTransaction"]
    here.clock.advance(3 * 10**9)
    await network.balances(here.address, [SOL])


async def test_a_url_of_another_cluster_is_told(here: Lab) -> None:
    stranger = await here.another(getGenesisHash=lambda params: "5" * 43)
    network = here.network(stranger.url, here.url)
    network._pool.genesis = str(here.chain.genesis)
    await network.poll()
    assert network.condition.health is Health.DEGRADED
    assert "another cluster" in network.condition.reason
    assert "mend the network's urls" in network.condition.reason
    [balance] = await network.balances(here.address, [SOL])
    assert balance.units == 100 * 10**9


async def test_the_networks_own_cap_holds_where_a_request_names_none(here: Lab) -> None:
    network = here.network(max_fee=Decimal("0.000005"))
    await network.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
    dear = FeeOptions(unit_price=Decimal("0.000000001"), max_fee=Decimal(1))
    with pytest.raises(Refused) as refused:
        await network.transfer(here.address, somebody(), SOL, 10**9, "j", dear)
    assert refused.value.reason is Reason.FEE_CAP_EXCEEDED
    assert refused.value.metadata["max_fee"] == "0.000005"
