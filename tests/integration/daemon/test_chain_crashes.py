"""SIGKILL around writes of the journal while a real daemon transfers and swaps on a real chain.

The bot asks and keeps waiting, over the daemon's death, as a client does. In the end the chain
itself says how often something happened: the wallet's nonce counts every transaction, whoever knows
of it or not, and each transfer has a recipient of its own.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TypeVar
from urllib.request import Request, urlopen

import pytest

import cambist
from cambist import Client, Transaction, TransactionStatus
from chains.localnet import keeper
from tests.support.daemon import RunningDaemon, running_daemon, sandbox_arguments
from tests.support.daemon_killed import ORDER
from tests.support.evm import installed

pytestmark = pytest.mark.evm

NETWORK, VENUE = "ethereum_local", "uniswap_v2@ethereum_local"
AMOUNT = Decimal("0.25")
KNOWN = 30.0  # seconds after the daemon is back until an outcome must be known
WRITES = 12  # of the journal for one transaction, and some more
FIRST = 4  # those that decide: signed, broadcast, seen, answered
LONGER = int(os.environ.get("CAMBIST_CRASH_ROUNDS", "0"))  # kills at random besides
KINDS = "transfer", "swap", "quoted"
T = TypeVar("T")
WAITING = {
    TransactionStatus.PLANNED, TransactionStatus.SIMULATED, TransactionStatus.SIGNED,
    TransactionStatus.BROADCAST, TransactionStatus.SEEN,
}  # fmt: skip


class Intents:
    """What the bot has asked for."""

    def __init__(self, client: Client, wallet: str) -> None:
        self.client = client
        self.wallet = wallet
        self.recipients: list[str] = []
        self.sent: list[Transaction] = []

    async def one(self, kind: str) -> None:
        """Asks, waits, and sees it through to a block."""
        sent = await (self._transfer() if kind == "transfer" else self._swap(kind))
        async with asyncio.timeout(KNOWN):
            while sent.status in WAITING:
                await asyncio.sleep(0.02)
                sent = await self.client.chains.get_transaction(NETWORK, sent.hash)
        assert sent.succeeded, sent
        self.sent.append(sent)

    async def _transfer(self) -> Transaction:
        number = len(self.sent)
        to = f"0x{number + 0xC0FFEE:040x}"
        self.recipients.append(to)
        return await self.client.wallets.transfer(
            NETWORK, to, AMOUNT, wallet="trader", request_id=f"transfer-{number}"
        )

    async def _swap(self, kind: str) -> Transaction:
        """By a quote, which the daemon forgets when it dies; or quoted at once."""
        swaps, tries = self.client.swaps, 0
        while True:
            id, tries = f"{kind}-{len(self.sent)}-{tries}", tries + 1
            try:
                if kind == "quoted":
                    quote = await self._patiently(
                        lambda: swaps.get_quote(VENUE, "ETH", "USDC", "0.01")
                    )
                    swapped = await self._patiently(
                        lambda quote=quote, id=id: swaps.swap(  # type: ignore[misc]
                            quote, wallet="trader", request_id=id
                        )
                    )
                else:
                    swapped = await self._patiently(
                        lambda id=id: swaps.swap_now(  # type: ignore[misc]
                            VENUE, "ETH", "USDC", "0.01", wallet="trader", request_id=id
                        )
                    )
            except cambist.QuoteNotFound as error:
                if error.metadata["outcome"] != "NOT_SENT":
                    raise
                continue  # so it may be asked for anew
            assert swapped.transaction is not None
            return swapped.transaction

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The same again while the pools are being read."""
        async with asyncio.timeout(KNOWN):
            while True:
                try:
                    return await ask()
                except cambist.BookNotLive:
                    await asyncio.sleep(0.05)


def plan() -> Iterator[tuple[str, str, int]]:
    """Kind, side and write of each death; all of them where there is time."""
    for write in range(1, (WRITES if LONGER else FIRST) + 1):
        for number, kind in enumerate(KINDS):
            for side in ("before", "after"):
                if LONGER or number % len(KINDS) == write % len(KINDS):
                    yield kind, side, write


async def test_one_effect_on_the_chain_however_often_it_is_killed(tmp_path: Path) -> None:
    installed()  # skips where there is no local chain
    arguments = sandbox_arguments(tmp_path, evm=True)
    async with running_daemon(tmp_path, *arguments, module="tests.support.daemon_killed") as daemon:
        async with cambist.connect(daemon.connect, timeout=100, patience=100) as client:
            wallet = await _address(client)
            intents = Intents(client, wallet)
            before = await asyncio.to_thread(nonce, daemon, wallet)
            survived: set[tuple[str, str]] = set()
            deaths = 0
            for kind, side, write in plan():
                if (kind, side) in survived:
                    continue  # it has fewer writes
                if not await _killed_at(daemon, intents, kind, f"{side} {write}"):
                    survived.add((kind, side))
                else:
                    deaths += 1
            assert deaths >= 5, "too few writes for this test to say anything"
            random = Random(LONGER)
            for _ in range(LONGER):
                await _killed_after(daemon, intents, random)
            after = await asyncio.to_thread(nonce, daemon, wallet)
            assert after - before == len(intents.sent)
            for to in intents.recipients:
                assert await asyncio.to_thread(balance, daemon, to) == int(AMOUNT * 10**18)
            listed = [one async for one in client.chains.list_transactions(network=NETWORK)]
            assert sorted(one.hash for one in listed if one.succeeded) == sorted(
                one.hash for one in intents.sent
            )
            assert not [one for one in listed if not one.succeeded]


async def _killed_at(daemon: RunningDaemon, intents: Intents, kind: str, order: str) -> bool:
    """Whether the daemon died of it; the intent is done in any case, and asked for again."""
    path = daemon.data_dir / ORDER
    path.write_text(order)
    asked = asyncio.create_task(intents.one(kind))
    died = asyncio.create_task(daemon.gone())
    await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    path.unlink()
    if not died.done():
        died.cancel()
        await asked
        return False
    await _known(daemon, asked)
    return True


async def _killed_after(daemon: RunningDaemon, intents: Intents, random: Random) -> None:
    asked = asyncio.create_task(intents.one(random.choice(KINDS)))
    await asyncio.sleep(random.uniform(0, 0.1))
    await daemon.kill()
    await _known(daemon, asked)


async def _known(daemon: RunningDaemon, asked: "asyncio.Task[None]") -> None:
    """Starts it again; the outcome must be known soon."""
    await daemon.start()
    began = time.monotonic()
    await asked
    assert time.monotonic() - began < KNOWN


async def _address(client: Client) -> str:
    async for wallet in client.wallets.list_wallets():
        if wallet.name == "trader":
            return wallet.address
    raise AssertionError("the sandbox has no wallet of its own")


def nonce(daemon: RunningDaemon, address: str) -> int:
    """Straight from the chain."""
    return _ask(daemon, "eth_getTransactionCount", address)


def balance(daemon: RunningDaemon, address: str) -> int:
    return _ask(daemon, "eth_getBalance", address)


def _ask(daemon: RunningDaemon, method: str, address: str) -> int:
    wire = json.loads((daemon.data_dir / "localnet" / keeper.ADDRESS).read_text())
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [address, "latest"]}
    headers = {"Content-Type": "application/json"}
    url = f"http://127.0.0.1:{wire['port']}"
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=20) as answer:
        return int(json.loads(answer.read())["result"], 16)
