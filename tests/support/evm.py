"""For tests with a real EVM node: anvil, a signer with keys in memory, a log, a network of ours."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from coincurve import PrivateKey

from chains.evm.codec import checksum, keccak
from chains.evm.network import EvmNetwork
from chains.evm.rpc import RpcPool
from chains.localnet import keeper, packages
from chains.networks import NETWORKS
from core.clock import SystemClock
from core.errors import Reason, Refused
from core.ports import NetworkInfo, Signer
from core.transactions import Transaction

# anvil's development keys, published with it.
KEYS = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
)
LOCAL = NETWORKS["ethereum_local"].info


def address_of(key: str) -> str:
    public = PrivateKey.from_hex(key).public_key.format(compressed=False)
    return checksum("0x" + keccak(public[1:])[12:].hex())


ALICE, BOB, CAROL = (address_of(key) for key in KEYS)


class KeySigner:
    """core.ports.Signer over keys in memory."""

    def __init__(self, *keys: str) -> None:
        self._keys = {address_of(key): PrivateKey.from_hex(key) for key in keys or KEYS}
        self.signed = 0

    def addresses(self, family: str) -> Sequence[str]:
        return list(self._keys) if family == "evm" else []

    async def sign(self, family: str, address: str, payload: bytes) -> bytes:
        if address not in self._keys:
            raise Refused(Reason.WALLET_NOT_FOUND, f"no wallet {address}")
        self.signed += 1
        return self._keys[address].sign_recoverable(payload, hasher=None)


class MemoryLog:
    """core.ports.TransactionLog in memory; `history` has every state that was saved."""

    def __init__(self) -> None:
        self.rows: dict[str, Transaction] = {}
        self.history: list[Transaction] = []

    async def save(self, transaction: Transaction) -> None:
        await asyncio.sleep(0)
        self.rows[transaction.hash] = transaction
        self.history.append(transaction)

    async def pending(self, network: str) -> Sequence[Transaction]:
        return [row for row in self.rows.values() if row.network == network and not row.is_final]

    async def find(self, network: str, hash: str) -> Transaction | None:
        found = self.rows.get(hash)
        return found if found is not None and found.network == network else None

    async def by_intent(self, network: str, intent: str) -> Sequence[Transaction]:
        return [
            row for row in self.rows.values() if row.network == network and row.intent == intent
        ]

    async def by_address(self, network: str, address: str, since: int) -> Sequence[Transaction]:
        return [
            row
            for row in self.rows.values()
            if (row.network, row.address) == (network, address) and row.update_time >= since
        ]


def installed() -> packages.Installed:
    """What npm installed; the test is skipped, with the reason, where it did not."""
    found = packages.find()
    if isinstance(found, packages.LeftOut):
        pytest.skip(found.reason)
    return found


@dataclass
class Anvil:
    """A node on loopback."""

    url: str
    websocket: str
    rpc: RpcPool

    async def mine(self, blocks: int = 1) -> None:
        await self.rpc.call("anvil_mine", [hex(blocks)])

    async def send(self, wire: dict[str, str]) -> dict[str, Any]:
        """Sends from a development account, which anvil signs for; its receipt."""
        hash = await self.rpc.call("eth_sendTransaction", [wire])
        async with asyncio.timeout(10):
            while True:
                receipt = await self.rpc.call("eth_getTransactionReceipt", [hash])
                if receipt is not None:
                    return cast(dict[str, Any], receipt)
                await asyncio.sleep(0.002)

    async def automine(self, on: bool) -> None:
        await self.rpc.call("evm_setAutomine", [on])


@asynccontextmanager
async def anvil(*options: str, chain_id: int = 31337) -> AsyncIterator[Anvil]:
    """A fresh node that ends with the test."""
    binary = str(installed().anvil)
    with tempfile.TemporaryDirectory() as directory:
        process, port = await asyncio.to_thread(
            keeper.launch, binary, Path(directory), ["--chain-id", str(chain_id), *options]
        )
        url = f"http://127.0.0.1:{port}"
        rpc = RpcPool([url], chain_id, SystemClock())
        try:
            yield Anvil(url, f"ws://127.0.0.1:{port}", rpc)
        finally:
            await rpc.close()
            process.kill()
            process.wait()


def network_info(depth: int = 0, wrapped: str = "") -> NetworkInfo:
    """The local network, with another finality depth or a wrapped coin."""
    info = replace(LOCAL, finality_depth=depth)
    if wrapped:
        info = replace(info, wrapped=replace(LOCAL.native, address=wrapped, symbol="WETH"))
    return info


@asynccontextmanager
async def network(
    urls: Sequence[str],
    log: MemoryLog | None = None,
    signer: Signer | None = None,
    info: NetworkInfo | None = None,
    poll: float = 0.02,
    timeout: float = 5.0,
) -> AsyncIterator[EvmNetwork]:
    """A started network of ours, which has seen a block."""
    one = EvmNetwork(
        info or network_info(),
        urls,
        SystemClock(),
        signer or KeySigner(),
        log or MemoryLog(),
        poll=poll,
        timeout=timeout,
    )
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


async def until(true: Callable[[], object], limit: float = 10.0) -> None:
    """Waits for a condition, not for a time."""
    async with asyncio.timeout(limit):
        while not true():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.005)
