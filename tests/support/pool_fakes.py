"""Pools without a chain: markets, states, and a network that answers as it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from chains.evm.codec import checksum
from chains.evm.model import Block, Call, CallError, TransactionPlan
from chains.networks import NETWORKS
from core.errors import CambistError
from core.ports import Condition, FeeOptions, Health
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus
from dex.families.constant_product import ConstantProductPool
from dex.families.curve import FeeRate
from dex.pools import PoolDirectory, PoolMarket, PoolState
from dex.spec import Deployment, PoolVenueSpec, Protocol

NETWORK = "ethereum"
ETHER = 10**18


def address(number: int) -> str:
    return checksum("0x" + number.to_bytes(20, "big").hex())


USDC = Token(NETWORK, address(1), "USDC", 6)
WETH = Token(NETWORK, address(2), "WETH", 18)
DAI = Token(NETWORK, address(3), "DAI", 18)
WIF = Token(NETWORK, address(4), "WIF", 9)
FAKE_USDC = Token(NETWORK, address(5), "USDC", 6)
OWNER = address(100)

SPEC = PoolVenueSpec(
    Protocol("test_swap", "Test Swap", bytes(32), "ETH", FeeRate(), ""),
    Deployment(NETWORK, address(50), address(51)),
)


def market(token_a: Token = WETH, token_b: Token = USDC) -> PoolMarket:
    directory = PoolDirectory(SPEC, [USDC, WETH, DAI, WIF, FAKE_USDC])
    return directory.candidate(token_a, token_b)


def state(weth: int = 1_000 * ETHER, usdc: int = 3_000_000 * 10**6) -> PoolState:
    # USDC is token0, by its address
    return PoolState(market(), ConstantProductPool(usdc, weth), 7)


Answer = bytes | CallError


def reserves(one: int, other: int) -> bytes:
    return one.to_bytes(32, "big") + other.to_bytes(32, "big") + bytes(32)


@dataclass
class FakeNetwork:
    """The part of PoolNetwork that pool state and allowances use."""

    answer: Callable[[Call, int | str], Answer]
    height: int = 0
    health: Health = Health.READY

    def __post_init__(self) -> None:
        self.info = NETWORKS[NETWORK].info
        self.reads: list[tuple[int, int | str]] = []
        self.sent: list[TransactionPlan] = []
        self.trouble: CambistError | None = None
        self.refuses: Callable[[TransactionPlan], CambistError | None] = lambda plan: None
        self.include: Callable[[TransactionPlan], Awaitable[bool]] = _at_once
        self._blocks: list[Callable[[Block], None]] = []
        self._transactions: list[Callable[[Transaction], None]] = []

    @property
    def condition(self) -> Condition:
        return Condition(self.health, "said the test")

    @property
    def why_unknown(self) -> str:
        return "" if self.health in (Health.READY, Health.DEGRADED) else "said the test"

    async def multicall(self, calls: Sequence[Call], block: int | str = "latest") -> list[Answer]:
        self.reads.append((len(calls), block))
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        return [self.answer(call, block) for call in calls]

    def on_block(self, callback: Callable[[Block], None]) -> Callable[[], None]:
        self._blocks.append(callback)
        return lambda: self._blocks.remove(callback)

    def block(self, number: int, hash: str = "", timestamp: int = 0) -> None:
        self.height = number
        for callback in list(self._blocks):
            callback(Block(number, hash or f"0x{number}", "", timestamp or number * 12, None))

    async def simulate(self, plan: TransactionPlan) -> bytes:
        error = self.refuses(plan)
        if error is not None:
            raise error
        return b""

    async def send(self, plan: TransactionPlan, fees: FeeOptions) -> Transaction:
        await self.simulate(plan)
        self.sent.append(plan)
        transaction = Transaction(
            network=NETWORK,
            address=plan.sender,
            intent=plan.intent,
            purpose=plan.purpose,
            hash=f"0x{len(self.sent)}",
            raw=b"",
            status=TransactionStatus.BROADCAST,
            details=dict(plan.details),
        )
        self.tell(transaction, TransactionStatus.SIGNED)
        return transaction

    async def wait_included(self, hash: str, timeout: float) -> Transaction:
        plan = self.sent[int(hash, 16) - 1]
        succeeded = await self.include(plan)
        return Transaction(
            network=NETWORK,
            address=plan.sender,
            intent=plan.intent,
            purpose=plan.purpose,
            hash=hash,
            raw=b"",
            status=TransactionStatus.INCLUDED,
            succeeded=succeeded,
        )

    def on_transaction(self, callback: Callable[[Transaction], None]) -> Callable[[], None]:
        self._transactions.append(callback)
        return lambda: self._transactions.remove(callback)

    def tell(self, transaction: Transaction, status: TransactionStatus) -> None:
        for callback in list(self._transactions):
            callback(replace(transaction, status=status))


async def _at_once(plan: TransactionPlan) -> bool:
    return True
