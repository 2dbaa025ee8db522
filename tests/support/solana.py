"""What tests of Solana share: a node in this process whose clock a test turns, a journal, a key."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from chains.networks import NETWORKS
from chains.solana.localnet import genesis
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.parameters import RpcError
from chains.solana.localnet.server import Server
from chains.solana.network import SolanaNetwork
from core.clock import MILLISECOND, ManualClock
from core.tokens import Token
from core.transactions import Transaction

INFO = NETWORKS["solana_local"].info
SLOT = 400 * MILLISECOND
USDC = Token(INFO.id, str(genesis.USDC.address), "USDC", 6)
T22 = Token(INFO.id, str(genesis.NEW.address), "T22", 9)


class MemoryLog:
    """A journal in memory. `history` is every save, in order."""

    def __init__(self) -> None:
        self.history: list[Transaction] = []

    async def save(self, transaction: Transaction) -> None:
        self.history.append(transaction)

    def latest(self) -> dict[str, Transaction]:
        return {transaction.hash: transaction for transaction in self.history}

    async def pending(self, network: str) -> Sequence[Transaction]:
        return [t for t in self.latest().values() if t.network == network and not t.is_final]

    async def find(self, network: str, hash: str) -> Transaction | None:
        return self.latest().get(hash)

    async def by_intent(self, network: str, intent: str) -> Sequence[Transaction]:
        found = self.latest().values()
        return [t for t in found if t.network == network and t.intent == intent]

    async def by_address(self, network: str, address: str, since: int) -> Sequence[Transaction]:
        found = self.latest().values()
        return [t for t in found if t.address == address and t.update_time >= since]

    def statuses(self, hash: str) -> list[str]:
        return [t.status.name for t in self.history if t.hash == hash]


@dataclass
class KeySigner:
    """One key pair that signs. `signed` counts."""

    pair: Keypair = field(default_factory=Keypair)
    signed: int = 0

    @property
    def address(self) -> str:
        return str(self.pair.pubkey())

    def addresses(self, family: str) -> Sequence[str]:
        return [self.address] if family == "solana" else []

    async def sign(self, family: str, address: str, payload: bytes) -> bytes:
        assert (family, address) == ("solana", self.address)
        self.signed += 1
        return bytes(self.pair.sign_message(payload))


class LossyChain(Chain):
    """A chain that loses as many transactions as it is told to, and counts what reaches it."""

    lose = 0
    arrived = 0

    def submit(self, transaction: VersionedTransaction) -> Any:
        self.arrived += 1
        if self.lose > 0:
            self.lose -= 1
            return "AccountInUse"
        return super().submit(transaction)


Answer = Callable[[list[Any]], Any]


class Twisted(Server):
    """A second node of the same chain. `lies` has answers instead of the chain's, by method: a
    function of the parameters, which may raise RpcError; `asked` is every method, in order."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self.lies: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.status = 200  # of HTTP; any other is all that it answers
        self.gate: asyncio.Event | None = None  # which answers wait for

    async def _handle(self, request: web.Request) -> web.Response:
        if self.gate is not None:
            await self.gate.wait()
        if self.status != 200:
            return web.Response(status=self.status, headers={"Retry-After": "7"})
        return await super()._handle(request)

    def _answer(self, call: Any) -> dict[str, Any]:
        method = call["method"]
        self.asked.append(method)
        if method not in self.lies:
            return super()._answer(call)
        try:
            result = self.lies[method](call.get("params") or [])
        except RpcError as error:
            body = {"code": error.code, "message": error.message, "data": error.data}
            return {"jsonrpc": "2.0", "error": body, "id": call["id"]}
        return {"jsonrpc": "2.0", "result": result, "id": call["id"]}

    def true(self, method: str, params: list[Any]) -> Any:
        """What an honest node would answer."""
        return super()._answer({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})[
            "result"
        ]


@dataclass
class Lab:
    """A chain that answers at a url, a funded key, and networks to try on it."""

    clock: ManualClock
    chain: LossyChain
    server: Server
    signer: KeySigner
    log: MemoryLog
    networks: list[SolanaNetwork] = field(default_factory=list)
    others: list[Twisted] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def address(self) -> str:
        return self.signer.address

    async def another(self, **lies: Answer) -> Twisted:
        """Another node of the chain, with something wrong."""
        made = Twisted(self.chain)
        made.lies.update(lies)
        await made.start()
        self.others.append(made)
        return made

    def network(self, *urls: str, **options: Any) -> SolanaNetwork:
        """Not started: a test polls by hand."""
        made = SolanaNetwork(INFO, urls or [self.url], self.clock, self.signer, self.log, **options)
        self.networks.append(made)
        return made

    def blocks(self, count: int) -> None:
        self.clock.advance(count * SLOT)

    def lamports(self, address: str) -> int:
        account = self.chain.machine.account(Pubkey.from_string(address))
        return account.lamports if account else 0


@asynccontextmanager
async def lab(directory: Path, funded: bool = True) -> AsyncIterator[Lab]:
    clock = ManualClock()
    chain = LossyChain(directory, clock)
    genesis.create(chain)
    signer = KeySigner()
    if funded:
        genesis.fund(chain, signer.pair.pubkey())
    chain.arrived = 0
    server = Server(chain)
    await server.start()
    made = Lab(clock, chain, server, signer, MemoryLog())
    try:
        yield made
    finally:
        for network in made.networks:
            await network.stop()
        for other in made.others:
            if other.gate is not None:
                other.gate.set()
            await other.stop()
        await server.stop()
        chain.close()
