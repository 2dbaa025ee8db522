"""The local node as a process: found again, killed, left alone."""

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from solders.keypair import Keypair

from chains.localnet import keeper
from chains.networks import NETWORKS
from chains.solana.localnet import process
from chains.solana.localnet.local import LocalSolana
from chains.solana.network import SolanaNetwork
from core.clock import SystemClock
from core.ports import FeeOptions
from core.transactions import TransactionStatus
from tests.support.solana import KeySigner, MemoryLog

pytestmark = pytest.mark.solana


@contextmanager
def daemon(lock: Path) -> Iterator[None]:
    """Holds the lock as a daemon does."""
    with lock.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "solana"


@pytest.fixture
async def local(directory: Path, tmp_path: Path) -> AsyncIterator[LocalSolana]:
    made = LocalSolana(directory, tmp_path / "lock", SystemClock(), grace=0.4)
    try:
        yield made
    finally:
        await made.stop()


def wire(directory: Path) -> dict[str, int]:
    loaded: dict[str, int] = json.loads((directory / process.ADDRESS).read_text())
    return loaded


def remember(directory: Path, document: dict[str, object]) -> None:
    directory.mkdir()
    (directory / process.ADDRESS).write_text(json.dumps(document))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  another process decides
            await asyncio.sleep(0.01)


def network_at(url: str, signer: KeySigner, log: MemoryLog) -> SolanaNetwork:
    return SolanaNetwork(NETWORKS["solana_local"].info, [url], SystemClock(), signer, log)


async def test_the_nodes_life(local: LocalSolana, directory: Path, tmp_path: Path) -> None:
    signer, log, to = KeySigner(), MemoryLog(), str(Keypair().pubkey())
    with daemon(tmp_path / "lock"):
        url = await local.start([signer.address])
        first = wire(directory)
        network = network_at(url, signer, log)
        await network.start()
        sent = await network.transfer(
            signer.address, to, network.info.native, 10**9, "intent", FeeOptions()
        )
        included = await network.wait_included(sent.hash, 20)
        assert included.status is TransactionStatus.INCLUDED
        await network.stop()

        # A daemon that starts again finds the same node; nobody is funded twice.
        other = LocalSolana(directory, tmp_path / "lock", SystemClock(), grace=0.4)
        assert await other.start([signer.address]) == url
        assert wire(directory) == first
        assert [token.symbol for token in other.tokens] == ["USDC", "T22"]

        # A killed node comes back with its chain, at the same address.
        os.kill(first["pid"], signal.SIGKILL)
        await until(lambda: not keeper.held(directory / process.LOCK))
        assert await other.start([signer.address]) == url
        assert wire(directory)["pid"] != first["pid"]
        again = network_at(url, signer, MemoryLog())
        found = await again.transaction(sent.hash)
        assert found.succeeded is True
        tokens = [again.info.native, *other.tokens]
        mine = await again.balances(signer.address, tokens)
        theirs = await again.balances(to, [again.info.native])
        await again.stop()
        assert [balance.units for balance in mine] == [
            100 * 10**9 - 10**9 - 5_000,
            10_000 * 10**6,
            10_000 * 10**9,
        ]
        assert theirs[0].units == 10**9

    # The daemon is gone, without a word: the node ends by itself.
    await until(lambda: not keeper.held(directory / process.LOCK))
    with daemon(tmp_path / "lock"):
        assert await local.start() == url
        await local.stop()
        assert not keeper.held(directory / process.LOCK)


async def test_a_port_that_is_taken_is_left_to_its_owner(
    local: LocalSolana, directory: Path, tmp_path: Path
) -> None:
    taken = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    remember(directory, {"port": port, "pid": 1, "genesis": "x"})
    with daemon(tmp_path / "lock"):
        url = await local.start()
        assert not url.endswith(f":{port}")
        await local.stop()
    taken.close()
    await taken.wait_closed()
