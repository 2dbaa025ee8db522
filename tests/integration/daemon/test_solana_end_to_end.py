"""Solana through a real daemon: transfers, memos, wraps, streams, the journal, and SIGKILL around
writes of the journal; the chain itself says how often something happened."""

import asyncio
import json
from collections.abc import AsyncIterator, Set
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from solders.keypair import Keypair

import cambist
from cambist import Transaction, TransactionStatus
from chains.solana.localnet import process
from tests.support.daemon import RunningDaemon, running_daemon, sandbox_arguments
from tests.support.daemon_killed import ORDER

pytestmark = pytest.mark.solana

NETWORK, WALLET = "solana_local", "trader_solana"
AMOUNT = Decimal("0.25")
KNOWN = 90.0  # seconds until an outcome must be known
ENDS = {TransactionStatus.FINAL, TransactionStatus.REVERTED, TransactionStatus.DROPPED}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    arguments = sandbox_arguments(tmp_path, solana=True)
    killable = "tests.support.daemon_killed"
    async with running_daemon(tmp_path, *arguments, module=killable) as started:
        yield started


def somebody() -> str:
    return str(Keypair().pubkey())


async def node(daemon: RunningDaemon, method: str, *params: Any) -> Any:
    """Straight from the chain."""
    path = daemon.data_dir / "solana" / process.ADDRESS
    port = json.loads(await asyncio.to_thread(path.read_text))["port"]
    wire = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"http://127.0.0.1:{port}", json=wire) as response:
            return (await response.json())["result"]


async def lamports(daemon: RunningDaemon, address: str) -> int:
    return int((await node(daemon, "getBalance", address))["value"])


async def ended(
    client: cambist.Client, sent: Transaction, ends: Set[TransactionStatus] = ENDS
) -> Transaction:
    async with asyncio.timeout(KNOWN):
        while sent.status not in ends:
            await asyncio.sleep(0.05)
            sent = await client.chains.get_transaction(NETWORK, sent.hash)
    return sent


async def test_from_the_request_to_the_end_and_over_a_restart(daemon: RunningDaemon) -> None:
    to = somebody()
    async with cambist.connect(daemon.connect, timeout=60, patience=60) as client:
        seen: list[tuple[str, TransactionStatus]] = []

        async def watch() -> None:
            async for event in client.events.stream():
                if (one := event.transaction) is not None:
                    seen.append((one.hash, one.status))
                    if (one.hash, one.status) == (last, TransactionStatus.FINAL):
                        return

        last = ""
        watching = asyncio.create_task(watch())
        # What is the same for the chain is not the same for those who asked.
        equal = await asyncio.gather(
            *(client.wallets.transfer(NETWORK, to, AMOUNT, wallet=WALLET) for _ in range(8))
        )
        noted = await client.wallets.transfer(
            NETWORK, to, 25, wallet=WALLET, token="USDC", memo="deposit 4711"
        )
        assert noted.details["memo"] == "deposit 4711"
        assert noted.details["creates_account"]
        last = noted.hash
        wrapped = await client.wallets.wrap(NETWORK, 2, wallet=WALLET)
        await client.wallets.unwrap(NETWORK, "0.5", wallet=WALLET)
        done = [await ended(client, one) for one in (*equal, noted, wrapped)]
        assert {one.status for one in done} == {TransactionStatus.FINAL}
        assert len({one.hash for one in done}) == 10
        assert await lamports(daemon, to) == 8 * int(AMOUNT * 10**9)
        await asyncio.wait_for(watching, KNOWN)
        lived = [status.name for hash, status in seen if hash == noted.hash]
        assert lived[0] == "SIGNED"
        assert lived[-1] == "FINAL"
        assert lived == sorted(lived, key=list(TransactionStatus.__members__).index)

        held = {one.asset: one for one in await client.wallets.list_wallet_balances(NETWORK, to)}
        assert (held["USDC"].total, held["SOL"].total) == (25, 2)
        mine = await client.accounts.list_balances(venue=NETWORK)
        assert {one.account for one in mine} == {WALLET}
        assert {one.asset: one.total for one in mine}["WSOL"] == Decimal("1.5")

        with pytest.raises(cambist.InsufficientBalance, match="1000000 are needed"):
            await client.wallets.transfer(NETWORK, to, 10**6, wallet=WALLET)
        with pytest.raises(cambist.InvalidArgument):
            await client.wallets.transfer(NETWORK, to, 1, wallet=WALLET, memo="two\nlines")
        for act in (client.chains.speed_up_transaction, client.chains.cancel_transaction):
            with pytest.raises(cambist.UnsupportedByVenue, match="blockhash"):
                await act(NETWORK, noted.hash)

    await daemon.kill()
    await daemon.start()
    async with cambist.connect(daemon.connect, timeout=60, patience=60) as client:
        again = await client.chains.get_transaction(NETWORK, noted.hash)
        assert (again.purpose, again.intent) == ("transfer", noted.intent)
        assert again.details["memo"] == "deposit 4711"
        anybodys = await node(daemon, "getSignaturesForAddress", to, {"limit": 1})
        found = await client.chains.get_transaction(NETWORK, anybodys[0]["signature"])
        assert found.succeeded


async def test_one_effect_an_intent_whenever_it_is_killed(daemon: RunningDaemon) -> None:
    """Before and after each of the writes that decide; the bot keeps asking with the same id."""
    deaths = 0
    async with cambist.connect(daemon.connect, timeout=KNOWN, patience=KNOWN) as client:
        receivers: list[tuple[str, str]] = []
        for order in ("before 1", "after 1", "before 2", "after 2", "after 3"):
            to, path = somebody(), daemon.data_dir / ORDER
            path.write_text(order)
            asked = asyncio.create_task(
                client.wallets.transfer(NETWORK, to, AMOUNT, wallet=WALLET, request_id=order)
            )
            died = asyncio.create_task(daemon.gone())
            await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED, timeout=KNOWN)
            path.unlink()
            if died.done():
                deaths += 1
                await daemon.start()
            else:
                died.cancel()
            receivers.append((to, (await asked).hash))
        in_a_block = {*ENDS, TransactionStatus.INCLUDED}
        confirmed = {"commitment": "confirmed"}
        for to, hash in receivers:
            sent = await client.chains.get_transaction(NETWORK, hash)
            assert (await ended(client, sent, in_a_block)).succeeded
            assert await lamports(daemon, to) == int(AMOUNT * 10**9)
            assert len(await node(daemon, "getSignaturesForAddress", to, confirmed)) == 1
        listed = [one async for one in client.chains.list_transactions(network=NETWORK)]
        assert sorted(one.hash for one in listed) == sorted(hash for _, hash in receivers)
    assert deaths >= 3, "too few writes for this test to say anything"
